// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/gateway_world.hpp"

#include <algorithm>
#include <variant>

#include "core/base/crc.hpp"

namespace amphora::sim {

namespace {

constexpr std::int32_t kBusRate = 500'000;
constexpr Duration kPlantStep = BatteryPack::kStep;
constexpr Duration kRestartDelayMax{3'000'000};
constexpr Duration kBabbleInterval{100'000};
constexpr Duration kMemoryCheckInterval{60'000'000};

// How long the output keeps sending after the last reply, and after the last keep-alive, by its defaults; the
// rhythm is only judged well within.
constexpr Duration kSendsAfterReply{55'000'000};
constexpr Duration kSendsAfterKeepalive{35'000'000};

// A MODBUS read of registers 0 to 56: AA 03 72, 114 bytes, CRC.
constexpr std::size_t kLiveReplySize = 119;
constexpr std::size_t kStatusOffset = 3 + 2 * 50;

// Where a whole live reply begins in these bytes.
std::optional<std::size_t> find_live_reply(ByteSpan bytes) {
  for (std::size_t at = 0; at + kLiveReplySize <= bytes.size(); ++at) {
    if (bytes[at] == 0xAA && bytes[at + 1] == 0x03 && bytes[at + 2] == 0x72 &&
        crc16_modbus(bytes.subspan(at, kLiveReplySize)) == 0) {
      return at;
    }
  }
  return std::nullopt;
}

std::uint64_t hash_of(ByteSpan bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.value();
}

ProtectionConfig protection_of(const GatewayPlan&) {
  return ProtectionConfig{};
}

}  // namespace

LimitsRules GatewayWorld::make_rules(const GatewayPlan& plan) {
  const node::BmsGatewayConfig config = make_node_config(plan);
  LimitsRules rules;
  rules.series_cells = config.profile.series_cells;
  rules.cell_max = config.profile.cell_max;
  rules.cell_min = config.profile.cell_min;
  rules.charge_current_max = config.profile.charge_current_max;
  rules.discharge_current_max = config.profile.discharge_current_max;
  rules.slack += kMailboxAgeMax;
  rules.reaction += config.output.limits_period;
  return rules;
}

node::BmsGatewayConfig GatewayWorld::make_node_config(const GatewayPlan& plan) {
  node::BmsGatewayConfig config;
  config.bms = plan.bms;
  config.profile = battery::lfp_profile(plan.pack.cell_count, plan.pack.capacity);
  config.tinybms.poll_interval = plan.poll_interval;
  config.tinybms.back_off_max = std::max<Duration>(config.tinybms.back_off_max, plan.poll_interval);
  config.output.limits_period = plan.limits_period;
  return config;
}

TinyBmsDeviceConfig GatewayWorld::make_device_config(const GatewayPlan& plan) {
  TinyBmsDeviceConfig config;
  config.seed = plan.seed;
  config.is_sleepy = plan.is_sleepy;
  return config;
}

GatewayWorld::GatewayWorld(const GatewayPlan& plan)
    : plan_{plan},
      schedule_{plan.faults},
      rng_{plan.seed},
      pack_{plan.pack, rng_.fork()},
      protection_{protection_of(plan)},
      house_{plan.house, rng_.fork()},
      device_{make_device_config(plan)},
      to_bms_{kTinyBmsBaud, rng_.fork()},
      to_node_{kTinyBmsBaud, rng_.fork()},
      bus_{3, kBusRate, rng_.fork()},
      battery_bus_{2, kBusRate, rng_.fork()},
      battery_{CanBatteryConfig{}, pack_, protection_},
      gx_{GxConfig{}},
      can_to_node_{kLinkCapacity, rng_.fork()},
      can_to_gx_{kLinkCapacity, rng_.fork()},
      node_config_{make_node_config(plan)},
      limits_checker_{make_rules(plan), violations_},
      rhythm_checker_{2 * plan.limits_period + std::chrono::milliseconds{50}, violations_},
      memory_checker_{violations_} {
  device_.set_cell_count(pack_.cell_count());
  update_device();
  agenda_.set(kFaults, TimePoint{});
  agenda_.set(kPlant, TimePoint{} + kPlantStep);
  if (plan_.bms == node::BmsKind::kCan) {
    agenda_.set(kBatteryBus, TimePoint{});
  }
  bus_.set_present(now_, kBabblerPort, false);
  bus_.set_present(now_, kNodePort, false);
  battery_bus_.set_present(now_, kNodePort, false);
  while (bus_.poll_state_change()) {
  }
  while (battery_bus_.poll_state_change()) {
  }
}

void GatewayWorld::run() {
  const TimePoint end = TimePoint{} + plan_.duration;
  memory_checker_.handle_start();
  while (agenda_.next_at() <= end) {
    const Slot slot = static_cast<Slot>(agenda_.next_slot());
    now_ = std::max(now_, agenda_.next_at());
    step(slot);
    if (!violations_.is_empty() && plan_.stops_at_violation) {
      break;
    }
  }
  if (violations_.is_empty() || !plan_.stops_at_violation) {
    now_ = end;
    rhythm_checker_.judge(now_);
    check_memory();
  }
  for (std::size_t i = 0; i < violations_.kept().size(); ++i) {
    const Violation& violation = violations_.kept()[i];
    recorder_.add(violation.at, Channel::kViolation, 0, violation.invariant);
  }
}

void GatewayWorld::step(Slot slot) {
  switch (slot) {
    case kFaults:
      return apply_faults();
    case kPlant:
      return step_plant();
    case kToBms:
      return deliver_to_bms();
    case kBmsDevice:
      device_.handle_timeout(now_);
      return pump_device();
    case kToNode:
      return deliver_to_node();
    case kCanToNode:
      while (const auto arrival = can_to_node_.poll_arrival(now_)) {
        if (is_running()) {
          last_keepalive_ = arrival->message.id == 0x305 ? now_ : last_keepalive_;
          node_->handle_inverter_frame(local(), arrival->message);
        }
      }
      agenda_.set(kCanToNode, can_to_node_.poll_timeout());
      return pump_node();
    case kCanToGx:
      while (const auto arrival = can_to_gx_.poll_arrival(now_)) {
        gx_.handle_frame(now_, arrival->message);
      }
      agenda_.set(kCanToGx, can_to_gx_.poll_timeout());
      return pump_gx();
    case kGx:
      gx_.handle_timeout(now_);
      return pump_gx();
    case kHost:
      return step_host();
    case kNode:
      return pump_node();
    case kBabbler:
      return babble();
    case kBatteryBus:
      return step_battery_bus();
    case kBus:
      bus_.handle_timeout(now_);
      return pump_bus();
    case kSlotCount:
      break;
  }
}

// ---- plant ----

void GatewayWorld::step_plant() {
  pack_.advance(now_);
  house_.advance(now_);
  const GxCommand& command = gx_.command();
  std::optional<ChargeCommands> commands;
  if (command.is_charge_allowed || command.is_discharge_allowed) {
    commands = ChargeCommands{
        quantity_cast<Millivolts>(command.charge_voltage),
        command.is_charge_allowed ? quantity_cast<Milliamps>(command.charge_current) : Milliamps{0},
        command.is_discharge_allowed ? quantity_cast<Milliamps>(command.discharge_current) : Milliamps{0},
        quantity_cast<Millivolts>(command.discharge_voltage)};
  }
  const Milliamps wanted =
      charger_.step(commands, house_.surplus(), quantity_cast<Millivolts>(pack_.voltage()));
  protection_.handle_measurement(now_, pack_, wanted);
  pack_.set_current(protection_.limited(wanted));
  pack_.set_balancing(cells_to_balance());
  update_device();
  report_trips();
  if (has(FaultKind::kBmsStuck) || is_shown_lying_) {
    limits_checker_.handle_truth_hidden();
  } else {
    limits_checker_.handle_truth(
        now_,
        PackTruth{quantity_cast<Millivolts>(pack_.cell_min()), quantity_cast<Millivolts>(pack_.cell_max()),
                  protection_.allows_charge(), protection_.allows_discharge()});
  }
  judge_rhythm();
  if (now_.time_since_epoch() % kMemoryCheckInterval == Duration::zero()) {
    check_memory();
  }
  agenda_.set(kPlant, now_ + kPlantStep);
}

std::uint32_t GatewayWorld::cells_to_balance() const {
  constexpr Microvolts kBalanceFrom{3'400'000};
  constexpr Microvolts kAllowedSpread{15'000};
  std::uint32_t cells = 0;
  for (std::size_t i = 0; i < pack_.cell_count(); ++i) {
    const bool is_high = pack_.cell_voltage(i) > kBalanceFrom;
    if (is_high && pack_.cell_voltage(i) > pack_.cell_min() + kAllowedSpread) {
      cells |= 1U << i;
    }
  }
  return cells;
}

void GatewayWorld::update_device() {
  using tinybms::OnlineStatus;
  // A frozen BMS goes on showing what it showed, also a lie.
  if (plan_.bms != node::BmsKind::kTinybms || has(FaultKind::kBmsStuck)) {
    return;
  }
  constexpr std::uint16_t kCellCountRegister = 53;
  const std::size_t cell_count = pack_.cell_count();
  (void)device_.set_register(kCellCountRegister, static_cast<std::uint16_t>(cell_count));
  for (std::size_t i = 0; i < cell_count; ++i) {
    device_.set_cell(i, pack_.cell_voltage(i));
  }
  device_.set_current(pack_.current());
  device_.set_soc(pack_.soc());
  device_.set_temperature_internal(pack_.temperature() + Decicelsius{30});
  device_.set_temperature_external(0, pack_.temperature());
  device_.set_balancing(static_cast<std::uint16_t>(pack_.balancing()));
  OnlineStatus status = OnlineStatus::kIdle;
  if (protection_.has_any()) {
    status = OnlineStatus::kFault;
  } else if (pack_.current() > Milliamps{0}) {
    status = OnlineStatus::kCharging;
  } else if (pack_.current() < Milliamps{0}) {
    status = OnlineStatus::kDischarging;
  }
  device_.set_status(status);
  is_shown_lying_ = is_lying();
  if (const auto cell = parameter(FaultKind::kBmsWildCell)) {
    device_.set_cell(*cell % cell_count, Microvolts{6'500'000});
  }
  if (has(FaultKind::kBmsNanVoltage)) {
    (void)device_.set_register(36, 0x0000);
    (void)device_.set_register(37, 0x7FC0);
  }
  if (const auto word = parameter(FaultKind::kBmsStatus)) {
    // Outside of the codes from 0x91 to 0x9B.
    (void)device_.set_register(50, static_cast<std::uint16_t>(0x100U + *word));
  }
  if (has(FaultKind::kBmsCellCount)) {
    (void)device_.set_register(kCellCountRegister, static_cast<std::uint16_t>(cell_count - 1));
  }
}

void GatewayWorld::report_trips() {
  for (std::size_t i = 0; i < kProtectionFaultCount; ++i) {
    const auto fault = static_cast<ProtectionFault>(i);
    const bool was_active = (reported_trips_ & (1U << i)) != 0;
    if (protection_.is_active(fault) && !was_active) {
      device_.add_event(now_, event_code(fault));
      reported_trips_ |= 1U << i;
    } else if (!protection_.is_active(fault) && was_active) {
      reported_trips_ &= ~(1U << i);
    }
  }
}

void GatewayWorld::judge_rhythm() {
  // Due while the node has data and an inverter, and nothing is injected that may delay a frame.
  const bool has_bus_fault = has(FaultKind::kCanErrors) || has(FaultKind::kCanGxErrors) ||
                             has(FaultKind::kCanBabble) || has(FaultKind::kGxAbsent) ||
                             has(FaultKind::kNodeCrash) || has(FaultKind::kHostStall);
  const bool has_data = last_good_reply_ > TimePoint::min() && now_ - last_good_reply_ < kSendsAfterReply;
  const bool has_inverter =
      last_keepalive_ > TimePoint::min() && now_ - last_keepalive_ < kSendsAfterKeepalive;
  const bool is_bus_good = bus_.state(kNodePort) == can::BusState::kActive;
  rhythm_checker_.set_due(now_, !has_bus_fault && has_data && has_inverter && is_bus_good && is_running());
}

// ---- serial line ----

void GatewayWorld::deliver_to_bms() {
  while (const SerialWire::Piece* piece = to_bms_.poll_piece(now_)) {
    recorder_.add(now_, Channel::kSerialToBms, 0, piece->size, piece->payload());
    device_.handle_bytes(now_, piece->payload());
    served_before_ = served_;
    served_ = Served{now_, is_shown_lying_};
  }
  agenda_.set(kToBms, to_bms_.poll_timeout());
  pump_device();
}

void GatewayWorld::pump_device() {
  std::array<std::uint8_t, 512> buffer;
  for (;;) {
    const std::size_t size = device_.poll_transmit(now_, buffer);
    if (size == 0) {
      break;
    }
    const ByteSpan bytes = ByteSpan{buffer}.first(size);
    (void)to_node_.write(now_, bytes);
    note_device_write(bytes);
    if (has(FaultKind::kBmsCorrupt)) {
      note_meant_write(bytes);
    }
  }
  while (device_.poll_event()) {
  }
  agenda_.set(kToNode, is_stalled_ ? kNever : to_node_.poll_timeout());
  agenda_.set(kBmsDevice, device_.poll_timeout());
}

void GatewayWorld::note_device_write(ByteSpan bytes) {
  while (const auto at = find_live_reply(bytes)) {
    const ByteSpan reply = bytes.subspan(*at, kLiveReplySize);
    const std::uint16_t status = load<std::uint16_t>(reply.data() + kStatusOffset, Endian::kBig);
    ReplyTruth truth;
    truth.hash = hash_of(reply);
    // Also of one that was held back since the request before: replies carry no number, so nobody on the line
    // can tell it from an answer to this request, and where the second of the pair is lost it is taken for
    // one.
    truth.sampled_at = served_.at;
    // But what it says is what was shown then.
    const bool is_held = find_live_reply(bytes.subspan(*at + kLiveReplySize)).has_value();
    truth.is_nonsense = is_held ? served_before_.is_lying : served_.is_lying;
    truth.forbids = truth.is_nonsense || status == static_cast<std::uint16_t>(tinybms::OnlineStatus::kFault);
    (void)reply_truths_.push_overwrite(truth);
    bytes = bytes.subspan(*at + kLiveReplySize);
  }
}

// A BMS that gets one bit wrong means what it would have sent: noise on the line may flip that very bit back,
// and what then arrives is true.
void GatewayWorld::note_meant_write(ByteSpan bytes) {
  std::array<std::uint8_t, kLiveReplySize> meant{};
  if (bytes.size() != meant.size()) {
    return;
  }
  std::copy(bytes.begin(), bytes.end(), meant.begin());
  for (std::uint8_t& byte : meant) {
    byte = static_cast<std::uint8_t>(byte ^ kTinyBmsCorruptedBit);
    note_device_write(meant);
    byte = static_cast<std::uint8_t>(byte ^ kTinyBmsCorruptedBit);
  }
}

void GatewayWorld::note_heard_bytes(ByteSpan bytes) {
  if (heard_size_ + bytes.size() > kHeardBytesMax) {
    // Keep what may still be the beginning of a reply.
    const std::size_t kept = std::min(heard_size_, kLiveReplySize);
    std::copy_n(heard_.begin() + static_cast<std::ptrdiff_t>(heard_size_ - kept), kept, heard_.begin());
    heard_size_ = kept;
  }
  std::copy(bytes.begin(), bytes.end(), heard_.begin() + static_cast<std::ptrdiff_t>(heard_size_));
  heard_size_ += bytes.size();
  ByteSpan rest = ByteSpan{heard_}.first(heard_size_);
  while (const auto at = find_live_reply(rest)) {
    note_live_reply(rest.subspan(*at, kLiveReplySize));
    rest = rest.subspan(*at + kLiveReplySize);
  }
  if (rest.size() != heard_size_) {
    std::copy(rest.begin(), rest.end(), heard_.begin());
    heard_size_ = rest.size();
  }
}

// Of two replies after one request the node takes the first; a reply that nobody asked for proves nothing.
void GatewayWorld::note_live_reply(ByteSpan reply) {
  if (!is_live_reply_due_) {
    return;
  }
  is_live_reply_due_ = false;
  const std::uint64_t hash = hash_of(reply);
  for (std::size_t i = reply_truths_.size(); i-- > 0;) {
    const ReplyTruth& truth = reply_truths_[i];
    if (truth.hash == hash) {
      last_good_reply_ = truth.is_nonsense ? last_good_reply_ : now_;
      limits_checker_.handle_live_reply(now_, truth.sampled_at, truth.forbids);
      return;
    }
  }
}

void GatewayWorld::deliver_to_node() {
  while (const SerialWire::Piece* piece = to_node_.poll_piece(now_)) {
    recorder_.add(now_, Channel::kSerialToNode, 0, piece->size, piece->payload());
    if (!is_running()) {
      continue;
    }
    note_heard_bytes(piece->payload());
    node_->handle_serial_bytes(local(), piece->payload());
  }
  agenda_.set(kToNode, to_node_.poll_timeout());
  pump_node();
}

// ---- CAN ----

void GatewayWorld::pump_gx() {
  while (bus_.can_accept(kGxPort)) {
    const auto frame = gx_.poll_transmit(now_);
    if (!frame) {
      break;
    }
    (void)bus_.offer(now_, kGxPort, *frame);
  }
  while (gx_.poll_event()) {
  }
  agenda_.set(kGx, gx_.poll_timeout());
  agenda_.set(kBus, bus_.poll_timeout());
}

void GatewayWorld::pump_bus() {
  while (const auto delivery = bus_.poll_delivery()) {
    handle_bus_delivery(*delivery);
  }
  while (const auto change = bus_.poll_state_change()) {
    handle_bus_state(*change);
  }
  agenda_.set(kBus, bus_.poll_timeout());
}

void GatewayWorld::handle_bus_delivery(const CanBus::Delivery& delivery) {
  recorder_.add(now_, Channel::kCanFrame, delivery.from, delivery.frame.id, delivery.frame.payload());
  if (delivery.from == kNodePort) {
    limits_checker_.handle_frame(now_, delivery.frame);
    if (delivery.frame.id == 0x351) {
      rhythm_checker_.handle_frame(now_);
    }
    offered_at_ = kNever;
    restart_delay_ = kRestartDelayMin;
  }
  if ((delivery.to_mask & (1U << kNodePort)) != 0) {
    can_to_node_.send(now_, delivery.frame);
    agenda_.set(kCanToNode, is_stalled_ ? kNever : can_to_node_.poll_timeout());
  }
  if ((delivery.to_mask & (1U << kGxPort)) != 0) {
    if (can_to_gx_.faults().has_any() || can_to_gx_.in_flight_count() > 0) {
      can_to_gx_.send(now_, delivery.frame);
      agenda_.set(kCanToGx, can_to_gx_.poll_timeout());
    } else {
      // The usual case takes the short way: what the link would do now, without a step of its own.
      gx_.handle_frame(now_, delivery.frame);
      agenda_.set(kGx, gx_.poll_timeout());
    }
  }
  if (delivery.from == kGxPort) {
    pump_gx();
  } else if (delivery.from == kNodePort && is_running()) {
    pump_node();
  }
}

void GatewayWorld::handle_bus_state(const CanBus::StateChange& change) {
  recorder_.add(now_, Channel::kCanState, change.node, static_cast<std::int64_t>(change.state));
  if (change.node != kNodePort) {
    if (change.state == can::BusState::kBusOff) {
      bus_.restart(now_, change.node);  // a GX restarts its controller by itself
    }
    return;
  }
  if (change.state == can::BusState::kBusOff) {
    offered_at_ = kNever;
    restart_at_ = now_ + restart_delay_;
    restart_delay_ = std::min(2 * restart_delay_, kRestartDelayMax);
  }
  judge_rhythm();
  if (is_running()) {
    node_->handle_inverter_bus(local(), change.state);
    pump_node();
  }
}

void GatewayWorld::step_battery_bus() {
  battery_.handle_timeout(now_);
  battery_bus_.handle_timeout(now_);
  while (battery_bus_.can_accept(kBatteryPort)) {
    const auto frame = battery_.poll_transmit();
    if (!frame) {
      break;
    }
    (void)battery_bus_.offer(now_, kBatteryPort, *frame);
  }
  while (const auto delivery = battery_bus_.poll_delivery()) {
    recorder_.add(now_, Channel::kCanFrame, static_cast<std::uint8_t>(0x80U | delivery->from),
                  delivery->frame.id, delivery->frame.payload());
    if (delivery->from == kNodePort) {
      battery_.handle_frame(now_, delivery->frame);
    } else if (is_running()) {
      note_battery_frame(delivery->frame);
      node_->handle_battery_frame(local(), delivery->frame);
    }
  }
  while (const auto change = battery_bus_.poll_state_change()) {
    if (change->node == kNodePort && is_running()) {
      node_->handle_battery_bus(local(), change->state);
    }
  }
  if (is_running()) {
    pump_node();
  }
  agenda_.set(kBatteryBus, earliest(battery_.poll_timeout(), battery_bus_.poll_timeout()));
}

void GatewayWorld::note_battery_frame(const can::Frame& frame) {
  constexpr std::array<std::uint32_t, kBatteryFrameCount> kIds{0x351, 0x355, 0x356, 0x373};
  TimePoint oldest = now_;
  for (std::size_t i = 0; i < kIds.size(); ++i) {
    if (frame.id == kIds[i]) {
      battery_frames_at_[i] = now_;
    }
    oldest = std::min(oldest, battery_frames_at_[i].value_or(TimePoint::min()));
  }
  if (oldest > battery_sampled_at_) {
    battery_sampled_at_ = oldest;
    last_good_reply_ = now_;
    limits_checker_.handle_live_reply(now_, oldest, false);
  }
}

void GatewayWorld::babble() {
  TimePoint next = kNever;
  const auto size = parameter(FaultKind::kSerialBabble);
  if (size && noise_at_ <= now_) {
    std::array<std::uint8_t, SerialWire::kPieceBytesMax> noise{};
    const std::size_t count = std::min<std::size_t>(*size, noise.size());
    for (std::size_t i = 0; i < count; ++i) {
      noise[i] = static_cast<std::uint8_t>(rng_.below(256));
    }
    to_node_.inject(now_, ByteSpan{noise}.first(count));
    agenda_.set(kToNode, is_stalled_ ? kNever : to_node_.poll_timeout());
    noise_at_ = now_ + kBabbleInterval;
  }
  next = size ? noise_at_ : next;
  if (has(FaultKind::kCanBabble)) {
    can::Frame frame;
    frame.size = 8;
    while (bus_.can_accept(kBabblerPort)) {
      (void)bus_.offer(now_, kBabblerPort, frame);
    }
    // Before its mailboxes run empty: a frame of 8 bytes takes 270 us.
    next = earliest(next, now_ + Duration{500});
    agenda_.set(kBus, bus_.poll_timeout());
  }
  agenda_.set(kBabbler, next);
}

}  // namespace amphora::sim
