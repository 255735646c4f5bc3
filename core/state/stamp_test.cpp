// SPDX-License-Identifier: Apache-2.0
#include "core/state/stamp.hpp"

#include <gtest/gtest.h>

#include "core/base/rng.hpp"

namespace amphora::state {
namespace {

constexpr std::int64_t kWall = 1'700'000'000'000;

constexpr TimePoint at_ms(std::int64_t ms) {
  return TimePoint{std::chrono::milliseconds{ms}};
}

HybridClock clock_at(std::int64_t wall_ms) {
  HybridClock clock;
  (void)clock.set_wall_time(at_ms(0), WallTime{wall_ms});
  return clock;
}

TEST(Stamp, SuccessorCarriesIntoThePhysicalPart) {
  EXPECT_EQ(successor({5, 7}), (Stamp{5, 8}));
  EXPECT_EQ(successor({5, 0xFFFF}), (Stamp{6, 0}));
}

TEST(HybridClock, FollowsWallTime) {
  HybridClock clock = clock_at(kWall);
  EXPECT_EQ(clock.stamp(at_ms(10)), (Stamp{kWall + 10, 0}));
  EXPECT_EQ(clock.stamp(at_ms(10)), (Stamp{kWall + 10, 1}));
  EXPECT_EQ(clock.stamp(at_ms(12)), (Stamp{kWall + 12, 0}));
  EXPECT_EQ(clock.wall_time(at_ms(12))->unix_ms, kWall + 12);
  EXPECT_EQ(clock.ahead_of_wall(at_ms(12)), Duration::zero());
}

TEST(HybridClock, AWallClockThatStepsBackwardsIsHarmless) {
  HybridClock clock = clock_at(kWall);
  const Stamp before = *clock.stamp(at_ms(0));
  ASSERT_TRUE(clock.set_wall_time(at_ms(1), WallTime{kWall - 3'600'000}));
  EXPECT_EQ(clock.stamp(at_ms(1)), successor(before));
  EXPECT_EQ(clock.ahead_of_wall(at_ms(1)), std::chrono::hours{1});
}

TEST(HybridClock, LogicalOverflowCarries) {
  HybridClock clock = clock_at(kWall);
  Stamp last = *clock.stamp(at_ms(0));
  for (int i = 0; i < 70'000; ++i) {
    const Stamp next = *clock.stamp(at_ms(0));
    ASSERT_GT(next, last);
    last = next;
  }
  EXPECT_EQ(last.physical_ms, static_cast<std::uint64_t>(kWall) + 1);
}

TEST(HybridClock, IsAboveEverythingMerged) {
  HybridClock clock = clock_at(kWall);
  ASSERT_TRUE(clock.merge({kWall + 86'400'000, 3}));
  EXPECT_EQ(clock.stamp(at_ms(0)), (Stamp{kWall + 86'400'000, 4}));
  ASSERT_TRUE(clock.merge({5, 5}));
  EXPECT_EQ(clock.stamp(at_ms(0)), (Stamp{kWall + 86'400'000, 5}));
}

TEST(HybridClock, AbsurdStampsAndTimesAreRefusedAndCounted) {
  HybridClock clock = clock_at(kWall);
  EXPECT_FALSE(clock.merge({kStampPhysicalMax + 1, 0}));
  EXPECT_TRUE(clock.merge({kStampPhysicalMax, 0}));
  EXPECT_FALSE(clock.set_wall_time(at_ms(0), WallTime{-1}));
  EXPECT_FALSE(clock.set_wall_time(at_ms(0), WallTime{static_cast<std::int64_t>(kWallTimeMax) + 1}));
  EXPECT_FALSE(clock.take_peer_reading(at_ms(0), {true, {kStampPhysicalMax + 1, 0}}));
  EXPECT_EQ(clock.refused_count(), 4U);
}

TEST(HybridClock, WithoutTimeItCannotStampUntilAPeerBringsIt) {
  HybridClock clock;
  EXPECT_FALSE(clock.can_stamp());
  EXPECT_FALSE(clock.stamp(at_ms(5)).has_value());
  EXPECT_FALSE(clock.wall_time(at_ms(5)).has_value());
  EXPECT_EQ(clock.reading(at_ms(5)), (ClockReading{false, kLowestStamp}));
  ASSERT_TRUE(clock.take_peer_reading(at_ms(1000), {true, {kWall, 2}}));
  EXPECT_EQ(clock.stamp(at_ms(1000)), (Stamp{kWall, 3}));
  EXPECT_EQ(clock.stamp(at_ms(1500)), (Stamp{kWall + 500, 0}));
  EXPECT_EQ(clock.stamp_of_past(at_ms(1500), at_ms(200)), (Stamp{kWall - 800, 0}));
  EXPECT_TRUE(clock.reading(at_ms(1500)).has_time);
}

TEST(HybridClock, OwnWallTimeIsPreferredToThePeers) {
  HybridClock clock = clock_at(kWall);
  ASSERT_TRUE(clock.take_peer_reading(at_ms(0), {true, {kWall + 1000, 0}}));
  EXPECT_EQ(clock.wall_time(at_ms(0))->unix_ms, kWall);
  EXPECT_EQ(clock.stamp(at_ms(0)), (Stamp{kWall + 1000, 1})) << "but never below what was seen";
}

TEST(HybridClock, TwoWithoutTimeCountOnFromTheNewestStamp) {
  HybridClock clock;
  (void)clock.merge({700, 1});
  ASSERT_TRUE(clock.take_peer_reading(at_ms(0), {false, {900, 4}}));
  EXPECT_EQ(clock.stamp(at_ms(0)), (Stamp{900, 5}));
  EXPECT_FALSE(clock.reading(at_ms(0)).has_time);
  EXPECT_FALSE(clock.wall_time(at_ms(0)).has_value());
}

TEST(HybridClock, WithoutItsMemoryItNeedsAPeerEvenIfItKnowsTheTime) {
  HybridClock clock{Memory::kVolatile};
  (void)clock.set_wall_time(at_ms(0), WallTime{kWall});
  EXPECT_FALSE(clock.can_stamp());
  ASSERT_TRUE(clock.take_peer_reading(at_ms(0), {false, {kWall + 50, 0}}));
  EXPECT_EQ(clock.stamp(at_ms(0)), (Stamp{kWall + 50, 1}));
}

TEST(HybridClockProperty, NeverRunsBackwards) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng{seed};
    HybridClock clock = clock_at(kWall);
    Stamp last;
    TimePoint now = at_ms(0);
    for (int i = 0; i < 200; ++i) {
      now += std::chrono::microseconds{rng.between(0, 5000)};
      switch (rng.below(4)) {
        case 0:
          (void)clock.set_wall_time(now, WallTime{kWall + rng.between(-100'000, 100'000)});
          break;
        case 1:
          (void)clock.merge({static_cast<std::uint64_t>(kWall + rng.between(-1000, 200'000)),
                             static_cast<std::uint16_t>(rng.next())});
          break;
        case 2:
          (void)clock.take_peer_reading(now, {rng.chance(500'000), {rng.next() >> 20U, 0}});
          break;
        default: {
          const Stamp seen = clock.newest();
          const Stamp next = *clock.stamp(now);
          ASSERT_GT(next, last);
          ASSERT_GT(next, seen);
          last = next;
        }
      }
    }
  }
}

}  // namespace
}  // namespace amphora::state
