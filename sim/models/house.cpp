// SPDX-License-Identifier: Apache-2.0
#include "sim/models/house.hpp"

#include <algorithm>

#include "sim/models/hump.hpp"

namespace amphora::sim {

namespace {

constexpr std::int64_t kMinutesPerDay = 1'440;
constexpr std::int64_t kMinutesPerHour = 60;
constexpr std::int64_t kSecondsPerHour = 3'600;
constexpr std::int64_t kMillijoulesPerWattHour = 3'600'000;
constexpr std::int64_t kWinterSolsticeDay = 20'443;  // 2025-12-21
constexpr std::int64_t kYearHundredths = 36'525;     // hundredths of a day

}  // namespace

std::int64_t season_permille(std::int64_t unix_day) {
  std::int64_t phase = (unix_day - kWinterSolsticeDay) * 100 % kYearHundredths;
  phase = phase < 0 ? phase + kYearHundredths : phase;
  const std::int64_t half = kYearHundredths / 2;
  const std::int64_t x = (phase <= half ? phase : kYearHundredths - phase) * 1000 / half;
  return x * x * (3000 - 2 * x) / 1'000'000;
}

void SunModel::start_day(std::int64_t day) {
  const std::int64_t season = season_permille(day);
  half_day_s_ = 4 * kSecondsPerHour + 4 * kSecondsPerHour * season / 1000;
  const std::uint32_t turn = rng_.below(1000);
  // Tomorrow is like today in six cases of ten. Winters are darker.
  if (turn >= 600) {
    const auto clear = static_cast<std::uint32_t>(100 + season / 4);
    sky_ = turn < 600 + clear ? Sky::kClear : (turn < 880 ? Sky::kMixed : Sky::kOvercast);
  }
  const std::int64_t haze = rng_.between(880, 1000);
  peak_mw_ = config_.peak_mw * (300 + 700 * season / 1000) / 1000 * haze / 1000;
}

std::int64_t SunModel::advance(std::int64_t unix_s) {
  const std::int64_t solar_s = unix_s - config_.noon_utc_s + kSecondsPerDay / 2;
  if (solar_s / 60 == minute_) {
    return power_mw_;
  }
  minute_ = solar_s / 60;
  if (solar_s / kSecondsPerDay != day_) {
    day_ = solar_s / kSecondsPerDay;
    start_day(day_);
  }
  const std::uint32_t turn = rng_.below(100);
  if (sky_ == Sky::kClear) {
    cloud_permille_ = 1000;
  } else if (turn < 12) {
    cloud_permille_ = sky_ == Sky::kMixed ? rng_.between(250, 1000) : rng_.between(60, 300);
  }
  const std::int64_t noon = kSecondsPerDay / 2;
  const std::int64_t sun = hump_permille(solar_s % kSecondsPerDay, noon - half_day_s_, noon + half_day_s_);
  power_mw_ = peak_mw_ * sun / 1000 * cloud_permille_ / 1000;
  return power_mw_;
}

void HouseLoads::start_day(std::int64_t day) {
  season_ = season_permille(day);
  is_working_day_ = (day + 3) % 7 < 5;
  oven_from_ = rng_.between(17 * kMinutesPerHour + 30, 19 * kMinutesPerHour + 30);
  const std::int64_t oven_minutes = rng_.between(40, 80);
  oven_until_ = rng_.chance(600'000) ? oven_from_ + oven_minutes : 0;
  car_comes_ = rng_.between(17 * kMinutesPerHour + 15, 19 * kMinutesPerHour);
  car_comes_ = is_working_day_ ? car_comes_ : 0;
}

std::int64_t HouseLoads::base_mw(std::int64_t minute_of_day) {
  const std::int64_t humps = hump_permille(minute_of_day, 6 * kMinutesPerHour, 9 * kMinutesPerHour) +
                             hump_permille(minute_of_day, 17 * kMinutesPerHour, 23 * kMinutesPerHour);
  const std::int64_t fridge = minute_of_day % 60 < 20 ? 120'000 : 0;
  // The oven's thermostat: three minutes on, two off, after ten minutes of heating up.
  const bool is_oven_on = minute_of_day >= oven_from_ && minute_of_day < oven_until_ &&
                          (minute_of_day < oven_from_ + 10 || minute_of_day % 5 < 3);
  const std::int64_t flicker = rng_.between(-30'000, 60'000);
  return config_.standing_mw + config_.hump_mw * humps / 1000 + fridge + (is_oven_on ? config_.oven_mw : 0) +
         flicker;
}

void HouseLoads::start_minute(std::int64_t minute_of_day) {
  // Hot water: somebody is under the shower, now and then somebody washes up; the tank also cools.
  const bool is_shower_time =
      (minute_of_day >= 6 * kMinutesPerHour + 20 && minute_of_day < 8 * kMinutesPerHour) ||
      (minute_of_day >= 20 * kMinutesPerHour && minute_of_day < 22 * kMinutesPerHour);
  const bool is_drawn = rng_.chance(is_shower_time ? 18'000 : 2'000);
  const std::int64_t drawn_wh = rng_.between(300, 1'500);
  tank_lacks_mj_ += kMillijoulesPerWattHour + (is_drawn ? drawn_wh * kMillijoulesPerWattHour : 0);
  tank_lacks_mj_ = std::min(tank_lacks_mj_, 8'000 * kMillijoulesPerWattHour);
  is_heating_ = tank_lacks_mj_ > (is_heating_ ? 0 : 800) * kMillijoulesPerWattHour;

  const std::int64_t need_wh = rng_.between(3'000, 14'000);
  if (minute_of_day == car_comes_ && car_comes_ != 0) {
    is_car_here_ = true;
    car_lacks_mj_ = need_wh * kMillijoulesPerWattHour;
  }
  if (is_car_here_ && is_working_day_ && minute_of_day == 7 * kMinutesPerHour + 30) {
    is_car_here_ = false;
    car_missed_mj_ += std::max<std::int64_t>(car_lacks_mj_, 0);
  }
  const bool is_pump_time =
      season_ > 400 && minute_of_day >= 10 * kMinutesPerHour && minute_of_day < 16 * kMinutesPerHour;
  wanted_mw_ = {base_mw(minute_of_day), is_pump_time ? config_.pump_mw : 0,
                is_heating_ ? config_.heater_mw : 0, is_car_here_ && car_lacks_mj_ > 0 ? config_.car_mw : 0};
}

void HouseLoads::advance(std::int64_t local_s) {
  const std::int64_t minute = local_s / 60;
  if (minute == minute_) {
    return;
  }
  minute_ = minute;
  if (minute / kMinutesPerDay != day_) {
    day_ = minute / kMinutesPerDay;
    start_day(day_);
  }
  start_minute(minute % kMinutesPerDay);
}

void HouseLoads::take(Circuit circuit, std::int64_t energy_mj) {
  if (circuit == Circuit::kHeater) {
    tank_lacks_mj_ -= energy_mj;
  } else if (circuit == Circuit::kCar) {
    car_lacks_mj_ -= energy_mj;
  }
}

}  // namespace amphora::sim
