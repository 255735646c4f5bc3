// SPDX-License-Identifier: Apache-2.0
// The shape of a day's sun and of the hours in which a house needs most.
#pragma once

#include <cstdint>

namespace amphora::sim {

// A parabola of height 1000 over [from, until], zero outside.
constexpr std::int64_t hump_permille(std::int64_t at, std::int64_t from, std::int64_t until) {
  if (at <= from || at >= until) {
    return 0;
  }
  const std::int64_t width = until - from;
  return 4000 * (at - from) * (until - at) / (width * width);
}

}  // namespace amphora::sim
