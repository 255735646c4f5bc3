// SPDX-License-Identifier: Apache-2.0
#include "core/inverter/alarms.hpp"

namespace amphora::inverter {

namespace {

using battery::Alarm;
using battery::AlarmSet;

constexpr std::int64_t kPermilleOne = 1000;
constexpr Duration kDurationMax = std::chrono::hours{1};

// An alarm at `zero_at`, where derating has reached zero; a warning a share of the ramp before it.
Threshold on_ramp(std::int32_t full_at, std::int32_t zero_at, Severity severity, std::int32_t hysteresis,
                  const AlarmConfig& config, bool is_upper = true) {
  const std::int64_t width = std::int64_t{full_at} - zero_at;
  const std::int64_t before =
      severity == Severity::kWarning ? width * config.warning_share.count() / kPermilleOne : 0;
  const auto raise = static_cast<std::int32_t>(zero_at + before);
  return Threshold{raise, is_upper ? raise - hysteresis : raise + hysteresis, is_upper};
}

Threshold on_current(Milliamps maximum, Severity severity, const AlarmConfig& config) {
  const Permille share = severity == Severity::kAlarm ? config.current_alarm : config.current_warning;
  const auto part = [maximum](Permille of) {
    return static_cast<std::int32_t>(std::int64_t{maximum.count()} * of.count() / kPermilleOne);
  };
  const std::int32_t raise = part(share);
  return Threshold{raise, raise - part(config.current_hysteresis), true};
}

}  // namespace

std::optional<Threshold> threshold_of(Alarm alarm, Severity severity, const battery::Profile& p,
                                      const AlarmConfig& config) {
  const std::int32_t cell = config.cell_hysteresis.count();
  const std::int32_t heat = config.temperature_hysteresis.count();
  switch (alarm) {
    case Alarm::kHighVoltage:
      return on_ramp(p.cell_full.count(), p.cell_max.count(), severity, cell, config);
    case Alarm::kLowVoltage:
      return on_ramp(p.cell_empty.count(), p.cell_min.count(), severity, cell, config, false);
    case Alarm::kHighTemperature:
      return on_ramp(p.discharge_temperature_full_max.count(), p.discharge_temperature_max.count(), severity,
                     heat, config);
    case Alarm::kLowTemperature:
      return on_ramp(p.discharge_temperature_full_min.count(), p.discharge_temperature_min.count(), severity,
                     heat, config, false);
    case Alarm::kHighTemperatureCharge:
      return on_ramp(p.charge_temperature_full_max.count(), p.charge_temperature_max.count(), severity, heat,
                     config);
    case Alarm::kLowTemperatureCharge:
      return on_ramp(p.charge_temperature_full_min.count(), p.charge_temperature_min.count(), severity, heat,
                     config, false);
    case Alarm::kHighDischargeCurrent:
      return on_current(p.discharge_current_max, severity, config);
    case Alarm::kHighChargeCurrent:
      return on_current(p.charge_current_max, severity, config);
    case Alarm::kCellImbalance:
      return on_ramp(p.imbalance_start.count(), p.imbalance_stop.count(), severity,
                     config.imbalance_hysteresis.count(), config);
    default:
      return std::nullopt;
  }
}

std::optional<ConfigError> check_config(const AlarmConfig& config) {
  if (config.cell_hysteresis < Millivolts{0} || config.imbalance_hysteresis < Millivolts{0} ||
      config.temperature_hysteresis < Decicelsius{0} || config.current_hysteresis < Permille{0}) {
    return ConfigError{"alarms.*_hysteresis", "0 or more"};
  }
  if (config.warning_share < Permille{0} || config.warning_share > Permille{1000}) {
    return ConfigError{"alarms.warning_share", "0 to 1000 permille"};
  }
  if (config.current_warning < Permille{1000} || config.current_alarm < config.current_warning ||
      config.current_alarm > Permille{10'000}) {
    return ConfigError{"alarms.current_warning, alarms.current_alarm", "1000 to 10000 permille, rising"};
  }
  if (config.low_current < Permille{0} || config.low_current > Permille{1000} ||
      config.charging_min < Milliamps{0}) {
    return ConfigError{"alarms.low_current, alarms.charging_min", "0 to 1000 permille; 0 or more"};
  }
  if (config.raise_after < Duration::zero() || config.raise_after > kDurationMax ||
      config.hold_min < Duration::zero() || config.hold_min > kDurationMax) {
    return ConfigError{"alarms.raise_after, alarms.hold_min", "0 s to 1 h"};
  }
  return std::nullopt;
}

AlarmJudge::AlarmJudge(const battery::Profile& profile, const AlarmConfig& config)
    : profile_{profile}, config_{config} {
  AMPHORA_ASSERT(!check_config(config));
}

AlarmJudge::Values AlarmJudge::values_of(const battery::Snapshot& snapshot, const LimitDecision& decision) {
  Values values;
  // The checks run on complete and fresh data only: without them no value is believed.
  if (!decision.is_trusted()) {
    return values;
  }
  const CellSpan span = *cell_span(snapshot);
  values.cell_min = span.min.count();
  values.cell_max = span.max.count();
  values.temperature_min = snapshot.temperature_min->value.count();
  values.temperature_max = snapshot.temperature_max->value.count();
  values.current = snapshot.current->value.count();
  return values;
}

AlarmJudge::Condition AlarmJudge::condition_of(Alarm alarm, Severity severity, const Values& values) const {
  const auto threshold = threshold_of(alarm, severity, profile_, config_);
  std::optional<std::int32_t> value;
  switch (alarm) {
    case Alarm::kHighVoltage:
      value = values.cell_max;
      break;
    case Alarm::kLowVoltage:
      value = values.cell_min;
      break;
    case Alarm::kHighTemperature:
    case Alarm::kHighTemperatureCharge:
      value = values.temperature_max;
      break;
    case Alarm::kLowTemperature:
    case Alarm::kLowTemperatureCharge:
      value = values.temperature_min;
      break;
    case Alarm::kHighDischargeCurrent:
      value = values.current ? std::optional{-*values.current} : std::nullopt;
      break;
    case Alarm::kHighChargeCurrent:
      value = values.current;
      break;
    case Alarm::kCellImbalance:
      if (values.cell_min && values.cell_max && values.current) {
        const std::int64_t low =
            std::int64_t{profile_.capacity.count()} * config_.low_current.count() / kPermilleOne;
        if (*values.current > low || *values.current < -low) {
          return Condition::kKeep;
        }
        value = *values.cell_max - *values.cell_min;
      }
      break;
    default:
      break;
  }
  if (!threshold || !value) {
    return Condition::kUnknown;
  }
  if (alarm == Alarm::kHighTemperatureCharge || alarm == Alarm::kLowTemperatureCharge) {
    if (!values.current) {
      return Condition::kUnknown;
    }
    if (*values.current < config_.charging_min.count()) {
      return Condition::kClear;
    }
  }
  const bool is_raised = threshold->is_upper ? *value >= threshold->raise : *value <= threshold->raise;
  const bool is_cleared = threshold->is_upper ? *value <= threshold->clear : *value >= threshold->clear;
  return is_raised ? Condition::kRaise : (is_cleared ? Condition::kClear : Condition::kKeep);
}

AlarmJudge::Condition AlarmJudge::internal_condition(const LimitDecision& decision) const {
  if (decision.is_fault || (was_trusted_ && !decision.is_trusted())) {
    return Condition::kRaise;
  }
  return decision.is_trusted() ? Condition::kClear : Condition::kUnknown;
}

// True when the alarm can be judged.
bool AlarmJudge::advance(Latch& latch, TimePoint now, Condition condition, Duration raise_after) const {
  if (condition == Condition::kUnknown) {
    latch = Latch{};
    return false;
  }
  if (latch.is_active) {
    if (condition == Condition::kClear && now - latch.since >= config_.hold_min) {
      latch = Latch{};
    }
    return true;
  }
  if (condition != Condition::kRaise) {
    latch.pending_since.reset();
    return true;
  }
  if (!latch.pending_since) {
    latch.pending_since = now;
  }
  if (now - *latch.pending_since >= raise_after) {
    latch = Latch{true, now, std::nullopt};
  }
  return true;
}

void AlarmJudge::judge(TimePoint now, Severity severity, const Values& values, const LimitDecision& decision,
                       const AlarmSet& reported, Latches& own_latches, Latches& reported_latches,
                       AlarmSet& result) const {
  result = AlarmSet{};
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    const auto alarm = static_cast<Alarm>(i);
    const Condition own = alarm == Alarm::kBmsInternal && severity == Severity::kAlarm
                              ? internal_condition(decision)
                              : condition_of(alarm, severity, values);
    Condition theirs = Condition::kUnknown;
    if (reported.is_watched(alarm)) {
      theirs = reported.is_active(alarm) ? Condition::kRaise : Condition::kClear;
    }
    const bool is_own_known = advance(own_latches[i], now, own, config_.raise_after);
    // The BMS has judged already: no further wait.
    const bool is_theirs_known = advance(reported_latches[i], now, theirs, Duration::zero());
    if (is_own_known || is_theirs_known) {
      result.set(alarm, own_latches[i].is_active || reported_latches[i].is_active);
    }
  }
}

void AlarmJudge::update(TimePoint now, const battery::Snapshot& snapshot, const LimitDecision& decision) {
  was_trusted_ = was_trusted_ || decision.is_trusted();
  const Values values = values_of(snapshot, decision);
  const bool is_status_fresh = !decision.stale.has(Needed::kStatus);
  const AlarmSet none;
  const AlarmSet& alarms = snapshot.alarms && is_status_fresh ? snapshot.alarms->value : none;
  const AlarmSet& warnings = snapshot.warnings && is_status_fresh ? snapshot.warnings->value : none;
  judge(now, Severity::kAlarm, values, decision, alarms, alarm_latches_, reported_alarm_latches_, alarms_);
  judge(now, Severity::kWarning, values, decision, warnings, warning_latches_, reported_warning_latches_,
        warnings_);
}

}  // namespace amphora::inverter
