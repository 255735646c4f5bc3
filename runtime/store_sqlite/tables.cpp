// SPDX-License-Identifier: Apache-2.0
#include "runtime/store_sqlite/tables.hpp"

#include <algorithm>
#include <array>

#include "core/base/crc.hpp"
#include "runtime/store_sqlite/schema.hpp"

namespace amphora::runtime {

namespace {

constexpr std::array<const char*, kTierCount> kInsertRow = {
#define AMPHORA_INSERT_ROW(table)                                      \
  "INSERT INTO " table                                                 \
  " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9) ON CONFLICT(at) DO UPDATE SET " \
  "count=?2,v0=?3,v1=?4,v2=?5,v3=?6,v4=?7,"                            \
  "v5=?8,v6=?9"
    AMPHORA_INSERT_ROW("tier0"), AMPHORA_INSERT_ROW("tier1"), AMPHORA_INSERT_ROW("tier2")
#undef AMPHORA_INSERT_ROW
};
constexpr std::array<const char*, kTierCount> kSelectRow = {
    "SELECT * FROM tier0 WHERE at=?1", "SELECT * FROM tier1 WHERE at=?1", "SELECT * FROM tier2 WHERE at=?1"};
constexpr std::array<const char*, kTierCount> kSelectRange = {
    "SELECT * FROM tier0 WHERE at>=?1 AND at<?2 ORDER BY at",
    "SELECT * FROM tier1 WHERE at>=?1 AND at<?2 ORDER BY at",
    "SELECT * FROM tier2 WHERE at>=?1 AND at<?2 ORDER BY at"};
constexpr std::array<const char*, kTierCount> kDeleteOld = {
    "DELETE FROM tier0 WHERE at<?1", "DELETE FROM tier1 WHERE at<?1", "DELETE FROM tier2 WHERE at<?1"};

SeriesValues values_of(const Query& query) {
  SeriesValues values;
  for (std::size_t i = 0; i < kSeriesCount; ++i) {
    values[i] = query.real(static_cast<int>(i) + 2);
  }
  return values;
}

std::string like_pattern(const std::string& text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') {
      pattern += '\\';
    }
    pattern += c;
  }
  return pattern + "%";
}

}  // namespace

bool migrate(Database& database) {
  std::int64_t version = 0;
  {
    Query query = database.query("PRAGMA user_version");
    version = query.step() ? query.integer(0) : -1;
  }
  const auto newest = static_cast<std::int64_t>(kSchemaSteps.size());
  if (version < 0 || version > newest) {
    database.set_error({0, "open " + database.path() + ": schema " + std::to_string(version) + " is unknown",
                        "it was written by a newer version of this program; update, or use another folder"});
    return false;
  }
  if (version == newest) {
    return true;
  }
  bool is_good = database.execute("BEGIN IMMEDIATE");
  for (auto step = static_cast<std::size_t>(version); is_good && step < kSchemaSteps.size(); ++step) {
    is_good = database.execute(kSchemaSteps[step]);
  }
  is_good = is_good && database.execute(("PRAGMA user_version=" + std::to_string(newest)).c_str()) &&
            database.execute("COMMIT");
  if (!is_good && database.is_in_transaction()) {
    (void)database.execute("ROLLBACK");
  }
  return is_good;
}

std::int64_t section_checksum(const std::string& name, const std::string& content) {
  Digest digest;
  digest.add({reinterpret_cast<const std::uint8_t*>(name.data()), name.size()});
  digest.add_byte(0);
  digest.add({reinterpret_cast<const std::uint8_t*>(content.data()), content.size()});
  return static_cast<std::int64_t>(digest.value());
}

bool load_stored_state(Database& database, StoredState& state) {
  {
    Query query = database.query("SELECT name,content,checksum FROM sections");
    while (query.step()) {
      std::string name = query.text(0);
      std::string content = query.text(1);
      if (section_checksum(name, content) == query.integer(2)) {
        state.sections[name] = std::move(content);
      } else {
        state.damaged_sections.push_back(std::move(name));
      }
    }
  }
  {
    Query query = database.query("SELECT name,role,password_hash FROM users ORDER BY name");
    while (query.step()) {
      state.users.push_back({query.text(0), query.text(1), query.text(2)});
    }
  }
  {
    Query query = database.query("SELECT name,value FROM counters");
    while (query.step()) {
      state.counters[query.text(0)] = query.integer(1);
    }
  }
  {
    Query query = database.query("SELECT sequence,topic,payload FROM readings ORDER BY sequence");
    while (query.step()) {
      state.readings.push_back({static_cast<std::uint64_t>(query.integer(0)), query.text(1), query.text(2)});
    }
  }
  state.link_positions = read_link_positions(database);
  state.link_queue = read_link_queue(database);
  return !database.has_error();
}

std::int64_t last_event_id(Database& database) {
  Query query = database.query("SELECT max(id) FROM events");
  return query.step() ? query.integer(0) : 0;
}

bool write_section(Database& database, const std::string& name, const std::string& content) {
  return database.query("INSERT OR REPLACE INTO sections VALUES(?1,?2,?3)")
      .bind(1, name)
      .bind(2, content)
      .bind(3, section_checksum(name, content))
      .run();
}
bool delete_section(Database& database, const std::string& name) {
  return database.query("DELETE FROM sections WHERE name=?1").bind(1, name).run();
}
bool write_user(Database& database, const UserRecord& user) {
  return database.query("INSERT OR REPLACE INTO users VALUES(?1,?2,?3)")
      .bind(1, user.name)
      .bind(2, user.role)
      .bind(3, user.password_hash)
      .run();
}
bool delete_user(Database& database, const std::string& name) {
  return database.query("DELETE FROM users WHERE name=?1").bind(1, name).run();
}
bool write_counter(Database& database, const std::string& name, std::int64_t value) {
  return database.query("INSERT OR REPLACE INTO counters VALUES(?1,?2)").bind(1, name).bind(2, value).run();
}
bool write_event(Database& database, const EventRecord& event) {
  return database.query("INSERT OR REPLACE INTO events VALUES(?1,?2,?3,?4,?5,?6,?7,?8)")
      .bind(1, event.id)
      .bind(2, event.time.unix_ms)
      .bind(3, event.uptime_ms)
      .bind(4, static_cast<std::int64_t>(event.level))
      .bind(5, event.source)
      .bind(6, event.code)
      .bind(7, event.text)
      .bind(8, event.data)
      .run();
}
bool write_reading(Database& database, const StoredReading& reading) {
  return database.query("INSERT OR REPLACE INTO readings VALUES(?1,?2,?3)")
      .bind(1, static_cast<std::int64_t>(reading.sequence))
      .bind(2, reading.topic)
      .bind(3, reading.payload)
      .run();
}
bool delete_reading(Database& database, std::uint64_t sequence) {
  return database.query("DELETE FROM readings WHERE sequence=?1")
      .bind(1, static_cast<std::int64_t>(sequence))
      .run();
}

bool write_history_row(Database& database, std::size_t tier, const HistoryRow& row) {
  SampleBucket bucket;
  {
    Query known = database.query(kSelectRow[tier]);
    known.bind(1, row.at_ms);
    if (known.step()) {
      bucket.add(values_of(known), known.integer(1));
    }
  }
  bucket.add(row.values, row.count);
  Query query = database.query(kInsertRow[tier]);
  query.bind(1, row.at_ms).bind(2, bucket.count());
  const SeriesValues values = bucket.values();
  for (std::size_t i = 0; i < kSeriesCount; ++i) {
    query.bind(static_cast<int>(i) + 3, values[i]);
  }
  return query.run();
}

EventPage read_events(Database& database, const EventQuery& query) {
  EventPage page;
  const std::string pattern = query.text.empty() ? std::string{} : like_pattern(query.text);
  Query select = database.query(
      "SELECT id,time_ms,uptime_ms,level,source,code,text,data FROM events WHERE id<?1 AND level>=?2 AND "
      "(?3='' OR source=?3) AND (?4='' OR text LIKE ?4 ESCAPE '\\' OR code LIKE ?4 ESCAPE '\\') "
      "ORDER BY id DESC LIMIT ?5");
  select.bind(1, query.before.value_or(INT64_MAX))
      .bind(2, static_cast<std::int64_t>(query.level_min.value_or(EventLevel::kInfo)))
      .bind(3, query.source)
      .bind(4, pattern)
      .bind(5, std::int64_t{query.limit} + 1);
  while (select.step()) {
    if (page.events.size() == static_cast<std::size_t>(query.limit)) {
      page.next_before = page.events.back().id;
      break;
    }
    EventRecord event;
    event.id = select.integer(0);
    event.time = WallTime{select.integer(1)};
    event.uptime_ms = select.integer(2);
    event.level = static_cast<EventLevel>(std::clamp<std::int64_t>(select.integer(3), 0, 3));
    event.source = select.text(4);
    event.code = select.text(5);
    event.text = select.text(6);
    event.data = select.text(7);
    page.events.push_back(std::move(event));
  }
  return page;
}

HistoryResult read_history(Database& database, const HistoryQuery& query, std::int64_t now_ms,
                           int history_days) {
  const HistoryPlan plan = plan_history(query, now_ms, history_days);
  HistoryResult result{query.from_ms, query.to_ms, plan.step_ms, query.series, {}};
  Query select = database.query(kSelectRange[plan.tier]);
  select.bind(1, query.from_ms).bind(2, query.to_ms);
  SampleBucket bucket;
  std::int64_t start = 0;
  const auto finish = [&] {
    if (!bucket.is_empty()) {
      result.rows.push_back({start, bucket.count(), bucket.values()});
      bucket = {};
    }
  };
  while (select.step()) {
    const std::int64_t at = select.integer(0) / plan.step_ms * plan.step_ms;
    if (at != start) {
      finish();
      start = at;
    }
    bucket.add(values_of(select), select.integer(1));
  }
  finish();
  return result;
}

std::vector<HistoryDay> read_days(Database& database, int days) {
  std::vector<HistoryDay> found;
  Query select = database.query("SELECT * FROM days ORDER BY date DESC LIMIT ?1");
  select.bind(1, std::int64_t{days});
  while (select.step()) {
    found.push_back(
        {select.text(0), select.real(1), select.real(2), select.real(3), select.real(4), select.real(5)});
  }
  std::reverse(found.begin(), found.end());
  return found;
}

bool prune(Database& database, std::int64_t now_ms, const StoreOptions& options) {
  const auto tiers = history_tiers(options.history_days);
  for (std::size_t i = 0; i < kTierCount; ++i) {
    if (!database.query(kDeleteOld[i]).bind(1, now_ms - tiers[i].keep_ms).run()) {
      return false;
    }
  }
  return database.query("DELETE FROM events WHERE id<=(SELECT max(id) FROM events)-?1")
             .bind(1, options.events_max)
             .run() &&
         database.query("DELETE FROM readings WHERE sequence<=(SELECT max(sequence) FROM readings)-?1")
             .bind(1, options.readings_max)
             .run() &&
         prune_link_readings(database, options.link_readings_max);
}

std::int64_t count_history_rows(Database& database) {
  Query query = database.query(
      "SELECT (SELECT count(*) FROM tier0)+(SELECT count(*) FROM tier1)+(SELECT count(*) FROM tier2)");
  return query.step() ? query.integer(0) : 0;
}

bool DayTracker::load(Database& database) {
  Query query = database.query("SELECT name,value FROM marks");
  while (query.step()) {
    (query.text(0) == "energy_in" ? last_in_ : last_out_) = query.real(1);
  }
  return !database.has_error();
}

// A total that fell is a counter that was reset: it starts again from there, and nothing negative is counted.
void DayTracker::grow(std::optional<double>& last, const std::optional<double>& total,
                      std::optional<double>& day) {
  if (!total) {
    return;
  }
  const double growth = last && *total > *last ? *total - *last : 0;
  day = day.value_or(0) + growth;
  last = total;
}

void DayTracker::add(const HistorySample& sample) {
  const std::string date = local_date(sample.at.unix_ms);
  if (changed_.empty() || changed_.back().date != date) {
    changed_.push_back({date, {}, {}, {}, {}, {}});
  }
  HistoryDay& day = changed_.back();
  grow(last_in_, sample.energy_in_kwh, day.energy_in_kwh);
  grow(last_out_, sample.energy_out_kwh, day.energy_out_kwh);
  const auto& values = sample.values;
  if (const auto& soc = values[static_cast<std::size_t>(Series::kSocPercent)]) {
    day.soc_min_percent = std::min(day.soc_min_percent.value_or(*soc), *soc);
    day.soc_max_percent = std::max(day.soc_max_percent.value_or(*soc), *soc);
  }
  const auto& low = values[static_cast<std::size_t>(Series::kCellMinMv)];
  const auto& high = values[static_cast<std::size_t>(Series::kCellMaxMv)];
  if (low && high) {
    day.cell_delta_max_mv = std::max(day.cell_delta_max_mv.value_or(0), *high - *low);
  }
}

bool DayTracker::write(Database& database) {
  for (const HistoryDay& day : changed_) {
    // coalesce on both sides, so that unknown never erases known; min and max of SQLite need both.
    const bool is_good =
        database
            .query(
                "INSERT INTO days VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(date) DO UPDATE SET "
                "energy_in=CASE WHEN ?2 IS NULL THEN energy_in ELSE coalesce(energy_in,0)+?2 END,"
                "energy_out=CASE WHEN ?3 IS NULL THEN energy_out ELSE coalesce(energy_out,0)+?3 END,"
                "soc_min=min(coalesce(soc_min,?4),coalesce(?4,soc_min)),"
                "soc_max=max(coalesce(soc_max,?5),coalesce(?5,soc_max)),"
                "cell_delta_max=max(coalesce(cell_delta_max,?6),coalesce(?6,cell_delta_max))")
            .bind(1, day.date)
            .bind(2, day.energy_in_kwh)
            .bind(3, day.energy_out_kwh)
            .bind(4, day.soc_min_percent)
            .bind(5, day.soc_max_percent)
            .bind(6, day.cell_delta_max_mv)
            .run();
    if (!is_good) {
      return false;
    }
  }
  changed_.clear();
  for (const auto& [name, value] : {std::pair{"energy_in", last_in_}, std::pair{"energy_out", last_out_}}) {
    if (value &&
        !database.query("INSERT OR REPLACE INTO marks VALUES(?1,?2)").bind(1, name).bind(2, value).run()) {
      return false;
    }
  }
  return true;
}

}  // namespace amphora::runtime
