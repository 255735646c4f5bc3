// SPDX-License-Identifier: Apache-2.0
// A battery that itself speaks the CAN-bus BMS protocol, over a simulated pack.
//
// It broadcasts limits, state, measurements, alarms, names and cell extremes once a second, one frame each
// 20 ms, and falls silent when it has not heard 0x305 for keepalive_timeout, as several makers' packs do. The
// frames are put together here byte by byte, independently of the codec of the core.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/can/frame.hpp"
#include "sim/models/battery_pack.hpp"
#include "sim/models/pack_protection.hpp"

namespace amphora::sim {

struct CanBatteryConfig {
  Duration period{1'000'000};
  Duration spacing{20'000};
  Duration keepalive_timeout{30'000'000};
  Millivolts cell_full{3450};
  Milliamps charge_current{40'000};
  Milliamps discharge_current{80'000};
};

class CanBattery {
 public:
  CanBattery(const CanBatteryConfig& config, const BatteryPack& pack, const PackProtection& protection)
      : config_{config}, pack_{pack}, protection_{protection} {}

  void set_silent(bool is_silent) { is_silent_ = is_silent; }
  void handle_frame(TimePoint now, const can::Frame& frame);
  void handle_timeout(TimePoint now);
  TimePoint poll_timeout() const { return next_; }
  std::optional<can::Frame> poll_transmit();

  std::uint64_t sent_count() const { return sent_count_; }

 private:
  static constexpr std::uint8_t kFrameCount = 9;
  can::Frame make(std::uint8_t index) const;
  can::Frame make_limits() const;
  can::Frame make_charge() const;
  can::Frame make_measurements() const;
  can::Frame make_alarms() const;
  can::Frame make_extremes() const;

  CanBatteryConfig config_;
  const BatteryPack& pack_;
  const PackProtection& protection_;
  TimePoint next_{};
  TimePoint round_at_{};
  std::uint8_t index_ = 0;
  bool is_due_ = false;
  bool is_silent_ = false;
  TimePoint heard_at_{};
  std::uint64_t sent_count_ = 0;
};

}  // namespace amphora::sim
