// SPDX-License-Identifier: Apache-2.0
#include "sim/models/pack_protection.hpp"

namespace amphora::sim {

void PackProtection::judge(TimePoint now, ProtectionFault fault, bool is_bad, bool is_good) {
  State& state = faults_[index(fault)];
  if (is_bad || state.is_forced) {
    state.clear_since = kNever;
    state.cause_since = earliest(state.cause_since, now);
    const bool is_due = state.is_forced || now - state.cause_since >= config_.delay;
    if (is_due && !state.is_active) {
      state.is_active = true;
      ++trip_count_;
    }
    return;
  }
  state.cause_since = kNever;
  if (!state.is_active || !is_good) {
    state.clear_since = kNever;
    return;
  }
  state.clear_since = earliest(state.clear_since, now);
  if (now - state.clear_since >= config_.recovery) {
    state.is_active = false;
    state.clear_since = kNever;
  }
}

void PackProtection::handle_measurement(TimePoint now, const BatteryPack& pack, Milliamps wanted) {
  const Millivolts low = quantity_cast<Millivolts>(pack.cell_min());
  const Millivolts high = quantity_cast<Millivolts>(pack.cell_max());
  const Decicelsius temperature = pack.temperature();
  judge(now, ProtectionFault::kUnderVoltage, low < config_.under_voltage,
        low >= config_.under_voltage + config_.voltage_margin);
  judge(now, ProtectionFault::kOverVoltage, high > config_.over_voltage,
        high <= config_.over_voltage - config_.voltage_margin);
  judge(now, ProtectionFault::kOverTemperature, temperature > config_.over_temperature,
        temperature <= config_.over_temperature - config_.temperature_margin);
  const Milliamps flowing = pack.current();
  judge(now, ProtectionFault::kDischargeOverCurrent, -flowing > config_.discharge_over_current,
        -wanted <= config_.discharge_over_current);
  judge(now, ProtectionFault::kChargeOverCurrent, flowing > config_.charge_over_current,
        wanted <= config_.charge_over_current);
  const bool is_cold = temperature < config_.charge_low_temperature;
  judge(now, ProtectionFault::kLowTemperatureCharge, is_cold && flowing > Milliamps{0},
        temperature >= config_.charge_low_temperature + config_.temperature_margin);
}

void PackProtection::force(ProtectionFault fault, bool is_forced) {
  faults_[index(fault)].is_forced = is_forced;
}

bool PackProtection::has_any() const {
  for (const State& state : faults_) {
    if (state.is_active) {
      return true;
    }
  }
  return false;
}

bool PackProtection::allows_charge() const {
  return !is_active(ProtectionFault::kOverVoltage) && !is_active(ProtectionFault::kOverTemperature) &&
         !is_active(ProtectionFault::kChargeOverCurrent) &&
         !is_active(ProtectionFault::kLowTemperatureCharge);
}

bool PackProtection::allows_discharge() const {
  return !is_active(ProtectionFault::kUnderVoltage) && !is_active(ProtectionFault::kOverTemperature) &&
         !is_active(ProtectionFault::kDischargeOverCurrent);
}

Milliamps PackProtection::limited(Milliamps wanted) const {
  if (wanted > Milliamps{0}) {
    return allows_charge() ? wanted : Milliamps{0};
  }
  return allows_discharge() ? wanted : Milliamps{0};
}

}  // namespace amphora::sim
