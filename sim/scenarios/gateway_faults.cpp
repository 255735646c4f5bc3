// SPDX-License-Identifier: Apache-2.0
// How each kind of fault acts on the models of the gateway's world.
#include "sim/scenarios/gateway_world.hpp"

namespace amphora::sim {

namespace {

constexpr std::uint16_t kBroadcastPeriodRegister = 342;
constexpr std::uint16_t kBroadcastProtocolRegister = 343;
constexpr std::uint16_t kBroadcastEach200Ms = 2;
constexpr std::uint16_t kBroadcastText = 1;

}  // namespace

void GatewayWorld::apply_faults() {
  for (std::size_t i = 0; i < active_.size(); ++i) {
    const auto kind = static_cast<FaultKind>(i);
    active_[i] = schedule_.active(kind, now_);
  }
  apply_edges();
  apply_serial_faults();
  if (plan_.bms == node::BmsKind::kTinybms) {
    apply_bms_faults();
  } else {
    battery_.set_silent(has(FaultKind::kBmsSilent));
  }
  apply_pack_faults();
  apply_can_faults();
  apply_node_faults();
  judge_rhythm();
  agenda_.set(kFaults, schedule_.next_change_after(now_));
}

void GatewayWorld::apply_edges() {
  for (const GatewayFault& fault : schedule_.faults()) {
    if (fault.from == now_) {
      std::array<std::uint8_t, 4> bytes{};
      store<std::uint32_t>(bytes.data(), fault.parameter, Endian::kLittle);
      recorder_.add(now_, Channel::kFaultBegin, 0, static_cast<std::int64_t>(fault.kind), bytes);
      begin_pack_fault(fault);
    }
    if (fault.until == now_) {
      recorder_.add(now_, Channel::kFaultEnd, 0, static_cast<std::int64_t>(fault.kind));
    }
  }
}

void GatewayWorld::begin_pack_fault(const GatewayFault& fault) {
  const std::size_t cell = fault.parameter % pack_.cell_count();
  switch (fault.kind) {
    case FaultKind::kPackFullCell:
      pack_.set_soc(cell, BasisPoints{10'050});
      break;
    case FaultKind::kPackEmptyCell:
      pack_.set_soc(cell, BasisPoints{100});
      break;
    case FaultKind::kPackCold:
      pack_.set_temperature(Decicelsius{-150});
      break;
    case FaultKind::kPackHot:
      pack_.set_temperature(Decicelsius{520});
      break;
    default:
      break;
  }
}

void GatewayWorld::apply_serial_faults() {
  SerialFaults faults;
  faults.flip_ppm = parameter(FaultKind::kSerialFlip).value_or(0);
  faults.drop_ppm = parameter(FaultKind::kSerialDrop).value_or(0);
  faults.insert_ppm = parameter(FaultKind::kSerialInsert).value_or(0);
  faults.lost_write_ppm = std::max(parameter(FaultKind::kSerialLoss).value_or(0), plan_.loss_ppm);
  faults.chunk_bytes_max = static_cast<std::uint16_t>(parameter(FaultKind::kSerialChunks).value_or(0));
  SerialFaults to_bms = faults;
  to_bms.is_cut = has(FaultKind::kSerialCutToBms) || has(FaultKind::kSerialCut);
  to_bms_.set_faults(to_bms);
  SerialFaults to_node = faults;
  to_node.is_cut = has(FaultKind::kSerialCutToNode) || has(FaultKind::kSerialCut);
  to_node_.set_faults(to_node);
  agenda_.set(kToBms, to_bms_.poll_timeout());
  agenda_.set(kToNode, is_stalled_ ? kNever : to_node_.poll_timeout());
  if (agenda_.at(kBabbler) == kNever && (has(FaultKind::kSerialBabble) || has(FaultKind::kCanBabble))) {
    agenda_.set(kBabbler, now_);
  }
}

void GatewayWorld::apply_bms_faults() {
  TinyBmsFault fault = TinyBmsFault::kNone;
  fault = has(FaultKind::kBmsStuck) ? TinyBmsFault::kStuck : fault;
  fault = has(FaultKind::kBmsJoined) ? TinyBmsFault::kJoined : fault;
  fault = has(FaultKind::kBmsTruncated) ? TinyBmsFault::kTruncated : fault;
  fault = has(FaultKind::kBmsCorrupt) ? TinyBmsFault::kCorrupt : fault;
  fault = has(FaultKind::kBmsNack) ? TinyBmsFault::kNack : fault;
  fault = has(FaultKind::kBmsSilent) ? TinyBmsFault::kSilent : fault;
  device_.set_fault(fault);
  const bool is_broadcasting = has(FaultKind::kBmsBroadcast);
  (void)device_.set_register(kBroadcastPeriodRegister, is_broadcasting ? kBroadcastEach200Ms : 0);
  (void)device_.set_register(kBroadcastProtocolRegister, kBroadcastText);
  update_device();
  device_.handle_timeout(now_);
  pump_device();
}

void GatewayWorld::apply_pack_faults() {
  const std::optional<std::uint32_t> trip = parameter(FaultKind::kPackTrip);
  for (std::size_t i = 0; i < kProtectionFaultCount; ++i) {
    protection_.force(static_cast<ProtectionFault>(i), trip && *trip % kProtectionFaultCount == i);
  }
}

void GatewayWorld::apply_can_faults() {
  bus_.set_error_rate(now_, kNodePort, parameter(FaultKind::kCanErrors).value_or(0));
  bus_.set_error_rate(now_, kGxPort, parameter(FaultKind::kCanGxErrors).value_or(0));
  const bool is_gx_there = plan_.has_other_nodes && !has(FaultKind::kGxAbsent);
  bus_.set_present(now_, kGxPort, is_gx_there);
  gx_.set_present(now_, is_gx_there);
  bus_.set_present(now_, kBabblerPort, has(FaultKind::kCanBabble));
  if (bus_.state(kGxPort) == can::BusState::kBusOff) {
    bus_.restart(now_, kGxPort);
  }

  LinkFaults faults;
  faults.loss_ppm = std::max(parameter(FaultKind::kCanLoss).value_or(0), plan_.loss_ppm);
  faults.burst_start_ppm = parameter(FaultKind::kCanBurst).value_or(0);
  faults.burst_end_ppm = 100'000;
  if (faults.burst_start_ppm == 0) {
    faults.burst_end_ppm = 0;
  }
  faults.delay = std::chrono::milliseconds{parameter(FaultKind::kCanDelay).value_or(0)};
  faults.jitter_max = std::chrono::milliseconds{parameter(FaultKind::kCanJitter).value_or(0)};
  faults.duplicate_ppm = parameter(FaultKind::kCanDuplicate).value_or(0);
  can_to_gx_.set_faults(faults);
  faults.is_cut = has(FaultKind::kGxMute);
  can_to_node_.set_faults(faults);
  pump_gx();
  pump_bus();
}

void GatewayWorld::apply_node_faults() {
  const bool should_run = !has(FaultKind::kNodeCrash);
  if (should_run && !node_) {
    boot();
  } else if (!should_run && node_) {
    crash();
  }
  const bool was_stalled = is_stalled_;
  is_stalled_ = has(FaultKind::kHostStall);
  if (was_stalled != is_stalled_) {
    limits_checker_.handle_host_stall();
    // What arrived meanwhile waits in the host's buffers and comes first.
    agenda_.set(kToNode, is_stalled_ ? kNever : to_node_.poll_timeout());
    agenda_.set(kCanToNode, is_stalled_ ? kNever : can_to_node_.poll_timeout());
  }
  arm_node(node_ ? node_->poll_timeout() : kNever);
}

bool GatewayWorld::is_lying() const {
  return has(FaultKind::kBmsWildCell) || has(FaultKind::kBmsNanVoltage) || has(FaultKind::kBmsCellCount) ||
         has(FaultKind::kBmsStatus);
}

}  // namespace amphora::sim
