// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/packs_world.hpp"

#include <algorithm>
#include <new>

#include "core/base/assert.hpp"

namespace amphora::sim {

namespace {

constexpr std::int32_t kBitsPerSecond = 500'000;
constexpr Duration kTickInterval = std::chrono::milliseconds{10};
constexpr std::int64_t kTicksPerSecond = 100;
// Of a frame with eight bytes, at its longest.
constexpr Duration kFrameTime{270};
// Up to this loss invariants 3 and 4 are demanded, with the longer bounds below.
constexpr std::uint32_t kLossMax = 100'000;
constexpr ElectionRules kLossyRules{std::chrono::seconds{2}, std::chrono::seconds{1},
                                    std::chrono::seconds{3}};
// Up to this failover and merging are measured, though nothing is demanded of them.
constexpr std::uint32_t kMeasuredLossMax = 200'000;
constexpr std::uint32_t kErrorsMax = 20'000;
constexpr std::uint32_t kBabbleMax = 50;  // percent

}  // namespace

void PacksFigures::merge(const PacksFigures& other) {
  claim_us.merge(other.claim_us);
  election_us.merge(other.election_us);
  failover_us.merge(other.failover_us);
  merge_us.merge(other.merge_us);
  load_permille.merge(other.load_permille);
  shared_id_max_ms = std::max(shared_id_max_ms, other.shared_id_max_ms);
  duplicate_alarms += other.duplicate_alarms;
  ids_changed += other.ids_changed;
  not_claimed += other.not_claimed;
  not_failed_over += other.not_failed_over;
  not_merged += other.not_merged;
  unseen += other.unseen;
  frames += other.frames;
  bus_offs += other.bus_offs;
}

PacksWorld::PacksWorld(const PacksPlan& plan)
    : plan_{plan},
      schedule_{plan.faults},
      rng_{plan.seed},
      loss_rng_{rng_.fork()},
      buses_{CanBus{kPackBoxCount + 1, kBitsPerSecond, rng_.fork()},
             CanBus{kPackBoxCount + 1, kBitsPerSecond, rng_.fork()}},
      election_checker_{ElectionRules{}, violations_},
      memory_checker_{violations_} {
  AMPHORA_ASSERT(plan.faults.size() <= kFaultsMax && plan.pack_count <= kPacksMax);
  for (CanBus& bus : buses_) {
    for (CanBus::Node port = 0; port <= kBabblerPort; ++port) {
      bus.set_present(now_, port, false);
    }
    while (bus.poll_state_change()) {
    }
  }
  for (std::size_t i = 0; i < kPackBoxCount; ++i) {
    boxes_[i].stored_node = plan.boxes[i].stored_node;
    if (plan.has_box(i)) {
      used_.push_back(i);
    }
  }
  agenda_.set(kFaults, TimePoint{});
  agenda_.set(kTick, TimePoint{} + kTickInterval);
}

void PacksWorld::run() {
  const TimePoint end = TimePoint{} + plan_.duration;
  memory_checker_.handle_start();
  while (agenda_.next_at() <= end) {
    const std::size_t slot = agenda_.next_slot();
    now_ = std::max(now_, agenda_.next_at());
    touched_ = 0;
    step(slot);
    check();
    if (!violations_.is_empty() && plan_.stops_at_violation) {
      break;
    }
  }
  if (violations_.is_empty() || !plan_.stops_at_violation) {
    now_ = end;
  }
  finish();
  for (std::size_t i = 0; i < violations_.kept().size(); ++i) {
    const Violation& violation = violations_.kept()[i];
    recorder_.add(violation.at, Channel::kViolation, 0, violation.invariant);
  }
}

void PacksWorld::step(std::size_t slot) {
  if (slot >= kFirstBox) {
    return step_host(slot - kFirstBox);
  }
  if (slot >= kFirstBus) {
    return step_bus(static_cast<std::uint8_t>(slot - kFirstBus));
  }
  switch (static_cast<Slot>(slot)) {
    case kFaults:
      return apply_faults();
    case kTick:
      return tick();
    case kBabbler:
      return babble();
    case kFirstBus:
      break;
  }
}

// ---- buses

void PacksWorld::step_bus(std::uint8_t index) {
  CanBus& bus = buses_[index];
  bus.handle_timeout(now_);
  while (const auto change = bus.poll_state_change()) {
    if (change->node < kPackBoxCount && boxes_[change->node].segment == index) {
      recorder_.add(now_, Channel::kCanState, change->node, static_cast<std::int64_t>(change->state));
      tell_state(change->node);
    }
  }
  while (const auto port = bus.poll_not_sent()) {
    if (*port < kPackBoxCount) {
      lose_offered(*port);
    }
  }
  while (const auto delivery = bus.poll_delivery()) {
    deliver(*delivery, index);
  }
  // Who got nothing and sent nothing has nothing new to do; its own slot wakes it.
  for (const std::size_t i : used_) {
    Box& box = boxes_[i];
    if (!box.node || box.segment != index) {
      continue;
    }
    if (box.offered_at != kNever && bus.pending_count(port(i)) == 0) {
      box.offered_at = kNever;
      touch(i);
    }
    if ((touched_ >> i & 1U) != 0) {
      pump(i);
    }
  }
  agenda_.set(kFirstBus + index, bus.poll_timeout());
}

void PacksWorld::deliver(const CanBus::Delivery& delivery, std::uint8_t bus) {
  ++figures_.frames;
  recorder_.add(now_, Channel::kCanFrame, delivery.from, delivery.frame.id, delivery.frame.payload());
  for (const std::size_t i : used_) {
    Box& box = boxes_[i];
    if ((delivery.to_mask >> i & 1U) == 0 || !box.node || box.segment != bus) {
      continue;
    }
    if (loss_ppm_ > 0 && loss_rng_.chance(loss_ppm_)) {
      continue;
    }
    touch(i);
    take_frame(i, delivery.frame);
    if (duplicate_ppm_ > 0 && loss_rng_.chance(duplicate_ppm_)) {
      take_frame(i, delivery.frame);
    }
  }
}

// PacksSabotage: what a host keeps from its node.
bool PacksWorld::is_hidden(const Box& box, std::size_t index, const can::Frame& frame) const {
  if (plan_.sabotage == PacksSabotage::kNone) {
    return false;
  }
  const auto address = packnet::address_of(frame);
  if (!address) {
    return false;
  }
  if (plan_.sabotage == PacksSabotage::kHidesBeacons) {
    const bool is_answer = address->channel == packnet::Channel::kReport && frame.data[0] == 3;
    return index == 0 && (address->channel == packnet::Channel::kMasterBeacon || is_answer);
  }
  const bool is_claim = address->channel == packnet::Channel::kClaim;
  return plan_.sabotage == PacksSabotage::kHidesOwnId && box.node->node() != packnet::kNodeNone &&
         address->node == box.node->node() && (is_claim || packnet::is_sent_by(*address, box.node->node()));
}

void PacksWorld::babble() {
  const auto wanted = parameter(PacksFaultKind::kBabble);
  if (!wanted) {
    agenda_.set(kBabbler, kNever);
    return;
  }
  const std::uint32_t percent = std::clamp(*wanted >> 16U, 1U, 100U);
  can::Frame frame;
  frame.id = *wanted & can::kStandardIdMax;
  frame.size = can::kDataSizeMax;
  while (buses_[0].can_accept(kBabblerPort)) {
    (void)buses_[0].offer(now_, kBabblerPort, frame);
    if (percent < 100) {
      break;
    }
  }
  agenda_.set(kBabbler, now_ + kFrameTime * 100 / percent);
  agenda_.set(kFirstBus, buses_[0].poll_timeout());
}

// ---- faults

std::optional<std::uint32_t> PacksWorld::box_fault(PacksFaultKind kind, std::size_t index) const {
  for (const PacksFault& fault : schedule_.faults()) {
    const bool is_on = fault.kind == kind && fault.from <= now_ && now_ < fault.until;
    if (is_on && (fault.parameter & 0xFFU) % plan_.pack_count == index) {
      return fault.parameter >> 8U;
    }
  }
  return std::nullopt;
}

std::optional<std::size_t> PacksWorld::master_box() const {
  for (std::size_t i = 0; i < kPacksMax; ++i) {
    const Box& box = boxes_[i];
    if (box.node && !box.is_stalled && box.segment == 0 && box.node->node() != packnet::kNodeNone &&
        box.node->is_master()) {
      return i;
    }
  }
  return std::nullopt;
}

void PacksWorld::note_fault_edges() {
  for (std::size_t i = 0; i < schedule_.faults().size(); ++i) {
    const PacksFault& fault = schedule_.faults()[i];
    const bool is_on = fault.from <= now_ && now_ < fault.until;
    if (is_on == is_fault_on_[i]) {
      continue;
    }
    is_fault_on_[i] = is_on;
    recorder_.add(now_, is_on ? Channel::kFaultBegin : Channel::kFaultEnd, 0,
                  static_cast<std::int64_t>(fault.kind));
    if (fault.kind == PacksFaultKind::kKillMaster) {
      victims_[i] = is_on ? master_box() : std::nullopt;
      if (victims_[i] && is_measured_ && election_checker_.is_settled(0) &&
          election_checker_.active_count(0) > 1) {
        failover_from_ = now_;
      }
    }
  }
}

void PacksWorld::apply_faults() {
  note_fault_edges();
  loss_ppm_ = std::max(plan_.loss_ppm, parameter(PacksFaultKind::kLoss).value_or(0));
  duplicate_ppm_ = parameter(PacksFaultKind::kDuplicate).value_or(0);
  const auto split = parameter(PacksFaultKind::kSplit);
  const bool was_split = is_split_;
  is_split_ = split.has_value();
  const bool has_two_masters = election_checker_.master_count(0) > 0 && election_checker_.master_count(1) > 0;
  for (const std::size_t i : used_) {
    touch(i);
    move(i, static_cast<std::uint8_t>(split.value_or(0) >> (i % 32) & 1U));
    apply_to_box(i);
  }
  if (was_split && !is_split_ && has_two_masters) {
    merge_from_ = now_;
  }
  apply_rules();
  const bool babbles = parameter(PacksFaultKind::kBabble).has_value();
  buses_[0].set_present(now_, kBabblerPort, babbles);
  if (babbles && agenda_.at(kBabbler) == kNever) {
    agenda_.set(kBabbler, now_);
  }
  TimePoint next = schedule_.next_change_after(now_);
  for (const std::size_t i : used_) {
    const TimePoint boots_at = TimePoint{} + plan_.boxes[i].boots_at;
    if (boots_at > now_) {
      next = earliest(next, boots_at);
    }
  }
  agenda_.set(kFaults, next);
  for (std::uint8_t bus = 0; bus < kBusCount; ++bus) {
    agenda_.set(kFirstBus + bus, buses_[bus].poll_timeout());
  }
}

// What may be demanded now, and from now on.
void PacksWorld::apply_rules() {
  const auto babble = parameter(PacksFaultKind::kBabble);
  const bool is_lossy = loss_ppm_ > 0;
  bool has_errors = false;
  for (std::size_t i = 0; i < plan_.pack_count; ++i) {
    has_errors = has_errors || box_fault(PacksFaultKind::kErrors, i).value_or(0) > kErrorsMax;
  }
  const bool is_disturbed = has_errors || (babble && (*babble >> 16U) > kBabbleMax);
  has_trouble_ = loss_ppm_ > kLossMax || is_disturbed;
  is_measured_ = loss_ppm_ <= kMeasuredLossMax && !is_disturbed;
  is_load_measured_ = false;
  election_checker_.set_rules(now_, is_lossy ? kLossyRules : ElectionRules{});
  election_checker_.suspend(now_, 0, has_trouble_);
  election_checker_.suspend(now_, 1, has_trouble_);
  if (!is_measured_) {
    failover_from_.reset();
    merge_from_.reset();
  }
}

void PacksWorld::apply_to_box(std::size_t index) {
  Box& box = boxes_[index];
  const bool is_emptied = index < kPacksMax && box_fault(PacksFaultKind::kCrashEmpty, index).has_value();
  bool is_off = is_emptied || (index < kPacksMax && box_fault(PacksFaultKind::kCrash, index).has_value());
  for (const auto& victim : victims_) {
    is_off = is_off || victim == index;
  }
  const bool should_run = !is_off && now_ >= TimePoint{} + plan_.boxes[index].boots_at;
  const std::uint32_t errors = index < kPacksMax ? box_fault(PacksFaultKind::kErrors, index).value_or(0) : 0;
  for (CanBus& bus : buses_) {
    bus.set_error_rate(now_, port(index), errors);
  }
  if (!should_run && box.node) {
    crash(index);
  }
  if (is_emptied) {
    box.stored_node = packnet::kNodeNone;
  }
  if (should_run && !box.node) {
    boot(index);
  }
  const bool is_stalled = index < kPacksMax && box_fault(PacksFaultKind::kStall, index).has_value();
  if (box.node && is_stalled != box.is_stalled) {
    set_stalled(index, is_stalled);
  }
}

void PacksWorld::move(std::size_t index, std::uint8_t segment) {
  Box& box = boxes_[index];
  if (box.segment == segment) {
    return;
  }
  const std::uint8_t before = box.segment;
  box.segment = segment;
  election_checker_.handle_disturbed(now_, before);
  election_checker_.handle_disturbed(now_, segment);
  if (!box.node) {
    return;
  }
  buses_[before].set_present(now_, port(index), false);
  buses_[segment].set_present(now_, port(index), true);
  if (box.offered_at != kNever) {
    lose_offered(index);
  }
  tell_state(index);
}

// ---- measuring and checking

void PacksWorld::tick() {
  agenda_.set(kTick, now_ + kTickInterval);
  if (now_.time_since_epoch() / kTickInterval % kTicksPerSecond != 0) {
    return;
  }
  memory_checker_.check_memory(now_);
  for (const CanBus& bus : buses_) {
    memory_checker_.check_balance(now_, bus.dropped_delivery_count(), 0, 0, 0);
  }
  const Duration busy = buses_[0].busy_time(now_);
  std::size_t running = 0;
  for (const std::size_t i : used_) {
    const Box& box = boxes_[i];
    running += box.node && box.segment == 0 ? 1U : 0U;
  }
  const bool has_noise = !is_measured_ || parameter(PacksFaultKind::kBabble) || running < 2;
  if (is_load_measured_ && !has_noise) {
    figures_.load_permille.add((busy - busy_before_) / std::chrono::milliseconds{1});
  }
  busy_before_ = busy;
  is_load_measured_ = !has_noise;
  if (plan_.sabotage == PacksSabotage::kAllocates) {
    // Called by name, because a compiler may leave out a new-expression that nobody needs.
    void* waste = ::operator new(64);
    ::operator delete(waste);
  }
  for (const std::size_t i : used_) {
    Box& box = boxes_[i];
    if (box.node && !box.is_stalled) {
      box.node->set_telemetry(make_telemetry(i));
      pump(i);
    }
  }
}

ElectionView PacksWorld::view_of(std::size_t index) const {
  const Box& box = boxes_[index];
  const bool is_on_bus =
      box.told_state == can::BusState::kActive || box.told_state == can::BusState::kErrorPassive;
  ElectionView view;
  view.is_running = box.node && !box.is_stalled && is_on_bus;
  if (view.is_running) {
    view.group = box.segment;
    view.is_candidate = packnet::is_candidate(plan_.boxes[index].type);
    view.id = box.node->node();
    view.is_master = box.node->is_master();
    view.master = box.node->master();
  }
  return view;
}

void PacksWorld::check() {
  bool has_changed = false;
  for (std::size_t i = 0; i < used_.size(); ++i) {
    if ((touched_ >> used_[i] & 1U) == 0) {
      continue;
    }
    const ElectionView view = view_of(used_[i]);
    has_changed = has_changed || !(view == views_[i]);
    views_[i] = view;
  }
  if (has_changed || !election_checker_.is_quiet()) {
    election_checker_.check(now_, std::span{views_}.first(used_.size()));
  }
  if (failover_from_ && election_checker_.is_settled(0)) {
    figures_.failover_us.add((now_ - *failover_from_).count());
    failover_from_.reset();
  }
  if (merge_from_ && election_checker_.is_settled(0) && !election_checker_.has_shared_id(0)) {
    figures_.merge_us.add((now_ - *merge_from_).count());
    merge_from_.reset();
  }
}

void PacksWorld::finish() {
  for (std::size_t i = 0; i < kPacksMax; ++i) {
    Box& box = boxes_[i];
    if (!box.node) {
      continue;
    }
    close_claim(box);
    figures_.not_claimed += box.node->node() == packnet::kNodeNone ? 1U : 0U;
    for (std::size_t k = 0; k < kPacksMax; ++k) {
      const Box& other = boxes_[k];
      const bool can_know =
          k != i && other.node && other.segment == box.segment && other.node->node() != packnet::kNodeNone;
      figures_.unseen += can_know && box.node->nodes().find(other.node->node()) == nullptr ? 1U : 0U;
    }
  }
  for (const CanBus& bus : buses_) {
    for (CanBus::Node port = 0; port < kPackBoxCount; ++port) {
      figures_.bus_offs += bus.statistics(port).bus_off_count;
    }
  }
  figures_.not_failed_over += failover_from_ ? 1U : 0U;
  figures_.not_merged += merge_from_ ? 1U : 0U;
  figures_.shared_id_max_ms = to_milliseconds(election_checker_.longest_shared());
}

}  // namespace amphora::sim
