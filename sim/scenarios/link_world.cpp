// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/link_world.hpp"

#include <algorithm>

#include "core/base/crc.hpp"

namespace amphora::sim {

namespace {

constexpr std::size_t kEpochsMax = 256;
constexpr Duration kMemoryCheckInterval{1'000'000};
constexpr std::uint16_t kReadingFormat = 1;
// A mark and a place for each reading; see link_stores.cpp.
constexpr std::size_t kQueueKeys = 257;
constexpr std::size_t kQueueValueSize = 128;
// What may still be on its way to the database at the end of a quiet time.
constexpr Duration kFlowMax{5'000'000};
constexpr std::size_t kReadingSizeMin = 16;
constexpr std::size_t kReadingSizeSpread = 64;
// Locally administered, so that nobody's real box is meant.
constexpr std::uint64_t kFirstAddress = 0x0210'0000'0001;

std::uint64_t digest_of(ByteSpan bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.value();
}

// Room for every reading of a run, boots and all.
std::size_t reading_count_max(const LinkPlan& plan) {
  return static_cast<std::size_t>(plan.duration / plan.reading_period) + 64;
}

}  // namespace

void LinkFigures::merge(const LinkFigures& other) {
  discovery_us.merge(other.discovery_us);
  session_us.merge(other.session_us);
  recovery_us.merge(other.recovery_us);
  settings_us.merge(other.settings_us);
  not_found += other.not_found;
  not_recovered += other.not_recovered;
  not_settled += other.not_settled;
  produced += other.produced;
  delivered += other.delivered;
  lost += other.lost;
  duplicated += other.duplicated;
  dropped_counted += other.dropped_counted;
  lost_with_power += other.lost_with_power;
  live_cells += other.live_cells;
  on_air += other.on_air;
  virtual_time += other.virtual_time;
}

LinkWorld::LinkWorld(const LinkPlan& plan)
    : plan_{plan},
      schedule_{plan.faults},
      rng_{plan.seed},
      air_{plan.air, kLinkBoxCount + 1, rng_.fork()},
      router_channel_{plan.receiver_channel},
      section_checker_{2 * kTransmittersMax, kSectionCount, violations_},
      delivery_checker_{kLinkBoxCount, reading_count_max(plan), violations_},
      memory_checker_{violations_} {
  epochs_.reserve(kEpochsMax);
  for (std::uint8_t box = 0; box < kLinkBoxCount; ++box) {
    boxes_.emplace_back(plan.store, rng_, violations_);
    const std::uint8_t identity = box == kTwinBox ? 0 : box;
    boxes_[box].address = NodeId{kFirstAddress + identity};
    boxes_[box].stored_channel = plan.last_channel;
    if (plan.is_queue_persistent && box != kReceiverBox) {
      FlashStoreConfig config = plan.store;
      config.key_count_max = kQueueKeys;
      config.value_size_max = kQueueValueSize;
      boxes_[box].queue_store.emplace(config, rng_.fork());
    }
    air_.set_address(box, boxes_[box].address);
  }
  for (std::uint8_t transmitter = 0; transmitter < plan.transmitter_count; ++transmitter) {
    section_checker_.set_group(2U * transmitter, transmitter + 1U);
    section_checker_.set_group(2U * transmitter + 1, transmitter + 1U);
  }
  agenda_.set(kFaults, TimePoint{});
  agenda_.set(kMemory, TimePoint{} + kMemoryCheckInterval);
  agenda_.set(kScript, plan.edits.empty() ? kNever : plan.edits.front().at);
}

void LinkWorld::run() {
  const TimePoint end = TimePoint{} + plan_.duration;
  memory_checker_.handle_start();
  while (agenda_.next_at() <= end) {
    const std::size_t slot = agenda_.next_slot();
    now_ = std::max(now_, agenda_.next_at());
    step(slot);
    if (!violations_.is_empty() && plan_.stops_at_violation) {
      break;
    }
  }
  if (violations_.is_empty() || !plan_.stops_at_violation) {
    now_ = end;
    finish();
  }
  for (std::size_t i = 0; i < violations_.kept().size(); ++i) {
    const Violation& violation = violations_.kept()[i];
    recorder_.add(violation.at, Channel::kViolation, 0, violation.invariant);
  }
}

void LinkWorld::step(std::size_t slot) {
  if (slot >= kFirstNode) {
    return pump(static_cast<std::uint8_t>(slot - kFirstNode));
  }
  if (slot >= kFirstBattery) {
    return step_battery(static_cast<std::uint8_t>(slot - kFirstBattery));
  }
  if (slot >= kFirstStore) {
    return step_stores(static_cast<std::uint8_t>(slot - kFirstStore));
  }
  switch (static_cast<Slot>(slot)) {
    case kFaults:
      return apply_faults();
    case kScript:
      return step_script();
    case kAttack:
      return attack();
    case kMemory:
      check_memory();
      return agenda_.set(kMemory, now_ + kMemoryCheckInterval);
    case kAir:
      return step_air();
    case kFirstStore:
      break;
  }
}

// ---- air

void LinkWorld::step_air() {
  air_.handle_timeout(now_);
  while (const auto heard = air_.poll_heard()) {
    const ByteSpan payload = air_.last_payload(heard->from);
    recorder_.add(now_, Channel::kAirFrame, heard->from,
                  heard->channel | (heard->try_number << 8U) | (heard->got_mask << 16U), payload);
    if (has(LinkFaultKind::kAttacker) && heard->from != kAttackerStation) {
      RecordedFrame frame;
      frame.from = air_.address(heard->from);
      frame.to = air_.last_destination(heard->from);
      frame.channel = heard->channel;
      frame.size = static_cast<std::uint8_t>(payload.size());
      std::copy(payload.begin(), payload.end(), frame.bytes.begin());
      (void)recorded_.push_overwrite(frame);
    }
  }
  agenda_.set(kAir, air_.poll_timeout());
  for (std::uint8_t box = 0; box < kLinkBoxCount; ++box) {
    if (is_running(boxes_[box]) && air_.has_news(box, now_)) {
      pump(box);
    }
  }
}

// ---- people

void LinkWorld::step_script() {
  while (next_edit_ < plan_.edits.size() && plan_.edits[next_edit_].at <= now_) {
    edit(plan_.edits[next_edit_]);
    ++next_edit_;
  }
  agenda_.set(kScript, next_edit_ < plan_.edits.size() ? plan_.edits[next_edit_].at : kNever);
}

void LinkWorld::edit(const LinkEdit& edit) {
  Box& box = boxes_[edit.box];
  if (!is_running(box)) {
    return;
  }
  state::Replica* sections = replica(edit.box, edit.transmitter);
  if (sections == nullptr) {
    return;
  }
  // Sizes of real sections: 20 to 200 bytes, each section its own.
  std::array<std::uint8_t, state::kPayloadSizeMax> bytes{};
  const std::size_t size = 20U + 60U * edit.section;
  const std::uint32_t text = edit.number * 8U + edit.box;
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>((text >> (i % 4 * 8)) + i / 4);
  }
  const auto section = static_cast<state::SectionId>(edit.section + 1U);
  const TimePoint at = local(box);
  const auto outcome = sections->change(at, section, ByteSpan{bytes}.first(size));
  if (!outcome.ok()) {
    return;
  }
  OpenEdit& open = open_edits_[edit.transmitter][section];
  open.is_open = true;
  open.at = now_;
  open.made_at = edit.box;
  open.shows_at = edit.box == kReceiverBox ? edit.transmitter : kReceiverBox;
  open.digest = digest_of(ByteSpan{bytes}.first(size));
  if (box.transmitter) {
    box.transmitter->settle(at);
  } else {
    box.receiver->settle(at);
  }
  pump(edit.box);
}

// ---- battery

void LinkWorld::step_battery(std::uint8_t index) {
  Box& box = boxes_[index];
  if (!is_running(box)) {
    // A box that stalls reads no battery; it goes on when it runs again.
    box.next_reading = std::max(box.next_reading, now_ + plan_.reading_period);
    box.next_cells = std::max(box.next_cells, now_ + plan_.reading_period);
    agenda_.set(kFirstBattery + index, earliest(box.next_reading, box.next_cells));
    return;
  }
  const TimePoint at = local(box);
  if (box.next_reading <= now_) {
    box.next_reading += plan_.reading_period;
    ++box.reading_number;
    std::array<std::uint8_t, kReadingSizeMin + kReadingSizeSpread> bytes{};
    const std::size_t size = kReadingSizeMin + rng_.below(kReadingSizeSpread);
    store<std::uint32_t>(bytes.data(), box.reading_number, Endian::kLittle);
    store<std::uint32_t>(bytes.data() + 4, box.epoch, Endian::kLittle);
    const ByteSpan payload = ByteSpan{bytes}.first(size);
    const auto sequence = box.transmitter->add_reading(at, payload, kReadingFormat);
    if (sequence.ok() && delivery_checker_.has_room(index)) {
      delivery_checker_.handle_produced(index, box.epoch, *sequence, digest_of(payload));
    }
  }
  if (box.next_cells <= now_) {
    box.next_cells += plan_.cells_period;
    std::array<std::uint16_t, telemetry::kLiveCellsMax> cells{};
    const std::uint32_t moment = rng_.below(8'000);
    const std::size_t count = std::min<std::size_t>(plan_.cell_count, cells.size());
    for (std::size_t i = 0; i < count; ++i) {
      cells[i] = static_cast<std::uint16_t>(moment + i);
    }
    box.transmitter->set_cells(at, telemetry::CellsKind::kVoltage, std::span{cells}.first(count));
  }
  agenda_.set(kFirstBattery + index, earliest(box.next_reading, box.next_cells));
  pump(index);
}

// ---- what is seen

void LinkWorld::observe(std::uint8_t box, bool is_thorough) {
  for (std::size_t owner = 0; owner < plan_.transmitter_count; ++owner) {
    const state::Replica* sections = box == kTwinBox ? nullptr : replica(box, owner);
    if (sections == nullptr) {
      continue;
    }
    const std::size_t who = holder(box, owner);
    for (std::size_t section = 1; section < kSectionCount; ++section) {
      const state::Record& record = sections->current(static_cast<state::SectionId>(section));
      const SectionMark& before = section_checker_.shown(who, section);
      const bool is_same = record.version == before.version && record.origin.value == before.origin &&
                           record.stamp.physical_ms == before.stamp_ms &&
                           record.stamp.logical == before.stamp_logical;
      if (is_same && !is_thorough) {
        continue;
      }
      const SectionMark mark = mark_of(record);
      section_checker_.handle_shown(now_, who, section, mark);
      std::array<std::uint8_t, 5> detail{};
      detail[0] = static_cast<std::uint8_t>(owner);
      store<std::uint32_t>(detail.data() + 1, mark.version, Endian::kLittle);
      recorder_.add(now_, Channel::kSection, box, static_cast<std::int64_t>(section), detail);
      OpenEdit& open = open_edits_[owner][section];
      if (open.is_open && open.shows_at == box && open.digest == mark.digest) {
        open.is_open = false;
        figures_.settings_us.add((now_ - open.at).count());
      }
    }
  }
}

SourceCounters LinkWorld::counters_of(const Box& box) const {
  SourceCounters counters;
  if (box.transmitter) {
    const telemetry::SenderMetrics& metrics = box.transmitter->queue().metrics();
    counters.added = metrics.added;
    counters.acked = metrics.acked;
    counters.dropped = metrics.dropped;
    counters.expired = metrics.expired;
    counters.waiting = box.transmitter->queue().waiting_count();
  }
  return counters;
}

std::optional<std::uint8_t> LinkWorld::source_of(std::uint32_t epoch) const {
  for (const EpochOwner& owner : epochs_) {
    if (owner.epoch == epoch) {
      return owner.source;
    }
  }
  return std::nullopt;
}

void LinkWorld::check_memory() {
  if (plan_.sabotage == LinkSabotage::kAllocates) {
    void* waste = ::operator new(64);
    ::operator delete(waste);
  }
  memory_checker_.check_memory(now_);
  for (std::uint8_t index = 0; index < kLinkBoxCount; ++index) {
    const Box& box = boxes_[index];
    memory_checker_.check_queue(now_, air_.waiting_count(index), Air::kReceiveCapacity);
    if (box.transmitter) {
      memory_checker_.check_queue(now_, box.transmitter->queue().waiting_count(),
                                  box.transmitter->queue().capacity());
      delivery_checker_.judge(now_, index, counters_of(box));
    }
  }
}

void LinkWorld::finish() {
  check_memory();
  for (std::uint8_t index = 0; index < kLinkBoxCount; ++index) {
    Box& box = boxes_[index];
    observe(index, true);
    const SourceCounters counters = counters_of(box);
    delivery_checker_.judge_end(now_, index, counters);
    figures_.produced += delivery_checker_.produced(index);
    figures_.delivered += delivery_checker_.delivered(index);
    figures_.lost += delivery_checker_.lost(index, counters);
    figures_.duplicated += delivery_checker_.duplicated(index);
    figures_.dropped_counted += delivery_checker_.given_up(index, counters);
    figures_.lost_with_power += delivery_checker_.lost_with_power(index);
    figures_.on_air += air_.statistics(index).on_air;
    // A stamped change is written at most once on each side, a waiting one once more when it is stamped.
    const std::uint64_t burst = 3 * plan_.edits.size() + 3 * box.boot_count + 8;
    constexpr std::uint64_t kWritesPerYear = 10'000;
    box.store_checker.judge_wear(now_, box.store, kWritesPerYear, burst);
  }
  figures_.virtual_time = now_.time_since_epoch();
  if (plan_.quiet > Duration{}) {
    section_checker_.judge_equal(now_);
    const auto under_way = static_cast<std::uint64_t>(kFlowMax / plan_.reading_period) + 1;
    for (std::uint8_t index = 0; index < plan_.transmitter_count; ++index) {
      const std::uint64_t waiting = counters_of(boxes_[index]).waiting;
      if (waiting > under_way) {
        violations_.add(kInvariantDelivery, now_,
                        "readings wait although nothing is wrong any more; a: how many, b: box",
                        static_cast<std::int64_t>(waiting), index);
      }
    }
  }
  for (std::size_t i = 0; i < plan_.transmitter_count; ++i) {
    figures_.not_found += boxes_[i].has_had_session ? 0U : 1U;
    for (std::size_t section = 1; section < kSectionCount; ++section) {
      // Still in force where it was made, but not seen where it should be.
      const OpenEdit& open = open_edits_[i][section];
      const bool is_in_force = section_checker_.shown(holder(open.made_at, i), section).digest == open.digest;
      figures_.not_settled += open.is_open && is_in_force ? 1U : 0U;
    }
  }
  if (plan_.recovers_from && !has_recovered_) {
    ++figures_.not_recovered;
  }
}

}  // namespace amphora::sim
