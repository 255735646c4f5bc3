// SPDX-License-Identifier: Apache-2.0
// Where the power of the house comes from and where it goes.
//
//   P_home  = power of the inverter output, plus the loads that are wired outside it
//   P_grid  = power from the grid, positive on import
//   P_load  = power of each measured load
//   P_batt  = V_pack * I_pack, positive while charging
//   P_solar = max(0, P_home + P_batt - P_grid)
//
// Nobody measures the sun: it is what the other three leave over. Charging, discharging and idle need no
// cases of their own, because the energy balance holds in all of them.
//
// AC power comes from a meter where there is one, else from a current transformer times the AC voltage: the
// measured one if there is a sensor, else the nominal one. A current transformer shows no direction, so power
// from it is never negative; feeding into the grid needs a meter. Currents under the noise floor of their
// sensor count as zero. A value that is missing or older than its bound is unknown, and so is every sum it is
// part of: unknown stays unknown and never becomes zero.
//
// Arithmetic: 1 mV * 1 mA = 1 uW in 64 bits, rounded to watts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/sampled.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/energy/relay.hpp"

namespace amphora::energy {

// One place where AC power is measured.
struct AcInput {
  Reading<Milliamps> current;  // magnitude, from a current transformer
  Reading<Watts> power;        // with sign, from a meter; wins over the current
  friend constexpr bool operator==(const AcInput&, const AcInput&) = default;
};

// Everything measured, each with its moment. The host hands in the whole set whenever something changed.
struct Inputs {
  AcInput grid;
  AcInput inverter_output;
  PerLoad<AcInput> load{};
  Reading<Millivolts> ac_voltage;

  Reading<Millivolts> pack_voltage;
  Reading<Milliamps> pack_current;  // positive while charging
  Reading<BasisPoints> soc;         // as the BMS says
  Reading<Millivolts> cell_min;
  Reading<Millivolts> cell_max;
  Reading<Decicelsius> temperature_max;
  Reading<bool> bms_fault;

  // What the contacts really do, where that is read back.
  PerRelay<std::optional<Position>> measured{};
  friend constexpr bool operator==(const Inputs&, const Inputs&) = default;
};

struct SensorConfig {
  Permille gain{1000};  // calibration
  Milliamps noise_floor{100};
};

// Straight line through two pack voltages: a rough gauge for packs whose BMS tells no SOC.
struct VoltageLine {
  Millivolts empty{46'400};  // 16 cells of 2.9 V
  Millivolts full{62'400};   // 16 cells of 3.9 V
};

// The same two cell voltages for another number of cells.
constexpr VoltageLine lfp_voltage_line(std::int32_t series_cells) {
  return {Millivolts{2900} * series_cells, Millivolts{3900} * series_cells};
}

struct BalanceConfig {
  Millivolts ac_nominal{220'000};
  SensorConfig grid;
  SensorConfig inverter_output;
  PerLoad<SensorConfig> load{};
  // Bit i: load i is not behind the inverter output, so that its power adds to the home's.
  std::uint8_t loads_outside = 0;
  VoltageLine voltage_line;
  Duration ac_age_max = std::chrono::seconds{6};        // three polls of 2 s
  Duration battery_age_max = std::chrono::seconds{10};  // as long as the BMS is not stale
};

// Where the SOC is from, best first; the first that knows one is taken.
enum class SocSource : std::uint8_t { kBms, kVoltage, kCount };
constexpr std::string_view to_text(SocSource source) {
  return source == SocSource::kBms ? "bms" : "voltage";
}
inline constexpr auto kSocSources = std::array{SocSource::kBms, SocSource::kVoltage};

struct Soc {
  BasisPoints value;
  SocSource source = SocSource::kBms;
  friend constexpr bool operator==(const Soc&, const Soc&) = default;
};

struct Balance {
  std::optional<Watts> home;
  std::optional<Watts> grid;
  std::optional<Watts> battery;
  std::optional<Watts> solar;
  std::optional<Watts> inverter_output;
  PerLoad<std::optional<Watts>> load{};
  std::optional<Soc> soc;
  friend constexpr bool operator==(const Balance&, const Balance&) = default;
};

Balance balance_of(TimePoint now, const Inputs& inputs, const BalanceConfig& config);

// clamp((V - empty) / (full - empty)), in 1/10,000.
BasisPoints soc_from_voltage(Millivolts pack, const VoltageLine& line);

}  // namespace amphora::energy
