// SPDX-License-Identifier: Apache-2.0
// amphora emulate tinybms|modbus-bms|gx|air|house
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_emulate(CLI::App& parent, Action& chosen);

}  // namespace amphora
