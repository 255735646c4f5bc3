// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/gateway_plan.hpp"

#include <iterator>

namespace amphora::sim {

std::string_view to_text(FaultKind kind) {
  constexpr std::string_view kNames[] = {
      "serial_flip",   "serial_drop",       "serial_insert",      "serial_loss",    "serial_chunks",
      "serial_babble", "serial_cut_to_bms", "serial_cut_to_node", "serial_cut",     "bms_silent",
      "bms_corrupt",   "bms_nack",          "bms_stuck",          "bms_truncated",  "bms_joined",
      "bms_broadcast", "bms_wild_cell",     "bms_nan_voltage",    "bms_cell_count", "bms_status",
      "pack_trip",     "pack_full_cell",    "pack_empty_cell",    "pack_cold",      "pack_hot",
      "can_errors",    "can_gx_errors",     "can_loss",           "can_burst",      "can_delay",
      "can_jitter",    "can_duplicate",     "can_babble",         "gx_absent",      "gx_mute",
      "node_crash",    "host_stall"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(FaultKind::kCount));
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_text(Sabotage sabotage) {
  constexpr std::string_view kNames[] = {
      "none",         "keeps_old_limits", "charge_voltage_zero", "speaks_too_early",
      "drops_limits", "loses_frames",     "allocates",           "allows_too_much"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Sabotage::kCount));
  return kNames[static_cast<std::size_t>(sabotage)];
}

}  // namespace amphora::sim
