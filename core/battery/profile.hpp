// SPDX-License-Identifier: Apache-2.0
// What the owner says about the battery: the facts and bounds from which limits are computed.
//
// Values come from configuration; the presets below are conservative figures of the cell chemistries as cell
// makers commonly publish them and are what configuration starts from. Bounds are per cell, so that a pack's
// voltage limits follow from its number of cells and can never be mixed up with a cell's.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/units.hpp"

namespace amphora::battery {

enum class Chemistry : std::uint8_t { kLfp, kNmc };

constexpr std::string_view to_text(Chemistry chemistry) {
  return chemistry == Chemistry::kLfp ? "lfp" : "nmc";
}

struct Profile {
  Chemistry chemistry = Chemistry::kLfp;
  std::uint16_t series_cells = 16;
  MilliampHours capacity{100'000};

  // Charging is asked up to cell_full; at cell_max and above no charge current is allowed.
  Millivolts cell_full{3450};
  Millivolts cell_max{3600};
  // Discharging is asked down to cell_empty; at cell_min and below no discharge current is allowed.
  Millivolts cell_empty{3000};
  Millivolts cell_min{2800};
  // A cell outside of this cannot be real: the snapshot is implausible.
  Millivolts cell_plausible_min{1000};
  Millivolts cell_plausible_max{4600};

  Milliamps charge_current_max{50'000};
  Milliamps discharge_current_max{100'000};

  // No charging outside of these; full current only from the *_full bounds inwards, a straight ramp between.
  Decicelsius charge_temperature_min{0};
  Decicelsius charge_temperature_full_min{100};
  Decicelsius charge_temperature_full_max{400};
  Decicelsius charge_temperature_max{500};
  Decicelsius discharge_temperature_min{-200};
  Decicelsius discharge_temperature_full_min{-50};
  Decicelsius discharge_temperature_full_max{450};
  Decicelsius discharge_temperature_max{550};

  // Between these spreads the charge current falls from full to a tenth, so that balancing can work.
  Millivolts imbalance_start{100};
  Millivolts imbalance_stop{300};

  // Discharge current falls from full at soc_reserve_start to zero at soc_reserve_stop.
  BasisPoints soc_reserve_start{1500};
  BasisPoints soc_reserve_stop{500};
};

constexpr Profile lfp_profile(std::uint16_t series_cells, MilliampHours capacity) {
  Profile profile;
  profile.series_cells = series_cells;
  profile.capacity = capacity;
  return profile;
}

constexpr Profile nmc_profile(std::uint16_t series_cells, MilliampHours capacity) {
  Profile profile;
  profile.chemistry = Chemistry::kNmc;
  profile.series_cells = series_cells;
  profile.capacity = capacity;
  profile.cell_full = Millivolts{4100};
  profile.cell_max = Millivolts{4180};
  profile.cell_empty = Millivolts{3300};
  profile.cell_min = Millivolts{3000};
  return profile;
}

}  // namespace amphora::battery
