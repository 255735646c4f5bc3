// SPDX-License-Identifier: Apache-2.0
// The checks between fields that only a pack has; part of check_between_fields().
#pragma once

#include "apps/amphora/config/checks.hpp"
#include "core/energy/controller.hpp"

namespace amphora::config {

// Settings that would be refused by the core, in the words of the file.
energy::Protection to_protection(const Config& config);
energy::PerRelay<energy::RelayConfig> to_relays(const Config& config);
energy::BalanceConfig to_balance(const Config& config);

void check_pack(const Config& config, Findings& findings);

// The key in the file, 64 hexadecimal digits; nothing when it is not of that form.
std::optional<std::array<std::uint8_t, 32>> parse_bus_key(std::string_view text);

}  // namespace amphora::config
