// SPDX-License-Identifier: Apache-2.0
// Any bytes as a configuration file: never a crash, and either a Config without errors or errors that each
// name a place. An accepted Config passes the checks between fields by construction; they are run again here.
#include <cstdint>
#include <string_view>

#include "apps/amphora/config/load.hpp"
#include "core/base/assert.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora::config;
  const LoadResult result = load_text({reinterpret_cast<const char*>(data), size});
  AMPHORA_ASSERT(result.config.has_value() == result.errors.empty());
  for (const Problem& problem : result.errors) {
    AMPHORA_ASSERT(problem.line >= 1);
    AMPHORA_ASSERT(problem.column >= 1);
    AMPHORA_ASSERT(!to_text(problem, "f").empty());
  }
  if (result.config) {
    AMPHORA_ASSERT(check_between_fields(*result.config).errors.empty());
  }
  return 0;
}
