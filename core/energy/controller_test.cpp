// SPDX-License-Identifier: Apache-2.0
#include "core/energy/controller.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/rng.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::energy {
namespace {

using namespace std::chrono_literals;

// Friday, 27 March 2026, 00:00 UTC.
constexpr std::int64_t kMidnight = 1'774'569'600;

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

TEST(EnergyController, NothingIsCommandedBeforeTheFirstInputs) {
  Controller controller{{}, {}};
  TimePoint now{1s};
  controller.handle_timeout(now);
  EXPECT_FALSE(controller.poll_transmit(now));
  EXPECT_EQ(controller.poll_timeout(), now + Controller::kCycle);
  controller.handle_timeout(now + 10s);
  EXPECT_FALSE(controller.poll_transmit(now + 10s));
  now += 12s;
  controller.handle_timeout(now);
  EXPECT_TRUE(controller.safety_causes().has(SafetyCause::kBmsStale));
  EXPECT_EQ(controller.poll_transmit(now), (Command{RelayCommand{Relay::kGrid, Position::kClosed}}));
}

TEST(EnergyController, EveryCycleCommandsEverythingAgain) {
  House house;
  house.run(10s);
  // Four relays and the inverter in each of five cycles.
  EXPECT_EQ(house.commands.size(), 25u);
  for (const Relay relay : {Relay::kGrid, Relay::kInverterOutput, Relay::kPump, Relay::kHeater}) {
    EXPECT_EQ(house.contact_of(relay), Position::kClosed);
  }
  EXPECT_EQ(house.count(Event::Kind::kSwitched), 4u);
}

TEST(EnergyController, InputsBetweenCyclesCommandOnlyWhatChanges) {
  House house;
  house.run(60s);
  house.commands.clear();
  house.now += 1s;
  house.controller.handle_inputs(house.now, house.inputs());
  house.drain();
  EXPECT_TRUE(house.commands.empty());
  house.has_fault = true;
  house.controller.handle_inputs(house.now, house.inputs());
  house.drain();
  EXPECT_EQ(house.commands, (std::vector<Command>{RelayCommand{Relay::kPump, Position::kOpen},
                                                  RelayCommand{Relay::kHeater, Position::kOpen}}));
}

TEST(EnergyController, SelfConsumptionClosesLowOpensHighAndHoldsBetween) {
  House house{with({Mode::kSelfConsumption})};
  house.soc = BasisPoints{3000};
  house.run(60s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed) << "between, at the start: as it is";
  EXPECT_EQ(house.controller.relay(Relay::kGrid).reason, Reason::kSocBetween);
  house.soc = BasisPoints{5000};
  house.run(4s);
  EXPECT_EQ(house.grid_contact(), Position::kOpen);
  EXPECT_EQ(house.controller.relay(Relay::kGrid).reason, Reason::kSocHigh);
  house.soc = BasisPoints{1001};
  house.run(60s);
  EXPECT_EQ(house.grid_contact(), Position::kOpen);
  house.soc = BasisPoints{1000};
  house.run(4s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
  EXPECT_EQ(house.controller.relay(Relay::kGrid).holder, Holder::kSelfConsumption);
  house.soc = BasisPoints{4999};
  house.run(60s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
}

TEST(EnergyController, BackupComesBeforeSelfConsumption) {
  House house{with({Mode::kSelfConsumption, Mode::kBackup})};
  house.soc = BasisPoints{9000};
  house.run(60s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
  EXPECT_EQ(house.controller.relay(Relay::kGrid).holder, Holder::kBackup);
}

TEST(EnergyController, TimeOfUseFollowsItsWindowsAndIsClosedWithoutTime) {
  ModeSettings settings = with({Mode::kTimeOfUse});
  settings.windows.count = 2;
  settings.windows.window[0] = {22 * 60, 6 * 60};
  settings.windows.window[1] = {12 * 60, 13 * 60};
  House house{settings};
  house.run(60s);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kClosed);
  EXPECT_EQ(house.controller.relay(Relay::kInverterOutput).reason, Reason::kTimeUnknown);
  EXPECT_TRUE(house.controller.warnings().has(Warning::kTimeUnknown));
  house.tell_time(kMidnight + 11 * 3600);
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

TEST(EnergyController, ATimeThatCannotBeRightIsRefusedAndTold) {
  House house;
  house.run(4s);
  house.tell_time(0);
  EXPECT_FALSE(house.controller.clock().is_known());
  EXPECT_EQ(house.controller.refused_time_count(), 1u);
  EXPECT_EQ(house.count(Event::Kind::kTimeRefused), 1u);
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

TEST(EnergyController, EcoShedsInOrderUntilWithinTheLimit) {
  EcoHouse house;
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kClosed) << "5000 W is the limit, not over it";
  house.base = Watts{1000};
  house.run(4s);
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kOpen);
  EXPECT_EQ(house.controller.relay(Relay::kHeater).holder, Holder::kEco);
  house.run(60s);
  EXPECT_EQ(house.contact_of(Relay::kPump), Position::kClosed) << "the heater was enough";
  house.base = Watts{4000};
  house.run(4s);
  EXPECT_EQ(house.contact_of(Relay::kPump), Position::kOpen);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kClosed);
  EXPECT_FALSE(house.controller.warnings().has_any());
}

TEST(EnergyController, EcoRestoresInReverseAndOnlyWhatFits) {
  EcoHouse house;
  house.base = Watts{4000};
  house.run(30s);
  ASSERT_EQ(house.contact_of(Relay::kPump), Position::kOpen);
  house.base = Watts{3260};  // the pump's 1500 W would make 4760 W, over 95 %
  house.run(10min);
  EXPECT_EQ(house.contact_of(Relay::kPump), Position::kOpen);
  house.base = Watts{3250};
  house.run(60s);
  EXPECT_EQ(house.contact_of(Relay::kPump), Position::kClosed);
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kOpen);
  house.base = Watts{200};
  house.run(2min);
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kClosed);
}

TEST(EnergyController, EcoDoesNotFlapAroundItsLimit) {
  EcoHouse house;
  house.base = Watts{700};
  house.run(6h);
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kOpen);
  EXPECT_EQ(house.controller.relay(Relay::kHeater).switches_last_hour, 0);
}

TEST(EnergyController, EcoWarnsWhenAllIsShedAndStillTooMuch) {
  EcoHouse house;
  house.base = Watts{9000};
  house.load[0] = Watts{10};
  house.load[1] = Watts{10};
  ModeSettings settings = EcoHouse::settings(false);
  settings.eco_order.count = 2;  // the inverter output stays
  house.change(settings);
  house.run(60s);
  EXPECT_EQ(house.contact_of(Relay::kPump), Position::kOpen);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kClosed);
  EXPECT_TRUE(house.controller.warnings().has(Warning::kLoadsLimit));
  EXPECT_FALSE(house.controller.warnings().has(Warning::kOverEcoLimit));
  house.run(62s);
  EXPECT_TRUE(house.controller.warnings().has(Warning::kOverEcoLimit));
  house.run(1h);
  EXPECT_FALSE(house.controller.running().has(Mode::kSelfConsumption)) << "only if so chosen";
  house.base = Watts{100};
  house.run(4s);
  EXPECT_FALSE(house.controller.warnings().has_any());
}

TEST(EnergyController, EcoFallsBackToSelfConsumptionAndThatSurvivesARestart) {
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
    tell_time(kMidnight + 20 * 3600);
    grid = Watts{3600};
    run(2010s);
    ASSERT_TRUE(controller.is_import_exhausted());
    grid = Watts{0};
  }
};

TEST(EnergyController, TheImportLimitOpensTheGridUntilFive) {
  ImportHouse house;
  house.tell_time(kMidnight + 20 * 3600);
  house.grid = Watts{3600};
  house.run(1990s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
  EXPECT_GE(house.controller.import_counted(), WattHours{1980});
  house.run(20s);
  EXPECT_EQ(house.grid_contact(), Position::kOpen);
  EXPECT_EQ(house.controller.relay(Relay::kGrid).holder, Holder::kImportLimit);
  EXPECT_EQ(house.controller.import_exhausted_until_unix_s(house.now), kMidnight + 29 * 3600);
  EXPECT_TRUE(house.stored.import_exhausted);
  house.grid = Watts{0};
  house.run(9h - 2012s);
  EXPECT_EQ(house.grid_contact(), Position::kOpen);
  house.run(8s);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
  EXPECT_EQ(house.controller.import_counted(), WattHours{0});
  EXPECT_FALSE(house.stored.import_exhausted);
  EXPECT_EQ(house.writes, 2);
  EXPECT_EQ(house.count(Event::Kind::kImportExhausted), 1u);
  EXPECT_EQ(house.count(Event::Kind::kImportReleased), 1u);
}

TEST(EnergyController, ARestartDoesNotOpenTheTapAgain) {
  ImportHouse house;
  house.exhaust();
  // At once after the restart, without inputs and without time.
  ImportHouse restarted{house.stored};
  restarted.controller.handle_timeout(restarted.now);
  restarted.drain();
  EXPECT_EQ(restarted.grid_contact(), Position::kOpen);
  restarted.run(3h);
  EXPECT_EQ(restarted.grid_contact(), Position::kOpen) << "time unknown";
  restarted.tell_time(kMidnight + 28 * 3600);
  EXPECT_EQ(restarted.grid_contact(), Position::kOpen) << "04:00";
  restarted.run(1h + 2s);
  EXPECT_EQ(restarted.grid_contact(), Position::kClosed);
  ImportHouse late{house.stored};
  late.tell_time(kMidnight + 30 * 3600);
  late.run(32s);
  EXPECT_EQ(late.grid_contact(), Position::kClosed) << "05:00 passed while it was off";
}

TEST(EnergyController, WithoutClockAnExhaustedDayEndsAfterTwentyFourHours) {
  ImportHouse house;
  house.grid = Watts{3600};
  house.run(2010s);
  EXPECT_EQ(house.grid_contact(), Position::kOpen);
  EXPECT_EQ(house.stored.import_exhausted, ImportExhausted{}) << "exhausted, in a day that nobody knows";
  house.grid = Watts{0};
  house.run(23h);
  EXPECT_EQ(house.grid_contact(), Position::kOpen);
  house.run(1h);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
}

TEST(EnergyController, SafetyBackupAndPeopleDoNotCloseTheGridAgainstIt) {
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

TEST(EnergyController, SwitchedOffItEndsAndSwitchedOnTheDayStillCounts) {
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

TEST(EnergyController, ExportDoesNotGiveImportBack) {
  ImportHouse house;
  house.grid = Watts{3600};
  house.run(1000s);
  const WattHours counted = house.controller.import_counted();
  house.grid = Watts{-5000};
  house.run(1000s);
  EXPECT_GE(house.controller.import_counted(), counted);
  house.is_grid_measured = false;
  house.run(20s);
  EXPECT_TRUE(house.controller.warnings().has(Warning::kImportUnmeasured));
}

TEST(EnergyController, TheResetTimeIsThatOfTheWallOnDaysWithTwentyFiveHours) {
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

TEST(EnergyController, AClockSetBackDoesNotEndADayTwice) {
  ImportHouse house;
  house.exhaust();
  house.tell_time(kMidnight - 40 * 86'400 + 12 * 3600);
  house.run(60s);
  EXPECT_EQ(house.grid_contact(), Position::kOpen) << "the clock had been wrong: until the next 05:00";
  house.run(17h);
  EXPECT_EQ(house.grid_contact(), Position::kClosed);
}

TEST(EnergyController, AFailedStoreIsTriedAgain) {
  ImportHouse house;
  house.is_store_failing = true;
  house.exhaust();
  EXPECT_EQ(house.grid_contact(), Position::kOpen) << "the relay does not wait for the disk";
  house.run(30s);
  EXPECT_GE(house.writes, 2);
  EXPECT_LE(house.writes, 6);
  house.is_store_failing = false;
  house.run(12s);
  EXPECT_TRUE(house.stored.import_exhausted);
  EXPECT_EQ(house.controller.store_count(), 1u);
}

// --- safety ---------------------------------------------------------------------------------------------

TEST(EnergyController, AStaleBmsBringsTheSafePositionsAndSaysWhy) {
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

TEST(EnergyController, OverVoltageAndHeatForbidCharging) {
  House house;
  house.run(60s);
  house.voltage = Millivolts{58'401};
  house.step();
  EXPECT_EQ(house.controller.inverter_request(), (InverterRequest{false, true}));
  EXPECT_EQ(house.controller.relay(Relay::kHeater).reason, Reason::kOverVoltage);
  house.voltage = Millivolts{58'000};
  house.run(60s);
  EXPECT_FALSE(house.controller.inverter_request().may_charge) << "within the hysteresis";
  house.voltage = Millivolts{57'600};
  house.run(14s);
  EXPECT_TRUE(house.controller.inverter_request().may_charge);
  house.temperature = Decicelsius{551};
  house.step();
  EXPECT_FALSE(house.controller.inverter_request().may_charge);
  EXPECT_TRUE(house.controller.safety_causes().has(SafetyCause::kOverTemperature));
}

TEST(EnergyController, UnderVoltageForbidsDischarging) {
  House house;
  house.run(60s);
  house.voltage = Millivolts{44'799};
  house.step();
  EXPECT_EQ(house.controller.inverter_request(), (InverterRequest{true, false}));
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kOpen);
}

TEST(EnergyController, TheMinimumSocIsStrongerThanPeople) {
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

TEST(EnergyController, AtTheMinimumWithoutGridTheHouseWaits) {
  ImportHouse house;
  house.exhaust();
  house.soc = BasisPoints{400};
  house.run(60s);
  EXPECT_EQ(house.grid_contact(), Position::kOpen);
  EXPECT_EQ(house.contact_of(Relay::kInverterOutput), Position::kOpen);
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kOpen);
}

// --- orders ---------------------------------------------------------------------------------------------

TEST(EnergyController, AnOrderEndsByItself) {
  House house;
  house.run(120s);
  ASSERT_FALSE(house.controller.order(house.now, Relay::kHeater, Position::kOpen, 10min));
  house.drain();
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kOpen);
  EXPECT_EQ(house.controller.order_left(house.now, Relay::kHeater), 10min);
  house.run(10min - 2s);
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kOpen);
  house.run(2s);
  EXPECT_EQ(house.contact_of(Relay::kHeater), Position::kClosed);
  EXPECT_EQ(house.count(Event::Kind::kOrderEnded), 1u);
}

TEST(EnergyController, OrdersThatCannotBeAreRefusedAndChangeNothing) {
  House house{with({Mode::kBackup})};
  house.run(60s);
  EXPECT_EQ(house.controller.order(house.now, Relay::kLoad6, Position::kOpen, 1h), OrderError::kNotFitted);
  EXPECT_EQ(house.controller.order(house.now, Relay::kPump, Position::kOpen, 0s), OrderError::kBadDuration);
  EXPECT_EQ(house.controller.order(house.now, Relay::kPump, Position::kOpen, 24h * 8),
            OrderError::kBadDuration);
  EXPECT_EQ(house.controller.order(house.now, Relay::kGrid, Position::kOpen, 1h), OrderError::kHeldByMode);
  house.run(4s);
  EXPECT_EQ(house.contact_of(Relay::kPump), Position::kClosed);
  EXPECT_EQ(house.controller.facts(), Facts{});
}

TEST(EnergyController, AnOrderSurvivesARestartWhenTheTimeIsKnown) {
  House house;
  house.tell_time(kMidnight);
  house.run(120s);
  ASSERT_FALSE(house.controller.order(house.now, Relay::kPump, Position::kOpen, 1h));
  house.run(4s);
  ASSERT_TRUE(house.stored.orders[index_of(Relay::kPump)]);
  House restarted{{}, house.stored};
  restarted.run(120s);
  EXPECT_EQ(restarted.contact_of(Relay::kPump), Position::kClosed) << "nobody knows whether it has ended";
  restarted.tell_time(kMidnight + 1800);
  EXPECT_EQ(restarted.contact_of(Relay::kPump), Position::kOpen);
  restarted.run(1800s + 122s);
  EXPECT_EQ(restarted.contact_of(Relay::kPump), Position::kClosed);
  House late{{}, house.stored};
  late.tell_time(kMidnight + 7200);
  late.run(4s);
  EXPECT_EQ(late.contact_of(Relay::kPump), Position::kClosed);
}

TEST(EnergyController, WritesOfOrdersAreMetered) {
  House house;
  house.tell_time(kMidnight);
  house.run(4s);
  for (int i = 0; i < 300; ++i) {
    (void)house.controller.order(house.now, Relay::kPump, Position::kOpen, 1h);
    house.run(2s);
  }
  EXPECT_LE(house.writes, 11);
}

TEST(EnergyController, SettingsAreTakenWholeOrNotAtAll) {
  House house{with({Mode::kBackup})};
  ModeSettings bad = with({Mode::kEco});
  bad.import_limit = WattHours{1999};
  EXPECT_EQ(house.controller.set_settings(house.now, bad)->field, "import_limit");
  EXPECT_EQ(house.controller.settings(), with({Mode::kBackup}));
  bad = {};
  bad.self_high = bad.self_low;
  EXPECT_EQ(check_settings(bad)->field, "self_high");
  bad = {};
  bad.eco_order.relay[1] = Relay::kHeater;
  EXPECT_EQ(check_settings(bad)->field, "eco_order");
  bad = {};
  bad.eco_order.relay[0] = Relay::kGrid;
  EXPECT_EQ(check_settings(bad)->field, "eco_order");
  bad = {};
  bad.windows.count = 9;
  EXPECT_EQ(check_settings(bad)->field, "windows");
  bad.windows.count = 1;
  bad.windows.window[0].end_minute = 1440;
  EXPECT_EQ(check_settings(bad)->field, "windows");
  bad = {};
  bad.soc_minimum_release = bad.soc_minimum;
  EXPECT_EQ(check_settings(bad)->field, "soc_minimum_release");
  ControllerConfig config;
  EXPECT_FALSE(check_config(config));
  config.relays[0].switches_per_hour = 3;
  EXPECT_EQ(check_config(config)->field, "switches_per_hour");
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

ModeSettings random_settings(Rng& rng) {
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

struct ContractAdapter {
  using Machine = Controller;
  static Controller make(std::uint64_t seed) {
    Rng rng{seed};
    Facts facts;
    if (seed % 2 == 0) {
      facts.import_exhausted = ImportExhausted{20'539};
      facts.orders[3] = StoredOrder{Position::kOpen, kMidnight + 600};
    }
    return Controller{{}, random_settings(rng), facts};
  }
  static void feed(Controller& controller, TimePoint now, Rng& rng) {
    switch (rng.below(12)) {
      case 0:
        controller.handle_time(now, {kMidnight + rng.between(-90'000, 90'000), 3600, std::nullopt});
        return;
      case 1:
        (void)controller.set_settings(now, random_settings(rng));
        return;
      case 2:
        (void)controller.order(now, relay_at(rng.below(kRelayCount)), static_cast<Position>(rng.below(2)),
                               std::chrono::seconds{rng.between(0, 100)});
        return;
      case 3:
        controller.release(now, relay_at(rng.below(kRelayCount)));
        return;
      case 4:
        controller.reset_import_energy(now);
        return;
      case 5:
        controller.handle_stored(now, rng.below(20));
        return;
      case 6:
        controller.handle_store_failed(now, rng.below(20));
        return;
      default:
        controller.handle_inputs(now, random_inputs(now, rng));
        return;
    }
  }
  static bool drain_one(Controller& controller, TimePoint now, Digest& digest) {
    if (const auto command = controller.poll_transmit(now)) {
      if (const auto* relay = std::get_if<RelayCommand>(&*command)) {
        digest.add_number(static_cast<std::int64_t>(relay->relay) * 2 +
                          static_cast<std::int64_t>(relay->position));
      } else {
        digest.add_number(100 + (controller.inverter_request().may_charge ? 1 : 0));
      }
      return true;
    }
    if (const auto event = controller.poll_event()) {
      digest.add_number(static_cast<std::int64_t>(event->kind));
      digest.add_number(event->at.time_since_epoch().count());
      return true;
    }
    if (const auto request = controller.poll_store(now)) {
      digest.add_number(request->ticket);
      return true;
    }
    return false;
  }
};

TEST(EnergyController, KeepsTheContractOfMachines) {
  contract::check_machine_contract<ContractAdapter>();
}

TEST(EnergyController, RandomDaysNeverCloseTheGridWhileTheLimitIsExhausted) {
  std::uint64_t exhausted_steps = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng{seed};
    Controller controller{{}, random_settings(rng)};
    TimePoint now{1s};
    PerRelay<std::optional<Position>> commanded{};
    for (int step = 0; step < 20'000; ++step) {
      now += std::chrono::milliseconds{rng.between(1, 4000)};
      if (rng.chance(1000)) {
        controller.handle_time(now, {kMidnight + rng.between(0, 20 * 86'400), 3600, std::nullopt});
      } else if (rng.chance(1000)) {
        (void)controller.set_settings(now, random_settings(rng));
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
  EXPECT_GT(exhausted_steps, 5'000u);
}

}  // namespace
}  // namespace amphora::energy
