// SPDX-License-Identifier: Apache-2.0
// What the hosts of the radio link's world make durable: settings, readings that wait, readings delivered.
#include <algorithm>
#include <variant>

#include "core/base/crc.hpp"
#include "sim/scenarios/link_sections.hpp"
#include "sim/scenarios/link_world.hpp"
#include "sim/scenarios/section_record.hpp"

namespace amphora::sim {

namespace {

// ---- readings in the store: epoch, sequence, time, format, payload. More places than a queue is long.

constexpr StoreKey kForgottenKey = 0;
constexpr StoreKey kFirstEntryKey = 1;
constexpr std::size_t kEntryKeys = 256;
using EntryBytes = std::array<std::uint8_t, 14 + telemetry::kReadingSizeMax>;
static_assert(kEntryKeys > telemetry::kQueueCapacity);

}  // namespace

void LinkWorld::restore_sections(std::uint8_t index, TimePoint at, std::size_t owner,
                                 state::Replica& sections) {
  Box& box = boxes_[index];
  for (const state::SectionSpec& spec : kPeerSections) {
    const StoreKey key = section_key(owner, spec.id);
    const auto read = box.store.read(key);
    SectionRecordBytes copy{};
    std::copy(read.bytes.begin(), read.bytes.end(), copy.begin());
    if (plan_.sabotage == LinkSabotage::kMixesRecords && read.bytes.size() > kSectionRecordHeader) {
      copy[read.bytes.size() - 1] ^= 0xFFU;
    }
    const ByteSpan bytes = ByteSpan{copy}.first(read.bytes.size());
    box.store_checker.handle_read(now_, key, {read.state, bytes}, box.may_be_damaged);
    const bool is_forgotten = plan_.sabotage == LinkSabotage::kForgetsSettings && spec.id == 1;
    if (read.state == FlashStore::ReadState::kGood && !is_forgotten) {
      (void)sections.restore(spec.id, decode_section(bytes));
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
  SectionRecordBytes bytes{};
  const ByteSpan encoded = encode_section(request.record, bytes);
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
  if (box.queue_store) {
    box.queue_store->handle_timeout(now_);
  }
  arm_stores(index);
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
  while (box.queue_store && box.queue_store->poll_durable()) {
    box.transmitter->queue().handle_stored(at, true);
  }
  pump(index);
}

void LinkWorld::arm_stores(std::uint8_t index) {
  const Box& box = boxes_[index];
  const TimePoint queue = box.queue_store ? box.queue_store->poll_timeout() : kNever;
  agenda_.set(kFirstStore + index,
              earliest(queue, earliest(box.store.poll_timeout(), box.database.poll_timeout())));
}

// ---- readings that survive a power cut of their transmitter

void LinkWorld::draw_epoch(std::uint8_t index) {
  Box& box = boxes_[index];
  do {
    box.epoch = static_cast<std::uint32_t>(rng_.next());
  } while (box.epoch == 0 || source_of(box.epoch));
  if (epochs_.size() < epochs_.capacity()) {
    epochs_.push_back(EpochOwner{box.epoch, index});
  }
}

void LinkWorld::write_queue(std::uint8_t index, TimePoint at) {
  Box& box = boxes_[index];
  while (const auto wish = box.transmitter->queue().poll_store(at)) {
    EntryBytes bytes{};
    ByteWriter writer{bytes};
    StoreKey key = kForgottenKey;
    if (const auto* append = std::get_if<telemetry::StoreAppend>(&*wish)) {
      key = kFirstEntryKey + append->entry.sequence % kEntryKeys;
      writer.u32(append->epoch);
      writer.u32(append->entry.sequence);
      writer.u32(append->entry.time_ms);
      writer.u16(append->entry.format_version);
      writer.bytes(append->entry.payload.view());
    } else {
      const auto& forget = std::get<telemetry::StoreForget>(*wish);
      writer.u32(forget.epoch);
      writer.u32(forget.up_to);
    }
    if (box.fails_writes || !box.queue_store->write(now_, key, writer.written())) {
      box.transmitter->queue().handle_stored(at, false);
    }
  }
}

// Everything appended that was not forgotten, in order, and the number after the last one ever appended.
void LinkWorld::restore_queue(std::uint8_t index, TimePoint at) {
  Box& box = boxes_[index];
  if (!box.queue_store) {
    return;
  }
  std::optional<std::uint32_t> epoch;
  std::optional<std::uint32_t> forgotten;
  const auto mark = box.queue_store->read(kForgottenKey);
  if (mark.state == FlashStore::ReadState::kGood) {
    ByteReader reader{mark.bytes};
    epoch = reader.u32();
    forgotten = reader.u32();
  }
  std::array<telemetry::Entry, kEntryKeys> entries{};
  std::size_t count = 0;
  for (StoreKey key = kFirstEntryKey; key < kFirstEntryKey + kEntryKeys; ++key) {
    const auto read = box.queue_store->read(key);
    if (read.state != FlashStore::ReadState::kGood) {
      continue;
    }
    ByteReader reader{read.bytes};
    epoch = reader.u32();
    telemetry::Entry& entry = entries[count++];
    entry.sequence = reader.u32();
    entry.time_ms = reader.u32();
    entry.format_version = reader.u16();
    (void)entry.payload.assign(reader.take(reader.remaining()));
  }
  if (!epoch) {
    return;
  }
  const auto is_older = [](const telemetry::Entry& a, const telemetry::Entry& b) {
    return telemetry::is_before(a.sequence, b.sequence);
  };
  std::sort(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(count), is_older);
  std::uint32_t next = forgotten ? *forgotten + 1 : 0;
  if (count > 0 && (!forgotten || telemetry::is_before(*forgotten, entries[count - 1].sequence))) {
    next = entries[count - 1].sequence + 1;
  }
  std::size_t first = 0;
  while (first < count && forgotten && !telemetry::is_before(*forgotten, entries[first].sequence)) {
    ++first;
  }
  box.epoch = *epoch;
  const std::span kept = std::span{entries}.subspan(first, count - first);
  box.transmitter->queue().restore(at, *epoch, next, kept);
  std::array<std::uint32_t, kEntryKeys> sequences{};
  std::size_t restored = 0;
  for (const telemetry::Entry& entry : kept) {
    if (box.transmitter->queue().find(entry.sequence) != nullptr) {
      sequences[restored++] = entry.sequence;
    }
  }
  delivery_checker_.handle_source_restored(index, *epoch, next, std::span{sequences}.first(restored));
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
