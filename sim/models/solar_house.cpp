// SPDX-License-Identifier: Apache-2.0
#include "sim/models/solar_house.hpp"

#include <algorithm>

#include "sim/models/hump.hpp"

namespace amphora::sim {

namespace {

constexpr std::int64_t kMicrosecondsPerMinute = 60'000'000;
// Milliamperes of change per millivolt of error and step: slow enough for packs up to 50 mOhm.
constexpr std::int64_t kVoltageGain = 20;

}  // namespace

SolarHouse::SolarHouse(const HouseConfig& config, Rng rng) : config_{config}, rng_{rng} {
  advance(TimePoint{});
}

void SolarHouse::advance(TimePoint now) {
  const std::int64_t minute = to_microseconds(now) / kMicrosecondsPerMinute + config_.start_minute;
  minute_ = static_cast<std::size_t>(minute % static_cast<std::int64_t>(kMinutesPerDay));
  const std::int64_t day = minute / static_cast<std::int64_t>(kMinutesPerDay);
  if (day != day_) {
    day_ = day;
    draw_day();
  }
}

void SolarHouse::draw_day() {
  const std::int64_t day_permille = rng_.between(400, 1000);
  std::int64_t cloud_permille = 1000;
  std::int64_t appliance_minutes = 0;
  for (std::size_t i = 0; i < kMinutesPerDay; ++i) {
    const auto minute = static_cast<std::int64_t>(i);
    if (rng_.chance(150'000)) {
      cloud_permille = rng_.between(150, 1000);
    }
    const std::int64_t sun = hump_permille(minute, config_.sunrise_minute, config_.sunset_minute);
    sun_w_[i] = static_cast<std::int32_t>(config_.sun_peak.count() * sun / 1000 * day_permille / 1000 *
                                          cloud_permille / 1000);
    if (appliance_minutes == 0 && rng_.chance(10'000)) {
      appliance_minutes = rng_.between(5, 60);
    }
    const std::int64_t humps =
        hump_permille(minute, 6 * 60, 9 * 60) + hump_permille(minute, 17 * 60, 23 * 60);
    const std::int64_t appliance = appliance_minutes > 0 ? config_.appliance.count() : 0;
    appliance_minutes = std::max<std::int64_t>(appliance_minutes - 1, 0);
    const std::int64_t flicker = rng_.between(-50, 50);
    load_w_[i] = static_cast<std::int32_t>(config_.load_base.count() +
                                           config_.load_hump.count() * humps / 1000 + appliance + flicker);
  }
}

Milliamps InverterCharger::step(const std::optional<ChargeCommands>& commands, Watts surplus,
                                Millivolts terminal) {
  if (!commands || terminal <= Millivolts{0}) {
    voltage_cap_ma_ = 0;
    return Milliamps{0};
  }
  const std::int64_t wanted_ma = std::int64_t{surplus.count()} * 1'000'000 / terminal.count();
  if (wanted_ma <= 0) {
    const bool may_discharge = terminal > commands->discharge_voltage;
    voltage_cap_ma_ = commands->charge_current.count();
    return Milliamps{may_discharge ? std::max<std::int64_t>(wanted_ma, -commands->discharge_current.count())
                                   : 0};
  }
  const std::int64_t error_mv = commands->charge_voltage.count() - terminal.count();
  voltage_cap_ma_ = std::clamp<std::int64_t>(voltage_cap_ma_ + error_mv * kVoltageGain, 0,
                                             commands->charge_current.count());
  return Milliamps{std::min(wanted_ma, voltage_cap_ma_)};
}

}  // namespace amphora::sim
