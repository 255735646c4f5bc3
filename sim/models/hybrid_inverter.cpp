// SPDX-License-Identifier: Apache-2.0
#include "sim/models/hybrid_inverter.hpp"

#include <algorithm>

namespace amphora::sim {

namespace {

// Efficiencies in thousandths.
constexpr std::int64_t kSunToAc = 970;
constexpr std::int64_t kSunToBattery = 980;
constexpr std::int64_t kBatteryToAc = 950;
constexpr std::int64_t kAcToBattery = 950;

constexpr std::int64_t times(std::int64_t power, std::int64_t permille) {
  return power * permille / 1000;
}
// What must go in for `power` to come out.
constexpr std::int64_t over(std::int64_t power, std::int64_t permille) {
  return power * 1000 / permille;
}

}  // namespace

// Whether the island holds; a house with grid always holds.
bool HybridInverter::carries(const HybridInput& input, std::int64_t step_ms) {
  if (input.has_grid) {
    overload_ms_ = 0;
    dark_ms_ = 0;
    return true;
  }
  if (dark_ms_ > 0) {
    dark_ms_ -= step_ms;
    return false;
  }
  const std::int64_t given =
      times(input.sun_mw, kSunToAc) + (input.may_discharge ? times(input.discharge_max_mw, kBatteryToAc) : 0);
  const std::int64_t wanted = input.load_mw + config_.standby_mw;
  overload_ms_ = wanted > config_.ac_max_mw ? overload_ms_ + step_ms : 0;
  if (wanted > given || overload_ms_ > config_.overload_patience_ms) {
    overload_ms_ = 0;
    dark_ms_ = config_.trip_ms;
    trip_count_ += input.load_mw > 0 ? 1 : 0;
    return false;
  }
  return true;
}

HybridFlows HybridInverter::step(const HybridInput& input, std::int64_t step_ms) {
  HybridFlows flows;
  const bool is_carried = carries(input, step_ms);
  flows.load_mw = is_carried ? input.load_mw : 0;
  flows.unserved_mw = input.load_mw - flows.load_mw;
  // A tripped island without sun or battery is off altogether.
  const std::int64_t standby = is_carried ? config_.standby_mw : 0;
  const std::int64_t need = flows.load_mw + standby;
  flows.loss_mw = standby;

  const std::int64_t sun_ac = std::min(times(input.sun_mw, kSunToAc), need);
  const std::int64_t sun_taken = std::min(over(sun_ac, kSunToAc), input.sun_mw);
  flows.loss_mw += sun_taken - sun_ac;
  std::int64_t sun_left = input.sun_mw - sun_taken;
  std::int64_t rest = need - sun_ac;

  const bool uses_battery = input.may_discharge && (!input.has_grid || input.soc > config_.reserve);
  if (rest > 0 && uses_battery) {
    const std::int64_t limit = times(input.discharge_max_mw, kBatteryToAc);
    const std::int64_t given = std::min(rest, limit);
    flows.battery_mw = -over(given, kBatteryToAc);
    flows.loss_mw += over(given, kBatteryToAc) - given;
    rest -= given;
  }
  flows.import_mw = rest;  // zero on an island: carries() has seen to it

  std::int64_t charge_left = input.may_charge && flows.battery_mw == 0 ? input.charge_max_mw : 0;
  const std::int64_t sun_charge = std::min(times(sun_left, kSunToBattery), charge_left);
  flows.battery_mw += sun_charge;
  charge_left -= sun_charge;
  const std::int64_t sun_stored = std::min(over(sun_charge, kSunToBattery), sun_left);
  flows.loss_mw += sun_stored - sun_charge;
  sun_left -= sun_stored;
  if (input.has_grid &&
      (input.soc < config_.reserve || (input.is_cheap && input.soc < config_.cheap_target))) {
    const std::int64_t grid_charge = std::min(times(config_.grid_charge_mw, kAcToBattery), charge_left);
    flows.battery_mw += grid_charge;
    flows.import_mw += over(grid_charge, kAcToBattery);
    flows.loss_mw += over(grid_charge, kAcToBattery) - grid_charge;
  }
  if (input.has_grid && config_.feeds_in) {
    // One meter: what is fed in while something is drawn only lowers the draw.
    const std::int64_t fed = times(sun_left, kSunToAc) - flows.import_mw;
    flows.export_mw = std::max<std::int64_t>(fed, 0);
    flows.import_mw = std::max<std::int64_t>(-fed, 0);
    flows.loss_mw += sun_left - times(sun_left, kSunToAc);
    sun_left = 0;
  }
  flows.curtailed_mw = sun_left;
  flows.sun_used_mw = input.sun_mw - sun_left;
  return flows;
}

}  // namespace amphora::sim
