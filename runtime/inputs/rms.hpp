// SPDX-License-Identifier: Apache-2.0
// The root of the mean square of a sampled wave, in integers.
#pragma once

#include <cstdint>
#include <span>

namespace amphora::runtime {

// The result is in 1/256 counts.
inline constexpr std::int64_t kRmsFraction = 256;
inline constexpr std::size_t kRmsSamplesMax = 1024;
// Converters of up to 24 bits; larger numbers are cut to it.
inline constexpr std::int32_t kCountMax = 1 << 23;

// Around the mean of the samples, so that the bias of the pin does not count. 0 for no samples; at most
// kRmsSamplesMax are used. The samples should cover whole periods of the wave.
std::int64_t rms_of(std::span<const std::int32_t> samples);

// The largest number whose square is not above `value`.
std::uint64_t integer_sqrt(std::uint64_t value);

}  // namespace amphora::runtime
