// SPDX-License-Identifier: Apache-2.0
// A healthy 16s LFP battery for tests: every needed value, sampled at one moment, with agreeing numbers.
#pragma once

#include "core/battery/profile.hpp"
#include "core/battery/snapshot.hpp"

namespace amphora::inverter {

inline constexpr std::uint16_t kSampleCells = 16;

inline battery::Profile sample_profile() {
  return battery::lfp_profile(kSampleCells, MilliampHours{280'000});
}

inline void set_cells(battery::Snapshot& snapshot, TimePoint at, Millivolts low, Millivolts high) {
  battery::CellVoltages cells;
  cells.count = kSampleCells;
  std::int32_t sum = 0;
  for (std::uint16_t i = 0; i < kSampleCells; ++i) {
    cells.voltage[i] = i < kSampleCells / 2 ? low : high;
    sum += cells.voltage[i].count();
  }
  snapshot.cells = Sampled<battery::CellVoltages>{cells, at};
  snapshot.cell_min = Sampled<Millivolts>{low, at};
  snapshot.cell_max = Sampled<Millivolts>{high, at};
  snapshot.voltage = Sampled<Millivolts>{Millivolts{sum}, at};
}

inline void set_temperatures(battery::Snapshot& snapshot, TimePoint at, Decicelsius low, Decicelsius high) {
  snapshot.temperature_min = Sampled<Decicelsius>{low, at};
  snapshot.temperature_max = Sampled<Decicelsius>{high, at};
}

inline battery::Snapshot sample_snapshot(TimePoint at) {
  battery::Snapshot snapshot;
  set_cells(snapshot, at, Millivolts{3310}, Millivolts{3320});
  snapshot.current = Sampled<Milliamps>{Milliamps{-12'300}, at};
  snapshot.soc = Sampled<BasisPoints>{BasisPoints{6020}, at};
  snapshot.soh = Sampled<BasisPoints>{BasisPoints{9800}, at};
  set_temperatures(snapshot, at, Decicelsius{213}, Decicelsius{235});
  snapshot.temperature_internal = Sampled<Decicelsius>{Decicelsius{235}, at};
  battery::ExternalTemperatures external;
  external.sensor[1] = Decicelsius{213};
  snapshot.temperature_external = Sampled<battery::ExternalTemperatures>{external, at};
  snapshot.activity = Sampled<battery::Activity>{battery::Activity::kDischarging, at};
  snapshot.energy_in = Sampled<WattHours>{WattHours{1'234'560}, at};
  snapshot.energy_out = Sampled<WattHours>{WattHours{1'000'000}, at};
  snapshot.identity.serial.assign("0102030405AB");
  return snapshot;
}

}  // namespace amphora::inverter
