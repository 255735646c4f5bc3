// SPDX-License-Identifier: Apache-2.0
#include "core/bms/modbus/frame.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/crc.hpp"

namespace amphora::modbus {

namespace {

constexpr std::size_t kExceptionSize = 5;
constexpr std::uint8_t kExceptionBit = 0x80;

}  // namespace

std::array<std::uint8_t, kRequestSize> encode_read(std::uint8_t address, Function function,
                                                   std::uint16_t first, std::uint16_t count) {
  std::array<std::uint8_t, kRequestSize> frame{};
  ByteWriter writer{frame};
  writer.u8(address);
  writer.u8(static_cast<std::uint8_t>(function));
  writer.u16(first, Endian::kBig);
  writer.u16(count, Endian::kBig);
  writer.u16(crc16_modbus(writer.written()));
  return frame;
}

void ReplyReader::begin(std::uint8_t address, Function function, std::uint16_t count) {
  AMPHORA_ASSERT(count <= kWordsMax);
  address_ = address;
  function_ = static_cast<std::uint8_t>(function);
  data_size_ = static_cast<std::uint8_t>(2 * count);
  size_ = 0;
}

// The buffer begins where a reply may begin; what cannot be one is shifted out byte by byte.
std::optional<Reply> ReplyReader::take(std::uint8_t byte, bms::Statistics& statistics) {
  buffer_[size_++] = byte;
  while (size_ > 0) {
    const bool is_exception = size_ > 1 && buffer_[1] == (function_ | kExceptionBit);
    const bool can_be = buffer_[0] == address_ && (size_ < 2 || is_exception || buffer_[1] == function_) &&
                        (size_ < 3 || is_exception || buffer_[2] == data_size_);
    const std::size_t wanted = is_exception ? kExceptionSize : 5 + std::size_t{data_size_};
    if (can_be && size_ < wanted) {
      return std::nullopt;
    }
    const ByteSpan frame = ByteSpan{buffer_}.first(std::min(size_, wanted));
    if (can_be && crc16_modbus(frame) == 0) {
      size_ = 0;
      return is_exception ? Reply{true, frame[2], {}} : Reply{false, 0, frame.subspan(3, data_size_)};
    }
    statistics.crc_errors += can_be ? 1U : 0U;
    ++statistics.noise_bytes;
    std::copy(buffer_.begin() + 1, buffer_.begin() + static_cast<std::ptrdiff_t>(size_), buffer_.begin());
    --size_;
  }
  return std::nullopt;
}

}  // namespace amphora::modbus
