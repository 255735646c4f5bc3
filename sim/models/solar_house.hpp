// SPDX-License-Identifier: Apache-2.0
// A day of sun and load, and the inverter/charger between house and battery.
//
// SolarHouse draws one day at a time, minute by minute: sun as a parabola between sunrise and sunset, dimmed
// by clouds that come and go; load as a base with a morning and an evening hump and appliances that switch on
// for a while. InverterCharger turns surplus and deficit into a battery current under the commands an energy
// controller gives it (charge voltage, charge and discharge current, low voltage): constant power, limited by
// current, limited by voltage through a slow integral regulator, as real chargers do. Integers throughout.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"

namespace amphora::sim {

struct HouseConfig {
  Watts sun_peak{6'000};
  Watts load_base{250};
  Watts load_hump{900};
  Watts appliance{2'000};
  std::int32_t sunrise_minute = 6 * 60;
  std::int32_t sunset_minute = 20 * 60;
  std::int32_t start_minute = 0;  // of the day, at world time 0
};

class SolarHouse {
 public:
  SolarHouse(const HouseConfig& config, Rng rng);

  // Draws the day of `now` if that is another one than the last. Call with non-decreasing times.
  void advance(TimePoint now);
  Watts sun() const { return Watts{sun_w_[minute_]}; }
  Watts load() const { return Watts{load_w_[minute_]}; }
  // Positive: more sun than load.
  Watts surplus() const { return sun() - load(); }

 private:
  static constexpr std::size_t kMinutesPerDay = 24 * 60;
  void draw_day();

  HouseConfig config_;
  Rng rng_;
  std::int64_t day_ = -1;
  std::size_t minute_ = 0;
  std::array<std::int32_t, kMinutesPerDay> sun_w_{};
  std::array<std::int32_t, kMinutesPerDay> load_w_{};
};

// What the energy controller hands to inverter and chargers; empty: no battery is controlled, nothing flows.
struct ChargeCommands {
  Millivolts charge_voltage;
  Milliamps charge_current;
  Milliamps discharge_current;
  Millivolts discharge_voltage;
};

class InverterCharger {
 public:
  // The battery current to ask for, positive charging. `terminal` is the voltage it measures.
  Milliamps step(const std::optional<ChargeCommands>& commands, Watts surplus, Millivolts terminal);

 private:
  std::int64_t voltage_cap_ma_ = 0;  // of the charge voltage regulator
};

}  // namespace amphora::sim
