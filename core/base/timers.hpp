// SPDX-License-Identifier: Apache-2.0
// The timers of one machine: one slot for each purpose, named by an enum that ends in kCount.
//
// A machine sets and cancels timers by name, asks next() for its poll_timeout(), and on handle_timeout(now)
// takes the due ones with pop_due(). A spurious time-out finds none due and is therefore harmless.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "core/base/time.hpp"

namespace amphora {

template <class Name>
class TimerTable {
 public:
  constexpr TimerTable() { due_.fill(kNever); }

  constexpr void set(Name name, TimePoint at) { due_[index(name)] = at; }
  constexpr void cancel(Name name) { due_[index(name)] = kNever; }
  constexpr bool is_set(Name name) const { return due_[index(name)] != kNever; }
  constexpr TimePoint at(Name name) const { return due_[index(name)]; }

  // When the earliest timer is due, kNever if none is set.
  constexpr TimePoint next() const {
    TimePoint first = kNever;
    for (const TimePoint at : due_) {
      first = earliest(first, at);
    }
    return first;
  }

  // Takes the earliest due timer (equal times: the lowest enumerator), or nothing.
  constexpr std::optional<Name> pop_due(TimePoint now) {
    std::size_t best = kCount;
    for (std::size_t i = 0; i < kCount; ++i) {
      if (due_[i] <= now && due_[i] != kNever && (best == kCount || due_[i] < due_[best])) {
        best = i;
      }
    }
    if (best == kCount) {
      return std::nullopt;
    }
    due_[best] = kNever;
    return static_cast<Name>(best);
  }

 private:
  static constexpr std::size_t kCount = static_cast<std::size_t>(Name::kCount);
  static constexpr std::size_t index(Name name) { return static_cast<std::size_t>(name); }
  std::array<TimePoint, kCount> due_{};
};

}  // namespace amphora
