// SPDX-License-Identifier: Apache-2.0
// The profiles the poller has names for. `default` is a pack that tells voltage and current only; `full` is a
// BMS that tells everything the poller can take over. Function 3 for both:
//
//   register   default   full
//   0          pack voltage, 0.1 V
//   1          pack current, 0.01 A, signed, positive while charging
//   2                    state of charge, 0.01 %
//   3                    state of health, 0.01 %
//   4                    lowest temperature of the cells, 0.1 degC, signed
//   5                    highest temperature of the cells, 0.1 degC, signed
//   6                    temperature of the BMS, 0.1 degC, signed
//   7                    alarms, a bit each: kFullAlarmBits
//   16 …                 cell voltages, 1 mV, from the negative end
//
// `full` reads two blocks. One of 32 registers would take 80 ms on a line of 9600 baud, request included, and
// leave next to nothing of the 100 ms a reply has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/bms/modbus/poller.hpp"

namespace amphora::modbus {

namespace reg {
inline constexpr std::uint16_t kVoltage = 0;
inline constexpr std::uint16_t kCurrent = 1;
inline constexpr std::uint16_t kSoc = 2;
inline constexpr std::uint16_t kSoh = 3;
inline constexpr std::uint16_t kTemperatureMin = 4;
inline constexpr std::uint16_t kTemperatureMax = 5;
inline constexpr std::uint16_t kTemperatureInternal = 6;
inline constexpr std::uint16_t kAlarms = 7;
inline constexpr std::uint16_t kCellFirst = 16;
}  // namespace reg

inline constexpr std::uint16_t kFullCellCountMax = 125;  // of one request

inline constexpr auto kFullAlarmBits =
    std::array{battery::Alarm::kHighVoltage,       battery::Alarm::kLowVoltage,
               battery::Alarm::kHighTemperature,   battery::Alarm::kLowTemperature,
               battery::Alarm::kHighChargeCurrent, battery::Alarm::kHighDischargeCurrent,
               battery::Alarm::kCellImbalance,     battery::Alarm::kBmsInternal};

// `cell_count`: 1 to kFullCellCountMax; check_config() refuses others. A BMS with fewer cells refuses the
// whole block, so the number must be right.
constexpr Profile full_profile(std::uint16_t cell_count = 16) {
  Profile profile;
  profile.blocks[0] = {Function::kHoldingRegisters, reg::kVoltage, reg::kAlarms + 1};
  profile.blocks[1] = {Function::kHoldingRegisters, reg::kCellFirst, cell_count};
  profile.block_count = 2;
  profile.points = {{{0, {Quantity::kVoltage, reg::kVoltage, false, false, false, 0, 100, 1, 1}},
                     {0, {Quantity::kCurrent, reg::kCurrent, true, false, false, 0, 10, 1, 1}},
                     {0, {Quantity::kSoc, reg::kSoc}},
                     {0, {Quantity::kSoh, reg::kSoh}},
                     {0, {Quantity::kTemperatureMin, reg::kTemperatureMin, true}},
                     {0, {Quantity::kTemperatureMax, reg::kTemperatureMax, true}},
                     {0, {Quantity::kTemperatureInternal, reg::kTemperatureInternal, true}},
                     {0, {Quantity::kAlarms, reg::kAlarms}},
                     {1, {Quantity::kCell, 0, false, false, false, 0, 1, 1, cell_count}}}};
  profile.point_count = 9;
  for (std::size_t bit = 0; bit < kFullAlarmBits.size(); ++bit) {
    profile.alarm_bits[bit] = kFullAlarmBits[bit];
  }
  return profile;
}

// "default" or "full"; empty for other names.
constexpr std::optional<Profile> profile_named(std::string_view name, std::uint16_t cell_count = 16) {
  if (name == "default") {
    return Profile{};
  }
  return name == "full" ? std::optional{full_profile(cell_count)} : std::nullopt;
}

}  // namespace amphora::modbus
