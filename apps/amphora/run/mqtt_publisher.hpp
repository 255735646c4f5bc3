// SPDX-License-Identifier: Apache-2.0
// What the box says on MQTT, and when: state (newest wins), readings (in order, none lost), events, Home
// Assistant discovery. Topics and payloads are described in docs/protocols/mqtt.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "apps/amphora/config/config.hpp"
#include "runtime/control/control_thread.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/mqtt/home_assistant.hpp"
#include "runtime/mqtt/mqtt_client.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

class MqttPublisher {
 public:
  // `store` may be null: readings are then kept in memory only. `stored` is what an earlier run left. The
  // loop must outlive this.
  MqttPublisher(runtime::Loop& loop, const config::Config& config, std::string password,
                runtime::Store* store, const runtime::StoredState& stored,
                std::function<void(bool is_connected)> on_connection);

  ~MqttPublisher();
  MqttPublisher(const MqttPublisher&) = delete;
  MqttPublisher& operator=(const MqttPublisher&) = delete;

  void start();
  // A new report; publishes what is due.
  void handle_report(const runtime::ReportPtr& report, TimePoint now, WallTime wall_now);
  // Time has passed without a report: a silent BMS must still be told.
  void handle_tick(TimePoint now, WallTime wall_now);
  void publish_event(const runtime::EventRecord& event);
  runtime::MqttStatus status() const { return client_->status(); }

 private:
  std::string topic(std::string_view rest) const { return prefix_ + std::string{rest}; }
  void publish_state(TimePoint now, WallTime wall_now);
  void publish_inverter(TimePoint now, WallTime wall_now);
  void publish_reading(TimePoint now, WallTime wall_now);
  void publish_online(bool is_online);
  void announce();
  runtime::HomeAssistantDevice device() const;

  runtime::Loop& loop_;
  config::Config config_;
  std::string prefix_;
  std::unique_ptr<runtime::MqttClient> client_;
  runtime::DiscoveryAnnouncer announcer_;
  runtime::ReportPtr report_;
  std::uint64_t published_count_ = 0;
  std::uint64_t sequence_;
  std::int64_t boot_;
  TimePoint state_due_{};
  TimePoint inverter_due_{};
  TimePoint reading_due_{};
  std::optional<bool> was_online_;
  std::string announced_;
  std::shared_ptr<MqttPublisher*> self_ = std::make_shared<MqttPublisher*>(this);  // emptied at the end
};

}  // namespace amphora::run
