// SPDX-License-Identifier: Apache-2.0
#include "core/inverter/victron/output.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

#include "core/inverter/sample_battery_test.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::victron {
namespace {

using namespace std::chrono_literals;
using battery::Alarm;
using battery::Snapshot;
using inverter::sample_profile;
using inverter::sample_snapshot;
using inverter::set_cells;
using Kind = OutputEvent::Kind;

struct Sent {
  TimePoint at;
  can::Frame frame;
};

// One output with a battery and an inverter that can each be switched off; time moves from time-out to
// time-out, so that no rhythm of the test shapes the result.
class Bench {
 public:
  explicit Bench(const OutputConfig& config = {}) : output{config, sample_profile()} {}

  void run(Duration duration) {
    const TimePoint end = now + duration;
    while (true) {
      TimePoint next = earliest(output.poll_timeout(), end);
      if (has_battery) {
        next = earliest(next, next_snapshot);
      }
      if (has_inverter) {
        next = earliest(next, next_keepalive);
      }
      now = std::max(now, next);
      step();
      if (now >= end) {
        return;
      }
    }
  }
  void step() {
    if (has_battery && now >= next_snapshot) {
      Snapshot snapshot = sample_snapshot(now);
      if (change) {
        change(snapshot, now);
      }
      output.handle_snapshot(now, snapshot);
      next_snapshot = now + 1s;
    }
    if (has_inverter && now >= next_keepalive) {
      output.handle_frame(now, can::encode(can::KeepAlive{}).value());
      next_keepalive = now + 1s;
    }
    output.handle_timeout(now);
    while (const auto frame = output.poll_transmit(now)) {
      sent.push_back({now, *frame});
    }
    while (const auto event = output.poll_event()) {
      events.push_back(*event);
    }
  }
  void start_battery() {
    has_battery = true;
    next_snapshot = now;
  }
  void start_inverter() {
    has_inverter = true;
    next_keepalive = now;
  }
  void forget() {
    sent.clear();
    events.clear();
  }
  std::vector<Sent> of(std::uint32_t id) const {
    std::vector<Sent> found;
    for (const Sent& one : sent) {
      if (one.frame.id == id) {
        found.push_back(one);
      }
    }
    return found;
  }
  template <class M>
  std::optional<M> last(std::uint32_t id) const {
    const auto found = of(id);
    if (found.empty()) {
      return std::nullopt;
    }
    return std::get<M>(can::decode(found.back().frame).value());
  }
  can::Limits limits() const { return last<can::Limits>(can::kLimitsId).value_or(can::Limits{}); }
  bool has_event(Kind kind) const {
    return std::any_of(events.begin(), events.end(), [kind](const OutputEvent& e) { return e.kind == kind; });
  }
  TimePoint time_of(Kind kind) const {
    for (const OutputEvent& event : events) {
      if (event.kind == kind) {
        return event.at;
      }
    }
    return kNever;
  }

  Output output;
  TimePoint now{1s};
  bool has_battery = false;
  bool has_inverter = false;
  TimePoint next_snapshot{};
  TimePoint next_keepalive{};
  std::function<void(Snapshot&, TimePoint)> change;
  std::vector<Sent> sent;
  std::vector<OutputEvent> events;
};

bool is_zero(const can::Limits& limits) {
  return limits.charge_current == Deciamps{0} && limits.discharge_current == Deciamps{0};
}

Bench running() {
  Bench bench;
  bench.start_battery();
  bench.start_inverter();
  bench.run(12s);
  EXPECT_EQ(bench.output.phase(), Phase::kRunning);
  EXPECT_EQ(bench.limits().charge_current, Deciamps{500});
  bench.forget();
  return bench;
}

TEST(VictronOutput, SilentUntilTheFirstTrustedSnapshot) {
  Bench bench;
  bench.start_inverter();
  bench.run(30s);
  EXPECT_TRUE(bench.sent.empty());
  EXPECT_EQ(bench.output.phase(), Phase::kWaiting);
  bench.change = [](Snapshot& s, TimePoint) { s.soc.reset(); };
  bench.start_battery();
  bench.run(10s);
  EXPECT_TRUE(bench.sent.empty()) << "incomplete";
  bench.change = [](Snapshot& s, TimePoint) { s.soc->value = BasisPoints{10'001}; };
  bench.run(10s);
  EXPECT_TRUE(bench.sent.empty()) << "implausible";
  bench.change = nullptr;
  bench.run(1s);
  ASSERT_FALSE(bench.sent.empty());
  EXPECT_EQ(bench.sent.front().frame.id, can::kLimitsId) << "limits come first";
  EXPECT_TRUE(bench.has_event(Kind::kStarted));
}

TEST(VictronOutput, EveryFrameCarriesTheValuesOfTheSnapshot) {
  Bench bench = running();
  bench.run(2s);
  EXPECT_EQ(bench.limits(), (can::Limits{Decivolts{552}, Deciamps{500}, Deciamps{1000}, Decivolts{480}}));
  EXPECT_EQ(bench.last<can::Charge>(can::kChargeId),
            (can::Charge{Percent{60}, Percent{98}, BasisPoints{6020}}));
  EXPECT_EQ(bench.last<can::Measurements>(can::kMeasurementsId),
            (can::Measurements{Centivolts{5304}, Deciamps{-123}, Decicelsius{235}}));
  const auto alarms = bench.last<can::AlarmBits>(can::kAlarmBitsId).value();
  EXPECT_FALSE(alarms.alarms.has_any());
  EXPECT_TRUE(alarms.alarms.is_watched(Alarm::kHighVoltage));
  EXPECT_FALSE(alarms.online) << "unsettled bits stay 00";
  EXPECT_EQ(bench.last<can::Manufacturer>(can::kManufacturerId)->text, can::Text8{"AMPHORA"});
  const auto info = bench.last<can::Info>(can::kInfoId).value();
  EXPECT_EQ(info.capacity, AmpHours{274}) << "98 % of 280 Ah";
  EXPECT_EQ(info.firmware, (can::Info::Version{0, 1}));
  EXPECT_EQ(bench.last<can::Name>(can::kNameFirstId)->text, can::Text8{"Amphora "});
  EXPECT_EQ(bench.last<can::Name>(can::kNameSecondId)->text, can::Text8{"battery"});
  EXPECT_EQ(bench.last<can::Modules>(can::kModulesId), (can::Modules{1, 0, 0, 0}));
  EXPECT_EQ(bench.last<can::CellExtremes>(can::kCellExtremesId),
            (can::CellExtremes{Millivolts{3310}, Millivolts{3320}, Decicelsius{210}, Decicelsius{240}}));
  EXPECT_EQ(bench.last<can::ExtremeName>(can::kCellMinNameId)->text, can::Text8{"Cell 1"});
  EXPECT_EQ(bench.last<can::ExtremeName>(can::kCellMaxNameId)->text, can::Text8{"Cell 9"});
  EXPECT_EQ(bench.last<can::ExtremeName>(can::kTemperatureMinNameId)->text, can::Text8{"Sensor 2"});
  EXPECT_EQ(bench.last<can::ExtremeName>(can::kTemperatureMaxNameId)->text, can::Text8{"Internal"});
  EXPECT_EQ(bench.last<can::Energy>(can::kEnergyId),
            (can::Energy{HectowattHours{12'346}, HectowattHours{10'000}}));
  EXPECT_EQ(bench.last<can::Installed>(can::kInstalledId)->capacity, AmpHours{280});
  EXPECT_EQ(bench.last<can::Serial>(can::kSerialFirstId)->text, can::Text8{"01020304"});
  EXPECT_EQ(bench.last<can::Serial>(can::kSerialSecondId)->text, can::Text8{"05AB"});
  EXPECT_EQ(bench.last<can::Family>(can::kFamilyId)->text, can::Text8{"LFP"});
}

TEST(VictronOutput, MissingValuesLeaveTheirFramesOut) {
  Bench bench = running();
  bench.change = [](Snapshot& s, TimePoint) {
    s.soh.reset();
    s.cells.reset();
    s.energy_in.reset();
    s.identity.serial = {};
    s.temperature_external.reset();
  };
  bench.run(1100ms);  // the first of the new snapshots has arrived
  bench.forget();
  const std::uint64_t suppressed = bench.output.statistics().suppressed;
  bench.run(3s);
  EXPECT_EQ(bench.last<can::Charge>(can::kChargeId), (can::Charge{Percent{60}, {}, {}}));
  for (const std::uint32_t id : {can::kCellMinNameId, can::kCellMaxNameId, can::kTemperatureMinNameId,
                                 can::kEnergyId, can::kSerialFirstId, can::kSerialSecondId}) {
    EXPECT_TRUE(bench.of(id).empty()) << std::hex << id;
  }
  EXPECT_EQ(bench.last<can::Info>(can::kInfoId)->capacity, AmpHours{280});
  EXPECT_GE(bench.output.statistics().suppressed, suppressed + 6 * 3);
}

TEST(VictronOutput, ValuesAtTheirExtremes) {
  Bench bench = running();
  bench.change = [](Snapshot& s, TimePoint at) {
    set_cells(s, at, Millivolts{4600}, Millivolts{4600});
    inverter::set_temperatures(s, at, Decicelsius{-400}, Decicelsius{1250});
    s.current = Sampled<Milliamps>{Milliamps{300'000}, at};
    s.soc = Sampled<BasisPoints>{BasisPoints{10'000}, at};
    s.energy_in = Sampled<WattHours>{WattHours{((std::int64_t{1} << 32) + 5) * 100}, at};
    s.energy_out = Sampled<WattHours>{WattHours{-1}, at};
    s.capacity = Sampled<MilliampHours>{MilliampHours{65'536'000}, at};
  };
  bench.run(2s);
  bench.forget();
  bench.run(2s);
  EXPECT_TRUE(is_zero(bench.limits()));
  EXPECT_EQ(bench.limits().charge_voltage, Decivolts{547}) << "16 x 3.42 V, rounded down";
  EXPECT_EQ(bench.last<can::Measurements>(can::kMeasurementsId),
            (can::Measurements{Centivolts{7360}, Deciamps{3000}, Decicelsius{1250}}));
  EXPECT_EQ(bench.last<can::CellExtremes>(can::kCellExtremesId)->temperature_min, Decicelsius{-400});
  EXPECT_EQ(bench.last<can::Charge>(can::kChargeId)->soc, Percent{100});
  EXPECT_TRUE(bench.of(can::kEnergyId).empty()) << "a negative counter is no counter";
  EXPECT_TRUE(bench.of(can::kInstalledId).empty()) << "does not fit";
  bench.change = [](Snapshot& s, TimePoint at) {
    s.energy_in = Sampled<WattHours>{WattHours{((std::int64_t{1} << 32) + 5) * 100}, at};
    s.energy_out.reset();
  };
  bench.run(3s);
  EXPECT_EQ(bench.last<can::Energy>(can::kEnergyId), (can::Energy{HectowattHours{5}, {}})) << "rolled over";
}

TEST(VictronOutput, RhythmIsSteadyAndUnderThirtyFramesASecond) {
  Bench bench = running();
  bench.run(20s);
  EXPECT_EQ(bench.of(can::kLimitsId).size(), 100U);
  for (const can::FrameInfo& info : can::kFrameTable) {
    if (info.period_class == can::PeriodClass::kControl ||
        info.period_class == can::PeriodClass::kInformation) {
      EXPECT_NEAR(static_cast<double>(bench.of(info.id).size()), 20.0, 1.0) << info.name;
    }
  }
  for (std::size_t i = 0; i + 30 <= bench.sent.size(); ++i) {
    EXPECT_GE(bench.sent[i + 29].at - bench.sent[i].at, 1s);
  }
  // No bursts: at most one frame of each class at a time.
  for (std::size_t i = 3; i < bench.sent.size(); ++i) {
    EXPECT_GT(bench.sent[i].at - bench.sent[i - 3].at, Duration::zero());
  }
  const auto limits = bench.of(can::kLimitsId);
  for (std::size_t i = 1; i < limits.size(); ++i) {
    EXPECT_EQ(limits[i].at - limits[i - 1].at, 200ms);
  }
}

TEST(VictronOutput, AHostThatDoesNotPollForALongTimeGetsNoBurst) {
  Bench bench = running();
  for (int i = 0; i < 100; ++i) {
    bench.now += 100ms;
    if (i % 10 == 0) {
      bench.output.handle_snapshot(bench.now, sample_snapshot(bench.now));
      bench.output.handle_frame(bench.now, can::encode(can::KeepAlive{}).value());
    }
    bench.output.handle_timeout(bench.now);
  }
  std::size_t count = 0;
  while (bench.output.poll_transmit(bench.now)) {
    ++count;
  }
  EXPECT_EQ(count, 19U) << "each frame once, with the values of now";
}

TEST(VictronOutput, TheHardCapHolds) {
  Bench bench = running();
  std::size_t count = 0;
  const std::uint64_t limited = bench.output.statistics().rate_limited;
  // A bus that flaps asks for limits each time it returns.
  for (int i = 0; i < 100; ++i) {
    bench.output.handle_bus_state(bench.now, can::BusState::kBusOff);
    bench.output.handle_bus_state(bench.now, can::BusState::kActive);
    while (bench.output.poll_transmit(bench.now)) {
      ++count;
    }
  }
  EXPECT_LE(count, kFramesPerSecondMax);
  EXPECT_GT(bench.output.statistics().rate_limited, limited);
}

TEST(VictronOutput, SilentBatteryMeansZeroAtTheBoundThenNoFrames) {
  Bench bench = running();
  bench.has_battery = false;
  const TimePoint last_values = bench.next_snapshot - 1s;
  bench.run(90s);
  // The first zero is no later than the bound, and no limits after it differ.
  const TimePoint bound = last_values + 5s + 1us;
  bool has_zero = false;
  for (const Sent& one : bench.of(can::kLimitsId)) {
    const auto limits = std::get<can::Limits>(can::decode(one.frame).value());
    EXPECT_EQ(is_zero(limits), one.at >= bound);
    EXPECT_EQ(limits.charge_voltage, Decivolts{552});
    has_zero = has_zero || one.at == bound;
  }
  EXPECT_TRUE(has_zero) << "at once";
  EXPECT_EQ(bench.time_of(Kind::kBmsStale), bound);
  EXPECT_EQ(bench.time_of(Kind::kBmsSilent), bound + 60s);
  EXPECT_LT(bench.sent.back().at, bound + 60s);
  EXPECT_GE(bench.of(can::kLimitsId).back().at, bound + 60s - 200ms);
  EXPECT_EQ(bench.output.phase(), Phase::kBmsSilent);
  for (const std::uint32_t id : {can::kChargeId, can::kMeasurementsId, can::kCellExtremesId}) {
    EXPECT_LE(bench.of(id).back().at, bound) << "a stale value is never sent";
  }
  const auto alarms = bench.last<can::AlarmBits>(can::kAlarmBitsId).value();
  EXPECT_TRUE(alarms.alarms.is_active(Alarm::kBmsInternal));
  EXPECT_FALSE(alarms.alarms.is_watched(Alarm::kHighVoltage));
  EXPECT_EQ(bench.last<can::Modules>(can::kModulesId), (can::Modules{0, 1, 1, 1}));
}

TEST(VictronOutput, ABatteryThatReturnsIsBelievedAfterACompletePlausibleSnapshot) {
  Bench bench = running();
  bench.has_battery = false;
  bench.run(90s);
  bench.forget();
  bench.change = [](Snapshot& s, TimePoint) { s.current.reset(); };
  bench.start_battery();
  bench.run(5s);
  EXPECT_TRUE(bench.sent.empty());
  bench.change = nullptr;
  bench.run(1s);
  EXPECT_TRUE(bench.has_event(Kind::kBmsRecovered));
  ASSERT_FALSE(bench.sent.empty());
  EXPECT_EQ(bench.sent.front().frame.id, can::kLimitsId);
  EXPECT_TRUE(is_zero(std::get<can::Limits>(can::decode(bench.sent.front().frame).value())));
  bench.run(2s);
  EXPECT_FALSE(is_zero(bench.limits()));
  bench.run(12s);
  EXPECT_EQ(bench.limits().charge_current, Deciamps{500});
}

TEST(VictronOutput, AShortSilenceRecoversWithinTheHold) {
  Bench bench = running();
  bench.has_battery = false;
  bench.run(20s);
  EXPECT_EQ(bench.output.phase(), Phase::kBmsStale);
  bench.start_battery();
  bench.run(80s);
  EXPECT_TRUE(bench.has_event(Kind::kBmsRecovered));
  EXPECT_FALSE(bench.has_event(Kind::kBmsSilent));
  EXPECT_EQ(bench.output.phase(), Phase::kRunning);
}

TEST(VictronOutput, ImplausibleValuesMeanZeroAndAreNotShown) {
  Bench bench = running();
  bench.change = [](Snapshot& s, TimePoint) { s.soc->value = BasisPoints{10'001}; };
  bench.run(1s);
  bench.forget();
  bench.run(100s);
  EXPECT_EQ(bench.output.phase(), Phase::kImplausible);
  EXPECT_TRUE(is_zero(bench.limits()));
  EXPECT_TRUE(bench.of(can::kChargeId).empty());
  EXPECT_TRUE(bench.of(can::kMeasurementsId).empty());
  EXPECT_TRUE(bench.of(can::kCellExtremesId).empty());
  EXPECT_GE(bench.of(can::kLimitsId).size(), 499U) << "the battery talks: zero is said as long as it lasts";
  bench.change = nullptr;
  bench.run(2s);
  EXPECT_TRUE(bench.has_event(Kind::kPlausible));
}

// Found by the fuzzer: checks do not run while a value is stale, and an impossible number of cells was used.
TEST(VictronOutput, AnImpossibleNumberOfCellsBesideAStaleValue) {
  Bench bench = running();
  bench.change = [](Snapshot& s, TimePoint at) {
    s.cells->value.count = 0xFFFF;
    s.voltage->at = at - 6s;
  };
  bench.run(1s);
  bench.forget();
  bench.run(3s);
  EXPECT_EQ(bench.output.phase(), Phase::kBmsStale);
  EXPECT_TRUE(is_zero(bench.limits()));
  EXPECT_TRUE(bench.of(can::kCellMinNameId).empty());
  EXPECT_TRUE(bench.of(can::kCellExtremesId).empty());
}

TEST(VictronOutput, AFaultIsZeroInTheVeryNextFrame) {
  Bench bench = running();
  Snapshot snapshot = sample_snapshot(bench.now);
  snapshot.activity->value = battery::Activity::kFault;
  bench.output.handle_snapshot(bench.now, snapshot);
  const auto frame = bench.output.poll_transmit(bench.now);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->id, can::kLimitsId) << "out of turn";
  EXPECT_TRUE(is_zero(std::get<can::Limits>(can::decode(*frame).value())));
  EXPECT_EQ(bench.output.phase(), Phase::kFault);
  bench.step();
  EXPECT_TRUE(bench.has_event(Kind::kFault));
  bench.run(3s);
  EXPECT_TRUE(bench.has_event(Kind::kFaultCleared));
}

TEST(VictronOutput, ALostInverterGetsZeroThenSilenceThenRetries) {
  Bench bench = running();
  bench.has_inverter = false;
  const TimePoint last_keepalive = bench.next_keepalive - 1s;
  bench.run(120s);
  const TimePoint lost = last_keepalive + 10s;
  const TimePoint absent = lost + 30s;
  EXPECT_EQ(bench.time_of(Kind::kInverterLost), lost);
  EXPECT_EQ(bench.time_of(Kind::kInverterAbsent), absent);
  std::size_t retries = 0;
  for (const Sent& one : bench.sent) {
    if (one.frame.id == can::kLimitsId) {
      const auto limits = std::get<can::Limits>(can::decode(one.frame).value());
      EXPECT_EQ(is_zero(limits), one.at >= lost);
    }
    if (one.at >= absent) {
      EXPECT_EQ(one.frame.id, can::kLimitsId);
      const Duration into_retry = (one.at - absent) % 30s;
      EXPECT_GE(one.at, absent + 30s);
      EXPECT_LE(into_retry, 800ms);
      ++retries;
    }
  }
  EXPECT_EQ(retries, 2 * 5U);
  EXPECT_EQ(bench.output.phase(), Phase::kInverterAbsent);
}

TEST(VictronOutput, TheFirstKeepAliveRecovers) {
  for (const Duration absence : {Duration{20s}, Duration{60s}}) {
    Bench bench = running();
    bench.has_inverter = false;
    bench.run(absence);
    EXPECT_NE(bench.output.phase(), Phase::kRunning);
    bench.forget();
    bench.start_inverter();
    bench.run(1s);
    EXPECT_TRUE(bench.has_event(Kind::kInverterFound));
    EXPECT_EQ(bench.output.phase(), Phase::kRunning);
    EXPECT_FALSE(is_zero(bench.limits()));
    EXPECT_GE(bench.sent.size(), 20U);
    bench.run(12s);
    EXPECT_EQ(bench.limits().charge_current, Deciamps{500});
  }
}

TEST(VictronOutput, AnInverterNeverHeardOfIsGivenTime) {
  Bench bench;
  bench.start_battery();
  bench.run(29s);
  EXPECT_EQ(bench.output.phase(), Phase::kRunning);
  EXPECT_EQ(bench.limits().charge_current, Deciamps{500});
  EXPECT_FALSE(bench.output.keepalive_age(bench.now));
  bench.run(2s);
  EXPECT_EQ(bench.output.phase(), Phase::kInverterLost);
  EXPECT_EQ(bench.time_of(Kind::kInverterLost), bench.time_of(Kind::kStarted) + 30s);
  bench.run(31s);
  EXPECT_EQ(bench.output.phase(), Phase::kInverterAbsent);
  bench.start_inverter();
  bench.run(2s);
  EXPECT_EQ(bench.output.phase(), Phase::kRunning);
}

TEST(VictronOutput, WithoutKeepAliveWatchTheInverterIsNeverLost) {
  OutputConfig config;
  config.keepalive_timeout = Duration::zero();
  Bench bench{config};
  bench.start_battery();
  bench.run(600s);
  EXPECT_EQ(bench.output.phase(), Phase::kRunning);
  bench.start_inverter();
  bench.run(5s);
  bench.has_inverter = false;
  bench.run(600s);
  EXPECT_EQ(bench.output.phase(), Phase::kRunning);
}

TEST(VictronOutput, TheKeepAliveIsMatchedByIdAlone) {
  Bench bench = running();
  bench.has_inverter = false;
  for (int second = 0; second < 30; ++second) {
    bench.run(1s);
    can::Frame frame;
    frame.id = can::kKeepAliveId;
    frame.size = static_cast<std::uint8_t>(second % 9);
    frame.data.fill(0xA5);
    bench.output.handle_frame(bench.now, frame);
  }
  EXPECT_EQ(bench.output.phase(), Phase::kRunning);
  EXPECT_EQ(bench.output.keepalive_age(bench.now + 300ms), Duration{300ms});
}

TEST(VictronOutput, ForeignFramesAreCounted) {
  Bench bench = running();
  const auto before = bench.output.statistics();
  can::Frame frame;
  frame.id = can::kKeepAliveId;
  frame.is_extended = true;
  bench.output.handle_frame(bench.now, frame);
  frame.is_extended = false;
  frame.is_remote = true;
  bench.output.handle_frame(bench.now, frame);
  frame.is_remote = false;
  frame.id = 0x123;
  bench.output.handle_frame(bench.now, frame);
  frame.id = can::kLimitsId;
  bench.output.handle_frame(bench.now, frame);
  bench.output.handle_frame(bench.now, frame);
  const auto& after = bench.output.statistics();
  EXPECT_EQ(after.received, before.received + 5);
  EXPECT_EQ(after.keepalives, before.keepalives);
  EXPECT_EQ(after.refused, before.refused + 2);
  EXPECT_EQ(after.ignored, before.ignored + 1);
  EXPECT_EQ(after.foreign_battery, before.foreign_battery + 2);
  bench.step();
  EXPECT_EQ(std::count_if(bench.events.begin(), bench.events.end(),
                          [](const OutputEvent& e) { return e.kind == Kind::kForeignBattery; }),
            1);
}

TEST(VictronOutput, BusOffStopsAndLimitsComeFirstAfterwards) {
  Bench bench = running();
  bench.output.handle_bus_state(bench.now, can::BusState::kErrorPassive);
  bench.run(1s);
  EXPECT_EQ(bench.of(can::kLimitsId).size(), 5U) << "error passive still sends";
  bench.output.handle_bus_state(bench.now, can::BusState::kBusOff);
  EXPECT_EQ(bench.output.phase(), Phase::kBusDown);
  bench.forget();
  bench.run(3s);
  EXPECT_TRUE(bench.sent.empty());
  EXPECT_TRUE(bench.has_event(Kind::kBusDown));
  bench.change = [](Snapshot& s, TimePoint at) { set_cells(s, at, Millivolts{3600}, Millivolts{3600}); };
  bench.run(2s);
  bench.output.handle_bus_state(bench.now, can::BusState::kActive);
  const auto frame = bench.output.poll_transmit(bench.now);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->id, can::kLimitsId);
  EXPECT_EQ(std::get<can::Limits>(can::decode(*frame).value()).charge_current, Deciamps{0})
      << "the values of now, not of before";
  EXPECT_FALSE(bench.output.poll_transmit(bench.now));
  bench.run(1s);
  EXPECT_TRUE(bench.has_event(Kind::kBusUp));
  EXPECT_EQ(bench.output.statistics().bus_down, 1U);
}

TEST(VictronOutput, AlarmsReachTheFrameAndTheEvents) {
  Bench bench = running();
  bench.change = [](Snapshot& s, TimePoint at) { set_cells(s, at, Millivolts{3580}, Millivolts{3600}); };
  bench.run(5s);
  const auto bits = bench.last<can::AlarmBits>(can::kAlarmBitsId).value();
  EXPECT_TRUE(bits.alarms.is_active(Alarm::kHighVoltage));
  EXPECT_TRUE(bits.warnings.is_active(Alarm::kHighVoltage));
  EXPECT_TRUE(bench.has_event(Kind::kAlarmRaised));
  EXPECT_TRUE(bench.has_event(Kind::kWarningRaised));
  EXPECT_EQ(bench.output.alarms(), bits.alarms);
  bench.change = nullptr;
  bench.run(15s);
  EXPECT_TRUE(bench.has_event(Kind::kAlarmCleared));
  EXPECT_TRUE(bench.has_event(Kind::kWarningCleared));
}

TEST(VictronOutput, UserLimitsShowInTheNextLimits) {
  Bench bench = running();
  bench.output.set_user_limits(bench.now, inverter::UserLimits{{}, Milliamps{12'345}, Milliamps{0}});
  bench.run(200ms);
  EXPECT_EQ(bench.limits().charge_current, Deciamps{123});
  EXPECT_EQ(bench.limits().discharge_current, Deciamps{0});
  EXPECT_EQ(bench.output.decision().charge_current.reason(), inverter::Reason::kUser);
}

TEST(VictronOutput, EventsAreBoundedAndCounted) {
  Bench bench = running();
  for (std::size_t i = 0; i < kEventCapacity; ++i) {
    bench.output.handle_bus_state(bench.now, can::BusState::kDown);
    bench.output.handle_bus_state(bench.now, can::BusState::kActive);
  }
  EXPECT_EQ(bench.output.dropped_event_count(), kEventCapacity);
  std::size_t count = 0;
  while (bench.output.poll_event()) {
    ++count;
  }
  EXPECT_EQ(count, kEventCapacity);
}

TEST(VictronOutput, ConfigurationIsChecked) {
  const auto field = [](auto change) {
    OutputConfig config;
    change(config);
    const auto error = check_config(config, sample_profile());
    return error ? error->field : std::string_view{};
  };
  EXPECT_EQ(field([](OutputConfig&) {}), "");
  EXPECT_EQ(field([](OutputConfig& c) { c.limits.ramp_up = Permille{0}; }), "ramp_up");
  EXPECT_EQ(field([](OutputConfig& c) { c.alarms.hold_min = -1us; }), "alarms.raise_after, alarms.hold_min");
  EXPECT_EQ(field([](OutputConfig& c) { c.limits_period = 99ms; }), "limits_period");
  EXPECT_EQ(field([](OutputConfig& c) { c.limits_period = 1001ms; }), "limits_period");
  EXPECT_EQ(field([](OutputConfig& c) { c.control_period = 11s; }), "control_period");
  EXPECT_EQ(field([](OutputConfig& c) { c.information_period = 99ms; }), "information_period");
  EXPECT_EQ(field([](OutputConfig& c) { c.limits_period = 100ms; }), "") << "10 + 3 + 15 frames";
  EXPECT_EQ(field([](OutputConfig& c) { c.control_period = 200ms; }),
            "limits_period, control_period, information_period");
  EXPECT_EQ(field([](OutputConfig& c) { c.keepalive_timeout = -1us; }), "keepalive_timeout");
  EXPECT_EQ(field([](OutputConfig& c) { c.inverter_lost_hold = 0s; }), "inverter_lost_hold");
  EXPECT_EQ(field([](OutputConfig& c) { c.retry_period = 4s; }), "retry_period");
  EXPECT_EQ(field([](OutputConfig& c) { c.retry_frames = 0; }), "retry_frames");
  EXPECT_EQ(field([](OutputConfig& c) { c.retry_frames = 21; }), "retry_frames");
  EXPECT_EQ(field([](OutputConfig& c) { c.bms_silent_hold = 2h; }), "bms_silent_hold");
  EXPECT_EQ(field([](OutputConfig& c) { c.slow_age_max = 0s; }), "slow_age_max");
  EXPECT_EQ(field([](OutputConfig& c) { c.manufacturer = can::Text8{}; }), "manufacturer");
  EXPECT_EQ(field([](OutputConfig& c) { c.name.assign("\n"); }), "name");
  EXPECT_EQ(field([](OutputConfig& c) { c.family = can::Text8{"\x7F"}; }), "family");
  EXPECT_EQ(field([](OutputConfig& c) { c.serial.assign("\x01"); }), "serial");
  EXPECT_EQ(to_text(Phase::kBusDown), "bus_down");
  EXPECT_EQ(to_text(Kind::kWarningCleared), "warning_cleared");
}

TEST(VictronOutput, OneFrameForEachRetryIsPossible) {
  OutputConfig config;
  config.retry_frames = 1;
  Bench bench{config};
  bench.start_battery();
  bench.run(61s);
  bench.forget();
  bench.run(61s);
  EXPECT_EQ(bench.sent.size(), 2U);
}

// ---- the contract of all machines, with everything that can happen

struct ContractAdapter {
  using Machine = Output;
  static Output make(std::uint64_t seed) {
    OutputConfig config;
    if (seed % 3 == 0) {
      config.keepalive_timeout = Duration::zero();
    }
    return Output{config, sample_profile()};
  }
  static void feed(Output& output, TimePoint now, Rng& rng) {
    switch (rng.below(8)) {
      case 0:
      case 1:
      case 2: {
        Snapshot snapshot = sample_snapshot(now);
        const auto cell = static_cast<std::int32_t>(rng.between(2700, 3700));
        set_cells(snapshot, now, Millivolts{cell}, Millivolts{cell + 20});
        if (rng.chance(100'000)) {
          snapshot.soc.reset();
        }
        output.handle_snapshot(now, snapshot);
        return;
      }
      case 3:
        output.handle_frame(now, can::encode(can::KeepAlive{}).value());
        return;
      case 4:
        if (rng.chance(100'000)) {
          output.handle_bus_state(now, static_cast<can::BusState>(rng.below(4)));
        } else {
          output.handle_bus_state(now, can::BusState::kActive);
        }
        return;
      case 5:
        output.set_user_limits(now, {{}, Milliamps{static_cast<std::int32_t>(rng.below(60'000))}, {}});
        return;
      default: {
        can::Frame frame;
        frame.id = 0x300 + rng.below(0x100);
        frame.size = static_cast<std::uint8_t>(rng.below(9));
        frame.is_extended = rng.chance(100'000);
        for (std::uint8_t& byte : frame.data) {
          byte = static_cast<std::uint8_t>(rng.next());
        }
        output.handle_frame(now, frame);
        return;
      }
    }
  }
  static bool drain_one(Output& output, TimePoint now, Digest& digest) {
    if (const auto frame = output.poll_transmit(now)) {
      digest.add_number(frame->id);
      digest.add(frame->payload());
      return true;
    }
    if (const auto event = output.poll_event()) {
      digest.add_number(static_cast<std::int64_t>(event->kind));
      digest.add_number(event->detail);
      return true;
    }
    return false;
  }
};

TEST(VictronOutput, KeepsTheContractOfMachines) {
  contract::check_machine_contract<ContractAdapter>();
}

// Whatever happens in whatever order: no more frames than allowed, no charge voltage of zero, and no current
// from data that is too old.
TEST(VictronOutput, NeverACurrentFromOldDataWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng{seed};
    Output output{OutputConfig{}, sample_profile()};
    TimePoint now{1s};
    std::optional<TimePoint> newest;
    std::vector<TimePoint> sent_at;
    std::size_t with_current = 0;
    for (int step = 0; step < 3000; ++step) {
      now += std::chrono::microseconds{rng.between(0, rng.chance(5'000) ? 20'000'000 : 200'000)};
      if (rng.chance(200'000)) {
        output.handle_snapshot(now, sample_snapshot(now));
        newest = now;
      } else if (rng.chance(300'000)) {
        ContractAdapter::feed(output, now, rng);
        if (output.decision().is_trusted()) {
          newest = output.decision().expires - 5s - 1us;
        }
      }
      if (rng.chance(500'000)) {
        output.handle_timeout(now);
      }
      while (const auto frame = output.poll_transmit(now)) {
        ASSERT_TRUE(newest);
        sent_at.push_back(now);
        if (frame->id != can::kLimitsId) {
          continue;
        }
        const auto limits = std::get<can::Limits>(can::decode(*frame).value());
        ASSERT_GE(*limits.charge_voltage, Decivolts{528}) << "seed " << seed;
        ASSERT_LE(*limits.charge_voltage, Decivolts{552}) << "seed " << seed;
        if (now - *newest > 5s) {
          ASSERT_TRUE(is_zero(limits)) << "seed " << seed << " step " << step;
        }
        with_current += is_zero(limits) ? 0 : 1;
      }
    }
    for (std::size_t i = 0; i + 29 < sent_at.size(); ++i) {
      ASSERT_GE(sent_at[i + 29] - sent_at[i], 1s) << "seed " << seed;
    }
    EXPECT_GT(with_current, 0U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace amphora::victron
