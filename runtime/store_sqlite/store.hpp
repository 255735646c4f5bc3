// SPDX-License-Identifier: Apache-2.0
// What the box remembers: settings, users, events, counters, readings for MQTT, the battery's history, and
// what the radio link must not lose (link_records.hpp).
//
// One SQLite file (WAL) and one thread that owns it. Writes are taken into memory under a short lock and are
// written in batches, so a slow or full disk never delays anybody. What has only a newest value (sections,
// users, counters) is kept until written, whatever happens; what is appended (events, samples, readings)
// waits in a bounded queue: when it is full the oldest is dropped and counted. After an error the store says
// so in its status, keeps everything in order and tries again.
//
// Settings sections carry a checksum; a section that does not match is set aside and reported, never used.
// Schema versions are migrated forward in one transaction at opening; a file from a newer program is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "runtime/history/history.hpp"
#include "runtime/loop/sys_error.hpp"
#include "runtime/mqtt/mqtt_client.hpp"
#include "runtime/store_sqlite/link_records.hpp"

namespace amphora::runtime {

enum class EventLevel : std::uint8_t { kInfo, kNotice, kWarning, kError };
std::string_view to_text(EventLevel level);
std::optional<EventLevel> event_level_from_text(std::string_view text);

struct EventRecord {
  std::int64_t id = 0;  // given by append_event, unique and growing over restarts
  WallTime time;
  std::int64_t uptime_ms = 0;
  EventLevel level = EventLevel::kInfo;
  std::string source;  // "bms", "inverter", "link", "energy", "packnet", "mqtt", "storage", "settings",
                       // "auth", "box"
  std::string code;    // stable, snake_case
  std::string text;    // a sentence
  std::string data;    // a JSON object, or empty
};
// The object of the API, of /ws/live and of MQTT.
std::string event_json(const EventRecord& event);

struct EventQuery {
  int limit = 200;                        // 1…1000
  std::optional<std::int64_t> before{};   // ids below this
  std::optional<EventLevel> level_min{};  // this level and above
  std::string source{};                   // empty: all
  std::string text{};                     // part of text or code, case-insensitive; empty: all
};
struct EventPage {
  std::vector<EventRecord> events;  // newest first
  std::optional<std::int64_t> next_before;
};
std::string event_page_json(const EventPage& page);

struct UserRecord {
  std::string name;
  std::string role;           // "owner" or "viewer"
  std::string password_hash;  // Argon2id, as libsodium writes it
};

struct StoreOptions {
  std::string directory;  // made if missing, 0700; the file in it is amphora.db, 0600
  int history_days = 730;
  std::size_t append_capacity = 4096;
  std::size_t query_capacity = 64;
  std::int64_t events_max = 20'000;
  std::int64_t readings_max = 8640;
  std::int64_t link_readings_max = 100'000;
  Duration batch_after = std::chrono::seconds{2};  // how long a write may wait for company
  Duration sample_batch_after = std::chrono::minutes{1};
  // A reading of the radio link is acknowledged only when it is on the disk, so it may not wait long.
  Duration link_batch_after = std::chrono::milliseconds{20};
  Duration retry_after = std::chrono::seconds{5};
  std::int64_t size_max_bytes = 0;  // 0: no limit of its own
};

// Counters that say where the queue of a transmitter goes on.
inline constexpr std::string_view kLinkQueueEpochCounter = "link_queue_epoch";
inline constexpr std::string_view kLinkQueueNextCounter = "link_queue_next";

struct StoreStatus {
  bool is_ok = true;
  std::string error;
  std::int64_t history_rows = 0;
  std::size_t queued = 0;
  std::uint64_t dropped = 0;
  std::uint64_t batches_written = 0;
  std::uint64_t write_failures = 0;
};

// What an earlier run left.
struct StoredState {
  std::map<std::string, std::string> sections;
  std::vector<std::string> damaged_sections;
  std::vector<UserRecord> users;
  std::map<std::string, std::int64_t> counters;
  std::vector<StoredReading> readings;      // oldest first
  std::uint64_t last_reading_sequence = 0;  // also of those delivered since
  std::int64_t boot_count = 0;              // this run included
  std::vector<LinkPosition> link_positions;
  std::vector<LinkQueueEntry> link_queue;  // oldest first
};

class Store final : public ReadingStore {
 public:
  using Done = std::function<void(const std::optional<SysError>&)>;  // on the store's thread

  // Opens, migrates and loads; takes as long as the disk takes.
  static Result<std::unique_ptr<Store>, SysError> open(StoreOptions options);
  // Writes what waits (one try), then closes.
  ~Store() override;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  const StoredState& stored() const;

  // Any thread, none waits. `done` (may be empty) tells when the content is on the disk; it is called with
  // the error of the first failed try and the content is still kept and tried again.
  void put_section(const std::string& name, std::string content, Done done = {});
  void remove_section(const std::string& name, Done done = {});
  void put_user(UserRecord user, Done done = {});
  void remove_user(const std::string& name);
  void put_counter(const std::string& name, std::int64_t value);
  // Gives the event its id and returns it.
  std::int64_t append_event(EventRecord event);
  void add_sample(const HistorySample& sample);
  void append_reading(const StoredReading& reading) override;
  void remove_reading(std::uint64_t sequence) override;

  // A reading of the radio link. Putting one again that waits or is there already changes nothing, so that it
  // may be tried again after a failure.
  void put_link_reading(LinkReading reading, Done done);
  // The queue of a transmitter: one append or forget at a time, the next after `done`.
  void append_link_queue(LinkQueueEntry entry, Done done);
  void forget_link_queue(std::uint32_t epoch, std::uint32_t up_to, Done done);

  // Answers on the store's thread; false when too many questions wait. What still waits when the store closes
  // is not answered.
  bool query_events(EventQuery query, std::function<void(EventPage)> answer);
  bool query_history(HistoryQuery query, std::function<void(HistoryResult)> answer);
  bool query_days(int days, std::function<void(std::vector<HistoryDay>)> answer);

  // The readings that wait for the broker, oldest first, and the last sequence ever given to one.
  bool query_waiting_readings(std::function<void(std::vector<StoredReading>, std::uint64_t)> answer);

  // Writes now; `done` when everything before this call is on the disk, or with the error.
  void flush(Done done);
  StoreStatus status() const;

 private:
  class State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace amphora::runtime
