// SPDX-License-Identifier: Apache-2.0
// amphora version [--json]
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_version(CLI::App& parent, Action& chosen);

}  // namespace amphora
