// SPDX-License-Identifier: Apache-2.0
#include "runtime/store_sqlite/store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "runtime/loop/loop.hpp"
#include "runtime/store_sqlite/schema.hpp"
#include "runtime/store_sqlite/tables.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = "/tmp/amphora_store_" + std::to_string(::getpid());
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Store> open(std::int64_t size_max_bytes = 0, std::size_t append_capacity = 4096) {
    StoreOptions options;
    options.directory = directory_;
    options.size_max_bytes = size_max_bytes;
    options.append_capacity = append_capacity;
    options.retry_after = 1ms;
    auto store = Store::open(options);
    EXPECT_TRUE(store.ok()) << store.error().text();
    return std::move(store.value());
  }
  // By hand, on the file.
  void execute(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open((directory_ + "/amphora.db").c_str(), &database), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << message;
    sqlite3_close(database);
  }
  static std::optional<SysError> flush(Store& store) {
    std::promise<std::optional<SysError>> done;
    store.flush([&](const std::optional<SysError>& error) { done.set_value(error); });
    return done.get_future().get();
  }
  static EventPage events(Store& store, EventQuery query) {
    std::promise<EventPage> page;
    EXPECT_TRUE(store.query_events(query, [&](EventPage found) { page.set_value(std::move(found)); }));
    return page.get_future().get();
  }
  static EventRecord event(std::string code, EventLevel level = EventLevel::kInfo,
                           std::string source = "box") {
    EventRecord record;
    record.time = WallTime{1'700'000'000'000};
    record.level = level;
    record.source = std::move(source);
    record.code = std::move(code);
    record.text = "Text of " + record.code + ".";
    return record;
  }

  std::string directory_;
};

TEST_F(StoreTest, everything_is_there_after_a_restart) {
  {
    auto store = open();
    EXPECT_EQ(store->stored().boot_count, 1);
    store->put_section("battery", R"({"a":1})");
    store->put_section("battery", R"({"a":2})");
    store->put_user({"admin", "owner", "hash"});
    store->put_user({"guest", "viewer", "hash2"});
    store->remove_user("guest");
    store->put_counter("energy_in_mwh", 123'456'789'012);
    store->append_reading({1, "t", "one"});
    store->append_reading({2, "t", "two"});
    store->append_reading({3, "t", "three"});
    store->remove_reading(1);
    EXPECT_EQ(store->append_event(event("start")), 1);
  }
  auto store = open();
  const StoredState& state = store->stored();
  EXPECT_EQ(state.boot_count, 2);
  EXPECT_EQ(state.sections.at("battery"), R"({"a":2})");
  ASSERT_EQ(state.users.size(), 1U);
  EXPECT_EQ(state.users[0].password_hash, "hash");
  EXPECT_EQ(state.counters.at("energy_in_mwh"), 123'456'789'012);
  ASSERT_EQ(state.readings.size(), 2U);
  EXPECT_EQ(state.readings[0], (StoredReading{2, "t", "two"}));
  EXPECT_EQ(state.last_reading_sequence, 3U);
  EXPECT_EQ(store->append_event(event("next")), 2);
}

TEST_F(StoreTest, readings_delivered_at_once_leave_no_trace_but_their_number) {
  {
    auto store = open();
    for (std::uint64_t i = 1; i <= 5; ++i) {
      store->append_reading({i, "t", "x"});
      store->remove_reading(i);
    }
  }
  auto store = open();
  EXPECT_TRUE(store->stored().readings.empty());
  EXPECT_EQ(store->stored().last_reading_sequence, 5U);
}

TEST_F(StoreTest, files_are_for_the_owner_only) {
  auto store = open();
  struct stat info {};
  ASSERT_EQ(::stat((directory_ + "/amphora.db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(directory_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(StoreTest, a_damaged_section_is_reported_and_not_used) {
  {
    auto store = open();
    store->put_section("battery", "good");
    store->put_section("inverter", "good");
  }
  execute("UPDATE sections SET content='evil' WHERE name='battery'");
  auto store = open();
  EXPECT_EQ(store->stored().damaged_sections, std::vector<std::string>{"battery"});
  EXPECT_EQ(store->stored().sections.count("battery"), 0U);
  EXPECT_EQ(store->stored().sections.at("inverter"), "good");
}

TEST_F(StoreTest, an_older_file_is_brought_forward_with_its_data) {
  std::filesystem::create_directory(directory_);
  execute(std::string{kSchemaSteps[0]} +
          "PRAGMA user_version=1; INSERT INTO users VALUES('admin','owner','hash');");
  auto store = open();
  EXPECT_EQ(store->stored().users.size(), 1U);
  store->add_sample({WallTime{wall_now().unix_ms}, {}, 1.0, 1.0});
  EXPECT_EQ(flush(*store), std::nullopt);
}

TEST_F(StoreTest, a_newer_file_is_refused_with_advice) {
  std::filesystem::create_directory(directory_);
  execute("PRAGMA user_version=99");
  StoreOptions options;
  options.directory = directory_;
  const auto store = Store::open(options);
  ASSERT_FALSE(store.ok());
  EXPECT_NE(store.error().text().find("newer version"), std::string::npos) << store.error().text();
}

TEST_F(StoreTest, a_folder_that_cannot_be_made_is_named) {
  StoreOptions options;
  options.directory = "/proc/amphora";
  const auto store = Store::open(options);
  ASSERT_FALSE(store.ok());
  EXPECT_NE(store.error().text().find("/proc/amphora"), std::string::npos);
}

TEST_F(StoreTest, events_are_filtered_and_paged) {
  auto store = open();
  for (int i = 0; i < 10; ++i) {
    store->append_event(event("tick" + std::to_string(i)));
  }
  store->append_event(event("inverter_lost", EventLevel::kWarning, "inverter"));
  store->append_event(event("100%_odd", EventLevel::kError, "bms"));
  EXPECT_EQ(events(*store, {.level_min = EventLevel::kWarning}).events.size(), 2U);
  EXPECT_EQ(events(*store, {.source = "inverter"}).events.at(0).code, "inverter_lost");
  EXPECT_EQ(events(*store, {.text = "0%_O"}).events.size(), 1U);
  EXPECT_EQ(events(*store, {.text = "INVERTER"}).events.size(), 1U);
  const EventPage first = events(*store, {.limit = 5});
  ASSERT_EQ(first.events.size(), 5U);
  EXPECT_EQ(first.events.front().id, 12);
  ASSERT_TRUE(first.next_before);
  const EventPage rest = events(*store, {.limit = 100, .before = first.next_before});
  EXPECT_EQ(rest.events.size(), 7U);
  EXPECT_EQ(rest.events.front().id, 7);
  EXPECT_FALSE(rest.next_before);
}

TEST_F(StoreTest, event_json_has_the_fields_of_the_api) {
  EventRecord record = event("odd \xFF");
  record.id = 7;
  record.data = R"({"x":1})";
  const auto json = nlohmann::json::parse(event_page_json({{record}, 7}));
  EXPECT_EQ(json["events"][0]["id"], 7);
  EXPECT_EQ(json["events"][0]["time"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(json["events"][0]["data"]["x"], 1);
  EXPECT_EQ(json["next_before"], 7);
}

TEST_F(StoreTest, history_is_thinned_and_continues_after_a_restart) {
  const std::int64_t start = wall_now().unix_ms / 900'000 * 900'000 - 900'000;
  HistoryQuery query{start, start + 900'000, 600, {Series::kSocPercent}};
  const auto ask = [&](Store& store) {
    std::promise<HistoryResult> answer;
    EXPECT_TRUE(store.query_history(query, [&](HistoryResult r) { answer.set_value(std::move(r)); }));
    return answer.get_future().get();
  };
  const auto add = [&](Store& store, int i) {
    HistorySample sample;
    sample.at = WallTime{start + i * 10'000};
    sample.values[0] = i;
    sample.energy_in_kwh = 100.0 + 0.01 * i;
    sample.energy_out_kwh = 50.0;
    store.add_sample(sample);
  };
  {
    auto store = open();
    for (int i = 0; i < 45; ++i) {
      add(*store, i);
    }
  }
  auto store = open();
  for (int i = 45; i < 90; ++i) {
    add(*store, i);
  }
  EXPECT_EQ(flush(*store), std::nullopt);
  EXPECT_EQ(ask(*store).rows.size(), 89U);  // the row of the last sample is not finished
  EXPECT_EQ(ask(*store).rows[10].values[0], 10.0);
  store.reset();
  store = open();
  EXPECT_EQ(ask(*store).rows.size(), 90U);
  query.points = 1;  // the quarter of an hour: 90 samples from before and after the restart
  const HistoryResult quarter = ask(*store);
  ASSERT_EQ(quarter.rows.size(), 1U);
  EXPECT_EQ(quarter.rows[0].count, 90);
  EXPECT_EQ(quarter.rows[0].values[0], 44.5);
  std::promise<std::vector<HistoryDay>> answer;
  EXPECT_TRUE(store->query_days(31, [&](std::vector<HistoryDay> d) { answer.set_value(std::move(d)); }));
  double energy = 0;
  double soc_max = 0;
  for (const HistoryDay& day : answer.get_future().get()) {
    energy += day.energy_in_kwh.value_or(0);
    soc_max = std::max(soc_max, day.soc_max_percent.value_or(0));
  }
  EXPECT_NEAR(energy, 0.89, 1e-9);
  EXPECT_EQ(soc_max, 89);
}

TEST_F(StoreTest, a_counter_that_was_reset_adds_nothing_negative) {
  DayTracker days;
  HistorySample sample;
  sample.at = WallTime{1'700'000'000'000};
  Database database;
  std::filesystem::create_directory(directory_);
  ASSERT_TRUE(database.open(directory_ + "/amphora.db"));
  ASSERT_TRUE(migrate(database));
  for (const double total : {10.0, 11.0, 2.0, 2.5}) {
    sample.energy_in_kwh = total;
    days.add(sample);
  }
  ASSERT_TRUE(days.write(database));
  const auto found = read_days(database, 5);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].energy_in_kwh, 1.5);
  EXPECT_EQ(found[0].energy_out_kwh, std::nullopt);
}

TEST_F(StoreTest, a_full_store_says_so_keeps_its_queue_bounded_and_newest_values_whole) {
  auto store = open(256 * 1024, 200);
  const std::string big(4000, 'x');
  std::optional<SysError> error;
  int written = 0;
  for (; !error && written < 1000; ++written) {
    EventRecord record = event("big");
    record.text = big;
    store->append_event(record);
    error = flush(*store);
  }
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ENOSPC);
  EXPECT_FALSE(store->status().is_ok);
  for (int i = 0; i < 500; ++i) {
    EventRecord record = event("more");
    record.text = big;
    store->append_event(record);
  }
  const StoreStatus status = store->status();
  EXPECT_LE(status.queued, 200U);
  EXPECT_GE(status.dropped, 300U);
  EXPECT_FALSE(status.error.empty());
  EXPECT_FALSE(events(*store, {.limit = 10}).events.empty());  // what is on the disk can still be read
}

}  // namespace
}  // namespace amphora::runtime
