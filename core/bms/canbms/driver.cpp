// SPDX-License-Identifier: Apache-2.0
#include "core/bms/canbms/driver.hpp"

#include <algorithm>
#include <array>
#include <variant>

namespace amphora::canbms {

namespace {

using Kind = DriverEvent::Kind;

constexpr BasisPoints kFractionMax{10'000};
// A fine SOC further than this from the coarse one is somebody's other value in the same place.
constexpr BasisPoints kFineSocDifferenceMax{100};
constexpr Duration kPeriodMin = std::chrono::milliseconds{100};
constexpr Duration kPeriodMax = std::chrono::seconds{60};

template <class T>
bool is_within(T value, T low, T high) {
  return value >= low && value <= high;
}

void append(FixedText<16>& text, std::string_view part) {
  for (const char character : part) {
    text.push_back(character);
  }
}

void append_number(FixedText<16>& text, unsigned number) {
  bool has_begun = false;
  for (unsigned divisor = 10'000; divisor > 0; divisor /= 10) {
    const unsigned digit = number / divisor % 10;
    has_begun = has_begun || digit != 0 || divisor == 1;
    if (has_begun) {
      text.push_back(static_cast<char>('0' + digit));
    }
  }
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

Milliamps magnitude_or_zero(Deciamps current) {
  return std::max(quantity_cast<Milliamps>(current), Milliamps{0});
}

}  // namespace

std::string_view check_config(const DriverConfig& config) {
  if (!is_within(config.keepalive_period, kPeriodMin, kPeriodMax)) {
    return "keepalive_period";
  }
  if (config.voltage_max <= Millivolts{0} || config.current_max <= Milliamps{0}) {
    return "voltage_max, current_max";
  }
  if (config.cell_min >= config.cell_max || config.temperature_min >= config.temperature_max) {
    return "cell_min, cell_max, temperature_min, temperature_max";
  }
  return {};
}

std::string_view to_text(Kind kind) {
  constexpr std::string_view kNames[] = {"snapshot",    "identity", "connected", "disconnected",
                                         "implausible", "bus_down", "bus_up"};
  return kNames[static_cast<std::size_t>(kind)];
}

Driver::Driver(const DriverConfig& config) : config_{config}, liveness_{config.liveness} {
  AMPHORA_ASSERT(check_config(config).empty());
  if (config_.sends_keepalive) {
    timers_.set(Timer::kKeepAlive, TimePoint{});
  }
}

// ---- inputs

void Driver::handle_frame(TimePoint now, const can::Frame& frame) {
  const auto decoded = can::decode(frame);
  const auto index = can::frame_index(frame.id);
  if (!decoded.ok() || can::kFrameTable[*index].sender != can::Sender::kBattery) {
    ++statistics_.unexpected_frames;
    return;
  }
  ++statistics_.replies_received;
  statistics_.consecutive_failures = 0;
  liveness_.handle_sign_of_life(now);
  follow_liveness(now);
  const bool is_plausible =
      std::visit([this, now](const auto& message) { return take(now, message); }, decoded.value());
  const std::uint32_t bit = 1U << *index;
  if (is_plausible) {
    implausible_shown_ &= ~bit;
  } else {
    ++statistics_.implausible_values;
    if ((implausible_shown_ & bit) == 0) {
      implausible_shown_ |= bit;
      add_event(now, Kind::kImplausible, frame.id);
    }
  }
  if (!snapshot_event_at_) {
    snapshot_event_at_ = now;
  }
}

void Driver::handle_bus_state(TimePoint now, can::BusState state) {
  const bool was_up = is_bus_up();
  bus_state_ = state;
  if (was_up && !is_bus_up()) {
    is_keepalive_due_ = false;
    timers_.cancel(Timer::kKeepAlive);
    add_event(now, Kind::kBusDown, static_cast<std::uint32_t>(state));
  } else if (!was_up && is_bus_up()) {
    if (config_.sends_keepalive) {
      timers_.set(Timer::kKeepAlive, now);
    }
    add_event(now, Kind::kBusUp);
  }
}

void Driver::handle_timeout(TimePoint now) {
  liveness_.handle_timeout(now);
  follow_liveness(now);
  while (timers_.pop_due(now)) {
    is_keepalive_due_ = true;
    timers_.set(Timer::kKeepAlive, add_saturating(now, config_.keepalive_period));
  }
}

void Driver::follow_liveness(TimePoint now) {
  while (const auto change = liveness_.poll_event()) {
    if (change->to == liveness::State::kDisconnected) {
      ++statistics_.timeouts;
      ++statistics_.consecutive_failures;
      // What it asked for before it fell silent must not be mixed with what it says when it returns.
      limits_.reset();
      requests_.reset();
      has_extreme_temperatures_ = false;
      add_event(now, Kind::kDisconnected);
    } else if (change->from == liveness::State::kDisconnected) {
      add_event(now, Kind::kConnected);
    }
  }
}

// ---- values. Each returns false when something in it cannot be real.

bool Driver::take(TimePoint now, const can::Limits& limits) {
  limits_ = limits;
  publish_limits(now);
  const auto is_negative = [](const std::optional<Deciamps>& current) {
    return current && *current < Deciamps{0};
  };
  return !is_negative(limits.charge_current) && !is_negative(limits.discharge_current);
}

void Driver::publish_limits(TimePoint now) {
  if (!limits_) {
    return;
  }
  battery::PublishedLimits published;
  if (limits_->charge_voltage) {
    published.charge_voltage = quantity_cast<Millivolts>(*limits_->charge_voltage);
  }
  if (limits_->charge_current) {
    published.charge_current = magnitude_or_zero(*limits_->charge_current);
  }
  if (limits_->discharge_current) {
    published.discharge_current = magnitude_or_zero(*limits_->discharge_current);
  }
  if (limits_->discharge_voltage) {
    published.discharge_voltage = quantity_cast<Millivolts>(*limits_->discharge_voltage);
  }
  if (requests_ && !requests_->charge_enable) {
    published.charge_current = Milliamps{0};
  }
  if (requests_ && !requests_->discharge_enable) {
    published.discharge_current = Milliamps{0};
  }
  snapshot_.limits = Sampled<battery::PublishedLimits>{published, now};
}

// The age of the limits stays that of 0x351: a request says nothing about how old they are.
bool Driver::take(TimePoint, const can::PylonRequests& requests) {
  requests_ = requests;
  if (snapshot_.limits && limits_) {
    publish_limits(snapshot_.limits->at);
  }
  return true;
}

bool Driver::take(TimePoint now, const can::Charge& charge) {
  bool is_plausible = true;
  if (charge.soc) {
    const auto coarse = quantity_cast<BasisPoints>(*charge.soc);
    if (is_within(coarse, BasisPoints{0}, kFractionMax)) {
      const bool is_fine_usable =
          charge.soc_fine && *charge.soc_fine <= kFractionMax &&
          is_within(*charge.soc_fine, coarse - kFineSocDifferenceMax, coarse + kFineSocDifferenceMax);
      snapshot_.soc = Sampled<BasisPoints>{is_fine_usable ? *charge.soc_fine : coarse, now};
    } else {
      is_plausible = false;
    }
  }
  if (charge.soh) {
    const auto soh = quantity_cast<BasisPoints>(*charge.soh);
    if (is_within(soh, BasisPoints{0}, kFractionMax)) {
      snapshot_.soh = Sampled<BasisPoints>{soh, now};
    } else {
      is_plausible = false;
    }
  }
  return is_plausible;
}

bool Driver::take(TimePoint now, const can::Measurements& measurements) {
  bool is_plausible = true;
  if (measurements.voltage) {
    const Millivolts voltage = config_.is_voltage_in_decivolts
                                   ? quantity_cast<Millivolts>(Decivolts{measurements.voltage->count()})
                                   : quantity_cast<Millivolts>(*measurements.voltage);
    if (is_within(voltage, Millivolts{1}, config_.voltage_max)) {
      snapshot_.voltage = Sampled<Millivolts>{voltage, now};
    } else {
      is_plausible = false;
    }
  }
  if (measurements.current) {
    const auto measured = quantity_cast<Milliamps>(*measurements.current);
    const Milliamps current = config_.is_current_inverted ? -measured : measured;
    if (is_within(current, -config_.current_max, config_.current_max)) {
      snapshot_.current = Sampled<Milliamps>{current, now};
    } else {
      is_plausible = false;
    }
  }
  if (measurements.temperature) {
    const Sampled<Decicelsius> temperature{*measurements.temperature, now};
    if (is_within(temperature.value, config_.temperature_min, config_.temperature_max)) {
      snapshot_.temperature_internal = temperature;
      if (!has_extreme_temperatures_) {
        snapshot_.temperature_min = temperature;
        snapshot_.temperature_max = temperature;
      }
    } else {
      is_plausible = false;
    }
  }
  return is_plausible;
}

bool Driver::take(TimePoint now, const can::AlarmBits& bits) {
  snapshot_.alarms = Sampled<battery::AlarmSet>{bits.alarms, now};
  snapshot_.warnings = Sampled<battery::AlarmSet>{bits.warnings, now};
  return true;
}

bool Driver::take(TimePoint now, const can::PylonStatus& status) {
  snapshot_.alarms = Sampled<battery::AlarmSet>{status.protections, now};
  snapshot_.warnings = Sampled<battery::AlarmSet>{status.alarms, now};
  return true;
}

bool Driver::take(TimePoint now, const can::CellExtremes& extremes) {
  const auto is_cell = [this](const std::optional<Millivolts>& cell) {
    return !cell || is_within(*cell, config_.cell_min, config_.cell_max);
  };
  const auto is_temperature = [this](const std::optional<Decicelsius>& temperature) {
    return !temperature || is_within(*temperature, config_.temperature_min, config_.temperature_max);
  };
  bool is_plausible = true;
  if (!is_cell(extremes.cell_min) || !is_cell(extremes.cell_max) ||
      (extremes.cell_min && extremes.cell_max && *extremes.cell_min > *extremes.cell_max)) {
    is_plausible = false;
  } else {
    if (extremes.cell_min) {
      snapshot_.cell_min = Sampled<Millivolts>{*extremes.cell_min, now};
    }
    if (extremes.cell_max) {
      snapshot_.cell_max = Sampled<Millivolts>{*extremes.cell_max, now};
    }
  }
  if (!is_temperature(extremes.temperature_min) || !is_temperature(extremes.temperature_max) ||
      (extremes.temperature_min && extremes.temperature_max &&
       *extremes.temperature_min > *extremes.temperature_max)) {
    return false;
  }
  // Only a pair replaces the single temperature of 0x356: one half alone could stand beside a stale other.
  if (extremes.temperature_min && extremes.temperature_max) {
    has_extreme_temperatures_ = true;
    snapshot_.temperature_min = Sampled<Decicelsius>{*extremes.temperature_min, now};
    snapshot_.temperature_max = Sampled<Decicelsius>{*extremes.temperature_max, now};
  }
  return is_plausible;
}

bool Driver::take(TimePoint now, const can::Energy& energy) {
  if (energy.in) {
    snapshot_.energy_in = Sampled<WattHours>{quantity_cast<WattHours>(*energy.in), now};
  }
  if (energy.out) {
    snapshot_.energy_out = Sampled<WattHours>{quantity_cast<WattHours>(*energy.out), now};
  }
  return true;
}

bool Driver::take(TimePoint now, const can::Installed& installed) {
  if (installed.capacity) {
    snapshot_.capacity = Sampled<MilliampHours>{quantity_cast<MilliampHours>(*installed.capacity), now};
  }
  return true;
}

// ---- identity

void Driver::set_identity(TimePoint now, const battery::Identity& identity) {
  if (identity == snapshot_.identity) {
    return;
  }
  snapshot_.identity = identity;
  add_event(now, Kind::kIdentity);
}

bool Driver::take(TimePoint now, const can::Manufacturer& manufacturer) {
  if (!manufacturer.text) {
    return false;
  }
  battery::Identity identity = snapshot_.identity;
  identity.manufacturer.assign(manufacturer.text->view());
  set_identity(now, identity);
  return true;
}

bool Driver::take(TimePoint now, const can::Info& info) {
  battery::Identity identity = snapshot_.identity;
  if (info.firmware) {
    identity.firmware = {};
    append_number(identity.firmware, info.firmware->major);
    identity.firmware.push_back('.');
    append_number(identity.firmware, info.firmware->minor);
  }
  if (info.hardware && *info.hardware != 0) {
    identity.hardware = {};
    append_number(identity.hardware, *info.hardware);
  }
  set_identity(now, identity);
  return true;
}

bool Driver::take(TimePoint now, const can::Name& name) {
  if (!name.text) {
    return false;
  }
  name_halves_[static_cast<std::size_t>(name.half)] = *name.text;
  FixedText<16> joined;
  append(joined, name_halves_[0].view());
  append(joined, name_halves_[1].view());
  if (trimmed(joined.view()).empty()) {
    return true;
  }
  battery::Identity identity = snapshot_.identity;
  identity.model.assign(trimmed(joined.view()));
  set_identity(now, identity);
  return true;
}

// The number is complete with its second half, not before.
bool Driver::take(TimePoint now, const can::Serial& serial) {
  if (!serial.text) {
    return false;
  }
  serial_halves_[static_cast<std::size_t>(serial.half)] = *serial.text;
  if (serial.half == can::Half::kFirst) {
    return true;
  }
  FixedText<16> joined;
  append(joined, serial_halves_[0].view());
  append(joined, serial_halves_[1].view());
  battery::Identity identity = snapshot_.identity;
  identity.serial.assign(trimmed(joined.view()));
  set_identity(now, identity);
  return true;
}

// Used as the name of a battery that sends none.
bool Driver::take(TimePoint now, const can::Family& family) {
  if (!family.text) {
    return false;
  }
  if (snapshot_.identity.model.is_empty()) {
    battery::Identity identity = snapshot_.identity;
    identity.model.assign(family.text->view());
    set_identity(now, identity);
  }
  return true;
}

// ---- output

void Driver::add_event(TimePoint now, Kind kind, std::uint32_t detail) {
  (void)events_.push_overwrite(DriverEvent{now, kind, detail});
}

std::optional<can::Frame> Driver::poll_transmit(TimePoint now) {
  handle_timeout(now);
  if (!is_keepalive_due_ || !is_bus_up()) {
    return std::nullopt;
  }
  is_keepalive_due_ = false;
  ++statistics_.requests_sent;
  return can::encode(can::KeepAlive{}).value();
}

std::optional<DriverEvent> Driver::poll_event() {
  if (const auto event = events_.pop()) {
    return event;
  }
  if (snapshot_event_at_) {
    const DriverEvent event{*snapshot_event_at_, Kind::kSnapshot, 0};
    snapshot_event_at_.reset();
    return event;
  }
  return std::nullopt;
}

TimePoint Driver::poll_timeout() const {
  return earliest(timers_.next(), liveness_.poll_timeout());
}

}  // namespace amphora::canbms
