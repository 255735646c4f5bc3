// SPDX-License-Identifier: Apache-2.0
// A house for days to years: sun, loads, battery, inverter and grid as coarse models, and the real energy
// controller that works the relays between them.
//
// Time goes in equal steps of one control cycle. In each step the models move power for that long with the
// contacts as they are; then the controller gets what was measured, says what it wants, and its commands move
// the contacts for the next step. The buses between them are modelled by nothing but this delay of one step:
// what fieldbus, radio and CAN do is the business of the other worlds. A write to the store is durable one
// step later; power that goes in between loses it or not.
//
// Every boot starts the controller's clock anew. The date comes hourly from `time_known_after` on.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "sim/checkers/energy_checker.hpp"
#include "sim/checkers/relay_checker.hpp"
#include "sim/scenarios/house_plan.hpp"
#include "sim/world/histogram.hpp"
#include "sim/world/recorder.hpp"

namespace amphora::sim {

struct HouseFigures {
  EnergyTotals energy;
  std::int64_t import_cost = 0;      // 1e-10 of the currency
  std::int64_t export_income = 0;    // likewise
  std::int64_t switched_off_uj = 0;  // wanted behind open contacts and not caught up later
  std::int64_t car_missed_mj = 0;
  energy::PerRelay<std::uint64_t> switches{};
  std::int64_t error_ppm_max = 0;
  std::uint64_t state_writes = 0;
  Histogram time_to_limit_min;  // from the reset to the exhausted limit
  std::array<std::uint64_t, static_cast<std::size_t>(energy::Warning::kCount)> warnings{};
  std::uint64_t trips = 0;
  std::uint64_t orders_refused = 0;
  std::uint64_t evaluations = 0;
  Duration virtual_time{};

  void merge(const HouseFigures& other);
};

class HouseWorld {
 public:
  explicit HouseWorld(const HousePlan& plan);
  void run();

  TimePoint now() const { return now_; }
  HouseFigures figures() const;
  const Recorder& recorder() const { return recorder_; }
  const ViolationLog& violations() const { return violations_; }
  // Of the controller that runs now; null while it has no power.
  const energy::Controller* controller() const { return controller_ ? &*controller_ : nullptr; }
  energy::Position contact(energy::Relay relay) const { return contacts_[energy::index_of(relay)]; }
  const HouseBattery& battery() const { return battery_; }
  std::int64_t local_s() const { return unix_s_ + offset_s_; }
  // One step; false at the end of the plan.
  bool step();

 private:
  void advance_date();
  void update_faults();
  bool has(HouseFaultKind kind) const { return active_[static_cast<std::size_t>(kind)]; }
  void boot();
  void power_off();
  void move_power();
  void account_cost();
  energy::Inputs measure();
  void control();
  void tell_time(TimePoint local);
  void apply_plan(TimePoint local);
  void take_commands(TimePoint local);
  void take_events();
  void take_store(TimePoint local);
  void sabotage_contacts();
  RelayTruth truth() const;
  void check();

  // Uptime of the controller.
  TimePoint uptime() const { return TimePoint{now_ - booted_at_}; }
  bool is_closed(energy::Relay relay) const { return contact(relay) == energy::Position::kClosed; }

  HousePlan plan_;
  std::int64_t step_ms_;
  Rng rng_;
  SunModel sun_;
  HouseLoads loads_;
  HouseBattery battery_;
  HybridInverter inverter_;
  PowerGrid grid_;

  TimePoint now_{};
  std::int64_t unix_s_ = 0;
  std::int32_t offset_s_ = 0;
  ZoneChange next_change_;

  std::array<bool, static_cast<std::size_t>(HouseFaultKind::kCount)> active_{};
  std::size_t next_fault_ = 0;
  std::size_t next_order_ = 0;
  std::size_t next_settings_ = 0;
  std::vector<HouseFault> running_faults_;
  TimePoint fault_due_{};

  std::optional<energy::Controller> controller_;
  TimePoint booted_at_{};
  TimePoint next_time_at_{};  // world time at which the date is told again
  bool knows_time_ = false;
  energy::ModeSettings settings_;  // in force; durable by another machine
  energy::Inputs inputs_;
  TimePoint bms_heard_at_{};  // world time
  energy::PerRelay<energy::Position> contacts_{};
  energy::InverterRequest request_;
  energy::PerRelay<std::optional<TimePoint>> order_ends_at_{};
  energy::PerRelay<energy::Position> order_position_{};
  energy::PerRelay<bool> order_needs_date_{};  // restored from the store

  energy::Facts durable_;
  std::optional<energy::StoreRequest> writing_;

  PerCircuit<std::int64_t> circuit_mw_{};
  HybridFlows flows_;
  std::int64_t hour_import_uj_ = 0;
  std::int64_t hour_export_uj_ = 0;
  std::int64_t hour_ = -1;
  std::int64_t hour_price_ = 0;
  std::int64_t limit_day_ = -1;
  TimePoint day_began_{};

  Recorder recorder_;
  ViolationLog violations_;
  EnergyChecker energy_checker_;
  RelayChecker relay_checker_;
  FactsChecker facts_checker_;
  HouseFigures figures_;
};

}  // namespace amphora::sim
