// SPDX-License-Identifier: Apache-2.0
// amphora emulate tinybms|gx|air
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_emulate(CLI::App& parent, Action& chosen);

}  // namespace amphora
