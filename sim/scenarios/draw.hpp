// SPDX-License-Identifier: Apache-2.0
// Random moments of fault plans.
#pragma once

#include "core/base/rng.hpp"
#include "core/base/time.hpp"

namespace amphora::sim {

// Uniform in [low, high] by microseconds; the span is below 71 minutes (2^32 us).
inline Duration between(Rng& rng, Duration low, Duration high) {
  return Duration{rng.between(low.count(), high.count())};
}

// The same by whole seconds, for spans of hours and days.
inline Duration seconds_between(Rng& rng, Duration low, Duration high) {
  using std::chrono::seconds;
  return seconds{rng.between(std::chrono::duration_cast<seconds>(low).count(),
                             std::chrono::duration_cast<seconds>(high).count())};
}

// The same by whole milliseconds, for spans of hours.
inline Duration milliseconds_between(Rng& rng, Duration low, Duration high) {
  return std::chrono::milliseconds{rng.between(to_milliseconds(low), to_milliseconds(high))};
}

}  // namespace amphora::sim
