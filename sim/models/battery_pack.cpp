// SPDX-License-Identifier: Apache-2.0
#include "sim/models/battery_pack.hpp"

#include <algorithm>
#include <iterator>

#include "core/base/assert.hpp"

namespace amphora::sim {

namespace {

struct CurvePoint {
  std::int64_t soc_millionths;
  std::int64_t uv;
};

// Shape of a large-format LFP cell at rest, as cell makers' data sheets show it: two plateaus, a step near
// 60 %, knees at both ends.
constexpr CurvePoint kCurve[] = {
    {-50'000, 1'500'000},   {0, 2'600'000},         {20'000, 2'850'000},   {50'000, 3'050'000},
    {100'000, 3'200'000},   {150'000, 3'225'000},   {200'000, 3'245'000},  {300'000, 3'280'000},
    {400'000, 3'290'000},   {500'000, 3'295'000},   {600'000, 3'302'000},  {700'000, 3'325'000},
    {800'000, 3'330'000},   {900'000, 3'334'000},   {950'000, 3'342'000},  {980'000, 3'365'000},
    {1'000'000, 3'450'000}, {1'020'000, 3'700'000}, {1'100'000, 4'600'000}};

constexpr std::int64_t kMilliampMillisecondsPerMilliampHour = 3'600'000;

}  // namespace

Microvolts lfp_open_circuit(std::int64_t soc_millionths) {
  const std::int64_t soc =
      std::clamp(soc_millionths, kCurve[0].soc_millionths, std::end(kCurve)[-1].soc_millionths);
  std::size_t upper = 1;
  while (kCurve[upper].soc_millionths < soc) {
    ++upper;
  }
  const CurvePoint& low = kCurve[upper - 1];
  const CurvePoint& high = kCurve[upper];
  return Microvolts{low.uv + (high.uv - low.uv) * (soc - low.soc_millionths) /
                                 (high.soc_millionths - low.soc_millionths)};
}

BatteryPack::BatteryPack(const PackConfig& config, Rng rng)
    : config_{config},
      temperature_uk_{std::int64_t{config.ambient.count()} * 100'000},
      ambient_uk_{temperature_uk_} {
  AMPHORA_ASSERT(config.cell_count >= 4 && config.cell_count <= kPackCellCountMax);
  for (std::size_t i = 0; i < config_.cell_count; ++i) {
    Cell& cell = cells_[i];
    const std::int64_t nominal =
        std::int64_t{config_.capacity.count()} * kMilliampMillisecondsPerMilliampHour;
    const std::int64_t permille =
        1000 + rng.between(-config_.capacity_spread_permille, config_.capacity_spread_permille);
    cell.capacity = nominal / 1000 * permille;
    cell.millionth = std::max<std::int64_t>(cell.capacity / 1'000'000, 1);
    const std::int64_t soc =
        config_.soc_start.count() + rng.between(-config_.soc_spread.count(), config_.soc_spread.count());
    cell.charge = cell.capacity / 10'000 * soc;
    cell.resistance_uohm = config_.resistance.count() * rng.between(900, 1100) / 1000;
    cell.self_discharge_ua = rng.between(0, std::int64_t{2} * config_.self_discharge_ua);
  }
  measure();
}

void BatteryPack::advance(TimePoint now) {
  while (now - integrated_to_ >= kStep) {
    integrated_to_ += kStep;
    step();
  }
}

void BatteryPack::set_soc(std::size_t cell, BasisPoints soc) {
  AMPHORA_ASSERT(cell < config_.cell_count);
  cells_[cell].charge = cells_[cell].capacity / 10'000 * soc.count();
  measure();
}

std::int64_t BatteryPack::resistance_factor_permille() const {
  // 1 at 25 °C and above, 2 at 0 °C, 3 at -25 °C.
  const std::int64_t below_25 = 25'000'000 - temperature_uk_;
  return below_25 <= 0 ? 1000 : 1000 + below_25 / 25'000;
}

void BatteryPack::step() {
  const std::int64_t current_ma = current_.count();
  std::int64_t loss_pw = 0;
  for (std::size_t i = 0; i < config_.cell_count; ++i) {
    Cell& cell = cells_[i];
    const bool is_bleeding = (balancing_ & (1U << i)) != 0;
    const std::int64_t cell_ma = current_ma - (is_bleeding ? config_.balance_current.count() : 0);
    cell.charge += cell_ma * 1000 - cell.self_discharge_ua;
    const std::int64_t target_uv = cell_ma * config_.polarisation_resistance.count() / 1000;
    cell.polarisation_uv += (target_uv - cell.polarisation_uv) / config_.polarisation_seconds;
    loss_pw += current_ma * current_ma * (cell.resistance_uohm + config_.polarisation_resistance.count());
  }
  measure();
  // mA² * µOhm is 10^-12 W; divided by J/K and over one second it is microkelvin after the factor 10^-6.
  const std::int64_t heat_uw = loss_pw / 1'000'000 * resistance_factor_permille() / 1000;
  const std::int64_t away_uw = (temperature_uk_ - ambient_uk_) / 1000 * config_.conductance_mw_per_k;
  temperature_uk_ += (heat_uw - away_uw) / config_.heat_capacity_j_per_k;

  const std::int64_t energy_uj = voltage_uv_ / 1000 * current_ma;
  if (current_ma > 0) {
    energy_in_uj_ += energy_uj;
    charge_in_mas_ += current_ma;
  } else {
    energy_out_uj_ -= energy_uj;
    charge_out_mas_ -= current_ma;
  }
}

void BatteryPack::measure() {
  const std::int64_t current_ma = current_.count();
  const std::int64_t factor = resistance_factor_permille();
  voltage_uv_ = 0;
  for (std::size_t i = 0; i < config_.cell_count; ++i) {
    Cell& cell = cells_[i];
    const std::int64_t drop_uv = current_ma * cell.resistance_uohm / 1000 * factor / 1000;
    const std::int64_t open_uv = lfp_open_circuit(cell.charge / cell.millionth).count();
    cell.voltage_uv = std::max<std::int64_t>(open_uv + drop_uv + cell.polarisation_uv, 0);
    voltage_uv_ += cell.voltage_uv;
    min_uv_ = i == 0 ? cell.voltage_uv : std::min(min_uv_, cell.voltage_uv);
    max_uv_ = i == 0 ? cell.voltage_uv : std::max(max_uv_, cell.voltage_uv);
  }
}

Decicelsius BatteryPack::temperature() const {
  return Decicelsius{scale_rounded(temperature_uk_, 1, 100'000)};
}

Decicelsius BatteryPack::ambient() const {
  return Decicelsius{scale_rounded(ambient_uk_, 1, 100'000)};
}

std::int64_t BatteryPack::soc_micropercent(std::size_t cell) const {
  const std::int64_t soc = cells_[cell].charge / (cells_[cell].millionth / 100);
  return std::clamp<std::int64_t>(soc, 0, 100'000'000);
}

BasisPoints BatteryPack::soc() const {
  std::int64_t lowest_charge = cells_[0].charge;
  std::int64_t lowest_room = cells_[0].capacity - cells_[0].charge;
  for (std::size_t i = 1; i < config_.cell_count; ++i) {
    lowest_charge = std::min(lowest_charge, cells_[i].charge);
    lowest_room = std::min(lowest_room, cells_[i].capacity - cells_[i].charge);
  }
  lowest_charge = std::max<std::int64_t>(lowest_charge, 0);
  lowest_room = std::max<std::int64_t>(lowest_room, 0);
  const std::int64_t usable = std::max<std::int64_t>(lowest_charge + lowest_room, 1);
  return BasisPoints{lowest_charge / std::max<std::int64_t>(usable / 10'000, 1)};
}

}  // namespace amphora::sim
