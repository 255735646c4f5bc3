// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/house_world.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::sim {

using energy::Position;
using energy::Relay;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

constexpr std::int64_t kMicrojoulesPerMilliwattHour = 3'600'000;
constexpr std::int64_t kMilliwattsPerWatt = 1'000;

struct CircuitRow {
  Circuit circuit;
  std::optional<Relay> relay;
  bool catches_up;  // what it did not get it takes later
};
constexpr auto kCircuits = std::array{
    CircuitRow{Circuit::kBase, std::nullopt, false}, CircuitRow{Circuit::kPump, Relay::kPump, false},
    CircuitRow{Circuit::kHeater, Relay::kHeater, true}, CircuitRow{Circuit::kCar, Relay::kLoad3, true}};
static_assert(kCircuits.size() == kCircuitCount);

constexpr Watts to_watts(std::int64_t milliwatts) {
  return Watts{scale_rounded(milliwatts, 1, kMilliwattsPerWatt)};
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
  virtual_time += other.virtual_time;
}

HouseWorld::HouseWorld(const HousePlan& plan)
    : plan_{plan},
      step_ms_{to_milliseconds(plan.step)},
      rng_{plan.seed},
      sun_{plan.sun, rng_.fork()},
      loads_{plan.loads, rng_.fork()},
      battery_{plan.battery},
      inverter_{plan.inverter},
      grid_{plan.outages},
      unix_s_{plan.start_unix_s},
      next_change_{next_change_after(plan.start_unix_s)},
      settings_{plan.settings},
      energy_checker_{battery_.stored_mj(), violations_},
      relay_checker_{plan.controller.relays, violations_},
      facts_checker_{violations_} {
  AMPHORA_ASSERT(plan.step >= seconds{1} && plan.step <= seconds{10});
  contacts_.fill(Position::kClosed);
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
  const auto was_off = has(HouseFaultKind::kControllerOff);
  while (next_fault_ < plan_.faults.size() && plan_.faults[next_fault_].from <= now_) {
    running_faults_.push_back(plan_.faults[next_fault_]);
    recorder_.add(now_, Channel::kFaultBegin, 0, static_cast<std::int64_t>(running_faults_.back().kind));
    ++next_fault_;
  }
  std::erase_if(running_faults_, [this](const HouseFault& fault) { return fault.until <= now_; });
  active_.fill(false);
  fault_due_ = next_fault_ < plan_.faults.size() ? plan_.faults[next_fault_].from : kNever;
  for (const HouseFault& fault : running_faults_) {
    active_[static_cast<std::size_t>(fault.kind)] = true;
    fault_due_ = earliest(fault_due_, fault.until);
  }
  if (has(HouseFaultKind::kControllerOff) && !was_off) {
    power_off();
  } else if (!has(HouseFaultKind::kControllerOff) && was_off) {
    boot();
  }
}

void HouseWorld::boot() {
  if (plan_.sabotage == HouseSabotage::kForgetsFacts) {
    durable_ = energy::Facts{};
  }
  booted_at_ = now_;
  controller_.emplace(plan_.controller, settings_, durable_);
  inputs_ = energy::Inputs{};
  bms_heard_at_ = now_;
  knows_time_ = false;
  next_time_at_ = now_ + plan_.time_known_after;
  request_ = energy::InverterRequest{};
  relay_checker_.handle_boot(now_);
  // Only orders whose end is stored outlive a boot, and only with the date they count again.
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    order_ends_at_[i].reset();
    if (const auto& order = durable_.orders[i]) {
      order_ends_at_[i] = now_ + seconds{order->end_unix_s - unix_s_};
      order_position_[i] = order->position;
      order_needs_date_[i] = true;
    }
  }
  recorder_.add(now_, Channel::kNode, 0, 1);
}

void HouseWorld::power_off() {
  if (writing_) {
    facts_checker_.handle_write(now_, durable_, writing_->facts);
    durable_ = rng_.chance(500'000) ? writing_->facts : durable_;
  }
  writing_.reset();
  controller_.reset();
  relay_checker_.handle_count_lost();
  recorder_.add(now_, Channel::kNode, 0, 0);
}

void HouseWorld::move_power() {
  loads_.advance(local_s());
  HybridInput input;
  input.sun_mw = sun_.advance(unix_s_);
  const bool is_output_closed = is_closed(Relay::kInverterOutput);
  for (const CircuitRow& row : kCircuits) {
    const bool has_path = is_output_closed && (!row.relay || is_closed(*row.relay));
    const std::int64_t wanted_mw = loads_.wanted_mw(row.circuit);
    const bool is_lost = !has_path && !row.catches_up;
    figures_.switched_off_uj += is_lost ? wanted_mw * step_ms_ : 0;
    circuit_mw_[static_cast<std::size_t>(row.circuit)] = has_path ? wanted_mw : 0;
    input.load_mw += circuit_mw_[static_cast<std::size_t>(row.circuit)];
  }
  input.has_grid = is_closed(Relay::kGrid) && grid_.is_up(now_);
  input.is_cheap = plan_.tariff.is_cheap(local_s());
  // A device whose controller is silent falls back to what protects the battery by itself.
  input.may_charge = request_.may_charge;
  input.may_discharge = request_.may_discharge;
  input.charge_max_mw = battery_.charge_max_mw();
  input.discharge_max_mw = battery_.discharge_max_mw();
  input.soc = battery_.soc();
  flows_ = inverter_.step(input, step_ms_);
  const bool is_served = flows_.unserved_mw == 0;
  for (const CircuitRow& row : kCircuits) {
    std::int64_t& power_mw = circuit_mw_[static_cast<std::size_t>(row.circuit)];
    power_mw = is_served ? power_mw : 0;
    loads_.take(row.circuit, power_mw * step_ms_ / 1'000);
  }
  const bool leaks = plan_.sabotage == HouseSabotage::kLeaksEnergy && flows_.battery_mw > 0;
  battery_.step(leaks ? flows_.battery_mw * 49 / 50 : flows_.battery_mw, step_ms_);
  energy_checker_.handle_step(now_, flows_, battery_.loss_mw(),
                              OpenContacts{!is_closed(Relay::kGrid), !is_output_closed}, step_ms_);
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
    energy_checker_.judge(now_, battery_.stored_mj());
    recorder_.add(now_, Channel::kEnergy, 0, battery_.stored_mj());
    recorder_.add(now_, Channel::kEnergy, 1, energy_checker_.totals().import_uj);
    recorder_.add(now_, Channel::kEnergy, 2, energy_checker_.totals().load_uj);
  }
  hour_import_uj_ += flows_.import_mw * step_ms_;
  hour_export_uj_ += flows_.export_mw * step_ms_;
}

energy::Inputs HouseWorld::measure() {
  const TimePoint local = uptime();
  const auto meter = [local](std::int64_t milliwatts) {
    energy::AcInput input;
    input.power = Sampled<Watts>{to_watts(milliwatts), local};
    return input;
  };
  if (!has(HouseFaultKind::kMeterLost)) {
    inputs_.grid = meter(flows_.import_mw - flows_.export_mw);
  }
  inputs_.inverter_output = meter(flows_.load_mw);
  for (const CircuitRow& row : kCircuits) {
    if (row.relay) {
      inputs_.load[energy::load_index(*row.relay)] =
          meter(circuit_mw_[static_cast<std::size_t>(row.circuit)]);
    }
  }
  if (!has(HouseFaultKind::kBmsSilent)) {
    const Millivolts cell = battery_.voltage() / 16;
    const Decicelsius temperature{has(HouseFaultKind::kHot) ? 600 : 250};
    inputs_.pack_voltage = Sampled<Millivolts>{battery_.voltage(), local};
    inputs_.pack_current = Sampled<Milliamps>{battery_.current(), local};
    inputs_.soc = Sampled<BasisPoints>{battery_.soc(), local};
    inputs_.cell_min = Sampled<Millivolts>{cell, local};
    inputs_.cell_max = Sampled<Millivolts>{cell, local};
    inputs_.temperature_max = Sampled<Decicelsius>{temperature, local};
    inputs_.bms_fault = Sampled<bool>{has(HouseFaultKind::kBmsFault), local};
    bms_heard_at_ = now_;
  }
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    inputs_.measured[i] = contacts_[i];
  }
  return inputs_;
}

void HouseWorld::control() {
  if (!controller_) {
    return;
  }
  const TimePoint local = uptime();
  if (now_ >= next_time_at_) {
    tell_time(local);
  }
  apply_plan(local);
  controller_->handle_inputs(local, measure());
  ++figures_.evaluations;
  take_commands(local);
  take_events();
  take_store(local);
}

void HouseWorld::tell_time(TimePoint local) {
  energy::TimeReading reading;
  reading.unix_s = unix_s_;
  reading.utc_offset_s = offset_s_;
  reading.next_change = energy::OffsetChange{next_change_.at_unix_s, next_change_.utc_offset_s};
  controller_->handle_time(local, reading);
  knows_time_ = true;
  next_time_at_ = now_ + hours{1};
}

void HouseWorld::apply_plan(TimePoint local) {
  while (next_settings_ < plan_.changes.size() && plan_.changes[next_settings_].at <= now_) {
    settings_ = plan_.changes[next_settings_++].settings;
    AMPHORA_ASSERT(!controller_->set_settings(local, settings_));
    relay_checker_.handle_count_lost();
  }
  while (next_order_ < plan_.orders.size() && plan_.orders[next_order_].at <= now_) {
    const HouseOrder& order = plan_.orders[next_order_++];
    if (controller_->order(local, order.relay, order.position, order.lasts)) {
      ++figures_.orders_refused;
    } else {
      order_ends_at_[energy::index_of(order.relay)] = now_ + order.lasts;
      order_position_[energy::index_of(order.relay)] = order.position;
      order_needs_date_[energy::index_of(order.relay)] = false;
    }
  }
}

void HouseWorld::take_commands(TimePoint local) {
  while (const auto command = controller_->poll_transmit(local)) {
    if (const auto* relay = std::get_if<energy::RelayCommand>(&*command)) {
      Position& contact = contacts_[energy::index_of(relay->relay)];
      if (contact != relay->position) {
        contact = relay->position;
        recorder_.add(now_, Channel::kRelay, static_cast<std::uint8_t>(relay->relay),
                      static_cast<std::int64_t>(relay->position));
      }
    } else {
      request_ = std::get<energy::InverterRequest>(*command);
    }
  }
}

void HouseWorld::take_events() {
  while (const auto event = controller_->poll_event()) {
    recorder_.add(now_, Channel::kNodeEvent, static_cast<std::uint8_t>(event->relay),
                  static_cast<std::int64_t>(event->kind));
    if (event->kind == energy::Event::Kind::kWarningRaised) {
      ++figures_.warnings[static_cast<std::size_t>(event->warning)];
    } else if (event->kind == energy::Event::Kind::kImportExhausted) {
      figures_.time_to_limit_min.add(to_milliseconds(now_ - day_began_) / 60'000);
    } else if (event->kind == energy::Event::Kind::kOrderEnded) {
      order_ends_at_[energy::index_of(event->relay)].reset();
    }
  }
}

void HouseWorld::take_store(TimePoint local) {
  if (writing_) {
    const std::uint32_t ticket = writing_->ticket;
    if (has(HouseFaultKind::kStoreFails)) {
      writing_.reset();
      controller_->handle_store_failed(local, ticket);
    } else {
      const bool was_exhausted = durable_.import_exhausted.has_value();
      facts_checker_.handle_write(now_, durable_, writing_->facts);
      durable_ = writing_->facts;
      writing_.reset();
      controller_->handle_stored(local, ticket);
      if (!was_exhausted && durable_.import_exhausted && knows_time_) {
        relay_checker_.handle_exhausted(local_s(), settings_);
      }
    }
  }
  if (const auto request = controller_->poll_store(local)) {
    writing_ = request;
  } else if (plan_.sabotage == HouseSabotage::kWritesAlways) {
    facts_checker_.handle_write(now_, durable_, durable_);
  }
}

void HouseWorld::sabotage_contacts() {
  if (plan_.sabotage == HouseSabotage::kClosesExhausted) {
    contacts_[energy::index_of(Relay::kGrid)] = Position::kClosed;
  } else if (plan_.sabotage == HouseSabotage::kChatters) {
    Position& pump = contacts_[energy::index_of(Relay::kPump)];
    pump = pump == Position::kOpen ? Position::kClosed : Position::kOpen;
  } else if (plan_.sabotage == HouseSabotage::kIgnoresOpen) {
    contacts_[energy::index_of(Relay::kHeater)] = Position::kClosed;
  }
}

RelayTruth HouseWorld::truth() const {
  const energy::Protection& limits = plan_.controller.protection;
  const Millivolts voltage = battery_.voltage();
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
    truth.soc = battery_.soc();
  }
  truth.local_s = local_s();
  if (knows_time_ && truth.is_running) {
    truth.minute_of_day = static_cast<std::int32_t>(truth.local_s / 60 % 1'440);
  }
  truth.running = truth.is_running ? controller_->running() : settings_.enabled;
  truth.home_w = to_watts(flows_.load_mw).count();
  truth.is_metered = !has(HouseFaultKind::kMeterLost);
  truth.import_uj = flows_.import_mw * step_ms_;
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
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
  figures.car_missed_mj = loads_.car_missed_mj();
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    figures.switches[i] = relay_checker_.switch_count(energy::relay_at(i));
  }
  figures.state_writes = facts_checker_.write_count();
  figures.trips = inverter_.trip_count();
  figures.virtual_time = now_ - TimePoint{};
  return figures;
}

}  // namespace amphora::sim
