// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/packs/telemetry_view.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "core/battery/alarm.hpp"
#include "core/energy/precedence.hpp"
#include "core/energy/settings.hpp"

namespace amphora::packs_command {

using packnet::Field;
using packnet::Telemetry;
using Json = nlohmann::ordered_json;

namespace {

void put(Json& json, const char* name, const Telemetry& telemetry, Field field) {
  if (telemetry.value(field)) {
    json[name] = Json::parse(field_text(telemetry, field));
  }
}

}  // namespace

std::string field_text(const Telemetry& telemetry, Field field) {
  const auto value = telemetry.value(field);
  if (!value) {
    return "-";
  }
  const std::int64_t divisor = packnet::info_of(field).divisor;
  const std::int64_t size = std::abs(*value);
  std::string text = fmt::format("{}{}", *value < 0 ? "-" : "", size / divisor);
  for (std::int64_t rest = size % divisor, place = divisor / 10; place > 0; place /= 10) {
    text += fmt::format("{}{}", place == divisor / 10 ? "." : "", rest / place % 10);
  }
  return text;
}

std::vector<std::string_view> modes_of(const Telemetry& telemetry) {
  std::vector<std::string_view> names;
  const auto bits = static_cast<std::uint64_t>(telemetry.value(Field::kModes).value_or(0));
  for (std::size_t i = 0; i < energy::kModeCount; ++i) {
    if ((bits >> i & 1U) != 0) {
      names.push_back(to_text(static_cast<energy::Mode>(i)));
    }
  }
  return names;
}

std::vector<std::string_view> alarms_of(const Telemetry& telemetry, Field field) {
  std::vector<std::string_view> names;
  const auto bits = static_cast<std::uint64_t>(telemetry.value(field).value_or(0));
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    if ((bits >> i & 1U) != 0) {
      names.push_back(to_text(static_cast<battery::Alarm>(i)));
    }
  }
  return names;
}

std::vector<RelayView> relays_of(const Telemetry& telemetry) {
  std::vector<RelayView> relays;
  for (std::size_t i = 0; i < packnet::kRelaysMax; ++i) {
    const auto position = telemetry.value(Telemetry::relay_position(i));
    const auto holder = telemetry.value(Telemetry::relay_holder(i));
    if (position) {
      relays.push_back({to_text(energy::relay_at(i)), *position == 1 ? "closed" : "open",
                        holder ? packnet::holder_name(*holder) : std::string_view{}});
    }
  }
  return relays;
}

void put_telemetry(Json& json, const Telemetry& telemetry) {
  put(json, "soc_percent", telemetry, Field::kSoc);
  put(json, "voltage_v", telemetry, Field::kVoltage);
  put(json, "current_a", telemetry, Field::kCurrent);
  put(json, "power_w", telemetry, Field::kPowerBattery);
  put(json, "grid_w", telemetry, Field::kPowerGrid);
  put(json, "home_w", telemetry, Field::kPowerHome);
  put(json, "solar_w", telemetry, Field::kPowerSolar);
  json["modes"] = modes_of(telemetry);
  Json& relays = json["relays"] = Json::array();
  for (const RelayView& relay : relays_of(telemetry)) {
    Json one{{"name", relay.name}, {"position", relay.position}};
    if (!relay.holder.empty()) {
      one["holder"] = relay.holder;
    }
    relays.push_back(std::move(one));
  }
  if (const auto state = telemetry.value(Field::kBmsState)) {
    json["bms_state"] = packnet::bms_state_name(*state);
  }
  json["alarms"] = alarms_of(telemetry, Field::kAlarms);
  json["warnings"] = alarms_of(telemetry, Field::kWarnings);
  const auto put_raw = [&](const char* name, Field field) {
    if (const auto value = telemetry.value(field)) {
      json[name] = *value;
    }
  };
  put_raw("cell_min_mv", Field::kCellMin);
  put_raw("cell_max_mv", Field::kCellMax);
  put(json, "temperature_max_c", telemetry, Field::kTemperatureMax);
  put_raw("uptime_s", Field::kUptime);
}

}  // namespace amphora::packs_command
