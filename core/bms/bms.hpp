// SPDX-License-Identifier: Apache-2.0
// What a role asks of any battery reader, whichever wire it reads from.
//
// A Bms is a Machine that keeps one battery::Snapshot up to date. Drivers live in core/bms/<family>/. A
// serial family takes bytes (handle_bytes, poll_transmit into a span), a CAN family takes frames
// (handle_frame); both report the same events, so that the role above does not care.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

#include "core/base/machine.hpp"
#include "core/battery/snapshot.hpp"

namespace amphora::bms {

// Counters every driver keeps; all start at zero and only grow.
struct Statistics {
  std::uint64_t requests_sent = 0;
  std::uint64_t replies_received = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t retries = 0;
  std::uint64_t crc_errors = 0;
  std::uint64_t refusals = 0;           // the BMS answered with an error
  std::uint64_t unexpected_frames = 0;  // valid, but not what was asked
  std::uint64_t noise_bytes = 0;        // skipped while searching for a frame
  std::uint64_t implausible_values = 0;
  std::uint32_t consecutive_failures = 0;  // polls without an answer; back to zero on success
};

template <class B>
concept Bms = Machine<B> && requires(const B& bms) {
  { bms.snapshot() } -> std::same_as<const battery::Snapshot&>;
  { bms.statistics() } -> std::same_as<const Statistics&>;
};

}  // namespace amphora::bms
