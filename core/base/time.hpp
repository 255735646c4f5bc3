// SPDX-License-Identifier: Apache-2.0
// Time as the core sees it: a number that the host passes in.
//
// Monotonic time is a signed 64-bit count of microseconds since an origin that only the host knows. The clock
// type has no now(): a machine that wants to know the time must be told, which is what lets the simulator run
// it at any speed. Uptimes of two devices are never compared. Wall time is data (milliseconds since 1970,
// UTC) and may be unknown.
#pragma once

#include <chrono>
#include <cstdint>

namespace amphora {

struct MonotonicClock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<MonotonicClock, duration>;
  static constexpr bool is_steady = true;
};

using Duration = MonotonicClock::duration;
using TimePoint = MonotonicClock::time_point;

// "No time-out pending": later than every time a host passes in.
inline constexpr TimePoint kNever = TimePoint::max();

// Adds without passing kNever. Hosts start their clock at or above zero, so only the upper end can overflow.
constexpr TimePoint add_saturating(TimePoint at, Duration by) {
  return (by > Duration::zero() && at > kNever - by) ? kNever : at + by;
}

constexpr TimePoint earliest(TimePoint a, TimePoint b) {
  return a < b ? a : b;
}

// Whole milliseconds, for wire fields and logs.
constexpr std::int64_t to_milliseconds(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}
constexpr std::int64_t to_microseconds(TimePoint t) {
  return t.time_since_epoch().count();
}

// UTC milliseconds since 1970-01-01. Data, not a clock: nothing is timed by it.
struct WallTime {
  std::int64_t unix_ms = 0;
  friend constexpr auto operator<=>(WallTime, WallTime) = default;
};

}  // namespace amphora
