// SPDX-License-Identifier: Apache-2.0
// A pack of 16 LFP cells, reduced to what an energy balance needs: charge, open-circuit voltage, resistance.
//
// The state is charge, counted in microampere seconds; energy is never stored but follows from it, as the
// integral of the open-circuit curve. A balance over charge and powers is therefore a real check: the two
// come from different sums. Integers throughout.
#pragma once

#include <cstdint>

#include "core/base/units.hpp"

namespace amphora::sim {

struct HouseBatteryConfig {
  AmpHours capacity{280};
  std::int64_t resistance_uohm = 12'000;  // of the whole pack
  Milliamps charge_max{100'000};
  Milliamps discharge_max{180'000};
  BasisPoints soc_start{5'000};
};

class HouseBattery {
 public:
  explicit HouseBattery(const HouseBatteryConfig& config);

  // What may flow at the terminals now. Charging tapers over the last three per cent, discharging stops at
  // one.
  std::int64_t charge_max_mw() const;
  std::int64_t discharge_max_mw() const;

  // A power at the terminals, positive charging, for a while. The caller keeps to the two limits above.
  void step(std::int64_t power_mw, std::int64_t step_ms);

  BasisPoints soc() const;
  Millivolts voltage() const { return Millivolts{terminal_uv_ / 1000}; }
  Milliamps current() const { return Milliamps{current_ua_ / 1000}; }
  std::int64_t loss_mw() const { return loss_mw_; }
  // What could be taken out without losses, in millijoules.
  std::int64_t stored_mj() const;

 private:
  std::int64_t open_uv() const;

  HouseBatteryConfig config_;
  std::int64_t capacity_uas_ = 0;
  std::int64_t charge_uas_ = 0;
  std::int64_t open_uv_ = 0;  // at the present charge
  std::int64_t current_ua_ = 0;
  std::int64_t terminal_uv_ = 0;
  std::int64_t loss_mw_ = 0;
};

}  // namespace amphora::sim
