// SPDX-License-Identifier: Apache-2.0
#include "core/inverter/charge_limits.hpp"

#include <algorithm>
#include <span>

namespace amphora::inverter {

namespace {

using battery::Alarm;
using battery::Profile;
using battery::Snapshot;

constexpr std::int64_t kPermilleOne = 1000;
constexpr std::int64_t kNanoampsPerMilliamp = 1'000'000;
// The ramp is complete long before; keeps elapsed time times rate far inside 64 bits.
constexpr Duration kElapsedMax = std::chrono::hours{1};
// What 0x351 can carry: 0.1 A in 16 bits, signed.
constexpr Milliamps kCurrentMax{3'276'700};
constexpr Millivolts kCellMax{10'000};
constexpr BasisPoints kSocMax{10'000};

std::int64_t share_of(Milliamps maximum, Permille share) {
  return std::int64_t{maximum.count()} * share.count() / kPermilleOne;
}

Millivolts of_pack(const Profile& profile, Millivolts cell) {
  return cell * std::int32_t{profile.series_cells};
}

// Notes a needed reading: never seen, too old (or from the future, which no honest clock produces), or good.
template <class T>
bool note(const Reading<T>& reading, TimePoint now, Duration age_max, Needed needed,
          LimitDecision& decision) {
  if (!reading) {
    decision.missing.set(needed);
    return false;
  }
  const Duration age = reading->age(now);
  if (age < Duration::zero() || age > age_max) {
    decision.stale.set(needed);
    return false;
  }
  // The first moment at which the age exceeds its bound.
  decision.expires =
      earliest(decision.expires, add_saturating(reading->at, age_max + std::chrono::microseconds{1}));
  return true;
}

// Needed only once it has been reported.
template <class T>
void note_if_reported(const Reading<T>& reading, TimePoint now, Duration age_max, Needed needed,
                      LimitDecision& decision) {
  if (reading) {
    (void)note(reading, now, age_max, needed, decision);
  }
}

void judge_ages(TimePoint now, const Snapshot& snapshot, const AgeBounds& age_max, LimitDecision& decision) {
  if (snapshot.cells) {
    (void)note(snapshot.cells, now, age_max.cells, Needed::kCells, decision);
  }
  (void)note(snapshot.cell_min, now, age_max.cells, Needed::kCells, decision);
  (void)note(snapshot.cell_max, now, age_max.cells, Needed::kCells, decision);
  (void)note(snapshot.voltage, now, age_max.voltage, Needed::kVoltage, decision);
  (void)note(snapshot.current, now, age_max.current, Needed::kCurrent, decision);
  (void)note(snapshot.soc, now, age_max.soc, Needed::kSoc, decision);
  (void)note(snapshot.temperature_min, now, age_max.temperature, Needed::kTemperature, decision);
  (void)note(snapshot.temperature_max, now, age_max.temperature, Needed::kTemperature, decision);
  note_if_reported(snapshot.activity, now, age_max.status, Needed::kStatus, decision);
  note_if_reported(snapshot.alarms, now, age_max.status, Needed::kStatus, decision);
  note_if_reported(snapshot.limits, now, age_max.published, Needed::kPublished, decision);
  if (decision.missing.has_any() || decision.stale.has_any()) {
    decision.expires = kNever;
  }
}

bool is_within(Millivolts value, Millivolts low, Millivolts high) {
  return value >= low && value <= high;
}

void check_cells(const Snapshot& snapshot, const Profile& profile, LimitDecision& decision) {
  const Millivolts low = profile.cell_plausible_min;
  const Millivolts high = profile.cell_plausible_max;
  const Millivolts reported_min = snapshot.cell_min->value;
  const Millivolts reported_max = snapshot.cell_max->value;
  if (!is_within(reported_min, low, high) || !is_within(reported_max, low, high)) {
    decision.failed.set(Check::kCellRange);
  }
  if (reported_min > reported_max) {
    decision.failed.set(Check::kCellOrder);
  }
  if (!snapshot.cells) {
    return;
  }
  const battery::CellVoltages& cells = snapshot.cells->value;
  if (cells.count != profile.series_cells || cells.count > battery::kCellCountMax) {
    decision.failed.set(Check::kCellCount);
    return;
  }
  const auto extremes = battery::extremes_of(cells);
  if (!is_within(extremes->min, low, high) || !is_within(extremes->max, low, high)) {
    decision.failed.set(Check::kCellRange);
  }
}

// With single cells their sum is compared; with extremes alone the pack must lie between the sums that they
// allow.
void check_voltage(const Snapshot& snapshot, const Profile& profile, const LimitConfig& config,
                   LimitDecision& decision) {
  std::int64_t low = std::int64_t{profile.series_cells} * snapshot.cell_min->value.count();
  std::int64_t high = std::int64_t{profile.series_cells} * snapshot.cell_max->value.count();
  if (snapshot.cells) {
    if (decision.failed.has(Check::kCellCount)) {
      return;
    }
    std::int64_t sum = 0;
    for (std::uint16_t i = 0; i < snapshot.cells->value.count; ++i) {
      sum += snapshot.cells->value.voltage[i].count();
    }
    low = sum;
    high = sum;
  }
  const auto tolerance = [&config](std::int64_t sum) {
    return config.sum_tolerance.count() + sum * config.sum_tolerance_share.count() / kPermilleOne;
  };
  const std::int64_t pack = snapshot.voltage->value.count();
  if (pack < low - tolerance(low) || pack > high + tolerance(high)) {
    decision.failed.set(Check::kVoltageSum);
  }
}

void check_ranges(const Snapshot& snapshot, const Profile& profile, const LimitConfig& config,
                  LimitDecision& decision) {
  const Decicelsius coldest = snapshot.temperature_min->value;
  const Decicelsius hottest = snapshot.temperature_max->value;
  if (coldest < config.temperature_plausible_min || hottest > config.temperature_plausible_max ||
      coldest > config.temperature_plausible_max || hottest < config.temperature_plausible_min) {
    decision.failed.set(Check::kTemperatureRange);
  }
  if (coldest > hottest) {
    decision.failed.set(Check::kTemperatureOrder);
  }
  const std::int64_t current = snapshot.current->value.count();
  const std::int64_t current_bound =
      std::int64_t{std::max(profile.charge_current_max, profile.discharge_current_max).count()} *
      config.current_plausible_factor;
  if (current > current_bound || current < -current_bound) {
    decision.failed.set(Check::kCurrentRange);
  }
  if (snapshot.soc->value < BasisPoints{0} || snapshot.soc->value > kSocMax) {
    decision.failed.set(Check::kSocRange);
  }
}

void check_published(const Snapshot& snapshot, LimitDecision& decision) {
  if (!snapshot.limits) {
    return;
  }
  const battery::PublishedLimits& limits = snapshot.limits->value;
  if ((limits.charge_current && *limits.charge_current < Milliamps{0}) ||
      (limits.discharge_current && *limits.discharge_current < Milliamps{0}) ||
      (limits.charge_voltage && *limits.charge_voltage < Millivolts{0}) ||
      (limits.discharge_voltage && *limits.discharge_voltage < Millivolts{0})) {
    decision.failed.set(Check::kPublishedRange);
  }
}

void derate(Explained<Milliamps>& current, Reason reason, std::int64_t allows, Milliamps maximum) {
  if (allows < maximum.count()) {
    current.limit(reason, Milliamps{allows});
  }
}

// Values at which a part has fallen to nothing or is whole, both ways round; `mirrored` for falling ramps.
std::int64_t falling_share(std::int64_t x, std::int64_t full_at, std::int64_t zero_at, std::int64_t full) {
  return ramp_up_share(-x, -zero_at, -full_at, full);
}

void derate_charge(const Snapshot& snapshot, const Profile& profile, const LimitConfig& config,
                   Explained<Milliamps>& current) {
  const Milliamps maximum = profile.charge_current_max;
  const std::int64_t full = maximum.count();
  const CellSpan cells = *cell_span(snapshot);
  derate(current, Reason::kCellVoltageHigh,
         falling_share(cells.max.count(), profile.cell_full.count(), profile.cell_max.count(), full),
         maximum);
  derate(current, Reason::kTemperatureLow,
         ramp_up_share(snapshot.temperature_min->value.count(), profile.charge_temperature_min.count(),
                       profile.charge_temperature_full_min.count(), full),
         maximum);
  derate(current, Reason::kTemperatureHigh,
         falling_share(snapshot.temperature_max->value.count(), profile.charge_temperature_full_max.count(),
                       profile.charge_temperature_max.count(), full),
         maximum);
  const std::int64_t rest = share_of(maximum, config.imbalance_rest);
  const std::int64_t spread = cells.max.count() - cells.min.count();
  derate(current, Reason::kImbalance,
         rest + falling_share(spread, profile.imbalance_start.count(), profile.imbalance_stop.count(),
                              full - rest),
         maximum);
}

void derate_discharge(const Snapshot& snapshot, const Profile& profile, Explained<Milliamps>& current) {
  const Milliamps maximum = profile.discharge_current_max;
  const std::int64_t full = maximum.count();
  derate(current, Reason::kCellVoltageLow,
         ramp_up_share(cell_span(snapshot)->min.count(), profile.cell_min.count(), profile.cell_empty.count(),
                       full),
         maximum);
  derate(current, Reason::kTemperatureLow,
         ramp_up_share(snapshot.temperature_min->value.count(), profile.discharge_temperature_min.count(),
                       profile.discharge_temperature_full_min.count(), full),
         maximum);
  derate(
      current, Reason::kTemperatureHigh,
      falling_share(snapshot.temperature_max->value.count(), profile.discharge_temperature_full_max.count(),
                    profile.discharge_temperature_max.count(), full),
      maximum);
  derate(current, Reason::kSocLow,
         ramp_up_share(snapshot.soc->value.count(), profile.soc_reserve_stop.count(),
                       profile.soc_reserve_start.count(), full),
         maximum);
}

void apply_published(const Snapshot& snapshot, const Profile& profile, const LimitConfig& config,
                     LimitDecision& decision) {
  if (!snapshot.limits) {
    return;
  }
  const battery::PublishedLimits& limits = snapshot.limits->value;
  const Millivolts floor = charge_voltage_floor(profile, config);
  if (limits.charge_current) {
    decision.charge_current.limit(Reason::kBmsPublished, *limits.charge_current);
  }
  if (limits.discharge_current) {
    decision.discharge_current.limit(Reason::kBmsPublished, *limits.discharge_current);
  }
  if (limits.charge_voltage) {
    decision.charge_voltage.limit(Reason::kBmsPublished, std::max(*limits.charge_voltage, floor));
    // A battery that asks for less than the floor does not want to be charged: said by current, since the
    // voltage must never send an inverter to empty it.
    if (*limits.charge_voltage < floor) {
      decision.charge_current.limit(Reason::kBmsPublished, Milliamps{0});
    }
  }
  if (limits.discharge_voltage && *limits.discharge_voltage > decision.discharge_voltage.value()) {
    decision.discharge_voltage.raise(Reason::kBmsPublished, std::min(*limits.discharge_voltage, floor));
  }
}

// The BMS of a serial family publishes no limit but has cut-offs; they hold while the box is connected to it
// or not.
void apply_cut_offs(const Snapshot& snapshot, const LimitConfig& config, LimitDecision& decision) {
  if (!snapshot.cut_offs) {
    return;
  }
  const auto allowed = [&config](Milliamps cut_off) {
    return Milliamps{std::int64_t{cut_off.count()} * config.cut_off_share.count() / 1000};
  };
  const battery::CutOffs& cut_offs = snapshot.cut_offs->value;
  if (cut_offs.charge_current) {
    decision.charge_current.limit(Reason::kBmsCutOff, allowed(*cut_offs.charge_current));
  }
  if (cut_offs.discharge_current) {
    decision.discharge_current.limit(Reason::kBmsCutOff, allowed(*cut_offs.discharge_current));
  }
}

void apply_user(const UserLimits& user, const Profile& profile, const LimitConfig& config,
                LimitDecision& decision) {
  if (user.charge_voltage) {
    decision.charge_voltage.limit(Reason::kUser,
                                  std::max(*user.charge_voltage, charge_voltage_floor(profile, config)));
  }
  if (user.charge_current) {
    decision.charge_current.limit(Reason::kUser, std::max(*user.charge_current, Milliamps{0}));
  }
  if (user.discharge_current) {
    decision.discharge_current.limit(Reason::kUser, std::max(*user.discharge_current, Milliamps{0}));
  }
}

// Which directions an alarm of the BMS itself forbids.
struct Forbids {
  bool charge = false;
  bool discharge = false;
};
constexpr Forbids forbids(Alarm alarm) {
  switch (alarm) {
    case Alarm::kHighVoltage:
    case Alarm::kHighTemperatureCharge:
    case Alarm::kLowTemperatureCharge:
    case Alarm::kHighChargeCurrent:
      return {true, false};
    case Alarm::kLowVoltage:
    case Alarm::kHighDischargeCurrent:
      return {false, true};
    case Alarm::kCellImbalance:
      return {false, false};  // derated by the spread of the cells instead
    default:
      return {true, true};
  }
}

void apply_fault(const Snapshot& snapshot, LimitDecision& decision) {
  Forbids forbidden;
  if (snapshot.activity && snapshot.activity->value == battery::Activity::kFault) {
    forbidden = {true, true};
  }
  if (snapshot.alarms) {
    for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
      const auto alarm = static_cast<Alarm>(i);
      if (snapshot.alarms->value.is_active(alarm)) {
        forbidden.charge = forbidden.charge || forbids(alarm).charge;
        forbidden.discharge = forbidden.discharge || forbids(alarm).discharge;
      }
    }
  }
  if (forbidden.charge) {
    decision.charge_current.limit(Reason::kFault, Milliamps{0});
  }
  if (forbidden.discharge) {
    decision.discharge_current.limit(Reason::kFault, Milliamps{0});
  }
  decision.is_fault = forbidden.charge && forbidden.discharge;
}

void zero_both(Reason reason, LimitDecision& decision) {
  decision.charge_current.limit(reason, Milliamps{0});
  decision.discharge_current.limit(reason, Milliamps{0});
}

}  // namespace

std::string_view to_text(Reason reason) {
  constexpr std::string_view kNames[kReasonCount] = {"profile_max",
                                                     "user",
                                                     "bms_cut_off",
                                                     "bms_published_limit",
                                                     "cell_voltage_high",
                                                     "cell_voltage_low",
                                                     "temperature_high",
                                                     "temperature_low",
                                                     "soc_low",
                                                     "imbalance",
                                                     "ramp",
                                                     "recovery",
                                                     "missing",
                                                     "stale",
                                                     "implausible",
                                                     "fault",
                                                     "inverter_lost"};
  return kNames[static_cast<std::size_t>(reason)];
}

std::string_view to_text(Needed needed) {
  constexpr std::string_view kNames[static_cast<std::size_t>(Needed::kCount)] = {
      "cells", "voltage", "current", "soc", "temperature", "status", "published_limits"};
  return kNames[static_cast<std::size_t>(needed)];
}

std::string_view to_text(Check check) {
  constexpr std::string_view kNames[static_cast<std::size_t>(Check::kCount)] = {
      "cell_count",        "cell_range",    "cell_order", "voltage_sum",    "temperature_range",
      "temperature_order", "current_range", "soc_range",  "published_range"};
  return kNames[static_cast<std::size_t>(check)];
}

std::optional<CellSpan> cell_span(const Snapshot& snapshot) {
  if (!snapshot.cell_min || !snapshot.cell_max) {
    return std::nullopt;
  }
  CellSpan span{snapshot.cell_min->value, snapshot.cell_max->value};
  if (snapshot.cells && snapshot.cells->value.count <= battery::kCellCountMax) {
    if (const auto cells = battery::extremes_of(snapshot.cells->value)) {
      span.min = std::min(span.min, cells->min);
      span.max = std::max(span.max, cells->max);
    }
  }
  return span;
}

namespace {

struct Rule {
  bool holds;
  std::string_view field;
  std::string_view allowed;
};

std::optional<ConfigError> first_broken(std::span<const Rule> rules) {
  for (const Rule& rule : rules) {
    if (!rule.holds) {
      return ConfigError{rule.field, rule.allowed};
    }
  }
  return std::nullopt;
}

std::optional<ConfigError> check_profile(const Profile& profile) {
  const auto is_current = [](Milliamps current) { return current >= Milliamps{0} && current <= kCurrentMax; };
  const Rule rules[] = {
      {profile.series_cells >= 1 && profile.series_cells <= battery::kCellCountMax, "series_cells",
       "1 to 192"},
      {profile.cell_plausible_min >= Millivolts{0} && profile.cell_plausible_max <= kCellMax,
       "cell_plausible_min, cell_plausible_max", "0 to 10000 mV"},
      {profile.cell_plausible_min < profile.cell_min && profile.cell_min < profile.cell_empty &&
           profile.cell_empty < profile.cell_full && profile.cell_full < profile.cell_max &&
           profile.cell_max < profile.cell_plausible_max,
       "cell_min, cell_empty, cell_full, cell_max", "rising in this order, within the plausible range"},
      {is_current(profile.charge_current_max), "charge_current_max", "0 to 3276.7 A"},
      {is_current(profile.discharge_current_max), "discharge_current_max", "0 to 3276.7 A"},
      {profile.charge_temperature_min <= profile.charge_temperature_full_min &&
           profile.charge_temperature_full_min <= profile.charge_temperature_full_max &&
           profile.charge_temperature_full_max <= profile.charge_temperature_max,
       "charge_temperature_*", "min, full_min, full_max, max rising in this order"},
      {profile.discharge_temperature_min <= profile.discharge_temperature_full_min &&
           profile.discharge_temperature_full_min <= profile.discharge_temperature_full_max &&
           profile.discharge_temperature_full_max <= profile.discharge_temperature_max,
       "discharge_temperature_*", "min, full_min, full_max, max rising in this order"},
      {profile.imbalance_start >= Millivolts{0} && profile.imbalance_start <= profile.imbalance_stop,
       "imbalance_start, imbalance_stop", "0 or more, rising"},
      {profile.soc_reserve_stop >= BasisPoints{0} && profile.soc_reserve_stop <= profile.soc_reserve_start &&
           profile.soc_reserve_start <= kSocMax,
       "soc_reserve_stop, soc_reserve_start", "0 to 100 %, rising"},
  };
  return first_broken(rules);
}

}  // namespace

std::optional<ConfigError> check_config(const Profile& profile, const LimitConfig& config) {
  if (const auto error = check_profile(profile)) {
    return error;
  }
  const AgeBounds& ages = config.age_max;
  const bool ages_hold =
      std::ranges::all_of(std::array{ages.cells, ages.voltage, ages.current, ages.soc, ages.temperature,
                                     ages.status, ages.published},
                          [](Duration age) { return age > Duration::zero() && age <= kElapsedMax; });
  const auto is_share = [](Permille share) { return share >= Permille{0} && share <= Permille{1000}; };
  const Rule rules[] = {
      {ages_hold, "age_max", "more than 0 s, at most 1 h"},
      {config.sum_tolerance >= Millivolts{0} && is_share(config.sum_tolerance_share),
       "sum_tolerance, sum_tolerance_share", "0 or more; 0 to 1000 permille"},
      {config.temperature_plausible_min < config.temperature_plausible_max,
       "temperature_plausible_min, temperature_plausible_max", "rising"},
      {config.current_plausible_factor >= 1 && config.current_plausible_factor <= 100,
       "current_plausible_factor", "1 to 100"},
      {is_share(config.ramp_up) && config.ramp_up > Permille{0}, "ramp_up", "1 to 1000 permille per second"},
      {is_share(config.ramp_start), "ramp_start", "0 to 1000 permille"},
      {config.recovery_delay >= Duration::zero() && config.recovery_delay <= kElapsedMax, "recovery_delay",
       "0 s to 1 h"},
      {config.cell_floor_below_full >= Millivolts{0} &&
           profile.cell_full - config.cell_floor_below_full > profile.cell_empty,
       "cell_floor_below_full", "0 or more, and cell_full minus it above cell_empty"},
      {config.charge_voltage_step >= Millivolts{0} &&
           config.charge_voltage_step <= config.cell_floor_below_full,
       "charge_voltage_step", "0 to cell_floor_below_full"},
      {is_share(config.imbalance_rest), "imbalance_rest", "0 to 1000 permille"},
      {is_share(config.cut_off_share), "cut_off_share", "0 to 1000 permille"},
  };
  return first_broken(rules);
}

Millivolts charge_voltage_max(const Profile& profile) {
  return of_pack(profile, profile.cell_full);
}

Millivolts charge_voltage_floor(const Profile& profile, const LimitConfig& config) {
  return of_pack(profile, profile.cell_full - config.cell_floor_below_full);
}

LimitDecision instant_limits(TimePoint now, const Snapshot& snapshot, const Profile& profile,
                             const LimitConfig& config, const UserLimits& user) {
  LimitDecision decision;
  decision.charge_voltage = Explained<Millivolts>{charge_voltage_max(profile)};
  decision.charge_current = Explained<Milliamps>{profile.charge_current_max};
  decision.discharge_current = Explained<Milliamps>{profile.discharge_current_max};
  decision.discharge_voltage = Explained<Millivolts>{of_pack(profile, profile.cell_empty)};
  apply_cut_offs(snapshot, config, decision);
  apply_user(user, profile, config, decision);
  judge_ages(now, snapshot, config.age_max, decision);
  if (decision.missing.has_any()) {
    zero_both(Reason::kMissing, decision);
  }
  if (decision.stale.has_any()) {
    zero_both(Reason::kStale, decision);
  }
  if (!decision.is_fresh()) {
    return decision;
  }
  check_cells(snapshot, profile, decision);
  check_voltage(snapshot, profile, config, decision);
  check_ranges(snapshot, profile, config, decision);
  check_published(snapshot, decision);
  // A fault counts even beside values that cannot be believed.
  apply_fault(snapshot, decision);
  if (!decision.is_plausible()) {
    zero_both(Reason::kImplausible, decision);
    return decision;
  }
  derate_charge(snapshot, profile, config, decision.charge_current);
  derate_discharge(snapshot, profile, decision.discharge_current);
  apply_published(snapshot, profile, config, decision);
  return decision;
}

LimitCalculator::LimitCalculator(const Profile& profile, const LimitConfig& config)
    : profile_{profile}, config_{config}, charge_voltage_last_{charge_voltage_max(profile)} {
  AMPHORA_ASSERT(!check_config(profile, config));
  charge_.maximum = profile.charge_current_max;
  discharge_.maximum = profile.discharge_current_max;
}

void LimitCalculator::Ramp::apply(Explained<Milliamps>& current, Duration elapsed,
                                  const LimitConfig& config) {
  const std::int64_t rate_ma_per_s = share_of(maximum, config.ramp_up);
  const std::int64_t start_na = share_of(maximum, config.ramp_start) * kNanoampsPerMilliamp;
  ceiling_na = std::max(ceiling_na + rate_ma_per_s * elapsed.count(), start_na);
  ceiling_na = std::min(ceiling_na, std::int64_t{maximum.count()} * kNanoampsPerMilliamp);
  const std::int64_t allowed_ma = ceiling_na / kNanoampsPerMilliamp;
  if (allowed_ma < current.value().count()) {
    current.limit(Reason::kRamp, Milliamps{allowed_ma});
  }
  // Falls are immediate: the next rise starts from here.
  ceiling_na = std::min(ceiling_na, std::int64_t{current.value().count()} * kNanoampsPerMilliamp +
                                        (ceiling_na % kNanoampsPerMilliamp));
}

void LimitCalculator::apply_recovery(TimePoint now, LimitDecision& decision) {
  const bool is_good = decision.is_trusted() && !decision.is_fault;
  if (!is_good) {
    has_lost_trust_ = was_trusted_;
    recovered_at_.reset();
    return;
  }
  was_trusted_ = true;
  if (!has_lost_trust_) {
    return;
  }
  if (!recovered_at_) {
    recovered_at_ = add_saturating(now, config_.recovery_delay);
  }
  if (now < *recovered_at_) {
    zero_both(Reason::kRecovery, decision);
    return;
  }
  has_lost_trust_ = false;
  recovered_at_.reset();
}

void LimitCalculator::apply_voltage_step(const Snapshot& snapshot, LimitDecision& decision) {
  if (!decision.is_trusted()) {
    const Reason reason = !decision.is_complete() ? Reason::kMissing
                          : !decision.is_fresh()  ? Reason::kStale
                                                  : Reason::kImplausible;
    decision.charge_voltage.limit(reason, charge_voltage_last_);
    return;
  }
  const Millivolts highest = cell_span(snapshot)->max;
  const Millivolts middle = (profile_.cell_full + profile_.cell_max) / 2;
  if (highest > middle) {
    is_stepped_down_ = true;
  } else if (highest <= profile_.cell_full) {
    is_stepped_down_ = false;
  }
  if (is_stepped_down_ && config_.charge_voltage_step > Millivolts{0}) {
    decision.charge_voltage.limit(Reason::kCellVoltageHigh,
                                  of_pack(profile_, profile_.cell_full - config_.charge_voltage_step));
  }
  charge_voltage_last_ = decision.charge_voltage.value();
}

LimitDecision LimitCalculator::decide(TimePoint now, const Snapshot& snapshot, bool is_inverter_lost) {
  LimitDecision decision = instant_limits(now, snapshot, profile_, config_, user_);
  if (is_inverter_lost) {
    zero_both(Reason::kInverterLost, decision);
  }
  apply_recovery(now, decision);
  apply_voltage_step(snapshot, decision);
  Duration elapsed{};
  if (last_decision_ && now > *last_decision_) {
    elapsed = std::min(now - *last_decision_, kElapsedMax);
  }
  if (!last_decision_ || now > *last_decision_) {
    last_decision_ = now;
  }
  charge_.apply(decision.charge_current, elapsed, config_);
  discharge_.apply(decision.discharge_current, elapsed, config_);
  return decision;
}

}  // namespace amphora::inverter
