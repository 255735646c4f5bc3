// SPDX-License-Identifier: Apache-2.0
// Who is due next: one slot for each actor of a simulated world, with the time at which it wants to be
// called.
//
// Every model and node tells its next time-out itself (poll_timeout), so a world needs no queue of callbacks:
// after an actor was touched, its slot is set again, and the world jumps to the earliest slot. Time in which
// nothing is due costs nothing. Among equal times the lowest slot goes first, whatever order they were set
// in, so that a run does not depend on the history of the heap.
//
// Memory: allocated by the constructor, never afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/assert.hpp"
#include "core/base/time.hpp"

namespace amphora::sim {

class Agenda {
 public:
  using Slot = std::size_t;

  explicit Agenda(std::size_t slot_count) {
    AMPHORA_ASSERT(slot_count > 0);
    due_.assign(slot_count, kNever);
    for (Slot slot = 0; slot < slot_count; ++slot) {
      heap_.push_back(slot);
      position_.push_back(slot);
    }
  }

  // kNever takes the slot out of the running.
  void set(Slot slot, TimePoint at) {
    if (due_[slot] == at) {
      return;
    }
    due_[slot] = at;
    sift_up(position_[slot]);
    sift_down(position_[slot]);
  }
  TimePoint at(Slot slot) const { return due_[slot]; }

  // The earliest slot; its time is kNever when nothing is due at all.
  Slot next_slot() const { return heap_.front(); }
  TimePoint next_at() const { return due_[heap_.front()]; }

 private:
  bool is_before(Slot a, Slot b) const { return due_[a] != due_[b] ? due_[a] < due_[b] : a < b; }
  void place(std::size_t position, Slot slot) {
    heap_[position] = slot;
    position_[slot] = position;
  }
  void sift_up(std::size_t position) {
    const Slot slot = heap_[position];
    while (position > 0) {
      const std::size_t parent = (position - 1) / 2;
      if (!is_before(slot, heap_[parent])) {
        break;
      }
      place(position, heap_[parent]);
      position = parent;
    }
    place(position, slot);
  }
  void sift_down(std::size_t position) {
    const Slot slot = heap_[position];
    for (;;) {
      std::size_t child = 2 * position + 1;
      if (child >= heap_.size()) {
        break;
      }
      if (child + 1 < heap_.size() && is_before(heap_[child + 1], heap_[child])) {
        ++child;
      }
      if (!is_before(heap_[child], slot)) {
        break;
      }
      place(position, heap_[child]);
      position = child;
    }
    place(position, slot);
  }

  std::vector<TimePoint> due_;
  std::vector<Slot> heap_;             // slots, earliest first
  std::vector<std::size_t> position_;  // of each slot in heap_
};

}  // namespace amphora::sim
