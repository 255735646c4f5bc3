// SPDX-License-Identifier: Apache-2.0
// amphora packs --can BUS list|command|monitor
//
// The shell's view of the pack network: who is there, what they tell, and commands to one or all. list and
// monitor only listen. command announces itself as a gateway, gives way to one with a lower hardware number,
// and prints what became of the command at each pack.
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_packs(CLI::App& parent, Action& chosen);

}  // namespace amphora
