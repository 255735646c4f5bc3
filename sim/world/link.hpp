// SPDX-License-Identifier: Apache-2.0
// A message path between two parts of a world, with faults.
//
// Each message meets the faults in force when it is sent: it can be lost (independently, or in bursts by the
// two-state model of Gilbert and Elliott), delayed, given a random extra delay (which reorders messages),
// duplicated, or stopped by a cut. Corruption is the payload's business: the link only decides it and hands
// the decision out with the message. Without any fault a message passes at once and no random number is
// drawn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "sim/world/event_queue.hpp"

namespace amphora::sim {

struct LinkFaults {
  std::uint32_t loss_ppm = 0;
  std::uint32_t burst_start_ppm = 0;  // per message in good state: a burst begins
  std::uint32_t burst_end_ppm = 0;    // per message in a burst: it ends
  std::uint32_t duplicate_ppm = 0;
  std::uint32_t corrupt_ppm = 0;
  Duration delay{};
  Duration jitter_max{};
  bool is_cut = false;

  constexpr bool has_any() const { return !(*this == LinkFaults{}); }
  friend constexpr bool operator==(const LinkFaults&, const LinkFaults&) = default;
};

struct LinkStatistics {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;  // copies included
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t corrupted = 0;
  std::uint64_t overflowed = 0;  // copies that found the link's queue full
};

template <class Message>
class Link {
 public:
  struct Arrival {
    Message message;
    bool is_corrupted = false;
  };

  Link(std::size_t capacity, Rng rng) : queue_{capacity}, rng_{rng} {}

  void set_faults(const LinkFaults& faults) { faults_ = faults; }
  const LinkFaults& faults() const { return faults_; }

  void send(TimePoint now, const Message& message) {
    ++statistics_.sent;
    if (!faults_.has_any()) {
      enqueue(now, Arrival{message, false});
      return;
    }
    if (is_lost()) {
      ++statistics_.lost;
      return;
    }
    const bool is_corrupted = rng_.chance(faults_.corrupt_ppm);
    statistics_.corrupted += is_corrupted ? 1U : 0U;
    const bool is_doubled = rng_.chance(faults_.duplicate_ppm);
    statistics_.duplicated += is_doubled ? 1U : 0U;
    const TimePoint first_at = arrival_time(now);
    enqueue(first_at, Arrival{message, is_corrupted});
    if (is_doubled) {
      const TimePoint second_at = arrival_time(now);
      enqueue(second_at, Arrival{message, is_corrupted});
    }
  }

  TimePoint poll_timeout() const { return queue_.next_at(); }
  std::optional<Arrival> poll_arrival(TimePoint now) {
    std::optional<Arrival> arrival = queue_.pop_due(now);
    statistics_.delivered += arrival ? 1U : 0U;
    return arrival;
  }
  // Everything in flight is gone, for example because the receiver restarted.
  void clear() { queue_.clear(); }
  const LinkStatistics& statistics() const { return statistics_; }
  std::size_t in_flight_count() const { return queue_.size(); }

 private:
  bool is_lost() {
    if (faults_.is_cut) {
      return true;
    }
    const bool changes = rng_.chance(is_in_burst_ ? faults_.burst_end_ppm : faults_.burst_start_ppm);
    is_in_burst_ = changes ? !is_in_burst_ : is_in_burst_;
    const bool is_hit = rng_.chance(faults_.loss_ppm);
    return is_in_burst_ || is_hit;
  }
  TimePoint arrival_time(TimePoint now) {
    const Duration extra{rng_.between(0, faults_.jitter_max.count())};
    return now + faults_.delay + extra;
  }
  void enqueue(TimePoint at, const Arrival& arrival) {
    if (!queue_.push(at, arrival)) {
      ++statistics_.overflowed;
    }
  }

  EventQueue<Arrival> queue_;
  Rng rng_;
  LinkFaults faults_;
  bool is_in_burst_ = false;
  LinkStatistics statistics_;
};

}  // namespace amphora::sim
