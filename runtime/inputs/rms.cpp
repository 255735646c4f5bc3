// SPDX-License-Identifier: Apache-2.0
#include "runtime/inputs/rms.hpp"

#include <algorithm>

#include "core/base/units.hpp"

namespace amphora::runtime {

namespace {

// Deviations are taken in 1/8 counts: with 24 bits the sum of 1024 squares stays below 2^62.
constexpr std::int64_t kDeviationFraction = 8;
constexpr std::int64_t kRootFraction = kRmsFraction / kDeviationFraction;

std::int64_t bounded(std::int32_t sample) {
  return std::clamp(sample, -kCountMax, kCountMax);
}

}  // namespace

std::uint64_t integer_sqrt(std::uint64_t value) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 31U; bit != 0; bit >>= 1U) {
    const std::uint64_t larger = root | bit;
    root = larger * larger <= value ? larger : root;
  }
  return root;
}

std::int64_t rms_of(std::span<const std::int32_t> samples) {
  samples = samples.first(std::min(samples.size(), kRmsSamplesMax));
  if (samples.empty()) {
    return 0;
  }
  const auto count = static_cast<std::int64_t>(samples.size());
  std::int64_t sum = 0;
  for (const std::int32_t sample : samples) {
    sum += bounded(sample);
  }
  const std::int64_t mean = scale_rounded(sum, kDeviationFraction, count);
  std::int64_t squares = 0;
  for (const std::int32_t sample : samples) {
    const std::int64_t deviation = bounded(sample) * kDeviationFraction - mean;
    squares += deviation * deviation;
  }
  // More fraction of the root where there is room for it: small waves need it, large ones have none.
  const auto mean_square = static_cast<std::uint64_t>(squares / count);
  const auto rest = static_cast<std::uint64_t>(squares % count);
  constexpr auto kSquare = static_cast<std::uint64_t>(kRootFraction * kRootFraction);
  return static_cast<std::int64_t>(
      integer_sqrt(mean_square * kSquare + rest * kSquare / static_cast<std::uint64_t>(count)));
}

}  // namespace amphora::runtime
