// SPDX-License-Identifier: Apache-2.0
#include "sim/checkers/election_checker.hpp"

#include <algorithm>

namespace amphora::sim {

void ElectionChecker::set_rules(TimePoint now, const ElectionRules& rules) {
  if (rules_ == rules) {
    return;
  }
  rules_ = rules;
  for (Group& group : groups_) {
    group.free_at = now;
    group.disturbed_at = now;
  }
}

void ElectionChecker::suspend(TimePoint now, std::uint8_t group, bool is_suspended) {
  if (is_suspended_[group] != is_suspended) {
    is_suspended_[group] = is_suspended;
    groups_[group].free_at = now;
    groups_[group].disturbed_at = now;
  }
}

void ElectionChecker::look(std::uint8_t group, std::span<const ElectionView> views,
                           std::array<std::uint8_t, kIdCount>& users) {
  Group& state = groups_[group];
  state.masters = 0;
  state.is_settled = true;
  state.active = 0;
  std::optional<std::uint8_t> leader;
  for (const ElectionView& view : views) {
    if (!view.is_running || view.group != group || !view.is_candidate || view.id == 0) {
      continue;
    }
    ++state.active;
    ++users[view.id % kIdCount];
    if (view.is_master) {
      ++state.masters;
      leader = view.id;
    }
  }
  if (state.active == 0) {
    return;  // a group of followers has nobody to follow
  }
  state.is_settled = state.masters == 1;
  for (const ElectionView& view : views) {
    const bool counts = view.is_running && view.group == group && (!view.is_candidate || view.id != 0);
    if (counts && view.master != leader) {
      state.is_settled = false;
    }
  }
}

void ElectionChecker::judge_master(TimePoint now, std::uint8_t group) {
  Group& state = groups_[group];
  if (state.is_settled) {
    state.unsettled_since.reset();
  } else if (!state.unsettled_since) {
    state.unsettled_since = now;
  }
  if (state.masters < 2) {
    state.double_since.reset();
  } else if (!state.double_since) {
    state.double_since = now;
  }
  if (is_suspended_[group]) {
    return;
  }
  if (state.unsettled_since) {
    const Duration lasted = now - std::max(*state.unsettled_since, state.disturbed_at);
    if (lasted > rules_.settle) {
      log_.add(kInvariantOneMaster, now,
               "a stable group does not follow one master; a: masters, b: for how long in ms",
               static_cast<std::int64_t>(state.masters), to_milliseconds(lasted));
      state.disturbed_at = now;
    }
  }
  if (state.double_since) {
    const Duration lasted = now - std::max(*state.double_since, state.disturbed_at + rules_.settle);
    if (lasted > rules_.double_max) {
      log_.add(kInvariantOneMaster, now,
               "a stable group has several masters; a: masters, b: for how long in ms",
               static_cast<std::int64_t>(state.masters), to_milliseconds(lasted));
      state.disturbed_at = now;
    }
  }
}

void ElectionChecker::judge_ids(TimePoint now, std::uint8_t group,
                                const std::array<std::uint8_t, kIdCount>& users) {
  Group& state = groups_[group];
  const bool had_shared_id = state.has_shared_id;
  state.has_shared_id =
      std::any_of(users.begin() + 1, users.end(), [](std::uint8_t each) { return each > 1; });
  if (!state.has_shared_id && !had_shared_id) {
    return;
  }
  for (std::size_t id = 1; id < kIdCount; ++id) {
    std::optional<TimePoint>& since = state.shared_since[id];
    if (users[id] < 2) {
      since.reset();
      continue;
    }
    if (!since) {
      since = now;
    }
    if (is_suspended_[group]) {
      continue;
    }
    const Duration lasted = now - std::max(*since, state.free_at);
    longest_shared_ = std::max(longest_shared_, lasted);
    if (lasted > rules_.shared_id_max) {
      log_.add(kInvariantNodeIds, now, "active nodes share a node id; a: id, b: for how long in ms",
               static_cast<std::int64_t>(id), to_milliseconds(lasted));
      since = now;
    }
  }
}

void ElectionChecker::judge_waiting(TimePoint now, std::span<const ElectionView> views) {
  for (std::size_t i = 0; i < views.size() && i < kViewsMax; ++i) {
    const ElectionView& view = views[i];
    std::optional<TimePoint>& since = without_id_since_[i];
    if (!view.is_running || !view.is_candidate || view.id != 0) {
      since.reset();
      continue;
    }
    is_quiet_ = false;
    if (!since) {
      since = now;
    }
    const Duration lasted = now - std::max(*since, groups_[view.group].free_at);
    if (!is_suspended_[view.group] && lasted > rules_.id_wait_max) {
      log_.add(kInvariantNodeIds, now, "a running node gets no id; a: its number, b: for how long in ms",
               static_cast<std::int64_t>(i), to_milliseconds(lasted));
      since = now;
    }
  }
}

void ElectionChecker::check(TimePoint now, std::span<const ElectionView> views) {
  is_quiet_ = true;
  judge_waiting(now, views);
  for (std::uint8_t group = 0; group < kGroupCount; ++group) {
    std::array<std::uint8_t, kIdCount> users{};
    look(group, views, users);
    judge_master(now, group);
    judge_ids(now, group, users);
    const Group& state = groups_[group];
    is_quiet_ = is_quiet_ && state.is_settled && state.masters < 2 && !state.has_shared_id;
  }
}

}  // namespace amphora::sim
