// SPDX-License-Identifier: Apache-2.0
// What the runs of all worlds have in common: how a finished world goes into a report.
#pragma once

#include <cstdint>

#include "core/base/crc.hpp"
#include "sim/scenarios/scenario.hpp"

namespace amphora::sim {

template <class World>
void take(RunReport& report, Digest& digest, std::uint64_t seed, const Options& options, const World& world) {
  digest.add_number(static_cast<std::int64_t>(world.recorder().digest()));
  const bool is_first_failure = report.violation_count == 0 && !world.violations().is_empty();
  report.violation_count += world.violations().count();
  if (is_first_failure) {
    report.failed_seed = seed;
    for (std::size_t k = 0; k < world.violations().kept().size(); ++k) {
      report.violations.push_back(world.violations().kept()[k]);
    }
  }
  if (is_first_failure || (options.trace && report.violation_count == 0)) {
    report.trace = world.recorder().lines();
  }
}

inline double seconds_of(TimePoint at) {
  return static_cast<double>(to_microseconds(at)) / 1e6;
}

// pack_run.cpp. Returns the virtual seconds.
double run_whole_packs(std::string_view name, const Options& options, RunReport& report, Digest& digest);

// house_run.cpp. Returns the virtual seconds.
double run_houses(std::string_view name, const Options& options, RunReport& report, Digest& digest);

}  // namespace amphora::sim
