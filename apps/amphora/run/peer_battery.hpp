// SPDX-License-Identifier: Apache-2.0
// A transmitter's battery as its receiver knows it: the newest reading, the newest live cells.
#pragma once

#include <optional>
#include <string>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "core/link/battery_summary.hpp"
#include "core/telemetry/live_cells.hpp"
#include "core/telemetry/messages.hpp"
#include "runtime/history/history.hpp"

namespace amphora::run {

// The battery of this box as the payload of a reading.
link::BatterySummary summary_of(const runtime::ControlReport& report, TimePoint now, WallTime wall_now);

class PeerBattery {
 public:
  // False, and nothing changed, when the payload cannot be read. `now` and `wall_now` are the same moment.
  bool handle_reading(TimePoint now, WallTime wall_now, const telemetry::Entry& entry);
  void handle_cells(TimePoint now, const telemetry::LiveCells& cells);

  // When the battery was sampled last, by this box's clock; empty before the first reading.
  std::optional<TimePoint> sampled_at() const { return sampled_at_; }
  bool has_values() const { return sampled_at_ || snapshot_.cells; }
  // The group "battery"; `profile` as the transmitter's settings say it.
  Json to_json(const battery::Profile& profile, bool is_link_online, TimePoint now) const;
  // The body of /ws/cells.
  std::string cells_message(std::int64_t unix_ms) const;
  // The newest reading for the history.
  runtime::HistorySample sample(WallTime received_at) const;

 private:
  battery::Snapshot snapshot_;
  battery::AlarmSet alarms_;
  battery::AlarmSet warnings_;
  std::optional<WallTime> time_;  // as the transmitter said
  std::optional<TimePoint> sampled_at_;
};

}  // namespace amphora::run
