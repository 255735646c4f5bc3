// SPDX-License-Identifier: Apache-2.0
// Things that will happen at a known virtual time, for example messages in flight.
//
// Equal times leave in the order in which they entered: the key is (time, sequence number), a total order, so
// that no two heap implementations can disagree. The capacity is fixed at construction; what does not fit is
// refused and counted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/time.hpp"

namespace amphora::sim {

template <class Payload>
class EventQueue {
 public:
  explicit EventQueue(std::size_t capacity) : capacity_{capacity} { heap_.reserve(capacity); }

  // False, and counted, when full.
  bool push(TimePoint at, const Payload& payload) {
    if (heap_.size() >= capacity_) {
      ++dropped_count_;
      return false;
    }
    heap_.push_back(Entry{at, next_sequence_, payload});
    ++next_sequence_;
    std::push_heap(heap_.begin(), heap_.end(), IsLater{});
    return true;
  }

  TimePoint next_at() const { return heap_.empty() ? kNever : heap_.front().at; }

  // The earliest payload whose time has come, or nothing.
  std::optional<Payload> pop_due(TimePoint now) {
    if (heap_.empty() || heap_.front().at > now) {
      return std::nullopt;
    }
    std::pop_heap(heap_.begin(), heap_.end(), IsLater{});
    std::optional<Payload> payload{heap_.back().payload};
    heap_.pop_back();
    return payload;
  }

  void clear() { heap_.clear(); }
  std::size_t size() const { return heap_.size(); }
  std::size_t capacity() const { return capacity_; }
  std::uint64_t dropped_count() const { return dropped_count_; }

 private:
  struct Entry {
    TimePoint at;
    std::uint64_t sequence;
    Payload payload;
  };
  struct IsLater {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
    }
  };

  std::size_t capacity_;
  std::vector<Entry> heap_;
  std::uint64_t next_sequence_ = 0;
  std::uint64_t dropped_count_ = 0;
};

}  // namespace amphora::sim
