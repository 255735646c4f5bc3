// SPDX-License-Identifier: Apache-2.0
// Modbus RTU on the wire: requests to read registers, and the search for the reply among received bytes.
//
// RTU frames end by silence, which a host behind a USB adapter cannot see; here they end by their length,
// which is known: an answer of the awaited length or an exception, with the right CRC (CRC-16/MODBUS, low
// byte first). Bytes before it are skipped and counted.
//
// A codec without time: who asks again and when is the business of its user.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/bms/bms.hpp"

namespace amphora::modbus {

inline constexpr std::size_t kRequestSize = 8;
inline constexpr std::uint16_t kWordsMax = 125;  // of one request (Modbus application protocol V1.1b3, 6.3)
inline constexpr std::size_t kReplySizeMax = 5 + 2 * std::size_t{kWordsMax};

enum class Function : std::uint8_t { kHoldingRegisters = 3, kInputRegisters = 4 };

// address, function, first register, count (high bytes first), CRC (low byte first).
std::array<std::uint8_t, kRequestSize> encode_read(std::uint8_t address, Function function,
                                                   std::uint16_t first, std::uint16_t count);

struct Reply {
  bool is_exception = false;
  std::uint8_t code = 0;  // of an exception
  ByteSpan data;          // the registers, two bytes each, high byte first; valid until the next call
};

class ReplyReader {
 public:
  // From now on the answer to this request is awaited; earlier bytes are forgotten. Needs count <= kWordsMax.
  void begin(std::uint8_t address, Function function, std::uint16_t count);
  // Takes one byte; the reply when it was its last one. Counts noise_bytes and crc_errors.
  std::optional<Reply> take(std::uint8_t byte, bms::Statistics& statistics);
  void clear() { size_ = 0; }
  // Bytes of an unfinished reply.
  std::size_t size() const { return size_; }

 private:
  std::uint8_t address_ = 0;
  std::uint8_t function_ = 0;
  std::uint8_t data_size_ = 0;
  std::array<std::uint8_t, kReplySizeMax> buffer_{};
  std::size_t size_ = 0;
};

}  // namespace amphora::modbus
