// SPDX-License-Identifier: Apache-2.0
#include "core/inverter/alarms.hpp"

#include <gtest/gtest.h>

#include "core/inverter/sample_battery_test.hpp"

namespace amphora::inverter {
namespace {

using namespace std::chrono_literals;
using battery::Alarm;
using battery::AlarmSet;
using battery::Snapshot;

// A judge with the sample battery, one look each half second.
class Watched {
 public:
  explicit Watched(const AlarmConfig& config = {}) : judge{sample_profile(), config} {}

  template <class Change>
  void look(Duration duration, Change change) {
    const TimePoint end = now + duration;
    while (now < end) {
      now += 500ms;
      Snapshot snapshot = sample_snapshot(now);
      change(snapshot, now);
      judge.update(now, snapshot, instant_limits(now, snapshot, sample_profile(), LimitConfig{}, {}));
    }
  }
  void look_at_cells(Duration duration, int low, int high) {
    look(duration,
         [low, high](Snapshot& s, TimePoint at) { set_cells(s, at, Millivolts{low}, Millivolts{high}); });
  }
  bool has_alarm(Alarm alarm) const { return judge.alarms().is_active(alarm); }
  bool has_warning(Alarm alarm) const { return judge.warnings().is_active(alarm); }

  AlarmJudge judge;
  TimePoint now{100s};
};

TEST(Alarms, AHealthyBatteryIsWatchedAndQuiet) {
  Watched battery;
  battery.look(20s, [](Snapshot&, TimePoint) {});
  EXPECT_FALSE(battery.judge.alarms().has_any());
  EXPECT_FALSE(battery.judge.warnings().has_any());
  for (const Alarm alarm :
       {Alarm::kHighVoltage, Alarm::kLowVoltage, Alarm::kHighTemperature, Alarm::kLowTemperature,
        Alarm::kHighTemperatureCharge, Alarm::kLowTemperatureCharge, Alarm::kHighDischargeCurrent,
        Alarm::kHighChargeCurrent, Alarm::kBmsInternal, Alarm::kCellImbalance}) {
    EXPECT_TRUE(battery.judge.alarms().is_watched(alarm)) << to_text(alarm);
  }
  for (const Alarm alarm : {Alarm::kGeneral, Alarm::kContactor, Alarm::kShortCircuit}) {
    EXPECT_FALSE(battery.judge.alarms().is_watched(alarm)) << to_text(alarm);
  }
  EXPECT_FALSE(battery.judge.warnings().is_watched(Alarm::kBmsInternal));
}

TEST(Alarms, ThresholdsFollowTheProfile) {
  const auto threshold = [](Alarm alarm, Severity severity) {
    return threshold_of(alarm, severity, sample_profile(), AlarmConfig{}).value();
  };
  EXPECT_EQ(threshold(Alarm::kHighVoltage, Severity::kAlarm), (Threshold{3600, 3550, true}));
  EXPECT_EQ(threshold(Alarm::kHighVoltage, Severity::kWarning), (Threshold{3563, 3513, true}));
  EXPECT_EQ(threshold(Alarm::kLowVoltage, Severity::kAlarm), (Threshold{2800, 2850, false}));
  EXPECT_EQ(threshold(Alarm::kLowVoltage, Severity::kWarning), (Threshold{2850, 2900, false}));
  EXPECT_EQ(threshold(Alarm::kHighTemperature, Severity::kAlarm), (Threshold{550, 520, true}));
  EXPECT_EQ(threshold(Alarm::kHighTemperature, Severity::kWarning), (Threshold{525, 495, true}));
  EXPECT_EQ(threshold(Alarm::kLowTemperature, Severity::kAlarm), (Threshold{-200, -170, false}));
  EXPECT_EQ(threshold(Alarm::kHighTemperatureCharge, Severity::kAlarm), (Threshold{500, 470, true}));
  EXPECT_EQ(threshold(Alarm::kLowTemperatureCharge, Severity::kAlarm), (Threshold{0, 30, false}));
  EXPECT_EQ(threshold(Alarm::kLowTemperatureCharge, Severity::kWarning), (Threshold{25, 55, false}));
  EXPECT_EQ(threshold(Alarm::kHighDischargeCurrent, Severity::kAlarm), (Threshold{120'000, 115'000, true}));
  EXPECT_EQ(threshold(Alarm::kHighChargeCurrent, Severity::kWarning), (Threshold{52'500, 50'000, true}));
  EXPECT_EQ(threshold(Alarm::kCellImbalance, Severity::kAlarm), (Threshold{300, 250, true}));
  for (const Alarm alarm : {Alarm::kGeneral, Alarm::kContactor, Alarm::kShortCircuit, Alarm::kBmsInternal}) {
    EXPECT_FALSE(threshold_of(alarm, Severity::kAlarm, sample_profile(), AlarmConfig{}));
  }
}

TEST(Alarms, RaisedOnlyAfterTheConditionHasLasted) {
  Watched battery;
  battery.look_at_cells(1500ms, 3600, 3600);
  battery.look_at_cells(500ms, 3400, 3400);
  battery.look_at_cells(2s, 3600, 3600);
  EXPECT_FALSE(battery.has_alarm(Alarm::kHighVoltage));
  battery.look_at_cells(500ms, 3600, 3600);
  EXPECT_TRUE(battery.has_alarm(Alarm::kHighVoltage));
  EXPECT_TRUE(battery.has_warning(Alarm::kHighVoltage));
}

TEST(Alarms, ClearedPastTheHysteresisAndNotBeforeTheHold) {
  Watched battery;
  battery.look_at_cells(3s, 3600, 3600);
  ASSERT_TRUE(battery.has_alarm(Alarm::kHighVoltage));
  battery.look_at_cells(5s, 3400, 3400);
  EXPECT_TRUE(battery.has_alarm(Alarm::kHighVoltage)) << "held";
  battery.look_at_cells(30s, 3551, 3551);
  EXPECT_TRUE(battery.has_alarm(Alarm::kHighVoltage)) << "inside of the hysteresis";
  battery.look_at_cells(500ms, 3550, 3550);
  EXPECT_FALSE(battery.has_alarm(Alarm::kHighVoltage));
  EXPECT_TRUE(battery.has_warning(Alarm::kHighVoltage));
  battery.look_at_cells(500ms, 3513, 3513);
  EXPECT_FALSE(battery.has_warning(Alarm::kHighVoltage));
}

TEST(Alarms, LowCell) {
  Watched battery;
  battery.look_at_cells(3s, 2850, 2900);
  EXPECT_TRUE(battery.has_warning(Alarm::kLowVoltage));
  EXPECT_FALSE(battery.has_alarm(Alarm::kLowVoltage));
  battery.look_at_cells(3s, 2800, 2900);
  EXPECT_TRUE(battery.has_alarm(Alarm::kLowVoltage));
}

void temperatures_and_current(Watched& battery, int low, int high, int milliamps) {
  battery.look(15s, [=](Snapshot& s, TimePoint at) {
    set_temperatures(s, at, Decicelsius{low}, Decicelsius{high});
    s.current = Sampled<Milliamps>{Milliamps{milliamps}, at};
  });
}

TEST(Alarms, TemperaturesOfChargingCountOnlyWhileCharging) {
  Watched battery;
  temperatures_and_current(battery, -10, 200, 999);
  EXPECT_FALSE(battery.has_alarm(Alarm::kLowTemperatureCharge));
  temperatures_and_current(battery, -10, 200, 1000);
  EXPECT_TRUE(battery.has_alarm(Alarm::kLowTemperatureCharge));
  temperatures_and_current(battery, -10, 200, -5000);
  EXPECT_FALSE(battery.has_alarm(Alarm::kLowTemperatureCharge));
  temperatures_and_current(battery, 200, 500, 5000);
  EXPECT_TRUE(battery.has_alarm(Alarm::kHighTemperatureCharge));
  EXPECT_FALSE(battery.has_alarm(Alarm::kHighTemperature));
  temperatures_and_current(battery, -200, 550, -5000);
  EXPECT_TRUE(battery.has_alarm(Alarm::kHighTemperature));
  EXPECT_TRUE(battery.has_alarm(Alarm::kLowTemperature));
}

TEST(Alarms, CurrentsBeyondTheProfile) {
  Watched battery;
  temperatures_and_current(battery, 200, 200, -105'000);
  EXPECT_TRUE(battery.has_warning(Alarm::kHighDischargeCurrent));
  EXPECT_FALSE(battery.has_alarm(Alarm::kHighDischargeCurrent));
  temperatures_and_current(battery, 200, 200, -120'000);
  EXPECT_TRUE(battery.has_alarm(Alarm::kHighDischargeCurrent));
  EXPECT_FALSE(battery.has_alarm(Alarm::kHighChargeCurrent));
  temperatures_and_current(battery, 200, 200, 60'000);
  EXPECT_TRUE(battery.has_alarm(Alarm::kHighChargeCurrent));
  EXPECT_FALSE(battery.has_alarm(Alarm::kHighDischargeCurrent));
}

TEST(Alarms, ImbalanceIsJudgedAtLowCurrentOnly) {
  Watched battery;
  const auto spread = [&battery](int millivolts, int milliamps) {
    battery.look(15s, [=](Snapshot& s, TimePoint at) {
      set_cells(s, at, Millivolts{3400 - millivolts}, Millivolts{3400});
      s.current = Sampled<Milliamps>{Milliamps{milliamps}, at};
    });
  };
  spread(300, 28'001);
  EXPECT_FALSE(battery.has_alarm(Alarm::kCellImbalance));
  spread(300, 28'000);
  EXPECT_TRUE(battery.has_alarm(Alarm::kCellImbalance));
  spread(0, -28'001);
  EXPECT_TRUE(battery.has_alarm(Alarm::kCellImbalance)) << "kept while it cannot be judged";
  spread(250, -28'000);
  EXPECT_FALSE(battery.has_alarm(Alarm::kCellImbalance));
}

TEST(Alarms, ReportsOfTheBmsAreTakenOverAtOnceAndHeld) {
  Watched battery;
  const auto report = [](bool is_active) {
    return [is_active](Snapshot& s, TimePoint at) {
      AlarmSet set;
      set.set(Alarm::kContactor, is_active);
      s.alarms = Sampled<AlarmSet>{set, at};
      s.warnings = Sampled<AlarmSet>{set, at};
    };
  };
  battery.look(500ms, report(false));
  EXPECT_TRUE(battery.judge.alarms().is_watched(Alarm::kContactor));
  EXPECT_FALSE(battery.has_alarm(Alarm::kContactor));
  battery.look(500ms, report(true));
  EXPECT_TRUE(battery.has_alarm(Alarm::kContactor));
  EXPECT_TRUE(battery.has_warning(Alarm::kContactor));
  battery.look(9500ms, report(false));
  EXPECT_TRUE(battery.has_alarm(Alarm::kContactor));
  battery.look(500ms, report(false));
  EXPECT_FALSE(battery.has_alarm(Alarm::kContactor));
}

TEST(Alarms, UnknownValuesAreNotWatchedAndALostBatteryIsAnInternalAlarm) {
  Watched battery;
  battery.look(3s, [](Snapshot& s, TimePoint) { s = Snapshot{}; });
  EXPECT_EQ(battery.judge.alarms(), AlarmSet{}) << "never known";
  battery.look_at_cells(3s, 3600, 3600);
  ASSERT_TRUE(battery.has_alarm(Alarm::kHighVoltage));
  battery.look(3s, [](Snapshot& s, TimePoint at) { s = sample_snapshot(at - 6s); });
  EXPECT_TRUE(battery.has_alarm(Alarm::kBmsInternal));
  EXPECT_FALSE(battery.judge.alarms().is_watched(Alarm::kHighVoltage));
  battery.look(11s, [](Snapshot&, TimePoint) {});
  EXPECT_FALSE(battery.judge.alarms().has_any());
  battery.look(3s, [](Snapshot& s, TimePoint) { s.soc->value = BasisPoints{20'000}; });
  EXPECT_TRUE(battery.has_alarm(Alarm::kBmsInternal)) << "implausible";
  EXPECT_FALSE(battery.judge.alarms().is_watched(Alarm::kLowVoltage));
  battery.look(15s, [](Snapshot&, TimePoint) {});
  battery.look(3s, [](Snapshot& s, TimePoint) { s.activity->value = battery::Activity::kFault; });
  EXPECT_TRUE(battery.has_alarm(Alarm::kBmsInternal)) << "fault";
}

TEST(Alarms, ConfigurationIsChecked) {
  const auto field = [](auto change) {
    AlarmConfig config;
    change(config);
    const auto error = check_config(config);
    return error ? error->field : std::string_view{};
  };
  EXPECT_EQ(field([](AlarmConfig&) {}), "");
  EXPECT_EQ(field([](AlarmConfig& c) { c.cell_hysteresis = Millivolts{-1}; }), "alarms.*_hysteresis");
  EXPECT_EQ(field([](AlarmConfig& c) { c.warning_share = Permille{1001}; }), "alarms.warning_share");
  EXPECT_EQ(field([](AlarmConfig& c) { c.current_alarm = Permille{1000}; }),
            "alarms.current_warning, alarms.current_alarm");
  EXPECT_EQ(field([](AlarmConfig& c) { c.low_current = Permille{1001}; }),
            "alarms.low_current, alarms.charging_min");
  EXPECT_EQ(field([](AlarmConfig& c) { c.hold_min = 1h + 1us; }), "alarms.raise_after, alarms.hold_min");
}

}  // namespace
}  // namespace amphora::inverter
