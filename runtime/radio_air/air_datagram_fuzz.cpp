// SPDX-License-Identifier: Apache-2.0
// Any datagram is a message or an error with a name, what was read can be written to the same bytes, and the
// air takes any sequence of datagrams from any clients.
//
// Input: pieces of 1 byte client, 1 byte size, bytes; also taken as one datagram as a whole.
#include <algorithm>
#include <array>
#include <cstdint>

#include "core/base/assert.hpp"
#include "runtime/radio_air/air_codec.hpp"
#include "runtime/radio_air/air_model.hpp"

namespace {

using namespace amphora;
using namespace amphora::runtime;

void try_codec(ByteSpan bytes) {
  const auto datagram = air::decode_datagram(bytes);
  if (!datagram) {
    return;
  }
  std::array<std::uint8_t, air::kDatagramSizeMax> buffer;
  const MutableByteSpan again = air::encode_datagram(*datagram, buffer);
  AMPHORA_ASSERT(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
}

void drain(air::AirModel& model, TimePoint now) {
  while (const auto output = model.poll_output(now)) {
    AMPHORA_ASSERT(air::decode_datagram(ByteSpan{output->bytes}.first(output->size)).ok());
  }
  while (model.poll_event()) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try_codec({data, size});
  air::AirConfig config;
  config.loss_ppm = 200'000;
  config.client_max = 4;
  air::AirModel model{config};
  TimePoint now{};
  ByteReader reader{{data, size}};
  while (reader.remaining() > 0) {
    const std::uint8_t client = reader.u8();
    const std::uint8_t length = reader.u8();
    model.handle_datagram(now, client % 8U, reader.take(length));
    drain(model, now);
    now += std::chrono::milliseconds{client};
    model.handle_timeout(now);
    AMPHORA_ASSERT(model.client_count() <= config.client_max);
    drain(model, now);
    AMPHORA_ASSERT(model.poll_timeout() > now);
  }
  return 0;
}
