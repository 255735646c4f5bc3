// SPDX-License-Identifier: Apache-2.0
// Each rule of the checkers is broken once on purpose, and kept once.
#include <gtest/gtest.h>

#include <string>

#include "sim/checkers/delivery_checker.hpp"
#include "sim/checkers/limits_checker.hpp"
#include "sim/checkers/memory_checker.hpp"
#include "sim/checkers/rhythm_checker.hpp"
#include "sim/checkers/section_checker.hpp"
#include "sim/checkers/store_checker.hpp"

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

struct SectionBench : ::testing::Test {
  SectionBench() {
    checker.set_group(0, 1);
    checker.set_group(1, 1);
  }
  static SectionMark mark(std::uint32_t version, std::uint64_t ms, std::uint64_t digest = 1) {
    return SectionMark{version, ms, 0, 7, digest};
  }
  std::string rule() const { return log.is_empty() ? "" : log.kept()[0].rule; }
  ViolationLog log;
  SectionChecker checker{3, 2, log};
};

TEST_F(SectionBench, ForwardAndEqualPasses) {
  checker.handle_shown(at_ms(1), 0, 1, mark(1, 10));
  checker.handle_durable(at_ms(2), 0, 1, mark(1, 10));
  EXPECT_FALSE(checker.is_equal());
  checker.handle_shown(at_ms(3), 1, 1, mark(1, 10));
  checker.handle_shown(at_ms(3), 2, 1, mark(9, 9));
  EXPECT_TRUE(checker.is_equal()) << "the third holder is in no group";
  checker.judge_equal(at_ms(4));
  EXPECT_TRUE(log.is_empty()) << rule();
}

TEST_F(SectionBench, DifferentSectionsAreCaught) {
  checker.handle_shown(at_ms(1), 0, 1, mark(1, 10, 1));
  checker.handle_shown(at_ms(1), 1, 1, mark(1, 10, 2));
  EXPECT_FALSE(checker.is_equal());
  checker.judge_equal(at_ms(2));
  EXPECT_EQ(rule(), "two boxes hold different sections; a: section, b: holders");
  EXPECT_EQ(log.kept()[0].invariant, kInvariantSections);
}

TEST_F(SectionBench, AStampThatRunsBackwardsIsCaught) {
  checker.handle_shown(at_ms(1), 0, 0, mark(1, 10));
  checker.handle_shown(at_ms(2), 0, 0, mark(2, 9));
  EXPECT_EQ(rule(), "a stamp ran backwards; a: ms before, b: ms after");
}

TEST_F(SectionBench, AVersionThatRunsBackwardsIsCaught) {
  checker.handle_shown(at_ms(1), 0, 0, mark(2, 10));
  checker.handle_shown(at_ms(2), 0, 0, mark(1, 11));
  EXPECT_EQ(rule(), "a version ran backwards; a: before, b: after");
}

TEST_F(SectionBench, DefaultsThatWinAreCaught) {
  checker.handle_shown(at_ms(1), 0, 0, mark(2, 10));
  checker.handle_shown(at_ms(2), 0, 0, SectionMark{});
  EXPECT_EQ(rule(), "data gave way to defaults; a: version before");
}

TEST_F(SectionBench, ABootForgetsOnlyWhatWasNotDurable) {
  checker.handle_durable(at_ms(1), 0, 0, mark(1, 10));
  checker.handle_shown(at_ms(2), 0, 0, mark(2, 20));
  checker.handle_booted(at_ms(3), 0, 0, mark(1, 10));
  EXPECT_TRUE(log.is_empty()) << rule();
  checker.handle_lost(0, 0);
  checker.handle_booted(at_ms(4), 0, 0, SectionMark{});
  EXPECT_TRUE(log.is_empty()) << rule();
  checker.handle_durable(at_ms(5), 0, 0, mark(3, 30));
  checker.handle_booted(at_ms(6), 0, 0, mark(1, 10));
  EXPECT_EQ(log.count(), 1U);
}

struct StoreBench : ::testing::Test {
  static constexpr std::array<std::uint8_t, 3> kOld{1, 2, 3};
  static constexpr std::array<std::uint8_t, 3> kNew{4, 5, 6};
  static constexpr std::array<std::uint8_t, 3> kMixed{1, 5, 6};
  void read(ByteSpan bytes, bool may_be_damaged = false) {
    checker.handle_read(at_ms(9), 1, {FlashStore::ReadState::kGood, bytes}, may_be_damaged);
  }
  void begin() {
    checker.handle_write(1, kOld);
    checker.handle_durable(at_ms(1), 1);
    checker.handle_write(1, kNew);
  }
  std::string rule() const { return log.is_empty() ? "" : log.kept()[0].rule; }
  ViolationLog log;
  StoreChecker checker{4, log};
};

TEST_F(StoreBench, OldAndNewPass) {
  begin();
  read(kOld);
  begin();
  read(kNew);
  EXPECT_TRUE(log.is_empty()) << rule();
  // What a boot has read is what the next one must find.
  read(kOld);
  EXPECT_EQ(log.count(), 1U);
}

TEST_F(StoreBench, AMixtureIsCaught) {
  begin();
  read(kMixed);
  EXPECT_EQ(rule(), "a record is neither the old nor the new value; a: key");
  EXPECT_EQ(log.kept()[0].invariant, kInvariantStore);
}

TEST_F(StoreBench, ALostDurableRecordIsCaughtUnlessThePlanDestroysIt) {
  begin();
  checker.handle_read(at_ms(9), 1, {FlashStore::ReadState::kDamaged, {}}, true);
  EXPECT_TRUE(log.is_empty()) << rule();
  begin();
  checker.handle_read(at_ms(9), 1, {FlashStore::ReadState::kDamaged, {}}, false);
  EXPECT_EQ(rule(), "a durable record is gone after a power cut; a: key");
}

TEST_F(StoreBench, AConfirmationWithoutAWriteIsCaught) {
  checker.handle_durable(at_ms(1), 1);
  EXPECT_EQ(rule(), "the store confirmed a write that nobody asked for");
}

TEST_F(StoreBench, TooManyWritesAreCaught) {
  FlashStore store{FlashStoreConfig{}, Rng{1}};
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(store.write(at_ms(1), 1, kOld));
  }
  checker.judge_wear(at_ms(1000), store, 1'000, 10);
  EXPECT_TRUE(log.is_empty()) << rule();
  checker.judge_wear(at_ms(1000), store, 1'000, 9);
  EXPECT_EQ(rule(), "a record is written too often; a: writes, b: allowed so far");
}

struct DeliveryBench : ::testing::Test {
  void produce(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t i = first; i <= last; ++i) {
      checker.handle_produced(0, 1, i, 100 + i);
    }
  }
  void deliver(std::uint32_t sequence) { checker.handle_delivered(at_ms(1), 0, 1, sequence, 100 + sequence); }
  std::string rule() const { return log.is_empty() ? "" : log.kept()[0].rule; }
  ViolationLog log;
  DeliveryChecker checker{1, 100, log};
};

TEST_F(DeliveryBench, InOrderWithCountedDropsPasses) {
  produce(1, 5);
  deliver(1);
  deliver(3);
  checker.judge(at_ms(2), 0, {.added = 5, .acked = 1, .dropped = 1, .waiting = 3});
  deliver(4);
  checker.judge_end(at_ms(3), 0, {.added = 5, .acked = 3, .dropped = 1, .waiting = 1});
  EXPECT_TRUE(log.is_empty()) << rule();
  EXPECT_EQ(checker.delivered(0), 3U);
}

TEST_F(DeliveryBench, APowerCutTakesWhatWaited) {
  produce(1, 3);
  deliver(1);
  checker.handle_source_stopped(at_ms(2), 0, {.added = 3, .acked = 1, .waiting = 2}, false);
  checker.judge_end(at_ms(3), 0, {});
  EXPECT_TRUE(log.is_empty()) << rule();
  EXPECT_EQ(checker.lost_with_power(0), 2U);
}

TEST_F(DeliveryBench, WhatAPersistentSourceFindsAgainIsNotLost) {
  produce(1, 4);
  deliver(1);
  checker.handle_source_stopped(at_ms(2), 0, {.added = 4, .acked = 1, .waiting = 3}, true);
  // The fourth was not stored yet; another one gets its number.
  constexpr std::uint32_t kRestored[] = {2, 3};
  checker.handle_source_restored(0, 1, 4, kRestored);
  checker.handle_produced(0, 1, 4, 777);
  deliver(2);
  deliver(3);
  checker.handle_delivered(at_ms(3), 0, 1, 4, 777);
  checker.judge_end(at_ms(4), 0, {.added = 3, .acked = 3});
  EXPECT_TRUE(log.is_empty()) << rule();
  EXPECT_EQ(checker.lost_with_power(0), 1U);
}

TEST_F(DeliveryBench, TwiceIsCaught) {
  produce(1, 2);
  deliver(1);
  deliver(1);
  EXPECT_EQ(rule(), "a reading was delivered twice; a: epoch, b: sequence");
}

TEST_F(DeliveryBench, OutOfOrderIsCaught) {
  produce(1, 2);
  deliver(2);
  deliver(1);
  EXPECT_EQ(rule(), "a reading was delivered out of order; a: epoch, b: sequence");
}

TEST_F(DeliveryBench, InventedAndChangedReadingsAreCaught) {
  produce(1, 2);
  deliver(7);
  EXPECT_EQ(rule(), "a reading was delivered that nobody produced; a: epoch, b: sequence");
  checker.handle_delivered(at_ms(1), 0, 1, 1, 5);
  EXPECT_EQ(log.count(), 2U);
}

TEST_F(DeliveryBench, AckedButNotDeliveredIsCaught) {
  produce(1, 2);
  checker.judge(at_ms(2), 0, {.added = 2, .acked = 1, .waiting = 1});
  EXPECT_EQ(rule(), "a reading was acknowledged but not delivered; a: acked, b: delivered");
}

TEST_F(DeliveryBench, UncountedReadingsAreCaught) {
  produce(1, 3);
  checker.judge(at_ms(2), 0, {.added = 3, .waiting = 2});
  EXPECT_EQ(rule(), "a reading left the queue uncounted; a: added, b: accounted for");
  // The source may count right and still have lost one on the way.
  checker.judge_end(at_ms(3), 0, {.added = 2, .waiting = 2});
  EXPECT_EQ(log.count(), 2U);
  EXPECT_STREQ(log.kept()[1].rule, "readings are gone uncounted; a: how many");
}

}  // namespace
}  // namespace amphora::sim
