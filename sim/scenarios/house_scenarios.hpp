// SPDX-License-Identifier: Apache-2.0
// The named scenarios of the house, and random plans.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/scenarios/house_plan.hpp"

namespace amphora::sim {

struct HouseScenarioOptions {
  // Which modes are on; empty: the scenario's own.
  std::optional<EnumSet<energy::Mode>> modes;
};

// "self-consumption+eco", "import_limit", "none". Dashes and underscores mean the same. Empty for anything
// else.
std::optional<EnumSet<energy::Mode>> parse_modes(std::string_view text);
// The other way round, with underscores.
std::string modes_text(EnumSet<energy::Mode> modes);

// The year in a house: the scenario that also compares the modes, unless told which to run.
inline constexpr std::string_view kHouseYear = "house";

struct HouseScenario {
  std::string_view name;
  std::string_view summary;
  Duration duration{};
};

std::span<const HouseScenario> house_scenarios();

// The plan of one seed. `duration` empty: the scenario's own. Empty for an unknown name.
std::optional<HousePlan> make_house_plan(std::string_view name, std::uint64_t seed,
                                         std::optional<Duration> duration,
                                         const HouseScenarioOptions& options);

// Hours to days with random modes, and faults of every kind.
HousePlan make_random_house_plan(std::uint64_t seed);

// The scenario that is run once to count its writes to the store, and then once for each of them and each
// fate of a write, with the power gone in that moment.
inline constexpr std::string_view kHousePowerCut = "house-power-cut";

}  // namespace amphora::sim
