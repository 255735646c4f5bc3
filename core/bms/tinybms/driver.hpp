// SPDX-License-Identifier: Apache-2.0
// Reads and writes one TinyBMS on a serial line: a Machine and a bms::Bms.
//
// Inputs: the line being opened or closed, bytes, time. Outputs: one request at a time (poll_transmit),
// events, the battery snapshot, the settings image. It never has two requests on the line.
//
// What it does, in this order of urgency:
//   live      registers 0 to 56 every poll_interval
//   write     settings, one register at a time (see write_settings)
//   control   clear events, clear statistics, reset
//   version, settings, events, statistics: once after the BMS has been found (again), events also while the
//             status is fault and every events_interval, statistics every statistics_interval, settings every
//             settings_interval and after every write, whatever its outcome
// A live poll and the other work alternate when both are due, so neither starves the other.
//
// The first request to a sleeping BMS is lost, it only wakes it: a request without answer is repeated at
// once, up to attempts_max times. A silent BMS is asked again after poll_interval, 2 *, 4 * …, at most
// back_off_max apart. It is `connected` from its first answer until it has been silent for lost_after or the
// line closes. Old values stay in the snapshot with their age; nothing is invented.
//
// Limits: it publishes no charge or discharge limits, because TinyBMS has none (registers 102 and 103 are
// statistics). It keeps a BMS awake by polling it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/battery/snapshot.hpp"
#include "core/bms/bms.hpp"
#include "core/bms/tinybms/decode.hpp"
#include "core/bms/tinybms/events.hpp"
#include "core/bms/tinybms/frame.hpp"
#include "core/bms/tinybms/registers.hpp"
#include "core/bms/tinybms/settings.hpp"
#include "core/bms/tinybms/stream.hpp"
#include "core/liveness/liveness.hpp"

namespace amphora::tinybms {

// kModbus: one 0x03 request a block. kBlock: 0x07 requests of at most 31 registers, for firmware or adapters
// that do not pass 0x03.
enum class ReadMethod : std::uint8_t { kModbus, kBlock };
// kIndividual: 0x0D. kModbus: 0x10.
enum class WriteMethod : std::uint8_t { kIndividual, kModbus };

struct DriverConfig {
  Duration poll_interval = std::chrono::seconds{1};         // 100 ms .. 10 s
  Duration reply_timeout = std::chrono::milliseconds{150};  // 20 ms .. 5 s; 57 registers take about 25 ms
  std::uint8_t attempts_max = 3;                            // 2 .. 10: a sleeping BMS needs two
  Duration back_off_max = std::chrono::seconds{1};          // poll_interval .. 60 s
  Duration lost_after = std::chrono::seconds{3};  // more than reply_timeout * attempts_max, up to 60 s
  Duration statistics_interval = std::chrono::seconds{60};  // 1 s .. 1 day
  Duration events_interval = std::chrono::seconds{10};      // 1 s .. 1 day; while a fault is present: 1 s
  Duration settings_interval = std::chrono::minutes{10};    // 10 s .. 1 day
  // Flash save: the BMS is silent after a write. 500 ms between writes and 1 s before reading back are what
  // one implementation found to work.
  Duration write_reply_timeout = std::chrono::seconds{1};  // 20 ms .. 10 s
  Duration write_pause = std::chrono::milliseconds{500};   // 0 .. 10 s
  Duration read_back_pause = std::chrono::seconds{1};      // 0 .. 10 s
  ReadMethod read_method = ReadMethod::kModbus;
  WriteMethod write_method = WriteMethod::kIndividual;
  Command events_command = Command::kNewestEvents;  // or kAllEvents
  DecodeOptions decode;
  std::uint8_t packet_payload_size = kPacketPayloadMax;  // 1 .. 63
};

struct ConfigIssue {
  std::string_view field;
  std::string_view allowed;
};
// The first field that is not allowed; empty if all are.
std::optional<ConfigIssue> validate(const DriverConfig& config);

struct WriteId {
  std::uint32_t number = 0;
  friend constexpr bool operator==(WriteId, WriteId) = default;
};

enum class WriteResult : std::uint8_t {
  kVerified,     // read back as asked
  kMismatch,     // acknowledged, but another value was found
  kRefused,      // the BMS answered with an error; `found` is what it holds
  kNotWritten,   // not tried, because an earlier register was refused or the BMS stopped answering
  kUnverified,   // acknowledged, but the BMS could not be read back
  kUnreachable,  // no acknowledgement: the BMS may or may not have it
};
std::string_view to_text(WriteResult result);

// Events. After every write there is one RegisterWritten for each register and then WriteFinished; once the
// settings have been read again, SettingsRead.
struct Connected {};
struct Disconnected {};
struct SnapshotUpdated {};  // a live block has been decoded
struct VersionRead {};
struct StatisticsRead {};
struct SettingsRead {};
struct BmsEventLogged {
  LoggedEvent event;
  bool is_history = false;  // was in the list when the BMS was found
};
struct RegisterWritten {
  WriteId id;
  std::uint16_t number = 0;
  RawValue asked = 0;
  WriteResult result = WriteResult::kVerified;
  std::optional<RawValue> found;
};
struct WriteFinished {
  WriteId id;
  std::uint8_t verified_count = 0;
  std::uint8_t failed_count = 0;
};
enum class ControlResult : std::uint8_t { kAcknowledged, kRefused, kUnreachable };
std::string_view to_text(ControlResult result);
struct ControlFinished {
  ControlOption option = ControlOption::kClearEvents;
  ControlResult result = ControlResult::kAcknowledged;
};
using DriverEvent =
    std::variant<Connected, Disconnected, SnapshotUpdated, VersionRead, StatisticsRead, SettingsRead,
                 BmsEventLogged, RegisterWritten, WriteFinished, ControlFinished>;

enum class ControlRefusal : std::uint8_t { kBusy, kNotConnected };
std::string_view to_text(ControlRefusal refusal);

// Events waiting for poll_event(). One input can cause at most a full event list (49) or a finished write
// (45) and a few more; when nobody polls, the oldest are dropped and counted.
inline constexpr std::size_t kDriverEventCapacity = 64;
// Every request of the driver fits into this.
inline constexpr std::size_t kTransmitSizeMax = 16;

class Driver {
 public:
  // `config` must have passed validate().
  explicit Driver(const DriverConfig& config);

  void handle_line(TimePoint now, bool is_open);
  // Any number of bytes. Ignored while the line is closed.
  void handle_bytes(TimePoint now, ByteSpan bytes);
  void handle_timeout(TimePoint now);

  // Bytes written into `out`, which must hold kTransmitSizeMax; 0: nothing to send.
  std::size_t poll_transmit(TimePoint now, MutableByteSpan out);
  std::optional<DriverEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  // All or nothing: a refusal names the register, value and range, and nothing is sent. On success each
  // register is written by itself, in an order that keeps the constraints, then all are read back; see
  // RegisterWritten. The first refusal of the BMS ends the writing.
  Result<WriteId, WriteRefusal> write_settings(TimePoint now, std::span<const RegisterWrite> writes);
  // One at a time, and not during a write; the outcome is a ControlFinished. A reset is sent once only.
  std::optional<ControlRefusal> control(TimePoint now, ControlOption option);

  const battery::Snapshot& snapshot() const { return snapshot_; }
  const bms::Statistics& statistics() const { return statistics_; }
  const SettingsImage& settings() const { return settings_; }
  bool is_connected() const { return liveness_.is_connected(); }
  const liveness::Liveness& liveness() const { return liveness_; }
  bool is_writing() const { return write_.state != WriteState::kIdle; }
  // The event list as last read; empty before.
  const std::optional<EventList>& event_list() const { return event_list_; }
  // The last live, statistics and version blocks word by word; empty before the first.
  const Reading<LiveWords>& live_words() const { return live_; }
  const Reading<StatisticsWords>& statistics_words() const { return statistics_words_; }
  const Reading<VersionWords>& version_words() const { return version_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }
  const DriverConfig& config() const { return config_; }

 private:
  enum class Job : std::uint8_t {
    kLive,
    kWrite,
    kReadBack,
    kControl,
    kVersion,
    kSettings,
    kEvents,
    kStatistics,
    kCount
  };
  enum class WriteState : std::uint8_t { kIdle, kWriting, kReadingBack };
  static constexpr std::size_t kJobCount = static_cast<std::size_t>(Job::kCount);

  // A request on the line, or to be repeated (is_sent false).
  struct Flight {
    Job job = Job::kLive;
    Request request;
    std::uint8_t attempt_count = 0;
    bool is_sent = false;
    TimePoint due = kNever;
  };
  struct PlannedWrite {
    RegisterWrite write;
    WriteResult result = WriteResult::kNotWritten;
  };
  struct Write {
    WriteState state = WriteState::kIdle;
    WriteId id;
    std::array<PlannedWrite, kWriteCountMax> items{};
    std::size_t count = 0;
    std::size_t next = 0;
  };

  void set_due(Job job, TimePoint at) { due_[static_cast<std::size_t>(job)] = at; }
  TimePoint due_at(Job job) const;
  std::optional<Job> choose_job(TimePoint now) const;
  Request make_request(Job job) const;
  static Block block_of(Job job);
  // Which registers of the block, counted from its first, the next request asks for.
  Block part_of(Job job) const;
  Request make_block_request(Job job) const;
  Request make_write_request() const;
  Duration timeout_of(Job job) const;
  std::uint8_t attempts_of(const Flight& flight) const;
  void handle_reply(TimePoint now, const Reply& reply);
  void handle_data(TimePoint now, Job job, const Reply& reply);
  void handle_refusal(TimePoint now, Job job);
  void handle_no_answer(TimePoint now);
  void handle_block(TimePoint now, Job job, const Reply& reply);
  void handle_events(TimePoint now, const Reply& reply);
  void take_live(TimePoint now);
  void take_settings(TimePoint now);
  void take_cut_offs(TimePoint now);
  void take_version(TimePoint now);
  void take_statistics(TimePoint now);
  void update_alarms(TimePoint now);
  void schedule_next_poll(TimePoint now);
  void handle_connected(TimePoint now);
  void handle_lost(TimePoint now);
  void pump_liveness(TimePoint now);
  void advance_write(TimePoint now, WriteResult result);
  void retry_read_back(TimePoint now);
  void finish_write(TimePoint now, bool is_read_back);
  void finish_control(TimePoint now, ControlResult result);
  void count_stream();
  void emit(const DriverEvent& event) { (void)events_.push_overwrite(event); }

  DriverConfig config_;
  battery::Snapshot snapshot_;
  bms::Statistics statistics_;
  SettingsImage settings_;
  liveness::Liveness liveness_;
  ReplyReader reader_;
  bool is_open_ = false;
  std::array<TimePoint, kJobCount> due_{};
  std::optional<Flight> flight_;
  TimePoint poll_started_{};
  TimePoint events_read_at_{};
  TimePoint quiet_until_{};  // the line must not be used before
  Job last_job_ = Job::kLive;
  std::uint8_t block_part_ = 0;
  std::array<std::uint16_t, kLiveBlock.count> block_words_{};
  Reading<LiveWords> live_;
  Reading<StatisticsWords> statistics_words_;
  Reading<VersionWords> version_;
  std::optional<EventList> event_list_;
  Write write_;
  std::uint32_t write_count_ = 0;
  std::uint8_t read_back_attempt_count_ = 0;
  std::optional<ControlOption> control_;
  Ring<DriverEvent, kDriverEventCapacity> events_;
};

static_assert(bms::Bms<Driver>);

}  // namespace amphora::tinybms
