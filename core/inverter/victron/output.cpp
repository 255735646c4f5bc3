// SPDX-License-Identifier: Apache-2.0
#include "core/inverter/victron/output.hpp"

#include <algorithm>
#include <span>

namespace amphora::victron {

namespace {

using inverter::ConfigError;
using Kind = OutputEvent::Kind;

constexpr std::array<std::uint32_t, 3> kControlIds{can::kAlarmBitsId, can::kChargeId, can::kMeasurementsId};
constexpr std::array<std::uint32_t, 15> kInformationIds{
    can::kManufacturerId,       can::kInfoId,         can::kNameFirstId,
    can::kNameSecondId,         can::kModulesId,      can::kCellExtremesId,
    can::kCellMinNameId,        can::kCellMaxNameId,  can::kTemperatureMinNameId,
    can::kTemperatureMaxNameId, can::kEnergyId,       can::kInstalledId,
    can::kSerialFirstId,        can::kSerialSecondId, can::kFamilyId};

constexpr Duration kRateWindow = std::chrono::seconds{1};
// One frame of the budget is kept for a fall to zero out of turn.
constexpr std::int64_t kBudget = static_cast<std::int64_t>(kFramesPerSecondMax) - 1;
constexpr Duration kHoldMax = std::chrono::hours{1};
constexpr Duration kRetryPeriodMin = std::chrono::seconds{5};
constexpr std::uint8_t kRetryFramesMax = 20;
constexpr Duration kForeignBatteryQuiet = std::chrono::seconds{60};

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7E; });
}

bool is_within(Duration value, Duration low, Duration high) {
  return value >= low && value <= high;
}

// Frames in 1000 seconds of each class, for the budget.
std::int64_t frames_per_1000_s(std::size_t count, Duration period) {
  constexpr std::int64_t k1000Seconds = 1'000'000'000;
  return static_cast<std::int64_t>(count) * k1000Seconds / period.count();
}

struct Rule {
  bool holds;
  std::string_view field;
  std::string_view allowed;
};

}  // namespace

std::string_view to_text(Phase phase) {
  constexpr std::string_view kNames[] = {"waiting",       "running",         "fault",
                                         "implausible",   "bms_stale",       "bms_silent",
                                         "inverter_lost", "inverter_absent", "bus_down"};
  return kNames[static_cast<std::size_t>(phase)];
}

std::string_view to_text(Kind kind) {
  constexpr std::string_view kNames[] = {
      "started", "bms_stale",       "bms_silent",     "bms_recovered", "implausible",     "plausible",
      "fault",   "fault_cleared",   "inverter_found", "inverter_lost", "inverter_absent", "bus_down",
      "bus_up",  "foreign_battery", "alarm_raised",   "alarm_cleared", "warning_raised",  "warning_cleared"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<ConfigError> check_config(const OutputConfig& c, const battery::Profile& profile) {
  if (const auto error = inverter::check_config(profile, c.limits)) {
    return error;
  }
  if (const auto error = inverter::check_config(c.alarms)) {
    return error;
  }
  const bool periods_hold = is_within(c.limits_period, kLimitsPeriodMin, kLimitsPeriodMax) &&
                            is_within(c.control_period, kLimitsPeriodMin, kSlowPeriodMax) &&
                            is_within(c.information_period, kLimitsPeriodMin, kSlowPeriodMax);
  const std::int64_t load = periods_hold ? frames_per_1000_s(1, c.limits_period) +
                                               frames_per_1000_s(kControlIds.size(), c.control_period) +
                                               frames_per_1000_s(kInformationIds.size(), c.information_period)
                                         : 0;
  const Duration zero = Duration::zero();
  const Rule rules[] = {
      {is_within(c.limits_period, kLimitsPeriodMin, kLimitsPeriodMax), "limits_period", "100 ms to 1 s"},
      {is_within(c.control_period, kLimitsPeriodMin, kSlowPeriodMax), "control_period", "100 ms to 10 s"},
      {is_within(c.information_period, kLimitsPeriodMin, kSlowPeriodMax), "information_period",
       "100 ms to 10 s"},
      {load <= kBudget * 1000, "limits_period, control_period, information_period",
       "together at most 28 frames a second"},
      {is_within(c.keepalive_timeout, zero, kHoldMax), "keepalive_timeout", "0 (off) to 1 h"},
      {is_within(c.inverter_lost_hold, kLimitsPeriodMin, kHoldMax), "inverter_lost_hold", "100 ms to 1 h"},
      {is_within(c.retry_period, kRetryPeriodMin, kHoldMax), "retry_period", "5 s to 1 h"},
      {c.retry_frames >= 1 && c.retry_frames <= kRetryFramesMax &&
           c.limits_period * c.retry_frames < c.retry_period,
       "retry_frames", "1 to 20, done before the next retry"},
      {is_within(c.bms_silent_hold, kLimitsPeriodMin, kHoldMax), "bms_silent_hold", "100 ms to 1 h"},
      {is_within(c.slow_age_max, kLimitsPeriodMin, kHoldMax), "slow_age_max", "100 ms to 1 h"},
      {!c.manufacturer.is_empty() && is_printable(c.manufacturer.view()), "manufacturer",
       "1 to 8 printable ASCII characters"},
      {!c.name.is_empty() && is_printable(c.name.view()), "name", "1 to 16 printable ASCII characters"},
      {is_printable(c.family.view()), "family", "0 to 8 printable ASCII characters"},
      {is_printable(c.serial.view()), "serial", "0 to 16 printable ASCII characters"},
  };
  for (const Rule& rule : rules) {
    if (!rule.holds) {
      return ConfigError{rule.field, rule.allowed};
    }
  }
  return std::nullopt;
}

Output::Output(const OutputConfig& config, const battery::Profile& profile)
    : config_{config},
      profile_{profile},
      calculator_{profile, config.limits},
      judge_{profile, config.alarms},
      inverter_{liveness::Config{Duration::zero(), Duration::zero(), config.keepalive_timeout}} {
  AMPHORA_ASSERT(!check_config(config, profile));
}

// ---- inputs

void Output::handle_snapshot(TimePoint now, const battery::Snapshot& snapshot) {
  snapshot_ = snapshot;
  refresh(now);
}

void Output::set_user_limits(TimePoint now, const inverter::UserLimits& limits) {
  calculator_.set_user_limits(limits);
  refresh(now);
}

void Output::handle_frame(TimePoint now, const can::Frame& frame) {
  ++statistics_.received;
  if (frame.is_extended || frame.is_remote) {
    ++statistics_.refused;
    return;
  }
  if (frame.id == can::kKeepAliveId) {
    handle_keepalive(now);
    return;
  }
  const auto index = can::frame_index(frame.id);
  if (!index) {
    ++statistics_.ignored;
    return;
  }
  if (can::kFrameTable[*index].sender == can::Sender::kBattery) {
    ++statistics_.foreign_battery;
    if (!foreign_battery_at_ || now - *foreign_battery_at_ >= kForeignBatteryQuiet) {
      foreign_battery_at_ = now;
      add_event(now, Kind::kForeignBattery, frame.id);
    }
  }
}

void Output::handle_keepalive(TimePoint now) {
  ++statistics_.keepalives;
  const InverterState before = inverter_state_;
  inverter_.handle_sign_of_life(now);
  while (inverter_.poll_event()) {
  }
  if (before == InverterState::kPresent) {
    return;
  }
  inverter_state_ = InverterState::kPresent;
  timers_.cancel(Timer::kInverter);
  add_event(now, Kind::kInverterFound);
  if (before == InverterState::kAbsent && is_sending()) {
    start_sending(now);
  }
  refresh(now);
}

void Output::handle_bus_state(TimePoint now, can::BusState state) {
  const bool was_up = is_bus_up();
  bus_state_ = state;
  if (was_up && !is_bus_up()) {
    ++statistics_.bus_down;
    stop_sending();
    if (inverter_state_ == InverterState::kUnknown) {
      timers_.cancel(Timer::kInverter);
    }
    add_event(now, Kind::kBusDown, static_cast<std::uint32_t>(state));
  } else if (!was_up && is_bus_up()) {
    add_event(now, Kind::kBusUp);
    if (is_sending()) {
      start_sending(now);
    }
  }
}

void Output::handle_timeout(TimePoint now) {
  inverter_.handle_timeout(now);
  while (const auto change = inverter_.poll_event()) {
    if (change->to == liveness::State::kDisconnected && inverter_state_ == InverterState::kPresent) {
      lose_inverter(now);
    }
  }
  // A copy, because a timer taken is a timer forgotten, and its period counts from when it was due.
  TimerTable<Timer> armed = timers_;
  while (const auto timer = timers_.pop_due(now)) {
    const TimePoint due = armed.at(*timer);
    handle_timer(now, due, *timer);
    armed = timers_;
  }
}

TimePoint Output::poll_timeout() const {
  return earliest(timers_.next(), inverter_.poll_timeout());
}

// ---- timers

void Output::rearm(TimePoint now, TimePoint due, Timer timer, Duration period) {
  const TimePoint next = add_saturating(due, period);
  // A host that came late does not get the missed turns at once.
  timers_.set(timer, next > now ? next : add_saturating(now, period));
}

void Output::handle_timer(TimePoint now, TimePoint due, Timer timer) {
  switch (timer) {
    case Timer::kLimits:
      refresh(now);
      is_limits_due_ = true;
      if (inverter_state_ == InverterState::kAbsent && --retries_left_ == 0) {
        return;
      }
      rearm(now, due, timer, config_.limits_period);
      return;
    case Timer::kControl:
      control_due_ |= 1U << control_next_;
      control_next_ = (control_next_ + 1) % kControlCount;
      rearm(now, due, timer, config_.control_period / static_cast<int>(kControlCount));
      return;
    case Timer::kInformation:
      information_due_ |= 1U << information_next_;
      information_next_ = (information_next_ + 1) % kInformationCount;
      rearm(now, due, timer, config_.information_period / static_cast<int>(kInformationCount));
      return;
    case Timer::kExpiry:
      refresh(now);
      return;
    case Timer::kBmsSilent:
      bms_state_ = BmsState::kSilent;
      stop_sending();
      add_event(now, Kind::kBmsSilent);
      return;
    case Timer::kInverter:
      handle_inverter_timer(now, due);
      return;
    case Timer::kCount:
      return;
  }
}

void Output::lose_inverter(TimePoint now) {
  inverter_state_ = InverterState::kLost;
  timers_.set(Timer::kInverter, add_saturating(now, config_.inverter_lost_hold));
  add_event(now, Kind::kInverterLost);
  refresh(now);
}

void Output::handle_inverter_timer(TimePoint now, TimePoint due) {
  if (inverter_state_ == InverterState::kUnknown) {
    lose_inverter(now);
    return;
  }
  if (inverter_state_ == InverterState::kLost) {
    inverter_state_ = InverterState::kAbsent;
    stop_sending();
    add_event(now, Kind::kInverterAbsent);
  } else if (is_sending()) {
    start_sending(now);
  }
  rearm(now, due, Timer::kInverter, config_.retry_period);
}

// ---- state

bool Output::is_sending() const {
  return is_bus_up() && (bms_state_ == BmsState::kGood || bms_state_ == BmsState::kStale);
}

Phase Output::phase() const {
  if (!is_bus_up()) {
    return Phase::kBusDown;
  }
  if (bms_state_ == BmsState::kWaiting) {
    return Phase::kWaiting;
  }
  if (bms_state_ == BmsState::kSilent) {
    return Phase::kBmsSilent;
  }
  if (inverter_state_ == InverterState::kAbsent) {
    return Phase::kInverterAbsent;
  }
  if (inverter_state_ == InverterState::kLost) {
    return Phase::kInverterLost;
  }
  if (!decision_.is_fresh()) {
    return Phase::kBmsStale;
  }
  if (!decision_.is_plausible()) {
    return Phase::kImplausible;
  }
  return decision_.is_fault ? Phase::kFault : Phase::kRunning;
}

// Limits first, then the other classes between them. An absent inverter gets a few limits and nothing else.
void Output::start_sending(TimePoint now) {
  is_limits_due_ = true;
  if (inverter_state_ == InverterState::kAbsent) {
    retries_left_ = static_cast<std::uint8_t>(config_.retry_frames - 1);
    if (retries_left_ > 0) {
      timers_.set(Timer::kLimits, add_saturating(now, config_.limits_period));
    }
    return;
  }
  timers_.set(Timer::kLimits, add_saturating(now, config_.limits_period));
  control_next_ = 0;
  information_next_ = 0;
  // Half a turn of each class, so that the classes interleave.
  timers_.set(Timer::kControl,
              add_saturating(now, config_.control_period / static_cast<int>(2 * kControlCount)));
  timers_.set(Timer::kInformation,
              add_saturating(now, config_.information_period / static_cast<int>(2 * kInformationCount)));
  if (inverter_state_ == InverterState::kUnknown && config_.keepalive_timeout > Duration::zero()) {
    timers_.set(Timer::kInverter, add_saturating(now, config_.inverter_lost_hold));
  }
}

void Output::stop_sending() {
  is_limits_due_ = false;
  control_due_ = 0;
  information_due_ = 0;
  retries_left_ = 0;
  timers_.cancel(Timer::kLimits);
  timers_.cancel(Timer::kControl);
  timers_.cancel(Timer::kInformation);
}

void Output::refresh(TimePoint now) {
  const inverter::LimitDecision before = decision_;
  const bool is_inverter_zero =
      inverter_state_ == InverterState::kLost || inverter_state_ == InverterState::kAbsent;
  decision_ = calculator_.decide(now, snapshot_, is_inverter_zero);
  judge_.update(now, snapshot_, decision_);
  timers_.set(Timer::kExpiry, decision_.expires);
  follow_bms(now);
  follow_reasons(now);
  follow_alarms(now);
  const auto has_fallen = [](const inverter::Explained<Milliamps>& was,
                             const inverter::Explained<Milliamps>& is) {
    return was.value() > Milliamps{0} && is.value() == Milliamps{0};
  };
  if (is_sending() && (has_fallen(before.charge_current, decision_.charge_current) ||
                       has_fallen(before.discharge_current, decision_.discharge_current))) {
    if (!urgent_at_ || now - *urgent_at_ >= kUrgentSpacing) {
      urgent_at_ = now;
      is_limits_due_ = true;
    }
  }
}

void Output::follow_bms(TimePoint now) {
  switch (bms_state_) {
    case BmsState::kWaiting:
    case BmsState::kSilent:
      if (decision_.is_trusted()) {
        add_event(now, bms_state_ == BmsState::kWaiting ? Kind::kStarted : Kind::kBmsRecovered);
        bms_state_ = BmsState::kGood;
        if (is_sending()) {
          start_sending(now);
        }
      }
      return;
    case BmsState::kGood:
      if (!decision_.is_fresh()) {
        bms_state_ = BmsState::kStale;
        timers_.set(Timer::kBmsSilent, add_saturating(now, config_.bms_silent_hold));
        add_event(now, Kind::kBmsStale, decision_.missing.bits() | decision_.stale.bits());
      }
      return;
    case BmsState::kStale:
      if (decision_.is_fresh()) {
        bms_state_ = BmsState::kGood;
        timers_.cancel(Timer::kBmsSilent);
        add_event(now, Kind::kBmsRecovered);
      }
      return;
  }
}

void Output::follow_reasons(TimePoint now) {
  const bool is_implausible = !decision_.is_plausible();
  if (is_implausible != is_implausible_shown_ && decision_.is_fresh()) {
    is_implausible_shown_ = is_implausible;
    add_event(now, is_implausible ? Kind::kImplausible : Kind::kPlausible, decision_.failed.bits());
  }
  if (decision_.is_fault != is_fault_shown_ && decision_.is_fresh()) {
    is_fault_shown_ = decision_.is_fault;
    add_event(now, decision_.is_fault ? Kind::kFault : Kind::kFaultCleared);
  }
}

void Output::follow_alarms(TimePoint now) {
  const auto report = [this, now](battery::AlarmSet& shown, const battery::AlarmSet& is, Kind raised,
                                  Kind cleared) {
    for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
      const auto alarm = static_cast<battery::Alarm>(i);
      if (is.is_active(alarm) != shown.is_active(alarm)) {
        add_event(now, is.is_active(alarm) ? raised : cleared, static_cast<std::uint32_t>(i));
      }
    }
    shown = is;
  };
  report(alarms_shown_, judge_.alarms(), Kind::kAlarmRaised, Kind::kAlarmCleared);
  report(warnings_shown_, judge_.warnings(), Kind::kWarningRaised, Kind::kWarningCleared);
}

void Output::add_event(TimePoint now, Kind kind, std::uint32_t detail) {
  (void)events_.push_overwrite(OutputEvent{now, kind, detail});
}

std::optional<Duration> Output::keepalive_age(TimePoint now) const {
  const auto last = inverter_.last_sign();
  return last ? std::optional<Duration>{now - *last} : std::nullopt;
}

// ---- output

bool Output::has_rate_left(TimePoint now) const {
  return !sent_at_.is_full() || now - sent_at_.front() >= kRateWindow;
}

std::optional<can::Frame> Output::poll_transmit(TimePoint now) {
  handle_timeout(now);
  if (!is_sending() || (!is_limits_due_ && control_due_ == 0 && information_due_ == 0)) {
    return std::nullopt;
  }
  if (!has_rate_left(now)) {
    ++statistics_.rate_limited;
    return std::nullopt;
  }
  const auto frame = take_frame(now);
  if (frame) {
    count_sent(now, *frame);
  }
  return frame;
}

std::optional<can::Frame> Output::take_frame(TimePoint now) {
  const Sources sources{now,       snapshot_,       profile_,         config_, config_.limits.age_max,
                        decision_, judge_.alarms(), judge_.warnings()};
  if (is_limits_due_) {
    // The decision of this moment, whenever the turn was due.
    refresh(now);
    is_limits_due_ = false;
    return compose(can::kLimitsId, sources);
  }
  const auto take = [this, &sources](std::uint32_t& due, std::span<const std::uint32_t> ids) {
    std::optional<can::Frame> frame;
    for (std::size_t i = 0; i < ids.size() && !frame; ++i) {
      if ((due & (1U << i)) == 0) {
        continue;
      }
      due &= ~(1U << i);
      frame = compose(ids[i], sources);
      if (!frame) {
        ++statistics_.suppressed;
      }
    }
    return frame;
  };
  if (const auto frame = take(control_due_, kControlIds)) {
    return frame;
  }
  return take(information_due_, kInformationIds);
}

void Output::count_sent(TimePoint now, const can::Frame& frame) {
  (void)sent_at_.push_overwrite(now);
  ++statistics_.sent_total;
  if (const auto index = can::frame_index(frame.id)) {
    ++statistics_.sent[*index];
  }
}

}  // namespace amphora::victron
