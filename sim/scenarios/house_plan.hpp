// SPDX-License-Identifier: Apache-2.0
// Everything that decides one run in the house's world: a plan and its seed give one run.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/energy/controller.hpp"
#include "sim/models/house.hpp"
#include "sim/models/house_battery.hpp"
#include "sim/models/hybrid_inverter.hpp"
#include "sim/models/power_grid.hpp"
#include "sim/world/fault_schedule.hpp"

namespace amphora::sim {

enum class HouseFaultKind : std::uint8_t {
  kBmsSilent,
  kBmsFault,       // the BMS reports one
  kHot,            // the battery is at 60 degrees
  kMeterLost,      // nothing is heard from the grid's meter
  kControllerOff,  // the controller has no power; contacts stay as they are; it boots at the end
  kStoreFails,     // writes are refused
  kGridOutage,
  kClockWrong,  // parameter: by how many seconds the date is ahead, as a signed number
  kStuckRelay,  // parameter: relay; its contact stays where it is
  kPowerCut,    // parameter: seconds; the power goes at the first write to the store, once, for that long
  kCount
};
constexpr std::string_view to_text(HouseFaultKind kind) {
  constexpr std::string_view kNames[] = {"bms_silent",     "bms_fault",   "hot",         "meter_lost",
                                         "controller_off", "store_fails", "grid_outage", "clock_wrong",
                                         "stuck_relay",    "power_cut"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(HouseFaultKind::kCount));
  return kNames[static_cast<std::size_t>(kind)];
}

using HouseFault = Fault<HouseFaultKind>;

// What becomes of the write that a power cut meets.
enum class WriteFate : std::uint8_t { kLost, kTorn, kDone };

// The power goes at one write to the store, counted from 1, for some time.
struct StoreCut {
  std::uint64_t at_write = 0;
  WriteFate fate = WriteFate::kLost;
  Duration off = std::chrono::seconds{30};
};

struct HouseOrder {
  TimePoint at{};
  energy::Relay relay = energy::Relay::kPump;
  energy::Position position = energy::Position::kOpen;
  Duration lasts{};
};

struct HouseSettingsChange {
  TimePoint at{};
  energy::ModeSettings settings;
};

// Breaks a promise on purpose, to show that the checkers bite.
enum class HouseSabotage : std::uint8_t {
  kNone,
  kClosesExhausted,  // the adapter closes the grid whatever it is told
  kChatters,         // the adapter works the pump's contact in every step
  kIgnoresOpen,      // the adapter never opens the heater
  kLeaksEnergy,      // a fiftieth of what is charged vanishes
  kWritesAlways,     // the host writes facts that have not changed
  kForgetsFacts,     // nothing stored survives a boot
  kDamagesStore,     // a torn write takes the older record with it
  kCount
};
constexpr std::string_view to_text(HouseSabotage sabotage) {
  constexpr std::string_view kNames[] = {"none",          "closes_exhausted", "chatters",
                                         "ignores_open",  "leaks_energy",     "writes_always",
                                         "forgets_facts", "damages_store"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(HouseSabotage::kCount));
  return kNames[static_cast<std::size_t>(sabotage)];
}

// The pump, the water heater and, as the third load, the car are fitted.
constexpr energy::ControllerConfig house_controller_config() {
  energy::ControllerConfig config;
  config.relays[energy::index_of(energy::Relay::kLoad3)].is_fitted = true;
  config.relays[energy::index_of(energy::Relay::kLoad3)].rated = Watts{3'600};
  config.balance.ac_nominal = Millivolts{230'000};
  return config;
}

struct HousePlan {
  std::uint64_t seed = 1;
  Duration duration{};
  // Of models and sensors. At least the controller's cycle would be pointless; at most its sensors' age.
  Duration step = energy::Controller::kCycle;
  std::int64_t start_unix_s = 1'767'225'600;  // 2026-01-01T00:00:00Z
  SunConfig sun;
  LoadConfig loads;
  HouseBatteryConfig battery;
  HybridConfig inverter;
  Tariff tariff;
  energy::ControllerConfig controller = house_controller_config();
  energy::ModeSettings settings;
  Duration time_known_after{};  // after each boot; hourly from then on
  std::vector<Outage> outages;
  std::vector<HouseFault> faults;  // in the order of their beginnings
  std::vector<HouseOrder> orders;  // in the order of their times
  std::vector<HouseSettingsChange> changes;
  std::optional<StoreCut> cut;
  HouseSabotage sabotage = HouseSabotage::kNone;
};

}  // namespace amphora::sim
