// SPDX-License-Identifier: Apache-2.0
// Hostile bytes into the Modbus poller, with time passing: it never hangs, and what it takes over can be
// real.
//
// Input: chunks of 1 byte (size in the lower five bits, time step of 20 ms units in the others), then bytes.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "core/bms/modbus/poller.hpp"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora;
  const modbus::PollerConfig config;
  modbus::Poller poller{config};
  TimePoint now{std::chrono::seconds{1}};
  poller.handle_line(now, true);
  ByteReader reader{ByteSpan{data, size}};
  while (reader.remaining() > 0) {
    const std::uint8_t head = reader.u8();
    now += std::chrono::milliseconds{20} * (head >> 5U);
    poller.handle_timeout(now);
    std::array<std::uint8_t, modbus::kRequestSize> out{};
    (void)poller.poll_transmit(now, out);
    poller.handle_bytes(now, reader.take(std::min<std::size_t>(head & 0x1FU, reader.remaining())));
    poller.handle_timeout(now);
    while (poller.poll_event()) {
    }
    const battery::Snapshot& snapshot = poller.snapshot();
    require(!snapshot.voltage || (snapshot.voltage->value > Millivolts{0} &&
                                  snapshot.voltage->value <= config.profile.voltage_max));
    (void)poller.poll_transmit(now, out);
    require(poller.poll_timeout() > now);
  }
  return 0;
}
