// SPDX-License-Identifier: Apache-2.0
// What the box says on MQTT, and when: state (newest wins), readings (in order, none lost), events, Home
// Assistant discovery. Topics and payloads are described in docs/protocols/mqtt.md.
//
// A box with one battery has the topics of its site; a pack, of which a site has several, has a level of its
// own below it, named after the box (unit_of()).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "runtime/control/control_thread.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/mqtt/home_assistant.hpp"
#include "runtime/mqtt/mqtt_client.hpp"
#include "runtime/pack/pack_messages.hpp"
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

  // To be called before start(): hears these topics, on the loop.
  void listen(std::vector<std::string> topics,
              std::function<void(std::string_view topic, std::string_view payload)> on_message);
  void start();
  // A new report; publishes what is due.
  void handle_report(const runtime::ReportPtr& report, TimePoint now, WallTime wall_now);
  // Likewise of a pack; what it says of its house and relays is published every two seconds and when a relay
  // switches.
  void handle_pack(const runtime::PackReportPtr& report, TimePoint now, WallTime wall_now);
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
  void publish_pack(TimePoint now);
  void announce();
  // Of the battery, whoever reads it. Null and nothing before the first report.
  const battery::Snapshot* snapshot() const;
  std::uint64_t snapshot_count() const;
  bool is_online(TimePoint now) const;
  Json battery(TimePoint now) const;
  runtime::HomeAssistantDevice device() const;

  runtime::Loop& loop_;
  config::Config config_;
  std::string prefix_;
  std::unique_ptr<runtime::MqttClient> client_;
  runtime::DiscoveryAnnouncer announcer_;
  runtime::ReportPtr report_;
  runtime::PackReportPtr pack_;
  std::vector<std::string> topics_;
  std::function<void(std::string_view, std::string_view)> on_message_;
  std::string told_relays_;
  TimePoint pack_due_{};
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

// The topic level of one of several batteries of a site: the name of a pack in small letters, digits and
// underscores; empty for boxes that are the only one.
std::string unit_of(const config::Config& config);

}  // namespace amphora::run
