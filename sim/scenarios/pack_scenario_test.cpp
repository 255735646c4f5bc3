// SPDX-License-Identifier: Apache-2.0
// Whole packs on a simulated bus: the scenarios hold and repeat to the byte, settings reach all packs soon,
// power cuts harm nothing, and every checker notices a host that breaks its promise.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

#include "sim/checkers/memory_checker.hpp"
#include "sim/scenarios/pack_scenarios.hpp"
#include "sim/scenarios/pack_world.hpp"
#include "sim/scenarios/report_testing.hpp"
#include "sim/scenarios/scenario.hpp"
#include "sim/scenarios/swarm.hpp"

namespace amphora::sim {
namespace {

class EveryPackScenario : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EveryPackScenario, BreaksNoInvariantAndRepeatsToTheByte) {
  ASSERT_TRUE(MemoryChecker::is_counting()) << "without the hook nobody would notice an allocation";
  const Options options{.seed = 7, .seeds = 2};
  const auto first = run(GetParam(), options);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->violation_count, 0U) << describe(*first);
  EXPECT_GT(number(*first, "frames"), 10'000) << "a run without frames proves nothing";
  EXPECT_GT(number(*first, "changes"), 10);
  EXPECT_EQ(run(GetParam(), options)->digest, first->digest);
  Options other = options;
  other.seed = 99;
  EXPECT_NE(run(GetParam(), other)->digest, first->digest);
}

std::vector<std::string_view> pack_names() {
  std::vector<std::string_view> names;
  for (const PackScenario& scenario : pack_scenarios()) {
    names.push_back(scenario.name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Sim, EveryPackScenario, ::testing::ValuesIn(pack_names()), [](const auto& info) {
  std::string name{info.param};
  std::erase(name, '-');
  return name;
});

// In virtual time: the change is written to one store, sent, and written to the others.
TEST(PackTargets, ASettingIsOnAllPacksSoon) {
  const auto report = run("packs-houses", Options{.seeds = 4});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
  const auto& settings = std::get<Histogram>(figure(*report, "settings_ms").value);
  EXPECT_GT(settings.count(), 100U);
  EXPECT_LE(settings.percentile(990), 200'000);
  EXPECT_GT(number(*report, "relay_operations"), 0) << "houses in which nothing happens";
}

TEST(PackTargets, LossDelaysSettingsButLosesNone) {
  const auto report = run("packs-houses", Options{.seeds = 3, .loss_ppm = 100'000});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
}

TEST(PackTargets, EightAndOneHoldToo) {
  for (const std::uint8_t count : {std::uint8_t{1}, std::uint8_t{8}}) {
    Options options{.seeds = 1};
    options.packs.count = count;
    const auto report = run("packs-houses", options);
    EXPECT_EQ(report->violation_count, 0U) << int{count} << "\n" << describe(*report);
    EXPECT_GE(number(*report, "boots"), count);
  }
}

TEST(PackTargets, PowerIsCutAtEveryWriteInThreeWays) {
  const PackPlan plan = *make_pack_plan(kPackPowerCut, 3, std::nullopt, 0, std::nullopt);
  PackWorld whole{plan};
  whole.run();
  ASSERT_TRUE(whole.violations().is_empty());
  ASSERT_GT(whole.write_count(0), 5U);
  const auto report = run(kPackPowerCut, Options{.seed = 3});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
  EXPECT_EQ(number(*report, "power_cuts"), static_cast<std::int64_t>(3 * whole.write_count(0)));
}

TEST(PackSwarm, RandomWorldsBreakNothing) {
  const SwarmReport report = run_swarm(SwarmOptions{.from = 1, .seeds = 60, .world = WorldKind::kPack});
  ASSERT_FALSE(report.first_failure.has_value())
      << "seed " << report.first_failure->seed << ": " << report.first_failure->violation.rule;
  EXPECT_EQ(report.seeds, 60U);
}

TEST(PackSwarm, RandomPlansReachEveryKindOfFault) {
  std::set<PackFaultKind> kinds;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const PackPlan plan = make_random_pack_plan(seed);
    EXPECT_LE(plan.faults.size(), 63U);
    for (const PackFault& fault : plan.faults) {
      kinds.insert(fault.kind);
      EXPECT_LE(fault.until, TimePoint{} + plan.duration - plan.quiet) << to_text(fault.kind);
    }
  }
  EXPECT_EQ(kinds.size(), static_cast<std::size_t>(PackFaultKind::kCount));
}

// What the swarm has found, kept: each line once broke an invariant.
TEST(PackSwarm, SeedsThatOnceFailedPass) {
  constexpr std::uint64_t kSeeds[] = {
      15,  // contacts that were told one by one after a boot were commanded before their minimum time
  };
  for (const std::uint64_t seed : kSeeds) {
    const ReplayReport report = replay(Excerpt{seed, ~std::uint64_t{0}, std::nullopt, WorldKind::kPack});
    EXPECT_FALSE(report.violation.has_value())
        << "seed " << seed << ": " << report.violation->rule << " a=" << report.violation->a;
  }
}

// Tests of the test: a host that breaks a promise is caught, under the right invariant.
struct BrokenPack {
  PackSabotage sabotage;
  int invariant;
};
class EveryPackSabotage : public ::testing::TestWithParam<BrokenPack> {};

TEST_P(EveryPackSabotage, IsCaught) {
  const BrokenPack& broken = GetParam();
  Options options{.seed = 1, .seeds = 2};
  options.pack_sabotage = broken.sabotage;
  const auto report = run("packs-houses", options);
  ASSERT_GT(report->violation_count, 0U) << to_text(broken.sabotage) << " was not noticed";
  EXPECT_EQ(report->violations[0].invariant, broken.invariant) << describe(*report);
  EXPECT_FALSE(report->trace.empty());
}

INSTANTIATE_TEST_SUITE_P(Sim, EveryPackSabotage,
                         ::testing::Values(BrokenPack{PackSabotage::kForgetsSections, kInvariantSections},
                                           BrokenPack{PackSabotage::kHidesSections, kInvariantSections},
                                           BrokenPack{PackSabotage::kChatters, kInvariantRelays},
                                           BrokenPack{PackSabotage::kAllocates, kInvariantBoundedQueues}),
                         [](const auto& info) { return std::string{to_text(info.param.sabotage)}; });

}  // namespace
}  // namespace amphora::sim
