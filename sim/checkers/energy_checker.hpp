// SPDX-License-Identifier: Apache-2.0
// Invariant 5, second half: energy is conserved in the house model to 0.1 %.
//
//   sun + import + what left the store = loads + export + losses + curtailed + what entered the store
//
// The world tells the flows of every step. What is stored is not summed up from flows: it is what the
// battery's charge is worth on its open-circuit curve. Losses are those that each conversion counted. The two
// sides are therefore added up from different numbers, and energy that appears or vanishes in between shows.
#pragma once

#include <cstdint>

#include "core/base/time.hpp"
#include "sim/checkers/violation.hpp"
#include "sim/models/hybrid_inverter.hpp"

namespace amphora::sim {

// Microjoules: 1 mW over 1 ms. A house of 100 MWh a year stays far within 64 bits.
struct EnergyTotals {
  std::int64_t sun_uj = 0;  // that the panels could have given
  std::int64_t import_uj = 0;
  std::int64_t discharged_uj = 0;  // at the battery's terminals
  std::int64_t load_uj = 0;
  std::int64_t export_uj = 0;
  std::int64_t charged_uj = 0;
  std::int64_t curtailed_uj = 0;
  std::int64_t inverter_loss_uj = 0;
  std::int64_t battery_loss_uj = 0;
  std::int64_t unserved_uj = 0;  // wanted and not given
};

// What the contacts let through.
struct OpenContacts {
  bool is_grid_open = false;
  bool is_output_open = false;
};

class EnergyChecker {
 public:
  // `stored_mj`: in the battery at the start.
  EnergyChecker(std::int64_t stored_mj, ViolationLog& log) : stored_start_mj_{stored_mj}, log_{log} {}

  void handle_step(TimePoint now, const HybridFlows& flows, std::int64_t battery_loss_mw,
                   OpenContacts contacts, std::int64_t step_ms);
  // Compares the two sides. Cheap enough for every hour of simulated time.
  void judge(TimePoint now, std::int64_t stored_mj);

  const EnergyTotals& totals() const { return totals_; }
  // The largest error any judge() saw, in millionths of what had come in by then.
  std::int64_t error_ppm_max() const { return error_ppm_max_; }

 private:
  std::int64_t stored_start_mj_;
  ViolationLog& log_;
  EnergyTotals totals_;
  std::int64_t error_ppm_max_ = 0;
};

}  // namespace amphora::sim
