// SPDX-License-Identifier: Apache-2.0
#include "runtime/store_sqlite/store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <variant>

#include "runtime/loop/loop.hpp"
#include "runtime/store_sqlite/tables.hpp"

namespace amphora::runtime {

namespace {

constexpr std::string_view kLevels[] = {"info", "notice", "warning", "error"};
constexpr std::string_view kSequenceCounter = "reading_sequence";
constexpr std::string_view kBootCounter = "boot_count";
constexpr Duration kPrunePeriod = std::chrono::hours{1};

struct RemovedReading {
  std::uint64_t sequence = 0;
};
using Append = std::variant<EventRecord, HistorySample, StoredReading, RemovedReading>;

struct ForgottenQueue {
  std::uint32_t epoch = 0;
  std::uint32_t up_to = 0;
};
using QueueChange = std::variant<LinkQueueEntry, ForgottenQueue>;

// What waits to be written. Newest values by name, and the rest in order.
struct Batch {
  std::map<std::string, std::optional<std::string>> sections;  // empty: removed
  std::map<std::string, std::optional<UserRecord>> users;      // empty: removed
  std::map<std::string, std::int64_t> counters;
  std::deque<Append> appends;
  // In order of arrival, none twice. Their number is bounded by what the link has in flight.
  std::vector<LinkReading> link_readings;
  std::vector<QueueChange> queue_changes;
  std::vector<Store::Done> dones;

  bool is_empty() const {
    return sections.empty() && users.empty() && counters.empty() && appends.empty() &&
           link_readings.empty() && queue_changes.empty() && dones.empty();
  }
  void add(LinkReading reading) {
    const auto is_same = [&reading](const LinkReading& other) { return other.is_same(reading); };
    if (std::none_of(link_readings.begin(), link_readings.end(), is_same)) {
      link_readings.push_back(std::move(reading));
    }
  }
};

SysError make_error(const Database& database, const char* operation) {
  return database.error().value_or(SysError{0, operation, {}});
}

bool make_file(const std::string& directory, SysError& error) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    error = last_sys_error("make the folder " + directory, "its parent must exist and be writable");
    return false;
  }
  const std::string path = directory + "/amphora.db";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    error = last_sys_error("open " + path, "the user that runs this program must own the folder");
    return false;
  }
  ::close(fd);
  return true;
}

}  // namespace

std::string_view to_text(EventLevel level) {
  return kLevels[static_cast<std::size_t>(level)];
}
std::optional<EventLevel> event_level_from_text(std::string_view text) {
  for (std::size_t i = 0; i < std::size(kLevels); ++i) {
    if (kLevels[i] == text) {
      return static_cast<EventLevel>(i);
    }
  }
  return std::nullopt;
}

std::string event_json(const EventRecord& event) {
  nlohmann::ordered_json json{{"id", event.id},
                              {"time", utc_text(event.time.unix_ms)},
                              {"uptime_ms", event.uptime_ms},
                              {"level", to_text(event.level)},
                              {"source", event.source},
                              {"code", event.code},
                              {"text", event.text}};
  auto data = nlohmann::ordered_json::parse(event.data, nullptr, false);
  if (data.is_object()) {
    json["data"] = std::move(data);
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string event_page_json(const EventPage& page) {
  std::string out = "{\"events\":[";
  for (std::size_t i = 0; i < page.events.size(); ++i) {
    out += (i == 0 ? "" : ",") + event_json(page.events[i]);
  }
  out += "]";
  if (page.next_before) {
    out += ",\"next_before\":" + std::to_string(*page.next_before);
  }
  return out + "}";
}

class Store::State {
 public:
  explicit State(StoreOptions options)
      : options_{std::move(options)},
        tiers_{TierAccumulator{history_tiers(1)[0].step_ms}, TierAccumulator{history_tiers(1)[1].step_ms},
               TierAccumulator{history_tiers(1)[2].step_ms}} {}

  std::optional<SysError> open() {
    SysError error;
    if (!make_file(options_.directory, error)) {
      return error;
    }
    const bool is_good = database_.open(options_.directory + "/amphora.db") &&
                         database_.execute(
                             "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                             "PRAGMA wal_autocheckpoint=256; PRAGMA journal_size_limit=1048576;") &&
                         apply_size_limit() && migrate(database_) && load_stored_state(database_, stored_) &&
                         days_.load(database_);
    if (!is_good) {
      return make_error(database_, "open the store");
    }
    next_event_id_ = last_event_id(database_) + 1;
    status_.history_rows = count_history_rows(database_);
    stored_.last_reading_sequence = static_cast<std::uint64_t>(
        std::max<std::int64_t>(stored_.counters[std::string{kSequenceCounter}], 0));
    if (!stored_.readings.empty()) {
      stored_.last_reading_sequence =
          std::max(stored_.last_reading_sequence, stored_.readings.back().sequence);
    }
    stored_.boot_count = ++stored_.counters[std::string{kBootCounter}];
    pending_.counters[std::string{kBootCounter}] = stored_.boot_count;
    due_ = steady_now();
    thread_ = std::thread{[this] { run(); }};
    return std::nullopt;
  }

  void close() {
    if (!thread_.joinable()) {
      return;
    }
    {
      const std::lock_guard lock{mutex_};
      is_stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  // Puts something into what waits; `delay` is how long it may wait for company.
  template <class Change>
  void change(Duration delay, Change&& apply) {
    bool is_sooner = false;
    {
      const std::lock_guard lock{mutex_};
      apply(pending_);
      while (pending_.appends.size() > options_.append_capacity) {
        pending_.appends.pop_front();
        ++status_.dropped;
      }
      const TimePoint due = steady_now() + delay;
      is_sooner = due < due_;
      due_ = std::min(due_, due);
    }
    if (is_sooner) {
      changed_.notify_one();
    }
  }

  bool ask(std::function<void()> question) {
    {
      const std::lock_guard lock{mutex_};
      if (questions_.size() >= options_.query_capacity) {
        return false;
      }
      questions_.push_back(std::move(question));
    }
    changed_.notify_one();
    return true;
  }

  StoreStatus status() const {
    const std::lock_guard lock{mutex_};
    StoreStatus status = status_;
    status.queued = pending_.appends.size() + pending_.sections.size() + pending_.users.size();
    return status;
  }

  // The store's thread: what waits is written first, so that an answer is complete.
  Database& database_for_reading() {
    write_pending();
    database_.clear_error();
    return database_;
  }

  const StoreOptions options_;
  StoredState stored_;
  std::int64_t take_event_id() {
    const std::lock_guard lock{mutex_};
    return next_event_id_++;
  }

 private:
  bool apply_size_limit() {
    if (options_.size_max_bytes <= 0) {
      return true;
    }
    // 4096 is SQLite's page size for new files.
    const std::string sql = "PRAGMA max_page_count=" + std::to_string(options_.size_max_bytes / 4096);
    return database_.execute(sql.c_str());
  }

  void run() {
    std::unique_lock lock{mutex_};
    while (true) {
      const auto is_wanted = [this] { return is_stopping_ || !questions_.empty() || steady_now() >= due_; };
      while (!is_wanted()) {
        if (due_ == kNever) {
          changed_.wait(lock);
        } else {
          changed_.wait_for(lock, due_ - steady_now());
        }
      }
      if (is_stopping_) {
        break;
      }
      std::deque<std::function<void()>> questions;
      questions.swap(questions_);
      const bool is_due = steady_now() >= due_;
      lock.unlock();
      if (is_due) {
        retry_at_ = std::min(retry_at_, steady_now());
        write_pending();
      }
      for (const auto& question : questions) {
        question();
      }
      lock.lock();
    }
    lock.unlock();
    finish_tiers_ = true;
    retry_at_ = TimePoint{};
    write_pending();
  }

  // One try. After a failure everything is back in its place and the next try is due after a pause.
  void write_pending() {
    Batch batch;
    {
      const std::lock_guard lock{mutex_};
      if (pending_.is_empty() && !finish_tiers_) {
        due_ = kNever;
        return;
      }
      if (steady_now() < retry_at_) {
        return;
      }
      std::swap(batch, pending_);
      due_ = kNever;
    }
    database_.clear_error();
    const auto tiers_before = tiers_;
    const DayTracker days_before = days_;
    const bool is_good = write(batch);
    std::optional<SysError> error;
    if (!is_good) {
      error = make_error(database_, "write the store");
      tiers_ = tiers_before;
      days_ = days_before;
    }
    std::vector<Done> dones;
    dones.swap(batch.dones);
    {
      const std::lock_guard lock{mutex_};
      status_.is_ok = is_good;
      status_.error = error ? error->text() : std::string{};
      if (is_good) {
        ++status_.batches_written;
        retry_at_ = TimePoint{};
      } else {
        ++status_.write_failures;
        put_back(std::move(batch));
        retry_at_ = steady_now() + options_.retry_after;
        due_ = retry_at_;
      }
    }
    for (const Done& done : dones) {
      if (done) {
        done(error);
      }
    }
  }

  // Newer values that came meanwhile win; what is appended goes in front of what came later.
  void put_back(Batch batch) {
    pending_.sections.merge(batch.sections);
    pending_.users.merge(batch.users);
    pending_.counters.merge(batch.counters);
    std::swap(pending_.link_readings, batch.link_readings);
    for (LinkReading& newer : batch.link_readings) {
      pending_.add(std::move(newer));
    }
    pending_.queue_changes.insert(pending_.queue_changes.begin(), batch.queue_changes.begin(),
                                  batch.queue_changes.end());
    pending_.appends.insert(pending_.appends.begin(), std::make_move_iterator(batch.appends.begin()),
                            std::make_move_iterator(batch.appends.end()));
    while (pending_.appends.size() > options_.append_capacity) {
      pending_.appends.pop_front();
      ++status_.dropped;
    }
  }

  bool write(const Batch& batch) {
    // Settings and users must survive a power cut once acknowledged; the rest may lose its last seconds.
    const bool is_precious = !batch.sections.empty() || !batch.users.empty() || !batch.dones.empty();
    if (!database_.execute(is_precious ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL") ||
        !database_.execute("BEGIN IMMEDIATE")) {
      return false;
    }
    if (write_newest(batch) && write_appends(batch) && write_link(batch) && write_history() &&
        prune_if_due() && database_.execute("COMMIT")) {
      return true;
    }
    if (database_.is_in_transaction()) {
      (void)database_.execute("ROLLBACK");
    }
    return false;
  }

  bool write_newest(const Batch& batch) {
    for (const auto& [name, content] : batch.sections) {
      if (!(content ? write_section(database_, name, *content) : delete_section(database_, name))) {
        return false;
      }
    }
    for (const auto& [name, user] : batch.users) {
      if (!(user ? write_user(database_, *user) : delete_user(database_, name))) {
        return false;
      }
    }
    for (const auto& [name, value] : batch.counters) {
      if (!write_counter(database_, name, value)) {
        return false;
      }
    }
    return true;
  }

  bool write_appends(const Batch& batch) {
    rows_.clear();
    for (const Append& append : batch.appends) {
      bool is_good = true;
      if (const auto* event = std::get_if<EventRecord>(&append)) {
        is_good = write_event(database_, *event);
      } else if (const auto* reading = std::get_if<StoredReading>(&append)) {
        is_good = write_reading(database_, *reading);
      } else if (const auto* removed = std::get_if<RemovedReading>(&append)) {
        is_good = delete_reading(database_, removed->sequence);
      } else if (const auto* sample = std::get_if<HistorySample>(&append)) {
        add_to_tiers(*sample);
      }
      if (!is_good) {
        return false;
      }
    }
    return true;
  }

  bool write_link(const Batch& batch) {
    for (const LinkReading& reading : batch.link_readings) {
      if (!write_link_reading(database_, reading)) {
        return false;
      }
    }
    for (const QueueChange& change : batch.queue_changes) {
      const auto* entry = std::get_if<LinkQueueEntry>(&change);
      const auto* forgotten = std::get_if<ForgottenQueue>(&change);
      if (!(entry != nullptr ? runtime::append_link_queue(database_, *entry)
                             : runtime::forget_link_queue(database_, forgotten->epoch, forgotten->up_to))) {
        return false;
      }
    }
    return true;
  }

  void add_to_tiers(const HistorySample& sample) {
    days_.add(sample);
    for (std::size_t i = 0; i < kTierCount; ++i) {
      if (const auto row = tiers_[i].add(sample)) {
        rows_.emplace_back(i, *row);
      }
    }
  }

  bool write_history() {
    for (std::size_t i = 0; finish_tiers_ && i < kTierCount; ++i) {
      if (const auto row = tiers_[i].finish()) {
        rows_.emplace_back(i, *row);
      }
    }
    for (const auto& [tier, row] : rows_) {
      if (!write_history_row(database_, tier, row)) {
        return false;
      }
    }
    {
      const std::lock_guard lock{mutex_};
      status_.history_rows += static_cast<std::int64_t>(rows_.size());
    }
    return days_.write(database_);
  }

  bool prune_if_due() {
    const TimePoint now = steady_now();
    if (now < prune_at_) {
      return true;
    }
    if (!prune(database_, wall_now().unix_ms, options_)) {
      return false;
    }
    prune_at_ = now + kPrunePeriod;
    const std::int64_t rows = count_history_rows(database_);
    const std::lock_guard lock{mutex_};
    status_.history_rows = rows;
    return true;
  }

  // Shared, under the mutex.
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Batch pending_;
  std::deque<std::function<void()>> questions_;
  TimePoint due_ = kNever;
  bool is_stopping_ = false;
  StoreStatus status_;
  std::int64_t next_event_id_ = 1;

  // The store's thread.
  std::thread thread_;
  Database database_;
  std::array<TierAccumulator, kTierCount> tiers_;
  DayTracker days_;
  std::vector<std::pair<std::size_t, HistoryRow>> rows_;
  bool finish_tiers_ = false;
  TimePoint retry_at_{};
  TimePoint prune_at_{};
};

Result<std::unique_ptr<Store>, SysError> Store::open(StoreOptions options) {
  auto state = std::make_unique<State>(std::move(options));
  if (auto error = state->open()) {
    return *error;
  }
  return std::unique_ptr<Store>{new Store{std::move(state)}};
}

Store::Store(std::unique_ptr<State> state) : state_{std::move(state)} {}
Store::~Store() {
  state_->close();
}
const StoredState& Store::stored() const {
  return state_->stored_;
}

void Store::put_section(const std::string& name, std::string content, Done done) {
  state_->change(Duration::zero(), [&](Batch& batch) {
    batch.sections[name] = std::move(content);
    batch.dones.push_back(std::move(done));
  });
}
void Store::remove_section(const std::string& name, Done done) {
  state_->change(Duration::zero(), [&](Batch& batch) {
    batch.sections[name] = std::nullopt;
    batch.dones.push_back(std::move(done));
  });
}
void Store::put_user(UserRecord user, Done done) {
  state_->change(Duration::zero(), [&](Batch& batch) {
    const std::string name = user.name;
    batch.users[name] = std::move(user);
    batch.dones.push_back(std::move(done));
  });
}
void Store::remove_user(const std::string& name) {
  state_->change(Duration::zero(), [&](Batch& batch) { batch.users[name] = std::nullopt; });
}
void Store::put_counter(const std::string& name, std::int64_t value) {
  state_->change(state_->options_.sample_batch_after, [&](Batch& batch) { batch.counters[name] = value; });
}
std::int64_t Store::append_event(EventRecord event) {
  event.id = state_->take_event_id();
  const std::int64_t id = event.id;
  state_->change(state_->options_.batch_after,
                 [&](Batch& batch) { batch.appends.emplace_back(std::move(event)); });
  return id;
}
void Store::add_sample(const HistorySample& sample) {
  state_->change(state_->options_.sample_batch_after,
                 [&](Batch& batch) { batch.appends.emplace_back(sample); });
}
void Store::append_reading(const StoredReading& reading) {
  state_->change(state_->options_.batch_after, [&](Batch& batch) {
    batch.appends.emplace_back(reading);
    batch.counters[std::string{kSequenceCounter}] = static_cast<std::int64_t>(reading.sequence);
  });
}
// A reading that the broker has taken before it was written needs no write at all.
void Store::remove_reading(std::uint64_t sequence) {
  state_->change(state_->options_.batch_after, [&](Batch& batch) {
    for (auto at = batch.appends.begin(); at != batch.appends.end(); ++at) {
      const auto* reading = std::get_if<StoredReading>(&*at);
      if (reading != nullptr && reading->sequence == sequence) {
        batch.appends.erase(at);
        return;
      }
    }
    batch.appends.emplace_back(RemovedReading{sequence});
  });
}

void Store::put_link_reading(LinkReading reading, Done done) {
  state_->change(state_->options_.link_batch_after, [&](Batch& batch) {
    batch.add(std::move(reading));
    batch.dones.push_back(std::move(done));
  });
}
// An append that failed waits here and is written with the next try; the queue that asks again after the
// error may not get it twice, so the newest word on a sequence counts.
void Store::append_link_queue(LinkQueueEntry entry, Done done) {
  state_->change(state_->options_.link_batch_after, [&](Batch& batch) {
    std::erase_if(batch.queue_changes, [&entry](const QueueChange& change) {
      const auto* waiting = std::get_if<LinkQueueEntry>(&change);
      return waiting != nullptr && waiting->epoch == entry.epoch && waiting->sequence == entry.sequence;
    });
    const auto sequence = std::int64_t{entry.sequence} + 1;
    batch.counters[std::string{kLinkQueueNextCounter}] = sequence & 0xFFFF'FFFF;
    batch.counters[std::string{kLinkQueueEpochCounter}] = entry.epoch;
    batch.queue_changes.emplace_back(std::move(entry));
    batch.dones.push_back(std::move(done));
  });
}
void Store::forget_link_queue(std::uint32_t epoch, std::uint32_t up_to, Done done) {
  state_->change(state_->options_.link_batch_after, [&](Batch& batch) {
    batch.queue_changes.emplace_back(ForgottenQueue{epoch, up_to});
    batch.dones.push_back(std::move(done));
  });
}

bool Store::query_events(EventQuery query, std::function<void(EventPage)> answer) {
  return state_->ask([state = state_.get(), query = std::move(query), answer = std::move(answer)] {
    answer(read_events(state->database_for_reading(), query));
  });
}
bool Store::query_history(HistoryQuery query, std::function<void(HistoryResult)> answer) {
  return state_->ask([state = state_.get(), query = std::move(query), answer = std::move(answer)] {
    answer(
        read_history(state->database_for_reading(), query, wall_now().unix_ms, state->options_.history_days));
  });
}
bool Store::query_days(int days, std::function<void(std::vector<HistoryDay>)> answer) {
  return state_->ask([state = state_.get(), days, answer = std::move(answer)] {
    answer(read_days(state->database_for_reading(), days));
  });
}
bool Store::query_waiting_readings(std::function<void(std::vector<StoredReading>, std::uint64_t)> answer) {
  return state_->ask([state = state_.get(), answer = std::move(answer)] {
    StoredState now;
    (void)load_stored_state(state->database_for_reading(), now);
    const std::int64_t last = now.counters[std::string{kSequenceCounter}];
    answer(std::move(now.readings), static_cast<std::uint64_t>(std::max<std::int64_t>(last, 0)));
  });
}
void Store::flush(Done done) {
  state_->change(Duration::zero(), [&](Batch& batch) { batch.dones.push_back(std::move(done)); });
}
StoreStatus Store::status() const {
  return state_->status();
}

}  // namespace amphora::runtime
