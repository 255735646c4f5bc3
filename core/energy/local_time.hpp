// SPDX-License-Identifier: Apache-2.0
// What the clock on the wall shows, and windows of the day.
//
// The core knows no time zones. The host, which has the rules of the owner's zone, gives UTC, the offset now
// and, where it knows it, the next change of the offset. A window is meant as people mean it: it is open
// while a clock on the wall shows a time inside it. So on the day with 23 hours a window inside the missing
// hour does not happen, and on the day with 25 hours a window inside the repeated hour happens twice; a
// window around the change is an hour shorter or longer. Nothing is ever computed as "so many hours from
// midnight".
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/time.hpp"

namespace amphora::energy {

inline constexpr std::int64_t kSecondsPerDay = 86'400;
inline constexpr std::int32_t kMinutesPerDay = 1440;
// UTC offsets in use lie between -12 h and +14 h.
inline constexpr std::int32_t kUtcOffsetMinS = -12 * 3600;
inline constexpr std::int32_t kUtcOffsetMaxS = 14 * 3600;
// A clock before 2024 or after 2100 has not been set.
inline constexpr std::int64_t kUnixMinS = 1'704'067'200;
inline constexpr std::int64_t kUnixMaxS = 4'102'444'800;

struct OffsetChange {
  std::int64_t at_unix_s = 0;
  std::int32_t utc_offset_s = 0;  // from then on
  friend constexpr bool operator==(const OffsetChange&, const OffsetChange&) = default;
};

struct TimeReading {
  std::int64_t unix_s = 0;
  std::int32_t utc_offset_s = 0;  // local time minus UTC, now
  std::optional<OffsetChange> next_change;
  friend constexpr bool operator==(const TimeReading&, const TimeReading&) = default;
};

// Local time as a count: seconds since 1970-01-01 00:00 as a clock on the wall would count them.
struct LocalTime {
  std::int64_t seconds = 0;

  constexpr std::int32_t second_of_day() const { return static_cast<std::int32_t>(seconds % kSecondsPerDay); }
  constexpr std::int32_t minute_of_day() const { return second_of_day() / 60; }
  // 0 is Monday. 1970-01-01 was a Thursday.
  constexpr std::uint32_t weekday() const {
    return static_cast<std::uint32_t>((seconds / kSecondsPerDay + 3) % 7);
  }
  friend constexpr auto operator<=>(LocalTime, LocalTime) = default;
};

// From start to end by the clock on the wall, end excluded. With end at or before start it crosses midnight;
// `days` names the days on which it starts (bit 0 Monday). start == end is 24 hours.
struct Window {
  std::uint16_t start_minute = 0;
  std::uint16_t end_minute = 0;
  std::uint8_t days = 0x7F;
  friend constexpr bool operator==(const Window&, const Window&) = default;
};
bool is_inside(const Window& window, LocalTime at);

// The wall clock carried forward on the monotonic one. Unknown until the first valid reading; the newest
// reading counts, also if it sets the clock back.
class Clock {
 public:
  // False, and nothing changed, for a reading that cannot be right.
  bool handle_time(TimePoint now, const TimeReading& reading);

  bool is_known() const { return reading_.has_value(); }
  std::optional<std::int64_t> unix_s(TimePoint now) const;
  std::optional<LocalTime> local(TimePoint now) const;
  // The first moment from `now` on at which the wall shows this minute of the day; a minute that the day
  // skips is replaced by the moment of the skip.
  std::optional<std::int64_t> next_unix_s(TimePoint now, std::uint16_t minute_of_day) const;

 private:
  std::int32_t offset_at(std::int64_t unix_s) const;

  std::optional<TimeReading> reading_;
  TimePoint read_at_{};
};

}  // namespace amphora::energy
