// SPDX-License-Identifier: Apache-2.0
// A running box: its parts, and what all boxes have: store, events, MQTT, web server, metrics.
//
//   battery part   the control thread: reads the battery and serves the inverter (battery_part.hpp)
//   link part      the link thread: the radio to the other box (link_part.hpp)
//   pack part      the pack thread: battery, relays and the bus to the other packs (pack_part.hpp)
//
// Everything here lives on one I/O thread, which hears of its parts by bounded queues.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/run/battery_part.hpp"
#include "apps/amphora/run/journal.hpp"
#include "apps/amphora/run/link_part.hpp"
#include "apps/amphora/run/metrics.hpp"
#include "apps/amphora/run/mqtt_publisher.hpp"
#include "apps/amphora/run/pack_part.hpp"
#include "apps/amphora/run/settings_store.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "runtime/http/api.hpp"
#include "runtime/http/web_server.hpp"
#include "runtime/loop/sd_notify.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

class Box final : public runtime::http::ApiBackend {
 public:
  // `config` must have passed all checks. `store` may be null when the storage cannot be opened; the control
  // part works without it, and `storage_error` says why.
  Box(runtime::Loop& loop, const config::Config& config, std::unique_ptr<runtime::Store> store,
      std::string storage_error);
  ~Box() override;

  // Starts threads and servers. False when the web server cannot be opened (logged).
  bool start();
  // Stops the control thread first, then stores what must not be lost.
  void stop();
  // The configuration file was read again.
  void reload(config::Config file);

  // ApiBackend
  std::string state_json() override;
  void events(const runtime::EventQuery& query, runtime::http::Reply reply) override;
  void history(const runtime::HistoryQuery& query, runtime::http::Reply reply) override;
  void history_csv(const runtime::HistoryQuery& query, runtime::http::Reply reply) override;
  void history_days(const runtime::http::DaysQuery& query, runtime::http::Reply reply) override;
  void bms_settings(runtime::http::Reply reply) override;
  void put_bms_settings(const runtime::http::BmsSettingsChange& change, const runtime::http::Actor& actor,
                        runtime::http::Reply reply) override;
  void bms_command(runtime::http::BmsCommand command, const runtime::http::Actor& actor,
                   runtime::http::Reply reply) override;
  void box_settings(runtime::http::Reply reply) override;
  void put_box_settings(const runtime::http::BoxSettingsChange& change, const runtime::http::Actor& actor,
                        runtime::http::Reply reply) override;
  void sections(runtime::http::Reply reply) override;
  void put_section(const runtime::http::SectionChange& change, const runtime::http::Actor& actor,
                   runtime::http::Reply reply) override;
  void pairing(const runtime::http::PairingRequest& request, const runtime::http::Actor& actor,
               runtime::http::Reply reply) override;
  void pack(const runtime::http::PackRequest& request, const runtime::http::Actor& actor,
            runtime::http::Reply reply) override;
  void old_path(runtime::http::OldPath path, runtime::http::Reply reply) override;
  std::string metrics_text() override;
  runtime::http::Response health() override;
  void audit(const runtime::http::AuditEvent& event) override;
  void save_user(const runtime::UserRecord& user) override;

 private:
  const config::Config& config() const { return settings_.effective(); }
  bool make_battery_part();
  void make_link_part();
  bool make_pack_part();
  // A shared section has changed: its values if it is in force.
  void apply_shared(const sections::SectionTable& table, const std::optional<sections::Values>& values);
  void follow_mqtt_config();
  bool start_web();
  void start_mqtt();
  void add_listeners();
  void tick(TimePoint now);
  bool is_control_alive(TimePoint now) const;
  void handle_report(const runtime::ReportPtr& report);
  void handle_pack_report(const runtime::PackReportPtr& report);
  void watch_storage();
  void update_hub(TimePoint now);
  Json state_groups(TimePoint now);
  Json box_json(TimePoint now) const;
  runtime::StoreStatus store_status() const;

  runtime::Loop& loop_;
  std::unique_ptr<runtime::Store> store_;
  std::string storage_error_;
  runtime::StoredState stored_;
  SettingsStore settings_;
  const config::Config started_with_;
  runtime::ServiceNotifier notifier_;
  Journal journal_;
  std::unique_ptr<BatteryPart> battery_;  // null in a box without a battery
  std::unique_ptr<LinkPart> link_;        // null in a box without a radio
  std::unique_ptr<PackPart> pack_;        // null in a box that is no pack
  std::unique_ptr<MqttPublisher> mqtt_;
  config::Config mqtt_config_;                                 // what it was started with
  std::shared_ptr<Box*> self_ = std::make_shared<Box*>(this);  // emptied at the end: late answers find nobody
  std::unique_ptr<runtime::http::WebServer> web_;
  Metrics metrics_;
  runtime::Timer tick_timer_;
  // What the pages were last given.
  runtime::ReportPtr shown_report_;
  runtime::PackReportPtr shown_pack_;
  TimePoint hub_due_{};
  std::uint64_t shown_count_ = 0;
  std::uint64_t shown_revision_ = 0;
  bool is_started_ = false;
  bool was_storage_ok_ = true;
  TimePoint watchdog_due_{};
};

}  // namespace amphora::run
