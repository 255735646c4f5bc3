// SPDX-License-Identifier: Apache-2.0
// The clock of one simulated device: its own origin and its own rate.
//
// local(world) = offset + world + world * drift_ppm / 1,000,000, rounded down. Nodes only ever see local
// time, so a node that compares another device's uptime with its own, or that relies on starting at zero, is
// found out.
#pragma once

#include <cstdint>

#include "core/base/time.hpp"

namespace amphora::sim {

class LocalClock {
 public:
  constexpr LocalClock() = default;
  // |drift_ppm| <= 10,000. A negative offset is a device that boots later; its local time must not be
  // negative while it runs.
  constexpr LocalClock(Duration offset, std::int32_t drift_ppm) : offset_{offset}, drift_ppm_{drift_ppm} {}

  constexpr TimePoint to_local(TimePoint world) const {
    return TimePoint{world.time_since_epoch() + offset_ + drift(world.time_since_epoch())};
  }

  // The first world time at which local time has reached `local`: waking then is never too early.
  constexpr TimePoint to_world(TimePoint local) const {
    if (local == kNever) {
      return kNever;
    }
    const Duration elapsed = local.time_since_epoch() - offset_;
    if (drift_ppm_ == 0) {
      return TimePoint{elapsed};
    }
    // A first guess at 1/(1+drift), then the exact microsecond.
    TimePoint world{Duration{elapsed.count() - elapsed.count() / 1'000'000 * drift_ppm_}};
    for (Duration wrong = local - to_local(world); wrong.count() > 1 || wrong.count() < -1;
         wrong = local - to_local(world)) {
      world += wrong;
    }
    while (to_local(world) >= local) {
      world -= Duration{1};
    }
    while (to_local(world) < local) {
      world += Duration{1};
    }
    return world;
  }

 private:
  constexpr Duration drift(Duration elapsed) const {
    const std::int64_t millions = elapsed.count() / 1'000'000;
    const std::int64_t rest = elapsed.count() % 1'000'000;
    const std::int64_t product = rest * drift_ppm_;
    const std::int64_t down = product >= 0 ? product / 1'000'000 : -((-product + 999'999) / 1'000'000);
    return Duration{millions * drift_ppm_ + down};
  }

  Duration offset_{};
  std::int32_t drift_ppm_ = 0;
};

}  // namespace amphora::sim
