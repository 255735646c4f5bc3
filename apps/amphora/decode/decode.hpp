// SPDX-License-Identifier: Apache-2.0
// amphora decode victron|tinybms|link|packnet [FILE]
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_decode(CLI::App& parent, Action& chosen);

}  // namespace amphora
