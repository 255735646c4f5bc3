// SPDX-License-Identifier: Apache-2.0
// What tests say of a configuration text.
#pragma once

#include <string>
#include <vector>

#include "apps/amphora/config/load.hpp"

namespace amphora::config {

// As a person reads them, of a file named `f`.
inline std::vector<std::string> texts(const std::vector<Problem>& problems) {
  std::vector<std::string> out;
  for (const Problem& problem : problems) {
    out.push_back(to_text(problem, "f"));
  }
  return out;
}

inline std::vector<std::string> errors_of(const std::string& text) {
  return texts(load_text(text).errors);
}

}  // namespace amphora::config
