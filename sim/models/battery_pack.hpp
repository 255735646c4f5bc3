// SPDX-License-Identifier: Apache-2.0
// A pack of 4 to 16 LFP cells in series, as physics: the ground truth behind every BMS reading.
//
// Each cell has its own capacity, state of charge, resistance and self-discharge, spread around the nominal
// values by a seed, so that a pack drifts apart and needs balancing. For each step of one second:
//   charge        += (pack current - bleeding current - self-discharge) * 1 s
//   open circuit   = table over the state of charge, straight lines between (typical LFP curve at 25 °C)
//   polarisation  += (current * R_polarisation - polarisation) / time constant
//   cell voltage   = open circuit + current * R(temperature) + polarisation
//   temperature   += (sum of I²R - conductance * (temperature - ambient)) / heat capacity
// R doubles from 25 °C to about 0 °C. All numbers are integers: microvolts, milliamperes, microohms,
// milliampere-milliseconds, microkelvin, so every compiler computes the same pack.
//
// Cells are allowed to leave their safe range; what stops the current is PackProtection, as in a real BMS.
// advance() integrates lazily up to the asked time; a change of current takes effect from the next whole
// second on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"

namespace amphora::sim {

inline constexpr std::size_t kPackCellCountMax = 16;

struct PackConfig {
  std::uint16_t cell_count = 16;    // 4…16
  MilliampHours capacity{100'000};  // nominal, of each cell
  BasisPoints soc_start{5'000};
  BasisPoints soc_spread{60};  // largest difference of a cell from soc_start
  std::int32_t capacity_spread_permille = 10;
  Microohms resistance{600};  // ohmic, each cell, at 25 °C
  Microohms polarisation_resistance{400};
  std::int32_t polarisation_seconds = 60;
  std::int32_t self_discharge_ua = 200;  // each cell, spread from nothing to twice this
  Milliamps balance_current{150};
  Decicelsius ambient{200};
  std::int64_t heat_capacity_j_per_k = 30'000;
  std::int64_t conductance_mw_per_k = 4'000;
};

class BatteryPack {
 public:
  static constexpr Duration kStep{1'000'000};

  BatteryPack(const PackConfig& config, Rng rng);

  // Integrates whole steps up to `now`. Earlier times are no change.
  void advance(TimePoint now);
  // Positive charges. In force until changed.
  void set_current(Milliamps current) { current_ = current; }
  // Bit i bleeds cell i.
  void set_balancing(std::uint32_t cells) { balancing_ = cells; }
  void set_ambient(Decicelsius ambient) { ambient_uk_ = std::int64_t{ambient.count()} * 100'000; }
  // The whole pack jumps to another temperature, as a fault.
  void set_temperature(Decicelsius temperature) {
    temperature_uk_ = std::int64_t{temperature.count()} * 100'000;
  }
  // Puts a cell at another state of charge, as a fault.
  void set_soc(std::size_t cell, BasisPoints soc);

  std::size_t cell_count() const { return config_.cell_count; }
  const PackConfig& config() const { return config_; }
  Milliamps current() const { return current_; }
  std::uint32_t balancing() const { return balancing_; }
  Microvolts cell_voltage(std::size_t cell) const { return Microvolts{cells_[cell].voltage_uv}; }
  Microvolts voltage() const { return Microvolts{voltage_uv_}; }
  Microvolts cell_min() const { return Microvolts{min_uv_}; }
  Microvolts cell_max() const { return Microvolts{max_uv_}; }
  Decicelsius temperature() const;
  Decicelsius ambient() const;
  // Of one cell, in millionths of a per cent, clamped to 0…100 %.
  std::int64_t soc_micropercent(std::size_t cell) const;
  // Of the pack: what can be taken out before the first cell is empty, over what could be at best.
  BasisPoints soc() const;
  // Since the start, into and out of the terminals.
  MilliwattHours energy_in() const { return MilliwattHours{energy_in_uj_ / 3'600'000}; }
  MilliwattHours energy_out() const { return MilliwattHours{energy_out_uj_ / 3'600'000}; }
  std::int64_t charge_in_mas() const { return charge_in_mas_; }
  std::int64_t charge_out_mas() const { return charge_out_mas_; }

 private:
  struct Cell {
    std::int64_t capacity = 0;  // mA*ms
    std::int64_t charge = 0;    // mA*ms
    std::int64_t resistance_uohm = 0;
    std::int64_t self_discharge_ua = 0;
    std::int64_t polarisation_uv = 0;
    std::int64_t voltage_uv = 0;
    std::int64_t millionth = 0;  // capacity / 10^6, for the table
  };

  void step();
  void measure();
  std::int64_t resistance_factor_permille() const;

  PackConfig config_;
  std::array<Cell, kPackCellCountMax> cells_{};
  Milliamps current_;
  std::uint32_t balancing_ = 0;
  TimePoint integrated_to_{};
  std::int64_t temperature_uk_;  // above 0 °C, in microkelvin
  std::int64_t ambient_uk_;
  std::int64_t voltage_uv_ = 0;
  std::int64_t min_uv_ = 0;
  std::int64_t max_uv_ = 0;
  std::int64_t energy_in_uj_ = 0;
  std::int64_t energy_out_uj_ = 0;
  std::int64_t charge_in_mas_ = 0;
  std::int64_t charge_out_mas_ = 0;
};

// Open-circuit voltage of an LFP cell at a state of charge in millionths; below 0 and above 1,000,000 the
// curve goes on steeply (over-discharge and overcharge).
Microvolts lfp_open_circuit(std::int64_t soc_millionths);

}  // namespace amphora::sim
