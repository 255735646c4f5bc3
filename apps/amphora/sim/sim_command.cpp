// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/sim/sim_command.hpp"

#include <string_view>
#include <vector>

#include "sim/cli/sim_cli.hpp"

namespace amphora {

void add_sim(CLI::App& parent, Action& chosen) {
  CLI::App* command =
      add_command(parent, "sim", "Scenarios in virtual time: sim list, SCENARIO, swarm, replay.",
                  "  amphora sim list\n  amphora sim bms-gateway --seed 7 --hours 24 --json\n"
                  "  amphora sim swarm --seeds 500");
  // The simulator reads its own arguments, --help among them.
  command->set_help_flag();
  command->prefix_command();
  command->callback([&chosen, command] {
    chosen = [arguments = command->remaining()] {
      const std::vector<std::string_view> views(arguments.begin(), arguments.end());
      return sim::sim_main(views);
    };
  });
}

}  // namespace amphora
