// SPDX-License-Identifier: Apache-2.0
// Invariants 3 and 4: a stable connected group of nodes has exactly one master, whom all of it know, and no
// two of its active nodes share a node id.
//
// The world shows all nodes after each step, and tells what disturbs a group: a node that comes or goes, a
// bus that is joined, an id that changes. Rules, with bounds in ElectionRules:
//   3  within `settle` after the last disturbance there is one master and everybody follows it; a later
//      disagreement (somebody missed beacons, a better node took over) ends within `settle` too
//   3  once settled, two masters at a time last no longer than `double_max`
//   4  two active nodes that hear each other share an id no longer than `shared_id_max`
//   4  a running candidate is without an id no longer than `id_wait_max`
// suspend() is for conditions in which nothing can be promised: a bus full of babble, a node at the edge of
// bus-off. All bounds count anew when they end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/time.hpp"
#include "sim/checkers/violation.hpp"

namespace amphora::sim {

struct ElectionRules {
  Duration settle = std::chrono::seconds{1};
  Duration double_max = std::chrono::milliseconds{100};
  Duration shared_id_max = std::chrono::milliseconds{1'200};
  Duration id_wait_max = std::chrono::seconds{5};
  friend constexpr bool operator==(const ElectionRules&, const ElectionRules&) = default;
};

// A node as its environment sees it. Nodes of one group hear each other.
struct ElectionView {
  bool is_running = false;
  bool is_candidate = true;  // else it only follows
  std::uint8_t group = 0;
  std::uint8_t id = 0;  // 0: none yet; a candidate without id is not active
  bool is_master = false;
  std::optional<std::uint8_t> master;  // whom it takes for the master
  friend constexpr bool operator==(const ElectionView&, const ElectionView&) = default;
};

class ElectionChecker {
 public:
  static constexpr std::size_t kGroupCount = 2;
  static constexpr std::size_t kIdCount = 128;
  static constexpr std::size_t kViewsMax = 64;

  ElectionChecker(const ElectionRules& rules, ViolationLog& log) : rules_{rules}, log_{log} {}

  // All bounds count anew when the rules change.
  void set_rules(TimePoint now, const ElectionRules& rules);
  void handle_disturbed(TimePoint now, std::uint8_t group) { groups_[group].disturbed_at = now; }
  // Nothing is demanded of the group while `is_suspended`; when that changes, everything counts anew.
  void suspend(TimePoint now, std::uint8_t group, bool is_suspended);
  // At most kViewsMax views; a node has the same place in each call.
  void check(TimePoint now, std::span<const ElectionView> views);

  // As of the last check: nothing is going on that a bound could end. As long as no view changes, another
  // check says the same.
  bool is_quiet() const { return is_quiet_; }
  // As of the last check: one master, followed by every active node of the group; true without any.
  bool is_settled(std::uint8_t group) const { return groups_[group].is_settled; }
  std::size_t active_count(std::uint8_t group) const { return groups_[group].active; }
  std::size_t master_count(std::uint8_t group) const { return groups_[group].masters; }
  // As of the last check: no two active nodes of the group share an id.
  bool has_shared_id(std::uint8_t group) const { return groups_[group].has_shared_id; }
  // The longest time for which two active nodes of a group that hears itself shared an id, bounds or not.
  Duration longest_shared() const { return longest_shared_; }

 private:
  struct Group {
    TimePoint disturbed_at{};
    TimePoint free_at{};  // the last suspension ended
    std::optional<TimePoint> unsettled_since;
    std::optional<TimePoint> double_since;
    std::array<std::optional<TimePoint>, kIdCount> shared_since{};
    bool is_settled = true;
    bool has_shared_id = false;
    std::size_t masters = 0;
    std::size_t active = 0;
  };

  void look(std::uint8_t group, std::span<const ElectionView> views,
            std::array<std::uint8_t, kIdCount>& users);
  void judge_master(TimePoint now, std::uint8_t group);
  void judge_ids(TimePoint now, std::uint8_t group, const std::array<std::uint8_t, kIdCount>& users);

  void judge_waiting(TimePoint now, std::span<const ElectionView> views);

  ElectionRules rules_;
  ViolationLog& log_;
  std::array<Group, kGroupCount> groups_{};
  std::array<bool, kGroupCount> is_suspended_{};
  std::array<std::optional<TimePoint>, kViewsMax> without_id_since_{};
  Duration longest_shared_{};
  bool is_quiet_ = false;
};

}  // namespace amphora::sim
