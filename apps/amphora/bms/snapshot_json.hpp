// SPDX-License-Identifier: Apache-2.0
// A battery snapshot as JSON, with the field names of the HTTP interface. Unknown values are absent.
#pragma once

#include <nlohmann/json.hpp>

#include "core/battery/snapshot.hpp"

namespace amphora::bms_command {

nlohmann::ordered_json snapshot_json(const battery::Snapshot& snapshot);

}  // namespace amphora::bms_command
