// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/house_world.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "sim/scenarios/facts_record.hpp"

namespace amphora::sim {

using energy::Position;
using energy::Relay;
using std::chrono::seconds;

namespace {

constexpr std::int64_t kMicrojoulesPerMilliwattHour = 3'600'000;

// Slow enough that a step of two seconds often ends before a write does.
constexpr Duration kWriteMax = seconds{3};

FlashStoreConfig store_config(const HousePlan& plan) {
  FlashStoreConfig config;
  config.key_count_max = 1;
  config.value_size_max = kFactsRecordSize;
  config.write_max = kWriteMax;
  config.damages_neighbour_ppm = plan.sabotage == HouseSabotage::kDamagesStore ? 1'000'000 : 0;
  if (plan.cut) {
    config.lost_ppm = plan.cut->fate == WriteFate::kLost ? 1'000'000 : 0;
    config.torn_ppm = plan.cut->fate == WriteFate::kTorn ? 1'000'000 : 0;
  }
  return config;
}

}  // namespace

void HouseFigures::merge(const HouseFigures& other) {
  energy.sun_uj += other.energy.sun_uj;
  energy.import_uj += other.energy.import_uj;
  energy.discharged_uj += other.energy.discharged_uj;
  energy.load_uj += other.energy.load_uj;
  energy.export_uj += other.energy.export_uj;
  energy.charged_uj += other.energy.charged_uj;
  energy.curtailed_uj += other.energy.curtailed_uj;
  energy.inverter_loss_uj += other.energy.inverter_loss_uj;
  energy.battery_loss_uj += other.energy.battery_loss_uj;
  energy.unserved_uj += other.energy.unserved_uj;
  import_cost += other.import_cost;
  export_income += other.export_income;
  switched_off_uj += other.switched_off_uj;
  car_missed_mj += other.car_missed_mj;
  for (std::size_t i = 0; i < switches.size(); ++i) {
    switches[i] += other.switches[i];
  }
  error_ppm_max = std::max(error_ppm_max, other.error_ppm_max);
  state_writes += other.state_writes;
  time_to_limit_min.merge(other.time_to_limit_min);
  for (std::size_t i = 0; i < warnings.size(); ++i) {
    warnings[i] += other.warnings[i];
  }
  trips += other.trips;
  orders_refused += other.orders_refused;
  evaluations += other.evaluations;
  boots += other.boots;
  found_old += other.found_old;
  found_new += other.found_new;
  virtual_time += other.virtual_time;
}

HouseWorld::HouseWorld(const HousePlan& plan)
    : plan_{plan},
      step_ms_{to_milliseconds(plan.step)},
      rng_{plan.seed},
      sun_rng_{rng_.fork()},
      plant_{PlantConfig{plan.sun, plan.loads, plan.battery, plan.inverter}, sun_rng_, rng_.fork()},
      grid_{plan.outages},
      unix_s_{plan.start_unix_s},
      next_change_{next_change_after(plan.start_unix_s)},
      settings_{plan.settings},
      store_{store_config(plan), rng_.fork()},
      energy_checker_{battery().stored_mj(), violations_},
      relay_checker_{plan.controller.relays, violations_},
      facts_checker_{violations_},
      store_checker_{1, violations_} {
  AMPHORA_ASSERT(plan.step >= seconds{1} && plan.step <= seconds{10});
  contacts_.fill(Position::kClosed);
  commanded_.fill(Position::kClosed);
  running_faults_.reserve(plan.faults.size());
  advance_date();
  boot();
}

void HouseWorld::run() {
  while (step()) {
  }
}

bool HouseWorld::step() {
  if (now_ - TimePoint{} >= plan_.duration) {
    return false;
  }
  now_ += plan_.step;
  advance_date();
  update_faults();
  update_power();
  move_power();
  control();
  sabotage_contacts();
  check();
  return true;
}

void HouseWorld::advance_date() {
  unix_s_ = plan_.start_unix_s + to_microseconds(now_) / 1'000'000;
  if (unix_s_ >= next_change_.at_unix_s) {
    next_change_ = next_change_after(unix_s_);
  }
  offset_s_ = offset_before(next_change_);
}

void HouseWorld::update_faults() {
  if (now_ < fault_due_) {
    return;
  }
  while (next_fault_ < plan_.faults.size() && plan_.faults[next_fault_].from <= now_) {
    running_faults_.push_back(plan_.faults[next_fault_]);
    recorder_.add(now_, Channel::kFaultBegin, 0, static_cast<std::int64_t>(running_faults_.back().kind));
    ++next_fault_;
  }
  std::erase_if(running_faults_, [this](const HouseFault& fault) { return fault.until <= now_; });
  active_.fill(false);
  fault_due_ = next_fault_ < plan_.faults.size() ? plan_.faults[next_fault_].from : kNever;
  const std::int64_t error_before_s = clock_error_s_;
  clock_error_s_ = 0;
  stuck_ = 0;
  cut_lasts_s_ = 0;
  for (const HouseFault& fault : running_faults_) {
    active_[static_cast<std::size_t>(fault.kind)] = true;
    fault_due_ = earliest(fault_due_, fault.until);
    if (fault.kind == HouseFaultKind::kClockWrong) {
      clock_error_s_ = static_cast<std::int32_t>(fault.parameter);
    } else if (fault.kind == HouseFaultKind::kStuckRelay) {
      stuck_ |= 1U << (fault.parameter % energy::kRelayCount);
    } else if (fault.kind == HouseFaultKind::kPowerCut) {
      cut_lasts_s_ = fault.parameter;
    }
  }
  is_cut_done_ = is_cut_done_ && has(HouseFaultKind::kPowerCut);
  if (clock_error_s_ != error_before_s && knows_time_) {
    next_time_at_ = now_;
  }
}

void HouseWorld::move_power() {
  PlantInput input;
  input.unix_s = unix_s_;
  input.local_s = local_s();
  input.step_ms = step_ms_;
  input.is_grid_up = grid_.is_up(now_) && !has(HouseFaultKind::kGridOutage);
  input.is_cheap = plan_.tariff.is_cheap(local_s());
  // A device whose controller is silent falls back to what protects the battery by itself.
  input.may_charge = request_.may_charge;
  input.may_discharge = request_.may_discharge;
  input.charge_permille = plan_.sabotage == HouseSabotage::kLeaksEnergy ? 980 : 1'000;
  plant_.step(input, contacts_);
  energy_checker_.handle_step(now_, plant_.flows(), battery().loss_mw(),
                              OpenContacts{!is_closed(Relay::kGrid), !is_closed(Relay::kInverterOutput)},
                              step_ms_);
  account_cost();
}

void HouseWorld::account_cost() {
  if (unix_s_ / 3'600 != hour_) {
    figures_.import_cost += hour_import_uj_ / kMicrojoulesPerMilliwattHour * hour_price_;
    figures_.export_income += hour_export_uj_ / kMicrojoulesPerMilliwattHour * plan_.tariff.feed_in;
    hour_ = unix_s_ / 3'600;
    hour_price_ = plan_.tariff.price(local_s());
    hour_import_uj_ = 0;
    hour_export_uj_ = 0;
    energy_checker_.judge(now_, battery().stored_mj());
    recorder_.add(now_, Channel::kEnergy, 0, battery().stored_mj());
    recorder_.add(now_, Channel::kEnergy, 1, energy_checker_.totals().import_uj);
    recorder_.add(now_, Channel::kEnergy, 2, energy_checker_.totals().load_uj);
  }
  hour_import_uj_ += plant_.flows().import_mw * step_ms_;
  hour_export_uj_ += plant_.flows().export_mw * step_ms_;
}

RelayTruth HouseWorld::truth() const {
  const energy::Protection& limits = plan_.controller.protection;
  const Millivolts voltage = battery().voltage();
  const Duration silence = now_ - bms_heard_at_;
  RelayTruth truth;
  truth.contact = contacts_;
  truth.is_running = controller_.has_value();
  truth.is_unsafe = truth.is_running && (silence > limits.bms_stale_after || has(HouseFaultKind::kHot) ||
                                         has(HouseFaultKind::kBmsFault) || voltage > limits.pack_max ||
                                         voltage < limits.pack_min);
  truth.is_nearly_unsafe = silence > plan_.step || voltage > limits.pack_max - limits.pack_hysteresis ||
                           voltage < limits.pack_min + limits.pack_hysteresis ||
                           voltage / 16 < limits.cell_min + limits.cell_hysteresis;
  if (truth.is_running && silence <= limits.bms_stale_after) {
    truth.soc = battery().soc();
  }
  truth.local_s = knows_time_ ? told_local_s() : local_s();
  truth.is_date_doubtful = now_ < doubtful_until_ || told_error_s_ != 0;
  if (knows_time_ && truth.is_running) {
    truth.minute_of_day = static_cast<std::int32_t>(truth.local_s / 60 % 1'440);
  }
  truth.running = truth.is_running ? controller_->running() : settings_.enabled;
  truth.home_w = whole_watts(plant_.flows().load_mw).count();
  truth.is_metered = !has(HouseFaultKind::kMeterLost);
  truth.import_uj = plant_.flows().import_mw * step_ms_;
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    truth.is_stuck[i] = (stuck_ >> i & 1U) != 0;
    if (order_ends_at_[i] && now_ < *order_ends_at_[i] && (knows_time_ || !order_needs_date_[i])) {
      truth.order[i] = order_position_[i];
    }
  }
  return truth;
}

void HouseWorld::check() {
  const std::int64_t day = (local_s() - std::int64_t{settings_.import_reset_minute} * 60) / 86'400;
  if (day != limit_day_) {
    limit_day_ = day;
    day_began_ = now_;
  }
  const std::uint64_t before = violations_.count();
  relay_checker_.handle_step(now_, truth(), settings_);
  if (violations_.count() != before) {
    recorder_.add(now_, Channel::kViolation, 0, kInvariantRelays);
  }
}

HouseFigures HouseWorld::figures() const {
  HouseFigures figures = figures_;
  figures.energy = energy_checker_.totals();
  figures.error_ppm_max = energy_checker_.error_ppm_max();
  figures.car_missed_mj = plant_.car_missed_mj();
  figures.switched_off_uj = plant_.switched_off_uj();
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    figures.switches[i] = relay_checker_.switch_count(energy::relay_at(i));
  }
  figures.state_writes = facts_checker_.write_count();
  figures.trips = plant_.trip_count();
  figures.virtual_time = now_ - TimePoint{};
  return figures;
}

}  // namespace amphora::sim
