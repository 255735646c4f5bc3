// SPDX-License-Identifier: Apache-2.0
#include "core/energy/safety.hpp"

#include <gtest/gtest.h>

namespace amphora::energy {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};

// A healthy battery whose values are as fresh as the last update.
struct Battery {
  Millivolts pack{52'800};
  Millivolts cell_min{3290};
  Millivolts cell_max{3310};
  Decicelsius temperature{250};
  bool has_fault = false;

  Inputs at(TimePoint now) const {
    Inputs inputs;
    inputs.pack_voltage = {pack, now};
    inputs.cell_min = {cell_min, now};
    inputs.cell_max = {cell_max, now};
    inputs.temperature_max = {temperature, now};
    inputs.bms_fault = {has_fault, now};
    return inputs;
  }
};

struct Bench {
  void update(Duration later = 1s) {
    now += later;
    safety.update(now, kStart, battery.at(now));
  }
  bool has(SafetyCause cause) const { return safety.causes().has(cause); }

  TimePoint now = kStart;
  Battery battery;
  Safety safety{Protection{}};
};

TEST(EnergySafety, AHealthyBatteryGivesNoCause) {
  Bench bench;
  bench.update();
  EXPECT_FALSE(bench.safety.causes().has_any());
  EXPECT_FALSE(bench.safety.forbids_charging());
  EXPECT_FALSE(bench.safety.forbids_discharging());
  EXPECT_EQ(bench.safety.reason(), Reason::kNothingAsked);
}

TEST(EnergySafety, EachLimitIsEnteredOnlyBeyondIt) {
  struct Case {
    SafetyCause cause;
    Battery at_limit;
    Battery beyond;
  };
  const auto with = [](auto change) {
    Battery battery;
    change(battery);
    return battery;
  };
  const auto cases = std::array{
      Case{SafetyCause::kOverVoltage, with([](Battery& b) { b.pack = Millivolts{58'400}; }),
           with([](Battery& b) { b.pack = Millivolts{58'401}; })},
      Case{SafetyCause::kOverVoltage, with([](Battery& b) { b.cell_max = Millivolts{3650}; }),
           with([](Battery& b) { b.cell_max = Millivolts{3651}; })},
      Case{SafetyCause::kUnderVoltage, with([](Battery& b) { b.pack = Millivolts{44'800}; }),
           with([](Battery& b) { b.pack = Millivolts{44'799}; })},
      Case{SafetyCause::kUnderVoltage, with([](Battery& b) { b.cell_min = Millivolts{2800}; }),
           with([](Battery& b) { b.cell_min = Millivolts{2799}; })},
      Case{SafetyCause::kOverTemperature, with([](Battery& b) { b.temperature = Decicelsius{550}; }),
           with([](Battery& b) { b.temperature = Decicelsius{551}; })},
      Case{SafetyCause::kBmsFault, Battery{}, with([](Battery& b) { b.has_fault = true; })}};
  for (const Case& c : cases) {
    Bench bench;
    bench.battery = c.at_limit;
    bench.update();
    EXPECT_FALSE(bench.safety.causes().has_any()) << to_text(c.cause);
    bench.battery = c.beyond;
    bench.update();
    EnumSet<SafetyCause> only;
    only.set(c.cause);
    EXPECT_EQ(bench.safety.causes(), only) << to_text(c.cause);
    const SafetyCauseRow& row = kSafetyCauses[static_cast<std::size_t>(c.cause)];
    EXPECT_EQ(bench.safety.reason(), row.reason);
    EXPECT_EQ(bench.safety.forbids_charging(), row.stops_charging);
    EXPECT_EQ(bench.safety.forbids_discharging(), row.stops_discharging);
  }
}

TEST(EnergySafety, ACauseEndsInsideTheHysteresisAndAfterTheHold) {
  Bench bench;
  bench.battery.pack = Millivolts{58'500};
  bench.update();
  ASSERT_TRUE(bench.has(SafetyCause::kOverVoltage));
  bench.battery.pack = Millivolts{57'601};
  bench.update(1h);
  EXPECT_TRUE(bench.has(SafetyCause::kOverVoltage)) << "not inside by the hysteresis";
  bench.battery.pack = Millivolts{57'600};
  bench.update();
  bench.update(9s);
  EXPECT_TRUE(bench.has(SafetyCause::kOverVoltage)) << "not for long enough";
  bench.update(1s);
  EXPECT_FALSE(bench.has(SafetyCause::kOverVoltage));
}

TEST(EnergySafety, TheHoldStartsAgainWhenTheValueLeavesTheGoodRange) {
  Bench bench;
  bench.battery.temperature = Decicelsius{560};
  bench.update();
  bench.battery.temperature = Decicelsius{500};
  bench.update();
  bench.update(9s);
  bench.battery.temperature = Decicelsius{520};
  bench.update();
  bench.battery.temperature = Decicelsius{500};
  bench.update();
  bench.update(9s);
  EXPECT_TRUE(bench.has(SafetyCause::kOverTemperature));
  bench.update(1s);
  EXPECT_FALSE(bench.has(SafetyCause::kOverTemperature));
}

TEST(EnergySafety, AnUnknownValueEndsNothing) {
  Bench bench;
  bench.battery.cell_max = Millivolts{3700};
  bench.battery.temperature = Decicelsius{600};
  bench.update();
  for (int i = 0; i < 60; ++i) {
    bench.now += 1s;
    bench.safety.update(bench.now, kStart, Inputs{});
  }
  EXPECT_TRUE(bench.has(SafetyCause::kOverVoltage));
  EXPECT_TRUE(bench.has(SafetyCause::kOverTemperature));
}

TEST(EnergySafety, ASilentBmsIsStaleAfterTenSeconds) {
  Bench bench;
  bench.update();
  const Inputs last = bench.battery.at(bench.now);
  bench.safety.update(bench.now + 10s, kStart, last);
  EXPECT_FALSE(bench.has(SafetyCause::kBmsStale));
  bench.safety.update(bench.now + 10s + 1us, kStart, last);
  EXPECT_TRUE(bench.has(SafetyCause::kBmsStale));
  bench.update(20s);
  EXPECT_TRUE(bench.has(SafetyCause::kBmsStale));
  bench.update(10s);
  EXPECT_FALSE(bench.has(SafetyCause::kBmsStale));
}

TEST(EnergySafety, ABmsThatWasNeverHeardIsStaleCountedFromTheStart) {
  Safety safety{Protection{}};
  safety.update(kStart + 10s, kStart, Inputs{});
  EXPECT_FALSE(safety.causes().has_any());
  safety.update(kStart + 11s, kStart, Inputs{});
  EXPECT_TRUE(safety.causes().has(SafetyCause::kBmsStale));
}

TEST(EnergySafety, TheGravestCauseIsTheReason) {
  Bench bench;
  bench.battery.has_fault = true;
  bench.battery.temperature = Decicelsius{600};
  bench.battery.cell_min = Millivolts{2000};
  bench.update();
  EXPECT_EQ(bench.safety.reason(), Reason::kOverTemperature);
  EXPECT_TRUE(bench.safety.forbids_charging());
  EXPECT_TRUE(bench.safety.forbids_discharging());
  bench.battery.pack = Millivolts{60'000};
  bench.update();
  EXPECT_EQ(bench.safety.reason(), Reason::kOverVoltage);
}

TEST(EnergyMinimumSoc, HoldsFromTheMinimumToTheRelease) {
  MinimumSoc minimum;
  const ModeSettings settings;
  EXPECT_FALSE(minimum.update(std::nullopt, settings));
  EXPECT_FALSE(minimum.update(BasisPoints{501}, settings));
  EXPECT_TRUE(minimum.update(BasisPoints{500}, settings));
  EXPECT_TRUE(minimum.update(BasisPoints{799}, settings));
  EXPECT_TRUE(minimum.update(std::nullopt, settings)) << "unknown changes nothing";
  EXPECT_FALSE(minimum.update(BasisPoints{800}, settings));
  EXPECT_FALSE(minimum.update(BasisPoints{501}, settings));
}

}  // namespace
}  // namespace amphora::energy
