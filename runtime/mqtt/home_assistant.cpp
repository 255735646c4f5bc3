// SPDX-License-Identifier: Apache-2.0
#include "runtime/mqtt/home_assistant.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "runtime/mqtt/mqtt_client.hpp"

namespace amphora::runtime {
namespace {

using Json = nlohmann::ordered_json;

// One sensor of the battery's state message. Energies never expire: a gap in a meter is no fault.
struct Sensor {
  std::string_view key;  // member of battery/state, and part of the unique id
  std::string_view name;
  std::string_view device_class;  // empty: none
  std::string_view unit;          // empty: none
  std::string_view state_class;   // empty: none
  bool is_diagnostic = false;
  int precision = -1;
  bool is_of_inverter = false;
};

constexpr std::array kSensors{
    Sensor{"soc_percent", "State of charge", "battery", "%", "measurement", false, 1},
    Sensor{"power_discharge_w", "Power", "power", "W", "measurement"},
    Sensor{"voltage_v", "Voltage", "voltage", "V", "measurement", false, 2},
    Sensor{"current_a", "Current", "current", "A", "measurement", false, 1},
    Sensor{"stored_kwh", "Stored energy", "energy_storage", "kWh", "measurement", false, 2},
    Sensor{"energy_in_kwh", "Energy charged", "energy", "kWh", "total_increasing", false, 2},
    Sensor{"energy_out_kwh", "Energy discharged", "energy", "kWh", "total_increasing", false, 2},
    Sensor{"temperature_c", "Temperature", "temperature", "°C", "measurement", false, 1},
    Sensor{"soh_percent", "State of health", "", "%", "measurement", true, 1},
    Sensor{"cell_min_mv", "Lowest cell", "voltage", "mV", "measurement", true, 0},
    Sensor{"cell_max_mv", "Highest cell", "voltage", "mV", "measurement", true, 0},
    Sensor{"cell_delta_mv", "Cell spread", "voltage", "mV", "measurement", true, 0},
    Sensor{"ccl_a", "Charge current limit", "current", "A", "measurement", true, 1, true},
    Sensor{"dcl_a", "Discharge current limit", "current", "A", "measurement", true, 1, true},
    Sensor{"cvl_v", "Charge voltage limit", "voltage", "V", "measurement", true, 1, true},
    Sensor{"activity", "Activity", "", "", "", true},
    Sensor{"inverter", "Inverter link", "", "", "", true, -1, true},
};

std::string object_id(const HomeAssistantDevice& device) {
  return "amphora_" + device.site + (device.unit.empty() ? "" : "_" + device.unit) + "_battery";
}

std::string topic_prefix(const HomeAssistantDevice& device) {
  return device.base + "/" + device.site + (device.unit.empty() ? "" : "/" + device.unit);
}

void put(Json& json, const char* key, const std::string& text) {
  if (!text.empty()) {
    json[key] = text;
  }
}

Json device_json(const HomeAssistantDevice& device) {
  Json json{{"ids", Json::array({object_id(device)})}, {"name", device.name}};
  put(json, "mf", device.manufacturer);
  put(json, "mdl", device.model);
  put(json, "sn", device.serial);
  put(json, "hw", device.hardware);
  put(json, "sw", device.software);
  put(json, "cu", device.configuration_url);
  return json;
}

// A value that is absent from the message renders as 'None', which Home Assistant takes for unknown, never
// for zero.
std::string member_template(std::string_view member) {
  return fmt::format("{{{{ value_json.{} | default(None) }}}}", member);
}

Json sensor_json(const HomeAssistantDevice& device, const Sensor& sensor) {
  Json json{{"p", "sensor"},
            {"uniq_id", fmt::format("{}_{}", object_id(device), sensor.key)},
            {"name", sensor.name},
            {"val_tpl", member_template(sensor.key)}};
  put(json, "dev_cla", std::string{sensor.device_class});
  put(json, "unit_of_meas", std::string{sensor.unit});
  put(json, "stat_cla", std::string{sensor.state_class});
  if (sensor.precision >= 0) {
    json["sug_dsp_prc"] = sensor.precision;
  }
  if (sensor.is_diagnostic) {
    json["ent_cat"] = "diagnostic";
  }
  if (sensor.state_class != "total_increasing") {
    json["exp_aft"] = device.expire_after_s;
  }
  return json;
}

Json binary_sensor_json(const HomeAssistantDevice& device, std::string_view key, std::string_view name,
                        std::string_view device_class, std::string_view condition) {
  return {{"p", "binary_sensor"},
          {"uniq_id", fmt::format("{}_{}", object_id(device), key)},
          {"name", name},
          {"dev_cla", device_class},
          {"val_tpl", fmt::format("{{{{ 'ON' if {} else 'OFF' }}}}", condition)},
          {"exp_aft", device.expire_after_s}};
}

Json components_json(const HomeAssistantDevice& device) {
  Json components;
  for (const Sensor& sensor : kSensors) {
    if (sensor.is_of_inverter && !device.has_inverter) {
      continue;
    }
    components[std::string{sensor.key}] = sensor_json(device, sensor);
  }
  components["alarm"] =
      binary_sensor_json(device, "alarm", "Alarm", "problem", "value_json.alarms | count > 0");
  components["charging"] = binary_sensor_json(device, "charging", "Charging", "battery_charging",
                                              "value_json.activity == 'charging'");
  for (std::size_t i = 0; i < device.cell_count; ++i) {
    Json cell = sensor_json(device, Sensor{"cell", "Cell", "voltage", "mV", "measurement", true, 0});
    cell["uniq_id"] = fmt::format("{}_cell_{}", object_id(device), i + 1);
    cell["name"] = fmt::format("Cell {}", i + 1);
    cell["stat_t"] = topic_prefix(device) + "/battery/cells";
    cell["val_tpl"] = fmt::format("{{{{ value_json.mv[{}] | default(None) }}}}", i);
    cell["en"] = false;  // there if somebody wants it, without filling every dashboard
    components[fmt::format("cell_{}", i + 1)] = std::move(cell);
  }
  return components;
}

bool has_valid_topics(const HomeAssistantDevice& device) {
  return is_topic_level(device.site) && (device.unit.empty() || is_topic_level(device.unit)) &&
         is_topic_level(device.discovery_prefix) && is_publish_topic(device.base);
}

}  // namespace

std::optional<std::string> discovery_topic(const HomeAssistantDevice& device) {
  if (!has_valid_topics(device)) {
    return std::nullopt;
  }
  return device.discovery_prefix + "/device/" + object_id(device) + "/config";
}

std::optional<std::string> discovery_payload(const HomeAssistantDevice& device) {
  if (!has_valid_topics(device)) {
    return std::nullopt;
  }
  const std::string prefix = topic_prefix(device);
  Json json{{"dev", device_json(device)},
            {"o", {{"name", "amphora"}, {"sw", device.program_version}}},
            {"avty", Json::array({Json{{"t", prefix + "/status"}}, Json{{"t", prefix + "/battery/status"}}})},
            {"avty_mode", "all"},
            {"stat_t", prefix + "/battery/state"},
            {"cmps", components_json(device)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void DiscoveryAnnouncer::handle_home_assistant_status(TimePoint now, std::string_view payload) {
  if (payload == "online") {
    at_ = earliest(at_, now + std::chrono::milliseconds{rng_.between(1000, 10'000)});
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
