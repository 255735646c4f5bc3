// SPDX-License-Identifier: Apache-2.0
// amphora demo: the whole house without hardware.
//
// Starts as programs of their own: a broker (mosquitto), an emulated TinyBMS behind a pseudo-terminal, an
// emulated GX device on a virtual CAN bus, and the gateway between them. Prints where to look, watches over
// them, and ends all of them. The end of broker or gateway is the end of the demo, with exit code 1; the
// others may be killed to see what the gateway does then.
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_demo(CLI::App& parent, Action& chosen);

}  // namespace amphora
