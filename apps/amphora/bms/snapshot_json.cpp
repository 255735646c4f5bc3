// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/bms/snapshot_json.hpp"

#include <bit>

namespace amphora::bms_command {

namespace {

using Json = nlohmann::ordered_json;

template <class Quantity>
double in_units(Quantity quantity) {
  using Scale = typename Quantity::scale;
  return static_cast<double>(quantity.count()) * static_cast<double>(Scale::num) /
         static_cast<double>(Scale::den);
}
template <class Quantity>
double percent(Quantity fraction) {
  return static_cast<double>(fraction.count()) * 100.0 * static_cast<double>(Quantity::scale::num) /
         static_cast<double>(Quantity::scale::den);
}
template <class Quantity>
void put(Json& json, const char* key, const Reading<Quantity>& reading) {
  if (reading) {
    json[key] = in_units(reading->value);
  }
}
void put_text(Json& json, const char* key, std::string_view text) {
  if (!text.empty()) {
    json[key] = text;
  }
}

Json alarm_list(const battery::AlarmSet& set) {
  Json list = Json::array();
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    if (set.is_active(static_cast<battery::Alarm>(i))) {
      list.push_back(to_text(static_cast<battery::Alarm>(i)));
    }
  }
  return list;
}

Json cells_json(const battery::Snapshot& snapshot) {
  const battery::CellVoltages& cells = snapshot.cells->value;
  Json json{{"count", cells.count}};
  Json& list = json["mv"] = Json::array();
  for (std::size_t i = 0; i < cells.count; ++i) {
    list.push_back(cells.voltage[i].count());
  }
  if (const auto extremes = battery::extremes_of(cells)) {
    json["min_mv"] = extremes->min.count();
    json["max_mv"] = extremes->max.count();
    json["delta_mv"] = (extremes->max - extremes->min).count();
  }
  if (const auto average = battery::average_of(cells)) {
    json["average_mv"] = average->count();
  }
  if (snapshot.balancing) {
    Json& balancing = json["balancing"] = Json::array();
    for (std::size_t i = 0; i < cells.count && i < 64; ++i) {
      balancing.push_back((snapshot.balancing->value.cells >> i & 1U) != 0);
    }
  }
  return json;
}

void put_identity(Json& json, const battery::Identity& identity) {
  put_text(json, "manufacturer", identity.manufacturer.view());
  put_text(json, "model", identity.model.view());
  put_text(json, "serial", identity.serial.view());
  put_text(json, "firmware", identity.firmware.view());
  put_text(json, "hardware", identity.hardware.view());
}

void put_temperatures(Json& json, const battery::Snapshot& snapshot) {
  put(json, "temperature_internal_c", snapshot.temperature_internal);
  if (snapshot.temperature_external) {
    Json& list = json["temperature_external_c"] = Json::array();
    constexpr std::size_t kSensorCount = 2;  // of a TinyBMS
    for (std::size_t i = 0; i < kSensorCount; ++i) {
      const auto& sensor = snapshot.temperature_external->value.sensor[i];
      list.push_back(sensor ? Json(in_units(*sensor)) : Json(nullptr));
    }
  }
}

}  // namespace

Json snapshot_json(const battery::Snapshot& snapshot) {
  Json json = Json::object();
  put_identity(json, snapshot.identity);
  if (snapshot.soc) {
    json["soc_percent"] = percent(snapshot.soc->value);
  }
  if (snapshot.soh) {
    json["soh_percent"] = percent(snapshot.soh->value);
  }
  put(json, "voltage_v", snapshot.voltage);
  put(json, "current_a", snapshot.current);
  if (snapshot.voltage && snapshot.current) {
    json["power_w"] = power_of(snapshot.voltage->value, snapshot.current->value).count();
  }
  if (snapshot.activity) {
    json["activity"] = to_text(snapshot.activity->value);
  }
  put(json, "capacity_ah", snapshot.capacity);
  put_temperatures(json, snapshot);
  if (snapshot.cells) {
    json["cells"] = cells_json(snapshot);
  }
  if (snapshot.cycle_count) {
    json["cycle_count"] = snapshot.cycle_count->value;
  }
  if (snapshot.lifetime_s) {
    json["lifetime_s"] = snapshot.lifetime_s->value;
  }
  if (snapshot.alarms) {
    json["alarms"] = alarm_list(snapshot.alarms->value);
  }
  if (snapshot.warnings) {
    json["warnings"] = alarm_list(snapshot.warnings->value);
  }
  return json;
}

}  // namespace amphora::bms_command
