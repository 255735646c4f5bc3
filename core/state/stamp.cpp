// SPDX-License-Identifier: Apache-2.0
#include "core/state/stamp.hpp"

#include <algorithm>

namespace amphora::state {

namespace {

std::uint64_t milliseconds_between(TimePoint from, TimePoint to) {
  return to > from ? static_cast<std::uint64_t>(to_milliseconds(to - from)) : 0;
}

}  // namespace

bool HybridClock::set_wall_time(TimePoint now, WallTime wall) {
  if (wall.unix_ms < 0 || static_cast<std::uint64_t>(wall.unix_ms) > kWallTimeMax) {
    ++refused_count_;
    return false;
  }
  set_reference(now, static_cast<std::uint64_t>(wall.unix_ms), Source::kWall);
  return true;
}

void HybridClock::start_without_wall_time(TimePoint now) {
  if (source_ == Source::kNone) {
    set_reference(now, newest_.physical_ms, Source::kCounting);
  }
}

bool HybridClock::merge(const Stamp& seen) {
  if (!is_plausible(seen)) {
    ++refused_count_;
    return false;
  }
  newest_ = std::max(newest_, seen);
  return true;
}

bool HybridClock::take_peer_reading(TimePoint now, const ClockReading& reading) {
  if (!merge(reading.stamp)) {
    return false;
  }
  has_met_peer_ = true;
  if (reading.has_time) {
    if (source_ != Source::kWall) {
      set_reference(now, reading.stamp.physical_ms, Source::kPeer);
    }
  } else {
    start_without_wall_time(now);
  }
  return true;
}

std::optional<Stamp> HybridClock::stamp(TimePoint now) {
  if (!can_stamp()) {
    return std::nullopt;
  }
  const std::uint64_t physical = physical_at(now);
  newest_ = physical > newest_.physical_ms ? Stamp{physical, 0} : successor(newest_);
  return newest_;
}

std::optional<Stamp> HybridClock::stamp_of_past(TimePoint now, TimePoint made_at) const {
  if (!can_stamp()) {
    return std::nullopt;
  }
  const std::uint64_t physical = physical_at(now);
  return Stamp{physical - std::min(physical, milliseconds_between(made_at, now)), 0};
}

ClockReading HybridClock::reading(TimePoint now) const {
  return {source_ >= Source::kPeer, std::max(newest_, Stamp{physical_at(now), 0})};
}

std::optional<WallTime> HybridClock::wall_time(TimePoint now) const {
  if (source_ < Source::kPeer) {
    return std::nullopt;
  }
  return WallTime{static_cast<std::int64_t>(physical_at(now))};
}

Duration HybridClock::ahead_of_wall(TimePoint now) const {
  const std::uint64_t physical = physical_at(now);
  if (source_ < Source::kPeer || newest_.physical_ms <= physical) {
    return Duration::zero();
  }
  return std::chrono::milliseconds{newest_.physical_ms - physical};
}

std::uint64_t HybridClock::physical_at(TimePoint now) const {
  return source_ == Source::kNone ? 0 : reference_ms_ + milliseconds_between(reference_at_, now);
}

void HybridClock::set_reference(TimePoint now, std::uint64_t physical_ms, Source source) {
  source_ = source;
  reference_at_ = now;
  reference_ms_ = physical_ms;
}

void HybridClock::add_to(Digest& digest) const {
  digest.add_number((static_cast<std::int64_t>(source_) << 2) | (has_met_peer_ ? 2 : 0) |
                    static_cast<std::int64_t>(memory_));
  digest.add_number(static_cast<std::int64_t>(newest_.physical_ms));
  digest.add_number(newest_.logical);
  digest.add_number(static_cast<std::int64_t>(reference_ms_));
  digest.add_number(to_microseconds(reference_at_));
}

}  // namespace amphora::state
