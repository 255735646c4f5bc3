// SPDX-License-Identifier: Apache-2.0
// Frames from hostile input into the codec: what was understood can be said again and is understood the same,
// or is refused by name.
//
// Input: frames of 2 bytes id (bit 15 extended, bit 14 remote), 1 byte size, 8 bytes data.
#include <cstdint>
#include <cstdlib>

#include "core/can/bms_protocol.hpp"

namespace {

using namespace amphora;

constexpr std::uint16_t kExtendedBit = 0x8000;
constexpr std::uint16_t kRemoteBit = 0x4000;

can::Frame next_frame(ByteReader& reader) {
  can::Frame frame;
  const std::uint16_t id = reader.u16();
  frame.id = id & can::kStandardIdMax;
  frame.is_extended = (id & kExtendedBit) != 0;
  frame.is_remote = (id & kRemoteBit) != 0;
  frame.size = reader.u8();
  for (std::uint8_t& byte : frame.data) {
    byte = reader.u8();
  }
  return frame;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader{ByteSpan{data, size}};
  while (reader.remaining() > 0) {
    const auto decoded = can::decode(next_frame(reader));
    if (!decoded.ok()) {
      (void)can::to_text(decoded.error());
      continue;
    }
    const auto encoded = can::encode(decoded.value());
    if (encoded.ok()) {
      const auto again = can::decode(encoded.value());
      if (!again.ok() || !(again.value() == decoded.value())) {
        std::abort();
      }
    } else if (encoded.error() != can::EncodeError::kFieldMissing) {
      std::abort();
    }
  }
  return 0;
}
