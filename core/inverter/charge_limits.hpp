// SPDX-License-Identifier: Apache-2.0
// How much a battery may be charged and discharged right now, and why.
//
// From the newest battery snapshot and the owner's profile follow four values:
//   CVL charge voltage, CCL charge current, DCL discharge current, DVL discharge voltage.
// Each starts from the profile and is lowered by every bound in force; the lowest wins, and all bounds are
// kept with what each would allow, so that a page can show value, reason and who set it.
//
// The rules that matter more than any other:
//   - A current above zero needs every needed value to be known, not older than its bound and plausible, and
//     no fault. Otherwise both currents are zero in that very decision.
//   - Currents rise slowly (ramp_up of the maximum for each second) and fall at once. After an episode
//     without trust they stay zero for recovery_delay more.
//   - CVL is series_cells x cell_full, lowered by what the BMS publishes and by one bounded step while a cell
//     is high. It never comes from a measured voltage, never goes below series_cells x cell_floor, and never
//     rises while the data is not trusted. CVL = 0 makes an inverter empty the battery to reach it.
//
// docs/LIMITS.md explains the same to an owner, formulas included. All arithmetic is in integers. Rounding is
// towards less current. The values are the battery's: whether an inverter listens is not judged here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/assert.hpp"
#include "core/base/enum_set.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/battery/profile.hpp"
#include "core/battery/snapshot.hpp"

namespace amphora::inverter {

// Why a value is not higher (for DVL: not lower).
enum class Reason : std::uint8_t {
  kProfileMax,       // the owner's profile; always in force
  kUser,             // a limit that a person or a controller set
  kBmsCutOff,        // a margin below the current at which the BMS opens its switches
  kBmsPublished,     // the BMS publishes a limit of its own
  kCellVoltageHigh,  // highest cell above cell_full
  kCellVoltageLow,   // lowest cell below cell_empty
  kTemperatureHigh,
  kTemperatureLow,
  kSocLow,        // into the reserve
  kImbalance,     // cells too far apart, balancing needs time
  kRamp,          // rising slowly
  kRecovery,      // trusted again, waiting for recovery_delay
  kMissing,       // a needed value was never reported
  kStale,         // a needed value is older than its bound
  kImplausible,   // a check of the data failed
  kFault,         // the BMS reports a fault or an alarm that forbids this direction
  kInverterLost,  // no keep-alive
  kCount
};

inline constexpr std::size_t kReasonCount = static_cast<std::size_t>(Reason::kCount);
std::string_view to_text(Reason reason);

using amphora::EnumSet;

// What a decision needs. kStatus and kPublished are needed only from a BMS that reports them at all.
enum class Needed : std::uint8_t {
  kCells,
  kVoltage,
  kCurrent,
  kSoc,
  kTemperature,
  kStatus,
  kPublished,
  kCount
};
std::string_view to_text(Needed needed);

// The plausibility checks.
enum class Check : std::uint8_t {
  kCellCount,         // as many cells as the profile says
  kCellRange,         // each within cell_plausible_min … cell_plausible_max
  kCellOrder,         // lowest not above highest
  kVoltageSum,        // pack voltage agrees with the cells
  kTemperatureRange,  // -40 … 125 degrees Celsius
  kTemperatureOrder,  // lowest not above highest
  kCurrentRange,
  kSocRange,        // 0 … 100 %
  kPublishedRange,  // no negative published limit
  kCount
};
std::string_view to_text(Check check);

// A value and all bounds on it.
template <class Quantity>
class Explained {
 public:
  struct Bound {
    Reason reason = Reason::kProfileMax;
    Quantity allows{};
    friend constexpr bool operator==(const Bound&, const Bound&) = default;
  };

  constexpr Explained() = default;
  constexpr explicit Explained(Quantity start) : value_{start} { add(Reason::kProfileMax, start, true); }

  constexpr Quantity value() const { return value_; }
  // The most restrictive reason; among equals the one that was applied last.
  constexpr Reason reason() const { return decisive_; }
  constexpr std::size_t size() const { return size_; }
  constexpr const Bound& operator[](std::size_t index) const {
    AMPHORA_ASSERT(index < size_);
    return bounds_[index];
  }
  constexpr bool has(Reason reason) const {
    for (std::size_t i = 0; i < size_; ++i) {
      if (bounds_[i].reason == reason) {
        return true;
      }
    }
    return false;
  }
  // An upper bound: the value becomes at most `allows`.
  constexpr void limit(Reason reason, Quantity allows) {
    add(reason, allows, true);
    if (allows <= value_) {
      value_ = allows;
      decisive_ = reason;
    }
  }
  // A lower bound: the value becomes at least `allows` (for DVL).
  constexpr void raise(Reason reason, Quantity allows) {
    add(reason, allows, false);
    if (allows >= value_) {
      value_ = allows;
      decisive_ = reason;
    }
  }
  friend constexpr bool operator==(const Explained&, const Explained&) = default;

 private:
  // A second bound with the same reason keeps the more restrictive of the two in the list.
  constexpr void add(Reason reason, Quantity allows, bool is_upper) {
    for (std::size_t i = 0; i < size_; ++i) {
      if (bounds_[i].reason == reason) {
        if (is_upper == (allows < bounds_[i].allows)) {
          bounds_[i].allows = allows;
        }
        return;
      }
    }
    AMPHORA_ASSERT(size_ < kReasonCount);
    bounds_[size_++] = Bound{reason, allows};
  }

  Quantity value_{};
  Reason decisive_ = Reason::kProfileMax;
  std::array<Bound, kReasonCount> bounds_{};
  std::size_t size_ = 0;
};

// The oldest a needed value may be. All five seconds unless configured.
struct AgeBounds {
  Duration cells = std::chrono::seconds{5};
  Duration voltage = std::chrono::seconds{5};
  Duration current = std::chrono::seconds{5};
  Duration soc = std::chrono::seconds{5};
  Duration temperature = std::chrono::seconds{5};
  Duration status = std::chrono::seconds{5};     // activity and alarms
  Duration published = std::chrono::seconds{5};  // the BMS's own limits
};

struct LimitConfig {
  AgeBounds age_max;
  // Pack voltage may differ from the sum of the cells by sum_tolerance plus sum_tolerance_share of the sum.
  Millivolts sum_tolerance{500};
  Permille sum_tolerance_share{20};
  Decicelsius temperature_plausible_min{-400};
  Decicelsius temperature_plausible_max{1250};
  // A measured current beyond this many times the larger of the two maxima cannot be real.
  std::int32_t current_plausible_factor = 3;
  // Rise of a current in each second, and what is allowed at once from zero, as shares of the maximum. The
  // second keeps an inverter running across a short restart of this box.
  Permille ramp_up{100};
  Permille ramp_start{100};
  // Currents stay zero for this long after trust has come back. Not at the first decision.
  Duration recovery_delay = std::chrono::seconds{1};
  // CVL falls by this for each cell while the highest cell is past the middle between cell_full and cell_max,
  // until it is back at cell_full. Zero switches it off.
  Millivolts charge_voltage_step{30};
  // CVL is never below series_cells x (cell_full - cell_floor_below_full).
  Millivolts cell_floor_below_full{150};
  // Allowed share of the current at which the BMS would cut off.
  Permille cut_off_share{900};
  // Allowed at and beyond imbalance_stop.
  Permille imbalance_rest{100};
};

// Limits set by a person or a controller; empty: none.
struct UserLimits {
  std::optional<Millivolts> charge_voltage;
  std::optional<Milliamps> charge_current;
  std::optional<Milliamps> discharge_current;
  friend constexpr bool operator==(const UserLimits&, const UserLimits&) = default;
};

struct LimitDecision {
  Explained<Millivolts> charge_voltage;
  Explained<Milliamps> charge_current;
  Explained<Milliamps> discharge_current;
  Explained<Millivolts> discharge_voltage;
  EnumSet<Needed> missing;
  EnumSet<Needed> stale;
  EnumSet<Check> failed;
  bool is_fault = false;
  // When the first needed value passes its bound if nothing newer comes; kNever if one already has.
  TimePoint expires = kNever;

  constexpr bool is_complete() const { return !missing.has_any(); }
  constexpr bool is_fresh() const { return is_complete() && !stale.has_any(); }
  constexpr bool is_plausible() const { return !failed.has_any(); }
  // Every value known, fresh and plausible. A fault can still forbid current.
  constexpr bool is_trusted() const { return is_fresh() && is_plausible(); }
  constexpr bool is_zero() const {
    return charge_current.value() == Milliamps{0} && discharge_current.value() == Milliamps{0};
  }
};

// Names the first field of the two that cannot be worked with, and what is allowed; empty when all is well.
// Callers check before they construct anything below.
struct ConfigError {
  std::string_view field;
  std::string_view allowed;
};
std::optional<ConfigError> check_config(const battery::Profile& profile, const LimitConfig& config);

// Bounds of CVL for every state of the battery and of the data, in mV of the pack.
Millivolts charge_voltage_max(const battery::Profile& profile);
Millivolts charge_voltage_floor(const battery::Profile& profile, const LimitConfig& config);

// Lowest and highest cell: as reported and from the single cells, whichever is worse, so that a report that
// lags cannot hide a cell. Empty without reported extremes.
struct CellSpan {
  Millivolts min;
  Millivolts max;
};
std::optional<CellSpan> cell_span(const battery::Snapshot& snapshot);

// The straight ramp all derating uses: zero at or below `zero_at`, all of `full` at or above `full_at`,
// rounded down in between. With full_at <= zero_at it is a step.
constexpr std::int64_t ramp_up_share(std::int64_t x, std::int64_t zero_at, std::int64_t full_at,
                                     std::int64_t full) {
  if (x <= zero_at) {
    return 0;
  }
  if (x >= full_at) {
    return full;
  }
  return full * (x - zero_at) / (full_at - zero_at);
}

// The decision without memory: no ramp, no recovery delay, no step of CVL. Pure; what property tests examine.
LimitDecision instant_limits(TimePoint now, const battery::Snapshot& snapshot,
                             const battery::Profile& profile, const LimitConfig& config,
                             const UserLimits& user);

// The decision with memory. One object for each battery; call it at any rhythm, with the same or a later
// `now` each time. An earlier `now` is taken as no time having passed.
class LimitCalculator {
 public:
  // Needs !check_config(profile, config).
  LimitCalculator(const battery::Profile& profile, const LimitConfig& config);

  void set_user_limits(const UserLimits& user) { user_ = user; }
  const UserLimits& user_limits() const { return user_; }

  // With is_inverter_lost both currents are zero for that reason, and rise again from zero.
  LimitDecision decide(TimePoint now, const battery::Snapshot& snapshot, bool is_inverter_lost);

 private:
  // Ceiling of a rising current. One mA per second times one microsecond is one nA, so that the ramp is exact
  // however often it is asked.
  struct Ramp {
    Milliamps maximum{};
    std::int64_t ceiling_na = 0;
    void apply(Explained<Milliamps>& current, Duration elapsed, const LimitConfig& config);
  };
  void apply_recovery(TimePoint now, LimitDecision& decision);
  void apply_voltage_step(const battery::Snapshot& snapshot, LimitDecision& decision);

  battery::Profile profile_;
  LimitConfig config_;
  UserLimits user_;
  Ramp charge_;
  Ramp discharge_;
  std::optional<TimePoint> last_decision_;
  std::optional<TimePoint> recovered_at_;  // when zero may end; empty while nothing was lost
  bool was_trusted_ = false;
  bool has_lost_trust_ = false;
  bool is_stepped_down_ = false;
  Millivolts charge_voltage_last_{};
};

}  // namespace amphora::inverter
