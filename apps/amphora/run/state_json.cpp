// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/state_json.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "runtime/can/can_port.hpp"
#include "runtime/history/history.hpp"

namespace amphora::run {
namespace {

using runtime::ControlReport;

constexpr double kSecondsPerHour = 3600;
// Below this a time to full or empty would be a guess.
constexpr Milliamps kEstimateCurrentMin{500};

double round_to(double value, double step) {
  return std::round(value / step) * step;
}

double volts(Millivolts value) {
  return value.count() / 1000.0;
}
double amps(Milliamps value) {
  return value.count() / 1000.0;
}
double celsius(Decicelsius value) {
  return value.count() / 10.0;
}
double percent(BasisPoints value) {
  return value.count() / 100.0;
}
double kilowatt_hours(WattHours value) {
  return static_cast<double>(value.count()) / 1000.0;
}

template <class T, class Convert>
void put(Json& json, const char* name, const Reading<T>& reading, Convert convert) {
  if (reading) {
    json[name] = convert(reading->value);
  }
}

template <class Text>
void put_text(Json& json, const char* name, const Text& text) {
  if (!text.is_empty()) {
    json[name] = std::string{text.view()};
  }
}

MilliampHours capacity_of(const battery::Snapshot& snapshot, const battery::Profile& profile) {
  return snapshot.capacity ? snapshot.capacity->value : profile.capacity;
}

// Nominal cell voltages as cell makers print them.
Millivolts nominal_voltage(const battery::Profile& profile) {
  const std::int32_t cell = profile.chemistry == battery::Chemistry::kLfp ? 3200 : 3650;
  return Millivolts{cell * profile.series_cells};
}

Json cells_json(const battery::Snapshot& snapshot, const config::Config& config, TimePoint now) {
  const auto& sample = *snapshot.cells;
  const battery::CellVoltages& cells = sample.value;
  Json json;
  json["age_ms"] = to_milliseconds(sample.age(now));
  json["count"] = cells.count;
  Json& values = json["mv"] = Json::array();
  for (std::uint16_t i = 0; i < cells.count; ++i) {
    values.push_back(cells.voltage[i].count());
  }
  if (const auto extremes = battery::extremes_of(cells)) {
    json["min_mv"] = extremes->min.count();
    json["max_mv"] = extremes->max.count();
    json["average_mv"] = battery::average_of(cells)->count();
    json["delta_mv"] = (extremes->max - extremes->min).count();
    json["min_index"] = extremes->min_index;
    json["max_index"] = extremes->max_index;
    json["imbalance_warning"] = extremes->max - extremes->min >= config.battery.imbalance_start;
  }
  if (snapshot.balancing) {
    Json& balancing = json["balancing"] = Json::array();
    for (std::uint16_t i = 0; i < std::min<std::uint16_t>(cells.count, 64); ++i) {
      balancing.push_back(((snapshot.balancing->value.cells >> i) & 1U) != 0);
    }
  }
  return json;
}

void put_temperatures(Json& json, const battery::Snapshot& snapshot) {
  put(json, "temperature_internal_c", snapshot.temperature_internal, celsius);
  put(json, "temperature_min_c", snapshot.temperature_min, celsius);
  put(json, "temperature_max_c", snapshot.temperature_max, celsius);
  if (!snapshot.temperature_external) {
    return;
  }
  Json& sensors = json["temperature_external_c"] = Json::array();
  for (const auto& sensor : snapshot.temperature_external->value.sensor) {
    sensors.push_back(sensor ? Json(celsius(*sensor)) : Json(nullptr));
  }
  while (!sensors.empty() && sensors.back().is_null()) {
    sensors.erase(sensors.size() - 1);
  }
}

std::string_view set_by(inverter::Reason reason) {
  using enum inverter::Reason;
  switch (reason) {
    case kProfileMax:
      return "configuration";
    case kUser:
      return "user";
    case kBmsCutOff:
    case kBmsPublished:
    case kFault:
      return "bms";
    case kInverterLost:
      return "inverter";
    default:
      return "amphora";
  }
}

template <class Quantity, class Convert>
Json reasons_json(const inverter::Explained<Quantity>& explained, Convert convert) {
  Json reasons = Json::array();
  for (std::size_t i = 0; i < explained.size(); ++i) {
    const auto& bound = explained[i];
    const Json entry{{"reason", inverter::to_text(bound.reason)},
                     {"by", set_by(bound.reason)},
                     {"allows", convert(bound.allows)}};
    // The one in force comes first.
    reasons.insert(bound.reason == explained.reason() ? reasons.begin() : reasons.end(), entry);
  }
  return reasons;
}

Json can_json(const std::string& interface, can::BusState state, const runtime::CanCounters& counters,
              const std::string& error) {
  Json json{{"interface", interface},
            {"state", runtime::to_text(state)},
            {"frames_sent", counters.frames_sent},
            {"frames_received", counters.frames_received},
            {"errors", counters.errors},
            {"dropped", counters.dropped},
            {"bus_off", counters.bus_off},
            {"restarts", counters.restarts}};
  if (!error.empty()) {
    json["error"] = error;
  }
  return json;
}

}  // namespace

void put_estimates(Json& json, const battery::Snapshot& snapshot, std::optional<BasisPoints> soc,
                   const battery::Profile& profile) {
  if (!soc || !snapshot.current) {
    return;
  }
  const double capacity_ah = capacity_of(snapshot, profile).count() / 1000.0;
  const double part = percent(*soc) / 100.0;
  const double current = amps(snapshot.current->value);
  if (snapshot.current->value >= kEstimateCurrentMin) {
    json["time_to_full_s"] = std::round((1.0 - part) * capacity_ah / current * kSecondsPerHour);
  } else if (snapshot.current->value <= -kEstimateCurrentMin) {
    json["time_to_empty_s"] = std::round(part * capacity_ah / -current * kSecondsPerHour);
  }
}

std::optional<Duration> battery_age(const battery::Snapshot& snapshot, TimePoint now) {
  return snapshot.current ? std::optional{snapshot.current->age(now)} : std::nullopt;
}

std::optional<Duration> battery_age(const ControlReport& report, TimePoint now) {
  return battery_age(report.snapshot, now);
}

bool is_battery_online(const ControlReport& report, TimePoint now) {
  const auto age = battery_age(report, now);
  return age && *age <= kBatteryOnlineAgeMax && report.bms_link != liveness::State::kDisconnected;
}

Json alarm_names(const battery::AlarmSet& alarms) {
  Json names = Json::array();
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    const auto alarm = static_cast<battery::Alarm>(i);
    if (alarms.is_active(alarm)) {
      names.push_back(battery::to_text(alarm));
    }
  }
  return names;
}

Json fault_names(const ControlReport& report) {
  Json names = Json::array();
  const bool has_fault =
      report.snapshot.activity && report.snapshot.activity->value == battery::Activity::kFault;
  if (!has_fault || !report.bms_events) {
    return names;
  }
  std::set<std::uint8_t> active;
  for (const tinybms::LoggedEvent& logged : report.bms_events->list()) {
    const tinybms::EventKind* kind = tinybms::find_event(logged.id);
    if (logged.id == tinybms::event::kSystemStarted) {
      active.clear();
    } else if (kind != nullptr && kind->recovers != 0) {
      active.erase(kind->recovers);
    } else if (tinybms::severity_of(logged.id) == tinybms::Severity::kFault) {
      active.insert(logged.id);
    }
  }
  for (const std::uint8_t id : active) {
    const tinybms::EventKind* kind = tinybms::find_event(id);
    names.push_back(kind != nullptr ? std::string{kind->name} : "fault_" + std::to_string(id));
  }
  return names;
}

std::optional<double> stored_kwh(const battery::Snapshot& snapshot, const battery::Profile& profile) {
  return snapshot.soc ? std::optional{stored_kwh(snapshot.soc->value, snapshot, profile)} : std::nullopt;
}

double stored_kwh(BasisPoints soc, const battery::Snapshot& snapshot, const battery::Profile& profile) {
  const double capacity_ah = capacity_of(snapshot, profile).count() / 1000.0;
  return round_to(percent(soc) / 100.0 * capacity_ah * volts(nominal_voltage(profile)) / 1000.0, 0.001);
}

Json battery_json(const ControlReport& report, const config::Config& config, TimePoint now) {
  return battery_json(BatteryView{report.snapshot, is_battery_online(report, now), report.alarms,
                                  report.warnings, fault_names(report)},
                      config, now);
}

Json battery_json(const BatteryView& view, const config::Config& config, TimePoint now) {
  const battery::Snapshot& snapshot = view.snapshot;
  Json json;
  json["online"] = view.is_online;
  if (const auto age = battery_age(snapshot, now)) {
    json["age_ms"] = to_milliseconds(*age);
  }
  json["driver"] = to_text(config.bms.driver);
  put_text(json, "manufacturer", snapshot.identity.manufacturer);
  put_text(json, "model", snapshot.identity.model);
  put_text(json, "serial", snapshot.identity.serial);
  put_text(json, "firmware", snapshot.identity.firmware);
  put_text(json, "hardware", snapshot.identity.hardware);
  put(json, "soc_percent", snapshot.soc, percent);
  put(json, "soh_percent", snapshot.soh, percent);
  put(json, "voltage_v", snapshot.voltage, volts);
  put(json, "current_a", snapshot.current, amps);
  if (snapshot.voltage && snapshot.current) {
    json["power_w"] = power_of(snapshot.voltage->value, snapshot.current->value).count();
  }
  put(json, "activity", snapshot.activity, [](battery::Activity a) { return battery::to_text(a); });
  json["capacity_ah"] = capacity_of(snapshot, config.battery).count() / 1000.0;
  if (const auto stored = stored_kwh(snapshot, config.battery)) {
    json["stored_kwh"] = *stored;
  }
  put_estimates(json, snapshot, snapshot.soc ? std::optional{snapshot.soc->value} : std::nullopt,
                config.battery);
  put_temperatures(json, snapshot);
  if (snapshot.cells) {
    json["cells"] = cells_json(snapshot, config, now);
  } else {
    put(json, "cell_min_mv", snapshot.cell_min, [](Millivolts v) { return v.count(); });
    put(json, "cell_max_mv", snapshot.cell_max, [](Millivolts v) { return v.count(); });
  }
  put(json, "energy_in_kwh", snapshot.energy_in, kilowatt_hours);
  put(json, "energy_out_kwh", snapshot.energy_out, kilowatt_hours);
  put(json, "cycle_count", snapshot.cycle_count, [](std::uint32_t count) { return count; });
  put(json, "lifetime_s", snapshot.lifetime_s, [](std::uint32_t seconds) { return seconds; });
  json["alarms"] = alarm_names(view.alarms);
  json["warnings"] = alarm_names(view.warnings);
  json["faults"] = view.faults;
  return json;
}

Json limits_json(const ControlReport& report) {
  const inverter::LimitDecision& limits = report.limits;
  Json json;
  if (limits.charge_voltage.size() == 0) {
    json["allowed"] = false;  // nothing has been decided yet
    return json;
  }
  json["cvl_v"] = volts(limits.charge_voltage.value());
  json["ccl_a"] = amps(limits.charge_current.value());
  json["dcl_a"] = amps(limits.discharge_current.value());
  json["dvl_v"] = volts(limits.discharge_voltage.value());
  json["allowed"] = !limits.is_zero();
  json["reasons"] = Json{{"cvl", reasons_json(limits.charge_voltage, volts)},
                         {"ccl", reasons_json(limits.charge_current, amps)},
                         {"dcl", reasons_json(limits.discharge_current, amps)},
                         {"dvl", reasons_json(limits.discharge_voltage, volts)}};
  return json;
}

std::string_view phase_name(const ControlReport& report) {
  using enum victron::Phase;
  switch (report.phase) {
    case kWaiting:
      return "waiting_for_battery";
    case kRunning:
      return report.keepalive_age ? "online" : "announcing";
    case kFault:
      return "fault";
    case kImplausible:
      return "implausible";
    case kBmsStale:
      return "battery_stale";
    case kBmsSilent:
      return "battery_lost";
    case kInverterLost:
      return "lost";
    case kInverterAbsent:
      return "silent";
    case kBusDown:
      return "bus_off";
  }
  return "waiting_for_battery";
}

Json inverter_json(const ControlReport& report, const config::Config& config, TimePoint now) {
  Json json{
      {"protocol", "victron"},
      {"phase", phase_name(report)},
      {"since_s", round_to(static_cast<double>(to_milliseconds(now - report.phase_since)) / 1000.0, 0.1)}};
  if (report.keepalive_age) {
    json["keepalive_age_ms"] = to_milliseconds(*report.keepalive_age);
  }
  json["can"] = can_json(config.inverter.interface, report.inverter_bus, report.inverter_can,
                         report.inverter_can_error);
  json["limit_gap_max_ms"] = to_milliseconds(report.limit_gap_max);
  json["foreign_frames"] = report.output.foreign_battery;
  json["suppressed_frames"] = report.output.suppressed;
  return json;
}

Json bms_link_json(const ControlReport& report, const config::Config& config, TimePoint now,
                   WallTime wall_now) {
  const bool is_serial = config.bms.driver == config::BmsDriver::kTinyBms;
  Json json{{"port", is_serial ? config.bms.port : config.bms.interface},
            {"state", liveness::to_text(report.bms_link)}};
  const std::string& error = is_serial ? report.serial_error : report.battery_can_error;
  if (!error.empty()) {
    json["error"] = error;
  }
  const auto& changes = report.bms_link_history;
  if (!changes.is_empty()) {
    json["since_s"] =
        round_to(static_cast<double>(to_milliseconds(now - changes[changes.size() - 1].at)) / 1000.0, 0.1);
  }
  Json& history = json["history"] = Json::array();
  for (std::size_t i = changes.size(); i-- > 0;) {
    const liveness::Change& change = changes[i];
    history.push_back({{"time", runtime::utc_text(wall_now.unix_ms - to_milliseconds(now - change.at))},
                       {"from", liveness::to_text(change.from)},
                       {"to", liveness::to_text(change.to)},
                       {"reason", liveness::to_text(change.reason)}});
  }
  json.update(statistics_json(report.bms));
  return json;
}

Json statistics_json(const bms::Statistics& statistics) {
  return {{"requests_sent", statistics.requests_sent}, {"replies_received", statistics.replies_received},
          {"timeouts", statistics.timeouts},           {"retries", statistics.retries},
          {"crc_errors", statistics.crc_errors},       {"refusals", statistics.refusals},
          {"noise_bytes", statistics.noise_bytes},     {"implausible_values", statistics.implausible_values}};
}

Json control_json(const ControlReport& report, std::uint64_t reports_dropped) {
  return {{"loop_delay_us_last", report.loop_delay_last.count()},
          {"loop_delay_us_max", report.loop_delay_max.count()},
          {"reports_dropped", reports_dropped},
          {"events_dropped", report.events_dropped}};
}

Json mqtt_json(const config::Config& config, const std::optional<runtime::MqttStatus>& status) {
  Json json{{"enabled", config.mqtt.is_enabled}};
  if (!status) {
    return json;
  }
  json["connected"] = status->is_connected;
  if (!status->error.empty() && !status->is_connected) {
    json["error"] = status->error;
  }
  json["host"] = config.mqtt.host;
  json["port"] = config.mqtt.port;
  json["queued"] = status->queued;
  json["dropped"] = status->dropped;
  json["published"] = status->published;
  json["acknowledged"] = status->acknowledged;
  return json;
}

Json storage_json(const runtime::StoreStatus& status) {
  Json json{{"ok", status.is_ok},
            {"history_rows", status.history_rows},
            {"queued", status.queued},
            {"dropped", status.dropped},
            {"write_failures", status.write_failures}};
  if (!status.error.empty()) {
    json["error"] = status.error;
  }
  return json;
}

std::string cells_message(const battery::Snapshot& snapshot, std::int64_t unix_ms) {
  if (!snapshot.cells || snapshot.cells->value.count == 0) {
    return {};
  }
  const battery::CellVoltages& cells = snapshot.cells->value;
  Json json{{"type", "cell_update"}, {"timestamp", unix_ms}};
  Json& values = json["cells"] = Json::array();
  for (std::uint16_t i = 0; i < cells.count; ++i) {
    values.push_back(cells.voltage[i].count());
  }
  const auto extremes = battery::extremes_of(cells);
  json["min"] = extremes->min.count();
  json["max"] = extremes->max.count();
  json["avg"] = battery::average_of(cells)->count();
  return json.dump();
}

runtime::HistorySample history_sample(const battery::Snapshot& snapshot, WallTime at) {
  runtime::HistorySample sample;
  sample.at = at;
  const auto put = [&sample](runtime::Series series, std::optional<double> value) {
    sample.values[static_cast<std::size_t>(series)] = value;
  };
  const auto scaled = [](const auto& reading, double scale) {
    return reading ? std::optional<double>{static_cast<double>(reading->value.count()) * scale}
                   : std::nullopt;
  };
  put(runtime::Series::kSocPercent, scaled(snapshot.soc, 0.01));
  put(runtime::Series::kVoltageV, scaled(snapshot.voltage, 0.001));
  put(runtime::Series::kCurrentA, scaled(snapshot.current, 0.001));
  put(runtime::Series::kCellMinMv, scaled(snapshot.cell_min, 1));
  put(runtime::Series::kCellMaxMv, scaled(snapshot.cell_max, 1));
  put(runtime::Series::kTemperatureC, scaled(snapshot.temperature_max, 0.1));
  if (snapshot.voltage && snapshot.current) {
    put(runtime::Series::kPowerW, power_of(snapshot.voltage->value, snapshot.current->value).count());
  }
  sample.energy_in_kwh = scaled(snapshot.energy_in, 0.001);
  sample.energy_out_kwh = scaled(snapshot.energy_out, 0.001);
  return sample;
}

}  // namespace amphora::run
