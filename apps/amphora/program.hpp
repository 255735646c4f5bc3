// SPDX-License-Identifier: Apache-2.0
// The program `amphora`: its subcommands, and the way from a command line to one of them.
//
// Data goes to stdout, the log to stderr. Exit codes: 0 good, 1 failed, 2 wrong usage or configuration.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "apps/amphora/command.hpp"

namespace amphora {

// Every subcommand, declared. `chosen` is filled while a command line is parsed and must outlive the result.
std::unique_ptr<CLI::App> make_program(Action& chosen);

// What main() does: returns the exit code.
int run_program(int argc, const char* const* argv);

}  // namespace amphora
