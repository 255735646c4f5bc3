// SPDX-License-Identifier: Apache-2.0
// What one simulated device believes the date is: unknown until it is told, with a rate of its own, and
// stepped now and then by whoever sets it.
//
// Independent of LocalClock: a device's uptime never jumps, its date does. The true date of a run is a world
// time plus kTrueDateAtStart.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/time.hpp"

namespace amphora::sim {

// 2026-01-01T00:00:00Z, the true date at world time zero.
inline constexpr WallTime kTrueDateAtStart{1'767'225'600'000};

constexpr WallTime true_date(TimePoint world) {
  return WallTime{kTrueDateAtStart.unix_ms + to_milliseconds(world.time_since_epoch())};
}

// An offset for LocalClock with which 32-bit milliseconds of uptime pass 2^32 `before_wrap` after world time
// zero.
inline constexpr std::int64_t kMillisecondWrap = std::int64_t{1} << 32U;
constexpr Duration offset_before_wrap(Duration before_wrap) {
  return Duration{kMillisecondWrap * 1'000} - before_wrap;
}

class WallClock {
 public:
  constexpr WallClock() = default;
  // |drift_ppm| <= 10,000, against world time, from the moment it is set.
  constexpr explicit WallClock(std::int32_t drift_ppm) : drift_ppm_{drift_ppm} {}

  // As a time server does.
  constexpr void set(TimePoint world, WallTime date) {
    is_known_ = true;
    set_at_ = world;
    date_ = date;
  }
  // Forward or backward; nothing while unknown.
  constexpr void step(TimePoint world, Duration by) {
    if (const auto date = at(world)) {
      set(world, WallTime{date->unix_ms + to_milliseconds(by)});
    }
  }
  // Without a battery behind the clock, a power cut forgets the date.
  constexpr void forget() { is_known_ = false; }

  constexpr std::optional<WallTime> at(TimePoint world) const {
    if (!is_known_) {
      return std::nullopt;
    }
    const std::int64_t elapsed_us = (world - set_at_).count();
    const std::int64_t drift_us =
        elapsed_us / 1'000'000 * drift_ppm_ + elapsed_us % 1'000'000 * drift_ppm_ / 1'000'000;
    return WallTime{date_.unix_ms + (elapsed_us + drift_us) / 1'000};
  }

 private:
  std::int32_t drift_ppm_ = 0;
  bool is_known_ = false;
  TimePoint set_at_{};
  WallTime date_{};
};

}  // namespace amphora::sim
