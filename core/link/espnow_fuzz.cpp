// SPDX-License-Identifier: Apache-2.0
// Any bytes as a packet of a monitor interface: a frame whose parts lie within them, or an error with a name.
// What was read as a frame can be written and reads the same.
#include <array>
#include <cstdint>

#include "core/base/assert.hpp"
#include "core/link/espnow.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora;
  using namespace amphora::espnow;
  const auto packet = decode_packet(ByteSpan{data, size});
  if (!packet) {
    AMPHORA_ASSERT(!to_text(packet.error()).empty());
    return 0;
  }
  const Frame& frame = packet->frame;
  std::array<std::uint8_t, kV2DataMax> bytes;
  const MutableByteSpan content = copy_data(frame, bytes);
  AMPHORA_ASSERT(content.size() == frame.size);
  std::array<std::uint8_t, kTxFrameSizeMax> buffer;
  const TxHeader header{frame.destination, frame.source, frame.sequence, frame.random, 0};
  const auto written = encode_packet(header, content, buffer);
  AMPHORA_ASSERT(written.ok());
  const auto again = decode_packet(*written);
  AMPHORA_ASSERT(again.ok() && again->frame.size == frame.size && again->frame.source == frame.source);
  AMPHORA_ASSERT(again->frame.random == frame.random && again->frame.sequence == frame.sequence);
  return 0;
}
