// SPDX-License-Identifier: Apache-2.0
// Many random boxes with random faults, until an invariant breaks.
//
// Seed by seed a random plan is made and run; the seed also decides in which world. The first seed that
// breaks an invariant is shrunk: the run ends where it broke, and faults that are not needed are taken out,
// as long as the same invariant still breaks. What is left is written as the seed, a mask of the plan's
// faults and an end, which replay() runs again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "sim/checkers/violation.hpp"
#include "sim/scenarios/gateway_plan.hpp"
#include "sim/scenarios/scenario.hpp"

namespace amphora::sim {

// Ways to break promises on purpose, for tests of the checkers.
struct SwarmSabotage {
  Sabotage gateway = Sabotage::kNone;
  LinkSabotage link = LinkSabotage::kNone;
  PacksSabotage packs = PacksSabotage::kNone;
  HouseSabotage house = HouseSabotage::kNone;
  PackSabotage pack = PackSabotage::kNone;
};

struct SwarmOptions {
  std::uint64_t from = 1;
  std::uint64_t seeds = 100;
  std::optional<WorldKind> world{};  // empty: as each seed says
  SwarmSabotage sabotage{};
  // Called after each seed, for progress; may be empty.
  void (*progress)(std::uint64_t done, std::uint64_t seeds) = nullptr;
};

// A run of a random plan with some of its faults.
struct Excerpt {
  std::uint64_t seed = 0;
  std::uint64_t fault_mask = ~std::uint64_t{0};  // bit i: the plan's i-th fault stays
  std::optional<Duration> until{};               // empty: the plan's own end
  std::optional<WorldKind> world{};              // empty: as the seed says
};

// Which world a seed draws.
WorldKind world_of(std::uint64_t seed);

// A fault of any world.
struct FaultLine {
  std::string_view name;
  TimePoint from{};
  TimePoint until{};
  std::uint32_t parameter = 0;
};

struct SwarmFailure {
  std::uint64_t seed = 0;
  Violation violation;
  Excerpt shrunk;
  std::vector<FaultLine> faults;   // of the shrunk run
  std::vector<std::string> trace;  // likewise
};

struct SwarmReport {
  std::uint64_t seeds = 0;  // that were run
  std::uint64_t violation_count = 0;
  std::optional<SwarmFailure> first_failure;
  std::uint64_t digest = 0;
  double speed = 0;
};

SwarmReport run_swarm(const SwarmOptions& options);

struct ReplayReport {
  std::optional<Violation> violation;
  std::uint64_t violation_count = 0;
  std::uint64_t digest = 0;
  Duration duration{};
  std::vector<FaultLine> faults;
  std::vector<std::string> trace;
};
ReplayReport replay(const Excerpt& excerpt, const SwarmSabotage& sabotage = {});

}  // namespace amphora::sim
