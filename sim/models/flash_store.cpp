// SPDX-License-Identifier: Apache-2.0
#include "sim/models/flash_store.hpp"

#include <algorithm>

#include "core/base/crc.hpp"

namespace amphora::sim {

FlashStore::FlashStore(const FlashStoreConfig& config, Rng rng) : config_{config}, rng_{rng} {
  records_.resize(config.key_count_max);
  for (Record& record : records_) {
    for (Place& place : record.places) {
      place.bytes.resize(config.value_size_max);
    }
  }
  for (auto& buffer : buffers_) {
    buffer.resize(config.value_size_max);
  }
}

FlashStore::Record* FlashStore::find(StoreKey key) {
  for (std::size_t i = 0; i < key_count_; ++i) {
    if (records_[i].key == key) {
      return &records_[i];
    }
  }
  return nullptr;
}

const FlashStore::Record* FlashStore::find(StoreKey key) const {
  return const_cast<FlashStore*>(this)->find(key);
}

bool FlashStore::write(TimePoint now, StoreKey key, ByteSpan bytes, std::uint32_t ticket) {
  Record* record = find(key);
  const bool has_room = record != nullptr || key_count_ < records_.size();
  if (!has_room || pending_.is_full() || bytes.size() > config_.value_size_max) {
    ++statistics_.refused;
    return false;
  }
  if (record == nullptr) {
    record = &records_[key_count_++];
    record->key = key;
  }
  ++statistics_.writes;
  ++record->write_count;
  Pending pending;
  pending.record = static_cast<std::size_t>(record - records_.data());
  pending.ticket = ticket;
  pending.size = bytes.size();
  pending.buffer = next_buffer_;
  next_buffer_ = (next_buffer_ + 1) % kPendingMax;
  std::copy(bytes.begin(), bytes.end(), buffers_[pending.buffer].begin());
  const Duration spent{rng_.between(config_.write_min.count(), config_.write_max.count())};
  busy_until_ = std::max(busy_until_, now) + spent;
  pending.done_at = busy_until_;
  (void)pending_.push(pending);
  return true;
}

void FlashStore::handle_timeout(TimePoint now) {
  while (!pending_.is_empty() && pending_.front().done_at <= now) {
    const Pending done = *pending_.pop();
    commit(done);
    (void)durable_.push(Durable{records_[done.record].key, done.ticket});
  }
}

void FlashStore::power_cut(TimePoint now) {
  handle_timeout(now);
  ++statistics_.power_cuts;
  while (const auto write = pending_.pop()) {
    const std::uint32_t fate = rng_.below(1'000'000);
    if (fate < config_.lost_ppm) {
      ++statistics_.lost;
    } else if (fate < config_.lost_ppm + config_.torn_ppm) {
      ++statistics_.torn;
      tear(*write);
    } else {
      ++statistics_.silent;
      commit(*write);
    }
  }
  durable_.clear();
  busy_until_ = now;
}

FlashStore::ReadResult FlashStore::read(StoreKey key) {
  const Record* record = find(key);
  if (record == nullptr) {
    return {};
  }
  if (const Place* place = newest(*record)) {
    return {ReadState::kGood, ByteSpan{place->bytes}.first(place->size)};
  }
  const bool was_written = record->places[0].number != 0 || record->places[1].number != 0;
  statistics_.damaged_reads += was_written ? 1U : 0U;
  return {was_written ? ReadState::kDamaged : ReadState::kAbsent, {}};
}

void FlashStore::erase() {
  for (Record& record : records_) {
    for (Place& place : record.places) {
      place.number = 0;
      place.size = 0;
      place.checksum = 0;
    }
  }
  pending_.clear();
  durable_.clear();
}

std::uint64_t FlashStore::write_count(StoreKey key) const {
  const Record* record = find(key);
  return record == nullptr ? 0 : record->write_count;
}

std::uint64_t FlashStore::writes_per_year(Duration elapsed) const {
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < key_count_; ++i) {
    most = std::max(most, records_[i].write_count);
  }
  constexpr std::int64_t kSecondsPerYear = 365 * 24 * 3'600;
  const std::int64_t seconds = std::max<std::int64_t>(elapsed.count() / 1'000'000, 1);
  return most * static_cast<std::uint64_t>(kSecondsPerYear) / static_cast<std::uint64_t>(seconds);
}

std::uint64_t FlashStore::checksum_of(const Record& record, const Place& place) const {
  Digest digest;
  digest.add_number(static_cast<std::int64_t>(record.key));
  digest.add_number(static_cast<std::int64_t>(place.number));
  digest.add_number(static_cast<std::int64_t>(place.size));
  digest.add(ByteSpan{place.bytes}.first(std::min<std::size_t>(place.size, place.bytes.size())));
  return digest.value();
}

bool FlashStore::is_good(const Record& record, const Place& place) const {
  return place.number != 0 && place.size <= place.bytes.size() &&
         place.checksum == checksum_of(record, place);
}

const FlashStore::Place* FlashStore::newest(const Record& record) const {
  const Place* best = nullptr;
  for (const Place& place : record.places) {
    if (is_good(record, place) && (best == nullptr || best->number < place.number)) {
      best = &place;
    }
  }
  return best;
}

FlashStore::Place& FlashStore::place_to_write(Record& record) {
  return newest(record) == &record.places[0] ? record.places[1] : record.places[0];
}

void FlashStore::commit(const Pending& write) {
  Record& record = records_[write.record];
  Place& place = place_to_write(record);
  place.number = next_number_++;
  place.size = write.size;
  std::copy_n(buffers_[write.buffer].begin(), write.size, place.bytes.begin());
  place.checksum = checksum_of(record, place);
}

void FlashStore::tear(const Pending& write) {
  Record& record = records_[write.record];
  Place& place = place_to_write(record);
  Place& neighbour = &place == &record.places[0] ? record.places[1] : record.places[0];
  // The header may have arrived, the checksum may have, and the bytes up to some point; then come old ones
  // and a stretch of erased ones.
  const std::uint64_t number = next_number_++;
  const bool has_header = rng_.chance(500'000);
  if (has_header) {
    place.number = number;
    place.size = write.size;
  }
  const auto whole = static_cast<std::uint32_t>(write.size);
  const std::uint32_t arrived = rng_.below(whole + 1);
  std::copy_n(buffers_[write.buffer].begin(), arrived, place.bytes.begin());
  const std::uint32_t erased = rng_.below(whole - arrived + 1);
  std::fill_n(place.bytes.begin() + arrived, erased, std::uint8_t{0xFF});
  if (rng_.chance(config_.damages_neighbour_ppm)) {
    neighbour.checksum ^= 1U;
  }
}

}  // namespace amphora::sim
