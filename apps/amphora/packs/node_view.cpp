// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/packs/node_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/battery/alarm.hpp"
#include "core/energy/relay.hpp"
#include "core/energy/settings.hpp"

namespace amphora::packs_command {

namespace {

using Json = nlohmann::ordered_json;
using packnet::Field;
using packnet::NodeEntry;
using packnet::Telemetry;

// A number with the decimals of its field, exactly: 5217 hundredths are 52.17.
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

void put(Json& json, const char* name, const Telemetry& telemetry, Field field) {
  if (telemetry.value(field)) {
    json[name] = Json::parse(field_text(telemetry, field));
  }
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

struct RelayView {
  std::string_view name;
  std::string_view position;
  std::string_view holder;
};
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

bool has(const NodeEntry& entry, std::uint8_t flag) {
  return (entry.flags & flag) != 0;
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

std::vector<const NodeEntry*> by_id(const packnet::PackNetwork& network) {
  std::vector<const NodeEntry*> entries;
  for (const NodeEntry& entry : network.nodes().entries()) {
    entries.push_back(&entry);
  }
  std::ranges::sort(entries, {}, &NodeEntry::node);
  return entries;
}

Json node_json(const NodeEntry& entry, bool is_master, TimePoint now) {
  Json json{{"node", entry.node}, {"type", to_text(entry.type)}};
  if (entry.type != packnet::DeviceType::kUnknown) {
    json["hash"] = fmt::format("{:08x}", entry.hash);
    json["firmware"] = fmt::format("{}.{}", entry.firmware_major, entry.firmware_minor);
  }
  json["is_master"] = is_master;
  json["alarm"] = has(entry, packnet::kPresenceAlarm);
  json["warning"] = has(entry, packnet::kPresenceWarning);
  json["duplicate"] = has(entry, packnet::kPresenceDuplicate);
  json["heard_ms"] = to_milliseconds(now - entry.heard_at);
  if (entry.telemetry_at) {
    put_telemetry(json, entry.telemetry);
  }
  return json;
}

template <class Names>
std::string list_text(const Names& names) {
  return names.empty() ? "-" : fmt::format("{}", fmt::join(names, ","));
}

std::string relays_text(const Telemetry& telemetry) {
  std::vector<std::string> texts;
  for (const RelayView& relay : relays_of(telemetry)) {
    texts.push_back(
        fmt::format("{}={}{}{}", relay.name, relay.position, relay.holder.empty() ? "" : "/", relay.holder));
  }
  return list_text(texts);
}

// Alarms by name; what a node says of itself without naming it as well.
std::string alarms_text(const NodeEntry& entry) {
  std::vector<std::string_view> names = alarms_of(entry.telemetry, Field::kAlarms);
  if (names.empty() && has(entry, packnet::kPresenceAlarm)) {
    names.push_back("alarm");
  }
  if (names.empty() && has(entry, packnet::kPresenceWarning)) {
    names.push_back("warning");
  }
  if (has(entry, packnet::kPresenceDuplicate)) {
    names.push_back("duplicate_hardware_number");
  }
  return list_text(names);
}

}  // namespace

Json nodes_json(const packnet::PackNetwork& network, TimePoint now) {
  Json json;
  if (const auto master = network.master()) {
    json["master"] = *master;
  }
  Json& nodes = json["nodes"] = Json::array();
  for (const NodeEntry* entry : by_id(network)) {
    nodes.push_back(node_json(*entry, network.master() == entry->node, now));
  }
  return json;
}

std::string nodes_table(const packnet::PackNetwork& network, TimePoint now) {
  constexpr std::string_view kRow =
      "{:>4} {:<14} {:<8} {:>5} {:<6} {:>6} {:>7} {:>8} {:>7} {:>7} {:>7} {:>5}  {}\n";
  std::string text = fmt::format(fmt::runtime(kRow), "node", "type", "hash", "fw", "role", "SOC %", "V", "A",
                                 "grid W", "home W", "sun W", "age s", "modes; alarms; relays");
  for (const NodeEntry* entry : by_id(network)) {
    const Telemetry& values = entry->telemetry;
    const bool is_known = entry->type != packnet::DeviceType::kUnknown;
    text += fmt::format(
        fmt::runtime(kRow), entry->node, to_text(entry->type),
        is_known ? fmt::format("{:08x}", entry->hash) : "-",
        is_known ? fmt::format("{}.{}", entry->firmware_major, entry->firmware_minor) : "-",
        network.master() == entry->node ? "master" : "-", field_text(values, Field::kSoc),
        field_text(values, Field::kVoltage), field_text(values, Field::kCurrent),
        field_text(values, Field::kPowerGrid), field_text(values, Field::kPowerHome),
        field_text(values, Field::kPowerSolar), to_milliseconds(now - entry->heard_at) / 1000,
        fmt::format("{}; {}; {}", list_text(modes_of(values)), alarms_text(*entry), relays_text(values)));
  }
  return text;
}

bool is_news(const packnet::NetworkEvent& event) {
  using enum packnet::NetworkEvent::Kind;
  return event.kind == kAppeared || event.kind == kGone || event.kind == kFollows ||
         event.kind == kMasterLost;
}

}  // namespace amphora::packs_command
