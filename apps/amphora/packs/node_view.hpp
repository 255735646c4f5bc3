// SPDX-License-Identifier: Apache-2.0
// What a node of the pack network told, as JSON for programs and as a table for people. What is not known is
// absent in JSON and a hyphen in the table.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/packnet/network.hpp"

namespace amphora::packs_command {

// {"master":12,"nodes":[…]}, nodes by their ids.
nlohmann::ordered_json nodes_json(const packnet::PackNetwork& network, TimePoint now);
std::string nodes_table(const packnet::PackNetwork& network, TimePoint now);

// Whether an event tells what no single frame does: who came and went, and who leads.
bool is_news(const packnet::NetworkEvent& event);

}  // namespace amphora::packs_command
