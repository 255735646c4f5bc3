// SPDX-License-Identifier: Apache-2.0
// The box's life: starting, what the control thread says, ticking, stopping. The answers to people are in
// box_api.cpp.
#include "apps/amphora/run/box.hpp"

#include <spdlog/spdlog.h>

#include <utility>

#include "apps/amphora/build_info.hpp"
#include "apps/amphora/config/secret_file.hpp"
#include "apps/amphora/run/bms_settings.hpp"
#include "apps/amphora/run/event_text.hpp"
#include "apps/amphora/run/node_config.hpp"
#include "apps/amphora/run/state_json.hpp"

namespace amphora::run {
namespace {

using runtime::EventLevel;

constexpr Duration kTickPeriod = std::chrono::milliseconds{200};
// Pages count ages themselves, so without news one update a second is enough.
constexpr Duration kQuietRefresh = std::chrono::seconds{1};
constexpr Duration kSamplePeriod = std::chrono::seconds{10};
// The control thread reports twice a second; without a report for this long it hangs, and systemd must
// restart us.
constexpr Duration kControlSilenceMax = std::chrono::seconds{5};

constexpr const char* kEnergyInCounter = "energy_in_mwh";
constexpr const char* kEnergyOutCounter = "energy_out_mwh";

// Zeros on the very first start; empty without a store, because then nobody knows.
std::optional<battery::EnergyCounters> stored_energy(const runtime::Store* store,
                                                     const runtime::StoredState& stored) {
  if (store == nullptr) {
    return std::nullopt;
  }
  const auto value = [&stored](const char* name) {
    const auto found = stored.counters.find(name);
    return MilliwattHours{found != stored.counters.end() ? found->second : 0};
  };
  return battery::EnergyCounters{value(kEnergyInCounter), value(kEnergyOutCounter)};
}

void put_energy(runtime::Store& store, const battery::EnergyCounters& counters) {
  store.put_counter(kEnergyInCounter, counters.in.count());
  store.put_counter(kEnergyOutCounter, counters.out.count());
}

spdlog::level::level_enum log_level(EventLevel level) {
  switch (level) {
    case EventLevel::kWarning:
      return spdlog::level::warn;
    case EventLevel::kError:
      return spdlog::level::err;
    default:
      return spdlog::level::info;
  }
}

}  // namespace

Box::Box(runtime::Loop& loop, const config::Config& config, std::unique_ptr<runtime::Store> store,
         std::string storage_error)
    : loop_{loop},
      store_{std::move(store)},
      storage_error_{std::move(storage_error)},
      stored_{store_ ? store_->stored() : runtime::StoredState{}},
      settings_{config, stored_},
      started_with_{settings_.effective()},
      notifier_{runtime::ServiceNotifier::from_environment()},
      tick_timer_{loop} {}

Box::~Box() {
  stop();
}

bool Box::start() {
  note(EventLevel::kNotice, "box", "started",
       "Amphora " + std::string{build_info().version} + " started as bms-gateway for " +
           this->config().box.name + ".");
  for (const std::string& complaint : settings_.complaints()) {
    note(EventLevel::kError, "settings", "stored_setting_ignored", complaint);
  }
  if (!storage_error_.empty()) {
    note(EventLevel::kError, "storage", "storage_unavailable",
         "The storage cannot be used: " + storage_error_ +
             ". The inverter is served; history and counters are not kept.");
  }
  runtime::ControlOptions options = to_control_options(config());
  if (const auto fault = check_node_config(options.node)) {
    spdlog::error("the configuration cannot be worked with: {}", *fault);
    return false;
  }
  options.energy = stored_energy(store_.get(), stored_);
  control_ = std::make_unique<runtime::ControlThread>(std::move(options));
  if (config().web.is_enabled && !start_web()) {
    return false;
  }
  report_at_ = loop_.now();
  report_watch_.emplace(loop_, control_->reports().wake_fd());
  report_watch_->on_readable([this] { take_reports(); });
  message_watch_.emplace(loop_, control_->messages().wake_fd());
  message_watch_->on_readable([this] { take_messages(); });
  control_->start();
  start_mqtt();
  (void)notifier_.ready("serving");
  tick(loop_.now());
  return true;
}

bool Box::start_web() {
  const config::Config& config = this->config();
  runtime::http::WebServerOptions options;
  options.listen = config.web.listen;
  options.root = config.web.root;
  options.is_login_required = config.web.login == config::Login::kRequired;
  options.users = stored_.users;
  options.certificate_file = config.web.certificate_file;
  options.key_file = config.web.key_file;
  if (options.is_login_required && !store_) {
    // Without the store it is not known who may log in, and nobody may become the first user a second time.
    spdlog::error("the web page stays off: accounts cannot be read without the storage");
    return true;
  }
  auto server = runtime::http::WebServer::open(loop_, std::move(options), *this);
  if (!server.ok()) {
    spdlog::error("web server: {}", server.error().text());
    return false;
  }
  web_ = std::move(server.value());
  spdlog::info("web page: {}://{}", config.web.certificate_file.empty() ? "http" : "https",
               config.web.listen);
  return true;
}

void Box::start_mqtt() {
  if (!config().mqtt.is_enabled) {
    return;
  }
  std::string password;
  if (!config().mqtt.password_file.empty()) {
    const auto secret = config::read_secret(config().mqtt.password_file);
    if (!secret) {
      note(EventLevel::kError, "mqtt", "mqtt_password_unreadable",
           "The MQTT password cannot be read: " +
               config::secret_file_fault(config().mqtt.password_file).value_or("the file cannot be opened") +
               ".");
      return;
    }
    password = *secret;
  }
  mqtt_ = std::make_unique<MqttPublisher>(
      loop_, config(), std::move(password), store_.get(), stored_, [this](bool is_connected) {
        note(is_connected ? EventLevel::kNotice : EventLevel::kWarning, "mqtt",
             is_connected ? "mqtt_connected" : "mqtt_lost",
             is_connected ? "The MQTT broker is connected."
                          : "The MQTT broker is away; readings wait for it.");
      });
  mqtt_->start();
}

void Box::stop() {
  if (!control_) {
    return;
  }
  (void)notifier_.stopping();
  tick_timer_.cancel();
  control_->stop();
  take_messages();
  report_watch_.reset();
  message_watch_.reset();
  if (const auto energy = control_->final_energy(); energy && store_) {
    put_energy(*store_, *energy);
  }
  note(EventLevel::kNotice, "box", "stopped", "Amphora stops; frames to the inverter end now.");
  mqtt_.reset();
  // Before the control thread's queues: what the store still has to confirm goes there.
  store_.reset();
  web_.reset();
  control_.reset();
}

void Box::reload(config::Config file) {
  settings_.replace_file(std::move(file));
  const node::BmsGatewayConfig node = to_node_config(config());
  if (const auto fault = check_node_config(node)) {
    note(EventLevel::kError, "settings", "reload_refused",
         "The configuration was read again but cannot be used: " + *fault);
    return;
  }
  (void)control_->order(runtime::ReconfigureOrder{node.profile, node.output});
  note(EventLevel::kNotice, "settings", "reloaded",
       "The configuration was read again: battery and inverter values are in force, all else after a "
       "restart.");
}

void Box::tick(TimePoint now) {
  if (mqtt_) {
    mqtt_->handle_tick(now, runtime::wall_now());
  }
  sample_history(now);
  watch_storage();
  give_up_waiting(now);
  update_hub(now);
  const auto watchdog = notifier_.watchdog_period();
  if (watchdog && now >= watchdog_due_ && now - report_at_ < kControlSilenceMax) {
    (void)notifier_.watchdog();
    watchdog_due_ = now + *watchdog;
  }
  tick_timer_.arm(now + kTickPeriod, [this] { tick(loop_.now()); });
}

void Box::take_reports() {
  control_->reports().clear_wake();
  runtime::ReportPtr newest;
  while (auto report = control_->reports().pop()) {
    newest = std::move(*report);
  }
  if (!newest) {
    return;
  }
  report_ = std::move(newest);
  report_at_ = loop_.now();
  const WallTime wall = runtime::wall_now();
  if (web_ && report_->snapshot_count != shown_count_) {
    shown_count_ = report_->snapshot_count;
    web_->hub().publish_cells(cells_message(*report_, wall.unix_ms));
  }
  if (mqtt_) {
    mqtt_->handle_report(report_, report_at_, wall);
  }
}

void Box::take_messages() {
  control_->messages().clear_wake();
  while (const auto message = control_->messages().pop()) {
    std::visit([this](const auto& one) { handle(one); }, *message);
  }
}

// Statistics come every minute and settings every ten; a log that tells so hides what matters. Settings are
// told once after the BMS was found or written to.
bool Box::is_routine(const node::Event& event) {
  const auto* driver_event = std::get_if<tinybms::DriverEvent>(&event.what);
  if (driver_event == nullptr) {
    return false;
  }
  if (std::holds_alternative<tinybms::Connected>(*driver_event) ||
      std::holds_alternative<tinybms::WriteFinished>(*driver_event)) {
    are_settings_awaited_ = true;
  }
  if (std::holds_alternative<tinybms::SettingsRead>(*driver_event)) {
    return !std::exchange(are_settings_awaited_, false);
  }
  return std::holds_alternative<tinybms::StatisticsRead>(*driver_event) ||
         std::holds_alternative<tinybms::VersionRead>(*driver_event);
}

void Box::handle(const node::Event& event) {
  if (is_routine(event)) {
    return;
  }
  runtime::EventRecord described = describe(event, to_node_config(config()));
  described.uptime_ms = to_milliseconds(event.at.time_since_epoch());
  const std::int64_t ago = to_milliseconds(loop_.now() - event.at);
  described.time = WallTime{runtime::wall_now().unix_ms - ago};
  record(std::move(described));
  follow_write(event);
  follow_command(event);
}

void Box::handle(const runtime::StoreEnergy& request) {
  if (!store_) {
    return;
  }
  put_energy(*store_, request.counters);
  store_->flush([this, counters = request.counters](const std::optional<runtime::SysError>& error) {
    if (!error) {
      (void)control_->order(runtime::EnergyStoredOrder{counters});
    }
  });
}

void Box::note(EventLevel level, const std::string& source, const std::string& code,
               const std::string& text) {
  runtime::EventRecord event;
  event.level = level;
  event.source = source;
  event.code = code;
  event.text = text;
  event.time = runtime::wall_now();
  event.uptime_ms = to_milliseconds(loop_.now().time_since_epoch());
  record(std::move(event));
}

void Box::record(runtime::EventRecord event) {
  spdlog::log(log_level(event.level), "{}: {}", event.source, event.text);
  if (store_) {
    event.id = store_->append_event(event);
  }
  if (web_) {
    web_->hub().publish_event(runtime::event_json(event));
  }
  if (mqtt_) {
    mqtt_->publish_event(event);
  }
}

runtime::StoreStatus Box::store_status() const {
  if (store_) {
    return store_->status();
  }
  runtime::StoreStatus status;
  status.is_ok = false;
  status.error = storage_error_;
  return status;
}

void Box::watch_storage() {
  const runtime::StoreStatus status = store_status();
  if (status.is_ok == was_storage_ok_ || !store_) {
    return;
  }
  was_storage_ok_ = status.is_ok;
  if (status.is_ok) {
    note(EventLevel::kNotice, "storage", "storage_recovered", "The storage can be written again.");
  } else {
    note(
        EventLevel::kError, "storage", "storage_failed",
        "The storage cannot be written: " + status.error + ". What waits is kept in memory and tried again.");
  }
}

void Box::sample_history(TimePoint now) {
  if (now < sample_due_ || !store_ || !report_ || !is_battery_online(*report_, now)) {
    return;
  }
  sample_due_ = now + kSamplePeriod;
  const battery::Snapshot& snapshot = report_->snapshot;
  runtime::HistorySample sample;
  sample.at = runtime::wall_now();
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
  store_->add_sample(sample);
}

void Box::update_hub(TimePoint now) {
  if (!web_ || (report_ == shown_report_ && now < hub_due_)) {
    return;
  }
  shown_report_ = report_;
  hub_due_ = now + kQuietRefresh;
  const Json groups = state_groups(now);
  for (const auto& [name, group] : groups.items()) {
    web_->hub().update_group(name, group.dump());
  }
  web_->hub().tick(runtime::wall_now().unix_ms);
}

}  // namespace amphora::run
