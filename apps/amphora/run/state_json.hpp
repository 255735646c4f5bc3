// SPDX-License-Identifier: Apache-2.0
// The state of the box as JSON groups, for the API, the WebSocket and MQTT.
//
// Field names and units are the API's (docs/protocols/http.md). A value that is not known is absent. Battery
// current and power are positive while charging.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "apps/amphora/config/config.hpp"
#include "runtime/control/control_thread.hpp"
#include "runtime/mqtt/mqtt_client.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

using Json = nlohmann::ordered_json;

// Values older than this are shown by age only by the page; here they decide `online`.
inline constexpr Duration kBatteryOnlineAgeMax = std::chrono::seconds{5};

// A snapshot's values are up to date when its current is: every driver reads current with each poll.
std::optional<Duration> battery_age(const runtime::ControlReport& report, TimePoint now);
bool is_battery_online(const runtime::ControlReport& report, TimePoint now);

// What a page shows of a battery, whoever reads it.
struct BatteryView {
  const battery::Snapshot& snapshot;
  bool is_online = false;
  battery::AlarmSet alarms;
  battery::AlarmSet warnings;
  Json faults = Json::array();
};
Json battery_json(const BatteryView& view, const config::Config& config, TimePoint now);
Json battery_json(const runtime::ControlReport& report, const config::Config& config, TimePoint now);
// Age of the newest current, of which each poll reads one; empty without any.
std::optional<Duration> battery_age(const battery::Snapshot& snapshot, TimePoint now);
// Adds time_to_full_s or time_to_empty_s, where the current says enough.
void put_estimates(Json& json, const battery::Snapshot& snapshot, std::optional<BasisPoints> soc,
                   const battery::Profile& profile);
Json statistics_json(const bms::Statistics& statistics);
Json limits_json(const runtime::ControlReport& report);
Json inverter_json(const runtime::ControlReport& report, const config::Config& config, TimePoint now);
// `wall_now` belongs to `now`; times of the link's history are reckoned back from it.
Json bms_link_json(const runtime::ControlReport& report, const config::Config& config, TimePoint now,
                   WallTime wall_now);
Json control_json(const runtime::ControlReport& report, std::uint64_t reports_dropped);
Json mqtt_json(const config::Config& config, const std::optional<runtime::MqttStatus>& status);
Json storage_json(const runtime::StoreStatus& status);

// The body of /ws/cells; empty without cells.
std::string cells_message(const battery::Snapshot& snapshot, std::int64_t unix_ms);

// "waiting_for_battery", "announcing", "online", "fault", "implausible", "battery_stale", "battery_lost",
// "lost", "silent", "bus_off".
std::string_view phase_name(const runtime::ControlReport& report);

// Faults in force according to the BMS's own event list, by name.
Json fault_names(const runtime::ControlReport& report);
Json alarm_names(const battery::AlarmSet& alarms);

// What of a snapshot goes into the history.
runtime::HistorySample history_sample(const battery::Snapshot& snapshot, WallTime at);

// Energy in the battery at its nominal voltage; empty without SOC.
std::optional<double> stored_kwh(const battery::Snapshot& snapshot, const battery::Profile& profile);
double stored_kwh(BasisPoints soc, const battery::Snapshot& snapshot, const battery::Profile& profile);

}  // namespace amphora::run
