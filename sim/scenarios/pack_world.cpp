// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/pack_world.hpp"

#include <algorithm>
#include <new>

#include "core/base/assert.hpp"
#include "sim/scenarios/section_record.hpp"

namespace amphora::sim {

using energy::Position;
using energy::Relay;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::int32_t kBitsPerSecond = 500'000;
constexpr Duration kHouseStep = seconds{2};
constexpr Duration kTickInterval = milliseconds{10};
constexpr std::int64_t kTicksPerSecond = 100;
// Up to this loss invariants 3 and 4 are demanded, with longer bounds.
constexpr std::uint32_t kLossMax = 100'000;
constexpr ElectionRules kLossyRules{seconds{2}, seconds{1}, seconds{3}};
// A sample is as old as its request; the answer takes this long at most, tries included.
constexpr Duration kSampleAge = milliseconds{500};
constexpr std::int64_t kSecondsPerHour = 3'600;
constexpr std::size_t kStateIds = 16;  // of sections

packnet::NetworkConfig gateway_config(const PackPlan& plan, std::uint64_t seed) {
  packnet::NetworkConfig config;
  config.type = packnet::DeviceType::kLinuxGateway;
  config.hardware = plan.hardware[kWholePacksMax];
  config.seed = seed;
  config.gate.is_sealed = false;
  return config;
}

// No bus is there when it is plugged in.
CanBus empty_bus(Rng rng) {
  CanBus bus{kWholePacksMax + 1, kBitsPerSecond, rng};
  for (CanBus::Node port = 0; port <= kWholePacksMax; ++port) {
    bus.set_present(TimePoint{}, port, false);
  }
  while (bus.poll_state_change()) {
  }
  return bus;
}

FlashStoreConfig store_config(const PackPlan& plan, std::size_t index, std::size_t keys) {
  FlashStoreConfig config;
  config.key_count_max = keys;
  config.value_size_max = sizeof(SectionRecordBytes);
  if (plan.cut && plan.cut->pack == index) {
    config.lost_ppm = plan.cut->cut.fate == WriteFate::kLost ? 1'000'000 : 0;
    config.torn_ppm = plan.cut->cut.fate == WriteFate::kTorn ? 1'000'000 : 0;
  }
  return config;
}

HousePlant make_plant(Rng& rng) {
  PlantConfig config;
  config.battery.soc_start = BasisPoints{rng.between(600, 9'500)};
  const Rng sun = rng.fork();
  return HousePlant{config, sun, rng.fork()};
}

}  // namespace

void PackFigures::merge(const PackFigures& other) {
  settings_us.merge(other.settings_us);
  claim_us.merge(other.claim_us);
  load_permille.merge(other.load_permille);
  not_settled += other.not_settled;
  changes += other.changes;
  refused += other.refused;
  boots += other.boots;
  power_cuts += other.power_cuts;
  store_writes += other.store_writes;
  relay_operations += other.relay_operations;
  frames += other.frames;
  error_ppm_max = std::max(error_ppm_max, other.error_ppm_max);
}

PackWorld::Box::Box(std::size_t index, const PackPlan& plan, Rng& rng, ViolationLog& log)
    : clock{plan.clock_offset[index], 0},
      bus{static_cast<CanBus::Node>(index)},
      bms{rng.fork()},
      store{store_config(plan, index, kStoreKeys), rng.fork()},
      plant{make_plant(rng)},
      store_checker{kStoreKeys, log},
      facts_checker{log},
      relay_checker{house_controller_config().relays, log},
      energy_checker{plant.battery().stored_mj(), log} {
  contacts.fill(Position::kClosed);
}

PackWorld::PackWorld(const PackPlan& plan)
    : plan_{plan},
      schedule_{plan.faults},
      rng_{plan.seed},
      loss_rng_{rng_.fork()},
      buses_{empty_bus(rng_.fork()), empty_bus(rng_.fork())},
      gateway_{gateway_config(plan, rng_.next())},
      gateway_clock_{plan.clock_offset[kWholePacksMax], 0},
      gateway_port_{static_cast<CanBus::Node>(kWholePacksMax)},
      election_checker_{ElectionRules{}, violations_},
      section_checker_{kWholePacksMax, kStateIds, violations_},
      memory_checker_{violations_} {
  AMPHORA_ASSERT(plan.pack_count > 0 && plan.pack_count <= kWholePacksMax &&
                 plan.faults.size() <= kFaultsMax);
  for (std::size_t i = 0; i < plan.pack_count; ++i) {
    boxes_.push_back(std::make_unique<Box>(i, plan_, rng_, violations_));
  }
  buses_[0].set_present(now_, gateway_port_.port(), true);
  for (const Slot slot : {kFaults, kChanges, kHouses}) {
    agenda_.set(slot, TimePoint{});
  }
  agenda_.set(kTick, TimePoint{} + kTickInterval);
}

void PackWorld::run() {
  const TimePoint end = TimePoint{} + plan_.duration;
  memory_checker_.handle_start();
  while (agenda_.next_at() <= end && violations_.is_empty()) {
    const std::size_t slot = agenda_.next_slot();
    now_ = std::max(now_, agenda_.next_at());
    touched_ = 0;
    step(slot);
    check_election();
  }
  if (violations_.is_empty()) {
    now_ = end;
    finish();
  }
  for (std::size_t i = 0; i < violations_.kept().size(); ++i) {
    recorder_.add(violations_.kept()[i].at, Channel::kViolation, 0, violations_.kept()[i].invariant);
  }
}

void PackWorld::step(std::size_t slot) {
  if (slot >= kFirstBox) {
    const std::size_t index = (slot - kFirstBox) / kSlotsPerBox;
    const std::size_t part = (slot - kFirstBox) % kSlotsPerBox;
    return part == 0 ? step_host(index) : part == 1 ? step_bms(index) : step_store(index);
  }
  if (slot == kGatewaySlot) {
    return pump_gateway();
  }
  if (slot >= kFirstBus) {
    return step_bus(static_cast<std::uint8_t>(slot - kFirstBus));
  }
  switch (static_cast<Slot>(slot)) {
    case kFaults:
      return apply_faults();
    case kChanges:
      return apply_changes();
    case kHouses:
      return move_power();
    case kTick:
      return tick();
    case kFirstBus:
      break;
  }
}

// ---- buses

void PackWorld::step_bus(std::uint8_t index) {
  CanBus& bus = buses_[index];
  bus.handle_timeout(now_);
  while (const auto change = bus.poll_state_change()) {
    if (change->node < boxes_.size() && boxes_[change->node]->segment == index) {
      tell_state(change->node);
    }
  }
  while (const auto port = bus.poll_not_sent()) {
    if (*port < boxes_.size()) {
      lose_offered(*port);
    }
  }
  while (const auto delivery = bus.poll_delivery()) {
    deliver(*delivery, index);
  }
  for (std::size_t i = 0; i < boxes_.size(); ++i) {
    Box& box = *boxes_[i];
    if (box.segment == index && box.pack && (box.bus.take_sent(bus) || (touched_ >> i & 1U) != 0)) {
      pump(i);
    }
  }
  if (index == 0 && (gateway_port_.take_sent(bus) || (touched_ >> kWholePacksMax & 1U) != 0)) {
    pump_gateway();
  }
  agenda_.set(kFirstBus + index, bus.poll_timeout());
}

void PackWorld::deliver(const CanBus::Delivery& delivery, std::uint8_t bus) {
  ++figures_.frames;
  recorder_.add(now_, Channel::kCanFrame, delivery.from, delivery.frame.id, delivery.frame.payload());
  const auto address = packnet::address_of(delivery.frame);
  const bool is_state = address && address->channel == packnet::Channel::kState;
  for (std::size_t i = 0; i <= kWholePacksMax; ++i) {
    if ((delivery.to_mask >> i & 1U) == 0 || (loss_ppm_ > 0 && loss_rng_.chance(loss_ppm_))) {
      continue;
    }
    touched_ |= std::uint64_t{1} << i;
    if (i == kWholePacksMax) {
      gateway_.handle_frame(gateway_clock_.to_local(now_), delivery.frame);
      continue;
    }
    Box& box = *boxes_[i];
    const bool is_hidden = plan_.sabotage == PackSabotage::kHidesSections && i == 0 && is_state;
    if (box.pack && box.segment == bus && !is_hidden) {
      box.pack->handle_bus_frame(local(box), delivery.frame);
    }
  }
}

// ---- faults

bool PackWorld::is_affected(PackFaultKind kind, std::size_t index) const {
  return std::any_of(schedule_.faults().begin(), schedule_.faults().end(), [&](const PackFault& fault) {
    return fault.kind == kind && fault.from <= now_ && now_ < fault.until &&
           (fault.parameter & 0xFFU) % plan_.pack_count == index;
  });
}

void PackWorld::note_fault_edges() {
  for (std::size_t i = 0; i < schedule_.faults().size(); ++i) {
    const PackFault& fault = schedule_.faults()[i];
    const bool is_on = fault.from <= now_ && now_ < fault.until;
    if (is_on != is_fault_on_[i]) {
      is_fault_on_[i] = is_on;
      recorder_.add(now_, is_on ? Channel::kFaultBegin : Channel::kFaultEnd, 0,
                    static_cast<std::int64_t>(fault.kind));
    }
  }
}

void PackWorld::apply_faults() {
  note_fault_edges();
  loss_ppm_ = std::max(plan_.loss_ppm, schedule_.active(PackFaultKind::kLoss, now_).value_or(0));
  const std::uint32_t split = schedule_.active(PackFaultKind::kSplit, now_).value_or(0);
  election_checker_.set_rules(now_, loss_ppm_ > 0 ? kLossyRules : ElectionRules{});
  for (std::uint8_t group = 0; group < kBusCount; ++group) {
    election_checker_.suspend(now_, group, loss_ppm_ > kLossMax);
  }
  TimePoint next = schedule_.next_change_after(now_);
  for (std::size_t i = 0; i < boxes_.size(); ++i) {
    move(i, static_cast<std::uint8_t>(split >> i & 1U));
    apply_to_pack(i);
    for (const TimePoint at : {TimePoint{} + plan_.boots_at[i], boxes_[i]->off_until}) {
      next = at > now_ ? earliest(next, at) : next;
    }
  }
  agenda_.set(kFaults, next);
  for (std::uint8_t bus = 0; bus < kBusCount; ++bus) {
    agenda_.set(kFirstBus + bus, buses_[bus].poll_timeout());
  }
  tell_state(kWholePacksMax);
}

void PackWorld::apply_to_pack(std::size_t index) {
  Box& box = *boxes_[index];
  box.bms.set_silent(is_affected(PackFaultKind::kBmsSilent, index));
  box.is_cut_done = box.is_cut_done && (plan_.cut || is_affected(PackFaultKind::kPowerCut, index));
  const bool is_emptied = is_affected(PackFaultKind::kCrashEmpty, index);
  const bool should_run = !is_emptied && !is_affected(PackFaultKind::kCrash, index) &&
                          now_ >= box.off_until && now_ >= TimePoint{} + plan_.boots_at[index];
  if (!should_run && box.pack) {
    power_off(index);
  }
  if (is_emptied && !box.is_forgetful) {
    box.store.erase();
    box.store_checker.handle_erased();
    section_checker_.handle_erased(index);
    box.durable = energy::Facts{};
  }
  box.is_forgetful = is_emptied;
  if (should_run && !box.pack) {
    boot(index);
  }
}

void PackWorld::move(std::size_t index, std::uint8_t segment) {
  Box& box = *boxes_[index];
  if (box.segment == segment) {
    return;
  }
  const std::uint8_t before = box.segment;
  box.segment = segment;
  spreading_.reset();
  election_checker_.handle_disturbed(now_, before);
  election_checker_.handle_disturbed(now_, segment);
  if (box.pack) {
    buses_[before].set_present(now_, box.bus.port(), false);
    buses_[segment].set_present(now_, box.bus.port(), true);
    lose_offered(index);
    tell_state(index);
  }
}

// ---- people

void PackWorld::apply_changes() {
  while (next_change_ < plan_.changes.size() && plan_.changes[next_change_].at <= now_) {
    const PackChange& change = plan_.changes[next_change_++];
    Box& box = *boxes_[change.pack % boxes_.size()];
    const sections::SectionTable* table = sections::find_table(change.section);
    if (!box.pack || table == nullptr) {
      continue;
    }
    const state::Record& before = box.pack->sections().current(change.section);
    auto values = sections::decode(*table, before.payload.bytes());
    if (!values.ok()) {
      continue;
    }
    values->fields[change.field].number = change.number;
    const state::Payload old = before.payload;
    ++figures_.changes;
    if (box.pack->change_section(local(box), *table, *values)) {
      ++figures_.refused;
    } else if (const state::Record& shown = box.pack->sections().current(change.section);
               !(shown.payload == old) && loss_ppm_ <= plan_.loss_ppm) {
      figures_.not_settled += spreading_ ? 1U : 0U;
      spreading_ = Spreading{now_, change.section, mark_of(shown).digest, box.segment};
    }
    const std::size_t index = change.pack % boxes_.size();
    note_sections(index);
    pump(index);
  }
  agenda_.set(kChanges, next_change_ < plan_.changes.size() ? plan_.changes[next_change_].at : kNever);
}

void PackWorld::check_spreading() {
  if (!spreading_) {
    return;
  }
  for (const auto& box : boxes_) {
    const bool counts =
        box->pack && box->segment == spreading_->group && box->pack->network().node() != packnet::kNodeNone;
    if (counts && mark_of(box->pack->sections().current(spreading_->section)).digest != spreading_->digest) {
      return;
    }
  }
  figures_.settings_us.add((now_ - spreading_->since).count());
  spreading_.reset();
}

// ---- houses

void PackWorld::move_power() {
  agenda_.set(kHouses, now_ + kHouseStep);
  for (std::size_t i = 0; i < boxes_.size(); ++i) {
    Box& box = *boxes_[i];
    PlantInput input;
    input.unix_s = unix_s();
    input.local_s = local_s();
    input.step_ms = kHouseStep / milliseconds{1};
    input.is_grid_up = !schedule_.active(PackFaultKind::kGridOutage, now_);
    input.may_charge = box.request.may_charge;
    input.may_discharge = box.request.may_discharge;
    box.plant.step(input, box.contacts);
    const bool is_grid_open = box.contacts[energy::index_of(Relay::kGrid)] == Position::kOpen;
    const bool is_output_open = box.contacts[energy::index_of(Relay::kInverterOutput)] == Position::kOpen;
    const HybridFlows& flows = box.plant.flows();
    box.energy_checker.handle_step(now_, flows, box.plant.battery().loss_mw(),
                                   OpenContacts{is_grid_open, is_output_open}, input.step_ms);
    if (unix_s() % kSecondsPerHour < kHouseStep / seconds{1}) {
      box.energy_checker.judge(now_, box.plant.battery().stored_mj());
    }
    if (plan_.sabotage == PackSabotage::kChatters && i == 0) {
      Position& pump_contact = box.contacts[energy::index_of(Relay::kPump)];
      pump_contact = pump_contact == Position::kOpen ? Position::kClosed : Position::kOpen;
    }
    const HouseBattery& battery = box.plant.battery();
    box.bms.set_values(battery.voltage(), battery.current(), battery.soc());
    if (box.pack) {
      measure(i);
      pump(i);
    }
    check_relays(i, flows.import_mw * input.step_ms);
  }
}

RelayTruth PackWorld::truth(const Box& box) const {
  const energy::Protection limits;
  const Millivolts voltage = box.bms.told_voltage();
  const Duration silence = now_ - box.heard_bms_at;
  RelayTruth truth;
  truth.contact = box.contacts;
  truth.is_running = box.pack.has_value();
  truth.is_unsafe = truth.is_running && (silence > limits.bms_stale_after - kSampleAge ||
                                         voltage > limits.pack_max || voltage < limits.pack_min);
  truth.is_nearly_unsafe = silence > kHouseStep + kHouseStep ||
                           voltage > limits.pack_max - limits.pack_hysteresis ||
                           voltage < limits.pack_min + limits.pack_hysteresis;
  if (truth.is_running && silence <= limits.bms_stale_after) {
    truth.soc = box.plant.battery().soc();
  }
  truth.local_s = local_s();
  if (truth.is_running && box.pack->control().clock().is_known()) {
    truth.minute_of_day = static_cast<std::int32_t>(truth.local_s / 60 % 1'440);
  }
  truth.running = truth.is_running ? box.pack->control().running() : box.in_force.enabled;
  truth.home_w = whole_watts(box.plant.flows().load_mw).count();
  return truth;
}

void PackWorld::check_relays(std::size_t index, std::int64_t import_uj) {
  Box& box = *boxes_[index];
  if (box.pack && !(box.pack->control().settings() == box.in_force)) {
    box.in_force = box.pack->control().settings();
    box.relay_checker.handle_count_lost();
  }
  RelayTruth seen = truth(box);
  seen.import_uj = import_uj;
  box.relay_checker.handle_step(now_, seen, box.in_force);
}

// ---- the rest

void PackWorld::tick() {
  agenda_.set(kTick, now_ + kTickInterval);
  if (now_.time_since_epoch() / kTickInterval % kTicksPerSecond != 0) {
    return;
  }
  memory_checker_.check_memory(now_);
  const Duration busy = buses_[0].busy_time(now_);
  figures_.load_permille.add((busy - busy_before_) / milliseconds{1});
  busy_before_ = busy;
  if (plan_.sabotage == PackSabotage::kAllocates) {
    // Called by name, because a compiler may leave out a new-expression that nobody needs.
    void* waste = ::operator new(64);
    ::operator delete(waste);
  }
  const WallTime date{unix_s() * 1'000};
  gateway_.set_time(gateway_clock_.to_local(now_), date, static_cast<std::int8_t>(kWinterOffsetS / 900));
  pump_gateway();
}

void PackWorld::check_election() {
  bool has_changed = false;
  for (std::size_t i = 0; i <= boxes_.size(); ++i) {
    const bool is_gateway = i == boxes_.size();
    if ((touched_ >> (is_gateway ? kWholePacksMax : i) & 1U) == 0) {
      continue;
    }
    ElectionView view;
    const Box* box = is_gateway ? nullptr : &*boxes_[i];
    view.is_running = is_gateway ? gateway_port_.is_on_bus() : box->pack && box->bus.is_on_bus();
    view.is_candidate = !is_gateway;
    if (view.is_running) {
      const packnet::PackNetwork& network = is_gateway ? gateway_ : box->pack->network();
      view.group = is_gateway ? std::uint8_t{0} : box->segment;
      view.id = network.node();
      view.is_master = network.is_master();
      view.master = network.master();
    }
    has_changed = has_changed || !(view == views_[i]);
    views_[i] = view;
  }
  if (has_changed || !election_checker_.is_quiet()) {
    election_checker_.check(now_, std::span{views_}.first(boxes_.size() + 1));
  }
}

// After the quiet time all packs hold the same. Equal contents are agreement: their stamps may differ.
void PackWorld::finish() {
  figures_.not_settled += spreading_ ? 1U : 0U;
  if (!plan_.is_whole) {
    return;
  }
  for (const state::SectionSpec& spec : sections::pack_specs()) {
    std::optional<std::uint64_t> first;
    for (const auto& box : boxes_) {
      if (!box->pack) {
        continue;
      }
      const std::uint64_t digest = mark_of(box->pack->sections().current(spec.id)).digest;
      if (first && *first != digest) {
        violations_.add(kInvariantSections, now_,
                        "packs hold different sections after a quiet time; a: section", spec.id);
      }
      first = digest;
    }
  }
}

PackFigures PackWorld::figures() const {
  PackFigures figures = figures_;
  for (const auto& box : boxes_) {
    figures.store_writes += box->store.statistics().writes;
    figures.error_ppm_max = std::max(figures.error_ppm_max, box->energy_checker.error_ppm_max());
    for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
      figures.relay_operations += box->relay_checker.switch_count(energy::relay_at(i));
    }
  }
  return figures;
}

}  // namespace amphora::sim
