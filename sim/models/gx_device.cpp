// SPDX-License-Identifier: Apache-2.0
#include "sim/models/gx_device.hpp"

#include <algorithm>
#include <variant>

namespace amphora::sim {

namespace {

constexpr std::uint8_t kKeepAliveDue = 1;
constexpr std::uint8_t kIdentityDue = 2;
constexpr std::uint32_t kGxNumber = 0x78563412;
constexpr Duration kRateWindow = std::chrono::seconds{1};

can::Frame frame_of(const can::Message& message) {
  return can::encode(message).value();
}

}  // namespace

GxDevice::GxDevice(const GxConfig& config) : config_{config} {
  timers_.set(Timer::kKeepAlive, TimePoint{});
  timers_.set(Timer::kControl, TimePoint{});
}

void GxDevice::set_present(TimePoint now, bool is_present) {
  if (is_present == is_present_) {
    return;
  }
  const GxConfig config = config_;
  const GxViolations violations = violations_;
  GxStatistics statistics = statistics_;
  // A GX that comes back has booted: it remembers nothing of the battery.
  *this = GxDevice{config};
  violations_ = violations;
  statistics_ = statistics;
  is_present_ = is_present;
  timers_ = {};
  if (is_present) {
    timers_.set(Timer::kKeepAlive, now);
    timers_.set(Timer::kControl, add_saturating(now, config_.control_period));
  }
}

void GxDevice::watch_rate(TimePoint now) {
  if (received_at_.is_full() && now - received_at_.front() < kRateWindow) {
    ++violations_.rate_exceeded;
  }
  (void)received_at_.push_overwrite(now);
}

void GxDevice::handle_frame(TimePoint now, const can::Frame& frame) {
  if (!is_present_) {
    return;
  }
  ++statistics_.frames_received;
  if (frame.is_extended || frame.is_remote) {
    ++violations_.frames_refused;
    return;
  }
  watch_rate(now);
  const auto decoded = can::decode(frame);
  if (!decoded.ok()) {
    return;
  }
  const can::Message& message = decoded.value();
  if (const auto* limits = std::get_if<can::Limits>(&message)) {
    take_limits(now, *limits);
  } else if (const auto* charge = std::get_if<can::Charge>(&message)) {
    charge_ = *charge;
  } else if (const auto* measurements = std::get_if<can::Measurements>(&message)) {
    measurements_ = *measurements;
  } else if (const auto* extremes = std::get_if<can::CellExtremes>(&message)) {
    cell_extremes_ = *extremes;
  } else if (const auto* alarms = std::get_if<can::AlarmBits>(&message)) {
    alarms_ = *alarms;
    if (!has_battery_) {
      has_battery_ = true;
      (void)events_.push_overwrite({now, GxEvent::Kind::kBatteryFound});
    }
  }
}

void GxDevice::take_limits(TimePoint now, const can::Limits& limits) {
  ++statistics_.limits_received;
  if (!limits.charge_voltage || !limits.charge_current || !limits.discharge_current ||
      !limits.discharge_voltage) {
    ++violations_.limits_short;
  }
  if (limits.charge_voltage == Decivolts{0}) {
    ++violations_.charge_voltage_zero;
  } else if (limits.charge_voltage && (*limits.charge_voltage < config_.charge_voltage_min ||
                                       *limits.charge_voltage > config_.charge_voltage_max)) {
    ++violations_.charge_voltage_out_of_range;
  }
  const Deciamps charge = limits.charge_current.value_or(Deciamps{0});
  const Deciamps discharge = limits.discharge_current.value_or(Deciamps{0});
  if (charge < Deciamps{0} || discharge < Deciamps{0}) {
    ++violations_.current_negative;
  }
  if (charge > config_.charge_current_max || discharge > config_.discharge_current_max) {
    ++violations_.current_above_max;
  }
  if (limits_at_) {
    statistics_.gap_last = now - *limits_at_;
    statistics_.gap_max = std::max(statistics_.gap_max, statistics_.gap_last);
  }
  if (!timers_.is_set(Timer::kLimitsLost)) {
    (void)events_.push_overwrite({now, GxEvent::Kind::kLimitsReceived});
  }
  limits_ = limits;
  limits_at_ = now;
  // Lost when it has been missing for longer than the time-out.
  timers_.set(Timer::kLimitsLost, add_saturating(now, config_.limits_timeout + std::chrono::microseconds{1}));
}

void GxDevice::set_command(TimePoint now, const GxCommand& command) {
  if (command == command_) {
    return;
  }
  command_ = command;
  (void)events_.push_overwrite({now, GxEvent::Kind::kCommand});
}

void GxDevice::control(TimePoint now) {
  GxCommand command;
  if (timers_.is_set(Timer::kLimitsLost) && limits_) {
    command.charge_voltage = limits_->charge_voltage.value_or(Decivolts{0});
    command.charge_current = std::max(limits_->charge_current.value_or(Deciamps{0}), Deciamps{0});
    command.discharge_current = std::max(limits_->discharge_current.value_or(Deciamps{0}), Deciamps{0});
    command.discharge_voltage = limits_->discharge_voltage.value_or(Decivolts{0});
    command.is_charge_allowed = command.charge_current > Deciamps{0};
    command.is_discharge_allowed = command.discharge_current > Deciamps{0};
  }
  set_command(now, command);
}

void GxDevice::handle_timeout(TimePoint now) {
  while (const auto timer = timers_.pop_due(now)) {
    switch (*timer) {
      case Timer::kKeepAlive:
        due_ = kKeepAliveDue | kIdentityDue;
        timers_.set(Timer::kKeepAlive, add_saturating(now, config_.keepalive_period));
        break;
      case Timer::kControl:
        control(now);
        timers_.set(Timer::kControl, add_saturating(now, config_.control_period));
        break;
      case Timer::kLimitsLost:
        ++statistics_.gaps;
        (void)events_.push_overwrite({now, GxEvent::Kind::kLimitsLost});
        set_command(now, GxCommand{});
        break;
      case Timer::kCount:
        break;
    }
  }
}

std::optional<can::Frame> GxDevice::poll_transmit(TimePoint) {
  if ((due_ & kKeepAliveDue) != 0) {
    due_ = static_cast<std::uint8_t>(due_ & ~kKeepAliveDue);
    return frame_of(can::KeepAlive{});
  }
  if ((due_ & kIdentityDue) != 0) {
    due_ = static_cast<std::uint8_t>(due_ & ~kIdentityDue);
    return frame_of(can::GxIdentity{kGxNumber, can::Text8{"VIC"}});
  }
  return std::nullopt;
}

}  // namespace amphora::sim
