// SPDX-License-Identifier: Apache-2.0
// Each rule of the checkers is broken once on purpose, and kept once.
#include <gtest/gtest.h>

#include <string>

#include "sim/checkers/limits_checker.hpp"
#include "sim/checkers/memory_checker.hpp"
#include "sim/checkers/rhythm_checker.hpp"

namespace amphora::sim {
namespace {

constexpr TimePoint at_ms(std::int64_t ms) {
  return TimePoint{Duration{ms * 1000}};
}

can::Frame limits_frame(std::uint16_t cvl_dv, std::int16_t ccl_da, std::int16_t dcl_da) {
  can::Frame frame;
  frame.id = 0x351;
  frame.size = 8;
  store<std::uint16_t>(frame.data.data(), cvl_dv, Endian::kLittle);
  store<std::int16_t>(frame.data.data() + 2, ccl_da, Endian::kLittle);
  store<std::int16_t>(frame.data.data() + 4, dcl_da, Endian::kLittle);
  return frame;
}

struct LimitsBench : ::testing::Test {
  LimitsBench() { checker.handle_node_started(at_ms(0)); }
  void truth(std::int64_t ms, int low = 3'300, int high = 3'310, bool allows_charge = true,
             bool allows_discharge = true) {
    checker.handle_truth(at_ms(ms),
                         PackTruth{Millivolts{low}, Millivolts{high}, allows_charge, allows_discharge});
  }
  std::string rule() const { return log.is_empty() ? "" : log.kept()[0].rule; }

  ViolationLog log;
  LimitsChecker checker{LimitsRules{}, log};
};

TEST_F(LimitsBench, FreshPlausibleLimitsPass) {
  truth(0);
  checker.handle_live_reply(at_ms(1000), at_ms(990), false);
  checker.handle_frame(at_ms(1200), limits_frame(552, 500, 1000));
  checker.handle_frame(at_ms(6000), limits_frame(552, 500, 1000));
  EXPECT_TRUE(log.is_empty()) << rule();
  EXPECT_EQ(checker.allowing_frame_count(), 2U);
}

TEST_F(LimitsBench, AnyFrameBeforeTheFirstSnapshotIsCaught) {
  can::Frame name;
  name.id = 0x370;
  checker.handle_frame(at_ms(10), name);
  EXPECT_EQ(rule(), "a frame before the first complete snapshot; a: its id");
}

TEST_F(LimitsBench, ARestartForgetsTheSnapshot) {
  checker.handle_live_reply(at_ms(1000), at_ms(990), false);
  checker.handle_node_started(at_ms(1100));
  checker.handle_frame(at_ms(1200), limits_frame(552, 0, 0));
  EXPECT_EQ(log.count(), 1U);
}

TEST_F(LimitsBench, OldDataIsCaughtAndZeroIsNot) {
  checker.handle_live_reply(at_ms(1000), at_ms(1000), false);
  checker.handle_frame(at_ms(6300), limits_frame(552, 0, 0));
  EXPECT_TRUE(log.is_empty());
  checker.handle_frame(at_ms(6400), limits_frame(552, 0, 1));
  EXPECT_EQ(log.count(), 1U);
  EXPECT_EQ(log.kept()[0].a, 5400);
}

TEST_F(LimitsBench, ChargeVoltageZeroIsCaughtEvenWithZeroCurrents) {
  checker.handle_live_reply(at_ms(1000), at_ms(1000), false);
  checker.handle_frame(at_ms(1200), limits_frame(0, 0, 0));
  EXPECT_EQ(rule(), "charge voltage 0");
}

TEST_F(LimitsBench, ChargeVoltageAboveTheCellsIsCaught) {
  checker.handle_live_reply(at_ms(1000), at_ms(1000), false);
  checker.handle_frame(at_ms(1200), limits_frame(576, 0, 0));
  EXPECT_TRUE(log.is_empty());
  checker.handle_frame(at_ms(1200), limits_frame(577, 0, 0));
  EXPECT_EQ(log.count(), 1U);
}

TEST_F(LimitsBench, CurrentsOutsideTheirRangeAreCaught) {
  checker.handle_live_reply(at_ms(1000), at_ms(1000), false);
  checker.handle_frame(at_ms(1200), limits_frame(552, 501, 0));
  checker.handle_frame(at_ms(1200), limits_frame(552, 0, 1001));
  checker.handle_frame(at_ms(1200), limits_frame(552, -1, 0));
  checker.handle_frame(at_ms(1200), limits_frame(552, 0, -1));
  EXPECT_EQ(log.count(), 4U);
}

TEST_F(LimitsBench, AFaultMustBeObeyedAfterTheReactionTime) {
  checker.handle_live_reply(at_ms(1000), at_ms(990), true);
  checker.handle_frame(at_ms(1200), limits_frame(552, 500, 1000));
  EXPECT_TRUE(log.is_empty());
  checker.handle_live_reply(at_ms(1290), at_ms(1280), true);
  checker.handle_frame(at_ms(1301), limits_frame(552, 500, 0));
  EXPECT_EQ(log.count(), 1U);
  checker.handle_live_reply(at_ms(2000), at_ms(1990), false);
  checker.handle_frame(at_ms(2200), limits_frame(552, 500, 0));
  EXPECT_EQ(log.count(), 1U);
}

TEST_F(LimitsBench, AnOpenProtectionMustBeObeyedEvenWhenNobodyTold) {
  truth(0, 3'300, 3'310, true, false);
  checker.handle_live_reply(at_ms(5'400), at_ms(5'390), false);
  checker.handle_frame(at_ms(5'400), limits_frame(552, 10, 10));
  EXPECT_TRUE(log.is_empty());
  checker.handle_frame(at_ms(5'500), limits_frame(552, 10, 0));
  EXPECT_TRUE(log.is_empty());
  checker.handle_frame(at_ms(5'500), limits_frame(552, 0, 10));
  EXPECT_EQ(log.count(), 1U);
  truth(6'000, 3'300, 3'310, false, true);
  checker.handle_live_reply(at_ms(11'000), at_ms(11'000), false);
  checker.handle_frame(at_ms(11'500), limits_frame(552, 10, 0));
  EXPECT_EQ(log.count(), 2U);
  checker.handle_truth_hidden();
  checker.handle_frame(at_ms(11'500), limits_frame(552, 10, 0));
  EXPECT_EQ(log.count(), 2U);
}

TEST_F(LimitsBench, CellsOutsideTheirRangeForbidTheirDirection) {
  truth(0, 2'700, 3'310);
  checker.handle_live_reply(at_ms(6'000), at_ms(5'990), false);
  checker.handle_frame(at_ms(6'000), limits_frame(552, 10, 0));
  EXPECT_TRUE(log.is_empty());
  checker.handle_frame(at_ms(6'000), limits_frame(552, 0, 10));
  EXPECT_EQ(log.count(), 1U);
  truth(6'100, 3'300, 3'650);
  checker.handle_live_reply(at_ms(12'000), at_ms(12'000), false);
  checker.handle_frame(at_ms(12'000), limits_frame(552, 10, 0));
  EXPECT_EQ(log.count(), 2U);
}

TEST_F(LimitsBench, AShortLimitsFrameIsCaught) {
  checker.handle_live_reply(at_ms(1000), at_ms(1000), false);
  can::Frame frame = limits_frame(552, 0, 0);
  frame.size = 5;
  checker.handle_frame(at_ms(1100), frame);
  EXPECT_EQ(log.count(), 1U);
}

TEST_F(LimitsBench, MeasuresTheWayToZero) {
  checker.handle_live_reply(at_ms(1000), at_ms(1000), false);
  checker.handle_frame(at_ms(5'900), limits_frame(552, 500, 1000));
  checker.handle_frame(at_ms(6'010), limits_frame(552, 0, 0));
  checker.handle_frame(at_ms(6'210), limits_frame(552, 0, 0));
  EXPECT_EQ(checker.zero_after_silence_ms().count(), 1U);
  EXPECT_EQ(checker.zero_after_silence_ms().max(), 5'010);
}

TEST(RhythmChecker, MeasuresGapsOnlyWhileDueAndCatchesLongOnes) {
  ViolationLog log;
  RhythmChecker checker{Duration{450'000}, log};
  checker.handle_frame(at_ms(0));
  checker.set_due(at_ms(1000), true);
  checker.handle_frame(at_ms(1100));
  checker.handle_frame(at_ms(1300));
  checker.set_due(at_ms(1400), false);
  checker.set_due(at_ms(5000), true);
  checker.handle_frame(at_ms(5200));
  EXPECT_TRUE(log.is_empty());
  EXPECT_EQ(checker.gap_us().count(), 1U);
  EXPECT_EQ(checker.gap_us().max(), 200'000);
  checker.judge(at_ms(5'700));
  EXPECT_EQ(log.count(), 1U);
}

TEST(MemoryChecker, CatchesAnAllocationALongQueueAndAnUncountedDrop) {
  ASSERT_TRUE(MemoryChecker::is_counting()) << "this test must link the allocation hook";
  ViolationLog log;
  MemoryChecker checker{log};
  checker.handle_start();
  checker.check_memory(at_ms(1));
  checker.check_queue(at_ms(1), 4, 4);
  checker.check_balance(at_ms(1), 10, 7, 1, 2);
  EXPECT_TRUE(log.is_empty());
  const auto* leak = new std::string(100, 'x');
  checker.check_memory(at_ms(2));
  delete leak;
  EXPECT_EQ(log.count(), 1U);
  checker.check_queue(at_ms(3), 5, 4);
  EXPECT_EQ(log.count(), 2U);
  checker.check_balance(at_ms(3), 10, 7, 1, 1);
  EXPECT_EQ(log.count(), 3U);
}

}  // namespace
}  // namespace amphora::sim
