// SPDX-License-Identifier: Apache-2.0
// The payload of a reading, format 1: a battery in 78 bytes.
//
// A fixed layout with a bit map of what is known, so that unknown stays unknown on the other side and
// neighbouring readings look alike, which is what makes them compress well. Only values that are fresh at the
// moment of sampling go in; the reading carries their common moment. Cell voltages are not part of it (live
// cells are), only their extremes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/battery/snapshot.hpp"

namespace amphora::link {

inline constexpr std::uint16_t kBatterySummaryFormat = 1;
inline constexpr std::size_t kBatterySummarySize = 78;

struct BatterySummary {
  std::optional<WallTime> time;  // when the values were sampled, where the sender knows the time
  std::optional<Millivolts> voltage;
  std::optional<Milliamps> current;  // positive while charging
  std::optional<BasisPoints> soc;
  std::optional<BasisPoints> soh;
  std::optional<std::uint16_t> cell_count;
  std::optional<Millivolts> cell_min;
  std::optional<Millivolts> cell_max;
  std::optional<Decicelsius> temperature_internal;
  std::optional<Decicelsius> temperature_min;
  std::optional<Decicelsius> temperature_max;
  std::optional<battery::Activity> activity;
  std::optional<battery::AlarmSet> alarms;
  std::optional<battery::AlarmSet> warnings;
  std::optional<MilliampHours> capacity;
  std::optional<std::uint32_t> cycle_count;
  std::optional<WattHours> energy_in;
  std::optional<WattHours> energy_out;
  std::optional<Millivolts> charge_voltage_limit;     // CVL
  std::optional<Milliamps> charge_current_limit;      // CCL
  std::optional<Milliamps> discharge_current_limit;   // DCL
  std::optional<Millivolts> discharge_voltage_limit;  // DVL
  friend constexpr bool operator==(const BatterySummary&, const BatterySummary&) = default;
};

// Values older than `age_max` are left out. What hardly changes (capacity, cycles, energy, SOH) has no age.
// `limits`: those in force at the sender.
BatterySummary summarise(const battery::Snapshot& snapshot, const battery::PublishedLimits& limits,
                         TimePoint now, Duration age_max, std::optional<WallTime> time);

// The other way, with every value sampled at `at` by the clock of the one who reads it.
battery::Snapshot to_snapshot(const BatterySummary& summary, TimePoint at);
battery::PublishedLimits limits_of(const BatterySummary& summary);

// `out` holds kBatterySummarySize bytes. Values beyond the width of their field are clamped.
void encode_summary(const BatterySummary& summary, MutableByteSpan out);

enum class SummaryError : std::uint8_t { kBadLength, kBadValue };
Result<BatterySummary, SummaryError> decode_summary(ByteSpan bytes);

}  // namespace amphora::link
