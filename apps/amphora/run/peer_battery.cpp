// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/peer_battery.hpp"

#include <algorithm>

namespace amphora::run {
namespace {

// Older values than these are not sent as if they were current.
constexpr Duration kSampleAgeMax = kBatteryOnlineAgeMax;
// A transmitter whose clock says something else entirely: its times are not used.
constexpr Duration kDelayMax = std::chrono::hours{24};

}  // namespace

link::BatterySummary summary_of(const runtime::ControlReport& report, TimePoint now, WallTime wall_now) {
  battery::PublishedLimits limits;
  if (report.limits.charge_voltage.size() != 0) {
    limits.charge_voltage = report.limits.charge_voltage.value();
    limits.charge_current = report.limits.charge_current.value();
    limits.discharge_current = report.limits.discharge_current.value();
    limits.discharge_voltage = report.limits.discharge_voltage.value();
  }
  link::BatterySummary summary = link::summarise(report.snapshot, limits, now, kSampleAgeMax, wall_now);
  summary.alarms = report.alarms;
  summary.warnings = report.warnings;
  return summary;
}

bool PeerBattery::handle_reading(TimePoint now, WallTime wall_now, const telemetry::Entry& entry) {
  if (entry.format_version != link::kBatterySummaryFormat) {
    return false;
  }
  const auto summary = link::decode_summary(entry.payload.view());
  if (!summary.ok()) {
    return false;
  }
  Duration delay{};
  time_ = summary->time;
  if (time_) {
    delay = std::chrono::milliseconds{std::max<std::int64_t>(0, wall_now.unix_ms - time_->unix_ms)};
    delay = delay > kDelayMax ? Duration{} : delay;
  }
  // Uptimes begin near zero; an older sample than this program is as old as it.
  const TimePoint at = std::max(TimePoint{}, now - delay);
  battery::Snapshot snapshot = link::to_snapshot(*summary, at);
  snapshot.cells = snapshot_.cells;
  snapshot_ = snapshot;
  alarms_ = summary->alarms.value_or(battery::AlarmSet{});
  warnings_ = summary->warnings.value_or(battery::AlarmSet{});
  sampled_at_ = at;
  return true;
}

void PeerBattery::handle_cells(TimePoint now, const telemetry::LiveCells& cells) {
  const auto values = cells.view();
  const bool is_whole = std::find(values.begin(), values.end(), telemetry::kUnknownVoltage) == values.end();
  if (cells.kind != telemetry::CellsKind::kVoltage || !is_whole) {
    return;
  }
  Sampled<battery::CellVoltages> sample;
  sample.at = now;
  sample.value.count = cells.count;
  std::transform(values.begin(), values.end(), sample.value.voltage.begin(),
                 [](std::uint16_t value) { return Millivolts{value}; });
  snapshot_.cells = sample;
}

Json PeerBattery::to_json(const battery::Profile& profile, bool is_link_online, TimePoint now) const {
  config::Config config;
  config.battery = profile;
  Json json = battery_json(BatteryView{snapshot_, false, alarms_, warnings_}, config, now);
  json.erase("driver");
  json["online"] = is_link_online && snapshot_.current.has_value();
  if (sampled_at_) {
    json["age_ms"] = to_milliseconds(now - *sampled_at_);
  }
  return json;
}

std::string PeerBattery::cells_message(std::int64_t unix_ms) const {
  return run::cells_message(snapshot_, unix_ms);
}

runtime::HistorySample PeerBattery::sample(WallTime received_at) const {
  return history_sample(snapshot_, time_.value_or(received_at));
}

}  // namespace amphora::run
