// SPDX-License-Identifier: Apache-2.0
// The protection every BMS has inside, independent of any gateway: it opens the switches by itself.
//
// Faults latch after a short delay and clear by themselves once the cause has been gone for the recovery time
// (with a margin on each bound). A charge fault leaves discharging allowed and the other way round, as long
// as both are not in force. The codes are those of the TinyBMS event list, so that its model can report them
// unchanged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "sim/models/battery_pack.hpp"

namespace amphora::sim {

enum class ProtectionFault : std::uint8_t {
  kUnderVoltage,
  kOverVoltage,
  kOverTemperature,
  kDischargeOverCurrent,
  kChargeOverCurrent,
  kLowTemperatureCharge,
  kCount
};
inline constexpr std::size_t kProtectionFaultCount = static_cast<std::size_t>(ProtectionFault::kCount);

// Event numbers as TinyBMS reports them.
constexpr std::uint8_t event_code(ProtectionFault fault) {
  constexpr std::uint8_t kCodes[kProtectionFaultCount] = {0x02, 0x03, 0x04, 0x05, 0x06, 0x0A};
  return kCodes[static_cast<std::size_t>(fault)];
}

struct ProtectionConfig {
  Millivolts over_voltage{3650};
  Millivolts under_voltage{2600};
  Milliamps discharge_over_current{150'000};
  Milliamps charge_over_current{100'000};
  Decicelsius over_temperature{600};
  Decicelsius charge_low_temperature{0};
  Millivolts voltage_margin{50};
  Decicelsius temperature_margin{20};
  Duration delay{2'000'000};
  Duration recovery{10'000'000};
};

class PackProtection {
 public:
  explicit PackProtection(const ProtectionConfig& config) : config_{config} {}

  // Looks at the pack; call once per step of the pack. `wanted` is the current the outside would like to
  // flow.
  void handle_measurement(TimePoint now, const BatteryPack& pack, Milliamps wanted);
  // Pretends the fault was detected, whatever the pack says; false ends the pretence.
  void force(ProtectionFault fault, bool is_forced);

  bool is_active(ProtectionFault fault) const { return faults_[index(fault)].is_active; }
  bool has_any() const;
  bool allows_charge() const;
  bool allows_discharge() const;
  // What the switches let through of the wanted current.
  Milliamps limited(Milliamps wanted) const;
  std::uint64_t trip_count() const { return trip_count_; }

 private:
  struct State {
    bool is_active = false;
    bool is_forced = false;
    TimePoint cause_since = kNever;
    TimePoint clear_since = kNever;
  };
  static constexpr std::size_t index(ProtectionFault fault) { return static_cast<std::size_t>(fault); }
  void judge(TimePoint now, ProtectionFault fault, bool is_bad, bool is_good);

  ProtectionConfig config_;
  std::array<State, kProtectionFaultCount> faults_{};
  std::uint64_t trip_count_ = 0;
};

}  // namespace amphora::sim
