// SPDX-License-Identifier: Apache-2.0
// amphora emulate tinybms: the simulator's TinyBMS behind a real serial line, in real time.
//
// Standard output gets a JSON line when the line is ready and one for each thing that happens (woken up, fell
// asleep, setting written, fault). With a register file its values stay as they are, only the lifetime
// counter runs; without one a 16-cell pack lives.
//
// Commands on standard input, a line each:
//   silent | corrupt | nack | stuck | truncated | joined  [SECONDS]   a fault, for a while or until the next
//   normal                                                            no fault
//   set rN=VALUE …                                                    registers, as in a register file
//   event ID                                                          adds to the event list
//   current AMPERES | current auto                                    of the living pack
//   quit
// SIGUSR1 makes it silent, SIGUSR2 normal again; SIGTERM and SIGINT end it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/models/tinybms_device.hpp"

namespace amphora::emulate {

struct TinyBmsOptions {
  std::string link;       // symbolic link to the pseudo-terminal; empty for none
  std::string port;       // a serial port instead of a pseudo-terminal; empty for none
  std::string registers;  // register file; empty for the living pack
  bool is_sleepy = false;
  std::int64_t sleep_after_s = 10;
  std::string fault = "none";
  std::uint64_t seed = 1;
};

// Returns an exit code.
int run_tinybms(const TinyBmsOptions& options);

}  // namespace amphora::emulate
