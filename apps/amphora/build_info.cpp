// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/build_info.hpp"

#include "generated/build_info_values.hpp"

namespace amphora {

const BuildInfo& build_info() {
  static constexpr BuildInfo kInfo{.name = "amphora",
                                   .version = AMPHORA_VERSION,
                                   .commit = AMPHORA_COMMIT,
                                   .compiler = AMPHORA_COMPILER,
                                   .build_type = AMPHORA_BUILD_TYPE};
  return kInfo;
}

}  // namespace amphora
