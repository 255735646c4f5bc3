// SPDX-License-Identifier: Apache-2.0
// One box's CAN controller as its driver sees it: one frame at a time, withdrawn when the bus does not take
// it within 100 ms, restarted 100 ms after it went bus-off; and the state that was told last.
//
// All calls name the bus the box is plugged into at the moment. What concerns the node comes back as a value:
// a single-shot frame that was lost, a state that is new.
#pragma once

#include <optional>

#include "core/base/time.hpp"
#include "core/can/frame.hpp"
#include "sim/models/can_bus.hpp"

namespace amphora::sim {

class BusPort {
 public:
  static constexpr Duration kMailboxAgeMax = std::chrono::milliseconds{100};
  static constexpr Duration kRestartDelay = std::chrono::milliseconds{100};

  BusPort() = default;
  explicit BusPort(CanBus::Node port) : port_{port} {}

  CanBus::Node port() const { return port_; }
  // As after a boot: nothing offered, no state told.
  void reset() { *this = BusPort{port_}; }

  bool can_offer(const CanBus& bus) const {
    return offered_at_ == kNever && bus.pending_count(port_) == 0 && bus.can_accept(port_);
  }
  void offer(TimePoint now, CanBus& bus, const can::Frame& frame, bool is_single_shot) {
    offered_at_ = now;
    is_single_shot_ = is_single_shot;
    (void)bus.offer(now, port_, frame, is_single_shot);
  }
  // True when the frame that was offered has left since the last call.
  bool take_sent(const CanBus& bus) {
    const bool has_left = offered_at_ != kNever && bus.pending_count(port_) == 0;
    offered_at_ = has_left ? kNever : offered_at_;
    return has_left;
  }
  // What was offered is gone. True when it was a single-shot frame.
  bool lose() {
    const bool was_single_shot = offered_at_ != kNever && is_single_shot_;
    offered_at_ = kNever;
    return was_single_shot;
  }
  // Restarts and withdraws what is due. True when a single-shot frame was lost by it.
  bool handle_timeout(TimePoint now, CanBus& bus) {
    if (restart_at_ <= now) {
      restart_at_ = kNever;
      bus.restart(now, port_);
    }
    if (offered_at_ == kNever || now - offered_at_ < kMailboxAgeMax) {
      return false;
    }
    bus.abort_pending(now, port_);
    return lose();
  }
  // The controller's state, when it is another than the one told last.
  std::optional<can::BusState> poll_state(TimePoint now, const CanBus& bus) {
    const can::BusState state = bus.state(port_);
    if (state == told_) {
      return std::nullopt;
    }
    told_ = state;
    restart_at_ = state == can::BusState::kBusOff ? now + kRestartDelay : restart_at_;
    return state;
  }
  bool is_on_bus() const { return told_ == can::BusState::kActive || told_ == can::BusState::kErrorPassive; }
  TimePoint poll_timeout() const {
    return earliest(restart_at_, offered_at_ == kNever ? kNever : offered_at_ + kMailboxAgeMax);
  }

 private:
  CanBus::Node port_ = 0;
  TimePoint offered_at_ = kNever;
  bool is_single_shot_ = false;
  TimePoint restart_at_ = kNever;
  can::BusState told_ = can::BusState::kDown;
};

}  // namespace amphora::sim
