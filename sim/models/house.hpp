// SPDX-License-Identifier: Apache-2.0
// What shines on a house and what the people in it switch on, for years.
//
// SunModel: a parabola between sunrise and sunset whose length and height follow the season (8 to 16 hours,
// 30 to 100 per cent), times the day's weather (a chain of clear, mixed and overcast days: weather lasts),
// times clouds that come and go by the minute. It follows the sun, not the clock on the wall.
//
// HouseLoads: people live by the clock on the wall. Each circuit has a character of its own:
//   base    standing load, a fridge that cycles, a morning and an evening hump, an oven on most evenings that
//           takes bursts of 2.4 kW
//   pump    the pool's, on a timer in the warm half of the year; what it misses is lost
//   heater  hot water with a thermostat: kept off, it takes longer afterwards, at the worst moment
//   car     comes home on working days needing 3 to 14 kWh, leaves in the morning whether full or not
//
// Powers are milliwatts, energies millijoules (1 W over 1 ms). Integers throughout; every draw of a random
// number happens at most once a minute of simulated time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/rng.hpp"

namespace amphora::sim {

inline constexpr std::int64_t kSecondsPerDay = 86'400;

enum class Circuit : std::uint8_t { kBase, kPump, kHeater, kCar, kCount };
inline constexpr std::size_t kCircuitCount = static_cast<std::size_t>(Circuit::kCount);
constexpr std::string_view to_text(Circuit circuit) {
  constexpr std::string_view kNames[] = {"base", "pool_pump", "water_heater", "car"};
  return kNames[static_cast<std::size_t>(circuit)];
}
template <class T>
using PerCircuit = std::array<T, kCircuitCount>;

// 0 at the winter solstice, 1000 at the summer one, smooth in between. `unix_day`: days since 1970.
std::int64_t season_permille(std::int64_t unix_day);

struct SunConfig {
  std::int64_t peak_mw = 6'000'000;  // of the panels, at noon of a clear day in June
  std::int32_t noon_utc_s = 11 * 3600;
};

class SunModel {
 public:
  SunModel(const SunConfig& config, Rng rng) : config_{config}, rng_{rng} {}
  // What the panels could give now. Call with times that do not run backwards.
  std::int64_t advance(std::int64_t unix_s);

 private:
  enum class Sky : std::uint8_t { kClear, kMixed, kOvercast };
  void start_day(std::int64_t day);

  SunConfig config_;
  Rng rng_;
  std::int64_t day_ = -1;
  std::int64_t minute_ = -1;
  Sky sky_ = Sky::kMixed;
  std::int64_t half_day_s_ = 0;
  std::int64_t peak_mw_ = 0;
  std::int64_t cloud_permille_ = 1000;
  std::int64_t power_mw_ = 0;
};

struct LoadConfig {
  std::int64_t standing_mw = 180'000;
  std::int64_t hump_mw = 700'000;
  std::int64_t oven_mw = 2'400'000;
  std::int64_t pump_mw = 1'100'000;
  std::int64_t heater_mw = 2'000'000;
  std::int64_t car_mw = 3'600'000;
};

class HouseLoads {
 public:
  HouseLoads(const LoadConfig& config, Rng rng) : config_{config}, rng_{rng} {}

  // `local_s`: seconds since 1970 as the clock on the wall counts them. It may step by an hour.
  void advance(std::int64_t local_s);
  // What a circuit takes while it has voltage.
  std::int64_t wanted_mw(Circuit circuit) const { return wanted_mw_[static_cast<std::size_t>(circuit)]; }
  // What the circuits got: fills the tank and the car.
  void take(Circuit circuit, std::int64_t energy_mj);
  // What cars lacked when they left.
  std::int64_t car_missed_mj() const { return car_missed_mj_; }

 private:
  void start_day(std::int64_t day);
  void start_minute(std::int64_t minute_of_day);
  std::int64_t base_mw(std::int64_t minute_of_day);

  LoadConfig config_;
  Rng rng_;
  std::int64_t day_ = -1;
  std::int64_t minute_ = -1;
  bool is_working_day_ = true;
  std::int64_t season_ = 0;
  PerCircuit<std::int64_t> wanted_mw_{};

  std::int64_t oven_from_ = 0;  // minutes of the day
  std::int64_t oven_until_ = 0;
  std::int64_t tank_lacks_mj_ = 0;
  bool is_heating_ = false;
  std::int64_t car_comes_ = 0;  // minute of the day; 0: not today
  bool is_car_here_ = false;
  std::int64_t car_lacks_mj_ = 0;
  std::int64_t car_missed_mj_ = 0;
};

}  // namespace amphora::sim
