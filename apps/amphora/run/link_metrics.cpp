// SPDX-License-Identifier: Apache-2.0
// The figures of the radio link.
#include <array>
#include <string>
#include <string_view>

#include "apps/amphora/run/metrics.hpp"
#include "runtime/link/link_store.hpp"

namespace amphora::run {
namespace {

using Kind = runtime::MetricsRegistry::Kind;
using runtime::MetricLabels;

struct Declaration {
  std::string_view name;
  Kind kind;
  std::string_view help;
};

constexpr std::array kDeclarations{
    Declaration{"amphora_radio_up", Kind::kGauge, "1 while the radio works."},
    Declaration{"amphora_radio_frames_sent_total", Kind::kCounter, "Frames that left."},
    Declaration{"amphora_radio_frames_received_total", Kind::kCounter, "Frames received."},
    Declaration{"amphora_radio_no_ack_total", Kind::kCounter, "Frames to one node that nobody acknowledged."},
    Declaration{"amphora_radio_not_sent_total", Kind::kCounter, "Frames that never left."},
    Declaration{"amphora_radio_malformed_total", Kind::kCounter, "Frames that are none of ours, or cut."},
    Declaration{"amphora_link_foreign_frames_total", Kind::kCounter, "Frames of nobody we know."},
    Declaration{"amphora_link_searches_total", Kind::kCounter, "Sweeps over all channels without an answer."},
    Declaration{"amphora_link_peer_connected", Kind::kGauge, "1 while the peer is heard."},
    Declaration{"amphora_link_peer_heard_age_seconds", Kind::kGauge, "Since the peer was heard last."},
    Declaration{"amphora_link_peer_rssi_dbm", Kind::kGauge, "Signal strength of the peer's last frame."},
    Declaration{"amphora_link_sessions_total", Kind::kCounter, "Sessions with the peer."},
    Declaration{"amphora_link_rejected_frames_total", Kind::kCounter,
                "Frames of the peer's address that were refused, by reason."},
    Declaration{"amphora_link_queue_size", Kind::kGauge, "Readings that wait for the receiver."},
    Declaration{"amphora_link_queue_high_water", Kind::kGauge, "The most that ever waited."},
    Declaration{"amphora_link_queue_added_total", Kind::kCounter, "Readings queued."},
    Declaration{"amphora_link_queue_acked_total", Kind::kCounter, "Readings the receiver holds durably."},
    Declaration{"amphora_link_queue_retried_total", Kind::kCounter, "Readings sent again."},
    Declaration{"amphora_link_queue_dropped_total", Kind::kCounter, "Readings lost to a full queue."},
    Declaration{"amphora_link_queue_expired_total", Kind::kCounter, "Readings that waited for too long."},
    Declaration{"amphora_link_readings_delivered_total", Kind::kCounter, "Readings received and stored."},
    Declaration{"amphora_link_readings_duplicate_total", Kind::kCounter, "Readings received again."},
    Declaration{"amphora_link_readings_missing_total", Kind::kCounter, "Readings that will never come."},
    Declaration{"amphora_link_cells_complete_total", Kind::kCounter, "Live cell readings received whole."},
    Declaration{"amphora_link_cells_incomplete_total", Kind::kCounter,
                "Live cell readings with a part lost."},
    Declaration{"amphora_link_loop_delay_max_seconds", Kind::kGauge, "Largest lateness of the link's loop."}};

double seconds(Duration duration) {
  return static_cast<double>(duration.count()) / 1e6;
}

void set_queue(runtime::MetricsRegistry& registry, const runtime::LinkQueueReport& queue) {
  const auto total = [&registry](std::string_view name, std::uint64_t value) {
    registry.set_total(name, static_cast<double>(value));
  };
  registry.set("amphora_link_queue_size", static_cast<double>(queue.size));
  registry.set("amphora_link_queue_high_water", queue.metrics.high_water);
  total("amphora_link_queue_added_total", queue.metrics.added);
  total("amphora_link_queue_acked_total", queue.metrics.acked);
  total("amphora_link_queue_retried_total", queue.metrics.retried);
  total("amphora_link_queue_dropped_total", queue.metrics.dropped);
  total("amphora_link_queue_expired_total", queue.metrics.expired);
}

void set_peer(runtime::MetricsRegistry& registry, const runtime::LinkPeer& peer, TimePoint now) {
  const MetricLabels labels{{"peer", runtime::to_string(peer.node)}};
  const auto total = [&](std::string_view name, std::uint64_t value) {
    registry.set_total(name, static_cast<double>(value), labels);
  };
  registry.set("amphora_link_peer_connected", peer.state == liveness::State::kConnected ? 1 : 0, labels);
  registry.set("amphora_link_peer_heard_age_seconds",
               peer.last_heard ? std::optional{seconds(now - *peer.last_heard)} : std::nullopt, labels);
  registry.set("amphora_link_peer_rssi_dbm",
               peer.rssi_dbm ? std::optional{static_cast<double>(*peer.rssi_dbm)} : std::nullopt, labels);
  total("amphora_link_sessions_total", peer.sessions);
  for (std::size_t i = 0; i < peer.rejected.size(); ++i) {
    MetricLabels with_reason = labels;
    with_reason.emplace_back("reason", link::to_text(static_cast<link::Rejection>(i)));
    registry.set_total("amphora_link_rejected_frames_total", static_cast<double>(peer.rejected[i]),
                       with_reason);
  }
  if (peer.readings) {
    total("amphora_link_readings_delivered_total", peer.readings->metrics.delivered);
    total("amphora_link_readings_duplicate_total", peer.readings->metrics.duplicates);
    total("amphora_link_readings_missing_total", peer.readings->metrics.missing);
  }
  if (peer.cells) {
    total("amphora_link_cells_complete_total", peer.cells->completed);
    total("amphora_link_cells_incomplete_total", peer.cells->incomplete);
  }
}

}  // namespace

void Metrics::declare_link() {
  for (const Declaration& one : kDeclarations) {
    registry_.declare(std::string{one.name}, one.kind, std::string{one.help});
  }
}

void Metrics::set_link(const runtime::LinkReport& report, TimePoint now) {
  const runtime::RadioCounters& radio = report.radio.counters;
  const auto total = [this](std::string_view name, std::uint64_t value) {
    registry_.set_total(name, static_cast<double>(value));
  };
  registry_.set("amphora_radio_up", report.radio.state == runtime::RadioState::kUp ? 1 : 0);
  total("amphora_radio_frames_sent_total", radio.sent);
  total("amphora_radio_frames_received_total", radio.received);
  total("amphora_radio_no_ack_total", radio.no_ack);
  total("amphora_radio_not_sent_total", radio.not_sent);
  total("amphora_radio_malformed_total", radio.malformed);
  total("amphora_link_foreign_frames_total", report.foreign_frames);
  if (report.discovery) {
    total("amphora_link_searches_total", report.discovery->sweeps);
  }
  if (report.queue) {
    set_queue(registry_, *report.queue);
  }
  for (const runtime::LinkPeer& peer : report.peers) {
    set_peer(registry_, peer, now);
  }
  registry_.set("amphora_link_loop_delay_max_seconds", seconds(report.loop_delay_max));
}

}  // namespace amphora::run
