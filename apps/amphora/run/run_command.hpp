// SPDX-License-Identifier: Apache-2.0
// amphora run FILE.toml
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_run(CLI::App& parent, Action& chosen);

}  // namespace amphora
