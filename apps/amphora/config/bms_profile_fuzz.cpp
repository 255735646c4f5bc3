// SPDX-License-Identifier: Apache-2.0
// Any bytes as a register profile: never a crash, and either a profile that the reader can work with or
// faults that each name a place.
#include <cstdint>
#include <string_view>

#include "apps/amphora/config/bms_profile.hpp"
#include "apps/amphora/config/load.hpp"
#include "core/base/assert.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora;
  const auto parsed = config::parse_bms_profile({reinterpret_cast<const char*>(data), size});
  if (const auto* faults = std::get_if<std::vector<config::Problem>>(&parsed)) {
    AMPHORA_ASSERT(!faults->empty());
    for (const config::Problem& fault : *faults) {
      AMPHORA_ASSERT(fault.line >= 1);
      AMPHORA_ASSERT(fault.column >= 1);
      AMPHORA_ASSERT(!config::to_text(fault, "f").empty());
    }
    return 0;
  }
  AMPHORA_ASSERT(modbus::check_config({.profile = std::get<modbus::Profile>(parsed)}).empty());
  return 0;
}
