// SPDX-License-Identifier: Apache-2.0
// How each kind of fault acts on the world of the radio link.
#include <algorithm>

#include "sim/scenarios/link_world.hpp"

namespace amphora::sim {

namespace {

constexpr std::int32_t kUsualAttenuationDb = 60;
constexpr Duration kBurstShare{9};  // good times are so much longer than bad ones
constexpr Duration kAttackMin{20'000};
constexpr Duration kAttackMax{200'000};
constexpr std::int64_t kClockStepBias = std::int64_t{1} << 23U;

}  // namespace

std::uint8_t LinkWorld::box_of(std::uint32_t parameter) const {
  const auto box = static_cast<std::uint8_t>(parameter & 0xFFU);
  return box == kReceiverBox || box < plan_.transmitter_count ? box : 0;
}

std::optional<std::uint32_t> LinkWorld::box_fault(LinkFaultKind kind, std::uint8_t box) const {
  for (const LinkFault& fault : schedule_.faults()) {
    if (fault.kind == kind && fault.from <= now_ && now_ < fault.until && box_of(fault.parameter) == box) {
      return strength_of(fault.parameter);
    }
  }
  return std::nullopt;
}

void LinkWorld::apply_faults() {
  for (std::size_t i = 0; i < active_.size(); ++i) {
    active_[i] = schedule_.active(static_cast<LinkFaultKind>(i), now_);
  }
  TimePoint next = schedule_.next_change_after(now_);
  for (std::uint8_t box = 0; box < kLinkBoxCount; ++box) {
    const TimePoint boots_at = TimePoint{} + plan_.boxes[box].boots_at;
    next = boots_at > now_ ? earliest(next, boots_at) : next;
  }
  agenda_.set(kFaults, next);
  apply_air_faults();
  apply_edges();
  for (std::uint8_t box = 0; box < kLinkBoxCount; ++box) {
    apply_box_faults(box);
  }
  const bool is_attacked = has(LinkFaultKind::kAttacker);
  air_.set_power(now_, kAttackerStation, is_attacked);
  if (is_attacked && agenda_.at(kAttack) == kNever) {
    agenda_.set(kAttack, now_ + kAttackMin);
  }
  agenda_.set(kAir, air_.poll_timeout());
}

void LinkWorld::apply_edges() {
  for (const LinkFault& fault : schedule_.faults()) {
    if (fault.from == now_) {
      std::array<std::uint8_t, 4> bytes{};
      store<std::uint32_t>(bytes.data(), fault.parameter, Endian::kLittle);
      recorder_.add(now_, Channel::kFaultBegin, 0, static_cast<std::int64_t>(fault.kind), bytes);
    }
    if (fault.until == now_) {
      recorder_.add(now_, Channel::kFaultEnd, 0, static_cast<std::int64_t>(fault.kind));
    }
    if (fault.kind == LinkFaultKind::kRouterChannel && fault.until == now_) {
      router_channel_ = static_cast<std::uint8_t>(fault.parameter);
      Box& box = boxes_[kReceiverBox];
      if (box.receiver) {
        box.receiver->set_channel(local(box), router_channel_);
      }
    }
    if (fault.kind == LinkFaultKind::kClockStep && fault.from == now_) {
      Box& box = boxes_[box_of(fault.parameter)];
      const std::chrono::seconds step{std::int64_t{strength_of(fault.parameter)} - kClockStepBias};
      box.date.step(now_, step);
      const auto date = box.date.at(now_);
      if (date && box.transmitter) {
        (void)box.transmitter->set_wall_time(local(box), *date);
      } else if (date && box.receiver) {
        (void)box.receiver->set_wall_time(local(box), *date);
      }
    }
  }
}

void LinkWorld::apply_air_faults() {
  AirFaults faults;
  faults.loss_ppm = std::max(parameter(LinkFaultKind::kAirLoss).value_or(0), plan_.loss_ppm);
  faults.burst_length_mean = std::chrono::milliseconds{parameter(LinkFaultKind::kAirBursts).value_or(0)};
  faults.burst_every_mean = kBurstShare.count() * faults.burst_length_mean;
  faults.duplicate_ppm = parameter(LinkFaultKind::kAirDuplicate).value_or(0);
  faults.swallow_ppm = parameter(LinkFaultKind::kAirSwallow).value_or(0);
  faults.corrupt_ppm = parameter(LinkFaultKind::kAirCorrupt).value_or(0);
  faults.undetected_ppm = parameter(LinkFaultKind::kAirUndetected).value_or(0);
  faults.delay = std::chrono::milliseconds{parameter(LinkFaultKind::kAirDelay).value_or(0)};
  faults.jitter_max = std::chrono::milliseconds{parameter(LinkFaultKind::kAirJitter).value_or(0)};
  const bool is_receiver_away = has(LinkFaultKind::kRouterChannel);
  const auto weaker = static_cast<std::int32_t>(parameter(LinkFaultKind::kAirWeak).value_or(0));
  for (Air::Station from = 0; from <= kAttackerStation; ++from) {
    for (Air::Station to = 0; to <= kAttackerStation; ++to) {
      AirFaults here = faults;
      const bool to_receiver = to == kReceiverBox;
      const bool from_receiver = from == kReceiverBox;
      here.is_cut = has(LinkFaultKind::kAirCut) || (is_receiver_away && (to_receiver || from_receiver)) ||
                    (has(LinkFaultKind::kAirDeafReceiver) && to_receiver) ||
                    (has(LinkFaultKind::kAirDeafTransmitter) && from_receiver);
      air_.set_faults(from, to, here);
      air_.set_attenuation(from, to, kUsualAttenuationDb + weaker);
    }
  }
}

void LinkWorld::apply_box_faults(std::uint8_t index) {
  Box& box = boxes_[index];
  const bool is_planned = index < plan_.transmitter_count || index == kReceiverBox ||
                          (index == kTwinBox && has(LinkFaultKind::kTwin));
  const bool is_crashed = box_fault(LinkFaultKind::kCrash, index).has_value();
  const bool is_emptied = box_fault(LinkFaultKind::kCrashEmpty, index).has_value();
  const bool should_run =
      is_planned && now_ >= TimePoint{} + plan_.boxes[index].boots_at && !is_crashed && !is_emptied;
  const auto slow_ms = box_fault(LinkFaultKind::kStoreSlow, index);
  const Duration longest =
      slow_ms ? std::max(plan_.store.write_max, Duration{std::chrono::milliseconds{*slow_ms}})
              : plan_.store.write_max;
  box.store.set_latency(plan_.store.write_min, longest);
  box.database.set_latency(plan_.store.write_min, longest);
  if (box.queue_store) {
    box.queue_store->set_latency(plan_.store.write_min, longest);
  }
  box.fails_writes = box_fault(LinkFaultKind::kStoreFails, index).has_value();
  if (box_fault(LinkFaultKind::kStoreTorn, index)) {
    box.store.set_damages_neighbour(1'000'000);
    box.may_be_damaged = true;
  } else {
    box.store.set_damages_neighbour(plan_.store.damages_neighbour_ppm);
  }
  StatusMode mode = StatusMode::kHonest;
  mode = box_fault(LinkFaultKind::kAlwaysAcked, index) ? StatusMode::kAlwaysAcked : mode;
  mode = box_fault(LinkFaultKind::kNeverAcked, index) ? StatusMode::kNeverAcked : mode;
  mode = box_fault(LinkFaultKind::kSilentStatus, index) ? StatusMode::kSilent : mode;
  air_.set_status_mode(index, mode);
  box.is_hung = box_fault(LinkFaultKind::kHung, index).has_value();
  air_.set_hung(index, box.is_hung);
  box.is_stalled = box_fault(LinkFaultKind::kStall, index).has_value();

  if (!should_run && box.is_powered) {
    crash(index);
  }
  if (is_emptied && index != kTwinBox && !box.has_lost_memory) {
    box.has_lost_memory = true;
    box.store.erase();
    if (box.queue_store) {
      box.queue_store->erase();
    }
    box.store_checker.handle_erased();
    box.stored_channel = 0;
    for (std::size_t owner = 0; owner < plan_.transmitter_count; ++owner) {
      if (index == kReceiverBox || index == owner) {
        section_checker_.handle_erased(holder(index, owner));
      }
    }
  }
  if (should_run && !box.is_powered) {
    boot(index);
  } else if (box.is_powered) {
    pump(index);
  }
}

void LinkWorld::attack() {
  if (!has(LinkFaultKind::kAttacker)) {
    agenda_.set(kAttack, kNever);
    return;
  }
  agenda_.set(kAttack, now_ + Duration{rng_.between(kAttackMin.count(), kAttackMax.count())});
  if (recorded_.is_empty() || air_.is_sending(kAttackerStation)) {
    return;
  }
  RecordedFrame frame = recorded_[rng_.below(static_cast<std::uint32_t>(recorded_.size()))];
  const bool is_altered = rng_.chance(500'000);
  if (is_altered && frame.size > 0) {
    const std::uint32_t bit = rng_.below(8U * frame.size);
    frame.bytes[bit / 8] = static_cast<std::uint8_t>(frame.bytes[bit / 8] ^ (1U << (bit % 8)));
  }
  air_.set_address(kAttackerStation, frame.from);
  air_.force_channel(now_, kAttackerStation, frame.channel);
  (void)air_.send(now_, kAttackerStation, frame.to, ByteSpan{frame.bytes}.first(frame.size), 1);
  while (air_.poll_sent(kAttackerStation)) {
  }
  agenda_.set(kAir, air_.poll_timeout());
}

}  // namespace amphora::sim
