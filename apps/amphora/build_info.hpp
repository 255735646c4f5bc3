// SPDX-License-Identifier: Apache-2.0
// What this program is: version, commit and how it was built.
#pragma once

#include <string_view>

namespace amphora {

struct BuildInfo {
  std::string_view name;
  std::string_view version;  // "0.1.0"
  std::string_view
      commit;  // abbreviated; with a "+" when the sources differed from it; "unknown" without git
  std::string_view compiler;    // "GNU 12.2.0"
  std::string_view build_type;  // "Release"
};

const BuildInfo& build_info();

}  // namespace amphora
