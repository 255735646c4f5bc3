// SPDX-License-Identifier: Apache-2.0
// A value with the moment it was measured. Unknown is an empty Reading, never -1, 0 or NaN.
#pragma once

#include <optional>

#include "core/base/time.hpp"

namespace amphora {

template <class T>
struct Sampled {
  T value{};
  TimePoint at{};

  constexpr Duration age(TimePoint now) const { return now - at; }
  friend constexpr bool operator==(const Sampled&, const Sampled&) = default;
};

// What a device may or may not have told us.
template <class T>
using Reading = std::optional<Sampled<T>>;

// The value if it is known and not older than `age_max`.
template <class T>
constexpr std::optional<T> fresh(const Reading<T>& reading, TimePoint now, Duration age_max) {
  if (reading && reading->age(now) <= age_max) {
    return reading->value;
  }
  return std::nullopt;
}

template <class T>
constexpr std::optional<T> known(const Reading<T>& reading) {
  return reading ? std::optional<T>{reading->value} : std::nullopt;
}

}  // namespace amphora
