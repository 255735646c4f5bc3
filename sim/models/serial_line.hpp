// SPDX-License-Identifier: Apache-2.0
// A serial line between a node and a BMS: byte times, and what goes wrong on a real cable.
//
// Each direction sends one byte after the other at the line's speed, 10 bits a byte (8N1), so a reply of 119
// bytes takes 10.3 ms at 115,200 baud. The receiver gets the bytes of one write when the last of them has
// arrived, or in random pieces (chunk_bytes_max), as a driver's buffer hands them out. Faults, each per byte:
// a flipped bit, a byte that is lost, a byte of noise in front; or a whole write is lost. A cut direction
// swallows everything. Noise on an otherwise quiet line comes from inject().
//
// A piece also tells its origin, which the models use as ground truth: the number of the write it belongs to,
// whether it ends that write, and whether every byte of that write up to here arrived as it was sent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"

namespace amphora::sim {

inline constexpr std::int32_t kTinyBmsBaud = 115'200;

struct SerialFaults {
  std::uint32_t flip_ppm = 0;
  std::uint32_t drop_ppm = 0;
  std::uint32_t insert_ppm = 0;
  std::uint32_t lost_write_ppm = 0;   // per write: none of it arrives
  std::uint16_t chunk_bytes_max = 0;  // 0: a write arrives in one piece; else pieces of 2 to this
  bool is_cut = false;

  friend constexpr bool operator==(const SerialFaults&, const SerialFaults&) = default;
};

struct SerialStatistics {
  std::uint64_t written_bytes = 0;
  std::uint64_t arrived_bytes = 0;
  std::uint64_t flipped_bytes = 0;
  std::uint64_t dropped_bytes = 0;
  std::uint64_t inserted_bytes = 0;
  std::uint64_t overflowed_bytes = 0;  // more in flight than the model keeps
};

// One direction.
class SerialWire {
 public:
  static constexpr std::size_t kPieceBytesMax = 272;
  static constexpr std::size_t kPieceCountMax = 128;

  struct Piece {
    TimePoint at{};
    std::uint32_t write_number = 0;  // from 1; 0: noise that nobody wrote
    bool is_last = false;
    bool is_intact = true;
    std::uint16_t size = 0;
    std::array<std::uint8_t, kPieceBytesMax> bytes;
    ByteSpan payload() const { return ByteSpan{bytes}.first(size); }
  };

  SerialWire(std::int32_t baud, Rng rng) : baud_{baud}, rng_{rng} {}

  // A cut also takes what is on the way.
  void set_faults(const SerialFaults& faults);

  // Queues the bytes behind those still being sent. Returns the number of this write.
  std::uint32_t write(TimePoint now, ByteSpan bytes);
  // A burst of noise without a sender. Nothing happens while the line is busy: see the byte faults.
  void inject(TimePoint now, ByteSpan bytes);

  TimePoint poll_timeout() const { return pieces_.is_empty() ? kNever : pieces_.front().at; }
  // The oldest piece whose time has come; valid until the next call of any method. Null when there is none.
  const Piece* poll_piece(TimePoint now);
  // When the last byte written so far has left.
  TimePoint busy_until() const { return busy_until_; }
  // Everything on the way is gone, for example because a device lost its power.
  void clear() { pieces_.clear(); }
  const SerialStatistics& statistics() const { return statistics_; }

 private:
  TimePoint byte_end(TimePoint start, std::int64_t bytes) const {
    return start + Duration{(bytes * 10 * 1'000'000 + baud_ - 1) / baud_};
  }
  bool has_byte_faults() const {
    return (faults_.flip_ppm | faults_.drop_ppm | faults_.insert_ppm | faults_.chunk_bytes_max) != 0;
  }
  void emit(TimePoint at);
  void write_clean(TimePoint start, ByteSpan bytes);
  void write_with_faults(TimePoint start, ByteSpan bytes);
  void damage(std::uint8_t byte);
  void append(std::uint8_t byte);
  std::size_t draw_chunk_size();

  std::int64_t baud_;
  Rng rng_;
  SerialFaults faults_;
  Ring<Piece, kPieceCountMax> pieces_;
  Piece out_{};   // handed out by poll_piece
  Piece next_{};  // being filled
  std::size_t chunk_left_ = 0;
  TimePoint busy_until_{};
  std::uint32_t write_count_ = 0;
  SerialStatistics statistics_;
};

}  // namespace amphora::sim
