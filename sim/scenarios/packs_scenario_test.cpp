// SPDX-License-Identifier: Apache-2.0
// Packs on a simulated CAN bus: the scenarios hold, meet their targets, repeat to the byte, and every checker
// notices a host that breaks its promise.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

#include "sim/checkers/memory_checker.hpp"
#include "sim/scenarios/packs_world.hpp"
#include "sim/scenarios/report_testing.hpp"
#include "sim/scenarios/scenario.hpp"
#include "sim/scenarios/swarm.hpp"

namespace amphora::sim {
namespace {

using std::chrono::seconds;

class EveryPacksScenario : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EveryPacksScenario, BreaksNoInvariantAndRepeatsToTheByte) {
  ASSERT_TRUE(MemoryChecker::is_counting()) << "without the hook nobody would notice an allocation";
  const Options options{.seed = 7, .seeds = 3};
  const auto first = run(GetParam(), options);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->violation_count, 0U) << describe(*first);
  EXPECT_GT(number(*first, "frames"), 1'000) << "a run without frames proves nothing";
  EXPECT_EQ(number(*first, "not_claimed"), 0);
  EXPECT_EQ(number(*first, "not_failed_over"), 0);
  EXPECT_EQ(number(*first, "not_merged"), 0);
  EXPECT_EQ(run(GetParam(), options)->digest, first->digest);
  Options other = options;
  other.seed = 99;
  EXPECT_NE(run(GetParam(), other)->digest, first->digest);
}

TEST_P(EveryPacksScenario, HoldsWithLossToo) {
  const auto report = run(GetParam(), Options{.seed = 3, .seeds = 6, .loss_ppm = 50'000});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
  EXPECT_EQ(number(*report, "not_claimed"), 0);
}

std::vector<std::string_view> packs_names() {
  std::vector<std::string_view> names;
  for (const PacksScenario& scenario : packs_scenarios()) {
    names.push_back(scenario.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Sim, EveryPacksScenario, ::testing::ValuesIn(packs_names()), [](const auto& info) {
  std::string name{info.param};
  std::erase(name, '-');
  return name;
});

// ---- targets, in virtual time

TEST(PacksTargets, AMasterThatLosesItsPowerIsReplacedInHalfASecond) {
  const auto report = run("packs-master-killed", Options{.seeds = 60, .loss_ppm = 50'000});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
  EXPECT_GT(histogram(*report, "failover_ms").count(), 280U);
  EXPECT_LE(histogram(*report, "failover_ms").percentile(990), 500'000);
}

TEST(PacksTargets, TwoOf32ThatWantOneIdHaveTheirOwnSoon) {
  const auto report = run("packs-duplicate-ids", Options{.seeds = 30});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
  EXPECT_GE(histogram(*report, "claim_ms").count(), 30U * 32U);
  EXPECT_LE(histogram(*report, "claim_ms").max(), 1'200'000);
  EXPECT_LE(number(*report, "shared_id_max_ms"), 1'200);
}

TEST(PacksTargets, ThirtyTwoPacksLeaveTheBusToOthers) {
  const auto report = run("packs-full-bus", Options{.seeds = 4});
  EXPECT_GT(histogram(*report, "bus_load_percent").count(), 60U);
  EXPECT_GT(histogram(*report, "bus_load_percent").percentile(500), 50) << "they send all they can";
  EXPECT_LT(histogram(*report, "bus_load_percent").max(), 150);
  EXPECT_EQ(number(*report, "unseen"), 0);
}

TEST(PacksTargets, JoinedBusesAgreeWithinASecond) {
  const auto report = run("packs-split-merge", Options{.seeds = 50});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
  EXPECT_EQ(histogram(*report, "merge_ms").count(), 100U);
  EXPECT_LE(histogram(*report, "merge_ms").percentile(990), 1'000'000);
  EXPECT_GT(number(*report, "shared_id_max_ms"), 0) << "ids must have met";
}

TEST(PacksTargets, IdsSurviveRestartsInAnyOrder) {
  const auto report = run("packs-halves", Options{.seeds = 20});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
  EXPECT_EQ(histogram(*report, "claim_ms").count(), 20U * 32U) << "each of 16 packs boots twice";
  EXPECT_EQ(number(*report, "ids_changed"), 0);
}

TEST(PacksTargets, EqualHardwareNumbersEndInAnAlarmOnBoth) {
  const auto report = run("packs-equal-hardware", Options{.seeds = 30});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
  EXPECT_EQ(number(*report, "duplicate_alarms"), 60);
}

TEST(PacksTargets, AnyNumberOfPacksWorks) {
  for (const int count : {1, 2, 3, 32}) {
    Options options{.seeds = 2};
    options.packs.count = static_cast<std::uint8_t>(count);
    const auto report = run("packs", options);
    EXPECT_EQ(report->violation_count, 0U) << describe(*report);
    EXPECT_EQ(number(*report, "not_claimed"), 0) << count;
  }
}

// ---- single worlds

TEST(PacksWorld, AnEnergyGatewayLeadsOverAnyPack) {
  PacksPlan plan = *make_packs_plan("packs-full-bus", 1, seconds{15}, 0, {.count = 5});
  plan.boxes[2].type = packnet::DeviceType::kEnergyGateway;
  plan.boxes[2].stored_node = 1;
  plan.boxes[3].stored_node = 2;
  const auto world = std::make_unique<PacksWorld>(plan);
  world->run();
  EXPECT_TRUE(world->violations().is_empty());
  for (const std::size_t box : {0U, 1U, 2U, 3U, 4U}) {
    ASSERT_NE(world->node(box), nullptr);
    EXPECT_EQ(world->node(box)->master(), packnet::Node{1});
  }
  EXPECT_TRUE(world->node(2)->is_master());
  EXPECT_EQ(world->node(kPacksMax)->master(), packnet::Node{1}) << "the Linux gateway knows it as well";
}

TEST(PacksWorld, EqualHardwareNumbersEndWithTwoIds) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto world =
        std::make_unique<PacksWorld>(*make_packs_plan("packs-equal-hardware", seed, std::nullopt, 0, {}));
    world->run();
    EXPECT_TRUE(world->violations().is_empty());
    EXPECT_NE(world->node(0)->node(), world->node(1)->node());
    EXPECT_TRUE(world->node(0)->claim().is_duplicate());
    EXPECT_TRUE(world->node(1)->claim().is_duplicate());
  }
}

// ---- swarm

TEST(PacksSwarm, RandomWorldsBreakNothing) {
  const SwarmReport report = run_swarm(SwarmOptions{.from = 1, .seeds = 150, .world = WorldKind::kPacks});
  ASSERT_FALSE(report.first_failure.has_value())
      << "seed " << report.first_failure->seed << ": " << report.first_failure->violation.rule;
  EXPECT_EQ(report.seeds, 150U);
}

TEST(PacksSwarm, RandomPlansReachEveryKindOfFault) {
  std::set<PacksFaultKind> kinds;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const PacksPlan plan = make_random_packs_plan(seed);
    EXPECT_LE(plan.faults.size(), 63U);
    for (const PacksFault& fault : plan.faults) {
      kinds.insert(fault.kind);
      EXPECT_LE(fault.until, TimePoint{} + plan.duration - seconds{8}) << to_text(fault.kind);
    }
  }
  EXPECT_EQ(kinds.size(), static_cast<std::size_t>(PacksFaultKind::kCount));
}

// Tests of the test: a host that breaks a promise is caught, under the right invariant.
struct BrokenPacks {
  PacksSabotage sabotage;
  std::string_view scenario;
  int invariant;
};
class EveryPacksSabotage : public ::testing::TestWithParam<BrokenPacks> {};

TEST_P(EveryPacksSabotage, IsCaught) {
  const BrokenPacks& broken = GetParam();
  Options options{.seed = 1, .seeds = 10};
  EXPECT_EQ(run(broken.scenario, options)->violation_count, 0U);
  options.packs.sabotage = broken.sabotage;
  const auto report = run(broken.scenario, options);
  ASSERT_GT(report->violation_count, 0U) << to_text(broken.sabotage) << " was not noticed";
  EXPECT_EQ(report->violations[0].invariant, broken.invariant) << describe(*report);
  EXPECT_FALSE(report->trace.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Sim, EveryPacksSabotage,
    ::testing::Values(BrokenPacks{PacksSabotage::kHidesBeacons, "packs-full-bus", kInvariantOneMaster},
                      BrokenPacks{PacksSabotage::kHidesOwnId, "packs-duplicate-ids", kInvariantNodeIds},
                      BrokenPacks{PacksSabotage::kAllocates, "packs-alone", kInvariantBoundedQueues}),
    [](const auto& info) { return std::string{to_text(info.param.sabotage)}; });

}  // namespace
}  // namespace amphora::sim
