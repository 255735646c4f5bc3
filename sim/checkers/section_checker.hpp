// SPDX-License-Identifier: Apache-2.0
// Invariant 1: copies of a section run forward only, data never gives way to defaults, and once faults have
// stopped all holders of a section hold the same within a bound.
//
// A holder is a node that keeps a copy of somebody's sections: the owner itself or a peer. The world tells
// what a holder shows whenever that changed, what is durable at it, and when it boots. While a holder runs,
// what it shows never gets older. A boot may forget what was not durable, nothing else; only a store that was
// erased or found damaged forgets more.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/assert.hpp"
#include "core/base/time.hpp"
#include "sim/checkers/violation.hpp"

namespace amphora::sim {

// What identifies one value of a section: the order is version's and stamp's own, the digest covers the
// bytes.
struct SectionMark {
  std::uint32_t version = 0;
  std::uint64_t stamp_ms = 0;
  std::uint16_t stamp_logical = 0;
  std::uint64_t origin = 0;
  std::uint64_t digest = 0;
  friend constexpr bool operator==(const SectionMark&, const SectionMark&) = default;
  bool is_default() const { return version == 0; }
};

class SectionChecker {
 public:
  using Holder = std::size_t;

  SectionChecker(std::size_t holder_count, std::size_t section_count, ViolationLog& log)
      : section_count_{section_count}, log_{log} {
    copies_.resize(holder_count * section_count);
    groups_.resize(holder_count);
  }

  // Holders of one group must end equal. Zero: not compared with anybody.
  void set_group(Holder holder, std::uint32_t group) { groups_[holder] = group; }

  // What the holder shows now.
  void handle_shown(TimePoint now, Holder holder, std::size_t section, const SectionMark& mark) {
    Copy& copy = at(holder, section);
    judge_forward(now, copy.shown, mark);
    copy.shown = mark;
  }
  void handle_durable(TimePoint now, Holder holder, std::size_t section, const SectionMark& mark) {
    Copy& copy = at(holder, section);
    judge_forward(now, copy.durable, mark);
    copy.durable = mark;
  }
  // `restored` is what it shows for this section after its boot.
  void handle_booted(TimePoint now, Holder holder, std::size_t section, const SectionMark& restored) {
    Copy& copy = at(holder, section);
    judge_forward(now, copy.durable, restored);
    copy.shown = restored;
    copy.durable = restored;
  }
  // Before handle_booted: the store lost this section and the node was told.
  void handle_lost(Holder holder, std::size_t section) { at(holder, section) = {}; }
  void handle_erased(Holder holder) {
    for (std::size_t section = 0; section < section_count_; ++section) {
      handle_lost(holder, section);
    }
  }

  bool is_equal() const {
    for (Holder a = 0; a < groups_.size(); ++a) {
      for (Holder b = a + 1; b < groups_.size(); ++b) {
        if (groups_[a] != 0 && groups_[a] == groups_[b] && !is_pair_equal(a, b)) {
          return false;
        }
      }
    }
    return true;
  }
  // When the bound after the last fault is over.
  void judge_equal(TimePoint now) {
    for (Holder a = 0; a < groups_.size(); ++a) {
      for (Holder b = a + 1; b < groups_.size(); ++b) {
        if (groups_[a] == 0 || groups_[a] != groups_[b]) {
          continue;
        }
        for (std::size_t section = 0; section < section_count_; ++section) {
          if (!(at(a, section).shown == at(b, section).shown)) {
            log_.add(kInvariantSections, now, "two boxes hold different sections; a: section, b: holders",
                     static_cast<std::int64_t>(section), static_cast<std::int64_t>(a * 100 + b));
          }
        }
      }
    }
  }
  const SectionMark& shown(Holder holder, std::size_t section) const {
    return copies_[holder * section_count_ + section].shown;
  }

 private:
  struct Copy {
    SectionMark shown;
    SectionMark durable;
  };

  Copy& at(Holder holder, std::size_t section) {
    AMPHORA_ASSERT(section < section_count_);
    return copies_[holder * section_count_ + section];
  }
  bool is_pair_equal(Holder a, Holder b) const {
    for (std::size_t section = 0; section < section_count_; ++section) {
      if (!(shown(a, section) == shown(b, section))) {
        return false;
      }
    }
    return true;
  }
  void judge_forward(TimePoint now, const SectionMark& before, const SectionMark& after) {
    if (!before.is_default() && after.is_default()) {
      log_.add(kInvariantSections, now, "data gave way to defaults; a: version before",
               static_cast<std::int64_t>(before.version));
    } else if (after.version < before.version) {
      log_.add(kInvariantSections, now, "a version ran backwards; a: before, b: after",
               static_cast<std::int64_t>(before.version), static_cast<std::int64_t>(after.version));
    } else if (after.stamp_ms < before.stamp_ms ||
               (after.stamp_ms == before.stamp_ms && after.stamp_logical < before.stamp_logical)) {
      log_.add(kInvariantSections, now, "a stamp ran backwards; a: ms before, b: ms after",
               static_cast<std::int64_t>(before.stamp_ms), static_cast<std::int64_t>(after.stamp_ms));
    }
  }

  std::size_t section_count_;
  ViolationLog& log_;
  std::vector<Copy> copies_;
  std::vector<std::uint32_t> groups_;
};

}  // namespace amphora::sim
