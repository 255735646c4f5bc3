// SPDX-License-Identifier: Apache-2.0
// The receiving end of a stream of readings: each is delivered once, in order, and acknowledged when the host
// says that it is durable. One object per sender.
//
// Inputs: readings and manifests, session begin and end, what the host has stored, time. Outputs: deliveries;
// acks and requests for what is missing; events.
//
// Order. Readings within Window of the last in-order one wait in a reorder window, everything outside is
// counted and dropped. The next in order is handed out by poll_delivery(). The host stores it together with
// epoch and sequence in one transaction and calls handle_delivered(); from then on it counts as acknowledged.
// After a restart restore() continues behind the last stored one, so nothing is delivered twice.
//
// What will never come. A manifest's `first` says that everything before it is gone at the sender; what of
// that is not here counts as missing and the order goes on behind it. Nothing else makes this machine give up
// a reading. Account since the stream became known:  delivered + missing == last_in_order - base.
//
// Epochs. In each session readings are taken only after a manifest has named the epoch. A new epoch starts a
// new numbering: what still waits here of the old one is delivered first (its holes count as missing), then
// the manifest is answered. A manifest of the known epoch that ends before the last delivered reading means
// that the sender counts again what it has counted before: refused, with an event, nothing is taken.
//
// Answers. A manifest is answered by Gaps at once. A reading is acknowledged when it is delivered; if that
// takes longer than ack_delay, or the reading was out of order, a duplicate or out of the window, it is
// acknowledged as heard. Holes that later readings have overtaken are asked for after gap_delay, in one
// message, and again with a doubled pause up to gap_delay_max.
//
// Limits: Window readings, a power of two and at least the sender's window; events are a ring of
// kReceiverEventCapacity, the oldest dropped and counted. Not here: the store, bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/telemetry/messages.hpp"

namespace amphora::telemetry {

inline constexpr std::size_t kReceiverWindow = 32;
inline constexpr std::size_t kReceiverEventCapacity = 16;

struct ReceiverConfig {
  Duration ack_delay = std::chrono::milliseconds{20};
  Duration gap_delay = std::chrono::milliseconds{100};
  Duration gap_delay_max = std::chrono::seconds{3};
  // After handle_delivery_failed() the same reading is offered again.
  Duration delivery_retry_after = std::chrono::seconds{1};
};

struct Delivery {
  std::uint32_t epoch = 0;
  Entry entry;
  friend constexpr bool operator==(const Delivery&, const Delivery&) = default;
};

struct ReceiverEvent {
  enum class Kind : std::uint8_t {
    kNewEpoch,        // detail: the epoch
    kMissing,         // detail: how many readings were given up at once
    kRewound,         // detail: last of the refused manifest; one event a session
    kDeliveryFailed,  // detail: sequence
  };
  TimePoint at{};
  Kind kind = Kind::kNewEpoch;
  std::uint32_t detail = 0;
  friend constexpr bool operator==(const ReceiverEvent&, const ReceiverEvent&) = default;
};
std::string_view to_text(ReceiverEvent::Kind kind);

struct ReceiverMetrics {
  std::uint64_t received = 0;    // readings handed in, in a session
  std::uint64_t delivered = 0;   // durable
  std::uint64_t duplicates = 0;  // already delivered, given up or waiting here
  std::uint64_t missing = 0;     // will never come
  std::uint64_t out_of_window = 0;
  std::uint64_t ignored = 0;  // outside of a session, or before its manifest
  std::uint64_t refused =
      0;  // manifests with a wrong digest or fields that contradict each other or the past
  std::uint64_t gaps_asked = 0;  // readings asked for
  std::uint64_t acks = 0;
  std::uint64_t delivery_failures = 0;
};

class ReceiverBase {
 public:
  ReceiverBase(const ReceiverBase&) = delete;
  ReceiverBase& operator=(const ReceiverBase&) = delete;

  // Before anything else after a start: the newest reading that is stored durably.
  void restore(std::uint32_t epoch, std::uint32_t last_in_order);

  void begin_session(TimePoint now);
  // What waits here stays and is delivered.
  void end_session(TimePoint now);
  void handle_reading(TimePoint now, const Reading& reading);
  void handle_manifest(TimePoint now, const Manifest& manifest);
  // Everything handed out up to `sequence` is durable. Ignored for sequences that are not handed out.
  void handle_delivered(TimePoint now, std::uint32_t sequence);
  // The store refused: everything handed out and not yet delivered is handed out again, after a while.
  void handle_delivery_failed(TimePoint now);
  // What lies behind the store may be short of room (a broker's queue): the free slots told to the sender are
  // never more than this. Unlimited at the start.
  void set_room(TimePoint now, std::uint16_t slots);
  void handle_timeout(TimePoint now);

  std::optional<ReceiverMessage> poll_transmit(TimePoint now);
  // The next in order. Several may be handed out before the first is delivered.
  std::optional<Delivery> poll_delivery(TimePoint now);
  std::optional<ReceiverEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  // Empty before the first manifest and without restore().
  std::optional<std::uint32_t> epoch() const { return epoch_; }
  std::uint32_t last_in_order() const { return last_; }
  // The sequence before the first this object could deliver in this epoch.
  std::uint32_t base() const { return base_; }
  std::uint16_t free_slots() const;
  std::size_t window() const { return slots_.size(); }
  bool is_in_session() const { return is_in_session_; }
  const ReceiverMetrics& metrics() const { return metrics_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 protected:
  struct Slot {
    bool is_held = false;
    Entry entry;
  };
  ReceiverBase(const ReceiverConfig& config, std::span<Slot> slots);
  ~ReceiverBase() = default;

 private:
  Slot& slot(std::uint32_t sequence) { return slots_[sequence % slots_.size()]; }
  const Slot& slot(std::uint32_t sequence) const { return slots_[sequence % slots_.size()]; }
  bool is_held(std::uint32_t sequence) const;
  bool is_plausible(const Manifest& manifest) const;
  bool is_drained() const { return held_count_ == 0 && handed_ == last_; }
  void adopt(TimePoint now, const Manifest& manifest);
  void adopt_next(TimePoint now);
  void advance(TimePoint now);
  bool is_gap(std::uint32_t sequence) const;
  bool has_gap() const;
  void watch_gaps(TimePoint now);
  Gaps make_gaps() const;
  void want_ack(TimePoint at, std::uint32_t sequence);
  void add_event(TimePoint now, ReceiverEvent::Kind kind, std::uint32_t detail);

  ReceiverConfig config_;
  std::span<Slot> slots_;
  std::size_t held_count_ = 0;
  std::uint16_t room_ = 0xFFFF;

  std::optional<std::uint32_t> epoch_;
  std::uint32_t base_ = 0;
  std::uint32_t last_ = 0;               // delivered durably, or given up, in order
  std::uint32_t handed_ = 0;             // handed out, or given up, in order; at most Window after last_
  std::uint32_t highest_ = 0;            // the highest received, at least last_
  std::uint32_t gone_end_ = 0;           // the sender has nothing before this one
  std::optional<Manifest> next_stream_;  // waits until the old epoch has been delivered

  bool is_in_session_ = false;
  bool is_open_ = false;  // a manifest of this session was accepted
  bool is_rewind_shown_ = false;
  bool is_answer_due_ = false;
  std::uint32_t ack_sequence_ = 0;
  TimePoint ack_due_ = kNever;
  TimePoint gaps_due_ = kNever;
  Duration gap_pause_{};
  TimePoint pause_end_ = kNever;  // of deliveries, after one failed

  Ring<ReceiverEvent, kReceiverEventCapacity> events_;
  ReceiverMetrics metrics_;
};

template <std::size_t Window = kReceiverWindow>
class Receiver : public ReceiverBase {
  static_assert(Window > 0 && Window <= 0x8000 && (Window & (Window - 1)) == 0,
                "slots are found by sequence modulo Window, also where sequences wrap");

 public:
  explicit Receiver(const ReceiverConfig& config = {}) : ReceiverBase{config, storage_} {}

 private:
  std::array<Slot, Window> storage_;
};

}  // namespace amphora::telemetry
