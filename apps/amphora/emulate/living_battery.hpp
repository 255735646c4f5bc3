// SPDX-License-Identifier: Apache-2.0
// A battery that lives behind an emulated BMS: LFP cells of 100 Ah under a load that comes and goes.
//
// The pack is the simulator's. Its current follows a slow wave with some noise, so that every value moves,
// and turns to charging or discharging alone near the ends of the state of charge. It runs in real time, one
// step a second. A fault of the battery shifts what its BMS measures; the pack itself stays as it is, so that
// it is gone as soon as it is taken back.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "sim/models/battery_pack.hpp"
#include "sim/models/modbus_bms_device.hpp"
#include "sim/models/tinybms_device.hpp"

namespace amphora::emulate {

enum class BatteryFault : std::uint8_t {
  kNone,
  kOverVoltage,       // every cell 0.5 V higher
  kUnderVoltage,      // every cell 1 V lower
  kOverTemperature,   // 50 K hotter
  kUnderTemperature,  // 45 K colder
  kImbalance          // the third cell 0.3 V lower
};
// "none", "over-voltage", …
std::string_view to_text(BatteryFault fault);
std::optional<BatteryFault> battery_fault_from_text(std::string_view text);

struct LivingBatteryConfig {
  std::uint64_t seed = 1;
  std::uint16_t cell_count = 16;  // 4 to 16
  BasisPoints soc_start{6'200};
};

class LivingBattery {
 public:
  explicit LivingBattery(std::uint64_t seed) : LivingBattery{LivingBatteryConfig{.seed = seed}} {}
  explicit LivingBattery(const LivingBatteryConfig& config);

  // Steps the pack to `now` and shows it to the device. To be called about once a second.
  void advance(TimePoint now, sim::TinyBmsDevice& device);
  void advance(TimePoint now, sim::ModbusBmsDevice& device);
  // Holds the current; empty: the wave again.
  void hold_current(std::optional<Milliamps> current) { held_ = current; }
  void set_fault(BatteryFault fault) { fault_ = fault; }

 private:
  void step(TimePoint now);
  Milliamps wave(TimePoint now);
  Microvolts cell_voltage(std::size_t index) const;
  Decicelsius temperature() const;

  Rng rng_;
  sim::BatteryPack pack_;
  std::optional<Milliamps> held_;
  std::optional<TimePoint> began_;
  BatteryFault fault_ = BatteryFault::kNone;
  Milliamps current_;
  std::uint32_t balancing_ = 0;
};

}  // namespace amphora::emulate
