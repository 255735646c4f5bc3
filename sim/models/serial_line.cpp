// SPDX-License-Identifier: Apache-2.0
#include "sim/models/serial_line.hpp"

#include <algorithm>

namespace amphora::sim {

void SerialWire::set_faults(const SerialFaults& faults) {
  faults_ = faults;
  if (faults_.is_cut) {
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      statistics_.dropped_bytes += pieces_[i].size;
    }
    pieces_.clear();
  }
}

std::uint32_t SerialWire::write(TimePoint now, ByteSpan bytes) {
  ++write_count_;
  statistics_.written_bytes += bytes.size();
  const TimePoint start = std::max(now, busy_until_);
  busy_until_ = byte_end(start, static_cast<std::int64_t>(bytes.size()));
  if (bytes.empty()) {
    return write_count_;
  }
  const bool is_lost = faults_.lost_write_ppm > 0 && rng_.chance(faults_.lost_write_ppm);
  if (faults_.is_cut || is_lost) {
    statistics_.dropped_bytes += bytes.size();
  } else if (has_byte_faults()) {
    write_with_faults(start, bytes);
  } else {
    write_clean(start, bytes);
  }
  return write_count_;
}

void SerialWire::write_clean(TimePoint start, ByteSpan bytes) {
  next_ = Piece{};
  next_.write_number = write_count_;
  for (std::size_t done = 0; done < bytes.size();) {
    const std::size_t size = std::min(bytes.size() - done, kPieceBytesMax);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(done), size, next_.bytes.begin());
    done += size;
    next_.size = static_cast<std::uint16_t>(size);
    next_.is_last = done == bytes.size();
    emit(byte_end(start, static_cast<std::int64_t>(done)));
  }
}

void SerialWire::write_with_faults(TimePoint start, ByteSpan bytes) {
  next_ = Piece{};
  next_.write_number = write_count_;
  chunk_left_ = draw_chunk_size();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    damage(bytes[i]);
    next_.is_last = i + 1 == bytes.size();
    // Two bytes of room: one of the line, one of noise.
    const bool is_full = next_.size + 2U > kPieceBytesMax || next_.size >= chunk_left_;
    if (is_full || next_.is_last) {
      emit(byte_end(start, static_cast<std::int64_t>(i) + 1));
      chunk_left_ = draw_chunk_size();
    }
  }
}

// Puts one byte of the sender on the line, with whatever the faults make of it.
void SerialWire::damage(std::uint8_t byte) {
  if (faults_.insert_ppm > 0 && rng_.chance(faults_.insert_ppm)) {
    ++statistics_.inserted_bytes;
    next_.is_intact = false;
    append(static_cast<std::uint8_t>(rng_.below(256)));
  }
  if (faults_.drop_ppm > 0 && rng_.chance(faults_.drop_ppm)) {
    ++statistics_.dropped_bytes;
    next_.is_intact = false;
    return;
  }
  if (faults_.flip_ppm > 0 && rng_.chance(faults_.flip_ppm)) {
    ++statistics_.flipped_bytes;
    next_.is_intact = false;
    byte = static_cast<std::uint8_t>(byte ^ (1U << rng_.below(8)));
  }
  append(byte);
}

void SerialWire::append(std::uint8_t byte) {
  next_.bytes[next_.size] = byte;
  ++next_.size;
}

std::size_t SerialWire::draw_chunk_size() {
  if (faults_.chunk_bytes_max == 0) {
    return kPieceBytesMax;
  }
  return static_cast<std::size_t>(rng_.between(2, std::max<std::int64_t>(faults_.chunk_bytes_max, 2)));
}

void SerialWire::inject(TimePoint now, ByteSpan bytes) {
  if (faults_.is_cut) {
    return;
  }
  // On a busy line noise damages bytes, which is what the byte faults do; it never makes a queue.
  if (busy_until_ > now) {
    return;
  }
  const TimePoint start = now;
  const Piece saved = next_;
  next_ = Piece{};
  next_.is_intact = false;
  const std::size_t size = std::min(bytes.size(), kPieceBytesMax);
  std::copy_n(bytes.begin(), size, next_.bytes.begin());
  next_.size = static_cast<std::uint16_t>(size);
  busy_until_ = byte_end(start, static_cast<std::int64_t>(size));
  statistics_.inserted_bytes += size;
  emit(busy_until_);
  next_ = saved;
}

void SerialWire::emit(TimePoint at) {
  next_.at = at;
  if (!pieces_.push(next_)) {
    statistics_.overflowed_bytes += next_.size;
    next_.is_intact = false;  // what follows of this write is no longer the whole
  }
  next_.size = 0;
}

const SerialWire::Piece* SerialWire::poll_piece(TimePoint now) {
  if (pieces_.is_empty() || pieces_.front().at > now) {
    return nullptr;
  }
  out_ = *pieces_.pop();
  statistics_.arrived_bytes += out_.size;
  return &out_;
}

}  // namespace amphora::sim
