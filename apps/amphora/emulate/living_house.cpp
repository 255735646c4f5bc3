// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/living_house.hpp"

namespace amphora::emulate {

namespace {

constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kMinutesPerDay = 1'440;
constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kLongestDay = 20'625;  // 2026-06-21
// Days go on beyond that by the seed, so that not every house has the same weather; two weeks are no season.
constexpr std::int64_t kDaysMax = 14;
constexpr std::int64_t kFlickerMw = 8'000;

Watts to_watts(std::int64_t mw) {
  return Watts{static_cast<std::int32_t>(scale_rounded(mw, 1, 1000))};
}

}  // namespace

LivingHouse::LivingHouse(const LivingHouseConfig& config)
    : config_{config},
      rng_{config.seed},
      sun_{{.noon_utc_s = 13 * 3600}, rng_.fork()},
      loads_{{}, rng_.fork()},
      local_s_{(kLongestDay + rng_.between(0, kDaysMax)) * kSecondsPerDay + kHouseStartMinute * kMinute} {
  step_minute({});
}

std::int64_t LivingHouse::minute_of_day() const {
  return local_s_ / kMinute % kMinutesPerDay;
}

bool LivingHouse::has_voltage(bool is_closed, const PackState& pack) const {
  return is_closed && (config_.is_outside || pack.is_inverter_closed);
}

void LivingHouse::step_minute(const PackState& pack) {
  loads_.advance(local_s_);
  sun_mw_ = sun_.advance(local_s_);
  if (has_voltage(pack.is_heater_closed, pack)) {
    loads_.take(sim::Circuit::kHeater, loads_.wanted_mw(sim::Circuit::kHeater) * kMinute);
  }
}

void LivingHouse::skip_to(std::int64_t minute_of_day) {
  while (this->minute_of_day() != minute_of_day) {
    local_s_ += kMinute;
    step_minute({});
  }
}

HousePowers LivingHouse::advance(TimePoint now, const PackState& pack) {
  if (has_begun_) {
    rest_ms_ += to_milliseconds(now - last_) * kSecondsPerDay / config_.day_seconds;
  }
  has_begun_ = true;
  last_ = now;
  for (; rest_ms_ >= kMinute * 1000; rest_ms_ -= kMinute * 1000) {
    local_s_ += kMinute;
    step_minute(pack);
  }
  const auto power_of = [&](sim::Circuit circuit, bool is_closed) {
    const std::int64_t flicker_mw = rng_.between(-kFlickerMw, kFlickerMw);
    const std::int64_t wanted_mw = loads_.wanted_mw(circuit);
    return to_watts(is_closed && wanted_mw > 0 ? wanted_mw + flicker_mw : 0);
  };
  HousePowers powers;
  powers.sun = to_watts(sun_mw_);
  powers.pool_pump = power_of(sim::Circuit::kPump, has_voltage(pack.is_pump_closed, pack));
  powers.water_heater = power_of(sim::Circuit::kHeater, has_voltage(pack.is_heater_closed, pack));
  const Watts base = power_of(sim::Circuit::kBase, pack.is_inverter_closed);
  const Watts home = base + powers.pool_pump + powers.water_heater;
  powers.inverter_output = config_.is_outside ? base : home;
  powers.grid = pack.is_grid_closed ? home + pack.battery - powers.sun : Watts{0};
  return powers;
}

}  // namespace amphora::emulate
