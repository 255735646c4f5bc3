// SPDX-License-Identifier: Apache-2.0
// Any datagram gives a valid frame or an error; a frame survives the way back.
#include <array>
#include <cstdint>

#include "core/base/assert.hpp"
#include "runtime/can_udp/udp_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora;
  const auto frame = runtime::decode_udp_frame(ByteSpan{data, size});
  if (frame) {
    AMPHORA_ASSERT(frame->size <= can::kDataSizeMax);
    std::array<std::uint8_t, runtime::kUdpDatagramSizeMax> buffer;
    const auto again = runtime::decode_udp_frame(runtime::encode_udp_frame(*frame, WallTime{}, buffer));
    AMPHORA_ASSERT(again.ok() && *again == *frame);
  }
  return 0;
}
