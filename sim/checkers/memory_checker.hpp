// SPDX-License-Identifier: Apache-2.0
// Invariant 7: queues keep their capacity, every drop is counted, and no memory is taken after the start.
//
// Queues: the scenario hands in size and capacity of each queue it can see. Drops: what entered a stream must
// have left it or be counted as dropped. Memory: programs that link the counting operators new and delete
// (allocation_hook) get an exact count for the running thread; others check only the first two, and
// is_counting() says which.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/time.hpp"
#include "sim/checkers/violation.hpp"

namespace amphora::sim {

// Allocations of this thread so far. Replaced by the hook; without it there is nothing to count.
using AllocationCounter = std::uint64_t (*)();
void set_allocation_counter(AllocationCounter counter);
AllocationCounter allocation_counter();

class MemoryChecker {
 public:
  explicit MemoryChecker(ViolationLog& log) : log_{log} {}

  static bool is_counting() { return allocation_counter() != nullptr; }

  // Everything is built; from here on nothing may allocate.
  void handle_start() { at_start_ = count(); }
  void check_memory(TimePoint now) {
    const std::uint64_t allocations = count() - at_start_;
    if (allocations != 0) {
      log_.add(kInvariantBoundedQueues, now, "memory was allocated after the start; a: how often",
               static_cast<std::int64_t>(allocations));
      at_start_ = count();
    }
  }
  void check_queue(TimePoint now, std::size_t size, std::size_t capacity) {
    if (size > capacity) {
      log_.add(kInvariantBoundedQueues, now, "a queue is longer than its capacity; a: size, b: capacity",
               static_cast<std::int64_t>(size), static_cast<std::int64_t>(capacity));
    }
  }
  // Of a stream: entered == left + waiting + dropped.
  void check_balance(TimePoint now, std::uint64_t entered, std::uint64_t left, std::uint64_t waiting,
                     std::uint64_t dropped) {
    if (entered != left + waiting + dropped) {
      log_.add(kInvariantBoundedQueues, now, "a drop was not counted; a: entered, b: accounted for",
               static_cast<std::int64_t>(entered), static_cast<std::int64_t>(left + waiting + dropped));
    }
  }

 private:
  static std::uint64_t count() {
    const AllocationCounter counter = allocation_counter();
    return counter == nullptr ? 0 : counter();
  }

  ViolationLog& log_;
  std::uint64_t at_start_ = 0;
};

}  // namespace amphora::sim
