// SPDX-License-Identifier: Apache-2.0
// Any bytes as a message, and as a frame that an envelope opens. What decodes must encode to the same again.
#include <array>
#include <cstdlib>

#include "core/link/messages.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora;
  const ByteSpan bytes{data, size};
  const auto message = link::decode(bytes);
  if (message.ok()) {
    std::array<std::uint8_t, link::kMessageSizeMax> encoded{};
    const std::size_t encoded_size = link::encode(*message, encoded);
    const auto again = link::decode(ByteSpan{encoded}.first(encoded_size));
    if (!again.ok() || !(*again == *message)) {
      std::abort();
    }
  }
  std::array<std::uint8_t, link::kPayloadSizeMax> out{};
  for (const link::Mode mode : {link::Mode::kSealed, link::Mode::kPlain}) {
    link::Envelope envelope{
        {.mode = mode, .self = NodeId{1}, .peer = NodeId{2}, .link_key = {}, .boot_nonce = 3}};
    (void)envelope.open(bytes, out);
    envelope.begin_session(7, 1, 2);
    (void)envelope.open(bytes, out);
  }
  return 0;
}
