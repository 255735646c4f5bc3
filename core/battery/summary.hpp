// SPDX-License-Identifier: Apache-2.0
// A battery in at most 86 bytes: what a transmitter queues as a reading and a receiver shows and keeps.
//
// Bytes, little-endian: a mask of 32 bits says which values follow, then these in the order of Field. What
// the box does not know, or knows only from too long ago, is left out, so that nobody takes an old value for
// a new one. More bits or bytes than this version knows are ignored: newer boxes append values at the end.
//
//   bit  value                            bytes     bit  value                           bytes
//   0    battery online (no bytes)        0         11   activity                        1
//   1    state of charge, 0.01 %          2         12   alarms: active, watched         4
//   2    state of health, 0.01 %          2         13   warnings: active, watched       4
//   3    voltage, mV                      4         14   installed capacity, mAh         4
//   4    current, mA, charging positive   4         15   energy in, Wh                   4
//   5    lowest temperature, 0.1 °C       2         16   energy out, Wh                  4
//   6    highest temperature, 0.1 °C      2         17   charge voltage limit, mV        4
//   7    temperature of the BMS, 0.1 °C   2         18   charge current limit, mA        4
//   8    lowest cell, mV                  2         19   discharge current limit, mA     4
//   9    highest cell, mV                 2         20   discharge voltage limit, mV     4
//   10   number of cells                  2         21   charge cycles                   4
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/base/units.hpp"
#include "core/battery/alarm.hpp"
#include "core/battery/snapshot.hpp"

namespace amphora::battery {

inline constexpr std::uint16_t kSummaryFormat = 1;
inline constexpr std::size_t kSummarySizeMax = 86;

struct Summary {
  bool is_online = false;
  std::optional<BasisPoints> soc;
  std::optional<BasisPoints> soh;
  std::optional<Millivolts> voltage;
  std::optional<Milliamps> current;
  std::optional<Decicelsius> temperature_min;
  std::optional<Decicelsius> temperature_max;
  std::optional<Decicelsius> temperature_internal;
  std::optional<Millivolts> cell_min;
  std::optional<Millivolts> cell_max;
  std::optional<std::uint16_t> cell_count;
  std::optional<Activity> activity;
  std::optional<AlarmSet> alarms;
  std::optional<AlarmSet> warnings;
  std::optional<MilliampHours> capacity;
  std::optional<WattHours> energy_in;
  std::optional<WattHours> energy_out;
  std::optional<Millivolts> charge_voltage_limit;
  std::optional<Milliamps> charge_current_limit;
  std::optional<Milliamps> discharge_current_limit;
  std::optional<Millivolts> discharge_voltage_limit;
  std::optional<std::uint32_t> cycle_count;
  friend constexpr bool operator==(const Summary&, const Summary&) = default;
};

// What of `snapshot` is not older than `age_max`. Counters and the installed capacity do not age. Limits are
// the caller's to add.
Summary summary_of(const Snapshot& snapshot, TimePoint now, Duration age_max);
// The reverse: every value as if sampled at `at`.
Snapshot to_snapshot(const Summary& summary, TimePoint at);

// Written to `out`, at least kSummarySizeMax bytes; the number of bytes. Values beyond what their bytes hold
// are left out.
std::size_t encode(const Summary& summary, MutableByteSpan out);
// Empty when the bytes end within a value, or an activity or alarm is none.
std::optional<Summary> decode_summary(ByteSpan bytes);

}  // namespace amphora::battery
