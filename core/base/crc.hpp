// SPDX-License-Identifier: Apache-2.0
// Checksums: CRC-16/MODBUS for serial frames, CRC-32 for records, FNV-1a for digests of a run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"

namespace amphora {

namespace detail {
constexpr std::array<std::uint16_t, 256> make_crc16_table() {
  std::array<std::uint16_t, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    auto crc = static_cast<std::uint16_t>(i);
    for (int bit = 0; bit < 8; ++bit) {
      const bool carry = (crc & 1U) != 0;
      crc = static_cast<std::uint16_t>(crc >> 1U);
      if (carry) {
        crc = static_cast<std::uint16_t>(crc ^ 0xA001U);
      }
    }
    table[i] = crc;
  }
  return table;
}
inline constexpr std::array<std::uint16_t, 256> kCrc16Table = make_crc16_table();
}  // namespace detail

// CRC-16/MODBUS: polynomial 0x8005 reflected (0xA001), initial value 0xFFFF, no final XOR. Check value of
// "123456789" is 0x4B37. On the wire the low byte goes first. `crc` continues an earlier result.
constexpr std::uint16_t crc16_modbus(ByteSpan bytes, std::uint16_t crc = 0xFFFF) {
  for (const std::uint8_t byte : bytes) {
    crc = static_cast<std::uint16_t>((crc >> 8U) ^ detail::kCrc16Table[(crc ^ byte) & 0xFFU]);
  }
  return crc;
}

// CRC-32/ISO-HDLC (zip, Ethernet): polynomial 0x04C11DB7 reflected, initial value and final XOR all ones.
// Check value of "123456789" is 0xCBF43926. `crc` continues an earlier result. Bit by bit: for a few hundred
// bytes now and then, a table is not worth its memory.
constexpr std::uint32_t crc32(ByteSpan bytes, std::uint32_t crc = 0) {
  crc = ~crc;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB8'8320U : 0U);
    }
  }
  return ~crc;
}

// 64-bit FNV-1a over everything a run did: equal runs have equal digests, on every compiler.
class Digest {
 public:
  constexpr void add_byte(std::uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001B3U; }
  constexpr void add(ByteSpan bytes) {
    for (const std::uint8_t byte : bytes) {
      add_byte(byte);
    }
  }
  // Eight bytes, little-endian, whatever the host's order.
  constexpr void add_number(std::int64_t number) {
    auto rest = static_cast<std::uint64_t>(number);
    for (int i = 0; i < 8; ++i) {
      add_byte(static_cast<std::uint8_t>(rest & 0xFFU));
      rest >>= 8U;
    }
  }
  constexpr std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325U;
};

}  // namespace amphora
