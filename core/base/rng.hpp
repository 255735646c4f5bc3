// SPDX-License-Identifier: Apache-2.0
// A small deterministic random number generator: xoshiro256** seeded by SplitMix64.
//
// Source: D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators" (2018); public-domain
// reference. Integers only, so that every compiler draws the same numbers. Not for secrets: keys come from
// the host's libsodium.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace amphora {

class Rng {
 public:
  constexpr explicit Rng(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9E3779B97F4A7C15U;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
      z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
      word = z ^ (z >> 31U);
    }
  }

  constexpr std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound); 0 for bound 0. Lemire's multiply-shift on the upper 32 bits: the bias, under 2^-32
  // for the bounds used here, is accepted in exchange for a fixed number of draws, which keeps replays
  // aligned.
  constexpr std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(((next() >> 32U) * bound) >> 32U);
  }

  // Uniform in [low, high], both included; needs low <= high and a span below 2^32.
  constexpr std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint32_t>(high - low) + 1U));
  }

  // True with probability `parts_per_million` / 1,000,000.
  constexpr bool chance(std::uint32_t parts_per_million) { return below(1'000'000U) < parts_per_million; }

  // An independent generator, for a part that must not disturb the draws of others.
  constexpr Rng fork() { return Rng{next()}; }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace amphora
