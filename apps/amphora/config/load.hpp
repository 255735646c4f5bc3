// SPDX-License-Identifier: Apache-2.0
// From a TOML file to a Config, or to the list of everything that is wrong with it.
//
// All errors are found in one go, apart from broken TOML syntax: there the reader cannot know what the rest
// was meant to be, and the first error is the only one. Unknown keys are errors, with the nearest known key
// as a suggestion. A check between fields is left out when one of its fields is already reported.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/amphora/config/checks.hpp"
#include "apps/amphora/config/config.hpp"

namespace amphora::config {

struct LoadResult {
  std::optional<Config> config;  // absent when there are errors
  std::vector<Problem> errors;   // in the order of the file
  std::vector<Problem> warnings;
};

// No look at the file system. Input of more than 1 MiB is refused.
LoadResult load_text(std::string_view toml);

// load_text() on the content of a file, and check_files().
LoadResult load_file(const std::string& path);

// "FILE:LINE:COLUMN: KEY: WHAT; ALLOWED".
std::string to_text(const Problem& problem, std::string_view file);

}  // namespace amphora::config
