// SPDX-License-Identifier: Apache-2.0
// The groups of the state that a pack adds; docs/protocols/http.md says what is in them. Unknown values are
// absent. Power is positive on import, while charging, and for consumption.
#pragma once

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "runtime/pack/pack_messages.hpp"

namespace amphora::run {

bool is_battery_online(const runtime::PackReport& report, const config::Config& config, TimePoint now);
Json battery_json(const runtime::PackReport& report, const config::Config& config, TimePoint now);
Json bms_link_json(const runtime::PackReport& report, const config::Config& config, TimePoint now);
Json control_json(const runtime::PackReport& report, std::uint64_t reports_dropped);

Json energy_json(const runtime::PackReport& report, const config::Config& config, TimePoint now);
Json modes_json(const runtime::PackReport& report, TimePoint now);
Json packs_json(const runtime::PackReport& report, TimePoint now);
Json indicator_json(const runtime::PackReport& report, TimePoint now);

// The topic `pack` of MQTT: the values that another program acts upon.
Json pack_message(const runtime::PackReport& report);

}  // namespace amphora::run
