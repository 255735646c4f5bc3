// SPDX-License-Identifier: Apache-2.0
// A hybrid inverter as a router of power: panels, battery, grid and house meet in it.
//
// In each step the sun serves the house first, then charges the battery, then is fed in where that is
// allowed; what nobody takes is curtailed. What the sun does not cover comes from the battery; from the grid
// when the battery is at the reserve, may not discharge, or cannot give enough. With a grid the battery is
// charged from it up to the reserve, and to the night's target while the tariff is cheap. Every conversion
// has its efficiency, and the inverter itself takes standby power; what disappears is counted as loss.
// Without grid the house lives on what panels and battery can give: more than the inverter's rating for
// longer than its patience, or more than battery and sun have, trips its output for a minute.
#pragma once

#include <cstdint>

#include "core/base/units.hpp"

namespace amphora::sim {

struct HybridConfig {
  std::int64_t ac_max_mw = 8'000'000;
  std::int64_t grid_charge_mw = 2'000'000;
  std::int64_t standby_mw = 40'000;
  BasisPoints reserve{2'000};   // with a grid, no discharge below
  BasisPoints cheap_target{0};  // charged from the grid up to this while it is cheap; 0: never
  bool feeds_in = false;
  std::int64_t overload_patience_ms = 10'000;
  std::int64_t trip_ms = 60'000;
};

struct HybridInput {
  std::int64_t sun_mw = 0;   // that the panels could give
  std::int64_t load_mw = 0;  // wanted at the output; 0 when its relay is open
  bool has_grid = false;
  bool is_cheap = false;
  bool may_charge = true;
  bool may_discharge = true;
  std::int64_t charge_max_mw = 0;
  std::int64_t discharge_max_mw = 0;
  BasisPoints soc;
};

// All in milliwatts. sun = used + curtailed; sun used + import + discharge = load + export + charge + loss.
struct HybridFlows {
  std::int64_t sun_used_mw = 0;
  std::int64_t curtailed_mw = 0;
  std::int64_t import_mw = 0;
  std::int64_t export_mw = 0;
  std::int64_t battery_mw = 0;  // at its terminals, positive charging
  std::int64_t load_mw = 0;     // served
  std::int64_t unserved_mw = 0;
  std::int64_t loss_mw = 0;
};

class HybridInverter {
 public:
  explicit HybridInverter(const HybridConfig& config) : config_{config} {}
  HybridFlows step(const HybridInput& input, std::int64_t step_ms);
  std::uint64_t trip_count() const { return trip_count_; }

 private:
  bool carries(const HybridInput& input, std::int64_t step_ms);

  HybridConfig config_;
  std::int64_t overload_ms_ = 0;
  std::int64_t dark_ms_ = 0;  // left of a trip
  std::uint64_t trip_count_ = 0;
};

}  // namespace amphora::sim
