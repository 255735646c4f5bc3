// SPDX-License-Identifier: Apache-2.0
#include "sim/models/house_battery.hpp"

#include <algorithm>
#include <array>

namespace amphora::sim {

namespace {

struct Knot {
  std::int64_t soc;      // 1/10,000
  std::int64_t open_uv;  // of one cell
};
// Typical LFP at 25 degrees, after rest.
constexpr auto kCurve = std::array{Knot{0, 2'900'000},     Knot{500, 3'110'000},   Knot{1'000, 3'190'000},
                                   Knot{2'000, 3'235'000}, Knot{4'000, 3'280'000}, Knot{7'000, 3'310'000},
                                   Knot{9'000, 3'335'000}, Knot{9'800, 3'365'000}, Knot{10'000, 3'440'000}};
constexpr std::int64_t kSeriesCells = 16;
constexpr std::int64_t kBasisPointsOne = 10'000;
constexpr std::int64_t kTaperBelowFull = 300;
constexpr std::int64_t kEmpty = 100;

}  // namespace

HouseBattery::HouseBattery(const HouseBatteryConfig& config)
    : config_{config},
      capacity_uas_{config.capacity.count() * 3'600'000'000},
      charge_uas_{capacity_uas_ / kBasisPointsOne * config.soc_start.count()},
      open_uv_{open_uv()},
      terminal_uv_{open_uv_} {}

BasisPoints HouseBattery::soc() const {
  return BasisPoints{
      std::clamp<std::int64_t>(charge_uas_ * kBasisPointsOne / capacity_uas_, 0, kBasisPointsOne)};
}

std::int64_t HouseBattery::open_uv() const {
  const std::int64_t unit = capacity_uas_ / kBasisPointsOne;
  std::size_t i = 1;
  while (i + 1 < kCurve.size() && charge_uas_ > kCurve[i].soc * unit) {
    ++i;
  }
  const Knot& low = kCurve[i - 1];
  const Knot& high = kCurve[i];
  const std::int64_t above = charge_uas_ - low.soc * unit;
  const std::int64_t width = (high.soc - low.soc) * unit;
  return kSeriesCells * low.open_uv +
         kSeriesCells * (high.open_uv - low.open_uv) * (above / 1000) / (width / 1000);
}

std::int64_t HouseBattery::charge_max_mw() const {
  const std::int64_t left = kBasisPointsOne - charge_uas_ * kBasisPointsOne / capacity_uas_;
  const std::int64_t current_ma =
      config_.charge_max.count() * std::clamp<std::int64_t>(left, 0, kTaperBelowFull) / kTaperBelowFull;
  return current_ma * (open_uv_ / 1000) / 1000;
}

std::int64_t HouseBattery::discharge_max_mw() const {
  if (soc().count() <= kEmpty) {
    return 0;
  }
  // A tenth is kept back for the voltage drop under load.
  return std::int64_t{config_.discharge_max.count()} * (open_uv_ / 1000) / 1000 * 9 / 10;
}

void HouseBattery::step(std::int64_t power_mw, std::int64_t step_ms) {
  // P = (U + I R) I, by iteration from the open-circuit voltage: exact to a millionth after three rounds.
  std::int64_t current_ua = 0;
  std::int64_t terminal_uv = open_uv_;
  if (power_mw != 0) {
    for (int round = 0; round < 3; ++round) {
      current_ua = power_mw * 1'000'000'000 / terminal_uv;
      terminal_uv = open_uv_ + current_ua / 1000 * config_.resistance_uohm / 1000;
    }
  }
  current_ua_ = current_ua;
  terminal_uv_ = terminal_uv;
  const std::int64_t current_ma = current_ua / 1000;
  loss_mw_ = current_ma * current_ma / 1000 * config_.resistance_uohm / 1'000'000;
  charge_uas_ += current_ua * step_ms / 1000;
  open_uv_ = open_uv();
}

std::int64_t HouseBattery::stored_mj() const {
  // Trapezoids between the knots. Milliampere seconds times microvolts are nanojoules.
  const std::int64_t unit = capacity_uas_ / kBasisPointsOne;
  std::int64_t energy_nj = 0;
  for (std::size_t i = 1; i < kCurve.size(); ++i) {
    const bool is_last = i + 1 == kCurve.size() || charge_uas_ <= kCurve[i].soc * unit;
    const std::int64_t from = kCurve[i - 1].soc * unit;
    const std::int64_t until = is_last ? charge_uas_ : kCurve[i].soc * unit;
    const std::int64_t high_uv = is_last ? open_uv_ : kSeriesCells * kCurve[i].open_uv;
    energy_nj += (until - from) / 1000 * ((kSeriesCells * kCurve[i - 1].open_uv + high_uv) / 2);
    if (is_last) {
      break;
    }
  }
  return energy_nj / 1'000'000;
}

}  // namespace amphora::sim
