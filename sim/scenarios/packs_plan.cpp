// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/packs_plan.hpp"

#include <iterator>

namespace amphora::sim {

std::string_view to_text(PacksFaultKind kind) {
  constexpr std::string_view kNames[] = {"loss",  "duplicate",   "split", "babble", "kill_master",
                                         "crash", "crash_empty", "stall", "errors"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(PacksFaultKind::kCount));
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_text(PacksSabotage sabotage) {
  constexpr std::string_view kNames[] = {"none", "hides_beacons", "hides_own_id", "allocates"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(PacksSabotage::kCount));
  return kNames[static_cast<std::size_t>(sabotage)];
}

}  // namespace amphora::sim
