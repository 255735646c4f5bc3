// SPDX-License-Identifier: Apache-2.0
#include "core/battery/snapshot.hpp"

namespace amphora::battery {

std::optional<CellExtremes> extremes_of(const CellVoltages& cells) {
  if (cells.count == 0) {
    return std::nullopt;
  }
  CellExtremes extremes{0, 0, cells.voltage[0], cells.voltage[0]};
  for (std::uint16_t i = 1; i < cells.count; ++i) {
    if (cells.voltage[i] < extremes.min) {
      extremes.min = cells.voltage[i];
      extremes.min_index = i;
    }
    if (cells.voltage[i] > extremes.max) {
      extremes.max = cells.voltage[i];
      extremes.max_index = i;
    }
  }
  return extremes;
}

std::optional<Millivolts> average_of(const CellVoltages& cells) {
  if (cells.count == 0) {
    return std::nullopt;
  }
  std::int64_t sum = 0;
  for (std::uint16_t i = 0; i < cells.count; ++i) {
    sum += cells.voltage[i].count();
  }
  return Millivolts{scale_rounded(sum, 1, cells.count)};
}

}  // namespace amphora::battery
