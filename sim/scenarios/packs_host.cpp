// SPDX-License-Identifier: Apache-2.0
// A box in the packs' world: the network machine, and what its host does for it.
#include "sim/scenarios/packs_world.hpp"

#include <algorithm>

namespace amphora::sim {

namespace {

constexpr Duration kMailboxAgeMax = std::chrono::milliseconds{100};
constexpr Duration kRestartDelay = std::chrono::milliseconds{100};
constexpr int kPumpRoundsMax = 64;

}  // namespace

void PacksWorld::boot(std::size_t index) {
  Box& box = boxes_[index];
  const PackBoxPlan& plan = plan_.boxes[index];
  // The first boot finds a clock that has run before; later ones start over, as a machine does.
  const Duration offset =
      box.boot_count == 0
          ? plan.clock_offset
          : Duration{1'000'000} -
                LocalClock{Duration{}, plan.clock_drift_ppm}.to_local(now_).time_since_epoch();
  box.clock = LocalClock{offset, plan.clock_drift_ppm};
  box.due_local = kNever;
  box.due_world = kNever;
  ++box.boot_count;
  recorder_.add(now_, Channel::kNode, port(index), 1);
  packnet::NetworkConfig config;
  config.type = plan.type;
  config.hardware = plan.hardware;
  config.stored_node = box.stored_node;
  config.seed = rng_.next();
  config.firmware_major = 1;
  config.gate.is_sealed = false;
  box.booted_with = box.stored_node;
  box.node.emplace(config);
  box.is_stalled = false;
  box.inbox.clear();
  box.offered_at = kNever;
  box.restart_at = kNever;
  box.told_state = can::BusState::kDown;
  box.claim_from = now_;
  box.claimed_at.reset();
  box.electing_since.reset();
  box.node->set_telemetry(make_telemetry(index));
  bus_of(box).set_present(now_, port(index), true);
  election_checker_.handle_disturbed(now_, box.segment);
  tell_state(index);
}

void PacksWorld::crash(std::size_t index) {
  Box& box = boxes_[index];
  touch(index);
  recorder_.add(now_, Channel::kNode, port(index), 0);
  close_claim(box);
  box.node.reset();
  box.is_stalled = false;
  box.inbox.clear();
  box.offered_at = kNever;
  box.restart_at = kNever;
  box.told_state = can::BusState::kDown;
  bus_of(box).set_present(now_, port(index), false);
  election_checker_.handle_disturbed(now_, box.segment);
  agenda_.set(kFirstBox + index, kNever);
  agenda_.set(kFirstBus + box.segment, buses_[box.segment].poll_timeout());
}

void PacksWorld::set_stalled(std::size_t index, bool is_stalled) {
  Box& box = boxes_[index];
  touch(index);
  box.is_stalled = is_stalled;
  election_checker_.handle_disturbed(now_, box.segment);
  if (is_stalled) {
    agenda_.set(kFirstBox + index, kNever);
    return;
  }
  while (const auto frame = box.inbox.pop()) {
    box.node->handle_frame(local(box), *frame);
  }
  tell_state(index);
}

void PacksWorld::take_frame(std::size_t index, const can::Frame& frame) {
  Box& box = boxes_[index];
  if (box.is_stalled) {
    (void)box.inbox.push(frame);  // the driver's queue is full: the newest is lost
  } else if (!is_hidden(box, index, frame)) {
    box.node->handle_frame(local(box), frame);
    take_events(index);
  }
}

// The host asks its controller, so that a state that came and went is not told.
void PacksWorld::tell_state(std::size_t index) {
  Box& box = boxes_[index];
  touch(index);
  if (!box.node || box.is_stalled) {
    return;
  }
  const can::BusState state = bus_of(box).state(port(index));
  if (state != box.told_state) {
    box.told_state = state;
    if (state == can::BusState::kBusOff) {
      box.restart_at = now_ + kRestartDelay;
      if (box.offered_at != kNever) {
        lose_offered(index);
      }
      election_checker_.handle_disturbed(now_, box.segment);
    }
    box.node->handle_bus_state(local(box), state);
  }
  pump(index);
}

void PacksWorld::lose_offered(std::size_t index) {
  Box& box = boxes_[index];
  touch(index);
  box.offered_at = kNever;
  if (box.is_single_shot && box.node && !box.is_stalled) {
    box.node->handle_not_sent(local(box));
  }
}

void PacksWorld::step_host(std::size_t index) {
  Box& box = boxes_[index];
  if (box.restart_at <= now_) {
    box.restart_at = kNever;
    bus_of(box).restart(now_, port(index));
  }
  if (box.offered_at != kNever && now_ - box.offered_at >= kMailboxAgeMax) {
    bus_of(box).abort_pending(now_, port(index));
    lose_offered(index);
  }
  pump(index);
}

void PacksWorld::pump(std::size_t index) {
  Box& box = boxes_[index];
  touch(index);
  if (!box.node || box.is_stalled) {
    return;
  }
  const TimePoint here = local(box);
  for (int round = 0; round < kPumpRoundsMax; ++round) {
    const bool is_due = box.node->poll_timeout() <= here;
    if (is_due) {
      box.node->handle_timeout(here);
    }
    take_events(index);
    bool has_sent = false;
    if (box.offered_at == kNever && bus_of(box).pending_count(port(index)) == 0 &&
        bus_of(box).can_accept(port(index))) {
      if (const auto out = box.node->poll_transmit(here)) {
        box.offered_at = now_;
        box.is_single_shot = out->is_single_shot;
        (void)bus_of(box).offer(now_, port(index), out->frame, out->is_single_shot);
        has_sent = true;
      }
    }
    if (!is_due && !has_sent) {
      break;
    }
  }
  const TimePoint due = box.node->poll_timeout();
  if (due != box.due_local) {
    box.due_local = due;
    box.due_world = box.clock.to_world(due);
  }
  TimePoint next = earliest(box.due_world, box.restart_at);
  next = earliest(next, box.offered_at == kNever ? kNever : box.offered_at + kMailboxAgeMax);
  agenda_.set(kFirstBox + index, std::max(next, now_));
  agenda_.set(kFirstBus + box.segment, buses_[box.segment].poll_timeout());
}

void PacksWorld::take_events(std::size_t index) {
  using Kind = packnet::NetworkEvent::Kind;
  Box& box = boxes_[index];
  while (const auto event = box.node->poll_event()) {
    if (event->kind != Kind::kTelemetry && event->kind != Kind::kReport) {
      recorder_.add(now_, Channel::kNodeEvent, port(index),
                    static_cast<std::int64_t>(event->kind) << 8U | event->node);
    }
    if (event->kind == Kind::kNodeClaimed) {
      box.claimed_at = now_;
      box.electing_since = now_;
      figures_.ids_changed +=
          box.booted_with != packnet::kNodeNone && box.booted_with != event->node ? 1U : 0U;
      box.booted_with = packnet::kNodeNone;
      election_checker_.handle_disturbed(now_, box.segment);
    } else if (event->kind == Kind::kNodeLost) {
      close_claim(box);
      box.claim_from = now_;
      box.electing_since.reset();
      election_checker_.handle_disturbed(now_, box.segment);
    } else if (event->kind == Kind::kDuplicateBegan) {
      ++figures_.duplicate_alarms;
    }
  }
  while (box.node->poll_opaque()) {
  }
  if (const auto node = box.node->poll_store()) {
    box.stored_node = *node;
  }
  if (box.electing_since && box.node->master()) {
    figures_.election_us.add((now_ - *box.electing_since).count());
    box.electing_since.reset();
  }
}

void PacksWorld::close_claim(Box& box) {
  if (box.claimed_at) {
    figures_.claim_us.add((*box.claimed_at - box.claim_from).count());
    box.claimed_at.reset();
  }
}

// Every field and cell, so that all pages go round: the most that a pack sends.
packnet::Telemetry PacksWorld::make_telemetry(std::size_t index) const {
  packnet::Telemetry telemetry;
  const std::int64_t second = now_.time_since_epoch() / std::chrono::seconds{1};
  for (std::size_t i = 0; i < packnet::kFieldCount; ++i) {
    telemetry.set(static_cast<packnet::Field>(i), second + static_cast<std::int64_t>(i));
  }
  for (std::size_t cell = 0; cell < plan_.cell_count; ++cell) {
    telemetry.set_cell(cell, Millivolts{static_cast<std::int32_t>(3'300 + cell + index)});
  }
  return telemetry;
}

}  // namespace amphora::sim
