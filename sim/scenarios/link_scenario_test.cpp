// SPDX-License-Identifier: Apache-2.0
// Transmitters and receivers on simulated air: the scenarios hold, meet their targets, repeat to the byte,
// and every checker notices a host that breaks its promise.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "sim/checkers/memory_checker.hpp"
#include "sim/scenarios/link_world.hpp"
#include "sim/scenarios/report_testing.hpp"
#include "sim/scenarios/scenario.hpp"
#include "sim/scenarios/swarm.hpp"

namespace amphora::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

std::int64_t p50_ms(const RunReport& report, std::string_view name) {
  return histogram(report, name).percentile(500) / 1'000;
}
std::int64_t p99_ms(const RunReport& report, std::string_view name) {
  return histogram(report, name).percentile(990) / 1'000;
}

class EveryLinkScenario : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EveryLinkScenario, BreaksNoInvariantAndRepeatsToTheByte) {
  ASSERT_TRUE(MemoryChecker::is_counting()) << "without the hook nobody would notice an allocation";
  const Options options{.seed = 7, .seeds = 5};
  const auto first = run(GetParam(), options);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->violation_count, 0U) << describe(*first);
  EXPECT_GT(number(*first, "delivered"), 40) << "a run without readings proves nothing";
  EXPECT_GT(number(*first, "live_cells"), 40);
  EXPECT_EQ(number(*first, "lost"), 0);
  EXPECT_EQ(number(*first, "duplicated"), 0);
  EXPECT_EQ(number(*first, "not_found"), 0);
  EXPECT_EQ(number(*first, "not_settled"), 0);
  const auto second = run(GetParam(), options);
  EXPECT_EQ(first->digest, second->digest);
  Options other = options;
  other.seed = 99;
  EXPECT_NE(run(GetParam(), other)->digest, first->digest);
}

TEST_P(EveryLinkScenario, HoldsWithLossToo) {
  for (const std::uint32_t loss_ppm : {100'000U, 400'000U}) {
    const auto report = run(GetParam(), Options{.seed = 3, .seeds = 20, .loss_ppm = loss_ppm});
    EXPECT_EQ(report->violation_count, 0U) << describe(*report);
    EXPECT_EQ(number(*report, "lost"), 0);
  }
}

std::vector<std::string_view> link_names() {
  std::vector<std::string_view> names;
  for (const LinkScenario& scenario : link_scenarios()) {
    names.push_back(scenario.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Sim, EveryLinkScenario, ::testing::ValuesIn(link_names()), [](const auto& info) {
  std::string name{info.param};
  std::erase(name, '-');
  return name;
});

// ---- targets, in virtual time

TEST(LinkTargets, AReceiverOnAnyChannelIsFoundAtOnce) {
  const auto report = run("link-discovery", Options{.seeds = 500, .loss_ppm = 100'000});
  EXPECT_EQ(histogram(*report, "discovery_ms").count(), 500U);
  EXPECT_LE(p50_ms(*report, "discovery_ms"), 200);
  EXPECT_LE(p99_ms(*report, "discovery_ms"), 1'000);
}

TEST(LinkTargets, OnTheLastChannelItIsFoundSooner) {
  const auto report = run(
      "link-discovery", Options{.seeds = 500, .loss_ppm = 100'000, .link = {.is_last_channel_right = true}});
  EXPECT_EQ(histogram(*report, "discovery_ms").count(), 500U);
  EXPECT_LE(p99_ms(*report, "discovery_ms"), 150);
}

TEST(LinkTargets, DataFlowsSoonAfterTheReceiverListensAgain) {
  for (const RecoveryEvent event : {RecoveryEvent::kReboot, RecoveryEvent::kChannel, RecoveryEvent::kHang}) {
    for (const std::uint32_t loss_ppm : {0U, 100'000U}) {
      const auto report =
          run("link-recovery", Options{.seeds = 200, .loss_ppm = loss_ppm, .link = {.event = event}});
      EXPECT_EQ(report->violation_count, 0U) << describe(*report);
      EXPECT_EQ(histogram(*report, "recovery_ms").count(), 200U);
      EXPECT_LE(p99_ms(*report, "recovery_ms"), 3'000) << static_cast<int>(event);
    }
  }
}

TEST(LinkTargets, AChangeIsShownOnTheOtherSideSoon) {
  const auto report = run("link-settings", Options{.seeds = 40});
  EXPECT_GT(histogram(*report, "settings_ms").count(), 1'900U);
  EXPECT_LE(p99_ms(*report, "settings_ms"), 50);
  const auto lossy = run("link-settings", Options{.seeds = 40, .loss_ppm = 200'000});
  EXPECT_GT(histogram(*lossy, "settings_ms").count(), 1'900U);
  EXPECT_LE(p99_ms(*lossy, "settings_ms"), 400);
}

TEST(LinkTargets, TheQueueLosesNothingUncounted) {
  const auto report = run("link-queue", Options{.seeds = 10, .loss_ppm = 100'000});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
  EXPECT_EQ(number(*report, "lost"), 0);
  EXPECT_EQ(number(*report, "duplicated"), 0);
  EXPECT_GT(number(*report, "dropped_counted"), 0) << "an outage must have been longer than the queue";
  // All but the one that each run has just produced. A reading that was delivered may count as dropped as
  // well, when its acknowledgement was lost; never the reverse.
  const std::int64_t accounted = number(*report, "delivered") + number(*report, "dropped_counted") +
                                 number(*report, "lost_with_power") + 10;
  EXPECT_GE(accounted, number(*report, "produced"));
  EXPECT_LE(accounted, number(*report, "produced") + number(*report, "produced") / 100);
}

// ---- single worlds

std::unique_ptr<LinkWorld> run_world(const LinkPlan& plan) {
  auto world = std::make_unique<LinkWorld>(plan);
  world->run();
  return world;
}

LinkPlan plan_of(std::string_view name, std::uint64_t seed = 1) {
  return *make_link_plan(name, seed, std::nullopt, 0, {});
}

TEST(LinkWorld, AloneForFiveMinutesTheNewest250ReadingsAreKept) {
  const LinkPlan plan = plan_of("link-alone-300");
  const auto world = run_world(plan);
  ASSERT_TRUE(world->violations().is_empty());
  const LinkFault& outage = plan.faults[0];
  // One reading a second: those of the last 250 s before the return survive, older ones of the outage do not.
  const auto index_at = [](TimePoint at) {
    return static_cast<std::size_t>(at.time_since_epoch() / seconds{1}) - 1;
  };
  const std::size_t first_alone = index_at(outage.from) + 2;
  const std::size_t back = index_at(outage.until);
  std::size_t kept = 0;
  for (std::size_t i = first_alone; i <= back; ++i) {
    const bool is_kept = world->deliveries().is_delivered(0, i);
    kept += is_kept ? 1U : 0U;
    if (i + 245 > back) {
      EXPECT_TRUE(is_kept) << i;
    } else if (i + 256 < back) {
      EXPECT_FALSE(is_kept) << i;
    }
  }
  EXPECT_GE(kept, 248U);
  EXPECT_LE(kept, 253U);
  EXPECT_GE(world->figures().dropped_counted, 45U);
}

TEST(LinkWorld, AloneForTwoMinutesNothingIsLost) {
  const auto world = run_world(plan_of("link-alone-120"));
  EXPECT_EQ(world->figures().dropped_counted, 0U);
  EXPECT_GE(world->figures().delivered + 1, world->figures().produced);
}

TEST(LinkWorld, BothBatteriesCellsArriveWhole) {
  const auto world = run_world(plan_of("link-dual-battery"));
  EXPECT_TRUE(world->violations().is_empty());
  EXPECT_GT(world->figures().live_cells, 290U);
}

TEST(LinkWorld, TwoTransmittersShareAReceiver) {
  const auto world = run_world(plan_of("link-two-transmitters"));
  EXPECT_TRUE(world->violations().is_empty());
  EXPECT_GT(world->deliveries().delivered(0), 150U);
  EXPECT_GT(world->deliveries().delivered(1), 130U);
  EXPECT_EQ(world->boot_count(1), 2U);
}

TEST(LinkWorld, SequencesPassTheirWrap) {
  const auto world = run_world(plan_of("link-queue"));
  EXPECT_TRUE(world->violations().is_empty());
  EXPECT_EQ(plan_of("link-queue").first_sequence, 0xFFFF'FF00U);
  EXPECT_GT(world->deliveries().delivered(0), 1'000U);
}

TEST(LinkWorld, SomebodyElseWithTheSameAddressChangesNothing) {
  LinkPlan plan = plan_of("link-settings");
  add_fault(plan, LinkFaultKind::kTwin, seconds{20}, seconds{60});
  add_fault(plan, LinkFaultKind::kAttacker, seconds{30}, seconds{60});
  const auto world = run_world(plan);
  EXPECT_TRUE(world->violations().is_empty()) << world->violations().kept()[0].rule;
  EXPECT_EQ(world->deliveries().delivered(kTwinBox), 0U);
  const auto& peers = world->receiver()->peers();
  ASSERT_TRUE(peers[0].has_value());
  std::uint64_t rejected = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(link::Rejection::kCount); ++i) {
    rejected += peers[0]->connection().envelope().rejected_count(static_cast<link::Rejection>(i));
  }
  EXPECT_GT(rejected, 20U);
}

// ---- swarm

TEST(LinkSwarm, TwoHundredRandomWorldsBreakNothing) {
  const SwarmReport report = run_swarm(SwarmOptions{.from = 1, .seeds = 200, .world = WorldKind::kLink});
  ASSERT_FALSE(report.first_failure.has_value())
      << "seed " << report.first_failure->seed << ": " << report.first_failure->violation.rule;
  EXPECT_EQ(report.seeds, 200U);
}

TEST(LinkSwarm, SeedsDrawAllWorlds) {
  std::set<WorldKind> worlds;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    worlds.insert(world_of(seed));
  }
  EXPECT_EQ(worlds.size(), 5U);
}

TEST(LinkSwarm, RandomPlansReachEveryKindOfFault) {
  std::set<LinkFaultKind> kinds;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const LinkPlan plan = make_random_link_plan(seed);
    EXPECT_LE(plan.faults.size(), 63U);
    for (const LinkFault& fault : plan.faults) {
      kinds.insert(fault.kind);
      EXPECT_LE(fault.until, TimePoint{} + plan.duration - plan.quiet) << to_text(fault.kind);
    }
  }
  EXPECT_EQ(kinds.size(), static_cast<std::size_t>(LinkFaultKind::kCount));
}

TEST(LinkSwarm, AFailureIsShrunkAndTheRestStillFails) {
  const SwarmSabotage sabotage{.link = LinkSabotage::kForgetsSettings};
  const SwarmReport report =
      run_swarm(SwarmOptions{.from = 1, .seeds = 200, .world = WorldKind::kLink, .sabotage = sabotage});
  ASSERT_TRUE(report.first_failure.has_value());
  const SwarmFailure& failure = *report.first_failure;
  EXPECT_LT(failure.faults.size(), make_random_link_plan(failure.seed).faults.size());
  ASSERT_TRUE(failure.shrunk.until.has_value());
  const ReplayReport again = replay(failure.shrunk, sabotage);
  ASSERT_TRUE(again.violation.has_value());
  EXPECT_EQ(again.violation->invariant, failure.violation.invariant);
}

// Tests of the test: a host that breaks a promise is caught, under the right invariant.
struct BrokenLink {
  LinkSabotage sabotage;
  std::string_view scenario;
  int invariant;
};
class EveryLinkSabotage : public ::testing::TestWithParam<BrokenLink> {};

TEST_P(EveryLinkSabotage, IsCaught) {
  const BrokenLink& broken = GetParam();
  const Options honest{.seed = 1, .seeds = 20, .loss_ppm = 200'000};
  EXPECT_EQ(run(broken.scenario, honest)->violation_count, 0U);
  Options options = honest;
  options.link_sabotage = broken.sabotage;
  const auto report = run(broken.scenario, options);
  ASSERT_GT(report->violation_count, 0U) << to_text(broken.sabotage) << " was not noticed";
  EXPECT_EQ(report->violations[0].invariant, broken.invariant) << describe(*report);
  EXPECT_FALSE(report->trace.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Sim, EveryLinkSabotage,
    ::testing::Values(BrokenLink{LinkSabotage::kConfirmsTooEarly, "link-power-cuts", kInvariantSections},
                      BrokenLink{LinkSabotage::kNeverConfirms, "link-settings", kInvariantSections},
                      BrokenLink{LinkSabotage::kForgetsSettings, "link-power-cuts", kInvariantSections},
                      BrokenLink{LinkSabotage::kForgetsPosition, "link-power-cuts", kInvariantDelivery},
                      BrokenLink{LinkSabotage::kLosesReadings, "link-both", kInvariantDelivery},
                      BrokenLink{LinkSabotage::kMixesRecords, "link-power-cuts", kInvariantStore},
                      BrokenLink{LinkSabotage::kAllocates, "link-both", kInvariantBoundedQueues}),
    [](const auto& info) {
      std::string name = std::string{to_text(info.param.sabotage)} + "_" + std::string{info.param.scenario};
      std::erase(name, '-');
      return name;
    });

}  // namespace
}  // namespace amphora::sim
