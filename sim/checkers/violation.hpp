// SPDX-License-Identifier: Apache-2.0
// A broken invariant, and the list of those found in a run.
//
// The numbers are those of the list in docs/SIMULATOR.md. The rule is a sentence; a and b are what it
// compared. Only the first few are kept, all are counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/ring.hpp"
#include "core/base/time.hpp"

namespace amphora::sim {

struct Violation {
  int invariant = 0;
  TimePoint at{};
  const char* rule = "";
  std::int64_t a = 0;
  std::int64_t b = 0;
};

class ViolationLog {
 public:
  static constexpr std::size_t kKeptMax = 16;

  void add(int invariant, TimePoint at, const char* rule, std::int64_t a = 0, std::int64_t b = 0) {
    ++count_;
    (void)kept_.push(Violation{invariant, at, rule, a, b});
  }
  bool is_empty() const { return count_ == 0; }
  std::uint64_t count() const { return count_; }
  // Oldest first, at most kKeptMax.
  const Ring<Violation, kKeptMax>& kept() const { return kept_; }

 private:
  std::uint64_t count_ = 0;
  Ring<Violation, kKeptMax> kept_;
};

inline constexpr int kInvariantSections = 1;
inline constexpr int kInvariantDelivery = 2;
inline constexpr int kInvariantOneMaster = 3;
inline constexpr int kInvariantNodeIds = 4;
// Relays, their holders, and the energy behind them.
inline constexpr int kInvariantRelays = 5;
inline constexpr int kInvariantFreshLimits = 6;
inline constexpr int kInvariantBoundedQueues = 7;
inline constexpr int kInvariantStore = 8;
// Not one of the numbered invariants of the system, but a promise of the output: 0x351 keeps its rhythm.
inline constexpr int kInvariantRhythm = 10;

}  // namespace amphora::sim
