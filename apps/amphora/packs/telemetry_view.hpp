// SPDX-License-Identifier: Apache-2.0
// What a pack told of itself on the bus, for people and programs: the API of a pack and `amphora packs` show
// it alike. What is not known is absent in JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/packnet/telemetry.hpp"

namespace amphora::packs_command {

// A number with the decimals of its field, exactly: 5217 hundredths are 52.17. A hyphen when it is not known.
std::string field_text(const packnet::Telemetry& telemetry, packnet::Field field);
std::vector<std::string_view> modes_of(const packnet::Telemetry& telemetry);
// Of kAlarms or kWarnings.
std::vector<std::string_view> alarms_of(const packnet::Telemetry& telemetry, packnet::Field field);

struct RelayView {
  std::string_view name;
  std::string_view position;
  std::string_view holder;  // empty: not told
};
std::vector<RelayView> relays_of(const packnet::Telemetry& telemetry);

// soc_percent, voltage_v, … as docs/protocols/http.md lists them for a node.
void put_telemetry(nlohmann::ordered_json& json, const packnet::Telemetry& telemetry);

}  // namespace amphora::packs_command
