// SPDX-License-Identifier: Apache-2.0
// amphora check FILE.toml
//
// Every error on a line of its own on stdout, as file:line:column: key: what is wrong; what is allowed.
// Warnings go to stderr and change nothing. Exit 0 when the file can be used, 2 when not.
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_check(CLI::App& parent, Action& chosen);

}  // namespace amphora
