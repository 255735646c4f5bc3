// SPDX-License-Identifier: Apache-2.0
#include "core/energy/local_time.hpp"

#include <algorithm>

namespace amphora::energy {

namespace {

constexpr bool is_offset(std::int32_t offset_s) {
  return offset_s >= kUtcOffsetMinS && offset_s <= kUtcOffsetMaxS;
}

}  // namespace

bool is_inside(const Window& window, LocalTime at) {
  const std::int32_t minute = at.minute_of_day();
  const std::uint32_t today = at.weekday();
  const std::uint32_t yesterday = (today + 6) % 7;
  const bool starts_today = ((window.days >> today) & 1U) != 0;
  const bool started_yesterday = ((window.days >> yesterday) & 1U) != 0;
  if (window.start_minute < window.end_minute) {
    return starts_today && minute >= window.start_minute && minute < window.end_minute;
  }
  return (starts_today && minute >= window.start_minute) || (started_yesterday && minute < window.end_minute);
}

bool Clock::handle_time(TimePoint now, const TimeReading& reading) {
  if (reading.unix_s < kUnixMinS || reading.unix_s > kUnixMaxS || !is_offset(reading.utc_offset_s) ||
      (reading.next_change && !is_offset(reading.next_change->utc_offset_s))) {
    return false;
  }
  reading_ = reading;
  read_at_ = now;
  return true;
}

std::optional<std::int64_t> Clock::unix_s(TimePoint now) const {
  if (!reading_) {
    return std::nullopt;
  }
  return reading_->unix_s + std::chrono::duration_cast<std::chrono::seconds>(now - read_at_).count();
}

std::int32_t Clock::offset_at(std::int64_t unix_s) const {
  return reading_->next_change && unix_s >= reading_->next_change->at_unix_s
             ? reading_->next_change->utc_offset_s
             : reading_->utc_offset_s;
}

std::optional<LocalTime> Clock::local(TimePoint now) const {
  const auto unix = unix_s(now);
  return unix ? std::optional{LocalTime{*unix + offset_at(*unix)}} : std::nullopt;
}

std::optional<std::int64_t> Clock::next_unix_s(TimePoint now, std::uint16_t minute_of_day) const {
  const auto unix = unix_s(now);
  if (!unix) {
    return std::nullopt;
  }
  const std::int32_t offset = offset_at(*unix);
  const std::int64_t local = *unix + offset;
  const std::int64_t midnight = local - local % kSecondsPerDay;
  // What the wall will show: today's minute or, when it has passed, tomorrow's.
  std::int64_t wanted = midnight + std::int64_t{minute_of_day} * 60;
  if (wanted < local) {
    wanted += kSecondsPerDay;
  }
  const std::int64_t without_change = wanted - offset;
  const auto& change = reading_->next_change;
  if (!change || *unix >= change->at_unix_s || without_change < change->at_unix_s) {
    return without_change;
  }
  return std::max(wanted - change->utc_offset_s, change->at_unix_s);
}

}  // namespace amphora::energy
