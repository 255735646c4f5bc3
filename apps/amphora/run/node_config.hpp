// SPDX-License-Identifier: Apache-2.0
// From the owner's configuration to the configuration of the node and its control thread.
#pragma once

#include <optional>
#include <string>

#include "apps/amphora/config/config.hpp"
#include "core/node/bms_gateway/bms_gateway.hpp"
#include "runtime/control/control_thread.hpp"

namespace amphora::run {

node::BmsGatewayConfig to_node_config(const config::Config& config);

// What the parts of the node say against the configuration, as a sentence; empty when all is well. The
// configuration's own checks should leave nothing for it to find.
std::optional<std::string> check_node_config(const node::BmsGatewayConfig& config);

// Without energy counters: the store knows them.
runtime::ControlOptions to_control_options(const config::Config& config);

}  // namespace amphora::run
