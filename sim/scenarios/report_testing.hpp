// SPDX-License-Identifier: Apache-2.0
// What tests read out of a run's report.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

#include "sim/scenarios/scenario.hpp"

namespace amphora::sim {

inline std::string describe(const RunReport& report) {
  std::ostringstream text;
  for (const Violation& violation : report.violations) {
    text << "seed " << report.failed_seed << ": invariant " << violation.invariant << " at "
         << to_microseconds(violation.at) << " us: " << violation.rule << " a=" << violation.a
         << " b=" << violation.b << "\n";
  }
  return text.str();
}

// Throws if there is none of this name, which fails the test.
inline const Figure& figure(const RunReport& report, std::string_view name) {
  const auto found = std::find_if(report.figures.begin(), report.figures.end(),
                                  [name](const Figure& each) { return each.name == name; });
  if (found == report.figures.end()) {
    throw std::runtime_error{"no figure " + std::string{name}};
  }
  return *found;
}
inline const Histogram& histogram(const RunReport& report, std::string_view name) {
  return std::get<Histogram>(figure(report, name).value);
}
inline std::int64_t number(const RunReport& report, std::string_view name) {
  return std::get<std::int64_t>(figure(report, name).value);
}

}  // namespace amphora::sim
