// SPDX-License-Identifier: Apache-2.0
// What surrounds a whole pack: its power, its line to the BMS, its contacts, its store, its place on the bus.
#include "core/base/assert.hpp"
#include "sim/scenarios/facts_record.hpp"
#include "sim/scenarios/pack_world.hpp"
#include "sim/scenarios/section_record.hpp"

namespace amphora::sim {

using energy::Position;
using energy::Relay;

namespace {

constexpr StoreKey kNodeKey = 1;
constexpr StoreKey kFloorKey = 2;
constexpr StoreKey kFactsKey = 3;
constexpr StoreKey kFirstSectionKey = 16;
constexpr int kPumpRoundsMax = 64;
// While the bus is busy with a frame of this box; when it is done, the box is called at once.
constexpr Duration kBlockedRetry = std::chrono::milliseconds{1};
constexpr Duration kCutLasts = std::chrono::seconds{5};

}  // namespace

// ---- power

FlashStore::ReadResult PackWorld::read(Box& box, StoreKey key) {
  const FlashStore::ReadResult result = box.store.read(key);
  box.store_checker.handle_read(now_, key, result, false);
  return result;
}

energy::Facts PackWorld::read_facts(Box& box) {
  const FlashStore::ReadResult result = read(box, kFactsKey);
  if (result.state != FlashStore::ReadState::kGood) {
    return {};
  }
  const std::optional<energy::Facts> facts = decode_facts(result.bytes);
  if (!facts) {
    violations_.add(kInvariantStore, now_, "the store holds what nobody wrote");
  }
  return facts.value_or(energy::Facts{});
}

void PackWorld::boot(std::size_t index) {
  Box& box = *boxes_[index];
  ++figures_.boots;
  recorder_.add(now_, Channel::kNode, box.bus.port(), 1);
  node::PackConfig config;
  config.modbus.profile = modbus_bms_profile();
  config.control = house_controller_config();
  config.network.hardware = plan_.hardware[index];
  config.network.seed = rng_.next();
  config.network.gate.is_sealed = false;
  config.share.seed = rng_.next();
  if (const auto stored = read(box, kNodeKey); stored.state == FlashStore::ReadState::kGood) {
    config.network.stored_node = ByteReader{stored.bytes}.u8();
  }
  if (const auto stored = read(box, kFloorKey); stored.state == FlashStore::ReadState::kGood) {
    config.network.gate.floor = ByteReader{stored.bytes}.read<std::uint64_t>();
  }
  box.durable = read_facts(box);
  box.pack.emplace(config, box.durable);
  restore_sections(index);
  box.bus.reset();
  box.booted_at = now_;
  box.heard_bms_at = now_;
  box.is_waiting_for_id = true;
  box.request = energy::InverterRequest{};
  box.relay_checker.handle_boot(now_);
  spreading_.reset();
  const TimePoint here = local(box);
  box.pack->handle_serial_line(here, true);
  tell_contacts(box);
  bus_of(box).set_present(now_, box.bus.port(), true);
  election_checker_.handle_disturbed(now_, box.segment);
  tell_state(index);
}

void PackWorld::restore_sections(std::size_t index) {
  Box& box = *boxes_[index];
  for (const state::SectionSpec& spec : sections::pack_specs()) {
    const FlashStore::ReadResult result = read(box, kFirstSectionKey + spec.id);
    if (result.state == FlashStore::ReadState::kGood && plan_.sabotage != PackSabotage::kForgetsSections) {
      box.pack->restore_section(local(box), spec.id, decode_section(result.bytes));
    } else if (result.state == FlashStore::ReadState::kDamaged) {
      box.pack->report_corrupt_section(local(box), spec.id);
    }
    section_checker_.handle_booted(now_, index, spec.id, mark_of(box.pack->sections().current(spec.id)));
  }
}

void PackWorld::power_off(std::size_t index) {
  Box& box = *boxes_[index];
  touched_ |= std::uint64_t{1} << index;
  recorder_.add(now_, Channel::kNode, box.bus.port(), 0);
  box.pack.reset();
  box.writing.clear();
  box.store.power_cut(now_);
  box.bus.reset();
  box.relay_checker.handle_count_lost();
  spreading_.reset();
  bus_of(box).set_present(now_, box.bus.port(), false);
  election_checker_.handle_disturbed(now_, box.segment);
  agenda_.set(host_slot(index), kNever);
  agenda_.set(store_slot(index), kNever);
  agenda_.set(kFirstBus + box.segment, bus_of(box).poll_timeout());
}

// ---- the bus

// The gateway has the number after the packs.
void PackWorld::tell_state(std::size_t index) {
  touched_ |= std::uint64_t{1} << index;
  if (index == kWholePacksMax) {
    if (const auto state = gateway_port_.poll_state(now_, buses_[0])) {
      gateway_.handle_bus_state(gateway_clock_.to_local(now_), *state);
    }
    return pump_gateway();
  }
  Box& box = *boxes_[index];
  if (!box.pack) {
    return;
  }
  if (const auto state = box.bus.poll_state(now_, bus_of(box))) {
    recorder_.add(now_, Channel::kCanState, box.bus.port(), static_cast<std::int64_t>(*state));
    if (*state == can::BusState::kBusOff) {
      lose_offered(index);
      election_checker_.handle_disturbed(now_, box.segment);
    }
    box.pack->handle_bus_state(local(box), *state);
  }
  pump(index);
}

void PackWorld::lose_offered(std::size_t index) {
  Box& box = *boxes_[index];
  touched_ |= std::uint64_t{1} << index;
  if (box.bus.lose() && box.pack) {
    box.pack->handle_bus_not_sent(local(box));
  }
}

void PackWorld::step_host(std::size_t index) {
  Box& box = *boxes_[index];
  if (box.bus.handle_timeout(now_, bus_of(box)) && box.pack) {
    box.pack->handle_bus_not_sent(local(box));
  }
  pump(index);
}

void PackWorld::pump(std::size_t index) {
  Box& box = *boxes_[index];
  touched_ |= std::uint64_t{1} << index;
  TimePoint handled = kNever;
  for (int round = 0; round < kPumpRoundsMax && box.pack; ++round) {
    const TimePoint here = local(box);
    // What stays due waits for its turn on the bus.
    const TimePoint due = box.pack->poll_timeout();
    const bool is_due = due <= here && (due != handled || box.bus.can_offer(bus_of(box)));
    handled = due;
    if (is_due) {
      box.pack->handle_timeout(here);
    }
    drain(index);
    bool has_sent = false;
    if (box.pack && box.bus.can_offer(bus_of(box))) {
      if (const auto out = box.pack->poll_bus_frame(here)) {
        box.bus.offer(now_, bus_of(box), out->frame, out->is_single_shot);
        has_sent = true;
      }
    }
    if (!is_due && !has_sent) {
      break;
    }
  }
  if (!box.pack) {
    return;
  }
  const TimePoint due = box.clock.to_world(box.pack->poll_timeout());
  if (due <= now_ && box.bus.can_offer(bus_of(box))) {
    violations_.add(kInvariantBoundedQueues, now_, "a pack is always due; a: pack",
                    static_cast<std::int64_t>(index));
  }
  agenda_.set(host_slot(index), earliest(due > now_ ? due : now_ + kBlockedRetry, box.bus.poll_timeout()));
  agenda_.set(kFirstBus + box.segment, bus_of(box).poll_timeout());
}

void PackWorld::pump_gateway() {
  touched_ |= std::uint64_t{1} << kWholePacksMax;
  const TimePoint here = gateway_clock_.to_local(now_);
  CanBus& bus = buses_[0];
  if (gateway_port_.handle_timeout(now_, bus)) {
    gateway_.handle_not_sent(here);
  }
  for (int round = 0; round < kPumpRoundsMax; ++round) {
    const bool is_due = gateway_.poll_timeout() <= here;
    if (is_due) {
      gateway_.handle_timeout(here);
    }
    while (gateway_.poll_event()) {
    }
    while (gateway_.poll_opaque()) {
    }
    bool has_sent = false;
    if (gateway_port_.can_offer(bus)) {
      if (const auto out = gateway_.poll_transmit(here)) {
        gateway_port_.offer(now_, bus, out->frame, out->is_single_shot);
        has_sent = true;
      }
    }
    if (!is_due && !has_sent) {
      break;
    }
  }
  const TimePoint next =
      earliest(gateway_clock_.to_world(gateway_.poll_timeout()), gateway_port_.poll_timeout());
  agenda_.set(kGatewaySlot, std::max(next, now_));
  agenda_.set(kFirstBus, bus.poll_timeout());
}

// ---- what a pack says

void PackWorld::drain(std::size_t index) {
  Box& box = *boxes_[index];
  std::array<std::uint8_t, node::kPackSerialSizeMax> request{};
  while (const std::size_t size = box.pack->poll_serial(local(box), request)) {
    box.bms.handle_request(now_, ByteSpan{request}.first(size));
    agenda_.set(bms_slot(index), box.bms.poll_timeout());
  }
  take_commands(index);
  take_events(index);
  take_store(index);
}

void PackWorld::take_commands(std::size_t index) {
  Box& box = *boxes_[index];
  while (const auto command = box.pack->poll_command(local(box))) {
    const auto* relay = std::get_if<energy::RelayCommand>(&*command);
    if (relay == nullptr) {
      box.request = std::get<energy::InverterRequest>(*command);
      continue;
    }
    Position& contact = box.contacts[energy::index_of(relay->relay)];
    if (contact != relay->position) {
      contact = relay->position;
      recorder_.add(now_, Channel::kRelay,
                    static_cast<std::uint8_t>(index * energy::kRelayCount + energy::index_of(relay->relay)),
                    static_cast<std::int64_t>(contact));
      box.pack->handle_contact(local(box), relay->relay, contact);
      check_relays(index, 0);
    }
  }
}

void PackWorld::take_events(std::size_t index) {
  Box& box = *boxes_[index];
  bool have_sections_changed = false;
  while (const auto event = box.pack->poll_event()) {
    recorder_.add(now_, Channel::kNodeEvent, box.bus.port(), static_cast<std::int64_t>(event->what.index()));
    if (const auto* network = std::get_if<packnet::NetworkEvent>(&event->what)) {
      using Kind = packnet::NetworkEvent::Kind;
      if (network->kind == Kind::kNodeClaimed || network->kind == Kind::kNodeLost) {
        election_checker_.handle_disturbed(now_, box.segment);
      }
      if (network->kind == Kind::kNodeClaimed && box.is_waiting_for_id) {
        box.is_waiting_for_id = false;
        figures_.claim_us.add((now_ - box.booted_at).count());
      }
    }
    have_sections_changed = have_sections_changed || std::holds_alternative<state::ReplicaEvent>(event->what);
  }
  if (have_sections_changed) {
    note_sections(index);
  }
}

void PackWorld::note_sections(std::size_t index) {
  Box& box = *boxes_[index];
  for (const state::SectionSpec& spec : sections::pack_specs()) {
    const SectionMark mark = mark_of(box.pack->sections().current(spec.id));
    if (!(mark == section_checker_.shown(index, spec.id))) {
      section_checker_.handle_shown(now_, index, spec.id, mark);
      recorder_.add(now_, Channel::kSection, box.bus.port(), static_cast<std::int64_t>(mark.digest));
    }
  }
  check_spreading();
}

// ---- BMS, meters, contacts

void PackWorld::tell_contacts(Box& box) {
  energy::PerRelay<std::optional<Position>> positions{};
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    positions[i] = box.contacts[i];
  }
  box.pack->handle_contacts(local(box), positions);
}

void PackWorld::step_bms(std::size_t index) {
  Box& box = *boxes_[index];
  const auto reply = box.bms.poll_reply(now_);
  agenda_.set(bms_slot(index), box.bms.poll_timeout());
  if (reply && box.pack) {
    box.heard_bms_at = now_;
    box.pack->handle_serial_bytes(local(box), *reply);
    pump(index);
  }
}

void PackWorld::measure(std::size_t index) {
  Box& box = *boxes_[index];
  const TimePoint here = local(box);
  const auto tell = [&](Relay place, std::int64_t milliwatts) {
    energy::AcInput input;
    input.power = Sampled<Watts>{whole_watts(milliwatts), here};
    box.pack->handle_ac(here, place, input);
  };
  const HybridFlows& flows = box.plant.flows();
  tell(Relay::kGrid, flows.import_mw - flows.export_mw);
  tell(Relay::kInverterOutput, flows.load_mw);
  for (const HouseCircuit& row : kHouseCircuits) {
    if (row.relay) {
      tell(*row.relay, box.plant.circuit_mw(row.circuit));
    }
  }
  tell_contacts(box);
}

// ---- store

bool PackWorld::write(std::size_t index, const node::PackStoreRequest& request) {
  Box& box = *boxes_[index];
  SectionRecordBytes bytes{};
  StoreKey key = kNodeKey;
  ByteSpan written;
  FactsRecord facts{};
  if (const auto* node = std::get_if<node::StoreNode>(&request)) {
    bytes[0] = node->node;
    written = ByteSpan{bytes}.first(1);
  } else if (const auto* floor = std::get_if<node::StoreFloor>(&request)) {
    key = kFloorKey;
    ByteWriter writer{bytes};
    writer.write(floor->floor);
    written = writer.written();
  } else if (const auto* stored = std::get_if<energy::StoreRequest>(&request)) {
    key = kFactsKey;
    facts = encode_facts(stored->facts);
    written = facts;
    box.facts_checker.handle_write(now_, box.durable, stored->facts);
  } else {
    const auto& section = std::get<state::StoreRequest>(request);
    key = kFirstSectionKey + section.section;
    written = encode_section(section.record, bytes);
  }
  if (box.writing.is_full() || !box.store.write(now_, key, written)) {
    return false;
  }
  box.store_checker.handle_write(key, written);
  (void)box.writing.push(request);
  agenda_.set(store_slot(index), box.store.poll_timeout());
  return true;
}

void PackWorld::take_store(std::size_t index) {
  Box& box = *boxes_[index];
  while (const auto request = box.pack->poll_store(local(box))) {
    if (is_affected(PackFaultKind::kStoreFails, index) || !write(index, *request)) {
      box.pack->handle_store_failed(local(box), *request);
    } else if (cut_power_at_write(index)) {
      return;
    }
  }
}

// The power goes in the moment in which a write has begun.
bool PackWorld::cut_power_at_write(std::size_t index) {
  Box& box = *boxes_[index];
  const bool is_planned =
      plan_.cut && plan_.cut->pack == index && write_count(index) == plan_.cut->cut.at_write;
  const bool is_by_fault = is_affected(PackFaultKind::kPowerCut, index);
  if (box.is_cut_done || !(is_planned || is_by_fault)) {
    return false;
  }
  box.is_cut_done = true;
  ++figures_.power_cuts;
  box.off_until = now_ + (is_planned ? plan_.cut->cut.off : kCutLasts);
  power_off(index);
  agenda_.set(kFaults, earliest(agenda_.at(kFaults), box.off_until));
  return true;
}

void PackWorld::step_store(std::size_t index) {
  Box& box = *boxes_[index];
  box.store.handle_timeout(now_);
  while (const auto done = box.store.poll_durable()) {
    box.store_checker.handle_durable(now_, done->key);
    const std::optional<node::PackStoreRequest> request = box.writing.pop();
    AMPHORA_ASSERT(request.has_value());
    if (const auto* facts = std::get_if<energy::StoreRequest>(&*request)) {
      box.durable = facts->facts;
      if (box.durable.import_exhausted && box.durable.import_exhausted->day) {
        box.relay_checker.handle_exhausted_day(*box.durable.import_exhausted->day);
      }
    } else if (const auto* section = std::get_if<state::StoreRequest>(&*request)) {
      section_checker_.handle_durable(now_, index, section->section, mark_of(section->record));
    }
    box.pack->handle_stored(local(box), *request);
  }
  agenda_.set(store_slot(index), box.store.poll_timeout());
  pump(index);
}

}  // namespace amphora::sim
