// SPDX-License-Identifier: Apache-2.0
// The AC side of one emulated pack: sun on the roof and loads behind relays, on a day that passes faster than
// a real one.
//
//   inverter output = base load (+ pool pump + water heater, unless they are wired outside), 0 W while open
//   grid            = home + battery - sun, 0 W while the grid relay is open
//   home            = inverter output (+ the loads outside)
//
// Sun and people are the simulator's (sim/models/house.hpp). It always is the day of the longest sun, so that
// the pool is in use; the weather changes from day to day. A water heater that had no voltage heats longer
// afterwards, a pool pump does not.
#pragma once

#include <cstdint>

#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "sim/models/house.hpp"

namespace amphora::emulate {

// What a pack says about itself. Not said: closed, and no power.
struct PackState {
  bool is_grid_closed = true;
  bool is_inverter_closed = true;
  bool is_pump_closed = true;
  bool is_heater_closed = true;
  Watts battery{0};  // positive while charging
  friend constexpr bool operator==(const PackState&, const PackState&) = default;
};

struct HousePowers {
  Watts grid{0};  // positive on import
  Watts inverter_output{0};
  Watts pool_pump{0};
  Watts water_heater{0};
  Watts sun{0};
};

struct LivingHouseConfig {
  std::uint64_t seed = 1;
  std::int64_t day_seconds = 600;  // real seconds for a day in the house
  bool is_outside = false;         // pool pump and water heater are not behind the inverter output
};

inline constexpr std::int64_t kHouseStartMinute = 6 * 60 + 30;

class LivingHouse {
 public:
  explicit LivingHouse(const LivingHouseConfig& config);

  // To be called about once a second, with times that do not run backwards.
  HousePowers advance(TimePoint now, const PackState& pack);
  // The clock in the house goes on to this minute of the day, of tomorrow if it has passed.
  void skip_to(std::int64_t minute_of_day);
  std::int64_t minute_of_day() const;

 private:
  void step_minute(const PackState& pack);
  bool has_voltage(bool is_closed, const PackState& pack) const;

  LivingHouseConfig config_;
  Rng rng_;
  sim::SunModel sun_;
  sim::HouseLoads loads_;
  std::int64_t local_s_;  // as the clock in the house shows it
  std::int64_t rest_ms_ = 0;
  std::int64_t sun_mw_ = 0;
  TimePoint last_{};
  bool has_begun_ = false;
};

}  // namespace amphora::emulate
