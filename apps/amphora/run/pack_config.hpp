// SPDX-License-Identifier: Apache-2.0
// From the configuration of a box to the parts of a pack.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "apps/amphora/config/config.hpp"
#include "runtime/pack/pack_thread.hpp"

namespace amphora::run {

// The configuration must have passed its checks. `machine_id`: what names this machine, for a pack without a
// number of its own. `bus_key`: the content of key_file, empty in plain mode.
runtime::PackOptions to_pack_options(const config::Config& config, std::string_view machine_id,
                                     std::string_view bus_key);
// A sentence about the first value that cannot be worked with; empty when all is well.
std::optional<std::string> check_pack_options(const runtime::PackOptions& options);

// The configured number; else one made from machine and name, the same at each start and hardly the same
// twice.
packnet::HardwareNumber hardware_number(const config::Config& config, std::string_view machine_id);
// "0000a1b2c3d4e5f6".
std::string hardware_text(packnet::HardwareNumber hardware);

// The content of /etc/machine-id, or the host name where there is none.
std::string read_machine_id();

}  // namespace amphora::run
