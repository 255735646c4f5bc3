// SPDX-License-Identifier: Apache-2.0
// The group "link" of the state: radio, search, peers, queue, rejected frames. Field names are the API's.
#pragma once

#include <functional>
#include <string>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "runtime/link/link_messages.hpp"

namespace amphora::run {

// The name of a peer for people; empty: none known.
using NameOf = std::function<std::string(NodeId)>;

Json link_json(const runtime::LinkReport& report, const config::Config& config, const NameOf& name_of,
               TimePoint now, WallTime wall_now);

}  // namespace amphora::run
