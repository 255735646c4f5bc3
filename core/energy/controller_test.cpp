// SPDX-License-Identifier: Apache-2.0
#include "core/energy/controller.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/contract/machine_contract.hpp"

namespace amphora::energy {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kMidnight = 1'780'272'000;  // 2026-06-01 00:00 UTC, a Monday
static_assert(kMidnight % kSecondsPerDay == 0);

ModeSettings with_modes(std::initializer_list<Mode> modes) {
  ModeSettings settings;
  for (const Mode mode : modes) {
    settings.enabled.set(mode);
  }
  return settings;
}

// A house with fresh measurements every second.
class Bench {
 public:
  explicit Bench(const ModeSettings& settings, const Facts& stored = {})
      : controller{ControllerConfig{}, settings, stored} {}

  void tell_time(std::int64_t seconds_of_day) {
    controller.handle_time(now, TimeReading{kMidnight + seconds_of_day, 0, std::nullopt});
  }
  void run(Duration lasts) {
    for (const TimePoint end = now + lasts; now < end;) {
      now += 1s;
      controller.handle_timeout(now);
      controller.handle_inputs(now, inputs());
      while (const auto event = controller.poll_event()) {
        events.push_back(*event);
      }
      while (const auto command = controller.poll_transmit(now)) {
        commands.push_back(*command);
      }
    }
  }
  bool has_event(Event::Kind kind) const {
    return std::ranges::any_of(events, [&](const Event& event) { return event.kind == kind; });
  }
  std::optional<Position> position(Relay relay) const { return controller.relay(relay).commanded; }
  Inputs inputs() const {
    Inputs result;
    result.grid.power = {grid, now};
    result.inverter_output.power = {home, now};
    result.pack_voltage = {Millivolts{52'800}, now};
    result.pack_current = {Milliamps{0}, now};
    result.soc = {soc, now};
    result.temperature_max = {temperature, now};
    return result;
  }

  Controller controller;
  TimePoint now{1000s};
  Watts grid{0};
  Watts home{1000};
  BasisPoints soc{6000};
  Decicelsius temperature{250};
  std::vector<Event> events;
  std::vector<Command> commands;
};

TEST(EnergyController, NothingIsCommandedBeforeTheFirstInputs) {
  Controller controller{ControllerConfig{}, with_modes({Mode::kBackup})};
  controller.handle_timeout(TimePoint{1000s});
  controller.handle_timeout(TimePoint{1010s});
  EXPECT_FALSE(controller.poll_transmit(TimePoint{1010s}));
  controller.handle_timeout(TimePoint{1012s});
  EXPECT_TRUE(controller.poll_transmit(TimePoint{1012s})) << "the BMS was never heard";
  EXPECT_TRUE(controller.safety_causes().has(SafetyCause::kBmsStale));
}

TEST(EnergyController, EveryCycleCommandsEachFittedRelayAndTheInverter) {
  Bench bench{with_modes({})};
  bench.run(2s);
  bench.commands.clear();
  bench.run(20s);
  EXPECT_EQ(bench.commands.size(), 10U * 5U);
}

TEST(EnergyController, BackupComesBeforeSelfConsumption) {
  Bench bench{with_modes({Mode::kBackup, Mode::kSelfConsumption})};
  bench.run(1min);
  EXPECT_EQ(bench.position(Relay::kGrid), Position::kClosed);
  EXPECT_EQ(bench.controller.relay(Relay::kGrid).holder, Holder::kBackup);
  ASSERT_FALSE(bench.controller.set_settings(bench.now, with_modes({Mode::kSelfConsumption})));
  bench.run(1min);
  EXPECT_EQ(bench.position(Relay::kGrid), Position::kOpen);
  EXPECT_EQ(bench.controller.relay(Relay::kGrid).reason, Reason::kSocHigh);
}

TEST(EnergyController, SafetyClosesTheGridOpensLoadsAndStopsCharging) {
  Bench bench{with_modes({Mode::kSelfConsumption})};
  bench.run(1min);
  ASSERT_EQ(bench.position(Relay::kGrid), Position::kOpen);
  bench.temperature = Decicelsius{600};
  bench.run(1s);
  EXPECT_EQ(bench.position(Relay::kGrid), Position::kClosed);
  EXPECT_EQ(bench.position(Relay::kHeater), Position::kOpen);
  EXPECT_EQ(bench.position(Relay::kInverterOutput), Position::kClosed);
  EXPECT_FALSE(bench.controller.inverter_request().may_charge);
  EXPECT_TRUE(bench.controller.inverter_request().may_discharge);
  EXPECT_TRUE(bench.has_event(Event::Kind::kSafetyEntered));
  bench.temperature = Decicelsius{250};
  bench.run(2min);
  EXPECT_TRUE(bench.has_event(Event::Kind::kSafetyLeft));
  EXPECT_EQ(bench.position(Relay::kGrid), Position::kOpen);
  EXPECT_EQ(bench.position(Relay::kHeater), Position::kClosed);
}

TEST(EnergyController, WhatChangesBetweenTwoCyclesIsCommandedAtOnce) {
  Bench bench{with_modes({})};
  bench.run(1s);
  bench.commands.clear();
  bench.temperature = Decicelsius{600};
  bench.run(1s);
  const std::vector<Command> expected{RelayCommand{Relay::kPump, Position::kOpen},
                                      RelayCommand{Relay::kHeater, Position::kOpen},
                                      InverterRequest{false, true}};
  EXPECT_EQ(bench.commands, expected);
}

TEST(EnergyController, AnUnknownTimeIsWarnedOfWhereAModeNeedsIt) {
  Bench without{with_modes({Mode::kBackup})};
  without.run(1min);
  EXPECT_FALSE(without.controller.warnings().has(Warning::kTimeUnknown));
  Bench bench{with_modes({Mode::kTimeOfUse})};
  bench.run(1min);
  EXPECT_TRUE(bench.controller.warnings().has(Warning::kTimeUnknown));
  EXPECT_EQ(bench.position(Relay::kInverterOutput), Position::kClosed);
  EXPECT_EQ(bench.controller.relay(Relay::kInverterOutput).reason, Reason::kTimeUnknown);
  bench.tell_time(12 * 3600);
  bench.run(1s);
  EXPECT_FALSE(bench.controller.warnings().has(Warning::kTimeUnknown));
  EXPECT_EQ(bench.position(Relay::kInverterOutput), Position::kOpen) << "there is no window";
}

TEST(EnergyController, AnExhaustedImportLimitOutlivesARestartAndEndsAtFive) {
  Bench before{with_modes({Mode::kImportLimit})};
  before.tell_time(20 * 3600);
  before.grid = Watts{30'000};
  before.run(21min);
  ASSERT_TRUE(before.controller.is_import_exhausted());
  EXPECT_EQ(before.position(Relay::kGrid), Position::kOpen);
  EXPECT_EQ(before.controller.import_exhausted_until_unix_s(before.now), kMidnight + 29 * 3600);
  const auto request = before.controller.poll_store(before.now);
  ASSERT_TRUE(request) << "stored at once";
  ASSERT_TRUE(request->facts.import_exhausted);

  Bench after{with_modes({Mode::kImportLimit}), request->facts};
  after.temperature = Decicelsius{600};
  after.run(1min);
  EXPECT_EQ(after.position(Relay::kGrid), Position::kOpen) << "before the time is known, and under safety";
  after.temperature = Decicelsius{250};
  after.tell_time(kSecondsPerDay + 5 * 3600 - 60);
  after.run(59s);
  EXPECT_EQ(after.position(Relay::kGrid), Position::kOpen);
  after.run(1min);
  EXPECT_FALSE(after.controller.is_import_exhausted());
  EXPECT_EQ(after.position(Relay::kGrid), Position::kClosed);
  EXPECT_TRUE(after.has_event(Event::Kind::kImportReleased));
}

TEST(EnergyController, AtTheMinimumWithTheImportUsedUpTheHouseWaits) {
  Facts stored;
  stored.import_exhausted = ImportExhausted{};
  Bench bench{with_modes({Mode::kImportLimit}), stored};
  bench.soc = BasisPoints{400};
  bench.run(2min);
  EXPECT_EQ(bench.position(Relay::kGrid), Position::kOpen);
  EXPECT_EQ(bench.position(Relay::kInverterOutput), Position::kOpen);
  EXPECT_EQ(bench.position(Relay::kHeater), Position::kOpen);
  EXPECT_FALSE(bench.controller.inverter_request().may_discharge);
}

TEST(EnergyController, EcoThatGivesUpFallsBackToSelfConsumption) {
  ModeSettings settings = with_modes({Mode::kEco});
  settings.eco_falls_back = true;
  Bench bench{settings};
  bench.home = Watts{9000};  // whatever is opened
  bench.run(11min);
  EXPECT_TRUE(bench.controller.running().has(Mode::kSelfConsumption));
  EXPECT_FALSE(bench.controller.running().has(Mode::kEco));
  EXPECT_TRUE(bench.controller.warnings().has(Warning::kEcoFellBack));
  EXPECT_TRUE(bench.controller.facts().has_eco_fallen_back);
  settings.eco_limit = Watts{6000};
  ASSERT_FALSE(bench.controller.set_settings(bench.now, settings));
  EXPECT_TRUE(bench.controller.running().has(Mode::kEco)) << "whoever changes eco wants it tried again";
}

TEST(EnergyController, AnOrderEndsAndIsRefusedWhereAModeHolds) {
  Bench bench{with_modes({Mode::kBackup})};
  bench.run(2min);
  EXPECT_EQ(bench.controller.order(bench.now, Relay::kGrid, Position::kOpen, 1h), OrderError::kHeldByMode);
  EXPECT_EQ(bench.controller.order(bench.now, Relay::kLoad6, Position::kOpen, 1h), OrderError::kNotFitted);
  EXPECT_EQ(bench.controller.order(bench.now, Relay::kHeater, Position::kOpen, 0s), OrderError::kBadDuration);
  EXPECT_FALSE(bench.controller.order(bench.now, Relay::kHeater, Position::kOpen, 1h));
  bench.run(1h - 1s);
  EXPECT_EQ(bench.position(Relay::kHeater), Position::kOpen);
  EXPECT_EQ(bench.controller.order_left(bench.now, Relay::kHeater), Duration{1s});
  bench.run(1s);
  EXPECT_EQ(bench.position(Relay::kHeater), Position::kClosed);
  EXPECT_TRUE(bench.has_event(Event::Kind::kOrderEnded));
}

TEST(EnergyController, SettingsThatAreNotAllowedChangeNothing) {
  Bench bench{with_modes({Mode::kBackup})};
  ModeSettings settings = with_modes({});
  settings.import_limit = WattHours{1999};
  const auto error = bench.controller.set_settings(bench.now, settings);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->field, "import_limit");
  EXPECT_EQ(bench.controller.settings(), with_modes({Mode::kBackup}));
}

TEST(EnergyController, AFailedWriteIsTriedAgainLater) {
  Facts stored;
  stored.has_eco_fallen_back = true;  // no longer true: eco is off
  Bench bench{with_modes({}), stored};
  bench.run(1s);
  const auto first = bench.controller.poll_store(bench.now);
  ASSERT_TRUE(first);
  EXPECT_FALSE(bench.controller.poll_store(bench.now)) << "one at a time";
  bench.controller.handle_store_failed(bench.now, first->ticket);
  EXPECT_FALSE(bench.controller.poll_store(bench.now + Controller::kStoreRetry - 1us));
  const auto second = bench.controller.poll_store(bench.now + Controller::kStoreRetry);
  ASSERT_TRUE(second);
  bench.controller.handle_stored(bench.now, second->ticket);
  EXPECT_FALSE(bench.controller.poll_store(bench.now + 1h));
  EXPECT_EQ(bench.controller.store_count(), 1U);
}

// --- contract -------------------------------------------------------------------------------------------

template <class T>
Reading<T> random_reading(TimePoint now, Rng& rng, std::int32_t low, std::int32_t high) {
  if (rng.chance(150'000)) {
    return std::nullopt;
  }
  return Sampled<T>{T{static_cast<std::int32_t>(rng.between(low, high))},
                    now - Duration{rng.between(0, 15'000'000)}};
}

ModeSettings random_settings(Rng& rng) {
  ModeSettings settings;
  for (std::size_t i = 0; i < kModeCount; ++i) {
    settings.enabled.set(static_cast<Mode>(i), rng.chance(500'000));
  }
  settings.self_low = BasisPoints{static_cast<std::int32_t>(rng.between(-100, 10'100))};
  settings.self_high = BasisPoints{static_cast<std::int32_t>(rng.between(0, 10'100))};
  settings.eco_limit = Watts{static_cast<std::int32_t>(rng.between(100, 8000))};
  settings.eco_falls_back = rng.chance(500'000);
  settings.windows.count = static_cast<std::uint8_t>(rng.below(kWindowCountMax + 2));
  for (Window& window : settings.windows.window) {
    window = Window{static_cast<std::uint16_t>(rng.below(1440)), static_cast<std::uint16_t>(rng.below(1440)),
                    static_cast<std::uint8_t>(1 + rng.below(127))};
  }
  return settings;
}

struct Adapter {
  using Machine = Controller;

  static Machine make(std::uint64_t seed) {
    Rng rng{seed};
    Facts stored;
    if (rng.chance(500'000)) {
      stored.import_exhausted = ImportExhausted{};
    }
    stored.has_eco_fallen_back = rng.chance(500'000);
    stored.orders[index_of(Relay::kPump)] = StoredOrder{Position::kOpen, kMidnight + 60};
    return Machine{ControllerConfig{}, with_modes({Mode::kEco, Mode::kImportLimit}), stored};
  }

  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    const auto relay = relay_at(rng.below(static_cast<std::uint32_t>(kRelayCount)));
    switch (rng.below(8)) {
      case 0:
        machine.handle_time(now, TimeReading{kMidnight + rng.between(-86'400, 86'400),
                                             static_cast<std::int32_t>(rng.between(-50'000, 60'000)),
                                             OffsetChange{kMidnight + rng.between(-5000, 5000), 7200}});
        break;
      case 1:
        (void)machine.set_settings(now, random_settings(rng));
        break;
      case 2:
        (void)machine.order(now, relay, static_cast<Position>(rng.below(2)),
                            std::chrono::seconds{rng.between(0, 30)});
        break;
      case 3:
        machine.release(now, relay);
        break;
      case 4:
        machine.reset_import_energy(now);
        machine.handle_stored(now, rng.below(20));
        break;
      default:
        feed_inputs(machine, now, rng);
        break;
    }
  }

  static void feed_inputs(Machine& machine, TimePoint now, Rng& rng) {
    constexpr std::int32_t kMax = 2'147'483'647;
    const std::int32_t most = rng.chance(50'000) ? kMax : 12'000;
    Inputs inputs;
    inputs.grid.power = random_reading<Watts>(now, rng, -most, most);
    inputs.inverter_output.current = random_reading<Milliamps>(now, rng, -most, most);
    inputs.load[0].power = random_reading<Watts>(now, rng, 0, most);
    inputs.pack_voltage = random_reading<Millivolts>(now, rng, 44'000, 59'000);
    inputs.pack_current = random_reading<Milliamps>(now, rng, -most, most);
    inputs.soc = random_reading<BasisPoints>(now, rng, -100, 10'500);
    inputs.cell_min = random_reading<Millivolts>(now, rng, 2750, 3300);
    inputs.temperature_max = random_reading<Decicelsius>(now, rng, -200, 570);
    for (auto& measured : inputs.measured) {
      measured = rng.chance(500'000) ? std::optional{static_cast<Position>(rng.below(2))} : std::nullopt;
    }
    machine.handle_inputs(now, inputs);
  }

  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    if (const auto command = machine.poll_transmit(now)) {
      if (const auto* relay = std::get_if<RelayCommand>(&*command)) {
        digest.add_number(static_cast<std::int64_t>(relay->relay));
        digest.add_number(static_cast<std::int64_t>(relay->position));
        EXPECT_FALSE(relay->relay == Relay::kGrid && relay->position == Position::kClosed &&
                     machine.is_import_exhausted())
            << "an exhausted import limit and a closed grid";
      } else if (const auto* request = std::get_if<InverterRequest>(&*command)) {
        digest.add_number(request->may_charge ? 11 : 10);
        digest.add_number(request->may_discharge ? 13 : 12);
      }
      return true;
    }
    if (const auto event = machine.poll_event()) {
      digest.add_number(static_cast<std::int64_t>(event->kind));
      digest.add_number(event->at.time_since_epoch().count());
      digest.add_number(static_cast<std::int64_t>(event->reason));
      return true;
    }
    if (const auto request = machine.poll_store(now)) {
      digest.add_number(request->ticket);
      if (request->ticket % 3 == 0) {
        machine.handle_store_failed(now, request->ticket);
      } else if (request->ticket % 3 == 1) {
        machine.handle_stored(now, request->ticket);
      }
      return true;
    }
    return false;
  }
};

TEST(EnergyController, KeepsTheContract) {
  contract::check_machine_contract<Adapter>();
}

// --- document -------------------------------------------------------------------------------------------

std::string ordered(Relay relay, Holder holder) {
  const auto list = precedence_of(relay);
  const auto found = std::ranges::find(list, holder);
  return found == list.end() ? "–" : std::to_string(found - list.begin() + 1);
}

std::string generated_tables() {
  std::string text =
      "| who | grid | inverter output, loads | passes minimum times | asks |\n|---|---|---|---|---|\n";
  for (const HolderRow& row : kHolders) {
    text += "| " + std::string{row.name} + " | " + ordered(Relay::kGrid, row.holder) + " | " +
            ordered(Relay::kInverterOutput, row.holder) + " | " +
            (row.overrides_minimum_times ? "yes" : "no") + " | " + std::string{row.asks} + " |\n";
  }
  text += "\n| mode | relays | rule | at first |\n|---|---|---|---|\n";
  for (const ModeRow& row : kModes) {
    text += "| " + std::string{row.name} + " | " + std::string{row.relays} + " | " + std::string{row.rule} +
            " | " + std::string{row.settings} + " |\n";
  }
  text += "\n| reason | meaning |\n|---|---|\n";
  for (const ReasonRow& row : kReasons) {
    text += "| " + std::string{row.name} + " | " + std::string{row.meaning} + " |\n";
  }
  return text;
}

TEST(EnergyModesDocument, ShowsTheTablesOfTheCode) {
  std::ifstream file{AMPHORA_SOURCE_DIR "/docs/MODES.md"};
  const std::string document{std::istreambuf_iterator<char>{file}, {}};
  const std::string begin = "<!-- tables: begin -->\n";
  const std::string end = "<!-- tables: end -->";
  const std::size_t from = document.find(begin);
  const std::size_t to = document.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  const std::size_t start = from + begin.size();
  EXPECT_EQ(document.substr(start, to - start), generated_tables())
      << "copy the second text between the two marks";
}

}  // namespace
}  // namespace amphora::energy
