// SPDX-License-Identifier: Apache-2.0
// The command `sim` of the program, and of amphora_sim_cli, which needs nothing but core and simulator:
//
//   sim list
//   sim SCENARIO [--seed N] [--seeds K] [--hours H] [--loss P] [--event E] [--last-channel C]
//   [--count N] [--json] [--trace]
//   sim swarm [--seeds N] [--from S] [--world W] [--json] [--trace] sim replay --seed N [--world W]
//   [--faults MASK] [--until-ms T] [--trace]   what swarm prints for a failure
//
// Results on stdout, traces and progress on stderr. Exit code 0: no invariant broke, 1: one did, 2: wrong
// usage, with one line that names the argument and what is allowed.
#pragma once

#include <span>
#include <string_view>

namespace amphora::sim {

// `arguments` without the program's and the command's name.
int sim_main(std::span<const std::string_view> arguments);

}  // namespace amphora::sim
