// SPDX-License-Identifier: Apache-2.0
// The scenarios hold, are deterministic, and every checker notices a node that breaks its promise.
#include "sim/scenarios/scenario.hpp"
#include "sim/scenarios/report_testing.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "sim/checkers/memory_checker.hpp"
#include "sim/cli/sim_cli.hpp"
#include "sim/scenarios/gateway_world.hpp"
#include "sim/scenarios/plan_builder.hpp"
#include "sim/scenarios/swarm.hpp"

namespace amphora::sim {
namespace {

using std::chrono::minutes;

class EveryScenario : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EveryScenario, BreaksNoInvariantAndRepeatsToTheByte) {
  const Options options{.seed = 7, .duration = minutes{65}};
  const auto first = run(GetParam(), options);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->violation_count, 0U) << describe(*first);
  EXPECT_GT(histogram(*first, "limit_gap_ms").count(), 1000U) << "a run without limits proves nothing";
  const auto second = run(GetParam(), options);
  EXPECT_EQ(first->digest, second->digest);
  Options other = options;
  other.seed = 8;
  EXPECT_NE(run(GetParam(), other)->digest, first->digest);
}

TEST_P(EveryScenario, HoldsWithLossToo) {
  const auto report = run(GetParam(), Options{.seed = 3, .duration = minutes{30}, .loss_ppm = 100'000});
  EXPECT_EQ(report->violation_count, 0U) << describe(*report);
}

std::vector<std::string_view> gateway_names() {
  std::vector<std::string_view> names;
  for (const ScenarioInfo& info : list()) {
    if (info.world == WorldKind::kGateway) {
      names.push_back(info.name);
    }
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Sim, EveryScenario, ::testing::ValuesIn(gateway_names()), [](const auto& info) {
  std::string name{info.param};
  std::erase(name, '-');
  return name;
});

TEST(Scenario, UnknownNamesAreRefused) {
  EXPECT_FALSE(run("no-such-thing", Options{}).has_value());
  EXPECT_FALSE(make_plan("no-such-thing", 1, Options{}).has_value());
}

TEST(Scenario, LimitsFallToZeroWithinTheBoundOfTheirData) {
  const auto report = run("bms-silent", Options{.seed = 2, .duration = minutes{125}});
  const Histogram& zero = histogram(*report, "zero_limit_after_silence_ms");
  EXPECT_GE(zero.count(), 10U);
  EXPECT_LE(zero.max(), 5'300);
}

TEST(Scenario, LimitsKeepTheirRhythm) {
  const auto report = run("bms-gateway", Options{.seed = 2, .duration = std::chrono::hours{4}});
  const Histogram& gap = histogram(*report, "limit_gap_ms");
  EXPECT_GT(gap.count(), 60'000U);
  EXPECT_LE(gap.max(), 300'000);  // in microseconds
}

TEST(Scenario, SeveralSeedsMergeTheirFigures) {
  const Options one{.seed = 5, .duration = minutes{10}};
  Options two = one;
  two.seeds = 2;
  const auto single = run("gx-vanishes", one);
  const auto both = run("gx-vanishes", two);
  EXPECT_GT(histogram(*both, "limit_gap_ms").count(), histogram(*single, "limit_gap_ms").count());
  EXPECT_NE(both->digest, single->digest);
}

TEST(GatewayWorld, ADayMovesEnergyAndStaysWithinTheCells) {
  const auto plan = make_plan("bms-gateway", 11, Options{});
  const auto world = std::make_unique<GatewayWorld>(*plan);
  world->run();
  EXPECT_TRUE(world->violations().is_empty());
  EXPECT_GT(world->pack().energy_in().count(), 500'000);  // mWh
  EXPECT_GT(world->pack().energy_out().count(), 500'000);
  EXPECT_EQ(world->gx().violations().total(), 0U);
}

TEST(GatewayWorld, AloneOnTheBusItNeverGoesOffAndRecoversWhenSomebodyComes) {
  const auto plan = make_plan("no-other-node", 4, Options{.duration = minutes{4}});
  const auto world = std::make_unique<GatewayWorld>(*plan);
  world->run();
  EXPECT_TRUE(world->violations().is_empty());
  EXPECT_EQ(world->bus().statistics(0).bus_off_count, 0U);
  EXPECT_GT(world->bus().statistics(0).ack_errors, 10'000U);
  EXPECT_GT(world->withdrawn_frame_count(), 10U);
  EXPECT_EQ(world->bus().state(0), can::BusState::kActive);
  EXPECT_GT(world->rhythm_checker().gap_us().count(), 100U);
}

TEST(GatewayWorld, BootsAgainAfterEachCrash) {
  GatewayPlan plan;
  plan.duration = minutes{3};
  add_fault(plan, FaultKind::kNodeCrash, minutes{1}, std::chrono::seconds{5});
  add_fault(plan, FaultKind::kNodeCrash, minutes{2}, std::chrono::milliseconds{1});
  const auto world = std::make_unique<GatewayWorld>(plan);
  world->run();
  EXPECT_TRUE(world->violations().is_empty());
  EXPECT_EQ(world->boot_count(), 3U);
}

TEST(Swarm, AHundredRandomBoxesBreakNothing) {
  const SwarmReport report = run_swarm(SwarmOptions{.from = 1, .seeds = 100, .world = WorldKind::kGateway});
  ASSERT_FALSE(report.first_failure.has_value())
      << "seed " << report.first_failure->seed << ": " << report.first_failure->violation.rule;
  EXPECT_EQ(report.seeds, 100U);
}

TEST(Swarm, TheSameSeedsGiveTheSameDigest) {
  const SwarmReport first = run_swarm(SwarmOptions{.from = 900, .seeds = 5});
  const SwarmReport second = run_swarm(SwarmOptions{.from = 900, .seeds = 5});
  const SwarmReport other = run_swarm(SwarmOptions{.from = 901, .seeds = 5});
  EXPECT_EQ(first.digest, second.digest);
  EXPECT_NE(first.digest, other.digest);
}

TEST(Swarm, RandomPlansReachEveryKindOfFault) {
  std::set<FaultKind> kinds;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    for (const GatewayFault& fault : make_random_plan(seed).faults) {
      kinds.insert(fault.kind);
    }
  }
  EXPECT_EQ(kinds.size(), static_cast<std::size_t>(FaultKind::kCount));
}

// Tests of the test: a node that breaks a promise is caught, under the right invariant.
struct BrokenGateway {
  Sabotage sabotage;
  std::string_view scenario;
  int invariant;
};
class EverySabotage : public ::testing::TestWithParam<BrokenGateway> {};

TEST_P(EverySabotage, IsCaught) {
  const BrokenGateway& broken = GetParam();
  const auto honest = run(broken.scenario, Options{.seed = 1, .duration = minutes{31}});
  EXPECT_EQ(honest->violation_count, 0U) << describe(*honest);
  const auto report =
      run(broken.scenario, Options{.seed = 1, .duration = minutes{31}, .sabotage = broken.sabotage});
  ASSERT_GT(report->violation_count, 0U) << to_text(broken.sabotage) << " was not noticed";
  EXPECT_EQ(report->violations[0].invariant, broken.invariant) << describe(*report);
  EXPECT_FALSE(report->trace.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Sim, EverySabotage,
    ::testing::Values(BrokenGateway{Sabotage::kKeepsOldLimits, "bms-silent", kInvariantFreshLimits},
                      BrokenGateway{Sabotage::kKeepsOldLimits, "pack-faults", kInvariantFreshLimits},
                      BrokenGateway{Sabotage::kKeepsOldLimits, "can-battery", kInvariantFreshLimits},
                      BrokenGateway{Sabotage::kChargeVoltageZero, "bms-silent", kInvariantFreshLimits},
                      BrokenGateway{Sabotage::kSpeaksTooEarly, "gx-vanishes", kInvariantFreshLimits},
                      BrokenGateway{Sabotage::kAllowsTooMuch, "noise", kInvariantFreshLimits},
                      BrokenGateway{Sabotage::kDropsLimits, "noise", kInvariantRhythm},
                      BrokenGateway{Sabotage::kLosesFrames, "noise", kInvariantBoundedQueues},
                      BrokenGateway{Sabotage::kAllocates, "noise", kInvariantBoundedQueues}),
    [](const auto& info) {
      std::string name = std::string{to_text(info.param.sabotage)} + "_" + std::string{info.param.scenario};
      std::erase(name, '-');
      return name;
    });

TEST(Swarm, AFailureIsShrunkAndTheRestStillFails) {
  const SwarmReport report = run_swarm(SwarmOptions{.from = 1,
                                                    .seeds = 50,
                                                    .world = WorldKind::kGateway,
                                                    .sabotage = {.gateway = Sabotage::kKeepsOldLimits}});
  ASSERT_TRUE(report.first_failure.has_value());
  const SwarmFailure& failure = *report.first_failure;
  const GatewayPlan whole = make_random_plan(failure.seed);
  EXPECT_LE(failure.faults.size(), whole.faults.size());
  ASSERT_TRUE(failure.shrunk.until.has_value());
  EXPECT_LE(*failure.shrunk.until, whole.duration);
  EXPECT_FALSE(failure.trace.empty());
  const ReplayReport again = replay(failure.shrunk, {.gateway = Sabotage::kKeepsOldLimits});
  ASSERT_TRUE(again.violation.has_value());
  EXPECT_EQ(again.violation->invariant, failure.violation.invariant);
}

// What the swarm has found, kept: each line once broke an invariant.
TEST(Swarm, SeedsThatOnceFailedPass) {
  constexpr std::uint64_t kSeeds[] = {
      105,   // a cell list that contradicts the reported count
      198,   // a status that does not exist
      300,   // a host that stalled for seconds took an old reply for a new one
      526,   // noise on a busy line
      652,   // of two joined replies the second was not asked for
      676,   // noise that mended what the BMS had garbled
      1413,  // of two joined replies only the older one arrived
  };
  for (const std::uint64_t seed : kSeeds) {
    const ReplayReport report = replay(Excerpt{seed, ~std::uint64_t{0}, std::nullopt, WorldKind::kGateway});
    EXPECT_FALSE(report.violation.has_value())
        << "seed " << seed << ": " << report.violation->rule << " a=" << report.violation->a;
  }
}

int sim(std::initializer_list<std::string_view> arguments, std::string& out, std::string& err) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const int code = sim_main(std::span{arguments.begin(), arguments.size()});
  out = ::testing::internal::GetCapturedStdout();
  err = ::testing::internal::GetCapturedStderr();
  return code;
}

TEST(SimCommand, PrintsOneJsonObject) {
  std::string out;
  std::string err;
  EXPECT_EQ(sim({"noise", "--hours", "0.05", "--seed", "9", "--loss", "0.1", "--json"}, out, err), 0) << err;
  EXPECT_TRUE(
      out.starts_with("{\"scenario\":\"noise\",\"seed\":9,\"seeds\":1,\"hours\":0.05,"
                      "\"options\":{\"loss\":0.1},\"figures\":{\"limit_gap_ms\":{\"p50\":"))
      << out;
  EXPECT_NE(out.find("\"violations\":0,\"digest\":\""), std::string::npos) << out;
  EXPECT_TRUE(out.ends_with("}\n"));
  EXPECT_TRUE(err.empty()) << err;
}

TEST(SimCommand, AHouseTellsItsEnergyBySourceAndSink) {
  std::string out;
  std::string err;
  EXPECT_EQ(sim({"house", "--days", "2", "--mode", "eco+import-limit", "--json"}, out, err), 0) << err;
  EXPECT_TRUE(
      out.starts_with("{\"scenario\":\"house\",\"seed\":1,\"seeds\":1,\"hours\":48,\"options\":{\"loss\":0,"
                      "\"mode\":\"eco+import_limit\"},\"figures\":{\"energy_kwh\":{\"sun\":"))
      << out;
  for (const std::string_view figure :
       {"relay_operations_per_day\":{\"grid\":", "energy_error_percent\":", "state_writes_per_year\":",
        "time_to_limit\":{\"p50\":", "warnings\":{"}) {
    EXPECT_NE(out.find(figure), std::string::npos) << figure;
  }
}

TEST(SimCommand, SwarmPrintsOneJsonObject) {
  std::string out;
  std::string err;
  EXPECT_EQ(sim({"swarm", "--seeds", "2", "--json"}, out, err), 0) << err;
  EXPECT_TRUE(out.starts_with("{\"seeds\":2,\"violations\":0,\"first_failure\":null,\"digest\":\"")) << out;
}

TEST(SimCommand, CountIsTheNumberOfPacks) {
  std::string out;
  std::string err;
  EXPECT_EQ(sim({"packs", "--count", "3", "--json"}, out, err), 0) << err;
  EXPECT_NE(out.find("\"options\":{\"loss\":0,\"count\":3}"), std::string::npos) << out;
  for (const std::string_view name :
       {"claim_ms", "election_ms", "failover_ms", "merge_ms", "bus_load_percent"}) {
    EXPECT_NE(out.find("\"" + std::string{name} + "\":{\"p50\":"), std::string::npos) << name;
  }
}

TEST(SimCommand, TraceGoesToStandardError) {
  std::string out;
  std::string err;
  EXPECT_EQ(sim({"noise", "--hours", "0.01", "--trace"}, out, err), 0);
  EXPECT_NE(err.find(" 351 [8]"), std::string::npos);
  EXPECT_EQ(out.find(" 351 [8]"), std::string::npos);
}

TEST(SimCommand, WrongUsageIsNamedAndRefused) {
  const std::initializer_list<std::string_view> kWrong[] = {{},
                                                            {"nowhere"},
                                                            {"noise", "--hours", "0"},
                                                            {"noise", "--hours", "x"},
                                                            {"noise", "--loss", "1.5"},
                                                            {"noise", "--seeds", "0"},
                                                            {"noise", "--seed"},
                                                            {"noise", "--seed", "-1"},
                                                            {"noise", "--speed"},
                                                            {"noise", "swarm"},
                                                            {"packs", "--count", "33"},
                                                            {"packs", "--count", "0"},
                                                            {"link-recovery", "--event", "flood"},
                                                            {"link-discovery", "--last-channel", "3"},
                                                            {"house", "--mode", "party"},
                                                            {"house", "--days", "0"},
                                                            {"house", "--days", "367"},
                                                            {"house", "--days", "1", "--hours", "1"},
                                                            {"swarm", "--world", "moon"},
                                                            {"swarm", "--world"},
                                                            {"replay"}};
  for (const auto& arguments : kWrong) {
    std::string out;
    std::string err;
    EXPECT_EQ(sim(arguments, out, err), 2);
    EXPECT_TRUE(out.empty()) << out;
    EXPECT_FALSE(err.empty());
  }
}

TEST(SimCommand, ListNamesEveryScenario) {
  std::string out;
  std::string err;
  EXPECT_EQ(sim({"list"}, out, err), 0);
  for (const ScenarioInfo& info : list()) {
    EXPECT_NE(out.find(info.name), std::string::npos);
  }
}

}  // namespace
}  // namespace amphora::sim
