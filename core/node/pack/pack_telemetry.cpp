// SPDX-License-Identifier: Apache-2.0
#include "core/node/pack/pack_telemetry.hpp"

#include <algorithm>

namespace amphora::node {

namespace {

using energy::Relay;
using packnet::Field;
using packnet::RelayHolder;
using packnet::Telemetry;
using Number = std::optional<std::int64_t>;

template <class Quantity>
Number number(const std::optional<Quantity>& value) {
  return value ? Number{value->count()} : std::nullopt;
}

Number position_number(const std::optional<energy::Position>& position) {
  return position ? Number{*position == energy::Position::kClosed ? 1 : 0} : std::nullopt;
}

void fill_balance(Telemetry& telemetry, const energy::Controller& control) {
  const energy::Balance& balance = control.balance();
  if (balance.soc) {
    telemetry.set(Field::kSoc, balance.soc->value.count());
  }
  telemetry.set(Field::kPowerGrid, number(balance.grid));
  telemetry.set(Field::kPowerHome, number(balance.home));
  telemetry.set(Field::kPowerSolar, number(balance.solar));
  for (std::size_t i = 0; i < packnet::kLoadsMax; ++i) {
    telemetry.set(Telemetry::power_load(i), number(balance.load[i]));
  }
  const std::int64_t imported = control.import_counted().count();
  telemetry.set(Field::kEnergyGridToday, imported);
  telemetry.set(Field::kEnergyImport, imported);
}

void fill_relays(Telemetry& telemetry, const energy::Controller& control) {
  for (std::size_t i = 0; i < std::min(packnet::kRelaysMax, energy::kRelayCount); ++i) {
    const energy::RelayState& relay = control.relay(energy::relay_at(i));
    const bool is_told = relay.is_fitted && relay.commanded.has_value();
    const auto position = relay.measured ? relay.measured : relay.commanded;
    telemetry.set(Telemetry::relay_position(i), is_told ? position_number(position) : std::nullopt);
    telemetry.set(Telemetry::relay_asked(i),
                  is_told ? position_number(std::optional{relay.requested}) : std::nullopt);
    telemetry.set(Telemetry::relay_holder(i),
                  is_told ? Number{static_cast<std::int64_t>(holder_of(relay))} : std::nullopt);
  }
}

void fill_facts(Telemetry& telemetry, const energy::Controller& control, const PackFacts& facts) {
  telemetry.set(Field::kModes, control.running().bits());
  telemetry.set(Field::kPackWarnings, control.warnings().bits());
  telemetry.set(Field::kBmsState, static_cast<std::int64_t>(facts.bms));
  if (!telemetry.value(Field::kCapacity)) {
    telemetry.set(Field::kCapacity, facts.capacity.count() / 100);
  }
  telemetry.set(Field::kUptime, facts.uptime / std::chrono::seconds{1});
  telemetry.set(Field::kCanTransmitErrors, facts.transmit_errors);
  telemetry.set(Field::kCanReceiveErrors, facts.receive_errors);
  telemetry.set(Field::kCanState, static_cast<std::int64_t>(facts.bus));
  telemetry.set(Field::kBusOffCount, facts.bus_off_count);
  telemetry.set(Field::kStoreWrites, facts.store_count);
  telemetry.set(Field::kFirmwareMajor, facts.firmware.major);
  telemetry.set(Field::kFirmwareMinor, facts.firmware.minor);
  telemetry.set(Field::kFirmwarePatch, facts.firmware.patch);
}

constexpr RelayHolder to_wire(energy::Holder holder) {
  switch (holder) {
    case energy::Holder::kSafety:
      return RelayHolder::kSafety;
    case energy::Holder::kMinimumSoc:
      return RelayHolder::kMinimumSoc;
    case energy::Holder::kImportLimit:
      return RelayHolder::kImportLimit;
    case energy::Holder::kBackup:
      return RelayHolder::kBackup;
    case energy::Holder::kSelfConsumption:
      return RelayHolder::kSelfConsumption;
    case energy::Holder::kEco:
      return RelayHolder::kEco;
    case energy::Holder::kTimeOfUse:
      return RelayHolder::kTimeOfUse;
    case energy::Holder::kManual:
      return RelayHolder::kManual;
    case energy::Holder::kDefault:
    case energy::Holder::kCount:
      break;
  }
  return RelayHolder::kDefault;
}

}  // namespace

RelayHolder holder_of(const energy::RelayState& relay) {
  switch (relay.hindrance) {
    case energy::Hindrance::kImportExhausted:
      return RelayHolder::kImportLimit;
    case energy::Hindrance::kMinimumOn:
    case energy::Hindrance::kMinimumOff:
      return RelayHolder::kMinimumTime;
    case energy::Hindrance::kWear:
      return RelayHolder::kWearLimit;
    case energy::Hindrance::kNone:
    case energy::Hindrance::kCount:
      break;
  }
  return to_wire(relay.holder);
}

void fill_telemetry(Telemetry& telemetry, TimePoint now, const battery::Snapshot& snapshot,
                    const energy::Controller& control, const PackFacts& facts) {
  telemetry.set_battery(snapshot, now, kToldAgeMax);
  fill_balance(telemetry, control);
  fill_relays(telemetry, control);
  fill_facts(telemetry, control, facts);
}

void fill_aggregate(Telemetry& telemetry, const Aggregate* aggregate) {
  const auto told = [aggregate](const Number& value) { return aggregate != nullptr ? value : std::nullopt; };
  const Aggregate all = aggregate != nullptr ? *aggregate : Aggregate{};
  telemetry.set(Field::kGroupPower, told(all.power_w));
  telemetry.set(Field::kGroupSoc, told(all.soc_basis_points));
  telemetry.set(Field::kGroupOnline, told(all.online));
  telemetry.set(Field::kGroupKnown, told(all.known));
  telemetry.set(Field::kGroupPowerSolar, told(all.solar_w));
  telemetry.set(Field::kGroupPowerGrid, told(all.grid_w));
}

}  // namespace amphora::node
