// SPDX-License-Identifier: Apache-2.0
// Which alarms and warnings a battery shows to the inverter and to people.
//
// Two sources are merged: what the BMS raises itself, and what follows from its values and the owner's
// profile. An own alarm is raised only when its condition has lasted for raise_after, falls only past a
// hysteresis, and stays for at least hold_min, so that a value at its threshold does not ring all night.
// Temperature alarms of charging are judged while the battery charges, the imbalance alarm while current is
// low, because under load the spread of cells says more about their resistance than about their charge.
//
// Alarms inform: safety is in the limits (charge_limits.hpp), which act before an alarm does. An alarm whose
// values are unknown, stale or implausible is "not watched", which is not "not active". The exception is
// bms_internal: it is active while a battery that was trusted is not, and while the BMS reports a fault.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/battery/alarm.hpp"
#include "core/battery/profile.hpp"
#include "core/battery/snapshot.hpp"
#include "core/inverter/charge_limits.hpp"

namespace amphora::inverter {

struct AlarmConfig {
  Millivolts cell_hysteresis{50};
  Millivolts imbalance_hysteresis{50};
  Decicelsius temperature_hysteresis{30};
  // A warning begins where the derating ramp has this share of its width left before the alarm.
  Permille warning_share{250};
  // Measured currents beyond these shares of the profile's maximum.
  Permille current_alarm{1200};
  Permille current_warning{1050};
  Permille current_hysteresis{50};
  // The spread of cells is judged up to this current, as a share of the capacity for one hour.
  Permille low_current{100};
  // The battery charges, as far as temperatures are concerned, from this current on.
  Milliamps charging_min{1000};
  Duration raise_after = std::chrono::seconds{2};
  Duration hold_min = std::chrono::seconds{10};
};

enum class Severity : std::uint8_t { kWarning, kAlarm };

// Raised at or past `raise`, cleared past `clear`; is_upper: high values are bad. In mV, mA or 0.1 degrees.
struct Threshold {
  std::int32_t raise = 0;
  std::int32_t clear = 0;
  bool is_upper = true;
  friend constexpr bool operator==(const Threshold&, const Threshold&) = default;
};

// The threshold of an own alarm; empty for those that only a BMS can raise.
std::optional<Threshold> threshold_of(battery::Alarm alarm, Severity severity,
                                      const battery::Profile& profile, const AlarmConfig& config);

std::optional<ConfigError> check_config(const AlarmConfig& config);

class AlarmJudge {
 public:
  AlarmJudge(const battery::Profile& profile, const AlarmConfig& config);

  // Looks at a snapshot together with the decision that was made from it at the same moment. Any rhythm.
  void update(TimePoint now, const battery::Snapshot& snapshot, const LimitDecision& decision);

  const battery::AlarmSet& alarms() const { return alarms_; }
  const battery::AlarmSet& warnings() const { return warnings_; }

 private:
  enum class Condition : std::uint8_t { kUnknown, kClear, kKeep, kRaise };
  struct Latch {
    bool is_active = false;
    TimePoint since{};
    std::optional<TimePoint> pending_since;
  };
  using Latches = std::array<Latch, battery::kAlarmCount>;

  struct Values {
    std::optional<std::int32_t> cell_min, cell_max, temperature_min, temperature_max, current;
  };
  static Values values_of(const battery::Snapshot& snapshot, const LimitDecision& decision);
  Condition condition_of(battery::Alarm alarm, Severity severity, const Values& values) const;
  Condition internal_condition(const LimitDecision& decision) const;
  bool advance(Latch& latch, TimePoint now, Condition condition, Duration raise_after) const;
  void judge(TimePoint now, Severity severity, const Values& values, const LimitDecision& decision,
             const battery::AlarmSet& reported, Latches& own_latches, Latches& reported_latches,
             battery::AlarmSet& result) const;

  battery::Profile profile_;
  AlarmConfig config_;
  Latches alarm_latches_{};
  Latches warning_latches_{};
  Latches reported_alarm_latches_{};
  Latches reported_warning_latches_{};
  battery::AlarmSet alarms_;
  battery::AlarmSet warnings_;
  bool was_trusted_ = false;
};

}  // namespace amphora::inverter
