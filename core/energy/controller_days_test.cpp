// SPDX-License-Identifier: Apache-2.0
// Hours and days of a house whose power follows its relays: what only shows over time and restarts.
#include "core/energy/controller.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/base/rng.hpp"
#include "tests/contract/slow_build.hpp"

namespace amphora::energy {
namespace {

using namespace std::chrono_literals;

// Friday, 27 March 2026, 00:00 UTC.
constexpr std::int64_t kFriday = 1'774'569'600;

ModeSettings with(std::initializer_list<Mode> modes) {
  ModeSettings settings;
  for (const Mode mode : modes) {
    settings.enabled.set(mode);
  }
  return settings;
}

// A house that is measured every two seconds.
struct House {
  explicit House(const ModeSettings& settings = {}, const Facts& stored = {},
                 const ControllerConfig& config = {})
      : controller{config, settings, stored} {}

  Inputs inputs() const {
    Inputs in;
    if (is_bms_alive) {
      in.pack_voltage = Sampled<Millivolts>{voltage, now};
      in.pack_current = Sampled<Milliamps>{Milliamps{0}, now};
      in.soc = Sampled<BasisPoints>{soc, now};
      in.temperature_max = Sampled<Decicelsius>{temperature, now};
      in.bms_fault = Sampled<bool>{has_fault, now};
    } else {
      in.pack_voltage = Sampled<Millivolts>{voltage, last_bms};
    }
    if (is_grid_measured) {
      in.grid.power = Sampled<Watts>{grid, now};
    }
    Watts home = base;
    for (std::size_t i = 0; i < kLoadCount; ++i) {
      const bool is_on = controller.relay(relay_at(i + kFirstLoad)).commanded == Position::kClosed;
      in.load[i].power = Sampled<Watts>{is_on ? load[i] : Watts{0}, now};
      home += is_on ? load[i] : Watts{0};
    }
    if (controller.relay(Relay::kInverterOutput).commanded == Position::kOpen) {
      home = Watts{0};
    }
    in.inverter_output.power = Sampled<Watts>{home, now};
    return in;
  }

  void step() {
    now += 2s;
    if (is_bms_alive) {
      last_bms = now;
    }
    controller.handle_timeout(now);
    controller.handle_inputs(now, inputs());
    drain();
  }
  void drain() {
    while (const auto command = controller.poll_transmit(now)) {
      commands.push_back(*command);
      if (const auto* relay = std::get_if<RelayCommand>(&*command)) {
        contact[index_of(relay->relay)] = relay->position;
      }
    }
    while (const auto event = controller.poll_event()) {
      events.push_back(*event);
    }
    while (const auto request = controller.poll_store(now)) {
      ++writes;
      if (is_store_failing) {
        controller.handle_store_failed(now, request->ticket);
      } else {
        stored = request->facts;
        controller.handle_stored(now, request->ticket);
      }
    }
  }
  void run(Duration how_long) {
    for (const TimePoint end = now + how_long; now < end;) {
      step();
    }
  }
  void tell_time(std::int64_t unix_s, std::int32_t offset = 0) {
    controller.handle_time(now, {unix_s, offset, std::nullopt});
    drain();
  }
  void change(const ModeSettings& settings) {
    ASSERT_FALSE(controller.set_settings(now, settings));
    drain();
  }
  std::size_t count(Event::Kind kind) const {
    return static_cast<std::size_t>(
        std::count_if(events.begin(), events.end(), [&](const Event& e) { return e.kind == kind; }));
  }
  std::optional<Position> grid_contact() const { return contact[index_of(Relay::kGrid)]; }
  std::optional<Position> contact_of(Relay relay) const { return contact[index_of(relay)]; }

  Controller controller;
  TimePoint now{100s};
  TimePoint last_bms{};
  bool is_bms_alive = true;
  bool has_fault = false;
  bool is_grid_measured = true;
  bool is_store_failing = false;
  Millivolts voltage{52'800};
  BasisPoints soc{3000};
  Decicelsius temperature{250};
  Watts grid{0};
  Watts base{500};
  PerLoad<Watts> load{};
  PerRelay<std::optional<Position>> contact{};
  std::vector<Command> commands;
  std::vector<Event> events;
  Facts stored;
  int writes = 0;
};

TEST(EnergyDays, TheInverterIsAskedWithTheFirstDecisionAndNotEarlier) {
  House house;
  house.controller.handle_timeout(house.now);
  EXPECT_FALSE(house.controller.poll_transmit(house.now));
  house.controller.handle_inputs(house.now, house.inputs());
  house.drain();
  EXPECT_EQ(std::ranges::count(house.commands, Command{InverterRequest{true, true}}), 1);
  EXPECT_EQ(house.commands.size(), 5u) << "the four relays and the inverter";
}

TEST(EnergyDays, TimeOfUseFollowsItsWindowsAndIsClosedWithoutTime) {
  ModeSettings settings = with({Mode::kTimeOfUse});
  settings.windows.count = 2;
  settings.windows.window[0] = {22 * 60, 6 * 60};
  settings.windows.window[1] = {12 * 60, 13 * 60};
  House house{settings};
  house.run(60s);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kClosed);
  EXPECT_EQ(house.controller.relay(Relay::kInverterOutput).reason, Reason::kTimeUnknown);
  EXPECT_TRUE(house.controller.warnings().has(Warning::kTimeUnknown));
  house.tell_time(kFriday + 11 * 3600);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kOpen);
  EXPECT_EQ(house.controller.relay(Relay::kInverterOutput).holder, Holder::kTimeOfUse);
  house.run(1h);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kClosed);
  house.run(1h);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kOpen);
  house.run(9h);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kClosed);
  house.run(8h - 4s);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kClosed);
  house.run(6s);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kOpen);
}

// --- eco ------------------------------------------------------------------------------------------------

struct EcoHouse : House {
  explicit EcoHouse(bool falls_back = false) : House{settings(falls_back)} {
    load[0] = Watts{1500};  // pump
    load[1] = Watts{3000};  // heater
    run(120s);              // minimum times are over
  }
  static ModeSettings settings(bool falls_back) {
    ModeSettings settings = with({Mode::kEco});
    settings.eco_falls_back = falls_back;
    return settings;
  }
};

TEST(EnergyDays, EcoFallsBackToSelfConsumptionAndThatSurvivesARestart) {
  EcoHouse house{true};
  ModeSettings settings = EcoHouse::settings(true);
  settings.eco_order.count = 1;
  house.change(settings);
  house.base = Watts{9000};
  house.soc = BasisPoints{6000};
  house.run(9min);
  EXPECT_TRUE(house.controller.running().has(Mode::kEco));
  house.run(2min);
  EXPECT_FALSE(house.controller.running().has(Mode::kEco));
  EXPECT_EQ(house.controller.relay(Relay::kGrid).holder, Holder::kSelfConsumption);
  EXPECT_EQ(house.grid_contact(), Position::kOpen);
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kClosed);
  EXPECT_TRUE(house.controller.warnings().has(Warning::kEcoFellBack));
  EXPECT_TRUE(house.stored.has_eco_fallen_back);

  House restarted{settings, house.stored};
  restarted.run(4s);
  EXPECT_TRUE(restarted.controller.running().has(Mode::kSelfConsumption));
  settings.eco_limit = Watts{12'000};
  restarted.change(settings);
  EXPECT_TRUE(restarted.controller.running().has(Mode::kEco)) << "changed, so tried again";
}

// --- import limit ---------------------------------------------------------------------------------------

struct ImportHouse : House {
  explicit ImportHouse(const Facts& facts = {}) : House{settings(), facts} {}
  static ModeSettings settings() {
    ModeSettings settings = with({Mode::kImportLimit});
    settings.import_limit = WattHours{2000};
    return settings;
  }
  // At 20:00, with 3.6 kW from the grid: 2 kWh are used up after 2000 s.
  void exhaust() {
    tell_time(kFriday + 20 * 3600);
    grid = Watts{3600};
    run(2010s);
    ASSERT_TRUE(controller.is_import_exhausted());
    grid = Watts{0};
  }
};

TEST(EnergyDays, ARestartDoesNotOpenTheTapAgain) {
  ImportHouse house;
  house.exhaust();
  // At once after the restart, without inputs and without time.
  ImportHouse restarted{house.stored};
  restarted.controller.handle_timeout(restarted.now);
  restarted.drain();
  EXPECT_EQ(restarted.grid_contact(), Position::kOpen);
  restarted.run(3h);
  EXPECT_EQ(restarted.grid_contact(), Position::kOpen) << "time unknown";
  restarted.tell_time(kFriday + 28 * 3600);
  EXPECT_EQ(restarted.grid_contact(), Position::kOpen) << "04:00";
  restarted.run(1h + 2s);
  EXPECT_EQ(restarted.grid_contact(), Position::kClosed);
  ImportHouse late{house.stored};
  late.tell_time(kFriday + 30 * 3600);
  late.run(32s);
  EXPECT_EQ(late.grid_contact(), Position::kClosed) << "05:00 passed while it was off";
}

TEST(EnergyDays, SafetyBackupAndPeopleDoNotCloseTheGridAgainstIt) {
  ImportHouse house;
  house.exhaust();
  ModeSettings settings = ImportHouse::settings();
  settings.enabled.set(Mode::kBackup);
  settings.enabled.set(Mode::kSelfConsumption);
  house.change(settings);
  house.soc = BasisPoints{900};
  house.has_fault = true;
  EXPECT_EQ(house.controller.order(house.now, Relay::kGrid, Position::kClosed, 1h), OrderError::kHeldByMode);
  house.run(10min);
  EXPECT_EQ(house.grid_contact(), Position::kOpen);
  EXPECT_EQ(house.controller.relay(Relay::kGrid).holder, Holder::kSafety);
  EXPECT_EQ(house.controller.relay(Relay::kGrid).hindrance, Hindrance::kImportExhausted);
}

TEST(EnergyDays, SwitchedOffItEndsAndSwitchedOnTheDayStillCounts) {
  ImportHouse house;
  house.exhaust();
  house.controller.reset_import_energy(house.now);
  EXPECT_TRUE(house.controller.is_import_exhausted()) << "a reset of the counter is no way around it";
  house.change({});
  house.run(32s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
  house.change(ImportHouse::settings());
  house.run(4s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed) << "the counter had been reset";
}

TEST(EnergyDays, TheResetTimeIsThatOfTheWallOnDaysWithTwentyFiveHours) {
  constexpr std::int64_t kAutumn = 1'792'890'000;  // 25 October 2026, 01:00 UTC: 03:00 becomes 02:00
  ImportHouse house;
  house.controller.handle_time(house.now, {kAutumn - 3 * 3600, 7200, OffsetChange{kAutumn, 3600}});
  house.grid = Watts{3600};
  house.run(2010s);
  ASSERT_TRUE(house.controller.is_import_exhausted());
  house.grid = Watts{0};
  const TimePoint five = TimePoint{100s} + 6h;  // midnight to 05:00 with the hour that is repeated
  house.run(five - house.now - 2s);
  EXPECT_EQ(house.grid_contact(), Position::kOpen);
  house.run(4s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
}

TEST(EnergyDays, AClockSetBackDoesNotEndADayTwice) {
  ImportHouse house;
  house.exhaust();
  house.tell_time(kFriday - 40 * 86'400 + 12 * 3600);
  house.run(60s);
  EXPECT_EQ(house.grid_contact(), Position::kOpen) << "the clock had been wrong: until the next 05:00";
  house.run(17h);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
}

// --- safety ---------------------------------------------------------------------------------------------

TEST(EnergyDays, AStaleBmsBringsTheSafePositionsAndSaysWhy) {
  House house{with({Mode::kSelfConsumption})};
  house.soc = BasisPoints{6000};
  house.run(60s);
  ASSERT_EQ(house.grid_contact(), Position::kOpen);
  house.is_bms_alive = false;
  house.run(10s);
  EXPECT_EQ(house.count(Event::Kind::kSafetyEntered), 0u);
  house.run(2s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
  EXPECT_EQ(house.contact_of(Relay::kPump), Position::kOpen);
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kOpen);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kClosed);
  EXPECT_EQ(house.controller.relay(Relay::kPump).reason, Reason::kBmsStale);
  house.is_bms_alive = true;
  house.run(8s);
  EXPECT_TRUE(house.controller.safety_causes().has_any()) << "held for a while";
  house.run(6s);
  EXPECT_FALSE(house.controller.safety_causes().has_any());
  EXPECT_EQ(house.count(Event::Kind::kSafetyEntered), 1u);
  EXPECT_EQ(house.count(Event::Kind::kSafetyLeft), 1u);
}

TEST(EnergyDays, TheMinimumSocIsStrongerThanPeople) {
  House house;
  house.run(60s);
  ASSERT_FALSE(house.controller.order(house.now, Relay::kGrid, Position::kOpen, 10h));
  house.run(60s);
  ASSERT_EQ(house.grid_contact(), Position::kOpen);
  house.soc = BasisPoints{500};
  house.run(4s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
  EXPECT_EQ(house.controller.relay(Relay::kGrid).holder, Holder::kMinimumSoc);
  EXPECT_FALSE(house.controller.inverter_request().may_discharge);
  house.soc = BasisPoints{799};
  house.run(60s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
  house.soc = BasisPoints{800};
  house.run(4s);
  EXPECT_EQ(house.grid_contact(), Position::kOpen) << "the order still lasts";
}

// --- orders ---------------------------------------------------------------------------------------------

TEST(EnergyDays, AnOrderSurvivesARestartWhenTheTimeIsKnown) {
  House house;
  house.tell_time(kFriday);
  house.run(120s);
  ASSERT_FALSE(house.controller.order(house.now, Relay::kPump, Position::kOpen, 1h));
  house.run(4s);
  ASSERT_TRUE(house.stored.orders[index_of(Relay::kPump)]);
  House restarted{{}, house.stored};
  restarted.run(120s);
  EXPECT_EQ(restarted.contact_of(Relay::kPump), Position::kClosed) << "nobody knows whether it has ended";
  restarted.tell_time(kFriday + 1800);
  EXPECT_EQ(restarted.contact_of(Relay::kPump), Position::kOpen);
  restarted.run(1800s + 122s);
  EXPECT_EQ(restarted.contact_of(Relay::kPump), Position::kClosed);
  House late{{}, house.stored};
  late.tell_time(kFriday + 7200);
  late.run(4s);
  EXPECT_EQ(late.contact_of(Relay::kPump), Position::kClosed);
}

TEST(EnergyDays, WritesOfOrdersAreMetered) {
  House house;
  house.tell_time(kFriday);
  house.run(4s);
  for (int i = 0; i < 300; ++i) {
    (void)house.controller.order(house.now, Relay::kPump, Position::kOpen, 1h);
    house.run(2s);
  }
  EXPECT_LE(house.writes, 11);
}

// --- any inputs -----------------------------------------------------------------------------------------

Inputs random_inputs(TimePoint now, Rng& rng) {
  Inputs in;
  const auto maybe = [&](auto& reading, std::int64_t low, std::int64_t high) {
    using Value = std::remove_cvref_t<decltype(reading->value)>;
    if (rng.chance(850'000)) {
      const bool is_wild = rng.chance(30'000);
      const std::int64_t number = is_wild ? static_cast<std::int32_t>(rng.next()) : rng.between(low, high);
      reading = {Value(number), now - std::chrono::milliseconds{rng.between(0, 7000)}};
    }
  };
  maybe(in.grid.power, -2000, 9000);
  maybe(in.inverter_output.current, 0, 40'000);
  maybe(in.load[0].power, 0, 2000);
  maybe(in.load[1].power, 0, 3000);
  maybe(in.pack_voltage, 46'000, 57'500);
  maybe(in.pack_current, -90'000, 90'000);
  maybe(in.soc, 0, 10'000);
  maybe(in.temperature_max, 100, 540);
  if (rng.chance(200'000)) {
    in.measured[rng.below(4)] = static_cast<Position>(rng.below(2));
  }
  in.bms_fault = Sampled<bool>{rng.chance(10'000), now};
  return in;
}

ModeSettings random_habits(Rng& rng) {
  ModeSettings settings;
  for (std::size_t i = 0; i < kModeCount; ++i) {
    settings.enabled.set(static_cast<Mode>(i), rng.chance(500'000));
  }
  settings.self_low = BasisPoints{rng.between(0, 5000)};
  settings.self_high = settings.self_low + BasisPoints{rng.between(1, 5000)};
  settings.eco_limit = Watts{rng.between(100, 6000)};
  settings.eco_falls_back = rng.chance(500'000);
  settings.windows.count = static_cast<std::uint8_t>(rng.below(3));
  for (Window& window : settings.windows.window) {
    window = {static_cast<std::uint16_t>(rng.below(1440)), static_cast<std::uint16_t>(rng.below(1440)), 0x7F};
  }
  settings.import_limit = WattHours{2000};
  return settings;
}

TEST(EnergyDays, RandomDaysNeverCloseTheGridWhileTheLimitIsExhausted) {
  std::uint64_t exhausted_steps = 0;
  for (std::uint64_t seed = 1; seed <= contract::repetitions(20u); ++seed) {
    Rng rng{seed};
    Controller controller{{}, random_habits(rng)};
    TimePoint now{1s};
    PerRelay<std::optional<Position>> commanded{};
    for (int step = 0; step < 20'000; ++step) {
      now += std::chrono::milliseconds{rng.between(1, 4000)};
      if (rng.chance(1000)) {
        controller.handle_time(now, {kFriday + rng.between(0, 20 * 86'400), 3600, std::nullopt});
      } else if (rng.chance(1000)) {
        (void)controller.set_settings(now, random_habits(rng));
      } else if (rng.chance(5000)) {
        (void)controller.order(now, relay_at(rng.below(4)), static_cast<Position>(rng.below(2)), 1h);
      } else {
        controller.handle_inputs(now, random_inputs(now, rng));
      }
      while (const auto command = controller.poll_transmit(now)) {
        if (const auto* relay = std::get_if<RelayCommand>(&*command)) {
          ASSERT_EQ(relay->position, controller.relay(relay->relay).commanded);
          commanded[index_of(relay->relay)] = relay->position;
        }
      }
      if (controller.is_import_exhausted()) {
        ++exhausted_steps;
        ASSERT_EQ(commanded[0], Position::kOpen) << "seed " << seed << ", step " << step;
      }
      for (std::size_t i = 0; i < kRelayCount; ++i) {
        ASSERT_EQ(commanded[i], controller.relay(relay_at(i)).commanded) << "a switch was not commanded";
      }
    }
  }
  EXPECT_GT(exhausted_steps, contract::repetitions(5'000u));
}

}  // namespace
}  // namespace amphora::energy
