// SPDX-License-Identifier: Apache-2.0
// amphora emulate air: the air between radios as a process, in real time.
//
// Standard output gets a JSON line when it is ready (with the port it listens on) and one for each thing that
// happens: joined, left, expired, replaced and channel, with the radio's address.
//
// Commands on standard input, a line each:
//   loss P      from now on, 0 to 1
//   delay MS    from now on
//   status      a line with the counters
//   quit
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace amphora::emulate {

struct AirOptions {
  std::string listen = "127.0.0.1:47000";
  bool is_remote_allowed = false;
  double loss = 0.0;
  int delay_ms = 0;
  std::string channels = "1-13";
  int tries = 6;
  std::uint64_t seed = 1;
};

// "1-13", "1,6,11", "1-3,11": channels from 1 to 14 in the order given. Empty for anything else.
std::vector<std::uint8_t> parse_channels(std::string_view text);

// Returns an exit code.
int run_air(const AirOptions& options);

}  // namespace amphora::emulate
