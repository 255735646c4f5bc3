// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/base/rng.hpp"
#include "core/battery/alarm.hpp"
#include "core/battery/energy_meter.hpp"
#include "core/battery/profile.hpp"
#include "core/battery/snapshot.hpp"

namespace amphora::battery {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration d) {
  return TimePoint{d};
}

TEST(Snapshot, ExtremesNameTheFirstOfEqualCells) {
  CellVoltages cells;
  EXPECT_FALSE(extremes_of(cells).has_value());
  EXPECT_FALSE(average_of(cells).has_value());
  cells.count = 4;
  cells.voltage[0] = Millivolts{3300};
  cells.voltage[1] = Millivolts{3310};
  cells.voltage[2] = Millivolts{3290};
  cells.voltage[3] = Millivolts{3310};
  const auto extremes = extremes_of(cells);
  ASSERT_TRUE(extremes);
  EXPECT_EQ(extremes->min_index, 2);
  EXPECT_EQ(extremes->max_index, 1);
  EXPECT_EQ(average_of(cells)->count(), 3303);  // 3302.5, half away from zero
}

TEST(AlarmSet, TellsInactiveFromUnwatched) {
  AlarmSet alarms;
  EXPECT_FALSE(alarms.is_watched(Alarm::kHighVoltage));
  alarms.set(Alarm::kHighVoltage, false);
  EXPECT_TRUE(alarms.is_watched(Alarm::kHighVoltage));
  EXPECT_FALSE(alarms.has_any());
  alarms.set(Alarm::kCellImbalance);
  EXPECT_TRUE(alarms.is_active(Alarm::kCellImbalance));
  alarms.forget(Alarm::kCellImbalance);
  EXPECT_FALSE(alarms.is_watched(Alarm::kCellImbalance));
}

TEST(EnergyMeter, OneKilowattForOneHourIsOneKilowattHour) {
  EnergyMeter meter{{}};
  meter.restore({});
  for (int second = 0; second <= 3600; ++second) {
    meter.handle_sample(at(std::chrono::seconds{second}), Millivolts{50'000}, Milliamps{20'000});
  }
  ASSERT_TRUE(meter.unsaved());
  EXPECT_EQ(meter.unsaved()->in.count(), 1'000'000);
  EXPECT_EQ(meter.unsaved()->out.count(), 0);
}

TEST(EnergyMeter, AGapAddsNothing) {
  EnergyMeter meter{{}};
  meter.restore({});
  meter.handle_sample(at(0s), Millivolts{50'000}, Milliamps{-20'000});
  meter.handle_sample(at(EnergyMeter::kGapMax + 1us), Millivolts{50'000}, Milliamps{-20'000});
  EXPECT_FALSE(meter.unsaved());
}

TEST(EnergyMeter, ShowsOnlyWhatIsDurable) {
  EnergyMeter meter{{1min}};
  for (int second = 0; second <= 100; ++second) {
    meter.handle_sample(at(std::chrono::seconds{second}), Millivolts{50'000}, Milliamps{36'000});
  }
  EXPECT_FALSE(meter.durable()) << "nothing is known before the store was read";
  EXPECT_FALSE(meter.poll_store(at(100s)));
  const EnergyCounters before{MilliwattHours{7'000'000}, MilliwattHours{5'000'000}};
  meter.restore(before);
  EXPECT_EQ(meter.durable(), before);
  const auto request = meter.poll_store(at(100s));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->in.count(), 7'050'000);
  EXPECT_EQ(meter.durable(), before) << "not yet confirmed";
  meter.handle_stored({});
  EXPECT_EQ(meter.durable(), before) << "a value nobody asked for";
  meter.handle_stored(*request);
  EXPECT_EQ(meter.durable(), *request);
  EXPECT_FALSE(meter.poll_store(at(100s)));
}

TEST(EnergyMeter, NeverRunsBackwardsForAnyInput) {
  EnergyMeter meter{{1s}};
  meter.restore({});
  Rng rng{7};
  TimePoint now{};
  EnergyCounters last;
  for (int i = 0; i < 100'000; ++i) {
    now += std::chrono::microseconds{rng.between(0, 7'000'000)};
    const Millivolts voltage{rng.between(0, 1'000'000)};
    const Milliamps current{rng.between(-1'000'000, 1'000'000)};
    meter.handle_sample(now, voltage, current);
    if (const auto request = meter.poll_store(now)) {
      meter.handle_stored(*request);
    }
    ASSERT_GE(meter.durable()->in, last.in);
    ASSERT_GE(meter.durable()->out, last.out);
    last = *meter.durable();
  }
  EXPECT_GT(last.in.count(), 0);
}

TEST(Profile, PresetsAreOrdered) {
  for (const Profile& profile :
       {lfp_profile(16, MilliampHours{100'000}), nmc_profile(14, MilliampHours{66'000})}) {
    EXPECT_LT(profile.cell_plausible_min, profile.cell_min);
    EXPECT_LT(profile.cell_min, profile.cell_empty);
    EXPECT_LT(profile.cell_empty, profile.cell_full);
    EXPECT_LT(profile.cell_full, profile.cell_max);
    EXPECT_LT(profile.cell_max, profile.cell_plausible_max);
  }
}

}  // namespace
}  // namespace amphora::battery
