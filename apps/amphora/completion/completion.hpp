// SPDX-License-Identifier: Apache-2.0
// amphora completion bash
//
// The script is printed from the declarations of the subcommands, so it completes what there is: commands,
// options, the choices of arguments that have some (their type name is then "a|b|c"), and files elsewhere.
#pragma once

#include <string>

#include "apps/amphora/command.hpp"

namespace amphora {

void add_completion(CLI::App& parent, Action& chosen);

// The bash script for a whole program.
std::string bash_completion(const CLI::App& program);

}  // namespace amphora
