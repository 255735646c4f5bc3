// SPDX-License-Identifier: Apache-2.0
// The alarms of a battery, whoever raises them, and sets of them.
//
// The list is the union of what BMSs report and what the CAN-bus BMS protocol can say. An AlarmSet also tells
// which alarms its source is able to judge, because "not active" and "not watched" are different answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace amphora::battery {

enum class Alarm : std::uint8_t {
  kGeneral,
  kHighVoltage,
  kLowVoltage,
  kHighTemperature,
  kLowTemperature,
  kHighTemperatureCharge,
  kLowTemperatureCharge,
  kHighDischargeCurrent,
  kHighChargeCurrent,
  kContactor,
  kShortCircuit,
  kBmsInternal,
  kCellImbalance,
  kCount
};

inline constexpr std::size_t kAlarmCount = static_cast<std::size_t>(Alarm::kCount);

// The stable name used in JSON, logs, metrics and documentation.
constexpr std::string_view to_text(Alarm alarm) {
  constexpr std::string_view kNames[kAlarmCount] = {"general",
                                                    "high_voltage",
                                                    "low_voltage",
                                                    "high_temperature",
                                                    "low_temperature",
                                                    "high_temperature_charge",
                                                    "low_temperature_charge",
                                                    "high_discharge_current",
                                                    "high_charge_current",
                                                    "contactor",
                                                    "short_circuit",
                                                    "bms_internal",
                                                    "cell_imbalance"};
  return kNames[static_cast<std::size_t>(alarm)];
}

class AlarmSet {
 public:
  constexpr void set(Alarm alarm, bool is_active = true) {
    active_ = static_cast<std::uint16_t>(is_active ? active_ | bit(alarm) : active_ & ~bit(alarm));
    watched_ = static_cast<std::uint16_t>(watched_ | bit(alarm));
  }
  // The source cannot judge this alarm (any more).
  constexpr void forget(Alarm alarm) {
    active_ = static_cast<std::uint16_t>(active_ & ~bit(alarm));
    watched_ = static_cast<std::uint16_t>(watched_ & ~bit(alarm));
  }
  constexpr bool is_active(Alarm alarm) const { return (active_ & bit(alarm)) != 0; }
  constexpr bool is_watched(Alarm alarm) const { return (watched_ & bit(alarm)) != 0; }
  constexpr bool has_any() const { return active_ != 0; }
  constexpr AlarmSet& operator|=(const AlarmSet& other) {
    active_ = static_cast<std::uint16_t>(active_ | other.active_);
    watched_ = static_cast<std::uint16_t>(watched_ | other.watched_);
    return *this;
  }
  friend constexpr bool operator==(const AlarmSet&, const AlarmSet&) = default;

 private:
  static constexpr unsigned bit(Alarm alarm) { return 1U << static_cast<unsigned>(alarm); }
  std::uint16_t active_ = 0;
  std::uint16_t watched_ = 0;
};

}  // namespace amphora::battery
