// SPDX-License-Identifier: Apache-2.0
// The grid as a house sees it: there or not, and at what price; and the zone's clock on the wall.
//
// The wall follows central European rules: UTC+1, and UTC+2 from the last Sunday of March to the last Sunday
// of October, both at 01:00 UTC.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "core/base/time.hpp"

namespace amphora::sim {

// Hundredths of a cent for a kilowatt hour.
struct Tariff {
  std::int64_t night = 1'800;  // 00:00 to 06:00
  std::int64_t day = 3'000;
  std::int64_t evening = 3'900;  // 17:00 to 21:00
  std::int64_t feed_in = 800;

  constexpr bool is_cheap(std::int64_t local_s) const { return price(local_s) == night; }
  constexpr std::int64_t price(std::int64_t local_s) const {
    const std::int64_t hour = local_s % 86'400 / 3'600;
    return hour < 6 ? night : (hour >= 17 && hour < 21 ? evening : day);
  }
};

struct Outage {
  TimePoint from{};
  TimePoint until{};
};

class PowerGrid {
 public:
  // In the order of their beginnings, not overlapping.
  explicit PowerGrid(std::vector<Outage> outages) : outages_{std::move(outages)} {}
  // Call with times that do not run backwards.
  bool is_up(TimePoint now) {
    while (next_ < outages_.size() && now >= outages_[next_].until) {
      ++next_;
    }
    return next_ == outages_.size() || now < outages_[next_].from;
  }

 private:
  std::vector<Outage> outages_;
  std::size_t next_ = 0;
};

struct ZoneChange {
  std::int64_t at_unix_s = 0;
  std::int32_t utc_offset_s = 0;  // from then on
};

namespace detail {
constexpr std::int64_t change_of(int year, unsigned month) {
  const std::chrono::sys_days day{std::chrono::year{year} / std::chrono::month{month} /
                                  std::chrono::Sunday[std::chrono::last]};
  return std::int64_t{day.time_since_epoch().count()} * 86'400 + 3'600;
}
}  // namespace detail

inline constexpr std::int32_t kWinterOffsetS = 3'600;
inline constexpr std::int32_t kSummerOffsetS = 7'200;

// The first change after `unix_s`.
constexpr ZoneChange next_change_after(std::int64_t unix_s) {
  const std::chrono::year_month_day date{
      std::chrono::sys_days{std::chrono::days{static_cast<int>(unix_s / 86'400)}}};
  const int year = static_cast<int>(date.year());
  if (unix_s < detail::change_of(year, 3)) {
    return {detail::change_of(year, 3), kSummerOffsetS};
  }
  if (unix_s < detail::change_of(year, 10)) {
    return {detail::change_of(year, 10), kWinterOffsetS};
  }
  return {detail::change_of(year + 1, 3), kSummerOffsetS};
}
constexpr std::int32_t offset_before(const ZoneChange& change) {
  return change.utc_offset_s == kSummerOffsetS ? kWinterOffsetS : kSummerOffsetS;
}

}  // namespace amphora::sim
