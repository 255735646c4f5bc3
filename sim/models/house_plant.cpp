// SPDX-License-Identifier: Apache-2.0
#include "sim/models/house_plant.hpp"

namespace amphora::sim {

void HousePlant::step(const PlantInput& around, const energy::PerRelay<energy::Position>& contacts) {
  const auto is_closed = [&contacts](energy::Relay relay) {
    return contacts[energy::index_of(relay)] == energy::Position::kClosed;
  };
  loads_.advance(around.local_s);
  HybridInput input;
  input.sun_mw = sun_.advance(around.unix_s);
  for (const HouseCircuit& row : kHouseCircuits) {
    const bool has_path = is_closed(energy::Relay::kInverterOutput) && (!row.relay || is_closed(*row.relay));
    const std::int64_t wanted_mw = loads_.wanted_mw(row.circuit);
    const bool is_lost = !has_path && !row.catches_up;
    switched_off_uj_ += is_lost ? wanted_mw * around.step_ms : 0;
    circuit_mw_[static_cast<std::size_t>(row.circuit)] = has_path ? wanted_mw : 0;
    input.load_mw += circuit_mw_[static_cast<std::size_t>(row.circuit)];
  }
  input.has_grid = is_closed(energy::Relay::kGrid) && around.is_grid_up;
  input.is_cheap = around.is_cheap;
  input.may_charge = around.may_charge;
  input.may_discharge = around.may_discharge;
  input.soc = battery_.soc();
  input.charge_max_mw = battery_.charge_max_mw();
  input.discharge_max_mw = battery_.discharge_max_mw();
  flows_ = inverter_.step(input, around.step_ms);
  for (const HouseCircuit& row : kHouseCircuits) {
    std::int64_t& power_mw = circuit_mw_[static_cast<std::size_t>(row.circuit)];
    power_mw = flows_.unserved_mw == 0 ? power_mw : 0;
    loads_.take(row.circuit, power_mw * around.step_ms / 1'000);
  }
  const bool charges = flows_.battery_mw > 0;
  battery_.step(charges ? flows_.battery_mw * around.charge_permille / 1'000 : flows_.battery_mw,
                around.step_ms);
}

}  // namespace amphora::sim
