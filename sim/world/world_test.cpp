// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

#include "sim/world/agenda.hpp"
#include "sim/world/event_queue.hpp"
#include "sim/world/fault_schedule.hpp"
#include "sim/world/histogram.hpp"
#include "sim/world/link.hpp"
#include "sim/world/local_clock.hpp"
#include "sim/world/recorder.hpp"
#include "sim/world/wall_clock.hpp"

namespace amphora::sim {
namespace {

constexpr TimePoint at_us(std::int64_t us) {
  return TimePoint{Duration{us}};
}

RC_GTEST_PROP(Agenda, AlwaysNamesTheEarliestSlotAndTheLowestAmongEquals, ()) {
  const auto slot_count = *rc::gen::inRange<std::size_t>(1, 12);
  Agenda agenda{slot_count};
  std::vector<TimePoint> model(slot_count, kNever);
  const auto steps = *rc::gen::container<std::vector<std::pair<std::size_t, int>>>(
      rc::gen::pair(rc::gen::inRange<std::size_t>(0, slot_count), rc::gen::inRange(0, 6)));
  for (const auto& [slot, when] : steps) {
    model[slot] = when == 5 ? kNever : at_us(when);
    agenda.set(slot, model[slot]);
    const auto earliest_slot = std::min_element(model.begin(), model.end());
    RC_ASSERT(agenda.next_at() == *earliest_slot);
    RC_ASSERT(agenda.next_slot() == static_cast<std::size_t>(earliest_slot - model.begin()));
  }
}

RC_GTEST_PROP(EventQueue, LeavesByTimeThenByOrderOfEntry, (std::vector<std::uint8_t> times)) {
  EventQueue<std::size_t> queue{times.size() + 1};
  for (std::size_t i = 0; i < times.size(); ++i) {
    RC_ASSERT(queue.push(at_us(times[i] % 8), i));
  }
  std::pair<int, std::size_t> last{-1, 0};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto payload = queue.pop_due(at_us(8));
    RC_ASSERT(payload.has_value());
    const std::pair<int, std::size_t> key{times[*payload] % 8, *payload};
    RC_ASSERT(last < key || i == 0);
    last = key;
  }
  RC_ASSERT(!queue.pop_due(at_us(8)));
}

TEST(EventQueue, RefusesAndCountsBeyondCapacityAndKeepsTheFuture) {
  EventQueue<int> queue{2};
  EXPECT_TRUE(queue.push(at_us(5), 1));
  EXPECT_TRUE(queue.push(at_us(3), 2));
  EXPECT_FALSE(queue.push(at_us(1), 3));
  EXPECT_EQ(queue.dropped_count(), 1U);
  EXPECT_EQ(queue.next_at(), at_us(3));
  EXPECT_FALSE(queue.pop_due(at_us(2)));
  EXPECT_EQ(queue.pop_due(at_us(3)), 2);
  EXPECT_FALSE(queue.pop_due(at_us(4)));
}

RC_GTEST_PROP(LocalClock, WakesAtTheFirstMomentNotBefore, ()) {
  const auto offset = *rc::gen::inRange<std::int64_t>(0, 5'000'000'000'000);
  const auto drift = *rc::gen::inRange<std::int32_t>(-10'000, 10'001);
  const auto ahead = *rc::gen::inRange<std::int64_t>(1, 900'000'000'000);
  const LocalClock clock{Duration{offset}, drift};
  const TimePoint deadline = at_us(offset + ahead);
  const TimePoint wake = clock.to_world(deadline);
  RC_ASSERT(clock.to_local(wake) >= deadline);
  RC_ASSERT(clock.to_local(wake - Duration{1}) < deadline);
}

TEST(LocalClock, NeverStaysNever) {
  EXPECT_EQ((LocalClock{Duration{7}, 100}.to_world(kNever)), kNever);
}

TEST(Link, WithoutFaultsPassesAtOnceAndInOrder) {
  Link<int> link{8, Rng{1}};
  link.send(at_us(10), 1);
  link.send(at_us(10), 2);
  EXPECT_EQ(link.poll_timeout(), at_us(10));
  EXPECT_EQ(link.poll_arrival(at_us(10))->message, 1);
  EXPECT_EQ(link.poll_arrival(at_us(10))->message, 2);
  EXPECT_FALSE(link.poll_arrival(at_us(10)));
}

TEST(Link, LosesTheAskedShare) {
  Link<int> link{1, Rng{2}};
  link.set_faults(LinkFaults{.loss_ppm = 100'000});
  for (int i = 0; i < 100'000; ++i) {
    link.send(at_us(i), i);
    (void)link.poll_arrival(at_us(i));
  }
  EXPECT_NEAR(static_cast<double>(link.statistics().lost), 10'000.0, 500.0);
  EXPECT_EQ(link.statistics().lost + link.statistics().delivered, 100'000U);
}

TEST(Link, BurstsLoseNeighbours) {
  Link<int> link{1, Rng{3}};
  link.set_faults(LinkFaults{.burst_start_ppm = 10'000, .burst_end_ppm = 100'000});
  int pairs = 0;
  bool was_lost = false;
  for (int i = 0; i < 100'000; ++i) {
    link.send(at_us(i), i);
    const bool is_lost = !link.poll_arrival(at_us(i)).has_value();
    pairs += (is_lost && was_lost) ? 1 : 0;
    was_lost = is_lost;
  }
  // About 1/11 of the time in a burst, nine of ten losses followed by another; independent losses of the
  // same share would give about 830 pairs.
  EXPECT_GT(pairs, 5'000);
}

TEST(Link, JitterReordersAndDuplicationDoubles) {
  Link<int> link{4096, Rng{4}};
  link.set_faults(LinkFaults{.duplicate_ppm = 500'000, .delay = Duration{100}, .jitter_max = Duration{50}});
  for (int i = 0; i < 1000; ++i) {
    link.send(at_us(i), i);
  }
  int previous = -1;
  int reordered = 0;
  while (const auto arrival = link.poll_arrival(at_us(2000))) {
    reordered += arrival->message < previous ? 1 : 0;
    previous = arrival->message;
  }
  EXPECT_GT(reordered, 100);
  EXPECT_EQ(link.statistics().delivered, 1000 + link.statistics().duplicated);
  EXPECT_GT(link.statistics().duplicated, 400U);
}

TEST(Link, ACutStopsEverything) {
  Link<int> link{8, Rng{5}};
  link.set_faults(LinkFaults{.is_cut = true});
  link.send(at_us(1), 1);
  EXPECT_EQ(link.poll_timeout(), kNever);
  EXPECT_EQ(link.statistics().lost, 1U);
}

enum class Kind : std::uint8_t { kA, kB, kCount };

TEST(FaultSchedule, KnowsItsEdgesAndTheStrongestOfOverlaps) {
  const FaultSchedule<Kind> schedule{
      {{Kind::kA, at_us(10), at_us(20), 1}, {Kind::kA, at_us(15), at_us(30), 7}}};
  EXPECT_EQ(schedule.next_change_after(at_us(0)), at_us(10));
  EXPECT_EQ(schedule.next_change_after(at_us(10)), at_us(15));
  EXPECT_EQ(schedule.next_change_after(at_us(15)), at_us(20));
  EXPECT_EQ(schedule.next_change_after(at_us(20)), at_us(30));
  EXPECT_EQ(schedule.next_change_after(at_us(30)), kNever);
  EXPECT_FALSE(schedule.active(Kind::kA, at_us(9)));
  EXPECT_EQ(schedule.active(Kind::kA, at_us(10)), 1U);
  EXPECT_EQ(schedule.active(Kind::kA, at_us(16)), 7U);
  EXPECT_FALSE(schedule.active(Kind::kA, at_us(30)));
  EXPECT_FALSE(schedule.active(Kind::kB, at_us(16)));
}

RC_GTEST_PROP(Histogram, PercentilesAreNeverTooLowAndAtMostTwoPercentTooHigh, ()) {
  auto values = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 5'000'000)));
  Histogram histogram;
  for (const std::int64_t value : values) {
    histogram.add(value);
  }
  std::sort(values.begin(), values.end());
  for (const std::uint32_t permille : {500U, 990U, 1000U}) {
    const std::size_t rank = (values.size() * permille + 999) / 1000;
    const std::int64_t exact = values[rank - 1];
    const std::int64_t reported = histogram.percentile(permille);
    RC_ASSERT(reported >= exact);
    RC_ASSERT(reported <= exact + exact / 50);
  }
  RC_ASSERT(histogram.max() == values.back());
}

TEST(Histogram, MergesAndSurvivesHugeAndNegativeValues) {
  Histogram a;
  Histogram b;
  a.add(-5);
  b.add(INT64_MAX);
  a.merge(b);
  EXPECT_EQ(a.count(), 2U);
  EXPECT_EQ(a.percentile(500), 0);
  EXPECT_EQ(a.max(), std::int64_t{1} << 40);
  EXPECT_EQ(Histogram{}.percentile(500), 0);
}

TEST(Recorder, DigestCoversWhatTheTraceCutsAndTheTraceKeepsTheEnd) {
  Recorder a;
  Recorder b;
  std::vector<std::uint8_t> bytes(100, 1);
  a.add(at_us(1), Channel::kSerialToNode, 0, 1, bytes);
  bytes[99] = 2;
  b.add(at_us(1), Channel::kSerialToNode, 0, 1, bytes);
  EXPECT_NE(a.digest(), b.digest());
  EXPECT_EQ(a.lines(), b.lines());
  for (std::size_t i = 0; i < 3 * kRecordCapacity; ++i) {
    a.add(at_us(static_cast<std::int64_t>(i)), Channel::kNodeEvent, 0, static_cast<std::int64_t>(i));
  }
  const std::vector<std::string> lines = a.lines();
  ASSERT_EQ(lines.size(), kRecordCapacity);
  EXPECT_NE(lines.back().find(std::to_string(3 * kRecordCapacity - 1)), std::string::npos);
}

TEST(Recorder, ALineShowsTimeChannelAndBytes) {
  Recorder recorder;
  const std::uint8_t bytes[] = {0x43, 0x02};
  recorder.add(at_us(1'500'000), Channel::kCanFrame, 1, 0x351, bytes);
  EXPECT_EQ(recorder.lines().front(), "       1.500000 can            1 351 [2] 43 02");
}

TEST(WallClock, IsUnknownUntilItIsSetAndAfterItForgot) {
  WallClock clock;
  EXPECT_FALSE(clock.at(TimePoint{}).has_value());
  clock.step(TimePoint{}, Duration{1'000'000});
  EXPECT_FALSE(clock.at(TimePoint{}).has_value());
  clock.set(TimePoint{}, kTrueDateAtStart);
  EXPECT_EQ(clock.at(TimePoint{std::chrono::seconds{5}}), true_date(TimePoint{std::chrono::seconds{5}}));
  clock.forget();
  EXPECT_FALSE(clock.at(TimePoint{}).has_value());
}

TEST(WallClock, DriftsAndSteps) {
  WallClock clock{100};
  clock.set(TimePoint{}, WallTime{1'000});
  const TimePoint hour{std::chrono::hours{1}};
  EXPECT_EQ(clock.at(hour)->unix_ms, 1'000 + 3'600'000 + 360);
  clock.step(hour, -std::chrono::minutes{1});
  EXPECT_EQ(clock.at(hour)->unix_ms, 1'000 + 3'600'000 + 360 - 60'000);
  clock.set(hour, true_date(hour));
  EXPECT_EQ(clock.at(hour), true_date(hour));
}

TEST(WallClock, TheOffsetMakesUptimeWrapWhenAsked) {
  constexpr Duration kBefore{30'000'000};
  const LocalClock clock{offset_before_wrap(kBefore), 0};
  const auto uptime_ms = [&](TimePoint world) {
    return static_cast<std::uint32_t>(to_milliseconds(clock.to_local(world).time_since_epoch()));
  };
  EXPECT_EQ(uptime_ms(TimePoint{kBefore} - Duration{1'000}), 0xFFFF'FFFFU);
  EXPECT_EQ(uptime_ms(TimePoint{kBefore}), 0U);
}

}  // namespace
}  // namespace amphora::sim
