// SPDX-License-Identifier: Apache-2.0
#include "core/energy/local_time.hpp"

#include <gtest/gtest.h>

namespace amphora::energy {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{500s};
constexpr std::int32_t kHour = 3600;
constexpr std::uint16_t hm(int hours, int minutes = 0) {
  return static_cast<std::uint16_t>(hours * 60 + minutes);
}

// Central Europe, 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC.
constexpr std::int64_t kSpring = 1'774'746'000;
constexpr std::int64_t kAutumn = 1'792'890'000;

// The clock as it is told `before` seconds ahead of the change; the rest it has to know by itself.
Clock clock_before_spring(std::int64_t before) {
  Clock clock;
  EXPECT_TRUE(clock.handle_time(kNow, {kSpring - before, kHour, OffsetChange{kSpring, 2 * kHour}}));
  return clock;
}
Clock clock_before_autumn(std::int64_t before) {
  Clock clock;
  EXPECT_TRUE(clock.handle_time(kNow, {kAutumn - before, 2 * kHour, OffsetChange{kAutumn, kHour}}));
  return clock;
}

int minutes_inside(const Clock& clock, const Window& window, int hours) {
  int count = 0;
  for (int minute = 0; minute < hours * 60; ++minute) {
    count += is_inside(window, *clock.local(kNow + minute * 1min)) ? 1 : 0;
  }
  return count;
}

TEST(EnergyTime, UnknownUntilToldAndThenCarriedForward) {
  Clock clock;
  EXPECT_FALSE(clock.is_known());
  EXPECT_FALSE(clock.local(kNow));
  EXPECT_FALSE(clock.next_unix_s(kNow, hm(5)));
  ASSERT_TRUE(clock.handle_time(kNow, {1'750'000'000, 0, std::nullopt}));
  EXPECT_EQ(clock.unix_s(kNow + 90s), 1'750'000'090);
  EXPECT_EQ(clock.local(kNow)->minute_of_day(), hm(15, 6));
  EXPECT_EQ(clock.local(kNow)->weekday(), 6u) << "15 June 2025 was a Sunday";
}

TEST(EnergyTime, WhatCannotBeRightIsRefusedAndChangesNothing) {
  Clock clock;
  ASSERT_TRUE(clock.handle_time(kNow, {1'750'000'000, 0, std::nullopt}));
  EXPECT_FALSE(clock.handle_time(kNow, {0, 0, std::nullopt}));
  EXPECT_FALSE(clock.handle_time(kNow, {5'000'000'000, 0, std::nullopt}));
  EXPECT_FALSE(clock.handle_time(kNow, {1'750'000'000, 15 * kHour, std::nullopt}));
  EXPECT_FALSE(clock.handle_time(kNow, {1'750'000'000, -13 * kHour, std::nullopt}));
  EXPECT_FALSE(clock.handle_time(kNow, {1'750'000'000, 0, OffsetChange{1'750'000'100, 99 * kHour}}));
  EXPECT_EQ(clock.unix_s(kNow), 1'750'000'000);
}

TEST(EnergyTime, AWindowContainsItsStartAndNotItsEnd) {
  const Window window{hm(8), hm(9)};
  const auto at = [](int minute) { return LocalTime{1'774'569'600 + minute * 60}; };
  EXPECT_FALSE(is_inside(window, at(hm(7, 59))));
  EXPECT_TRUE(is_inside(window, at(hm(8))));
  EXPECT_TRUE(is_inside(window, at(hm(8, 59))));
  EXPECT_FALSE(is_inside(window, at(hm(9))));
}

TEST(EnergyTime, AWindowAcrossMidnightBelongsToTheDayItStartsOn) {
  // 1774569600 is midnight of Friday, 27 March 2026.
  const Window friday_night{hm(22), hm(6), 1U << 4};
  const auto at = [](int day, int minute) {
    return LocalTime{1'774'569'600 + day * kSecondsPerDay + minute * 60};
  };
  EXPECT_EQ(at(0, 0).weekday(), 4u);
  EXPECT_FALSE(is_inside(friday_night, at(0, hm(5))));
  EXPECT_FALSE(is_inside(friday_night, at(0, hm(21, 59))));
  EXPECT_TRUE(is_inside(friday_night, at(0, hm(22))));
  EXPECT_TRUE(is_inside(friday_night, at(1, hm(0))));
  EXPECT_TRUE(is_inside(friday_night, at(1, hm(5, 59))));
  EXPECT_FALSE(is_inside(friday_night, at(1, hm(6))));
  EXPECT_FALSE(is_inside(friday_night, at(1, hm(23))));
}

TEST(EnergyTime, EqualEndsAreTwentyFourHours) {
  const Window saturday{hm(7), hm(7), 1U << 5};
  const auto at = [](int day, int minute) {
    return LocalTime{1'774'569'600 + day * kSecondsPerDay + minute * 60};
  };
  EXPECT_FALSE(is_inside(saturday, at(1, hm(6, 59))));
  EXPECT_TRUE(is_inside(saturday, at(1, hm(7))));
  EXPECT_TRUE(is_inside(saturday, at(2, hm(6, 59))));
  EXPECT_FALSE(is_inside(saturday, at(2, hm(7))));
}

TEST(EnergyTime, OnTheDayWithTwentyThreeHours) {
  const Clock clock = clock_before_spring(kHour);
  EXPECT_EQ(clock.local(kNow)->minute_of_day(), hm(1));
  EXPECT_EQ(clock.local(kNow + 1h - 1s)->minute_of_day(), hm(1, 59));
  EXPECT_EQ(clock.local(kNow + 1h)->minute_of_day(), hm(3)) << "summer time began at 02:00";
  EXPECT_EQ(clock.local(kNow + 2h - 1s)->minute_of_day(), hm(3, 59));
}

TEST(EnergyTime, WindowsOnTheDayWithTwentyThreeHours) {
  const Clock clock = clock_before_spring(2 * kHour);
  // From 00:00 local (23:00 UTC) the day has 23 hours.
  EXPECT_EQ(clock.local(kNow)->minute_of_day(), hm(0));
  EXPECT_EQ(minutes_inside(clock, {hm(2), hm(3)}, 23), 0) << "the hour does not exist";
  EXPECT_EQ(minutes_inside(clock, {hm(1), hm(4)}, 23), 120);
  EXPECT_EQ(minutes_inside(clock, {hm(2, 30), hm(5)}, 23), 120);
  EXPECT_EQ(minutes_inside(clock, {hm(7), hm(9)}, 23), 120) << "later windows are not moved";
  EXPECT_EQ(clock.local(kNow + 23h)->minute_of_day(), hm(0)) << "the next day";
}

TEST(EnergyTime, WindowsOnTheDayWithTwentyFiveHours) {
  const Clock clock = clock_before_autumn(3 * kHour);
  EXPECT_EQ(clock.local(kNow)->minute_of_day(), hm(0));
  EXPECT_EQ(minutes_inside(clock, {hm(2), hm(3)}, 25), 120) << "the hour happens twice";
  EXPECT_EQ(minutes_inside(clock, {hm(1), hm(4)}, 25), 240);
  EXPECT_EQ(minutes_inside(clock, {hm(7), hm(9)}, 25), 120);
  EXPECT_EQ(clock.local(kNow + 25h)->minute_of_day(), hm(0));
}

TEST(EnergyTime, TheNextFiveOClockIsFoundAcrossChanges) {
  const Clock spring = clock_before_spring(2 * kHour);
  EXPECT_EQ(spring.next_unix_s(kNow, hm(5)), kSpring + 2 * kHour) << "02:00 became 03:00";
  EXPECT_EQ(spring.next_unix_s(kNow, hm(1)), kSpring - kHour);
  EXPECT_EQ(spring.next_unix_s(kNow, hm(2, 30)), kSpring) << "a minute that does not exist: the skip";
  EXPECT_EQ(spring.next_unix_s(kNow + 5h, hm(5)), kSpring + 26 * kHour) << "05:00 has passed: tomorrow";
  const Clock autumn = clock_before_autumn(3 * kHour);
  EXPECT_EQ(autumn.next_unix_s(kNow, hm(5)), kAutumn + 3 * kHour);
  EXPECT_EQ(autumn.next_unix_s(kNow, hm(0)), kAutumn - 3 * kHour) << "now counts";
}

}  // namespace
}  // namespace amphora::energy
