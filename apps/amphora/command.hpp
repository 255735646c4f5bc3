// SPDX-License-Identifier: Apache-2.0
// What every subcommand shares: how it is declared, and its exit codes.
//
// A subcommand is one function add_…(parent, chosen) that declares itself below `parent` and, when it is the
// one on the command line, leaves what is to be done in `chosen`. So nothing runs while the command line is
// still being read, and the same declarations give help, completion and the check of the manual.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace amphora {

inline constexpr int kExitGood = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;  // wrong command line or configuration

using Action = std::function<int()>;

// Declares a subcommand; `examples` is printed at the end of its help, one command a line.
inline CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& description,
                             const std::string& examples) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer("Examples:\n" + examples);
  return command;
}

}  // namespace amphora
