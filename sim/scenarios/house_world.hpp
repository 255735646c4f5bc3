// SPDX-License-Identifier: Apache-2.0
// A house for days to years: sun, loads, battery, inverter and grid as coarse models, and the real energy
// controller that works the relays between them.
//
// Time goes in equal steps of one control cycle. In each step the models move power for that long with the
// contacts as they are; then the controller gets what was measured, says what it wants, and its commands move
// the contacts for the next step. The buses between them are modelled by nothing but this delay of one step:
// what fieldbus, radio and CAN do is the business of the other worlds. Facts go into a FlashStore, which is
// slow enough to be met by power cuts; what a boot reads there is all the controller knows.
//
// Every boot starts the controller's clock anew. The date comes hourly from `time_known_after` on, and at
// once when it becomes wrong or right.
//
// house_world.cpp holds the physics and what is checked, house_host.cpp what surrounds the controller.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "sim/checkers/energy_checker.hpp"
#include "sim/checkers/relay_checker.hpp"
#include "sim/checkers/store_checker.hpp"
#include "sim/models/flash_store.hpp"
#include "sim/models/house_plant.hpp"
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
  std::uint64_t boots = 0;
  // What boots found after a cut in a write: the value before it, or the one that was being written.
  std::uint64_t found_old = 0;
  std::uint64_t found_new = 0;
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
  const HouseBattery& battery() const { return plant_.battery(); }
  std::int64_t local_s() const { return unix_s_ + offset_s_; }
  // To the store, by now.
  std::uint64_t write_count() const { return store_.statistics().writes; }
  // One step; false at the end of the plan.
  bool step();

 private:
  void advance_date();
  void update_faults();
  bool has(HouseFaultKind kind) const { return active_[static_cast<std::size_t>(kind)]; }
  void move_power();
  void account_cost();
  RelayTruth truth() const;
  void check();

  // house_host.cpp
  void update_power();
  void boot();
  void read_facts();
  void restore_orders();
  void power_off();
  energy::Inputs measure();
  void control();
  void tell_time(TimePoint local);
  void apply_plan(TimePoint local);
  void take_commands(TimePoint local);
  void take_events();
  void work_contacts();
  void take_durable(TimePoint local);
  void take_store(TimePoint local);
  void cut_power_at_write();
  void sabotage_contacts();
  // The date on the wall as the controller was told it.
  std::int64_t told_local_s() const;

  // Uptime of the controller.
  TimePoint uptime() const { return TimePoint{now_ - booted_at_}; }
  bool is_closed(energy::Relay relay) const { return contact(relay) == energy::Position::kClosed; }

  HousePlan plan_;
  std::int64_t step_ms_;
  Rng rng_;
  Rng sun_rng_;  // forked before that of the loads
  HousePlant plant_;
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
  std::int64_t clock_error_s_ = 0;  // of whoever tells the date
  std::uint32_t stuck_ = 0;         // bit for each relay
  std::uint32_t cut_lasts_s_ = 0;   // of the power cut that is in force
  bool is_cut_done_ = false;

  std::optional<energy::Controller> controller_;
  TimePoint off_until_{};  // after a cut at a write
  TimePoint booted_at_{};
  TimePoint next_time_at_{};  // world time at which the date is told again
  bool knows_time_ = false;
  std::int64_t told_error_s_ = 0;  // of the date as the controller has it
  TimePoint doubtful_until_{};     // what it counts in a day may span a wrong one
  energy::ModeSettings settings_;  // in force; durable by another machine
  energy::Inputs inputs_;
  TimePoint bms_heard_at_{};  // world time
  energy::PerRelay<energy::Position> contacts_{};
  energy::PerRelay<energy::Position> commanded_{};
  energy::InverterRequest request_;
  energy::PerRelay<std::optional<TimePoint>> order_ends_at_{};
  energy::PerRelay<energy::Position> order_position_{};
  energy::PerRelay<bool> order_needs_date_{};  // restored from the store

  FlashStore store_;
  energy::Facts durable_;                        // as the store has it, as far as the host knows
  std::optional<energy::StoreRequest> writing_;  // handed to the store
  bool is_write_refused_ = false;
  std::optional<energy::Facts> met_by_cut_;  // was being written when the power went

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
  StoreChecker store_checker_;
  HouseFigures figures_;
};

}  // namespace amphora::sim
