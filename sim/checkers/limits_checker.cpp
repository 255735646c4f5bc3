// SPDX-License-Identifier: Apache-2.0
#include "sim/checkers/limits_checker.hpp"

#include "core/base/bytes.hpp"

namespace amphora::sim {

namespace {

constexpr std::uint32_t kLimitsId = 0x351;

void track(std::optional<TimePoint>& since, TimePoint now, bool is_on) {
  if (!is_on) {
    since.reset();
  } else if (!since) {
    since = now;
  }
}

}  // namespace

void LimitsChecker::handle_node_started(TimePoint) {
  sampled_at_.reset();
  fault_reported_at_.reset();
  is_silence_measured_ = true;
}

void LimitsChecker::handle_live_reply(TimePoint now, TimePoint sampled_at, bool forbids) {
  sampled_at_ = sampled_at;
  // Values that are old already end no silence, so none begins with them.
  is_silence_measured_ = now - sampled_at > rules_.data_age_max - rules_.slack;
  track(fault_reported_at_, now, forbids);
}

void LimitsChecker::handle_truth(TimePoint now, const PackTruth& truth) {
  track(charge_open_since_, now, !truth.allows_charge);
  track(discharge_open_since_, now, !truth.allows_discharge);
  track(too_full_since_, now, truth.cell_max > rules_.cell_max + rules_.cell_tolerance);
  track(too_empty_since_, now, truth.cell_min < rules_.cell_min - rules_.cell_tolerance);
}

void LimitsChecker::handle_truth_hidden() {
  charge_open_since_.reset();
  discharge_open_since_.reset();
  too_full_since_.reset();
  too_empty_since_.reset();
}

void LimitsChecker::handle_frame(TimePoint now, const can::Frame& frame) {
  if (!sampled_at_) {
    log_.add(kInvariantFreshLimits, now, "a frame before the first complete snapshot; a: its id", frame.id);
  }
  if (frame.id != kLimitsId || frame.is_extended) {
    return;
  }
  ++limit_frame_count_;
  if (frame.size < 6) {
    log_.add(kInvariantFreshLimits, now, "a limits frame too short to hold limits; a: its size", frame.size);
    return;
  }
  Limits limits{};
  limits.charge_voltage_dv = load<std::uint16_t>(frame.data.data(), Endian::kLittle);
  limits.charge_current_da = load<std::int16_t>(frame.data.data() + 2, Endian::kLittle);
  limits.discharge_current_da = load<std::int16_t>(frame.data.data() + 4, Endian::kLittle);
  check_limits(now, limits);
}

void LimitsChecker::check_limits(TimePoint now, const Limits& limits) {
  const std::int64_t charge_voltage_max_dv =
      std::int64_t{rules_.series_cells} * rules_.cell_max.count() / 100;
  if (limits.charge_voltage_dv == 0) {
    log_.add(kInvariantFreshLimits, now, "charge voltage 0");
  }
  if (limits.charge_voltage_dv > charge_voltage_max_dv) {
    log_.add(kInvariantFreshLimits, now,
             "charge voltage above the cells' maximum; a: sent, b: allowed, in 0.1 V",
             limits.charge_voltage_dv, charge_voltage_max_dv);
  }
  if (limits.charge_current_da < 0 || limits.charge_current_da * 100 > rules_.charge_current_max.count()) {
    log_.add(kInvariantFreshLimits, now, "charge current outside 0…maximum; a: sent in 0.1 A",
             limits.charge_current_da);
  }
  if (limits.discharge_current_da < 0 ||
      limits.discharge_current_da * 100 > rules_.discharge_current_max.count()) {
    log_.add(kInvariantFreshLimits, now, "discharge current outside 0…maximum; a: sent in 0.1 A",
             limits.discharge_current_da);
  }
  const bool is_allowing = limits.charge_current_da > 0 || limits.discharge_current_da > 0;
  if (is_allowing) {
    ++allowing_frame_count_;
    check_allowing(now, limits);
    return;
  }
  const bool is_after_silence = sampled_at_ && now - *sampled_at_ >= rules_.data_age_max - rules_.slack;
  if (is_after_silence && !is_silence_measured_) {
    is_silence_measured_ = true;
    zero_after_silence_ms_.add(to_milliseconds(now - *sampled_at_));
  }
}

void LimitsChecker::check_allowing(TimePoint now, const Limits& limits) {
  if (sampled_at_ && now - *sampled_at_ > rules_.data_age_max + rules_.slack) {
    log_.add(kInvariantFreshLimits, now, "current allowed from old data; a: age in ms, b: bound in ms",
             to_milliseconds(now - *sampled_at_), to_milliseconds(rules_.data_age_max));
  }
  if (fault_reported_at_ && now - *fault_reported_at_ > rules_.reaction) {
    log_.add(kInvariantFreshLimits, now,
             "current allowed after the BMS reported a fault or nonsense; a: ms since",
             to_milliseconds(now - *fault_reported_at_));
  }
  if (limits.charge_current_da > 0 && lasts_longer_than_data(now, charge_open_since_)) {
    log_.add(kInvariantFreshLimits, now, "charge current allowed against the pack's protection; a: ms since",
             to_milliseconds(now - *charge_open_since_));
  }
  if (limits.discharge_current_da > 0 && lasts_longer_than_data(now, discharge_open_since_)) {
    log_.add(kInvariantFreshLimits, now,
             "discharge current allowed against the pack's protection; a: ms since",
             to_milliseconds(now - *discharge_open_since_));
  }
  if (limits.charge_current_da > 0 && lasts_longer_than_data(now, too_full_since_)) {
    log_.add(kInvariantFreshLimits, now, "charge current allowed with a cell above its maximum; a: ms since",
             to_milliseconds(now - *too_full_since_));
  }
  if (limits.discharge_current_da > 0 && lasts_longer_than_data(now, too_empty_since_)) {
    log_.add(kInvariantFreshLimits, now,
             "discharge current allowed with a cell below its minimum; a: ms since",
             to_milliseconds(now - *too_empty_since_));
  }
}

}  // namespace amphora::sim
