// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/packs/node_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "apps/amphora/packs/telemetry_view.hpp"

namespace amphora::packs_command {

namespace {

using Json = nlohmann::ordered_json;
using packnet::Field;
using packnet::NodeEntry;
using packnet::Telemetry;

bool has(const NodeEntry& entry, std::uint8_t flag) {
  return (entry.flags & flag) != 0;
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
