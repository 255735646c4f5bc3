// SPDX-License-Identifier: Apache-2.0
#include "runtime/mqtt/home_assistant.hpp"

#include <nlohmann/json.hpp>

#include "runtime/mqtt/mqtt_client.hpp"

namespace amphora::runtime {

namespace {

using Json = nlohmann::ordered_json;

// One entity. Values come from the JSON of <base>/<site>/battery/state.
struct Entity {
  const char* key;  // part of its identity: never changed
  const char* platform;
  const char* name;
  const char* device_class;  // null: none
  const char* state_class;
  const char* unit;
  int precision;  // -1: not given
  const char* value_template;
  bool is_diagnostic;
  bool expires;
};

constexpr const char* kMeasurement = "measurement";
constexpr const char* kTotal = "total_increasing";

// A template renders nothing for a value that is not known, so that the entity becomes unknown and never
// zero.
#define AMPHORA_VALUE(field) "{{ value_json." field " if value_json." field " is defined else None }}"
#define AMPHORA_LIST(field) \
  "{{ ('ON' if value_json." field " | count > 0 else 'OFF') if value_json." field " is defined else None }}"
constexpr Entity kEntities[] = {
    {"soc", "sensor", "State of charge", "battery", kMeasurement, "%", 1, AMPHORA_VALUE("soc_percent"), false,
     true},
    {"soh", "sensor", "State of health", nullptr, kMeasurement, "%", 1, AMPHORA_VALUE("soh_percent"), true,
     true},
    {"power", "sensor", "Power", "power", kMeasurement, "W", 0, AMPHORA_VALUE("power_discharge_w"), false,
     true},
    {"voltage", "sensor", "Voltage", "voltage", kMeasurement, "V", 2, AMPHORA_VALUE("voltage_v"), false,
     true},
    {"current", "sensor", "Current", "current", kMeasurement, "A", 1, AMPHORA_VALUE("current_a"), false,
     true},
    {"temperature", "sensor", "Temperature", "temperature", kMeasurement, "°C", 1,
     AMPHORA_VALUE("temperature_c"), false, true},
    {"energy_in", "sensor", "Energy charged", "energy", kTotal, "kWh", 2, AMPHORA_VALUE("energy_in_kwh"),
     false, false},
    {"energy_out", "sensor", "Energy discharged", "energy", kTotal, "kWh", 2, AMPHORA_VALUE("energy_out_kwh"),
     false, false},
    {"stored", "sensor", "Stored energy", "energy_storage", kMeasurement, "kWh", 2,
     AMPHORA_VALUE("stored_kwh"), false, true},
    {"cell_min", "sensor", "Lowest cell", "voltage", kMeasurement, "mV", 0, AMPHORA_VALUE("cell_min_mv"),
     true, true},
    {"cell_max", "sensor", "Highest cell", "voltage", kMeasurement, "mV", 0, AMPHORA_VALUE("cell_max_mv"),
     true, true},
    {"cell_delta", "sensor", "Cell spread", "voltage", kMeasurement, "mV", 0, AMPHORA_VALUE("cell_delta_mv"),
     true, true},
    {"charge_limit", "sensor", "Charge current limit", "current", kMeasurement, "A", 1,
     AMPHORA_VALUE("ccl_a"), true, true},
    {"discharge_limit", "sensor", "Discharge current limit", "current", kMeasurement, "A", 1,
     AMPHORA_VALUE("dcl_a"), true, true},
    {"activity", "sensor", "Activity", "enum", nullptr, nullptr, -1, AMPHORA_VALUE("activity"), false, true},
    {"inverter", "sensor", "Inverter", nullptr, nullptr, nullptr, -1, AMPHORA_VALUE("inverter"), true, true},
    {"alarm", "binary_sensor", "Alarm", "problem", nullptr, nullptr, -1, AMPHORA_LIST("alarms"), false, true},
    {"warning", "binary_sensor", "Warning", "problem", nullptr, nullptr, -1, AMPHORA_LIST("warnings"), true,
     true},
    {"charging", "binary_sensor", "Charging", "battery_charging", nullptr, nullptr, -1,
     "{{ ('ON' if value_json.power_w > 20 else 'OFF') if value_json.power_w is defined else None }}", false,
     true},
};
#undef AMPHORA_VALUE
#undef AMPHORA_LIST

std::string identity_of(const HomeAssistantDevice& device) {
  return "amphora_" + device.site + "_battery";
}

Json entity_json(const Entity& entity, const HomeAssistantDevice& device) {
  Json json{{"p", entity.platform},
            {"uniq_id", identity_of(device) + "_" + entity.key},
            {"def_ent_id", std::string{entity.platform} + "." + identity_of(device) + "_" + entity.key},
            {"name", entity.name}};
  const auto add = [&json](const char* key, const char* value) {
    if (value != nullptr) {
      json[key] = value;
    }
  };
  add("dev_cla", entity.device_class);
  add("stat_cla", entity.state_class);
  add("unit_of_meas", entity.unit);
  if (entity.precision >= 0) {
    json["sug_dsp_prc"] = entity.precision;
  }
  if (std::string_view{entity.key} == "activity") {
    json["ops"] = {"idle", "charging", "fully_charged", "discharging", "regeneration", "fault"};
  }
  if (entity.is_diagnostic) {
    json["ent_cat"] = "diagnostic";
  }
  json["val_tpl"] = entity.value_template;
  if (entity.expires) {
    json["exp_aft"] = device.expire_after_s;
  }
  json["qos"] = 0;
  return json;
}

Json cell_json(std::size_t index, const std::string& cells_topic, const HomeAssistantDevice& device) {
  const std::string number = std::to_string(index + 1);
  const std::string at = std::to_string(index);
  return Json{{"p", "sensor"},
              {"uniq_id", identity_of(device) + "_cell_" + number},
              {"def_ent_id", "sensor." + identity_of(device) + "_cell_" + number},
              {"name", "Cell " + number},
              {"dev_cla", "voltage"},
              {"stat_cla", kMeasurement},
              {"unit_of_meas", "mV"},
              {"ent_cat", "diagnostic"},
              {"stat_t", cells_topic},
              {"val_tpl", "{{ value_json.mv[" + at + "] if value_json.mv | count > " + at + " else None }}"},
              {"exp_aft", device.expire_after_s},
              {"qos", 0}};
}

Json device_json(const HomeAssistantDevice& device) {
  Json json{{"ids", Json::array({identity_of(device)})}, {"name", device.name}};
  const std::pair<const char*, const std::string*> optional[] = {
      {"mf", &device.manufacturer}, {"mdl", &device.model},   {"sn", &device.serial},
      {"hw", &device.hardware},     {"sw", &device.software}, {"cu", &device.configuration_url}};
  for (const auto& [key, value] : optional) {
    if (!value->empty()) {
      json[key] = *value;
    }
  }
  return json;
}

}  // namespace

std::optional<std::string> discovery_topic(const HomeAssistantDevice& device) {
  if (!is_topic_level(device.discovery_prefix) || !is_topic_level(device.site)) {
    return std::nullopt;
  }
  return make_topic({device.discovery_prefix, "device", identity_of(device), "config"});
}

std::optional<std::string> discovery_payload(const HomeAssistantDevice& device) {
  const auto status = make_topic({device.base, device.site, "status"});
  const auto battery = make_topic({device.base, device.site, "battery", "status"});
  const auto state = make_topic({device.base, device.site, "battery", "state"});
  const auto cells = make_topic({device.base, device.site, "battery", "cells"});
  if (!discovery_topic(device) || !status || !battery || !state || !cells) {
    return std::nullopt;
  }
  Json components = Json::object();
  for (const Entity& entity : kEntities) {
    components[entity.key] = entity_json(entity, device);
  }
  for (std::size_t i = 0; i < device.cell_count; ++i) {
    components["cell_" + std::to_string(i + 1)] = cell_json(i, *cells, device);
  }
  const Json root{{"dev", device_json(device)},
                  {"o", {{"name", "amphora"}, {"sw", device.program_version}}},
                  {"avty", Json::array({{{"t", *status}}, {{"t", *battery}}})},
                  {"avty_mode", "all"},
                  {"stat_t", *state},
                  {"cmps", std::move(components)}};
  return root.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void DiscoveryAnnouncer::handle_home_assistant_status(TimePoint now, std::string_view payload) {
  if (payload == "online") {
    // All devices of a house hear this at once; a random pause keeps them from answering at once.
    at_ = now + std::chrono::milliseconds{rng_.between(1000, 10'000)};
  }
}

bool DiscoveryAnnouncer::poll_announce(TimePoint now) {
  if (now < at_) {
    return false;
  }
  at_ = kNever;
  return true;
}

}  // namespace amphora::runtime
