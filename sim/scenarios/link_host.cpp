// SPDX-License-Identifier: Apache-2.0
// A box in the world of the radio link: the node, and what its host does for it.
#include <algorithm>
#include <variant>

#include "core/base/crc.hpp"
#include "sim/scenarios/link_world.hpp"

namespace amphora::sim {

namespace {

constexpr int kPumpRoundsMax = 64;
constexpr std::size_t kOwnSections = kTransmittersMax;  // "owner" of the receiver's own sections

constexpr state::SectionSpec kPeerSections[] = {
    {1, "network", true}, {2, "mqtt", true}, {3, "battery", true}, {4, "power_profile", true}};
constexpr state::SectionSpec kOwnSectionSpecs[] = {{0, "system", true}};

// Each pairing has its own. The twin has the first transmitter's address, not its key.
crypto::Key key_of_the_pairing(std::uint8_t transmitter) {
  crypto::Key key{};
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = static_cast<std::uint8_t>(3 * i + transmitter);
  }
  return key;
}

// ---- records in the store: version, stamp, origin, then the payload

constexpr std::size_t kRecordHeader = 4 + 8 + 2 + 8;
using RecordBytes = std::array<std::uint8_t, kRecordHeader + state::kPayloadSizeMax>;

ByteSpan encode_record(const state::Record& record, RecordBytes& out) {
  ByteWriter writer{out};
  writer.u32(record.version);
  writer.write<std::uint64_t>(record.stamp.physical_ms);
  writer.u16(record.stamp.logical);
  writer.write<std::uint64_t>(record.origin.value);
  writer.bytes(record.payload.bytes());
  return writer.written();
}

state::Record decode_record(ByteSpan bytes) {
  ByteReader reader{bytes};
  state::Record record;
  record.version = reader.u32();
  record.stamp.physical_ms = reader.read<std::uint64_t>();
  record.stamp.logical = reader.u16();
  record.origin = NodeId{reader.read<std::uint64_t>()};
  record.payload = state::Payload{reader.take(reader.remaining())};
  return record;
}

StoreKey section_key(std::size_t owner, state::SectionId section) {
  return owner * 256 + section + 1;
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
  do {
    box.epoch = static_cast<std::uint32_t>(rng_.next());
  } while (box.epoch == 0 || source_of(box.epoch));
  if (epochs_.size() < epochs_.capacity()) {
    epochs_.push_back(EpochOwner{box.epoch, index});
  }
  config.queue.epoch = box.epoch;
  config.queue.first_sequence = box.boot_count == 1 ? plan_.first_sequence : 1;
  config.entropy = rng_.next();
  const std::size_t owner = index == kTwinBox ? 0 : index;
  for (const state::SectionSpec& spec : kPeerSections) {
    const auto read = box.store.read(section_key(owner, spec.id));
    config.memory = read.state == FlashStore::ReadState::kDamaged ? state::Memory::kVolatile : config.memory;
  }
  box.transmitter.emplace(config);
  restore_sections(index, at, owner, box.transmitter->replica());
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

void LinkWorld::restore_sections(std::uint8_t index, TimePoint at, std::size_t owner,
                                 state::Replica& sections) {
  Box& box = boxes_[index];
  for (const state::SectionSpec& spec : kPeerSections) {
    const StoreKey key = section_key(owner, spec.id);
    const auto read = box.store.read(key);
    RecordBytes copy{};
    std::copy(read.bytes.begin(), read.bytes.end(), copy.begin());
    if (plan_.sabotage == LinkSabotage::kMixesRecords && read.bytes.size() > kRecordHeader) {
      copy[read.bytes.size() - 1] ^= 0xFFU;
    }
    const ByteSpan bytes = ByteSpan{copy}.first(read.bytes.size());
    box.store_checker.handle_read(now_, key, {read.state, bytes}, box.may_be_damaged);
    const bool is_forgotten = plan_.sabotage == LinkSabotage::kForgetsSettings && spec.id == 1;
    if (read.state == FlashStore::ReadState::kGood && !is_forgotten) {
      (void)sections.restore(spec.id, decode_record(bytes));
    } else if (read.state == FlashStore::ReadState::kDamaged) {
      sections.report_corrupt(at, spec.id);
      if (index != kTwinBox) {
        section_checker_.handle_lost(holder(index, owner), spec.id);
      }
    }
    if (index != kTwinBox) {
      section_checker_.handle_booted(now_, holder(index, owner), spec.id, mark_of(sections.current(spec.id)));
    }
  }
  sections.poll_event();
}

void LinkWorld::crash(std::uint8_t index) {
  Box& box = boxes_[index];
  recorder_.add(now_, Channel::kNode, index, 0);
  if (box.transmitter) {
    delivery_checker_.handle_source_stopped(now_, index, counters_of(box), false);
  }
  box.transmitter.reset();
  box.receiver.reset();
  box.is_powered = false;
  air_.set_power(now_, index, false);
  box.store.power_cut(now_);
  box.database.power_cut(now_);
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
    if (box.receiver) {
      deliver(at);
    }
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
  agenda_.set(kFirstStore + index, earliest(box.store.poll_timeout(), box.database.poll_timeout()));
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

// ---- stores

void LinkWorld::write_sections(std::uint8_t index, TimePoint at) {
  Box& box = boxes_[index];
  while (box.store.pending_count() < FlashStore::kPendingMax) {
    std::size_t owner = index == kTwinBox ? 0 : index;
    std::optional<state::StoreRequest> request;
    if (box.transmitter) {
      request = box.transmitter->replica().poll_store(at);
    } else if (const auto owned = box.receiver->poll_store(at)) {
      request = owned->request;
      owner = kOwnSections;
      for (std::size_t i = 0; i < kTransmittersMax; ++i) {
        owner = boxes_[i].address == owned->owner ? i : owner;
      }
    }
    if (!request) {
      return;
    }
    const bool is_taken = write_section(index, at, owner, *request);
    if (!is_taken || plan_.sabotage == LinkSabotage::kConfirmsTooEarly) {
      confirm_section(index, at, owner, request->section, request->ticket, is_taken);
    }
  }
}

bool LinkWorld::write_section(std::uint8_t index, TimePoint, std::size_t owner,
                              const state::StoreRequest& request) {
  Box& box = boxes_[index];
  if (box.fails_writes) {
    return false;
  }
  RecordBytes bytes{};
  const ByteSpan encoded = encode_record(request.record, bytes);
  const StoreKey key = section_key(owner, request.section);
  if (!box.store.write(now_, key, encoded, request.ticket)) {
    return false;
  }
  box.store_checker.handle_write(key, encoded);
  return true;
}

void LinkWorld::confirm_section(std::uint8_t index, TimePoint at, std::size_t owner, state::SectionId section,
                                std::uint32_t ticket, bool is_durable) {
  Box& box = boxes_[index];
  if (plan_.sabotage == LinkSabotage::kNeverConfirms && index == kReceiverBox) {
    return;
  }
  state::Replica* sections =
      owner == kOwnSections ? box.receiver->replica(box.address) : replica(index, owner);
  if (sections == nullptr) {
    return;
  }
  is_durable ? sections->handle_stored(at, section, ticket)
             : sections->handle_store_failed(at, section, ticket);
  box.transmitter ? box.transmitter->settle(at) : box.receiver->settle(at);
  if (owner != kOwnSections && index != kTwinBox && is_durable) {
    const state::DurableMark& durable = sections->durable_mark(section);
    SectionMark mark;
    mark.version = durable.version;
    mark.stamp_ms = durable.stamp.physical_ms;
    mark.stamp_logical = durable.stamp.logical;
    section_checker_.handle_durable(now_, holder(index, owner), section, mark);
  }
}

void LinkWorld::step_stores(std::uint8_t index) {
  Box& box = boxes_[index];
  box.store.handle_timeout(now_);
  box.database.handle_timeout(now_);
  agenda_.set(kFirstStore + index, earliest(box.store.poll_timeout(), box.database.poll_timeout()));
  const TimePoint at = local(box);
  while (const auto done = box.store.poll_durable()) {
    box.store_checker.handle_durable(now_, done->key);
    const auto section = static_cast<state::SectionId>(done->key % 256 - 1);
    if (plan_.sabotage != LinkSabotage::kConfirmsTooEarly) {
      confirm_section(index, at, done->key / 256, section, done->ticket, true);
    }
  }
  while (const auto done = box.database.poll_durable()) {
    const auto transmitter = static_cast<std::uint8_t>(done->key);
    Consumer& consumer = consumers_[transmitter];
    for (std::size_t i = 0; i < consumer.in_transaction.size(); ++i) {
      box.receiver->handle_delivered(at, boxes_[transmitter].address, consumer.in_transaction[i].sequence);
    }
    commit(transmitter);
  }
  pump(index);
}

// ---- the consumer

void LinkWorld::deliver(TimePoint at) {
  Box& box = boxes_[kReceiverBox];
  while (const auto delivery = box.receiver->poll_delivery(at)) {
    if (plan_.recovers_from && now_ >= *plan_.recovers_from && !has_recovered_) {
      has_recovered_ = true;
      figures_.recovery_us.add((now_ - *plan_.recovers_from).count());
    }
    std::uint8_t transmitter = 0;
    for (std::uint8_t i = 0; i < kTransmittersMax; ++i) {
      transmitter = boxes_[i].address == delivery->peer ? i : transmitter;
    }
    DeliveredReading reading;
    reading.epoch = delivery->delivery.epoch;
    reading.sequence = delivery->delivery.entry.sequence;
    Digest digest;
    digest.add(delivery->delivery.entry.payload.view());
    reading.digest = digest.value();
    ++reading_count_;
    reading.is_thrown_away = plan_.sabotage == LinkSabotage::kLosesReadings && reading_count_ % 10 == 0;
    (void)consumers_[transmitter].waiting.push(reading);
  }
  for (std::uint8_t i = 0; i < kTransmittersMax; ++i) {
    begin_transaction(i, at);
  }
}

ByteSpan LinkWorld::encode_position(const DeliveredReading& reading, std::array<std::uint8_t, 8>& out) {
  store<std::uint32_t>(out.data(), reading.epoch, Endian::kLittle);
  store<std::uint32_t>(out.data() + 4, reading.sequence, Endian::kLittle);
  return out;
}

// All that waits goes into one transaction, together with the position of the last. A failure is told only
// while none is under way, because everything handed out is handed out again then.
void LinkWorld::begin_transaction(std::uint8_t transmitter, TimePoint at) {
  Box& box = boxes_[kReceiverBox];
  Consumer& consumer = consumers_[transmitter];
  if (!consumer.in_transaction.is_empty() || consumer.waiting.is_empty()) {
    return;
  }
  if (box.fails_writes) {
    box.receiver->handle_delivery_failed(at, boxes_[transmitter].address);
    consumer.waiting.clear();
    return;
  }
  std::array<std::uint8_t, 8> bytes{};
  const ByteSpan position = encode_position(consumer.waiting[consumer.waiting.size() - 1], bytes);
  if (box.database.write(now_, transmitter, position)) {
    consumer.in_transaction = consumer.waiting;
    consumer.waiting.clear();
  }
}

void LinkWorld::commit(std::uint8_t transmitter) {
  while (const auto reading = consumers_[transmitter].in_transaction.pop()) {
    recorder_.add(now_, Channel::kDelivery, transmitter, reading->sequence);
    const auto source = source_of(reading->epoch);
    if (!reading->is_thrown_away) {
      delivery_checker_.handle_delivered(now_, source.value_or(transmitter), reading->epoch,
                                         reading->sequence, reading->digest);
    }
  }
}

// After a power cut the database knows which transactions it has.
void LinkWorld::settle_transactions() {
  Box& box = boxes_[kReceiverBox];
  for (std::uint8_t i = 0; i < kTransmittersMax; ++i) {
    Consumer& consumer = consumers_[i];
    if (!consumer.in_transaction.is_empty()) {
      std::array<std::uint8_t, 8> bytes{};
      const std::size_t last = consumer.in_transaction.size() - 1;
      const ByteSpan position = encode_position(consumer.in_transaction[last], bytes);
      const auto read = box.database.read(i);
      if (std::equal(read.bytes.begin(), read.bytes.end(), position.begin(), position.end())) {
        commit(i);
      }
    }
    consumer.in_transaction.clear();
    consumer.waiting.clear();
  }
}

}  // namespace amphora::sim
