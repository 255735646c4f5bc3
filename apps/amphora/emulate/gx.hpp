// SPDX-License-Identifier: Apache-2.0
// amphora emulate gx: a GX device on a real (or virtual) CAN bus, in real time.
//
// It sends its keep-alive each second and prints a JSON line for each set of values it receives (one per
// limits frame, with the newest of all other values) and one for each event: battery_found, limits_lost,
// limits_received, command (what it now tells inverter and chargers), bus.
//
// Commands on standard input: vanish, return, quit. SIGUSR1 makes it vanish, SIGUSR2 return.
#pragma once

#include <string>

namespace amphora::emulate {

struct GxOptions {
  std::string interface;
  bool is_events_only = false;
};

// Returns an exit code.
int run_gx(const GxOptions& options);

}  // namespace amphora::emulate
