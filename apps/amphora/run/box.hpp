// SPDX-License-Identifier: Apache-2.0
// A running box: the control thread, the store, MQTT and the web server, and what flows between them.
//
// Everything here lives on one I/O thread. It hears of the battery by immutable reports and of what happened
// by messages, both through bounded queues; nothing it does can delay the control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/run/metrics.hpp"
#include "apps/amphora/run/mqtt_publisher.hpp"
#include "apps/amphora/run/settings_store.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "runtime/control/control_thread.hpp"
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
  std::string metrics_text() override;
  runtime::http::Response health() override;
  void audit(const runtime::http::AuditEvent& event) override;
  void save_user(const runtime::UserRecord& user) override;

 private:
  // A settings write that the control thread is working on; answered when its last register is known.
  struct PendingWrite {
    runtime::http::Reply reply;
    std::vector<tinybms::RegisterWritten> outcomes;
    TimePoint give_up_at{};
  };
  struct PendingCommand {
    tinybms::ControlOption option = tinybms::ControlOption::kClearEvents;
    runtime::http::Reply reply;
    TimePoint give_up_at{};
  };

  const config::Config& config() const { return settings_.effective(); }
  bool start_web();
  void start_mqtt();
  void tick(TimePoint now);
  void take_reports();
  void take_messages();
  void handle(const node::Event& event);
  void handle(const runtime::WriteAnswer& answer);
  void handle(const runtime::ControlAnswer& answer);
  void handle(const runtime::StoreEnergy& request);
  bool is_routine(const node::Event& event);
  void follow_write(const node::Event& event);
  void follow_command(const node::Event& event);
  void finish_write(std::uint32_t number, PendingWrite& pending);
  void give_up_waiting(TimePoint now);
  void record(runtime::EventRecord event);
  void note(runtime::EventLevel level, const std::string& source, const std::string& code,
            const std::string& text);
  void watch_storage();
  void update_hub(TimePoint now);
  void sample_history(TimePoint now);
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
  std::unique_ptr<runtime::ControlThread> control_;
  std::unique_ptr<MqttPublisher> mqtt_;
  std::unique_ptr<runtime::http::WebServer> web_;
  Metrics metrics_;
  std::optional<runtime::FdWatch> report_watch_;
  std::optional<runtime::FdWatch> message_watch_;
  runtime::Timer tick_timer_;
  runtime::ReportPtr report_;
  runtime::ReportPtr shown_report_;  // what the pages were last given
  TimePoint hub_due_{};
  std::uint64_t shown_count_ = 0;
  std::uint64_t token_ = 0;
  std::map<std::uint64_t, runtime::http::Reply> asked_writes_;  // by token, until accepted
  std::map<std::uint32_t, PendingWrite> writes_;                // by write number
  std::map<std::uint64_t, PendingCommand> commands_;            // by token
  bool was_storage_ok_ = true;
  bool are_settings_awaited_ = true;
  TimePoint sample_due_{};
  TimePoint watchdog_due_{};
  TimePoint report_at_{};
};

}  // namespace amphora::run
