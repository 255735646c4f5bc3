// SPDX-License-Identifier: Apache-2.0
// The sending end of a stream of readings: the producer writes to a bounded queue and never waits; readings
// leave the queue only when the receiver has them on durable storage.
//
// Inputs: readings, acknowledgements, session begin and end, time. Outputs: manifests and readings, one at a
// time; events; what must be stored, if the queue shall survive a restart.
//
// Account, always exact:  added == acked + dropped + expired + waiting.
//   acked    the receiver said that it is durable there
//   dropped  the queue was full and the oldest made room
//   expired  waited longer than expire_after
// A reading whose ack was lost may count as dropped or expired although it was delivered; never the reverse.
//
// Rhythm.
//   - A session starts with a manifest, repeated every answer_period until the receiver has answered.
//   Readings
//     follow in order; at most `window` of them are unacknowledged at a time.
//   - period between two readings, 20 a second. What waited when the session began goes faster, with
//     burst_period: 250 readings in 2.5 s instead of 12.5, at a third of the air time of a radio at 1 Mbit/s.
//   - Fewer than kFreeSlotsLow free slots at the receiver: slow_period. None: only a probe, the oldest
//   reading,
//     every probe_period.
//   - A reading without an answer is repeated after retry_after, doubled each time up to retry_after_max. One
//     that the receiver holds out of order is repeated after retry_after_max; one named as missing at once,
//     unless it was sent less than gap_holdoff ago and may still be on its way.
//   - When what the receiver waits for was dropped or has expired, a manifest says so, at most one each
//     answer_period.
//   - No progress for watchdog_after although readings wait in a session: the sending starts anew from the
//     manifest, counted, with an event.
// The owner polls other machines first where their messages are more urgent; nothing here pushes.
//
// Persistence (persist = true): poll_store() asks for one thing at a time and handle_stored() answers it. A
// reading is sent only when it is stored, because otherwise a restart could give its sequence to another one;
// and the receiver is told that readings were dropped or have expired only when the store has forgotten them,
// because otherwise a restart could bring them back after the receiver gave them up. After a restart the
// owner calls restore() with what it kept: all appended entries that were not forgotten, and the sequence
// after the last one ever appended. Without persistence each start needs a new epoch.
//
// Limits: Capacity readings, window <= kWindowMax, one message a poll, kEventCapacity events of which the
// oldest are dropped and counted. Cost of add(): one copy of the payload and a comparison with the previous
// one if unchanged readings are skipped; no loop over the queue. Not here: bytes, compression (compress.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "core/base/machine.hpp"
#include "core/base/result.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/messages.hpp"

namespace amphora::telemetry {

// Two batteries' worth: at one reading a second of each, two minutes without a receiver.
inline constexpr std::size_t kQueueCapacity = 250;
// Readings under way at once. A receiver's window is at least as wide.
inline constexpr std::size_t kWindowMax = 16;
// A receiver with fewer free slots than this is short of room.
inline constexpr std::uint16_t kFreeSlotsLow = 10;
inline constexpr std::size_t kSenderEventCapacity = 16;

struct SenderConfig {
  std::uint32_t epoch = 0;
  // Where a new stream starts to count; restore() overrules it.
  std::uint32_t first_sequence = 1;
  std::uint16_t format_version = 1;
  std::uint8_t window = kWindowMax;  // 1 to kWindowMax
  Duration period = std::chrono::milliseconds{50};
  Duration burst_period = std::chrono::milliseconds{10};
  Duration slow_period = std::chrono::milliseconds{200};
  Duration probe_period = std::chrono::seconds{1};
  Duration retry_after = std::chrono::milliseconds{250};
  Duration retry_after_max = std::chrono::seconds{4};
  Duration gap_holdoff = std::chrono::milliseconds{50};
  Duration answer_period = std::chrono::milliseconds{200};
  Duration answer_period_max = std::chrono::seconds{1};
  Duration silence_after = std::chrono::seconds{1};
  Duration manifest_period = std::chrono::seconds{60};
  Duration watchdog_after = std::chrono::seconds{60};
  Duration expire_after = std::chrono::minutes{5};  // zero: never, for energy counters
  // A reading equal to the one before it is skipped until this long after the last one added. Zero: never.
  Duration skip_unchanged_for = Duration::zero();
  bool persist = false;
};
// The name of the first field that cannot be worked with; all durations but the two that may be off are from
// 1 ms to 1 h. The constructor asserts that there is none.
std::optional<std::string_view> check_config(const SenderConfig& config);

enum class AddError : std::uint8_t {
  kTooLarge,   // payload longer than kReadingSizeMax
  kUnchanged,  // skipped, by configuration
};

struct SenderEvent {
  enum class Kind : std::uint8_t {
    kOverflow,  // detail: sequence of the first reading dropped; one event per spell, until there is room
    kExpired,   // detail: number of readings that expired at this moment
    kWatchdogRestart,  // detail: readings waiting
    kAckRefused,   // detail: its last_in_order, which lies beyond everything sent: the receiver means another
                   // numbering. One event a session
    kStoreFailed,  // detail: sequence; repeated after kStoreRetryAfter
  };
  TimePoint at{};
  Kind kind = Kind::kOverflow;
  std::uint32_t detail = 0;
  friend constexpr bool operator==(const SenderEvent&, const SenderEvent&) = default;
};
std::string_view to_text(SenderEvent::Kind kind);

struct SenderMetrics {
  std::uint64_t added = 0;
  std::uint64_t sent = 0;     // messages with a reading, repetitions included
  std::uint64_t acked = 0;    // readings
  std::uint64_t retried = 0;  // repetitions
  std::uint64_t dropped = 0;
  std::uint64_t expired = 0;
  std::uint64_t skipped = 0;    // unchanged, never added
  std::uint64_t too_large = 0;  // refused, never added
  std::uint64_t manifests = 0;
  std::uint64_t probes = 0;           // sent while the receiver had no room
  std::uint64_t refused = 0;          // messages of the receiver that cannot be meant for this numbering
  std::uint64_t ignored = 0;          // messages outside of a session
  std::uint64_t silences = 0;         // times the manifest was asked again
  std::uint64_t overflow_events = 0;  // spells in which the queue was full and lost readings
  std::uint64_t watchdog_restarts = 0;
  std::uint64_t store_failures = 0;
  std::uint32_t high_water = 0;  // readings waiting, at most
  // Between add and ack. Restored readings count from the restart.
  Duration ack_time_max{};
  Duration ack_time_sum{};
  std::uint64_t ack_time_mean_us() const {
    return acked == 0 ? 0 : static_cast<std::uint64_t>(ack_time_sum.count()) / acked;
  }
};

// What the owner has to make durable.
struct StoreAppend {
  std::uint32_t epoch = 0;
  Entry entry;
};
// Everything up to this sequence may go; the sequence itself must stay known (see restore()).
struct StoreForget {
  std::uint32_t epoch = 0;
  std::uint32_t up_to = 0;
};
using SenderStore = std::variant<StoreAppend, StoreForget>;
inline constexpr Duration kStoreRetryAfter = std::chrono::seconds{1};

// All of the sender but its storage, so that the code exists once for all capacities.
class SenderBase {
 public:
  SenderBase(const SenderBase&) = delete;
  SenderBase& operator=(const SenderBase&) = delete;

  // The producer's only call: bounded time, never refuses a good reading. A full queue drops its oldest.
  // Returns the sequence given.
  Result<std::uint32_t, AddError> add(TimePoint now, ByteSpan payload);
  // The same with the payload's own format version.
  Result<std::uint32_t, AddError> add(TimePoint now, ByteSpan payload, std::uint16_t format_version);

  // Before anything else after a start. `entries` are ascending; if the store lost some, only those after the
  // last hole can be used. Everything that does not fit or cannot be used counts as dropped.
  void restore(TimePoint now, std::uint32_t epoch, std::uint32_t next_sequence,
               std::span<const Entry> entries);

  void begin_session(TimePoint now);
  void end_session(TimePoint now);
  void handle_ack(TimePoint now, const ReadingAck& ack);
  void handle_gaps(TimePoint now, const Gaps& gaps);
  void handle_timeout(TimePoint now);
  // Answers the last poll_store(). False: it failed and will be asked for again.
  void handle_stored(TimePoint now, bool is_durable);

  // Counted as sent. Poll until empty, as far as the carrier has room.
  std::optional<SenderMessage> poll_transmit(TimePoint now);
  // Nothing while one is unanswered.
  std::optional<SenderStore> poll_store(TimePoint now);
  std::optional<SenderEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  std::size_t waiting_count() const { return size_; }
  std::size_t capacity() const { return slots_.size(); }
  std::uint32_t epoch() const { return config_.epoch; }
  std::uint32_t first_sequence() const { return first_; }
  std::uint32_t next_sequence() const { return first_ + static_cast<std::uint32_t>(size_); }
  bool is_in_session() const { return is_in_session_; }
  // Sequences from first_sequence() to next_sequence() - 1; nothing outside.
  const Entry* find(std::uint32_t sequence) const;
  // How often a waiting reading has been repeated.
  std::optional<std::uint8_t> retry_count(std::uint32_t sequence) const;
  // What the receiver last said; empty before that in a session.
  std::optional<std::uint16_t> receiver_free_slots() const { return free_slots_; }
  const SenderMetrics& metrics() const { return metrics_; }
  const SenderConfig& config() const { return config_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 protected:
  struct Slot {
    Entry entry;
    TimePoint added_at{};
    std::uint8_t retry_count = 0;
  };
  SenderBase(const SenderConfig& config, std::span<Slot> slots);
  ~SenderBase() = default;

 private:
  // A reading inside the window. Indexed by sequence modulo kWindowMax.
  struct Flight {
    std::uint32_t sequence = 0;
    TimePoint sent_at{};
    TimePoint due{};         // when it may go (again)
    std::uint8_t tries = 0;  // since the session or the sending began
  };

  std::size_t place(std::uint32_t sequence) const;
  bool is_waiting(std::uint32_t sequence) const;
  void pop_first();
  void expire(TimePoint now);
  void restart_sending(TimePoint now);
  void ask(TimePoint now);
  bool handle_progress(TimePoint now, std::uint32_t last_in_order);
  Flight& flight(std::uint32_t sequence);
  const Flight* find_flight(std::uint32_t sequence) const;
  // The sequence after the last that may be sent now.
  std::uint32_t window_end() const;
  bool has_hole() const;
  bool has_unsaid_loss() const;
  TimePoint manifest_due() const;
  // The reading to go next, and when.
  struct Turn {
    std::uint32_t sequence = 0;
    TimePoint due = kNever;
  };
  Turn next_turn() const;
  TimePoint watchdog_due() const;
  TimePoint silence_due() const;
  TimePoint expiry_due() const;
  Manifest make_manifest() const;
  Reading take_reading(TimePoint now, std::uint32_t sequence);
  Duration current_period() const;
  bool is_unchanged(TimePoint now, ByteSpan payload, std::uint16_t format_version) const;
  void add_event(TimePoint now, SenderEvent::Kind kind, std::uint32_t detail);

  SenderConfig config_;
  std::span<Slot> slots_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
  std::uint32_t first_ = 0;
  std::optional<TimePoint> last_added_at_;
  std::uint16_t last_format_version_ = 0;
  Payload last_payload_;  // kept only if unchanged readings are skipped
  bool is_overflowing_ = false;

  bool is_in_session_ = false;
  bool is_answered_ = false;  // the receiver has answered a manifest of this session
  bool is_refusal_shown_ = false;
  std::uint32_t receiver_last_ = 0;  // its last_in_order, once it has answered
  std::optional<std::uint16_t> free_slots_;
  std::uint32_t burst_end_ = 0;  // readings before this one waited when the session began
  TimePoint next_manifest_ = kNever;
  TimePoint manifest_sent_at_{};
  Duration answer_pause_{};
  std::optional<TimePoint> reading_sent_at_;
  std::optional<TimePoint> unanswered_since_;  // the first reading sent after the receiver was last heard
  TimePoint progress_at_{};
  std::array<Flight, kWindowMax> flights_{};

  std::uint32_t sent_end_ = 0;       // readings from here on were never sent
  std::uint32_t stored_end_ = 0;     // readings before this one are durable
  std::uint32_t forgotten_end_ = 0;  // and before this one forgotten
  std::uint32_t gone_end_ = 0;       // the last one dropped or expired is before this one
  bool is_storing_ = false;
  bool is_storing_append_ = false;
  std::uint32_t storing_end_ = 0;
  TimePoint store_retry_at_ = kNever;

  Ring<SenderEvent, kSenderEventCapacity> events_;
  SenderMetrics metrics_;
};

template <std::size_t Capacity = kQueueCapacity>
class Sender : public SenderBase {
  static_assert(Capacity > 0 && Capacity <= 0xFFFF, "a manifest counts with 16 bits");

 public:
  explicit Sender(const SenderConfig& config) : SenderBase{config, storage_} {}

 private:
  std::array<Slot, Capacity> storage_;
};

}  // namespace amphora::telemetry
