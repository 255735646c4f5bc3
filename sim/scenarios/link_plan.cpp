// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/link_plan.hpp"

#include <iterator>

namespace amphora::sim {

std::string_view to_text(LinkFaultKind kind) {
  constexpr std::string_view kNames[] = {"air_loss",
                                         "air_bursts",
                                         "air_cut",
                                         "air_deaf_receiver",
                                         "air_deaf_transmitter",
                                         "air_weak",
                                         "air_delay",
                                         "air_jitter",
                                         "air_duplicate",
                                         "air_corrupt",
                                         "air_undetected",
                                         "air_swallow",
                                         "router_channel",
                                         "always_acked",
                                         "never_acked",
                                         "silent_status",
                                         "hung",
                                         "stall",
                                         "crash",
                                         "crash_empty",
                                         "store_slow",
                                         "store_fails",
                                         "store_torn",
                                         "clock_step",
                                         "twin",
                                         "attacker"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(LinkFaultKind::kCount));
  return kNames[static_cast<std::size_t>(kind)];
}

bool is_fault_of_box(LinkFaultKind kind) {
  return kind >= LinkFaultKind::kAlwaysAcked && kind <= LinkFaultKind::kClockStep;
}

std::string_view to_text(LinkSabotage sabotage) {
  constexpr std::string_view kNames[] = {
      "none",           "confirms_too_early", "never_confirms",   "forgets_position",
      "loses_readings", "mixes_records",      "forgets_settings", "allocates"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(LinkSabotage::kCount));
  return kNames[static_cast<std::size_t>(sabotage)];
}

}  // namespace amphora::sim
