// SPDX-License-Identifier: Apache-2.0
#include "runtime/pack/host_clock.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace amphora::runtime {
namespace {

// The rules are written out, so that no database of zones is needed: Central Europe, summer time from the
// last Sunday of March 02:00 to the last Sunday of October 03:00.
class HostClockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    ::tzset();
  }
  void TearDown() override {
    ::unsetenv("TZ");
    ::tzset();
  }
};

constexpr std::int64_t kWinter2026 = 1'768'478'400;        // 2026-01-15 12:00 UTC
constexpr std::int64_t kSummerBegins2026 = 1'774'746'000;  // 2026-03-29 01:00 UTC
constexpr std::int64_t kSummerEnds2026 = 1'792'890'000;    // 2026-10-25 01:00 UTC

TEST_F(HostClockTest, TellsTheOffsetOfTheZone) {
  EXPECT_EQ(utc_offset_s(kWinter2026), 3600);
  EXPECT_EQ(utc_offset_s(kSummerBegins2026 - 1), 3600);
  EXPECT_EQ(utc_offset_s(kSummerBegins2026), 7200);
}

TEST_F(HostClockTest, FindsTheNextChangeToTheSecond) {
  EXPECT_EQ(next_offset_change(kWinter2026), (energy::OffsetChange{kSummerBegins2026, 7200}));
  EXPECT_EQ(next_offset_change(kSummerBegins2026), (energy::OffsetChange{kSummerEnds2026, 3600}));
  EXPECT_EQ(next_offset_change(kSummerEnds2026 - 1), (energy::OffsetChange{kSummerEnds2026, 3600}));
}

TEST_F(HostClockTest, SearchesAgainWhenTheChangeHasPassedAndWhenTheClockIsSetBack) {
  HostClock clock;
  EXPECT_EQ(clock.read(kWinter2026).next_change->at_unix_s, kSummerBegins2026);
  EXPECT_EQ(clock.read(kSummerBegins2026).next_change->at_unix_s, kSummerEnds2026);
  EXPECT_EQ(clock.read(kWinter2026).next_change->at_unix_s, kSummerBegins2026);
}

TEST_F(HostClockTest, AZoneWithoutSummerTimeHasNoChange) {
  ::setenv("TZ", "UTC0", 1);
  ::tzset();
  HostClock clock;
  EXPECT_EQ(clock.read(kWinter2026), (energy::TimeReading{kWinter2026, 0, std::nullopt}));
}

}  // namespace
}  // namespace amphora::runtime
