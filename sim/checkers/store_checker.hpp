// SPDX-License-Identifier: Apache-2.0
// Invariant 8: after a power cut the store holds the old or the new value of each record, never a mixture,
// and writes stay under the wear budget.
//
// The host tells each write it hands to the store, each one of which the node was told that it is durable,
// and what a boot reads. A read must give the value last known durable, or one that was being written when
// the power went. Values are compared by digest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/crc.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "sim/checkers/violation.hpp"
#include "sim/models/flash_store.hpp"

namespace amphora::sim {

class StoreChecker {
 public:
  StoreChecker(std::size_t key_count_max, ViolationLog& log) : log_{log} { entries_.reserve(key_count_max); }

  void handle_write(StoreKey key, ByteSpan bytes) {
    (void)entry(key).waiting.push_overwrite(digest_of(bytes));
  }
  void handle_durable(TimePoint now, StoreKey key) {
    Entry& written = entry(key);
    const auto digest = written.waiting.pop();
    if (!digest) {
      log_.add(kInvariantStore, now, "the store confirmed a write that nobody asked for");
      return;
    }
    written.durable = *digest;
    written.has_durable = true;
  }
  // With what FlashStore::read() gave at a boot. `may_be_damaged`: the plan lets records be destroyed.
  void handle_read(TimePoint now, StoreKey key, const FlashStore::ReadResult& result, bool may_be_damaged) {
    Entry& read = entry(key);
    if (result.state != FlashStore::ReadState::kGood) {
      if (read.has_durable && !may_be_damaged) {
        log_.add(kInvariantStore, now, "a durable record is gone after a power cut; a: key",
                 static_cast<std::int64_t>(key));
      }
      read.has_durable = false;
      read.waiting.clear();
      return;
    }
    const std::uint64_t digest = digest_of(result.bytes);
    bool is_known = read.has_durable && digest == read.durable;
    for (std::size_t i = 0; i < read.waiting.size(); ++i) {
      is_known = is_known || digest == read.waiting[i];
    }
    if (!is_known) {
      log_.add(kInvariantStore, now, "a record is neither the old nor the new value; a: key",
               static_cast<std::int64_t>(key));
    }
    read.has_durable = true;
    read.durable = digest;
    read.waiting.clear();
  }
  void handle_erased() { entries_.clear(); }

  // A burst of writes is allowed on top of the yearly rate.
  void judge_wear(TimePoint now, const FlashStore& store, std::uint64_t budget_per_year,
                  std::uint64_t burst) {
    constexpr std::uint64_t kSecondsPerYear = 365U * 24U * 3'600U;
    const auto seconds = static_cast<std::uint64_t>(to_microseconds(now) / 1'000'000);
    const std::uint64_t allowed = burst + budget_per_year * seconds / kSecondsPerYear;
    for (std::size_t i = 0; i < store.key_count(); ++i) {
      const std::uint64_t written = store.write_count(store.key_at(i));
      if (written > allowed) {
        log_.add(kInvariantStore, now, "a record is written too often; a: writes, b: allowed so far",
                 static_cast<std::int64_t>(written), static_cast<std::int64_t>(allowed));
        return;
      }
    }
  }

 private:
  struct Entry {
    StoreKey key = 0;
    bool has_durable = false;
    std::uint64_t durable = 0;
    Ring<std::uint64_t, FlashStore::kPendingMax> waiting;
  };
  static std::uint64_t digest_of(ByteSpan bytes) {
    Digest digest;
    digest.add(bytes);
    return digest.value();
  }
  Entry& entry(StoreKey key) {
    for (Entry& known : entries_) {
      if (known.key == key) {
        return known;
      }
    }
    Entry added;
    added.key = key;
    entries_.push_back(added);
    return entries_.back();
  }

  ViolationLog& log_;
  std::vector<Entry> entries_;
};

}  // namespace amphora::sim
