// SPDX-License-Identifier: Apache-2.0
// A box in the world of the radio link: the node, and what its host does for it.
#include <algorithm>
#include <variant>

#include "sim/scenarios/link_sections.hpp"
#include "sim/scenarios/link_world.hpp"

namespace amphora::sim {

namespace {

constexpr int kPumpRoundsMax = 64;
// Each pairing has its own. The twin has the first transmitter's address, not its key.
crypto::Key key_of_the_pairing(std::uint8_t transmitter) {
  crypto::Key key{};
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = static_cast<std::uint8_t>(3 * i + transmitter);
  }
  return key;
}

link::SendStatus to_link(SendStatus status) {
  return status == SendStatus::kAcked   ? link::SendStatus::kAcked
         : status == SendStatus::kNoAck ? link::SendStatus::kNoAck
                                        : link::SendStatus::kNotSent;
}

}  // namespace

// ---- power

void LinkWorld::boot(std::uint8_t index) {
  Box& box = boxes_[index];
  const LinkBoxPlan& plan = plan_.boxes[index];
  // The first boot finds an uptime that has gone on before, in some plans close to where 32-bit milliseconds
  // wrap; later ones start over, as a machine does.
  const Duration offset =
      box.boot_count == 0
          ? plan.clock_offset
          : Duration{1'000'000} -
                LocalClock{Duration{}, plan.clock_drift_ppm}.to_local(now_).time_since_epoch();
  box.clock = LocalClock{offset, plan.clock_drift_ppm};
  box.date = WallClock{plan.clock_drift_ppm};
  box.date_due = plan.date_known_after ? now_ + *plan.date_known_after : kNever;
  box.is_powered = true;
  box.booted_at = now_;
  box.token = 0;
  ++box.boot_count;
  recorder_.add(now_, Channel::kNode, index, 1);
  air_.set_power(now_, index, true);
  const TimePoint at = local(box);
  if (index == kReceiverBox) {
    boot_receiver(at);
  } else {
    boot_transmitter(index, at);
  }
  box.has_lost_memory = false;
  observe(index, true);
  pump(index);
}

void LinkWorld::boot_transmitter(std::uint8_t index, TimePoint at) {
  Box& box = boxes_[index];
  node::TransmitterConfig config;
  config.self = box.address;
  config.mode = plan_.is_sealed ? link::Mode::kSealed : link::Mode::kPlain;
  if (plan_.is_paired) {
    config.peer = node::PairedPeer{boxes_[kReceiverBox].address, key_of_the_pairing(index)};
  }
  config.sections = kPeerSections;
  config.memory = box.has_lost_memory ? state::Memory::kVolatile : state::Memory::kDurable;
  config.home_channel = box.stored_channel;
  draw_epoch(index);
  config.queue.epoch = box.epoch;
  config.queue.first_sequence = box.boot_count == 1 ? plan_.first_sequence : 1;
  config.queue.persist = plan_.is_queue_persistent;
  config.entropy = rng_.next();
  const std::size_t owner = index == kTwinBox ? 0 : index;
  for (const state::SectionSpec& spec : kPeerSections) {
    const auto read = box.store.read(section_key(owner, spec.id));
    config.memory = read.state == FlashStore::ReadState::kDamaged ? state::Memory::kVolatile : config.memory;
  }
  box.transmitter.emplace(config);
  restore_sections(index, at, owner, box.transmitter->replica());
  restore_queue(index, at);
  box.answered_at.reset();
  box.next_reading = now_ + plan_.reading_period;
  box.next_cells = plan_.cells_period > Duration{} ? now_ + plan_.cells_period : kNever;
  agenda_.set(kFirstBattery + index, earliest(box.next_reading, box.next_cells));
  box.transmitter->handle_radio(at, true);
}

void LinkWorld::boot_receiver(TimePoint at) {
  Box& box = boxes_[kReceiverBox];
  node::ReceiverConfig config;
  config.self = box.address;
  config.mode = plan_.is_sealed ? link::Mode::kSealed : link::Mode::kPlain;
  config.channel = router_channel_;
  config.own_sections = kOwnSectionSpecs;
  config.peer_sections = kPeerSections;
  config.memory = box.has_lost_memory ? state::Memory::kVolatile : state::Memory::kDurable;
  config.boot_epoch = static_cast<std::uint32_t>(box.boot_count);
  config.entropy = rng_.next();
  for (std::size_t owner = 0; owner < plan_.transmitter_count; ++owner) {
    for (const state::SectionSpec& spec : kPeerSections) {
      const auto read = box.store.read(section_key(owner, spec.id));
      config.memory =
          read.state == FlashStore::ReadState::kDamaged ? state::Memory::kVolatile : config.memory;
    }
  }
  box.receiver.emplace(config);
  for (std::uint8_t i = 0; i < plan_.transmitter_count; ++i) {
    const auto position = box.database.read(i);
    bool is_known = position.state == FlashStore::ReadState::kGood;
    for (const state::SectionSpec& spec : kPeerSections) {
      const auto read = box.store.read(section_key(i, spec.id));
      is_known = is_known || read.state != FlashStore::ReadState::kAbsent;
    }
    if (!plan_.is_paired && !is_known) {
      continue;
    }
    (void)box.receiver->add_peer(at, node::PairedPeer{boxes_[i].address, key_of_the_pairing(i)});
    restore_sections(kReceiverBox, at, i, box.receiver->peer(boxes_[i].address)->replica());
    if (position.state == FlashStore::ReadState::kGood && plan_.sabotage != LinkSabotage::kForgetsPosition) {
      ByteReader reader{position.bytes};
      const std::uint32_t epoch = reader.u32();
      box.receiver->peer(boxes_[i].address)->readings().restore(epoch, reader.u32());
    }
  }
  box.receiver->handle_radio(at, true);
}

void LinkWorld::crash(std::uint8_t index) {
  Box& box = boxes_[index];
  recorder_.add(now_, Channel::kNode, index, 0);
  if (box.transmitter) {
    delivery_checker_.handle_source_stopped(now_, index, counters_of(box), plan_.is_queue_persistent);
  }
  box.transmitter.reset();
  box.receiver.reset();
  box.is_powered = false;
  air_.set_power(now_, index, false);
  box.store.power_cut(now_);
  box.database.power_cut(now_);
  if (box.queue_store) {
    box.queue_store->power_cut(now_);
  }
  if (index == kReceiverBox) {
    settle_transactions();
  }
  for (const std::size_t slot : {kFirstStore + index, kFirstBattery + index, kFirstNode + index}) {
    agenda_.set(slot, kNever);
  }
  agenda_.set(kAir, air_.poll_timeout());
}

// ---- the node

state::Replica* LinkWorld::replica(std::uint8_t index, std::size_t owner) {
  Box& box = boxes_[index];
  if (box.receiver) {
    return box.receiver->replica(boxes_[owner].address);
  }
  const std::size_t own = index == kTwinBox ? 0 : index;
  return box.transmitter && own == owner ? &box.transmitter->replica() : nullptr;
}

std::size_t LinkWorld::holder(std::uint8_t box, std::size_t owner) const {
  return 2 * owner + (box == kReceiverBox ? 1U : 0U);
}

TimePoint LinkWorld::node_timeout(const Box& box) const {
  return box.transmitter ? box.transmitter->poll_timeout() : box.receiver->poll_timeout();
}

void LinkWorld::pump(std::uint8_t index) {
  Box& box = boxes_[index];
  if (!is_running(box)) {
    agenda_.set(kFirstNode + index, kNever);
    return;
  }
  if (box.date_due <= now_) {
    set_date(index);
  }
  const TimePoint at = local(box);
  take_frames(index, at);
  TimePoint due = node_timeout(box);
  for (int round = 0; round < kPumpRoundsMax; ++round) {
    if (due <= at) {
      box.transmitter ? box.transmitter->handle_timeout(at) : box.receiver->handle_timeout(at);
    }
    write_sections(index, at);
    box.receiver ? deliver(at) : write_queue(index, at);
    transmit(index, at);
    drain_events(index, at);
    due = node_timeout(box);
    if (due > at) {
      break;
    }
  }
  if (due <= at) {
    violations_.add(kInvariantRhythm, now_, "a node's time-out stays in the past after a pump; a: box",
                    index);
  }
  observe(index, false);
  arm(index);
}

void LinkWorld::arm(std::uint8_t index) {
  const Box& box = boxes_[index];
  // A node that wants to be called in the past after a pump is called again a moment later, not for ever at
  // the same time.
  const TimePoint wake = std::max(box.clock.to_world(node_timeout(box)), now_ + Duration{1});
  const TimePoint next = earliest(earliest(wake, box.date_due), air_.receive_timeout(index));
  agenda_.set(kFirstNode + index, next);
  agenda_.set(kAir, air_.poll_timeout());
  arm_stores(index);
}

void LinkWorld::set_date(std::uint8_t index) {
  Box& box = boxes_[index];
  box.date_due = kNever;
  const WallTime told = true_date(now_);
  box.date.set(now_, WallTime{told.unix_ms + to_milliseconds(plan_.boxes[index].date_error)});
  const WallTime date = *box.date.at(now_);
  (void)(box.transmitter ? box.transmitter->set_wall_time(local(box), date)
                         : box.receiver->set_wall_time(local(box), date));
}

void LinkWorld::take_frames(std::uint8_t index, TimePoint at) {
  Box& box = boxes_[index];
  while (const auto sent = air_.poll_sent(index)) {
    if (sent->token != box.token) {
      continue;  // the node has given up on it
    }
    box.token = 0;
    const link::SendStatus status = to_link(sent->status);
    box.transmitter ? box.transmitter->handle_sent(at, status) : box.receiver->handle_sent(at, status);
  }
  while (const auto done = air_.poll_channel(index)) {
    box.transmitter ? box.transmitter->handle_tuned(at, done->is_set)
                    : box.receiver->handle_tuned(at, done->is_set);
  }
  while (const auto frame = air_.poll_received(now_, index)) {
    box.transmitter ? box.transmitter->handle_frame(at, frame->from, frame->payload(), frame->rssi_dbm)
                    : box.receiver->handle_frame(at, frame->from, frame->payload(), frame->rssi_dbm);
  }
}

void LinkWorld::transmit(std::uint8_t index, TimePoint at) {
  Box& box = boxes_[index];
  std::array<std::uint8_t, kAirPayloadMax> buffer{};
  const auto command =
      box.transmitter ? box.transmitter->poll_radio(at, buffer) : box.receiver->poll_radio(at, buffer);
  if (!command) {
    return;
  }
  if (command->kind == link::RadioCommand::Kind::kTune) {
    air_.set_channel(now_, index, command->channel);
    return;
  }
  const auto token = static_cast<std::uint32_t>(rng_.next() | 1U);
  if (air_.send(now_, index, command->to, ByteSpan{buffer}.first(command->size), token)) {
    box.token = token;
  } else {
    box.transmitter ? box.transmitter->handle_sent(at, link::SendStatus::kNotSent)
                    : box.receiver->handle_sent(at, link::SendStatus::kNotSent);
  }
}

void LinkWorld::drain_events(std::uint8_t index, TimePoint) {
  Box& box = boxes_[index];
  if (box.transmitter) {
    while (const auto event = box.transmitter->poll_event()) {
      recorder_.add(now_, Channel::kNodeEvent, index, static_cast<std::int64_t>(event->what.index()));
      note_transmitter_event(index, *event);
    }
    return;
  }
  while (const auto event = box.receiver->poll_event()) {
    recorder_.add(now_, Channel::kNodeEvent, index, 100 + static_cast<std::int64_t>(event->what.index()));
  }
  while (const auto cells = box.receiver->poll_cells()) {
    ++figures_.live_cells;
    const auto values = cells->cells.view();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] != values[0] + i) {
        violations_.add(kInvariantDelivery, now_, "live cells of two moments are mixed; a: cell",
                        static_cast<std::int64_t>(i));
        break;
      }
    }
  }
}

void LinkWorld::note_transmitter_event(std::uint8_t index, const node::TransmitterEvent& event) {
  Box& box = boxes_[index];
  if (const auto* change = std::get_if<node::PhaseChanged>(&event.what)) {
    if (change->phase == node::TransmitterPhase::kVerifying && !box.answered_at) {
      box.answered_at = now_;
    } else if (change->phase == node::TransmitterPhase::kSearching) {
      box.answered_at.reset();
    } else if (change->phase == node::TransmitterPhase::kLinked) {
      box.stored_channel = change->channel;
    }
    return;
  }
  const auto* connection = std::get_if<link::ConnectionEvent>(&event.what);
  if (connection == nullptr || connection->kind != link::ConnectionEvent::Kind::kSessionBegan ||
      box.has_had_session || index == kTwinBox) {
    return;
  }
  box.has_had_session = true;
  // Whoever boots first waits for the other.
  const TimePoint from = std::max(box.booted_at, boxes_[kReceiverBox].booted_at);
  figures_.session_us.add((now_ - from).count());
  figures_.discovery_us.add((box.answered_at.value_or(now_) - from).count());
}

}  // namespace amphora::sim
