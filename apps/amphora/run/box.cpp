// SPDX-License-Identifier: Apache-2.0
// The box's life: starting, ticking, stopping. The answers to people are in
// box_api.cpp.
#include "apps/amphora/run/box.hpp"

#include <spdlog/spdlog.h>

#include <utility>

#include "apps/amphora/build_info.hpp"
#include "apps/amphora/config/secret_file.hpp"
#include "apps/amphora/run/node_config.hpp"
#include "apps/amphora/run/pack_config.hpp"
#include "apps/amphora/run/pack_json.hpp"
#include "apps/amphora/run/shared_settings.hpp"
#include "apps/amphora/run/state_json.hpp"

namespace amphora::run {
namespace {

using runtime::EventLevel;

constexpr Duration kTickPeriod = std::chrono::milliseconds{200};
// Pages count ages themselves, so without news one update a second is enough.
constexpr Duration kQuietRefresh = std::chrono::seconds{1};
// The control thread reports twice a second; without a report for this long it hangs, and systemd must
// restart us.
constexpr Duration kControlSilenceMax = std::chrono::seconds{5};

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
      journal_{loop, store_.get()},
      tick_timer_{loop} {}

Box::~Box() {
  *self_ = nullptr;
  stop();
}

bool Box::start() {
  is_started_ = true;
  journal_.note(EventLevel::kNotice, "box", "started",
                "Amphora " + std::string{build_info().version} + " started as " +
                    std::string{config::to_text(config().box.role)} + " for " + config().box.name + ".");
  for (const std::string& complaint : settings_.complaints()) {
    journal_.note(EventLevel::kError, "settings", "stored_setting_ignored", complaint);
  }
  if (!storage_error_.empty()) {
    journal_.note(
        EventLevel::kError, "storage", "storage_unavailable",
        "The storage cannot be used: " + storage_error_ +
            (config().has_pack_part() ? ". The relays are worked; settings and history are not kept."
                                      : ". The inverter is served; history and counters are not kept."));
  }
  if (config().has_link_part()) {
    make_link_part();
  }
  if (config().has_battery_part() && !make_battery_part()) {
    return false;
  }
  if (config().has_pack_part() && !make_pack_part()) {
    return false;
  }
  if (config().web.is_enabled && !start_web()) {
    return false;
  }
  add_listeners();
  if (battery_) {
    battery_->start();
  }
  if (link_) {
    link_->start();
  }
  if (pack_) {
    pack_->start();
  }
  start_mqtt();
  (void)notifier_.ready("serving");
  tick(loop_.now());
  return true;
}

bool Box::make_battery_part() {
  runtime::ControlOptions options = to_control_options(config());
  if (const auto fault = check_node_config(options.node)) {
    spdlog::error("the configuration cannot be worked with: {}", *fault);
    return false;
  }
  battery_ = std::make_unique<BatteryPart>(loop_, journal_, store_.get(), stored_, std::move(options),
                                           [this](const auto& report) { handle_report(report); });
  battery_->set_user_limits(settings_.user_limits());
  return true;
}

bool Box::make_pack_part() {
  std::string bus_key;
  if (!config().bus.key_file.empty()) {
    const auto secret = config::read_secret(config().bus.key_file);
    if (!secret) {
      spdlog::error("the key of the bus cannot be read: {}", config().bus.key_file);
      return false;
    }
    bus_key = *secret;
  }
  runtime::PackOptions options = to_pack_options(config(), read_machine_id(), bus_key);
  if (const auto fault = check_pack_options(options)) {
    spdlog::error("the configuration cannot be worked with: {}", *fault);
    return false;
  }
  options.stored = runtime::load_pack(stored_);
  // A number that was made is kept, so that another name of the box does not make another pack of it.
  if (config().bus.hardware.empty()) {
    packnet::HardwareNumber& hardware = options.node.network.hardware;
    if (options.stored.hardware != 0) {
      hardware = options.stored.hardware;
    } else if (store_) {
      runtime::PackRecord record = runtime::hardware_record(hardware);
      store_->put_section(record.name, std::move(record.content));
    }
  }
  pack_ = std::make_unique<PackPart>(loop_, journal_, store_.get(), std::move(options),
                                     [this](const auto& report) { handle_pack_report(report); });
  return true;
}

// Shared settings that are in force are so from the first moment, before the battery is served.
void Box::make_link_part() {
  LinkPart::Handlers handlers;
  handlers.on_section = [this](const auto& table, const auto& values) { apply_shared(table, values); };
  handlers.on_change = [this] { update_hub(loop_.now()); };
  handlers.on_cells = [this](std::string message) {
    if (web_ && !battery_) {
      web_->hub().publish_cells(std::move(message));
    }
  };
  handlers.check = [this](const auto& table, const auto& values) {
    config::Config trial = config();
    return put_over(table, values, trial);
  };
  link_ = std::make_unique<LinkPart>(loop_, journal_, store_.get(), stored_, config(), std::move(handlers));
  settings_.set_shared_tables(link_->shared_tables());
  for (const auto& [table, values] : link_->stored_sections()) {
    for (const std::string& fault : settings_.set_shared(*table, values)) {
      journal_.note(EventLevel::kError, "settings", "section_not_applied",
                    "The shared settings of section " + std::string{table->title} +
                        " cannot be used here: " + fault + " What was in force before stays.");
    }
  }
}

void Box::apply_shared(const sections::SectionTable& table, const std::optional<sections::Values>& values) {
  // Limits would ramp up anew, so what has not changed is not put in force again.
  if (settings_.shared(table) == values) {
    return;
  }
  const auto faults = settings_.set_shared(table, values);
  for (const std::string& fault : faults) {
    journal_.note(EventLevel::kError, "settings", "section_not_applied",
                  "The shared settings of section " + std::string{table.title} +
                      " cannot be used here: " + fault + " What was in force before stays.");
  }
  if (!faults.empty()) {
    return;
  }
  if (battery_ && table.id == sections::kBattery) {
    battery_->reconfigure(to_node_config(config()));
  } else if (battery_ && table.id == sections::kPowerProfile) {
    battery_->set_user_limits(settings_.user_limits());
  }
  follow_mqtt_config();
}

// A changed broker, or another name in its topics: the connection is made anew, and what waits goes along.
void Box::follow_mqtt_config() {
  const bool is_same = mqtt_config_.mqtt == config().mqtt && mqtt_config_.box == config().box;
  if (!is_started_ || is_same || !config().has_battery_part()) {
    return;
  }
  const bool is_concerned = mqtt_config_.mqtt.is_enabled || config().mqtt.is_enabled;
  mqtt_config_ = config();
  if (!is_concerned) {
    return;
  }
  mqtt_.reset();
  if (link_) {
    link_->set_mqtt_connected(false);
  }
  journal_.note(EventLevel::kNotice, "mqtt", "mqtt_settings_changed",
                "The MQTT settings have changed; the connection is made anew.");
  if (!store_) {
    start_mqtt();
    return;
  }
  // Readings that wait for the broker are asked of the store, which has them in order.
  const bool is_asked = store_->query_waiting_readings(
      [this, self = self_](std::vector<runtime::StoredReading> readings, std::uint64_t last) {
        loop_.post([this, self, readings = std::move(readings), last]() mutable {
          if (*self != nullptr && is_started_ && !mqtt_) {
            stored_.readings = std::move(readings);
            stored_.last_reading_sequence = last;
            start_mqtt();
          }
        });
      });
  if (!is_asked) {
    start_mqtt();
  }
}

void Box::add_listeners() {
  journal_.add_listener([this](const runtime::EventRecord& event) {
    if (web_) {
      web_->hub().publish_event(runtime::event_json(event));
    }
    if (mqtt_) {
      mqtt_->publish_event(event);
    }
  });
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
  mqtt_config_ = config();
  if (config().box.role == config::Role::kReceiver || !config().mqtt.is_enabled) {
    return;
  }
  std::string password = config().mqtt.password;
  if (password.empty() && !config().mqtt.password_file.empty()) {
    const auto secret = config::read_secret(config().mqtt.password_file);
    if (!secret) {
      journal_.note(
          EventLevel::kError, "mqtt", "mqtt_password_unreadable",
          "The MQTT password cannot be read: " +
              config::secret_file_fault(config().mqtt.password_file).value_or("the file cannot be opened") +
              ".");
      return;
    }
    password = *secret;
  }
  mqtt_ = std::make_unique<MqttPublisher>(
      loop_, config(), std::move(password), store_.get(), stored_, [this](bool is_connected) {
        if (link_) {
          link_->set_mqtt_connected(is_connected);
        }
        journal_.note(is_connected ? EventLevel::kNotice : EventLevel::kWarning, "mqtt",
                      is_connected ? "mqtt_connected" : "mqtt_lost",
                      is_connected ? "The MQTT broker is connected."
                                   : "The MQTT broker is away; readings wait for it.");
      });
  if (pack_) {
    mqtt_->listen(pack_->topics(), [this](std::string_view topic, std::string_view payload) {
      pack_->handle_mqtt(topic, payload);
    });
  }
  mqtt_->start();
}

void Box::stop() {
  if (!is_started_) {
    return;
  }
  is_started_ = false;
  (void)notifier_.stopping();
  tick_timer_.cancel();
  if (link_) {
    link_->stop();
  }
  if (battery_) {
    battery_->stop();
  }
  if (pack_) {
    pack_->stop();
  }
  journal_.note(EventLevel::kNotice, "box", "stopped",
                config().inverter.interface.empty() ? "Amphora stops."
                                                    : "Amphora stops; frames to the inverter end now.");
  mqtt_.reset();
  // Before the parts: what the store still has to confirm goes to their queues.
  journal_.forget_store();
  store_.reset();
  web_.reset();
  link_.reset();
  battery_.reset();
  pack_.reset();
}

void Box::reload(config::Config file) {
  const SettingsStore before = settings_;
  settings_.replace_file(std::move(file));
  if (battery_) {
    if (const auto fault = check_node_config(to_node_config(config()))) {
      settings_ = before;
      journal_.note(EventLevel::kError, "settings", "reload_refused",
                    "The configuration was read again but cannot be used: " + *fault);
      return;
    }
    battery_->reconfigure(to_node_config(config()));
  }
  if (link_) {
    link_->handle_base_config(settings_.base());
  }
  journal_.note(
      EventLevel::kNotice, "settings", "reloaded",
      pack_ ? "The configuration was read again: it is in force after a restart."
            : "The configuration was read again: battery and inverter values are in force, all else after a "
              "restart.");
}

void Box::tick(TimePoint now) {
  if (mqtt_) {
    mqtt_->handle_tick(now, runtime::wall_now());
  }
  if (battery_) {
    battery_->handle_tick(now);
  }
  if (link_) {
    link_->handle_tick(now);
  }
  if (pack_) {
    pack_->handle_tick(now);
    if (pack_->is_restart_due(now)) {
      // Ends cleanly; the service manager starts it again.
      loop_.stop();
      return;
    }
  }
  watch_storage();
  update_hub(now);
  const auto watchdog = notifier_.watchdog_period();
  if (watchdog && now >= watchdog_due_ && is_control_alive(now)) {
    (void)notifier_.watchdog();
    watchdog_due_ = now + *watchdog;
  }
  tick_timer_.arm(now + kTickPeriod, [this] { tick(loop_.now()); });
}

bool Box::is_control_alive(TimePoint now) const {
  return (!battery_ || now - battery_->report_at() < kControlSilenceMax) &&
         (!pack_ || now - pack_->report_at() < kControlSilenceMax);
}

void Box::handle_report(const runtime::ReportPtr& report) {
  const WallTime wall = runtime::wall_now();
  if (web_ && report->snapshot_count != shown_count_) {
    shown_count_ = report->snapshot_count;
    web_->hub().publish_cells(cells_message(report->snapshot, wall.unix_ms));
  }
  if (mqtt_) {
    mqtt_->handle_report(report, battery_->report_at(), wall);
  }
  if (link_) {
    link_->handle_battery(report);
  }
}

void Box::handle_pack_report(const runtime::PackReportPtr& report) {
  const WallTime wall = runtime::wall_now();
  if (web_ && report->snapshot_count != shown_count_) {
    shown_count_ = report->snapshot_count;
    web_->hub().publish_cells(cells_message(report->snapshot, wall.unix_ms));
  }
  if (mqtt_) {
    mqtt_->handle_pack(report, pack_->report_at(), wall);
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
    journal_.note(EventLevel::kNotice, "storage", "storage_recovered", "The storage can be written again.");
  } else {
    journal_.note(
        EventLevel::kError, "storage", "storage_failed",
        "The storage cannot be written: " + status.error + ". What waits is kept in memory and tried again.");
  }
}

void Box::update_hub(TimePoint now) {
  const runtime::ReportPtr report = battery_ ? battery_->report() : nullptr;
  const std::uint64_t revision = link_ ? link_->revision() : 0;
  const runtime::PackReportPtr pack = pack_ ? pack_->report() : nullptr;
  const bool is_shown = report == shown_report_ && pack == shown_pack_ && revision == shown_revision_;
  if (!web_ || (is_shown && now < hub_due_)) {
    return;
  }
  shown_pack_ = pack;
  shown_report_ = report;
  shown_revision_ = revision;
  hub_due_ = now + kQuietRefresh;
  const Json groups = state_groups(now);
  for (const auto& [name, group] : groups.items()) {
    web_->hub().update_group(name, group.dump());
  }
  web_->hub().tick(runtime::wall_now().unix_ms);
}

}  // namespace amphora::run
