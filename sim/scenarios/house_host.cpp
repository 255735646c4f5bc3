// SPDX-License-Identifier: Apache-2.0
// What surrounds the controller in the house's world: its power, its sensors, its contacts and its store.
#include "sim/scenarios/facts_record.hpp"
#include "sim/scenarios/house_world.hpp"

namespace amphora::sim {

using energy::Position;
using energy::Relay;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

constexpr StoreKey kFactsKey = 1;
// A day counted across a wrong date may be followed by one that is counted from its middle.
constexpr Duration kDoubtAfterWrongDate = hours{49};

}  // namespace

// ---- power

void HouseWorld::update_power() {
  const bool should_run = !has(HouseFaultKind::kControllerOff) && now_ >= off_until_;
  if (should_run == controller_.has_value()) {
    return;
  }
  should_run ? boot() : power_off();
}

void HouseWorld::boot() {
  read_facts();
  booted_at_ = now_;
  ++figures_.boots;
  controller_.emplace(plan_.controller, settings_, durable_);
  inputs_ = energy::Inputs{};
  bms_heard_at_ = now_;
  knows_time_ = false;
  told_error_s_ = 0;
  next_time_at_ = now_ + plan_.time_known_after;
  request_ = energy::InverterRequest{};
  relay_checker_.handle_boot(now_);
  restore_orders();
  recorder_.add(now_, Channel::kNode, 0, 1);
}

void HouseWorld::read_facts() {
  const FlashStore::ReadResult result = store_.read(kFactsKey);
  store_checker_.handle_read(now_, kFactsKey, result, false);
  energy::Facts found;
  if (result.state == FlashStore::ReadState::kGood) {
    const std::optional<energy::Facts> decoded = decode_facts(result.bytes);
    if (!decoded) {
      violations_.add(kInvariantStore, now_, "the store holds what nobody wrote");
    }
    found = decoded.value_or(energy::Facts{});
  }
  if (met_by_cut_) {
    figures_.found_old += found == durable_ ? 1U : 0U;
    figures_.found_new += found == *met_by_cut_ ? 1U : 0U;
    met_by_cut_.reset();
  }
  durable_ = found;
  if (durable_.import_exhausted && durable_.import_exhausted->day) {
    relay_checker_.handle_exhausted_day(*durable_.import_exhausted->day);
  }
  if (plan_.sabotage == HouseSabotage::kForgetsFacts) {
    durable_ = energy::Facts{};
  }
}

// Only orders whose end is stored outlive a boot, and only with the date they count again.
void HouseWorld::restore_orders() {
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    order_ends_at_[i].reset();
    if (const auto& order = durable_.orders[i]) {
      order_ends_at_[i] = now_ + seconds{order->end_unix_s - unix_s_};
      order_position_[i] = order->position;
      order_needs_date_[i] = true;
    }
  }
}

void HouseWorld::power_off() {
  if (writing_ && !is_write_refused_) {
    met_by_cut_ = writing_->facts;
  }
  store_.power_cut(now_);
  writing_.reset();
  controller_.reset();
  // Who has no power holds no contact back, and remembers nothing of what it wanted.
  commanded_ = contacts_;
  relay_checker_.handle_count_lost();
  recorder_.add(now_, Channel::kNode, 0, 0);
}

// ---- sensors, date, orders

energy::Inputs HouseWorld::measure() {
  const TimePoint local = uptime();
  const auto meter = [local](std::int64_t milliwatts) {
    energy::AcInput input;
    input.power = Sampled<Watts>{whole_watts(milliwatts), local};
    return input;
  };
  if (!has(HouseFaultKind::kMeterLost)) {
    inputs_.grid = meter(plant_.flows().import_mw - plant_.flows().export_mw);
  }
  inputs_.inverter_output = meter(plant_.flows().load_mw);
  for (const HouseCircuit& row : kHouseCircuits) {
    if (row.relay) {
      inputs_.load[energy::load_index(*row.relay)] = meter(plant_.circuit_mw(row.circuit));
    }
  }
  if (!has(HouseFaultKind::kBmsSilent)) {
    const Millivolts cell = battery().voltage() / 16;
    const Decicelsius temperature{has(HouseFaultKind::kHot) ? 600 : 250};
    inputs_.pack_voltage = Sampled<Millivolts>{battery().voltage(), local};
    inputs_.pack_current = Sampled<Milliamps>{battery().current(), local};
    inputs_.soc = Sampled<BasisPoints>{battery().soc(), local};
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
  work_contacts();
  take_events();
  take_durable(local);
  take_store(local);
  cut_power_at_write();
}

void HouseWorld::tell_time(TimePoint local) {
  energy::TimeReading reading;
  reading.unix_s = unix_s_ + clock_error_s_;
  const ZoneChange next = clock_error_s_ == 0 ? next_change_ : next_change_after(reading.unix_s);
  reading.utc_offset_s = offset_before(next);
  reading.next_change = energy::OffsetChange{next.at_unix_s, next.utc_offset_s};
  controller_->handle_time(local, reading);
  knows_time_ = true;
  next_time_at_ = now_ + hours{1};
  if (told_error_s_ != clock_error_s_) {
    told_error_s_ = clock_error_s_;
    doubtful_until_ = now_ + kDoubtAfterWrongDate;
  }
  relay_checker_.handle_date(told_local_s(), settings_);
}

std::int64_t HouseWorld::told_local_s() const {
  if (told_error_s_ == 0) {
    return local_s();
  }
  const std::int64_t unix_s = unix_s_ + told_error_s_;
  return unix_s + offset_before(next_change_after(unix_s));
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

// ---- contacts

void HouseWorld::take_commands(TimePoint local) {
  while (const auto command = controller_->poll_transmit(local)) {
    if (const auto* relay = std::get_if<energy::RelayCommand>(&*command)) {
      commanded_[energy::index_of(relay->relay)] = relay->position;
    } else {
      request_ = std::get<energy::InverterRequest>(*command);
    }
  }
}

void HouseWorld::work_contacts() {
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    const bool is_stuck = (stuck_ >> i & 1U) != 0;
    if (contacts_[i] != commanded_[i] && !is_stuck) {
      contacts_[i] = commanded_[i];
      recorder_.add(now_, Channel::kRelay, static_cast<std::uint8_t>(i),
                    static_cast<std::int64_t>(contacts_[i]));
    }
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

// ---- store

void HouseWorld::take_durable(TimePoint local) {
  store_.handle_timeout(now_);
  if (writing_ && is_write_refused_) {
    const std::uint32_t ticket = writing_->ticket;
    writing_.reset();
    controller_->handle_store_failed(local, ticket);
  }
  while (store_.poll_durable()) {
    store_checker_.handle_durable(now_, kFactsKey);
    const std::uint32_t ticket = writing_->ticket;
    durable_ = writing_->facts;
    writing_.reset();
    controller_->handle_stored(local, ticket);
    if (durable_.import_exhausted && durable_.import_exhausted->day) {
      relay_checker_.handle_exhausted_day(*durable_.import_exhausted->day);
    }
  }
}

void HouseWorld::take_store(TimePoint local) {
  if (const auto request = controller_->poll_store(local)) {
    writing_ = request;
    const FactsRecord record = encode_facts(request->facts);
    is_write_refused_ = has(HouseFaultKind::kStoreFails) || !store_.write(now_, kFactsKey, record);
    if (!is_write_refused_) {
      store_checker_.handle_write(kFactsKey, record);
      facts_checker_.handle_write(now_, durable_, request->facts);
    }
  } else if (plan_.sabotage == HouseSabotage::kWritesAlways) {
    facts_checker_.handle_write(now_, durable_, durable_);
  }
}

// The power goes in the moment in which a write has begun.
void HouseWorld::cut_power_at_write() {
  if (store_.pending_count() == 0) {
    return;
  }
  const bool is_planned = plan_.cut && !is_cut_done_ && write_count() == plan_.cut->at_write;
  const bool is_by_fault = has(HouseFaultKind::kPowerCut) && !is_cut_done_;
  if (is_planned || is_by_fault) {
    is_cut_done_ = true;
    off_until_ = now_ + (is_planned ? plan_.cut->off : Duration{seconds{cut_lasts_s_}});
    power_off();
  }
}

}  // namespace amphora::sim
