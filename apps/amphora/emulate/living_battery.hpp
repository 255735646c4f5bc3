// SPDX-License-Identifier: Apache-2.0
// A battery that lives behind an emulated TinyBMS: 16 LFP cells of 100 Ah under a load that comes and goes.
//
// The pack is the simulator's. Its current follows a slow wave with some noise, so that every value moves,
// and turns to charging or discharging alone near the ends of the state of charge. It runs in real time, one
// step a second.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "sim/models/battery_pack.hpp"
#include "sim/models/tinybms_device.hpp"

namespace amphora::emulate {

class LivingBattery {
 public:
  explicit LivingBattery(std::uint64_t seed);

  // Steps the pack to `now` and shows it to the device. To be called about once a second.
  void advance(TimePoint now, sim::TinyBmsDevice& device);
  // Holds the current; empty: the wave again.
  void hold_current(std::optional<Milliamps> current) { held_ = current; }

 private:
  Milliamps wave(TimePoint now);

  Rng rng_;
  sim::BatteryPack pack_;
  std::optional<Milliamps> held_;
  std::optional<TimePoint> began_;
};

}  // namespace amphora::emulate
