// SPDX-License-Identifier: Apache-2.0
// Invariant 2: a reading that was acknowledged was delivered once, in order; a reading that was never
// delivered was counted as dropped or expired, or went with the memory of a box that lost its power.
//
// A source is one transmitter. A reading is named by the epoch of its stream and its sequence. The world
// tells what a source produced, what became durable at the consumer, and what the source's own counters say.
//
// Memory: room for reading_count_max readings of each source, taken by the constructor. Beyond that the
// oldest are forgotten, and a delivery of a forgotten one counts as unknown, so a world gives room for all of
// a run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/assert.hpp"
#include "core/base/time.hpp"
#include "sim/checkers/violation.hpp"

namespace amphora::sim {

// What a source says about itself since its boot.
struct SourceCounters {
  std::uint64_t added = 0;
  std::uint64_t acked = 0;
  std::uint64_t dropped = 0;
  std::uint64_t expired = 0;
  std::uint64_t waiting = 0;
};

class DeliveryChecker {
 public:
  DeliveryChecker(std::size_t source_count, std::size_t reading_count_max, ViolationLog& log) : log_{log} {
    sources_.resize(source_count);
    for (Source& source : sources_) {
      source.readings.reserve(reading_count_max);
    }
  }

  void handle_produced(std::size_t source, std::uint32_t epoch, std::uint32_t sequence,
                       std::uint64_t digest) {
    Source& from = sources_[source];
    AMPHORA_ASSERT(from.readings.size() < from.readings.capacity());
    from.readings.push_back(Reading{epoch, sequence, digest});
  }

  // Durable at the consumer.
  void handle_delivered(TimePoint now, std::size_t source, std::uint32_t epoch, std::uint32_t sequence,
                        std::uint64_t digest) {
    Source& from = sources_[source];
    const std::optional<std::size_t> index = find(from, epoch, sequence);
    if (!index) {
      log_.add(kInvariantDelivery, now, "a reading was delivered that nobody produced; a: epoch, b: sequence",
               epoch, sequence);
      return;
    }
    Reading& reading = from.readings[*index];
    if (reading.is_delivered) {
      ++from.duplicated;
      log_.add(kInvariantDelivery, now, "a reading was delivered twice; a: epoch, b: sequence", epoch,
               sequence);
      return;
    }
    if (*index < from.next) {
      log_.add(kInvariantDelivery, now, "a reading was delivered out of order; a: epoch, b: sequence", epoch,
               sequence);
    }
    if (reading.digest != digest) {
      log_.add(kInvariantDelivery, now, "a reading was delivered with other bytes; a: epoch, b: sequence",
               epoch, sequence);
    }
    reading.is_delivered = true;
    from.next = *index + 1;
    ++from.delivered;
  }

  // At any moment.
  void judge(TimePoint now, std::size_t source, const SourceCounters& counters) {
    Source& from = sources_[source];
    if (counters.added != counters.acked + counters.dropped + counters.expired + counters.waiting) {
      log_.add(
          kInvariantDelivery, now, "a reading left the queue uncounted; a: added, b: accounted for",
          static_cast<std::int64_t>(counters.added),
          static_cast<std::int64_t>(counters.acked + counters.dropped + counters.expired + counters.waiting));
    }
    if (from.acked_before + counters.acked > from.delivered) {
      log_.add(kInvariantDelivery, now,
               "a reading was acknowledged but not delivered; a: acked, b: delivered",
               static_cast<std::int64_t>(from.acked_before + counters.acked),
               static_cast<std::int64_t>(from.delivered));
    }
  }

  // The source loses its power; its last counters. What waited is gone, unless it is restored later. A
  // persistent source may count a reading as acknowledged once more after its restart.
  void handle_source_stopped(TimePoint now, std::size_t source, const SourceCounters& counters,
                             bool is_persistent) {
    judge(now, source, counters);
    Source& from = sources_[source];
    from.acked_before += is_persistent ? 0 : counters.acked;
    from.given_up_before += counters.dropped + counters.expired;
    from.lost_with_power += static_cast<std::int64_t>(counters.waiting);
  }

  // A persistent source found these in its store and goes on with `next_sequence`: whatever was produced with
  // that number or a later one was not stored yet, so its numbers are used again.
  void handle_source_restored(std::size_t source, std::uint32_t epoch, std::uint32_t next_sequence,
                              std::span<const std::uint32_t> restored) {
    Source& from = sources_[source];
    for (std::size_t i = from.readings.size(); i-- > 0;) {
      Reading& reading = from.readings[i];
      if (reading.epoch != epoch || static_cast<std::int32_t>(reading.sequence - next_sequence) < 0) {
        break;
      }
      reading.is_void = true;
    }
    for (const std::uint32_t sequence : restored) {
      const std::optional<std::size_t> index = find(from, epoch, sequence);
      from.lost_with_power -= index && !from.readings[*index].is_delivered ? 1 : 0;
    }
  }

  // At the end of a run: every reading is delivered, waiting or accounted for.
  void judge_end(TimePoint now, std::size_t source, const SourceCounters& counters) {
    judge(now, source, counters);
    if (lost(source, counters) > 0) {
      log_.add(kInvariantDelivery, now, "readings are gone uncounted; a: how many",
               static_cast<std::int64_t>(lost(source, counters)));
    }
  }

  // Neither delivered, nor waiting, nor counted.
  std::uint64_t lost(std::size_t source, const SourceCounters& counters) const {
    const Source& from = sources_[source];
    const std::uint64_t counted =
        from.delivered + counters.waiting + counters.dropped + counters.expired + from.given_up_before;
    const auto accounted = static_cast<std::int64_t>(counted) + from.lost_with_power;
    const auto produced = static_cast<std::int64_t>(from.readings.size());
    return produced > accounted ? static_cast<std::uint64_t>(produced - accounted) : 0;
  }
  std::uint64_t produced(std::size_t source) const { return sources_[source].readings.size(); }
  std::uint64_t delivered(std::size_t source) const { return sources_[source].delivered; }
  std::uint64_t duplicated(std::size_t source) const { return sources_[source].duplicated; }
  std::uint64_t lost_with_power(std::size_t source) const {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(sources_[source].lost_with_power, 0));
  }
  std::uint64_t given_up(std::size_t source, const SourceCounters& counters) const {
    return sources_[source].given_up_before + counters.dropped + counters.expired;
  }
  bool is_delivered(std::size_t source, std::size_t index) const {
    return sources_[source].readings[index].is_delivered;
  }
  bool has_room(std::size_t source) const {
    return sources_[source].readings.size() < sources_[source].readings.capacity();
  }

 private:
  struct Reading {
    std::uint32_t epoch = 0;
    std::uint32_t sequence = 0;
    std::uint64_t digest = 0;
    bool is_delivered = false;
    bool is_void = false;  // lost with the power before it was stored; its number was used again
  };
  struct Source {
    std::vector<Reading> readings;  // as produced
    std::size_t next = 0;           // after the last delivered
    std::uint64_t delivered = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t acked_before = 0;  // by earlier boots
    std::uint64_t given_up_before = 0;
    std::int64_t lost_with_power = 0;
  };

  static bool is_named(const Reading& reading, std::uint32_t epoch, std::uint32_t sequence) {
    return reading.epoch == epoch && reading.sequence == sequence && !reading.is_void;
  }
  static std::optional<std::size_t> find(const Source& source, std::uint32_t epoch, std::uint32_t sequence) {
    // Usually it is the next one.
    for (std::size_t i = source.next; i < source.readings.size(); ++i) {
      if (is_named(source.readings[i], epoch, sequence)) {
        return i;
      }
    }
    for (std::size_t i = source.next; i-- > 0;) {
      if (is_named(source.readings[i], epoch, sequence)) {
        return i;
      }
    }
    return std::nullopt;
  }

  ViolationLog& log_;
  std::vector<Source> sources_;
};

}  // namespace amphora::sim
