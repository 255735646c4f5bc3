// SPDX-License-Identifier: Apache-2.0
// A bounded queue from any number of threads to one, without locks.
//
// A producer never waits: when the queue is full the new element is refused and counted. The consumer is
// woken by a descriptor that becomes readable (for FdWatch or poll); many pushes cost one wake. Elements of
// one producer keep their order.
//
// The algorithm is D. Vyukov's bounded queue with one sequence number per cell (2010): a cell whose number
// equals the position is free, one more is filled. Memory is taken once, in the constructor.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/assert.hpp"

namespace amphora::runtime {

template <class T>
class BoundedQueue {
 public:
  // `capacity` is rounded up to a power of two, at least 2. Aborts when the system has no descriptor left.
  explicit BoundedQueue(std::size_t capacity)
      : mask_{std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity) - 1},
        cells_{std::make_unique<Cell[]>(mask_ + 1)},
        wake_fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
    AMPHORA_ASSERT(wake_fd_ >= 0);
    for (std::size_t i = 0; i <= mask_; ++i) {
      cells_[i].sequence.store(i, std::memory_order_relaxed);
    }
  }
  ~BoundedQueue() { ::close(wake_fd_); }
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  std::size_t capacity() const { return mask_ + 1; }
  std::uint64_t dropped_count() const { return dropped_count_.load(std::memory_order_relaxed); }
  // A moment's estimate while others push.
  std::size_t size() const {
    const std::size_t tail = tail_.load(std::memory_order_acquire);
    const std::size_t head = head_.load(std::memory_order_acquire);
    return tail >= head ? tail - head : 0;
  }

  // Any thread. False, counted, and `value` untouched when full.
  bool push(T&& value) {
    std::size_t position = tail_.load(std::memory_order_relaxed);
    while (true) {
      Cell& cell = cells_[position & mask_];
      const std::size_t sequence = cell.sequence.load(std::memory_order_acquire);
      const auto difference = static_cast<std::ptrdiff_t>(sequence - position);
      if (difference == 0) {
        if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
          cell.value = std::move(value);
          cell.sequence.store(position + 1, std::memory_order_release);
          wake();
          return true;
        }
      } else if (difference < 0) {
        dropped_count_.fetch_add(1, std::memory_order_relaxed);
        return false;
      } else {
        position = tail_.load(std::memory_order_relaxed);
      }
    }
  }
  bool push(const T& value) { return push(T{value}); }

  // The consumer's thread only.
  std::optional<T> pop() {
    const std::size_t position = head_.load(std::memory_order_relaxed);
    Cell& cell = cells_[position & mask_];
    if (cell.sequence.load(std::memory_order_acquire) != position + 1) {
      return std::nullopt;
    }
    std::optional<T> value{std::move(cell.value)};
    cell.value = T{};
    cell.sequence.store(position + mask_ + 1, std::memory_order_release);
    head_.store(position + 1, std::memory_order_release);
    return value;
  }

  // Readable when there may be something to pop. The consumer calls clear_wake() first, then pops until
  // empty.
  int wake_fd() const { return wake_fd_; }
  void clear_wake() {
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t size = ::read(wake_fd_, &ignored, sizeof ignored);
    is_woken_.store(false, std::memory_order_seq_cst);
  }

 private:
  struct Cell {
    std::atomic<std::size_t> sequence{0};
    T value{};
  };
  void wake() {
    if (!is_woken_.exchange(true, std::memory_order_seq_cst)) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t size = ::write(wake_fd_, &one, sizeof one);
    }
  }

  const std::size_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  const int wake_fd_;
  // Apart, so that producers and the consumer do not share a cache line.
  alignas(64) std::atomic<std::size_t> tail_{0};
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<bool> is_woken_{false};
  std::atomic<std::uint64_t> dropped_count_{0};
};

}  // namespace amphora::runtime
