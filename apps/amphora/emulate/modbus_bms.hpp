// SPDX-License-Identifier: Apache-2.0
// amphora emulate modbus-bms: the simulator's Modbus RTU BMS behind a real serial line, in real time.
//
// Its registers are those of the profile `full` (core/bms/modbus/profiles.hpp), whose first two are the
// profile `default`. Standard output gets a JSON line when the line is ready and one for each thing that
// happens: refused (a request with an exception), fault, unplugged. With a register file its values stay as
// they are; without one a battery lives.
//
// Commands on standard input, a line each:
//   silent | corrupt | refuse | stuck | truncated | joined | split | noise | late [SECONDS]
//                                                   a fault of device or line, for a while or until the next
//   over-voltage | under-voltage | over-temperature | under-temperature | imbalance [SECONDS]
//                                                   a fault of the living battery
//   fault NAME [SECONDS]                            the same
//   normal                                          no fault
//   unplug [SECONDS] | plug                         the serial line disappears and returns
//   set rN=VALUE …                                  registers, as in a register file
//   current AMPERES | current auto                  of the living battery
//   quit
// SIGUSR1 makes it silent, SIGUSR2 normal again; SIGTERM and SIGINT end it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace amphora::emulate {

struct ModbusBmsOptions {
  std::string link;       // symbolic link to the pseudo-terminal; empty for none
  std::string port;       // a serial port instead of a pseudo-terminal; empty for none
  std::string registers;  // register file; empty for the living battery
  std::uint32_t baud = 9600;
  std::uint16_t address = 1;
  std::uint16_t cell_count = 16;
  std::int32_t soc_percent = 62;
  std::string fault = "none";
  std::uint64_t seed = 1;
};

// What --fault and the commands take: "none", the faults of the line, then those of the battery.
std::vector<std::string> modbus_fault_names();

// Returns an exit code.
int run_modbus_bms(const ModbusBmsOptions& options);

}  // namespace amphora::emulate
