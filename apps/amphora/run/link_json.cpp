// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/link_json.hpp"

#include <algorithm>

#include "runtime/history/history.hpp"
#include "runtime/link/link_store.hpp"

namespace amphora::run {
namespace {

using runtime::LinkPeer;
using runtime::LinkReport;

std::int64_t to_seconds(Duration duration) {
  return to_milliseconds(duration) / 1000;
}

Json radio_json(const LinkReport& report) {
  const runtime::RadioStatus& radio = report.radio;
  Json json{{"interface", radio.interface},
            {"state", radio.state == runtime::RadioState::kUp ? "up" : "down"},
            {"frames_sent", radio.counters.sent},
            {"frames_received", radio.counters.received},
            {"no_ack", radio.counters.no_ack},
            {"not_sent", radio.counters.not_sent},
            {"malformed", radio.counters.malformed},
            {"restarts", radio.counters.restarts},
            {"foreign", report.foreign_frames}};
  if (radio.error) {
    json["error"] = radio.error->text();
  }
  if (!radio.warning.empty()) {
    json["warning"] = radio.warning;
  }
  if (!radio.driver.empty()) {
    json["driver"] = radio.driver;
  }
  if (!radio.country.empty()) {
    json["country"] = radio.country;
  }
  if (radio.channel != 0) {
    json["channel"] = radio.channel;
  }
  if (radio.send_status != runtime::RadioSendStatus::kUnknown) {
    json["send_status"] = runtime::to_text(radio.send_status);
  }
  return json;
}

Json discovery_json(const LinkReport& report) {
  Json json{{"searching", report.is_searching},
            {"phase", report.phase},
            {"sweeps", report.discovery->sweeps},
            {"probes_sent", report.discovery->probes_sent},
            {"found", report.discovery->found}};
  if (report.found_after) {
    json["last_took_ms"] = to_milliseconds(*report.found_after);
  }
  return json;
}

Json queue_json(const runtime::LinkQueueReport& queue) {
  const telemetry::SenderMetrics& metrics = queue.metrics;
  return {{"size", queue.size},
          {"capacity", queue.capacity},
          {"added", metrics.added},
          {"sent", metrics.sent},
          {"acked", metrics.acked},
          {"retried", metrics.retried},
          {"dropped", metrics.dropped},
          {"expired", metrics.expired},
          {"high_water", metrics.high_water},
          {"ack_ms_mean", static_cast<double>(metrics.ack_time_mean_us()) / 1000.0},
          {"ack_ms_max", to_milliseconds(metrics.ack_time_max)},
          {"overflow_events", metrics.overflow_events},
          {"watchdog_restarts", metrics.watchdog_restarts}};
}

Json readings_json(const runtime::LinkReadingsReport& readings) {
  Json json{{"delivered", readings.metrics.delivered},
            {"duplicates", readings.metrics.duplicates},
            {"missing", readings.metrics.missing}};
  if (readings.epoch) {
    json["epoch"] = *readings.epoch;
    json["last_sequence"] = readings.last_sequence;
  }
  return json;
}

Json history_json(const LinkPeer& peer, TimePoint now, WallTime wall_now) {
  Json history = Json::array();
  for (std::size_t i = 0; i < peer.history.size(); ++i) {
    const liveness::Change& change = peer.history[i];
    history.push_back({{"time", runtime::utc_text(wall_now.unix_ms - to_milliseconds(now - change.at))},
                       {"from", liveness::to_text(change.from)},
                       {"to", liveness::to_text(change.to)},
                       {"reason", liveness::to_text(change.reason)}});
  }
  return history;
}

Json peer_json(const LinkPeer& peer, const NameOf& name_of, bool is_sealed, TimePoint now,
               WallTime wall_now) {
  Json json{{"node", runtime::to_string(peer.node)},
            {"paired", is_sealed},
            {"state", liveness::to_text(peer.state)},
            {"has_session", peer.has_session},
            {"sessions", peer.sessions}};
  if (const std::string name = name_of(peer.node); !name.empty()) {
    json["name"] = name;
  }
  if (!peer.history.is_empty()) {
    json["since_s"] = to_seconds(now - peer.history[peer.history.size() - 1].at);
  }
  if (peer.last_heard) {
    json["last_heard_ms"] = to_milliseconds(now - *peer.last_heard);
  }
  if (peer.last_beacon) {
    json["beacon_age_s"] = to_seconds(now - *peer.last_beacon);
  }
  if (peer.rssi_dbm) {
    json["rssi_dbm"] = *peer.rssi_dbm;
  }
  if (peer.status && peer.state != liveness::State::kDisconnected) {
    json["status"] = {{"mqtt_connected", (*peer.status & runtime::kStatusMqttConnected) != 0},
                      {"ethernet_up", (*peer.status & runtime::kStatusEthernetUp) != 0}};
  }
  json["history"] = history_json(peer, now, wall_now);
  Json& rejected = json["rejected"] = Json::object();
  for (std::size_t i = 0; i < peer.rejected.size(); ++i) {
    rejected[std::string{link::to_text(static_cast<link::Rejection>(i))}] = peer.rejected[i];
  }
  rejected["undecodable"] = peer.undecodable;
  if (peer.readings) {
    json["readings"] = readings_json(*peer.readings);
  }
  if (peer.cells) {
    json["cells"] = {{"complete", peer.cells->completed}, {"incomplete", peer.cells->incomplete}};
  }
  return json;
}

Json pairing_json(const runtime::LinkPairing& pairing, TimePoint now) {
  Json json{{"state", runtime::to_text(pairing.state)}};
  if (!pairing.reason.empty()) {
    json["reason"] = pairing.reason;
  }
  if (pairing.expires_at && *pairing.expires_at != kNever) {
    json["expires_s"] = std::max<std::int64_t>(0, to_seconds(*pairing.expires_at - now));
  }
  if (pairing.tries_left) {
    json["tries_left"] = *pairing.tries_left;
  }
  if (!pairing.peer.is_nobody()) {
    json["node"] = runtime::to_string(pairing.peer);
  }
  return json;
}

}  // namespace

Json link_json(const LinkReport& report, const config::Config& config, const NameOf& name_of, TimePoint now,
               WallTime wall_now) {
  const bool is_sealed = config.radio.mode == config::RadioMode::kSealed;
  Json json{{"role", config.has_battery_part() ? "transmitter" : "receiver"},
            {"mode", is_sealed ? "sealed" : "plain"}};
  if (!report.self.is_nobody()) {
    json["node"] = runtime::to_string(report.self);
  }
  json["radio"] = radio_json(report);
  if (report.discovery) {
    json["discovery"] = discovery_json(report);
  }
  Json& peers = json["peers"] = Json::array();
  for (const LinkPeer& peer : report.peers) {
    peers.push_back(peer_json(peer, name_of, is_sealed, now, wall_now));
    if (report.queue) {
      peers.back()["queue"] = queue_json(*report.queue);
    }
  }
  if (report.queue && report.peers.empty()) {
    json["queue"] = queue_json(*report.queue);
  }
  json["pairing"] = pairing_json(report.pairing, now);
  json["events_dropped"] = report.events_dropped;
  return json;
}

}  // namespace amphora::run
