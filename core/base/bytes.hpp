// SPDX-License-Identifier: Apache-2.0
// Reading and writing integers in byte spans, with bounds kept.
//
// A ByteReader that runs past its end yields zeros and remembers it (ok() turns false), so that a decoder
// reads all its fields and checks once. A ByteWriter that would pass its end writes nothing further and
// remembers it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace amphora {

enum class Endian : std::uint8_t { kLittle, kBig };

using ByteSpan = std::span<const std::uint8_t>;
using MutableByteSpan = std::span<std::uint8_t>;

// Bytes must hold sizeof(Integer) elements.
template <class Integer>
constexpr Integer load(const std::uint8_t* bytes, Endian endian) {
  using Unsigned = std::make_unsigned_t<Integer>;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    const std::size_t at = endian == Endian::kBig ? i : sizeof(Integer) - 1 - i;
    value = (value << 8U) | bytes[at];
  }
  return static_cast<Integer>(static_cast<Unsigned>(value));
}

template <class Integer>
constexpr void store(std::uint8_t* bytes, Integer value, Endian endian) {
  auto rest = static_cast<std::uint64_t>(static_cast<std::make_unsigned_t<Integer>>(value));
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    const std::size_t at = endian == Endian::kLittle ? i : sizeof(Integer) - 1 - i;
    bytes[at] = static_cast<std::uint8_t>(rest & 0xFFU);
    rest >>= 8U;
  }
}

class ByteReader {
 public:
  constexpr explicit ByteReader(ByteSpan bytes) : bytes_{bytes} {}

  template <class Integer>
  constexpr Integer read(Endian endian = Endian::kLittle) {
    if (remaining() < sizeof(Integer)) {
      ok_ = false;
      position_ = bytes_.size();
      return Integer{};
    }
    const Integer value = load<Integer>(bytes_.data() + position_, endian);
    position_ += sizeof(Integer);
    return value;
  }
  constexpr std::uint8_t u8() { return read<std::uint8_t>(); }
  constexpr std::uint16_t u16(Endian endian = Endian::kLittle) { return read<std::uint16_t>(endian); }
  constexpr std::uint32_t u32(Endian endian = Endian::kLittle) { return read<std::uint32_t>(endian); }
  constexpr std::int16_t i16(Endian endian = Endian::kLittle) { return read<std::int16_t>(endian); }
  // The next `size` bytes, or an empty span and !ok().
  constexpr ByteSpan take(std::size_t size) {
    if (remaining() < size) {
      ok_ = false;
      position_ = bytes_.size();
      return {};
    }
    const ByteSpan taken = bytes_.subspan(position_, size);
    position_ += size;
    return taken;
  }
  constexpr std::size_t remaining() const { return bytes_.size() - position_; }
  constexpr bool ok() const { return ok_; }

 private:
  ByteSpan bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

class ByteWriter {
 public:
  constexpr explicit ByteWriter(MutableByteSpan bytes) : bytes_{bytes} {}

  template <class Integer>
  constexpr void write(Integer value, Endian endian = Endian::kLittle) {
    if (!ok_ || bytes_.size() - position_ < sizeof(Integer)) {
      ok_ = false;
      return;
    }
    store<Integer>(bytes_.data() + position_, value, endian);
    position_ += sizeof(Integer);
  }
  constexpr void u8(std::uint8_t value) { write(value); }
  constexpr void u16(std::uint16_t value, Endian endian = Endian::kLittle) { write(value, endian); }
  constexpr void u32(std::uint32_t value, Endian endian = Endian::kLittle) { write(value, endian); }
  constexpr void i16(std::int16_t value, Endian endian = Endian::kLittle) { write(value, endian); }
  constexpr void bytes(ByteSpan from) {
    for (const std::uint8_t byte : from) {
      u8(byte);
    }
  }
  // What was written so far.
  constexpr MutableByteSpan written() const { return bytes_.first(position_); }
  constexpr std::size_t size() const { return position_; }
  constexpr bool ok() const { return ok_; }

 private:
  MutableByteSpan bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

}  // namespace amphora
