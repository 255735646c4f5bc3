// SPDX-License-Identifier: Apache-2.0
// The checks between fields: what makes a set of values, each good by itself, wrong together.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/amphora/config/config.hpp"

namespace amphora::config {

// One finding. `key` is empty where a whole section is meant. Line and column are 1 and up in a file, 0 where
// the value did not come from one.
struct Problem {
  std::string section{};
  std::string key{};
  std::string what{};     // what is wrong
  std::string allowed{};  // what is allowed, or what to do
  int line = 0;
  int column = 0;
  std::vector<std::string> based_on{};  // full keys of the other fields that were looked at
  std::string file{};                   // empty: the configuration itself
  friend bool operator==(const Problem&, const Problem&) = default;
};

struct Findings {
  std::vector<Problem> errors;
  std::vector<Problem> warnings;
};

// Fills the bounds of the profile that have no key of their own from those that have: the ramps of current
// over temperature (10 °C wide, 15 °C at the cold end of discharging) and over the state of charge (10 %).
// To be called after assignments and before check_between_fields.
void derive_ramps(battery::Profile& profile);

// Looks at values only, never at the file system.
Findings check_between_fields(const Config& config);

// Looks at the files that the configuration names: secrets must exist, be plain files and be readable by
// their owner only.
Findings check_files(const Config& config);

}  // namespace amphora::config
