// SPDX-License-Identifier: Apache-2.0
// What a box says about itself in the sections metadata and network: facts that only it changes.
#pragma once

#include <string>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/run/sections_json.hpp"
#include "core/base/node_id.hpp"

namespace amphora::run {

// All fields of the section metadata. `name`: what people call the box.
FieldChanges metadata_facts(const std::string& name, config::Role role, NodeId self);

// All fields of the section network: of the interface that leads to other networks, or of the first one that
// is up. Zero addresses where there is none.
FieldChanges network_facts();

// Whether any interface but loopback is up, has an IPv4 address and a carrier.
bool is_network_up();

}  // namespace amphora::run
