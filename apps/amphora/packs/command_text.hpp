// SPDX-License-Identifier: Apache-2.0
// Commands of the pack network as people write them:
//
//   set_mode backup on               set_relay pool_pump on 30
//   set_value soc_low 12.5           set_window 1 22:00-06:00 1-5
//   reset_grid_energy   restart      identify 10
//
// Names and ranges are those of core/packnet/command.hpp; values are in the units people think in (%, V, W,
// Wh) and read by integers. Everything that a pack would refuse is refused here, before anything is sent.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "core/packnet/command.hpp"

namespace amphora::packs_command {

// The command, or what is wrong with the words and what is allowed.
std::variant<packnet::Command, std::string> parse_command(std::span<const std::string> words);

// All commands with their arguments, a line each.
std::string commands_text();

// What a pack means with an answer; `detail` and the command make some of them clearer.
std::string answer_text(const packnet::Command& command, packnet::CommandResult result, std::uint32_t detail);

}  // namespace amphora::packs_command
