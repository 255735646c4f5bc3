// SPDX-License-Identifier: Apache-2.0
// Putting fault plans together: fixed windows, repeated ones at random moments, random mixes.
#pragma once

#include <cstdint>

#include "core/base/rng.hpp"
#include "sim/scenarios/gateway_plan.hpp"

namespace amphora::sim {

// One window.
void add_fault(GatewayPlan& plan, FaultKind kind, Duration from, Duration length,
               std::uint32_t parameter = 0);

// In each `period` of the plan one window of a length between the two, at a random moment, so that it ends
// within the period. Nothing in the first minute.
void add_repeated(GatewayPlan& plan, Rng& rng, FaultKind kind, Duration period, Duration length_min,
                  Duration length_max, std::uint32_t parameter = 0);

// A window of a random kind, moment, length and strength.
void add_random(GatewayPlan& plan, Rng& rng);

// A random box: cells, rhythm, start of charge, temperature, clock, kind of BMS; and one to eight random
// faults in 3 to 20 minutes.
GatewayPlan make_random_plan(std::uint64_t seed);

}  // namespace amphora::sim
