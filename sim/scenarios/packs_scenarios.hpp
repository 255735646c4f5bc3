// SPDX-License-Identifier: Apache-2.0
// The named scenarios of the pack network, and random plans for the swarm.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "sim/scenarios/packs_plan.hpp"

namespace amphora::sim {

struct PacksScenarioOptions {
  std::optional<std::uint8_t> count{};  // of packs, 1 to kPacksMax; empty: the scenario's own
  PacksSabotage sabotage = PacksSabotage::kNone;
};

struct PacksScenario {
  std::string_view name;
  std::string_view summary;
  Duration duration{};
  std::uint8_t count = 8;
};

std::span<const PacksScenario> packs_scenarios();

// The plan of one seed. `duration` empty: the scenario's own. Empty for an unknown name. Needs a count of 1
// to kPacksMax; scenarios that need two packs run with two at least.
std::optional<PacksPlan> make_packs_plan(std::string_view name, std::uint64_t seed,
                                         std::optional<Duration> duration, std::uint32_t loss_ppm,
                                         const PacksScenarioOptions& options);

void add_fault(PacksPlan& plan, PacksFaultKind kind, Duration from, Duration length,
               std::uint32_t parameter = 0);

// 1 to 32 packs with a random mix of all faults, then a quiet time.
PacksPlan make_random_packs_plan(std::uint64_t seed);

}  // namespace amphora::sim
