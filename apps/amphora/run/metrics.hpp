// SPDX-License-Identifier: Apache-2.0
// The box's figures for Prometheus. Names start with amphora_, units come last (OpenMetrics habits).
#pragma once

#include <optional>
#include <string>

#include "runtime/control/control_thread.hpp"
#include "runtime/http/web_server.hpp"
#include "runtime/link/link_messages.hpp"
#include "runtime/metrics/registry.hpp"
#include "runtime/mqtt/mqtt_client.hpp"
#include "runtime/pack/pack_messages.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

class Metrics {
 public:
  Metrics();

  void set_report(const runtime::ControlReport& report, TimePoint now);
  void set_mqtt(const runtime::MqttStatus& status);
  void set_link(const runtime::LinkReport& report, TimePoint now);
  void set_pack(const runtime::PackReport& report, TimePoint now);
  void set_store(const runtime::StoreStatus& status);
  void set_web(const runtime::http::WebServerCounters& counters, const runtime::http::Hub& hub);
  void set_uptime(Duration uptime);

  std::string render() const { return registry_.render(); }

 private:
  void declare_link();
  void declare_pack();
  void set_reader(const bms::Statistics& statistics, bool is_connected);
  void set_loop(Duration delay_max, std::uint64_t events_dropped);
  void set_battery(const battery::Snapshot& snapshot, TimePoint now);
  void set_limits(const runtime::ControlReport& report);
  void set_links(const runtime::ControlReport& report);

  runtime::MetricsRegistry registry_;
};

}  // namespace amphora::run
