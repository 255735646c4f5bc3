// SPDX-License-Identifier: Apache-2.0
// How much of the bus the pack network takes, in the worst case of bit stuffing.
//
// Lengths after ISO 11898-1: a data frame of n bytes has 44 + 8n bits with 11-bit ids and 64 + 8n with 29-bit
// ids, 3 more follow as the pause between frames; a stuff bit comes after at most four bits of the part that
// is stuffed, 34 + 8n and 54 + 8n bits (Davis, Burns, Bril, Lukkien: "Controller Area Network schedulability
// analysis", 2007).
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/packnet/telemetry.hpp"

namespace amphora::packnet {

inline constexpr std::uint32_t kBitRate = 500'000;

constexpr std::uint32_t worst_case_bits(std::size_t size, bool is_extended) {
  const auto data = static_cast<std::uint32_t>(8 * size);
  return is_extended ? 64 + data + 3 + (54 + data - 1) / 4 : 44 + data + 3 + (34 + data - 1) / 4;
}
static_assert(worst_case_bits(8, false) == 135);
static_assert(worst_case_bits(8, true) == 160);

// Bits a second of `packs` packs that send `pages` pages each, with a gateway, in steady state; `starting`:
// in their first ten seconds.
constexpr std::uint32_t steady_bits(std::uint32_t packs, std::uint32_t pages, bool is_starting) {
  const std::uint32_t frame = worst_case_bits(8, false);
  const std::uint32_t telemetry = packs * pages * frame / 2;
  const std::uint32_t presence = is_starting ? packs * frame : packs * frame / 10;
  const std::uint32_t election = 3 * 10 * frame;  // a beacon and two answers in 100 ms
  const std::uint32_t gateway = worst_case_bits(8, true) + frame / 10;
  return telemetry + presence + election + gateway;
}
// 32 packs with 16 cells, all relays and all loads.
static_assert(steady_bits(32, 16 + 6, true) * 100ULL < 15ULL * kBitRate);

}  // namespace amphora::packnet
