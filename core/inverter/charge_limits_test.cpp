// SPDX-License-Identifier: Apache-2.0
#include "core/inverter/charge_limits.hpp"

#include <gtest/gtest.h>

#include "core/inverter/sample_battery_test.hpp"

namespace amphora::inverter {
namespace {

using namespace std::chrono_literals;
using battery::Alarm;
using battery::AlarmSet;
using battery::Profile;
using battery::Snapshot;

constexpr TimePoint kNow{100s};

LimitDecision instant(const Snapshot& snapshot, TimePoint now = kNow, const UserLimits& user = {}) {
  return instant_limits(now, snapshot, sample_profile(), LimitConfig{}, user);
}
Milliamps charge_of(const Snapshot& snapshot) {
  return instant(snapshot).charge_current.value();
}
Milliamps discharge_of(const Snapshot& snapshot) {
  return instant(snapshot).discharge_current.value();
}

TEST(ChargeLimits, AHealthyBatteryGetsTheProfile) {
  const auto decision = instant(sample_snapshot(kNow));
  EXPECT_TRUE(decision.is_trusted());
  EXPECT_FALSE(decision.is_fault);
  EXPECT_EQ(decision.charge_voltage.value(), Millivolts{16 * 3450});
  EXPECT_EQ(decision.discharge_voltage.value(), Millivolts{16 * 3000});
  EXPECT_EQ(decision.charge_current.value(), Milliamps{50'000});
  EXPECT_EQ(decision.discharge_current.value(), Milliamps{100'000});
  EXPECT_EQ(decision.charge_current.reason(), Reason::kProfileMax);
  EXPECT_EQ(decision.charge_current.size(), 1U);
  EXPECT_EQ(decision.expires, kNow + 5s + 1us);
}

TEST(ChargeLimits, HighCellRampsTheChargeCurrentDown) {
  Snapshot snapshot = sample_snapshot(kNow);
  const auto at = [&snapshot](int millivolts) {
    set_cells(snapshot, kNow, Millivolts{millivolts}, Millivolts{millivolts});
    return instant(snapshot);
  };
  EXPECT_EQ(at(3450).charge_current.value(), Milliamps{50'000});
  EXPECT_EQ(at(3525).charge_current.value(), Milliamps{25'000});
  EXPECT_EQ(at(3525).charge_current.reason(), Reason::kCellVoltageHigh);
  EXPECT_EQ(at(3599).charge_current.value(), Milliamps{333});
  EXPECT_EQ(at(3600).charge_current.value(), Milliamps{0});
  EXPECT_EQ(at(3600).discharge_current.value(), Milliamps{100'000});
}

TEST(ChargeLimits, LowCellRampsTheDischargeCurrentDown) {
  Snapshot snapshot = sample_snapshot(kNow);
  const auto at = [&snapshot](int millivolts) {
    set_cells(snapshot, kNow, Millivolts{millivolts}, Millivolts{millivolts});
    return instant(snapshot);
  };
  EXPECT_EQ(at(3000).discharge_current.value(), Milliamps{100'000});
  EXPECT_EQ(at(2900).discharge_current.value(), Milliamps{50'000});
  EXPECT_EQ(at(2900).discharge_current.reason(), Reason::kCellVoltageLow);
  EXPECT_EQ(at(2800).discharge_current.value(), Milliamps{0});
  EXPECT_EQ(at(2800).charge_current.value(), Milliamps{50'000});
}

TEST(ChargeLimits, TemperatureRampsBothCurrents) {
  Snapshot snapshot = sample_snapshot(kNow);
  const auto at = [&snapshot](int low, int high) {
    set_temperatures(snapshot, kNow, Decicelsius{low}, Decicelsius{high});
    return instant(snapshot);
  };
  EXPECT_EQ(at(0, 200).charge_current.value(), Milliamps{0});
  EXPECT_EQ(at(50, 200).charge_current.value(), Milliamps{25'000});
  EXPECT_EQ(at(50, 200).charge_current.reason(), Reason::kTemperatureLow);
  EXPECT_EQ(at(100, 200).charge_current.value(), Milliamps{50'000});
  EXPECT_EQ(at(200, 450).charge_current.value(), Milliamps{25'000});
  EXPECT_EQ(at(200, 450).charge_current.reason(), Reason::kTemperatureHigh);
  EXPECT_EQ(at(200, 500).charge_current.value(), Milliamps{0});
  EXPECT_EQ(at(-200, 200).discharge_current.value(), Milliamps{0});
  EXPECT_EQ(at(-125, 200).discharge_current.value(), Milliamps{50'000});
  EXPECT_EQ(at(-125, 200).discharge_current.reason(), Reason::kTemperatureLow);
  EXPECT_EQ(at(200, 500).discharge_current.value(), Milliamps{50'000});
  EXPECT_EQ(at(200, 550).discharge_current.value(), Milliamps{0});
}

TEST(ChargeLimits, ReserveRampsTheDischargeCurrentDown) {
  Snapshot snapshot = sample_snapshot(kNow);
  const auto at = [&snapshot](int basis_points) {
    snapshot.soc = Sampled<BasisPoints>{BasisPoints{basis_points}, kNow};
    return instant(snapshot);
  };
  EXPECT_EQ(at(1500).discharge_current.value(), Milliamps{100'000});
  EXPECT_EQ(at(1000).discharge_current.value(), Milliamps{50'000});
  EXPECT_EQ(at(1000).discharge_current.reason(), Reason::kSocLow);
  EXPECT_EQ(at(500).discharge_current.value(), Milliamps{0});
  EXPECT_EQ(at(0).discharge_current.value(), Milliamps{0});
  EXPECT_EQ(at(0).charge_current.value(), Milliamps{50'000});
  EXPECT_EQ(at(10'000).charge_current.value(), Milliamps{50'000});
}

TEST(ChargeLimits, ImbalanceLeavesATenth) {
  Snapshot snapshot = sample_snapshot(kNow);
  const auto at = [&snapshot](int spread) {
    set_cells(snapshot, kNow, Millivolts{3440 - spread}, Millivolts{3440});
    return charge_of(snapshot);
  };
  EXPECT_EQ(at(100), Milliamps{50'000});
  EXPECT_EQ(at(200), Milliamps{27'500});
  EXPECT_EQ(at(300), Milliamps{5'000});
  EXPECT_EQ(at(400), Milliamps{5'000});
  EXPECT_EQ(instant(snapshot).charge_current.reason(), Reason::kImbalance);
}

TEST(ChargeLimits, AllBoundsInForceAreListedAndTheLowestWins) {
  Snapshot snapshot = sample_snapshot(kNow);
  set_cells(snapshot, kNow, Millivolts{3325}, Millivolts{3525});        // voltage 25 A, imbalance 27.5 A
  set_temperatures(snapshot, kNow, Decicelsius{40}, Decicelsius{200});  // 20 A
  UserLimits user;
  user.charge_current = Milliamps{30'000};
  const auto current = instant(snapshot, kNow, user).charge_current;
  EXPECT_EQ(current.value(), Milliamps{20'000});
  EXPECT_EQ(current.reason(), Reason::kTemperatureLow);
  ASSERT_EQ(current.size(), 5U);
  EXPECT_EQ(current[0], (Explained<Milliamps>::Bound{Reason::kProfileMax, Milliamps{50'000}}));
  EXPECT_TRUE(current.has(Reason::kUser));
  EXPECT_TRUE(current.has(Reason::kCellVoltageHigh));
  EXPECT_TRUE(current.has(Reason::kImbalance));
  EXPECT_FALSE(current.has(Reason::kRamp));
}

TEST(ChargeLimits, EachMissingValueMeansZero) {
  const auto expect_missing = [](const Snapshot& snapshot, Needed needed) {
    const auto decision = instant(snapshot);
    EXPECT_TRUE(decision.missing.has(needed)) << to_text(needed);
    EXPECT_TRUE(decision.is_zero());
    EXPECT_FALSE(decision.is_complete());
    EXPECT_EQ(decision.charge_current.reason(), Reason::kMissing);
    EXPECT_EQ(decision.charge_voltage.value(), Millivolts{16 * 3450});
  };
  const Snapshot good = sample_snapshot(kNow);
  Snapshot snapshot = good;
  snapshot.cell_min.reset();
  expect_missing(snapshot, Needed::kCells);
  snapshot = good;
  snapshot.cell_max.reset();
  expect_missing(snapshot, Needed::kCells);
  snapshot = good;
  snapshot.voltage.reset();
  expect_missing(snapshot, Needed::kVoltage);
  snapshot = good;
  snapshot.current.reset();
  expect_missing(snapshot, Needed::kCurrent);
  snapshot = good;
  snapshot.soc.reset();
  expect_missing(snapshot, Needed::kSoc);
  snapshot = good;
  snapshot.temperature_min.reset();
  expect_missing(snapshot, Needed::kTemperature);
  snapshot = good;
  snapshot.temperature_max.reset();
  expect_missing(snapshot, Needed::kTemperature);
  EXPECT_TRUE(instant(Snapshot{}).is_zero());
}

TEST(ChargeLimits, EachStaleValueMeansZero) {
  const TimePoint old = kNow - 5s - 1us;
  const auto expect_stale = [](const Snapshot& snapshot, Needed needed) {
    const auto decision = instant(snapshot);
    EXPECT_TRUE(decision.stale.has(needed)) << to_text(needed);
    EXPECT_TRUE(decision.is_zero());
    EXPECT_EQ(decision.discharge_current.reason(), Reason::kStale);
    EXPECT_EQ(decision.expires, kNever);
  };
  const Snapshot good = sample_snapshot(kNow);
  Snapshot snapshot = good;
  snapshot.cells->at = old;
  expect_stale(snapshot, Needed::kCells);
  snapshot = good;
  snapshot.cell_max->at = old;
  expect_stale(snapshot, Needed::kCells);
  snapshot = good;
  snapshot.voltage->at = old;
  expect_stale(snapshot, Needed::kVoltage);
  snapshot = good;
  snapshot.current->at = old;
  expect_stale(snapshot, Needed::kCurrent);
  snapshot = good;
  snapshot.soc->at = old;
  expect_stale(snapshot, Needed::kSoc);
  snapshot = good;
  snapshot.temperature_max->at = old;
  expect_stale(snapshot, Needed::kTemperature);
  snapshot = good;
  snapshot.activity->at = old;
  expect_stale(snapshot, Needed::kStatus);
  snapshot = good;
  snapshot.alarms = Sampled<AlarmSet>{{}, old};
  expect_stale(snapshot, Needed::kStatus);
  snapshot = good;
  snapshot.limits = Sampled<battery::PublishedLimits>{{}, old};
  expect_stale(snapshot, Needed::kPublished);
  snapshot = good;
  snapshot.soc->at = kNow + 1us;  // from the future
  expect_stale(snapshot, Needed::kSoc);
}

TEST(ChargeLimits, TheAgeBoundItselfIsStillGood) {
  EXPECT_TRUE(instant(sample_snapshot(kNow - 5s)).is_trusted());
  EXPECT_FALSE(instant(sample_snapshot(kNow - 5s - 1us)).is_trusted());
  LimitConfig config;
  config.age_max.soc = 1s;
  Snapshot snapshot = sample_snapshot(kNow - 2s);
  const auto decision = instant_limits(kNow, snapshot, sample_profile(), config, {});
  EXPECT_TRUE(decision.stale.has(Needed::kSoc));
  EXPECT_FALSE(decision.stale.has(Needed::kVoltage));
}

TEST(ChargeLimits, EachFailedCheckMeansZero) {
  const auto expect_failed = [](const Snapshot& snapshot, Check check) {
    const auto decision = instant(snapshot);
    EXPECT_TRUE(decision.failed.has(check)) << to_text(check);
    EXPECT_TRUE(decision.is_zero());
    EXPECT_TRUE(decision.is_fresh());
    EXPECT_EQ(decision.charge_current.reason(), Reason::kImplausible);
  };
  const Snapshot good = sample_snapshot(kNow);
  Snapshot snapshot = good;
  snapshot.cells->value.count = 15;
  expect_failed(snapshot, Check::kCellCount);
  snapshot = good;
  snapshot.cells->value.voltage[3] = Millivolts{999};
  expect_failed(snapshot, Check::kCellRange);
  snapshot = good;
  snapshot.cell_max->value = Millivolts{4601};
  expect_failed(snapshot, Check::kCellRange);
  snapshot = good;
  snapshot.cell_min->value = Millivolts{3321};
  expect_failed(snapshot, Check::kCellOrder);
  snapshot = good;
  snapshot.voltage->value = snapshot.voltage->value + Millivolts{500 + 53'040 * 20 / 1000 + 1};
  expect_failed(snapshot, Check::kVoltageSum);
  snapshot.voltage->value = good.voltage->value - Millivolts{500 + 53'040 * 20 / 1000 + 1};
  expect_failed(snapshot, Check::kVoltageSum);
  snapshot = good;
  snapshot.temperature_min->value = Decicelsius{-401};
  expect_failed(snapshot, Check::kTemperatureRange);
  snapshot = good;
  snapshot.temperature_max->value = Decicelsius{1251};
  expect_failed(snapshot, Check::kTemperatureRange);
  snapshot = good;
  snapshot.temperature_min->value = Decicelsius{236};
  expect_failed(snapshot, Check::kTemperatureOrder);
  snapshot = good;
  snapshot.current->value = Milliamps{300'001};
  expect_failed(snapshot, Check::kCurrentRange);
  snapshot.current->value = Milliamps{-300'001};
  expect_failed(snapshot, Check::kCurrentRange);
  snapshot = good;
  snapshot.soc->value = BasisPoints{10'001};
  expect_failed(snapshot, Check::kSocRange);
  snapshot.soc->value = BasisPoints{-1};
  expect_failed(snapshot, Check::kSocRange);
  snapshot = good;
  snapshot.limits = Sampled<battery::PublishedLimits>{{{}, Milliamps{-1}, {}, {}}, kNow};
  expect_failed(snapshot, Check::kPublishedRange);
}

TEST(ChargeLimits, EachCheckAcceptsItsBound) {
  Snapshot snapshot = sample_snapshot(kNow);
  snapshot.voltage->value = snapshot.voltage->value + Millivolts{500 + 53'040 * 20 / 1000};
  snapshot.current->value = Milliamps{-300'000};
  snapshot.soc->value = BasisPoints{10'000};
  set_temperatures(snapshot, kNow, Decicelsius{-400}, Decicelsius{1250});
  EXPECT_TRUE(instant(snapshot).is_trusted());
}

TEST(ChargeLimits, ExtremesAloneAreEnoughWhenThePackLiesBetweenThem) {
  Snapshot snapshot = sample_snapshot(kNow);
  snapshot.cells.reset();
  EXPECT_TRUE(instant(snapshot).is_trusted());
  snapshot.voltage->value = Millivolts{16 * 3320 + 3000};
  EXPECT_TRUE(instant(snapshot).failed.has(Check::kVoltageSum));
}

TEST(ChargeLimits, AReportThatLagsCannotHideACell) {
  Snapshot snapshot = sample_snapshot(kNow);
  snapshot.cells->value.voltage[5] = Millivolts{3600};
  EXPECT_EQ(charge_of(snapshot), Milliamps{0});
}

TEST(ChargeLimits, FaultsOfTheBmsForbidTheirDirections) {
  Snapshot snapshot = sample_snapshot(kNow);
  snapshot.activity->value = battery::Activity::kFault;
  EXPECT_TRUE(instant(snapshot).is_fault);
  EXPECT_TRUE(instant(snapshot).is_zero());
  EXPECT_EQ(instant(snapshot).charge_current.reason(), Reason::kFault);
  struct Row {
    Alarm alarm;
    bool charges;
    bool discharges;
  };
  const Row rows[] = {{Alarm::kGeneral, false, false},
                      {Alarm::kHighVoltage, false, true},
                      {Alarm::kLowVoltage, true, false},
                      {Alarm::kHighTemperature, false, false},
                      {Alarm::kLowTemperature, false, false},
                      {Alarm::kHighTemperatureCharge, false, true},
                      {Alarm::kLowTemperatureCharge, false, true},
                      {Alarm::kHighDischargeCurrent, true, false},
                      {Alarm::kHighChargeCurrent, false, true},
                      {Alarm::kContactor, false, false},
                      {Alarm::kShortCircuit, false, false},
                      {Alarm::kBmsInternal, false, false},
                      {Alarm::kCellImbalance, true, true}};
  for (const Row& row : rows) {
    snapshot = sample_snapshot(kNow);
    AlarmSet alarms;
    alarms.set(row.alarm);
    snapshot.alarms = Sampled<AlarmSet>{alarms, kNow};
    EXPECT_EQ(charge_of(snapshot) > Milliamps{0}, row.charges) << to_text(row.alarm);
    EXPECT_EQ(discharge_of(snapshot) > Milliamps{0}, row.discharges) << to_text(row.alarm);
    snapshot.alarms.reset();
    snapshot.warnings = Sampled<AlarmSet>{alarms, kNow};
    EXPECT_EQ(charge_of(snapshot), Milliamps{50'000}) << "a warning forbids nothing";
  }
}

TEST(ChargeLimits, PublishedLimitsAreObeyedDownwardsOnly) {
  Snapshot snapshot = sample_snapshot(kNow);
  const auto with = [&snapshot](const battery::PublishedLimits& limits) {
    snapshot.limits = Sampled<battery::PublishedLimits>{limits, kNow};
    return instant(snapshot);
  };
  auto decision = with({Millivolts{54'000}, Milliamps{10'000}, Milliamps{20'000}, Millivolts{49'000}});
  EXPECT_EQ(decision.charge_voltage.value(), Millivolts{54'000});
  EXPECT_EQ(decision.charge_current.value(), Milliamps{10'000});
  EXPECT_EQ(decision.discharge_current.value(), Milliamps{20'000});
  EXPECT_EQ(decision.discharge_voltage.value(), Millivolts{49'000});
  EXPECT_EQ(decision.discharge_voltage.reason(), Reason::kBmsPublished);
  decision = with({Millivolts{60'000}, Milliamps{500'000}, Milliamps{500'000}, Millivolts{40'000}});
  EXPECT_EQ(decision.charge_voltage.value(), Millivolts{55'200});
  EXPECT_EQ(decision.charge_current.value(), Milliamps{50'000});
  EXPECT_EQ(decision.discharge_voltage.value(), Millivolts{48'000});
  // A charge voltage under the floor: the floor, and no charging.
  decision = with({Millivolts{0}, Milliamps{10'000}, Milliamps{20'000}, Millivolts{60'000}});
  EXPECT_EQ(decision.charge_voltage.value(), Millivolts{16 * 3300});
  EXPECT_EQ(decision.charge_current.value(), Milliamps{0});
  EXPECT_EQ(decision.charge_current.reason(), Reason::kBmsPublished);
  EXPECT_EQ(decision.discharge_current.value(), Milliamps{20'000});
  EXPECT_EQ(decision.discharge_voltage.value(), Millivolts{16 * 3300});
}

TEST(ChargeLimits, UserLimitsLowerButNeverBelowTheFloor) {
  const Snapshot snapshot = sample_snapshot(kNow);
  UserLimits user{Millivolts{54'000}, Milliamps{5'000}, Milliamps{-7}};
  auto decision = instant(snapshot, kNow, user);
  EXPECT_EQ(decision.charge_voltage.value(), Millivolts{54'000});
  EXPECT_EQ(decision.charge_voltage.reason(), Reason::kUser);
  EXPECT_EQ(decision.charge_current.value(), Milliamps{5'000});
  EXPECT_EQ(decision.discharge_current.value(), Milliamps{0});
  user.charge_voltage = Millivolts{1};
  EXPECT_EQ(instant(snapshot, kNow, user).charge_voltage.value(), Millivolts{16 * 3300});
}

// ---- with memory

TEST(LimitCalculator, CurrentsStartAtATenthAndRiseATenthEachSecond) {
  LimitCalculator calculator{sample_profile(), LimitConfig{}};
  EXPECT_EQ(calculator.decide(kNow, sample_snapshot(kNow), false).charge_current.value(), Milliamps{5'000});
  const TimePoint later = kNow + 1s;
  auto decision = calculator.decide(later, sample_snapshot(later), false);
  EXPECT_EQ(decision.charge_current.value(), Milliamps{10'000});
  EXPECT_EQ(decision.discharge_current.value(), Milliamps{20'000});
  EXPECT_EQ(decision.charge_current.reason(), Reason::kRamp);
  const TimePoint full = kNow + 9s;
  decision = calculator.decide(full, sample_snapshot(full), false);
  EXPECT_EQ(decision.charge_current.value(), Milliamps{50'000});
  EXPECT_EQ(decision.charge_current.reason(), Reason::kProfileMax);
}

TEST(LimitCalculator, TheRampIsExactHoweverOftenItIsAsked) {
  LimitCalculator often{sample_profile(), LimitConfig{}};
  LimitCalculator seldom{sample_profile(), LimitConfig{}};
  const Snapshot snapshot = sample_snapshot(kNow);
  (void)seldom.decide(kNow, snapshot, false);
  for (int i = 0; i <= 3'000; ++i) {
    (void)often.decide(kNow + i * 1ms, snapshot, false);
  }
  const TimePoint end = kNow + 3s;
  EXPECT_EQ(often.decide(end, snapshot, false).charge_current.value(),
            seldom.decide(end, snapshot, false).charge_current.value());
}

LimitCalculator calculator_at_full(TimePoint& now) {
  LimitCalculator calculator{sample_profile(), LimitConfig{}};
  (void)calculator.decide(now, sample_snapshot(now), false);
  now += 10s;
  EXPECT_EQ(calculator.decide(now, sample_snapshot(now), false).charge_current.value(), Milliamps{50'000});
  return calculator;
}

TEST(LimitCalculator, FallsAreImmediateAndRisesStartFromThere) {
  TimePoint now = kNow;
  LimitCalculator calculator = calculator_at_full(now);
  Snapshot snapshot = sample_snapshot(now);
  set_cells(snapshot, now, Millivolts{3525}, Millivolts{3525});
  EXPECT_EQ(calculator.decide(now, snapshot, false).charge_current.value(), Milliamps{25'000});
  now += 1s;
  EXPECT_EQ(calculator.decide(now, sample_snapshot(now), false).charge_current.value(), Milliamps{30'000});
}

TEST(LimitCalculator, AfterLostTrustZeroLastsForTheDelayAndThenTheRampBegins) {
  TimePoint now = kNow;
  LimitCalculator calculator = calculator_at_full(now);
  const Snapshot old = sample_snapshot(now);
  now += 5s + 1us;
  EXPECT_TRUE(calculator.decide(now, old, false).is_zero());
  auto decision = calculator.decide(now, sample_snapshot(now), false);
  EXPECT_TRUE(decision.is_zero());
  EXPECT_EQ(decision.charge_current.reason(), Reason::kRecovery);
  now += 1s - 1us;
  EXPECT_TRUE(calculator.decide(now, sample_snapshot(now), false).is_zero());
  now += 1us;
  EXPECT_EQ(calculator.decide(now, sample_snapshot(now), false).charge_current.value(), Milliamps{5'000});
}

TEST(LimitCalculator, ALostInverterMeansZero) {
  TimePoint now = kNow;
  LimitCalculator calculator = calculator_at_full(now);
  const auto decision = calculator.decide(now, sample_snapshot(now), true);
  EXPECT_TRUE(decision.is_zero());
  EXPECT_EQ(decision.charge_current.reason(), Reason::kInverterLost);
  EXPECT_EQ(calculator.decide(now, sample_snapshot(now), false).charge_current.value(), Milliamps{5'000});
}

TEST(LimitCalculator, ChargeVoltageStepsDownWithAHighCellAndHasHysteresis) {
  TimePoint now = kNow;
  LimitCalculator calculator = calculator_at_full(now);
  const auto at = [&calculator, &now](int millivolts) {
    Snapshot snapshot = sample_snapshot(now);
    set_cells(snapshot, now, Millivolts{millivolts}, Millivolts{millivolts});
    return calculator.decide(now, snapshot, false).charge_voltage;
  };
  EXPECT_EQ(at(3525).value(), Millivolts{16 * 3450});
  EXPECT_EQ(at(3526).value(), Millivolts{16 * 3420});
  EXPECT_EQ(at(3526).reason(), Reason::kCellVoltageHigh);
  EXPECT_EQ(at(3451).value(), Millivolts{16 * 3420});
  EXPECT_EQ(at(3450).value(), Millivolts{16 * 3450});
}

TEST(LimitCalculator, ChargeVoltageDoesNotRiseWhileBlind) {
  TimePoint now = kNow;
  LimitCalculator calculator = calculator_at_full(now);
  Snapshot snapshot = sample_snapshot(now);
  snapshot.limits = Sampled<battery::PublishedLimits>{{Millivolts{53'500}, {}, {}, {}}, now};
  EXPECT_EQ(calculator.decide(now, snapshot, false).charge_voltage.value(), Millivolts{53'500});
  now += 1h;
  const auto blind = calculator.decide(now, snapshot, false);
  EXPECT_TRUE(blind.is_zero());
  EXPECT_EQ(blind.charge_voltage.value(), Millivolts{53'500});
  EXPECT_EQ(blind.charge_voltage.reason(), Reason::kStale);
}

TEST(LimitCalculator, UserLimitsApplyAtOnce) {
  TimePoint now = kNow;
  LimitCalculator calculator = calculator_at_full(now);
  calculator.set_user_limits(UserLimits{{}, Milliamps{0}, {}});
  EXPECT_EQ(calculator.decide(now, sample_snapshot(now), false).charge_current.value(), Milliamps{0});
  EXPECT_EQ(calculator.decide(now, sample_snapshot(now), false).discharge_current.value(),
            Milliamps{100'000});
}

TEST(LimitConfigCheck, NamesTheFieldThatCannotBeWorkedWith) {
  const auto field = [](auto change) {
    Profile profile = sample_profile();
    LimitConfig config;
    change(profile, config);
    const auto error = check_config(profile, config);
    return error ? error->field : std::string_view{};
  };
  EXPECT_EQ(field([](Profile&, LimitConfig&) {}), "");
  EXPECT_EQ(field([](Profile& p, LimitConfig&) { p.series_cells = 0; }), "series_cells");
  EXPECT_EQ(field([](Profile& p, LimitConfig&) { p.series_cells = 193; }), "series_cells");
  EXPECT_EQ(field([](Profile& p, LimitConfig&) { p.cell_plausible_max = Millivolts{10'001}; }),
            "cell_plausible_min, cell_plausible_max");
  EXPECT_EQ(field([](Profile& p, LimitConfig&) { p.cell_full = p.cell_max; }),
            "cell_min, cell_empty, cell_full, cell_max");
  EXPECT_EQ(field([](Profile& p, LimitConfig&) { p.charge_current_max = Milliamps{3'276'701}; }),
            "charge_current_max");
  EXPECT_EQ(field([](Profile& p, LimitConfig&) { p.discharge_current_max = Milliamps{-1}; }),
            "discharge_current_max");
  EXPECT_EQ(field([](Profile& p, LimitConfig&) { p.charge_temperature_max = Decicelsius{100}; }),
            "charge_temperature_*");
  EXPECT_EQ(field([](Profile& p, LimitConfig&) { p.discharge_temperature_min = Decicelsius{0}; }),
            "discharge_temperature_*");
  EXPECT_EQ(field([](Profile& p, LimitConfig&) { p.imbalance_start = Millivolts{301}; }),
            "imbalance_start, imbalance_stop");
  EXPECT_EQ(field([](Profile& p, LimitConfig&) { p.soc_reserve_start = BasisPoints{10'001}; }),
            "soc_reserve_stop, soc_reserve_start");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.age_max.soc = 0s; }), "age_max");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.age_max.soc = 1h + 1us; }), "age_max");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.sum_tolerance = Millivolts{-1}; }),
            "sum_tolerance, sum_tolerance_share");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.temperature_plausible_max = Decicelsius{-400}; }),
            "temperature_plausible_min, temperature_plausible_max");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.current_plausible_factor = 101; }),
            "current_plausible_factor");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.ramp_up = Permille{0}; }), "ramp_up");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.ramp_start = Permille{1001}; }), "ramp_start");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.recovery_delay = -1us; }), "recovery_delay");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.cell_floor_below_full = Millivolts{450}; }),
            "cell_floor_below_full");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.charge_voltage_step = Millivolts{151}; }),
            "charge_voltage_step");
  EXPECT_EQ(field([](Profile&, LimitConfig& c) { c.imbalance_rest = Permille{1001}; }), "imbalance_rest");
}

TEST(LimitTexts, EveryEnumeratorHasItsOwn) {
  for (std::size_t i = 0; i < kReasonCount; ++i) {
    EXPECT_FALSE(to_text(static_cast<Reason>(i)).empty());
  }
  EXPECT_EQ(to_text(Reason::kInverterLost), "inverter_lost");
  EXPECT_EQ(to_text(Needed::kPublished), "published_limits");
  EXPECT_EQ(to_text(Check::kPublishedRange), "published_range");
}

TEST(LimitTexts, ABoundOfTheSameReasonKeepsTheStricter) {
  Explained<Milliamps> current{Milliamps{100}};
  current.limit(Reason::kFault, Milliamps{50});
  current.limit(Reason::kFault, Milliamps{70});
  EXPECT_EQ(current.size(), 2U);
  EXPECT_EQ(current[1].allows, Milliamps{50});
  Explained<Milliamps> floor{Milliamps{100}};
  floor.raise(Reason::kUser, Milliamps{150});
  floor.raise(Reason::kUser, Milliamps{120});
  EXPECT_EQ(floor.value(), Milliamps{150});
  EXPECT_EQ(floor[1].allows, Milliamps{150});
}

}  // namespace
}  // namespace amphora::inverter
