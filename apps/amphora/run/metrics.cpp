// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/metrics.hpp"

#include <array>
#include <string_view>

#include "core/can/bms_protocol.hpp"
#include "runtime/can/can_port.hpp"

namespace amphora::run {
namespace {

using Kind = runtime::MetricsRegistry::Kind;

struct Declaration {
  std::string_view name;
  Kind kind;
  std::string_view help;
};

constexpr std::array kDeclarations{
    Declaration{"amphora_uptime_seconds", Kind::kGauge, "Time since the program started."},
    Declaration{"amphora_battery_age_seconds", Kind::kGauge, "Age of the newest values of the battery."},
    Declaration{"amphora_battery_soc_ratio", Kind::kGauge, "State of charge, 0 to 1."},
    Declaration{"amphora_battery_soh_ratio", Kind::kGauge, "State of health, 0 to 1."},
    Declaration{"amphora_battery_voltage_volts", Kind::kGauge, "Voltage of the pack."},
    Declaration{"amphora_battery_current_amperes", Kind::kGauge,
                "Current of the pack, positive while charging."},
    Declaration{"amphora_battery_power_watts", Kind::kGauge, "Power of the pack, positive while charging."},
    Declaration{"amphora_battery_temperature_celsius", Kind::kGauge, "Temperatures by sensor."},
    Declaration{"amphora_battery_cell_volts", Kind::kGauge, "Cell voltages, cell 1 at the negative end."},
    Declaration{"amphora_battery_energy_charged_watt_hours_total", Kind::kCounter,
                "Energy into the battery."},
    Declaration{"amphora_battery_energy_discharged_watt_hours_total", Kind::kCounter,
                "Energy out of the battery."},
    Declaration{"amphora_battery_alarm", Kind::kGauge,
                "1 while the alarm is in force, 0 while watched and not."},
    Declaration{"amphora_limit_charge_voltage_volts", Kind::kGauge, "CVL as sent to the inverter."},
    Declaration{"amphora_limit_charge_current_amperes", Kind::kGauge, "CCL as sent to the inverter."},
    Declaration{"amphora_limit_discharge_current_amperes", Kind::kGauge, "DCL as sent to the inverter."},
    Declaration{"amphora_limit_gap_max_seconds", Kind::kGauge, "Largest time between two limit frames."},
    Declaration{"amphora_inverter_phase", Kind::kGauge, "1 for the phase the output is in."},
    Declaration{"amphora_inverter_keepalive_age_seconds", Kind::kGauge, "Age of the inverter's keep-alive."},
    Declaration{"amphora_can_frames_sent_total", Kind::kCounter, "Frames sent, by identifier."},
    Declaration{"amphora_can_frames_received_total", Kind::kCounter,
                "Frames received on the inverter's bus."},
    Declaration{"amphora_can_errors_total", Kind::kCounter, "Errors of the inverter's bus."},
    Declaration{"amphora_can_dropped_total", Kind::kCounter, "Frames that could not be sent."},
    Declaration{"amphora_can_bus_off_total", Kind::kCounter, "Times the controller went bus-off."},
    Declaration{"amphora_bms_link_connected", Kind::kGauge, "1 while the BMS answers."},
    Declaration{"amphora_bms_requests_total", Kind::kCounter, "Requests sent to the BMS."},
    Declaration{"amphora_bms_replies_total", Kind::kCounter, "Replies from the BMS."},
    Declaration{"amphora_bms_timeouts_total", Kind::kCounter, "Requests without a reply."},
    Declaration{"amphora_bms_retries_total", Kind::kCounter, "Requests repeated."},
    Declaration{"amphora_bms_crc_errors_total", Kind::kCounter, "Frames with a wrong checksum."},
    Declaration{"amphora_bms_noise_bytes_total", Kind::kCounter,
                "Bytes skipped while searching for a frame."},
    Declaration{"amphora_bms_implausible_values_total", Kind::kCounter, "Values that cannot be real."},
    Declaration{"amphora_control_loop_delay_max_seconds", Kind::kGauge,
                "Largest lateness of the control loop."},
    Declaration{"amphora_control_events_dropped_total", Kind::kCounter, "Events lost to a full queue."},
    Declaration{"amphora_mqtt_connected", Kind::kGauge, "1 while the broker is connected."},
    Declaration{"amphora_mqtt_queued", Kind::kGauge, "Readings and events that wait for the broker."},
    Declaration{"amphora_mqtt_published_total", Kind::kCounter, "Messages handed to the broker."},
    Declaration{"amphora_mqtt_dropped_total", Kind::kCounter, "Readings and events lost to a full queue."},
    Declaration{"amphora_storage_ok", Kind::kGauge, "1 while the store can write."},
    Declaration{"amphora_storage_queued", Kind::kGauge, "Writes that wait."},
    Declaration{"amphora_storage_dropped_total", Kind::kCounter, "Writes lost to a full queue."},
    Declaration{"amphora_storage_write_failures_total", Kind::kCounter, "Failed tries to write."},
    Declaration{"amphora_http_requests_total", Kind::kCounter, "HTTP requests."},
    Declaration{"amphora_http_connections_refused_total", Kind::kCounter, "Connections over the limit."},
    Declaration{"amphora_websocket_clients", Kind::kGauge, "Connected WebSocket clients."},
    Declaration{"amphora_websocket_merged_total", Kind::kCounter, "Updates merged for slow clients."},
};

double seconds(Duration d) {
  return static_cast<double>(d.count()) / 1e6;
}

template <class T>
std::optional<double> scaled(const Reading<T>& reading, double scale) {
  if (!reading) {
    return std::nullopt;
  }
  return static_cast<double>(reading->value.count()) * scale;
}

}  // namespace

Metrics::Metrics() {
  for (const Declaration& one : kDeclarations) {
    registry_.declare(std::string{one.name}, one.kind, std::string{one.help});
  }
  declare_link();
  declare_pack();
}

void Metrics::set_uptime(Duration uptime) {
  registry_.set("amphora_uptime_seconds", seconds(uptime));
}

void Metrics::set_battery(const battery::Snapshot& snapshot, TimePoint now) {
  registry_.set("amphora_battery_age_seconds",
                snapshot.current ? std::optional{seconds(snapshot.current->age(now))} : std::nullopt);
  registry_.set("amphora_battery_soc_ratio", scaled(snapshot.soc, 1e-4));
  registry_.set("amphora_battery_soh_ratio", scaled(snapshot.soh, 1e-4));
  registry_.set("amphora_battery_voltage_volts", scaled(snapshot.voltage, 1e-3));
  registry_.set("amphora_battery_current_amperes", scaled(snapshot.current, 1e-3));
  if (snapshot.voltage && snapshot.current) {
    registry_.set("amphora_battery_power_watts",
                  power_of(snapshot.voltage->value, snapshot.current->value).count());
  }
  registry_.set("amphora_battery_temperature_celsius", scaled(snapshot.temperature_internal, 0.1),
                {{"sensor", "internal"}});
  if (snapshot.temperature_external) {
    for (std::size_t i = 0; i < battery::kExternalSensorCountMax; ++i) {
      const auto& sensor = snapshot.temperature_external->value.sensor[i];
      registry_.set("amphora_battery_temperature_celsius",
                    sensor ? std::optional{sensor->count() / 10.0} : std::nullopt,
                    {{"sensor", "external_" + std::to_string(i + 1)}});
    }
  }
  if (snapshot.cells) {
    for (std::uint16_t i = 0; i < snapshot.cells->value.count; ++i) {
      registry_.set("amphora_battery_cell_volts", snapshot.cells->value.voltage[i].count() / 1000.0,
                    {{"cell", std::to_string(i + 1)}});
    }
  }
  if (snapshot.energy_in && snapshot.energy_out) {
    registry_.set_total("amphora_battery_energy_charged_watt_hours_total",
                        static_cast<double>(snapshot.energy_in->value.count()));
    registry_.set_total("amphora_battery_energy_discharged_watt_hours_total",
                        static_cast<double>(snapshot.energy_out->value.count()));
  }
}

void Metrics::set_limits(const runtime::ControlReport& report) {
  if (report.limits.charge_voltage.size() > 0) {
    registry_.set("amphora_limit_charge_voltage_volts",
                  report.limits.charge_voltage.value().count() / 1000.0);
    registry_.set("amphora_limit_charge_current_amperes",
                  report.limits.charge_current.value().count() / 1000.0);
    registry_.set("amphora_limit_discharge_current_amperes",
                  report.limits.discharge_current.value().count() / 1000.0);
  }
  registry_.set("amphora_limit_gap_max_seconds", seconds(report.limit_gap_max));
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    const auto alarm = static_cast<battery::Alarm>(i);
    const bool is_watched = report.alarms.is_watched(alarm);
    registry_.set("amphora_battery_alarm",
                  is_watched ? std::optional{report.alarms.is_active(alarm) ? 1.0 : 0.0} : std::nullopt,
                  {{"alarm", std::string{battery::to_text(alarm)}}});
  }
  for (int i = 0; i <= static_cast<int>(victron::Phase::kBusDown); ++i) {
    const auto phase = static_cast<victron::Phase>(i);
    registry_.set("amphora_inverter_phase", phase == report.phase ? 1.0 : 0.0,
                  {{"phase", std::string{victron::to_text(phase)}}});
  }
  registry_.set("amphora_inverter_keepalive_age_seconds",
                report.keepalive_age ? std::optional{seconds(*report.keepalive_age)} : std::nullopt);
}

void Metrics::set_links(const runtime::ControlReport& report) {
  for (std::size_t i = 0; i < can::kFrameCount; ++i) {
    if (report.output.sent[i] > 0) {
      char id[8];
      std::snprintf(id, sizeof id, "0x%03X", static_cast<unsigned>(can::kFrameTable[i].id));
      registry_.set_total("amphora_can_frames_sent_total", static_cast<double>(report.output.sent[i]),
                          {{"id", id}});
    }
  }
  const auto total = [this](std::string_view name, std::uint64_t value) {
    registry_.set_total(name, static_cast<double>(value));
  };
  total("amphora_can_frames_received_total", report.inverter_can.frames_received);
  total("amphora_can_errors_total", report.inverter_can.errors);
  total("amphora_can_dropped_total", report.inverter_can.dropped);
  total("amphora_can_bus_off_total", report.inverter_can.bus_off);
  set_reader(report.bms, report.bms_link == liveness::State::kConnected);
  set_loop(report.loop_delay_max, report.events_dropped);
}

void Metrics::set_reader(const bms::Statistics& statistics, bool is_connected) {
  const auto total = [this](std::string_view name, std::uint64_t value) {
    registry_.set_total(name, static_cast<double>(value));
  };
  registry_.set("amphora_bms_link_connected", is_connected ? 1.0 : 0.0);
  total("amphora_bms_requests_total", statistics.requests_sent);
  total("amphora_bms_replies_total", statistics.replies_received);
  total("amphora_bms_timeouts_total", statistics.timeouts);
  total("amphora_bms_retries_total", statistics.retries);
  total("amphora_bms_crc_errors_total", statistics.crc_errors);
  total("amphora_bms_noise_bytes_total", statistics.noise_bytes);
  total("amphora_bms_implausible_values_total", statistics.implausible_values);
}

void Metrics::set_loop(Duration delay_max, std::uint64_t events_dropped) {
  registry_.set("amphora_control_loop_delay_max_seconds", seconds(delay_max));
  registry_.set_total("amphora_control_events_dropped_total", static_cast<double>(events_dropped));
}

void Metrics::set_report(const runtime::ControlReport& report, TimePoint now) {
  set_battery(report.snapshot, now);
  set_limits(report);
  set_links(report);
}

void Metrics::set_mqtt(const runtime::MqttStatus& status) {
  registry_.set("amphora_mqtt_connected", status.is_connected ? 1.0 : 0.0);
  registry_.set("amphora_mqtt_queued", static_cast<double>(status.queued));
  registry_.set_total("amphora_mqtt_published_total", static_cast<double>(status.published));
  registry_.set_total("amphora_mqtt_dropped_total", static_cast<double>(status.dropped));
}

void Metrics::set_store(const runtime::StoreStatus& status) {
  registry_.set("amphora_storage_ok", status.is_ok ? 1.0 : 0.0);
  registry_.set("amphora_storage_queued", static_cast<double>(status.queued));
  registry_.set_total("amphora_storage_dropped_total", static_cast<double>(status.dropped));
  registry_.set_total("amphora_storage_write_failures_total", static_cast<double>(status.write_failures));
}

void Metrics::set_web(const runtime::http::WebServerCounters& counters, const runtime::http::Hub& hub) {
  registry_.set_total("amphora_http_requests_total", static_cast<double>(counters.requests));
  registry_.set_total("amphora_http_connections_refused_total",
                      static_cast<double>(counters.connections_refused));
  registry_.set("amphora_websocket_clients", static_cast<double>(hub.client_count()));
  registry_.set_total("amphora_websocket_merged_total", static_cast<double>(hub.counters().merged));
}

}  // namespace amphora::run
