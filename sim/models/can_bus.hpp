// SPDX-License-Identifier: Apache-2.0
// A CAN 2.0 bus with its controllers: arbitration, frame times, acknowledgement and error confinement.
//
// What is modelled, after ISO 11898-1:
//   - one frame at a time; among the frames waiting when the bus falls idle the lowest identifier wins, and a
//     standard identifier beats an extended one with the same first eleven bits;
//   - a frame takes its bits with the largest number of stuff bits (an upper bound, so bus load is never
//     reported too low) plus three bits of interframe space;
//   - another controller that is present and not bus-off acknowledges. Without one, the transmitter sees an
//     acknowledgement error and repeats for ever; its transmit error counter rises by 8 each time until it is
//     error-passive and then stays, so that a lone node is loud but never bus-off;
//   - any other error (bit, stuff, form, CRC; drawn by set_error_rate) raises the transmitter's counter by 8
//     and the receivers' by 1; the frame is repeated; above 255 the transmitter is bus-off;
//   - an error-passive transmitter waits eight more bits (suspend transmission);
//   - success lowers the counters by one; below 128 the node is error-active again;
//   - bus-off ends only after restart() and then 128 times 11 recessive bits;
//   - a single-shot frame is tried once: after an error or without an acknowledgement it is dropped and told;
//   - two nodes that send the same identifier at once do not notice it while their bits agree: equal frames
//     pass as one, different ones destroy each other, and again with each repetition.
// What is not: bit timing, sample points, overload frames, an error seen only by some receivers.
//
// A lone error-passive transmitter would be 3,000 events a second in which nothing changes. The bus parks
// such a node and resumes at the right attempt when something does change.
//
// The bus is driven like a machine: offer() and the set_… verbs, handle_timeout(now), poll_timeout(),
// poll_delivery(), poll_state_change(). Nothing allocates after construction.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/can/frame.hpp"

namespace amphora::sim {

// Nominal length in bits with the largest possible number of stuff bits, without interframe space.
constexpr std::int64_t frame_bits_max(const can::Frame& frame) {
  const std::int64_t data_bits = frame.is_remote ? 0 : 8 * std::int64_t{frame.size};
  // Start of frame to the end of the CRC sequence is subject to stuffing: 34 (54) bits and the data.
  const std::int64_t stuffed = (frame.is_extended ? 54 : 34) + data_bits;
  constexpr std::int64_t kCrcDelimiterAckAndEnd = 10;
  return stuffed + (stuffed - 1) / 4 + kCrcDelimiterAckAndEnd;
}

class CanBus {
 public:
  using Node = std::uint8_t;
  static constexpr std::size_t kNodeCountMax = 40;
  // Transmit buffers of one controller, sent in the order offered.
  static constexpr std::size_t kMailboxCount = 4;

  struct Delivery {
    Node from = 0;              // one of them, if several sent the same frame at once
    std::uint64_t to_mask = 0;  // bit n: node n received it
    can::Frame frame;
  };
  struct StateChange {
    Node node = 0;
    can::BusState state = can::BusState::kDown;
  };
  struct NodeStatistics {
    std::uint64_t sent = 0;
    std::uint64_t refused = 0;  // offered with all mailboxes taken, or while down or bus-off
    std::uint64_t aborted = 0;
    std::uint64_t ack_errors = 0;
    std::uint64_t bus_errors = 0;
    std::uint64_t bus_off_count = 0;
  };

  CanBus(std::size_t node_count, std::int32_t bits_per_second, Rng rng);

  // A node that is not present neither sends, receives nor acknowledges: unplugged or without power. Leaving
  // empties its mailboxes and resets its counters.
  void set_present(TimePoint now, Node node, bool is_present);
  // Share of this node's transmissions that end in an error other than a missing acknowledgement.
  void set_error_rate(TimePoint now, Node node, std::uint32_t ppm);

  bool can_accept(Node node) const;
  // False, and counted, when can_accept() is false.
  bool offer(TimePoint now, Node node, const can::Frame& frame, bool is_single_shot = false);
  // Empties the mailboxes; a frame already on the wire is completed but not repeated.
  void abort_pending(TimePoint now, Node node);
  // Leaves bus-off after 128 * 11 recessive bits. No effect in any other state.
  void restart(TimePoint now, Node node);

  void handle_timeout(TimePoint now);
  TimePoint poll_timeout() const { return next_; }
  std::optional<Delivery> poll_delivery() { return deliveries_.pop(); }
  std::optional<StateChange> poll_state_change() { return changes_.pop(); }
  // A node whose single-shot frame was dropped.
  std::optional<Node> poll_not_sent() { return not_sent_.pop(); }

  bool is_present(Node node) const { return nodes_[node].is_present; }
  can::BusState state(Node node) const { return nodes_[node].state; }
  std::uint32_t transmit_errors(Node node) const { return nodes_[node].transmit_errors; }
  std::uint32_t receive_errors(Node node) const { return nodes_[node].receive_errors; }
  std::size_t pending_count(Node node) const { return nodes_[node].pending.size(); }
  const NodeStatistics& statistics(Node node) const { return nodes_[node].statistics; }
  // Bit times in use since the start, frames, error frames and interframe space included.
  Duration busy_time(TimePoint now) const;
  std::uint64_t dropped_delivery_count() const {
    return deliveries_.dropped_count() + changes_.dropped_count() + not_sent_.dropped_count();
  }

 private:
  enum class Outcome : std::uint8_t { kSent, kNoAcknowledgement, kError };
  struct Mailbox {
    can::Frame frame;
    bool is_single_shot = false;
  };
  struct Controller {
    Ring<Mailbox, kMailboxCount> pending;
    bool is_present = true;
    can::BusState state = can::BusState::kActive;
    std::uint32_t transmit_errors = 0;
    std::uint32_t receive_errors = 0;
    std::uint32_t error_ppm = 0;
    TimePoint ready_at{};  // end of suspend transmission
    TimePoint recovers_at = kNever;
    NodeStatistics statistics;
  };
  struct Transmission {
    Node node = 0;
    std::uint64_t others = 0;  // bit n: node n sends the same identifier at the same time
    bool is_aborted = false;
    bool is_error = false;
    TimePoint start{};
    TimePoint end{};
  };
  struct Parked {
    Node node = 0;
    TimePoint since{};
    Duration period{};  // one attempt: frame up to the missing acknowledgement, error frame, suspension
  };

  Duration bits(std::int64_t count) const { return Duration{(count * 1'000'000 + rate_ - 1) / rate_}; }
  bool is_listening(const Controller& node) const {
    return node.is_present && node.state != can::BusState::kBusOff && node.state != can::BusState::kDown;
  }
  // Calls `act` with each node of a mask, lowest first.
  template <class Act>
  static void for_each(std::uint64_t mask, Act act) {
    for (; mask != 0; mask &= mask - 1) {
      act(static_cast<Node>(std::countr_zero(mask)));
    }
  }
  bool has_listener_besides(Node sender) const;
  void update_state(Node index);
  void set_state(Node index, can::BusState state);
  void finish(TimePoint now);
  void finish_sent(TimePoint now, const Transmission& done);
  void count_sent(TimePoint now, Controller& sender);
  void finish_failed(TimePoint now, Controller& sender, bool is_ack_error);
  void drop_single_shot(Node index);
  std::optional<Node> arbitrate(TimePoint now) const;
  std::uint64_t same_identifier_mask(TimePoint now, Node winner) const;
  void start(TimePoint now, Node index);
  void unpark(TimePoint now);
  void schedule(TimePoint now);
  void recover(TimePoint now);

  std::size_t node_count_;
  std::int64_t rate_;
  Rng rng_;
  std::array<Controller, kNodeCountMax> nodes_{};
  std::uint64_t present_ = 0;  // bit n: node n is
  std::optional<Transmission> current_;
  std::optional<Parked> parked_;
  TimePoint idle_from_{};  // the bus is free from here on
  TimePoint next_ = kNever;
  Duration busy_{};
  Ring<Delivery, 16> deliveries_;
  Ring<StateChange, 2 * kNodeCountMax> changes_;
  Ring<Node, kNodeCountMax> not_sent_;
};

}  // namespace amphora::sim
