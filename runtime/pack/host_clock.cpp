// SPDX-License-Identifier: Apache-2.0
#include "runtime/pack/host_clock.hpp"

#include <sys/timex.h>

#include <ctime>

namespace amphora::runtime {
namespace {

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;
// No zone keeps two offsets for less.
constexpr std::int64_t kStep = 7 * kDay;
constexpr std::int64_t kHorizon = 400 * kDay;

}  // namespace

std::int32_t utc_offset_s(std::int64_t unix_s) {
  const auto time = static_cast<std::time_t>(unix_s);
  std::tm local{};
  return ::localtime_r(&time, &local) == nullptr ? 0 : static_cast<std::int32_t>(local.tm_gmtoff);
}

std::optional<energy::OffsetChange> next_offset_change(std::int64_t unix_s) {
  const std::int32_t offset = utc_offset_s(unix_s);
  std::int64_t before = unix_s;
  std::int64_t after = unix_s;
  do {
    before = after;
    after += kStep;
    if (after > unix_s + kHorizon) {
      return std::nullopt;
    }
  } while (utc_offset_s(after) == offset);
  while (after - before > 1) {
    const std::int64_t middle = before + (after - before) / 2;
    (utc_offset_s(middle) == offset ? before : after) = middle;
  }
  return energy::OffsetChange{after, utc_offset_s(after)};
}

energy::TimeReading HostClock::read(std::int64_t unix_s) {
  const bool is_past = change_ && unix_s >= change_->at_unix_s;
  const bool is_set_back = unix_s < searched_at_s_;
  if (!has_searched_ || is_past || is_set_back || unix_s >= searched_at_s_ + kDay) {
    change_ = next_offset_change(unix_s);
    searched_at_s_ = unix_s;
    has_searched_ = true;
  }
  return {unix_s, utc_offset_s(unix_s), change_};
}

bool is_clock_synchronised() {
  timex status{};
  const int state = ::adjtimex(&status);
  return state >= 0 && state != TIME_ERROR && (status.status & STA_UNSYNC) == 0;
}

}  // namespace amphora::runtime
