// SPDX-License-Identifier: Apache-2.0
// The named scenarios of whole packs, and random plans for the swarm.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "sim/scenarios/pack_plan.hpp"

namespace amphora::sim {

struct PackScenario {
  std::string_view name;
  std::string_view summary;
  Duration duration{};
};

// Run once to count the writes to the store of pack 0, then once for each of them and each fate of a write,
// with the power gone in that moment.
inline constexpr std::string_view kPackPowerCut = "packs-power-cut";

std::span<const PackScenario> pack_scenarios();

// The plan of one seed. `duration` empty: the scenario's own. `count` empty: likewise; above kWholePacksMax
// as many as there can be. Empty for an unknown name.
std::optional<PackPlan> make_pack_plan(std::string_view name, std::uint64_t seed,
                                       std::optional<Duration> duration, std::uint32_t loss_ppm,
                                       std::optional<std::uint8_t> count);

// 1 to 8 packs with a random mix of all faults and changes, then a quiet time.
PackPlan make_random_pack_plan(std::uint64_t seed);

}  // namespace amphora::sim
