// SPDX-License-Identifier: Apache-2.0
// The box in the gateway's world: the node, and what its host does for it.
#include <algorithm>
#include <array>
#include <new>
#include <variant>

#include "sim/scenarios/gateway_world.hpp"

namespace amphora::sim {

namespace {

constexpr int kPumpRoundsMax = 64;

// MODBUS read of registers 0 to 56.
bool is_live_request(ByteSpan bytes) {
  constexpr std::array<std::uint8_t, 6> kBegin{0xAA, 0x03, 0x00, 0x00, 0x00, 0x39};
  return bytes.size() >= kBegin.size() && std::equal(kBegin.begin(), kBegin.end(), bytes.begin());
}

}  // namespace

void GatewayWorld::boot() {
  // The first boot finds a clock that has run before (32-bit millisecond counters are about to wrap in some
  // plans); later ones start over, as a machine does.
  const Duration offset =
      boot_count_ == 0 ? plan_.clock_offset
                       : Duration{1'000'000} -
                             LocalClock{Duration{}, plan_.clock_drift_ppm}.to_local(now_).time_since_epoch();
  clock_ = LocalClock{offset, plan_.clock_drift_ppm};
  ++boot_count_;
  recorder_.add(now_, Channel::kNode, 0, 1);
  node_.emplace(node_config_);
  frames_taken_ = 0;
  serial_taken_ = 0;
  offered_at_ = kNever;
  restart_at_ = kNever;
  restart_delay_ = kRestartDelayMin;
  last_keepalive_ = TimePoint::min();
  last_good_reply_ = TimePoint::min();
  battery_frames_at_ = {};
  heard_size_ = 0;
  is_live_reply_due_ = false;
  battery_sampled_at_ = TimePoint::min();
  last_allowing_.reset();
  limits_checker_.handle_node_started(now_);
  to_node_.clear();
  can_to_node_.clear();
  bus_.set_present(now_, kNodePort, true);
  battery_bus_.set_present(now_, kNodePort, true);
  node_->restore_energy(local(), stored_energy_);
  node_->handle_serial_line(local(), true);
  node_->handle_inverter_bus(local(), can::BusState::kActive);
  if (plan_.bms == node::BmsKind::kCan) {
    node_->handle_battery_bus(local(), can::BusState::kActive);
  }
  if (plan_.sabotage == Sabotage::kSpeaksTooEarly) {
    can::Frame frame;
    frame.id = 0x35A;
    frame.size = 8;
    (void)bus_.offer(now_, kNodePort, frame);
  }
  pump_node();
}

void GatewayWorld::crash() {
  recorder_.add(now_, Channel::kNode, 0, 0);
  check_memory();
  node_.reset();
  bus_.set_present(now_, kNodePort, false);
  battery_bus_.set_present(now_, kNodePort, false);
  offered_at_ = kNever;
  restart_at_ = kNever;
  agenda_.set(kHost, kNever);
  agenda_.set(kNode, kNever);
  agenda_.set(kBus, bus_.poll_timeout());
}

void GatewayWorld::step_host() {
  if (restart_at_ <= now_) {
    restart_at_ = kNever;
    bus_.restart(now_, kNodePort);
  }
  if (offered_at_ != kNever && now_ - offered_at_ >= kMailboxAgeMax) {
    withdrawn_frame_count_ += bus_.pending_count(kNodePort);
    bus_.abort_pending(now_, kNodePort);
    offered_at_ = kNever;
  }
  agenda_.set(kBus, bus_.poll_timeout());
  pump_node();
}

void GatewayWorld::pump_node() {
  if (!is_running()) {
    return;
  }
  const TimePoint at = local();
  TimePoint due = node_->poll_timeout();
  for (int round = 0; round < kPumpRoundsMax; ++round) {
    if (due <= at) {
      node_->handle_timeout(at);
    }
    transmit(at);
    deliver_events(at);
    due = node_->poll_timeout();
    if (due > at) {
      break;
    }
  }
  if (due <= at) {
    violations_.add(kInvariantRhythm, now_, "the node's time-out stays in the past after a pump");
  }
  arm_node(due);
}

void GatewayWorld::arm_node(TimePoint due) {
  if (!is_running()) {
    agenda_.set(kNode, kNever);
    agenda_.set(kHost, kNever);
    return;
  }
  const TimePoint wake = clock_.to_world(due);
  // A node that wants to be called in the past after a pump is called again a moment later, not for ever at
  // the same time.
  agenda_.set(kNode, std::max(wake, now_ + Duration{1}));
  const TimePoint withdraw = offered_at_ == kNever ? kNever : offered_at_ + kMailboxAgeMax;
  agenda_.set(kHost, earliest(withdraw, restart_at_));
}

void GatewayWorld::transmit(TimePoint at) {
  std::array<std::uint8_t, tinybms::kTransmitSizeMax> buffer;
  for (;;) {
    const std::size_t size = node_->poll_serial(at, buffer);
    if (size == 0) {
      break;
    }
    ++serial_taken_;
    is_live_reply_due_ = is_live_request(ByteSpan{buffer}.first(size));
    (void)to_bms_.write(now_, ByteSpan{buffer}.first(size));
    agenda_.set(kToBms, to_bms_.poll_timeout());
  }
  while (bus_.can_accept(kNodePort) && bus_.pending_count(kNodePort) == 0) {
    const auto frame = node_->poll_inverter_frame(at);
    if (!frame) {
      break;
    }
    offer(*frame);
  }
  while (plan_.bms == node::BmsKind::kCan && battery_bus_.can_accept(kNodePort)) {
    const auto frame = node_->poll_battery_frame(at);
    if (!frame) {
      break;
    }
    (void)battery_bus_.offer(now_, kNodePort, *frame);
    agenda_.set(kBatteryBus, earliest(battery_.poll_timeout(), battery_bus_.poll_timeout()));
  }
}

void GatewayWorld::offer(const can::Frame& frame) {
  can::Frame sent = frame;
  if (plan_.sabotage != Sabotage::kLosesFrames || frame.id != 0x356) {
    ++frames_taken_;
  }
  if (plan_.sabotage != Sabotage::kNone && !tamper(sent)) {
    return;
  }
  (void)bus_.offer(now_, kNodePort, sent);
  offered_at_ = now_;
  agenda_.set(kBus, bus_.poll_timeout());
}

// Breaks a promise on purpose. False: the frame disappears.
bool GatewayWorld::tamper(can::Frame& frame) {
  if (plan_.sabotage == Sabotage::kAllocates && frame.id == 0x35A) {
    // Called by name, because a compiler may leave out a new-expression that nobody needs.
    void* waste = ::operator new(64);
    ::operator delete(waste);
  }
  if (frame.id != 0x351) {
    return true;
  }
  ++limit_frames_seen_;
  const bool is_zero = load<std::uint16_t>(frame.data.data() + 2, Endian::kLittle) == 0 &&
                       load<std::uint16_t>(frame.data.data() + 4, Endian::kLittle) == 0;
  switch (plan_.sabotage) {
    case Sabotage::kKeepsOldLimits:
      if (!is_zero) {
        last_allowing_ = frame;
      }
      frame = last_allowing_.value_or(frame);
      return true;
    case Sabotage::kChargeVoltageZero:
      if (is_zero) {
        store<std::uint16_t>(frame.data.data(), 0, Endian::kLittle);
      }
      return true;
    case Sabotage::kDropsLimits:
      return limit_frames_seen_ % 100 < 97;
    case Sabotage::kAllowsTooMuch: {
      const auto charge = load<std::uint16_t>(frame.data.data() + 2, Endian::kLittle);
      store<std::uint16_t>(frame.data.data() + 2, static_cast<std::uint16_t>(charge + 200U), Endian::kLittle);
      return true;
    }
    default:
      return true;
  }
}

void GatewayWorld::deliver_events(TimePoint at) {
  while (const auto event = node_->poll_event()) {
    ++node_event_count_;
    record_event(*event);
  }
  if (const auto counters = node_->poll_store(at)) {
    stored_energy_ = *counters;
    node_->handle_energy_stored(at, *counters);
  }
}

void GatewayWorld::record_event(const node::Event& event) {
  // The machine, the kind and the detail, as numbers.
  std::array<std::uint8_t, 4> detail{};
  std::int64_t kind = 0;
  if (const auto* output = std::get_if<victron::OutputEvent>(&event.what)) {
    kind = 200 + static_cast<std::int64_t>(output->kind);
    store<std::uint32_t>(detail.data(), output->detail, Endian::kLittle);
  } else if (const auto* canbms = std::get_if<canbms::DriverEvent>(&event.what)) {
    kind = 100 + static_cast<std::int64_t>(canbms->kind);
    store<std::uint32_t>(detail.data(), canbms->detail, Endian::kLittle);
  } else {
    kind = static_cast<std::int64_t>(std::get<tinybms::DriverEvent>(event.what).index());
  }
  recorder_.add(now_, Channel::kNodeEvent, 0, kind, detail);
}

void GatewayWorld::check_memory() {
  memory_checker_.check_memory(now_);
  memory_checker_.check_queue(now_, can_to_node_.in_flight_count(), kLinkCapacity);
  memory_checker_.check_queue(now_, can_to_gx_.in_flight_count(), kLinkCapacity);
  memory_checker_.check_queue(now_, bus_.pending_count(kNodePort), CanBus::kMailboxCount);
  if (node_) {
    // What the node says it sent is what the host took; an event that was not delivered was counted.
    memory_checker_.check_balance(now_, node_->output().statistics().sent_total, frames_taken_, 0, 0);
    memory_checker_.check_balance(
        now_, node_->bms_statistics().requests_sent,
        plan_.bms == node::BmsKind::kTinybms ? serial_taken_ : node_->bms_statistics().requests_sent, 0, 0);
  }
}

}  // namespace amphora::sim
