// SPDX-License-Identifier: Apache-2.0
// The named scenarios: what the command line and the tests run.
//
//   for (const ScenarioInfo& info : list()) …
//   const auto report = run("bms-gateway", Options{.seed = 1});
//
// A scenario makes a plan from a seed; one seed is one run; several seeds merge their
// figures. The digest of a report covers every run in it: the same name and options give the same digest with
// every compiler and optimisation. Only `speed` depends on the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/time.hpp"
#include "sim/checkers/violation.hpp"
#include "sim/scenarios/gateway_plan.hpp"
#include "sim/scenarios/house_scenarios.hpp"
#include "sim/scenarios/link_scenarios.hpp"
#include "sim/scenarios/pack_plan.hpp"
#include "sim/scenarios/packs_scenarios.hpp"
#include "sim/world/histogram.hpp"

namespace amphora::sim {

// Which world a scenario runs in.
enum class WorldKind : std::uint8_t {
  kGateway,  // gateway_world.hpp: a bms-gateway between its wires
  kLink,     // link_world.hpp: transmitters and a receiver on the air
  kPacks,    // packs_world.hpp: packs on a CAN bus
  kHouse,    // house_world.hpp: sun, battery, grid and the controller of the relays between them
  kPack      // pack_world.hpp: whole packs on a bus, each with its BMS and its house
};
constexpr std::string_view to_text(WorldKind kind) {
  constexpr std::string_view kNames[] = {"gateway", "link", "packs", "house", "pack"};
  return kNames[static_cast<std::size_t>(kind)];
}

struct ScenarioInfo {
  WorldKind world = WorldKind::kGateway;
  std::string_view name;
  std::string_view summary;
  Duration duration{};  // unless Options says otherwise
};

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;             // runs seed, seed + 1, …
  std::optional<Duration> duration{};  // empty: the scenario's own
  // Of serial writes and received CAN frames; on the air of each frame, that is of each try of the MAC and of
  // each of its acknowledgements (a broadcast has one try). Among packs of each CAN frame at each receiver.
  std::uint32_t loss_ppm = 0;
  LinkScenarioOptions link{};
  PacksScenarioOptions packs{};
  HouseScenarioOptions house{};
  bool trace = false;  // keep the last entries also of a run without violation
  Sabotage sabotage = Sabotage::kNone;
  LinkSabotage link_sabotage = LinkSabotage::kNone;
  HouseSabotage house_sabotage = HouseSabotage::kNone;
  PackSabotage pack_sabotage = PackSabotage::kNone;
};

// Several numbers under one name, each with its own.
struct Part {
  std::string_view name;
  std::int64_t value = 0;
};
using Breakdown = std::vector<Part>;

// The same breakdown for several cases.
struct Row {
  std::string name;
  Breakdown parts;
};
using Table = std::vector<Row>;

struct Figure {
  std::string_view name;
  // A distribution, one number, or several; in units of 1/divisor.
  std::variant<Histogram, std::int64_t, Breakdown, Table> value;
  std::int64_t divisor = 1;
};

struct RunReport {
  std::string_view scenario;
  std::uint64_t seed = 0;
  std::uint64_t seeds = 0;
  Duration duration{};  // of each run
  std::vector<Figure> figures;
  std::uint64_t violation_count = 0;
  std::vector<Violation> violations;  // of the first run that had any
  std::uint64_t failed_seed = 0;      // of that run
  std::vector<std::string> trace;     // likewise, or of the last run if asked for
  std::uint64_t digest = 0;
  double speed = 0;  // virtual time over processor time of this thread
};

std::span<const ScenarioInfo> list();

// Empty for a name that list() does not have.
std::optional<RunReport> run(std::string_view name, const Options& options);

// The plan a scenario of the gateway's world makes for one seed. Empty for any other name.
std::optional<GatewayPlan> make_plan(std::string_view name, std::uint64_t seed, const Options& options);

}  // namespace amphora::sim
