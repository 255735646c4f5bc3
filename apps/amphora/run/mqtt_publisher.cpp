// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/mqtt_publisher.hpp"

#include <utility>

#include "apps/amphora/build_info.hpp"
#include "apps/amphora/run/pack_json.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "runtime/history/history.hpp"

namespace amphora::run {
namespace {

// How often a pack says what its house takes.
constexpr Duration kPackPeriod = std::chrono::seconds{2};

std::string prefix_of(const config::Config& config) {
  const std::string unit = unit_of(config);
  return config.mqtt.base + "/" + config.box.site + "/" + (unit.empty() ? "" : unit + "/");
}

runtime::MqttOptions to_options(const config::Config& config, std::string password) {
  runtime::MqttOptions options;
  options.host = config.mqtt.host;
  options.port = config.mqtt.port;
  const std::string unit = unit_of(config);
  const std::string client_id = "amphora-" + config.box.site + (unit.empty() ? "" : "-" + unit);
  options.client_id = config.mqtt.client_id.empty() ? client_id : config.mqtt.client_id;
  options.username = config.mqtt.username;
  options.password = std::move(password);
  options.tls = config.mqtt.use_tls;
  options.ca_file = config.mqtt.ca_file;
  options.allow_plain = config.mqtt.allow_plain;
  options.status_topic = prefix_of(config) + "status";
  return options;
}

// The members of `from` named in `names`, where present.
void copy_known(const Json& from, Json& to, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (from.contains(name)) {
      to[name] = from[name];
    }
  }
}

}  // namespace

MqttPublisher::MqttPublisher(runtime::Loop& loop, const config::Config& config, std::string password,
                             runtime::Store* store, const runtime::StoredState& stored,
                             std::function<void(bool)> on_connection)
    : loop_{loop},
      config_{config},
      prefix_{prefix_of(config)},
      announcer_{static_cast<std::uint64_t>(runtime::wall_now().unix_ms)},
      sequence_{stored.last_reading_sequence},
      boot_{stored.boot_count} {
  runtime::MqttHandlers handlers;
  // What is posted may arrive after the end of this object.
  handlers.on_connection = [this, self = self_, on_connection](bool is_connected) {
    loop_.post([this, self, on_connection, is_connected] {
      if (*self == nullptr) {
        return;
      }
      if (is_connected) {
        announcer_.handle_connected(loop_.now());
        was_online_.reset();
      } else {
        announcer_.handle_disconnected();
      }
      on_connection(is_connected);
    });
  };
  handlers.on_message = [this, self = self_](std::string_view topic, std::string_view payload) {
    loop_.post([this, self, where = std::string{topic}, text = std::string{payload}] {
      if (*self == nullptr) {
        return;
      }
      if (config_.mqtt.use_discovery && where == config_.mqtt.discovery_prefix + "/status") {
        announcer_.handle_home_assistant_status(loop_.now(), text);
      }
      if (on_message_) {
        on_message_(where, text);
      }
    });
  };
  client_ = std::make_unique<runtime::MqttClient>(to_options(config, std::move(password)),
                                                  std::move(handlers), store, stored.readings);
}

MqttPublisher::~MqttPublisher() {
  *self_ = nullptr;
}

void MqttPublisher::listen(std::vector<std::string> topics,
                           std::function<void(std::string_view, std::string_view)> on_message) {
  topics_ = std::move(topics);
  on_message_ = std::move(on_message);
}

void MqttPublisher::start() {
  for (const std::string& topic : topics_) {
    (void)client_->subscribe(topic);
  }
  if (config_.mqtt.use_discovery) {
    (void)client_->subscribe(config_.mqtt.discovery_prefix + "/status");
  }
  client_->start();
}

void MqttPublisher::handle_report(const runtime::ReportPtr& report, TimePoint now, WallTime wall_now) {
  const bool has_news =
      report_ && (report_->snapshot.identity != report->snapshot.identity ||
                  report_->snapshot.cells.has_value() != report->snapshot.cells.has_value());
  report_ = report;
  // The battery names itself a moment after its first values: what was announced by then is completed.
  if (has_news && !announced_.empty() && runtime::discovery_payload(device()) != announced_) {
    announce();
  }
  handle_tick(now, wall_now);
}

void MqttPublisher::handle_pack(const runtime::PackReportPtr& report, TimePoint now, WallTime wall_now) {
  const bool has_news = pack_ && (pack_->snapshot.identity != report->snapshot.identity ||
                                  pack_->snapshot.cells.has_value() != report->snapshot.cells.has_value());
  pack_ = report;
  if (has_news && !announced_.empty() && runtime::discovery_payload(device()) != announced_) {
    announce();
  }
  handle_tick(now, wall_now);
}

const battery::Snapshot* MqttPublisher::snapshot() const {
  return report_ ? &report_->snapshot : pack_ ? &pack_->snapshot : nullptr;
}

std::uint64_t MqttPublisher::snapshot_count() const {
  return report_ ? report_->snapshot_count : pack_ ? pack_->snapshot_count : 0;
}

bool MqttPublisher::is_online(TimePoint now) const {
  return report_ ? is_battery_online(*report_, now) : pack_ && is_battery_online(*pack_, config_, now);
}

Json MqttPublisher::battery(TimePoint now) const {
  return report_ ? battery_json(*report_, config_, now) : battery_json(*pack_, config_, now);
}

void MqttPublisher::publish_pack(TimePoint now) {
  const Json message = pack_message(*pack_);
  std::string relays = message["relays"].dump();
  if (now < pack_due_ && relays == told_relays_) {
    return;
  }
  told_relays_ = std::move(relays);
  pack_due_ = now + kPackPeriod;
  (void)client_->publish_state(topic("pack"), message.dump());
}

void MqttPublisher::handle_tick(TimePoint now, WallTime wall_now) {
  if (snapshot() == nullptr) {
    return;
  }
  if (pack_) {
    publish_pack(now);
  }
  publish_online(is_online(now));
  if (config_.mqtt.use_discovery && announcer_.poll_announce(now)) {
    announce();
    state_due_ = now;
    published_count_ = 0;
  }
  if (report_ && now >= inverter_due_) {
    publish_inverter(now, wall_now);
  }
  const bool has_new_values = snapshot_count() != published_count_;
  if (has_new_values && now >= state_due_ && is_online(now)) {
    publish_state(now, wall_now);
  }
  if (now >= reading_due_ && is_online(now)) {
    publish_reading(now, wall_now);
  }
}

void MqttPublisher::publish_online(bool is_online) {
  if (was_online_ != is_online) {
    was_online_ = is_online;
    (void)client_->publish_state(topic("battery/status"), is_online ? "online" : "offline", true);
  }
}

void MqttPublisher::publish_state(TimePoint now, WallTime wall_now) {
  published_count_ = snapshot_count();
  state_due_ = now + config_.mqtt.state_interval;
  const Json battery = this->battery(now);
  Json state{{"time", runtime::utc_text(wall_now.unix_ms)},
             {"uptime_ms", to_milliseconds(now.time_since_epoch())}};
  copy_known(battery, state,
             {"soc_percent", "soh_percent", "voltage_v", "current_a", "power_w", "activity", "capacity_ah",
              "stored_kwh", "temperature_internal_c", "temperature_external_c", "energy_in_kwh",
              "energy_out_kwh", "cycle_count", "alarms", "warnings", "faults"});
  if (battery.contains("power_w")) {
    // Home Assistant's energy dashboard counts discharging as positive; everything else here does not.
    state["power_discharge_w"] = -battery["power_w"].get<std::int64_t>();
  }
  if (battery.contains("temperature_max_c")) {
    state["temperature_c"] = battery["temperature_max_c"];
  }
  const Json& cells = battery.contains("cells") ? battery["cells"] : Json::object();
  if (cells.contains("min_mv")) {
    state["cell_min_mv"] = cells["min_mv"];
    state["cell_max_mv"] = cells["max_mv"];
    state["cell_delta_mv"] = cells["delta_mv"];
    state["cell_count"] = cells["count"];
  }
  copy_known(battery, state, {"cell_min_mv", "cell_max_mv"});
  if (report_) {
    copy_known(limits_json(*report_), state, {"cvl_v", "ccl_a", "dcl_a", "dvl_v"});
  }
  if (report_ && !config_.inverter.interface.empty()) {
    state["inverter"] = phase_name(*report_);
  }
  (void)client_->publish_state(topic("battery/state"), state.dump());
  if (cells.contains("mv")) {
    Json message{{"time", state["time"]}, {"mv", cells["mv"]}};
    copy_known(cells, message, {"balancing"});
    (void)client_->publish_state(topic("battery/cells"), message.dump());
  }
}

// Also while the BMS is silent: that is when people look at what the inverter is told.
void MqttPublisher::publish_inverter(TimePoint now, WallTime wall_now) {
  inverter_due_ = now + config_.mqtt.state_interval;
  if (config_.inverter.interface.empty()) {
    return;
  }
  Json inverter{{"time", runtime::utc_text(wall_now.unix_ms)}};
  inverter.update(inverter_json(*report_, config_, now));
  inverter["limits"] = limits_json(*report_);
  (void)client_->publish_state(topic("inverter/state"), inverter.dump());
}

void MqttPublisher::publish_reading(TimePoint now, WallTime wall_now) {
  reading_due_ = now + config_.mqtt.reading_interval;
  const Json battery = this->battery(now);
  ++sequence_;
  Json reading{{"seq", sequence_}, {"boot", boot_}, {"time", runtime::utc_text(wall_now.unix_ms)}};
  copy_known(battery, reading,
             {"soc_percent", "voltage_v", "current_a", "power_w", "cell_min_mv", "cell_max_mv",
              "energy_in_kwh", "energy_out_kwh"});
  if (battery.contains("cells") && battery["cells"].contains("min_mv")) {
    reading["cell_min_mv"] = battery["cells"]["min_mv"];
    reading["cell_max_mv"] = battery["cells"]["max_mv"];
  }
  if (battery.contains("temperature_max_c")) {
    reading["temperature_c"] = battery["temperature_max_c"];
  }
  (void)client_->publish_reading(sequence_, topic("battery/reading"), reading.dump());
}

void MqttPublisher::publish_event(const runtime::EventRecord& event) {
  (void)client_->publish_event(topic("event"), runtime::event_json(event));
}

runtime::HomeAssistantDevice MqttPublisher::device() const {
  runtime::HomeAssistantDevice device;
  device.base = config_.mqtt.base;
  device.site = config_.box.site;
  device.discovery_prefix = config_.mqtt.discovery_prefix;
  device.name = config_.box.name;
  device.unit = unit_of(config_);
  device.has_inverter = !pack_;
  const battery::Identity& identity = snapshot()->identity;
  device.manufacturer = std::string{identity.manufacturer.view()};
  device.model = std::string{identity.model.view()};
  device.serial = std::string{identity.serial.view()};
  device.hardware = std::string{identity.hardware.view()};
  device.software = std::string{identity.firmware.view()};
  device.program_version = std::string{build_info().version};
  device.cell_count = snapshot()->cells ? snapshot()->cells->value.count : 0;
  return device;
}

void MqttPublisher::announce() {
  const auto where = runtime::discovery_topic(device());
  const auto payload = runtime::discovery_payload(device());
  if (where && payload) {
    announced_ = *payload;
    (void)client_->publish_state(*where, *payload, true);
  }
}

std::string unit_of(const config::Config& config) {
  if (!config.has_pack_part()) {
    return {};
  }
  std::string unit;
  for (const char character : config.box.name) {
    const bool is_capital = character >= 'A' && character <= 'Z';
    const char small = is_capital ? static_cast<char>(character - 'A' + 'a') : character;
    const bool is_kept = (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9');
    if (is_kept) {
      unit += small;
    } else if (!unit.empty() && unit.back() != '_') {
      unit += '_';
    }
  }
  while (!unit.empty() && unit.back() == '_') {
    unit.pop_back();
  }
  return unit.empty() ? "pack" : unit;
}

}  // namespace amphora::run
