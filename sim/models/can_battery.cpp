// SPDX-License-Identifier: Apache-2.0
#include "sim/models/can_battery.hpp"

#include <algorithm>
#include <string_view>

#include "core/base/bytes.hpp"

namespace amphora::sim {

namespace {

can::Frame frame_of(std::uint32_t id) {
  can::Frame frame;
  frame.id = id;
  frame.size = 8;
  return frame;
}

can::Frame text_frame(std::uint32_t id, std::string_view text) {
  can::Frame frame = frame_of(id);
  std::copy_n(text.begin(), std::min(text.size(), can::kDataSizeMax), frame.data.begin());
  return frame;
}

void put(can::Frame& frame, std::size_t at, std::int64_t value) {
  store<std::uint16_t>(frame.data.data() + at, static_cast<std::uint16_t>(value), Endian::kLittle);
}

// Two bits of 0x35A: 01 active, 10 inactive.
constexpr std::uint8_t alarm_bits(bool is_active, unsigned shift) {
  return static_cast<std::uint8_t>((is_active ? 1U : 2U) << shift);
}

}  // namespace

void CanBattery::handle_frame(TimePoint now, const can::Frame& frame) {
  if (frame.id == 0x305 && !frame.is_extended) {
    heard_at_ = now;
  }
}

void CanBattery::handle_timeout(TimePoint now) {
  if (now < next_) {
    return;
  }
  const bool may_speak = !is_silent_ && now - heard_at_ <= config_.keepalive_timeout;
  is_due_ = may_speak;
  next_ = now + config_.spacing;
  if (!may_speak) {
    index_ = 0;
    next_ = now + config_.period;
  }
}

std::optional<can::Frame> CanBattery::poll_transmit() {
  if (!is_due_) {
    return std::nullopt;
  }
  is_due_ = false;
  const can::Frame frame = make(index_);
  ++index_;
  ++sent_count_;
  if (index_ == kFrameCount) {
    index_ = 0;
    round_at_ = std::max(round_at_ + config_.period, next_);
    next_ = round_at_;
  }
  return frame;
}

can::Frame CanBattery::make(std::uint8_t index) const {
  switch (index) {
    case 0:
      return make_limits();
    case 1:
      return make_charge();
    case 2:
      return make_measurements();
    case 3:
      return make_alarms();
    case 4:
      return make_extremes();
    case 5:
      return text_frame(0x35E, "SIMPACK");
    case 6:
      return text_frame(0x370, "Simulate");
    case 7:
      return text_frame(0x371, "d pack");
    default: {
      can::Frame info = frame_of(0x35F);
      info.data[2] = 1;
      put(info, 4, pack_.config().capacity.count() / 1000);
      return info;
    }
  }
}

can::Frame CanBattery::make_limits() const {
  can::Frame frame = frame_of(0x351);
  const auto cells = static_cast<std::int64_t>(pack_.cell_count());
  put(frame, 0, cells * config_.cell_full.count() / 100);
  put(frame, 2, protection_.allows_charge() ? config_.charge_current.count() / 100 : 0);
  put(frame, 4, protection_.allows_discharge() ? config_.discharge_current.count() / 100 : 0);
  put(frame, 6, cells * 28);
  return frame;
}

can::Frame CanBattery::make_charge() const {
  can::Frame frame = frame_of(0x355);
  put(frame, 0, pack_.soc().count() / 100);
  put(frame, 2, 100);
  put(frame, 4, pack_.soc().count());
  return frame;
}

can::Frame CanBattery::make_measurements() const {
  can::Frame frame = frame_of(0x356);
  frame.size = 6;
  put(frame, 0, pack_.voltage().count() / 10'000);
  put(frame, 2, pack_.current().count() / 100);
  put(frame, 4, pack_.temperature().count());
  return frame;
}

can::Frame CanBattery::make_alarms() const {
  can::Frame frame = frame_of(0x35A);
  const bool is_hot = protection_.is_active(ProtectionFault::kOverTemperature);
  frame.data[0] = static_cast<std::uint8_t>(
      alarm_bits(protection_.is_active(ProtectionFault::kOverVoltage), 2) |
      alarm_bits(protection_.is_active(ProtectionFault::kUnderVoltage), 4) | alarm_bits(is_hot, 6));
  frame.data[1] =
      static_cast<std::uint8_t>(alarm_bits(protection_.is_active(ProtectionFault::kLowTemperatureCharge), 4) |
                                alarm_bits(protection_.is_active(ProtectionFault::kDischargeOverCurrent), 6));
  frame.data[2] = alarm_bits(protection_.is_active(ProtectionFault::kChargeOverCurrent), 0);
  return frame;
}

can::Frame CanBattery::make_extremes() const {
  can::Frame frame = frame_of(0x373);
  put(frame, 0, pack_.cell_min().count() / 1000);
  put(frame, 2, pack_.cell_max().count() / 1000);
  const std::int64_t kelvin = (std::int64_t{pack_.temperature().count()} + 2732) / 10;
  put(frame, 4, kelvin);
  put(frame, 6, kelvin);
  return frame;
}

}  // namespace amphora::sim
