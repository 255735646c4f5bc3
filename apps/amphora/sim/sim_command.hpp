// SPDX-License-Identifier: Apache-2.0
// amphora sim …: everything behind the word goes to the simulator as it is.
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_sim(CLI::App& parent, Action& chosen);

}  // namespace amphora
