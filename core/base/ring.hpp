// SPDX-License-Identifier: Apache-2.0
// A bounded first-in first-out queue with its storage inside.
//
// What happens when it is full is the caller's choice and is counted: push() refuses the newest,
// push_overwrite() drops the oldest. Capacity is a template parameter so that memory is known when the
// program is linked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/assert.hpp"

namespace amphora {

template <class T, std::size_t Capacity>
class Ring {
  static_assert(Capacity > 0);

 public:
  static constexpr std::size_t capacity() { return Capacity; }
  constexpr std::size_t size() const { return size_; }
  constexpr bool is_empty() const { return size_ == 0; }
  constexpr bool is_full() const { return size_ == Capacity; }
  // Elements refused or overwritten since construction.
  constexpr std::uint64_t dropped_count() const { return dropped_count_; }

  // False, and counted, when full.
  constexpr bool push(const T& value) {
    if (is_full()) {
      ++dropped_count_;
      return false;
    }
    slots_[(head_ + size_) % Capacity] = value;
    ++size_;
    return true;
  }

  // Makes room by dropping the oldest; false when that happened.
  constexpr bool push_overwrite(const T& value) {
    const bool had_room = !is_full();
    if (!had_room) {
      (void)pop();
      ++dropped_count_;
    }
    slots_[(head_ + size_) % Capacity] = value;
    ++size_;
    return had_room;
  }

  constexpr std::optional<T> pop() {
    if (is_empty()) {
      return std::nullopt;
    }
    std::optional<T> value{slots_[head_]};
    head_ = (head_ + 1) % Capacity;
    --size_;
    return value;
  }

  // Index 0 is the oldest.
  constexpr const T& operator[](std::size_t index) const {
    AMPHORA_ASSERT(index < size_);
    return slots_[(head_ + index) % Capacity];
  }
  constexpr const T& front() const { return (*this)[0]; }

  constexpr void clear() {
    head_ = 0;
    size_ = 0;
  }

 private:
  std::array<T, Capacity> slots_{};
  std::size_t head_ = 0;
  std::size_t size_ = 0;
  std::uint64_t dropped_count_ = 0;
};

}  // namespace amphora
