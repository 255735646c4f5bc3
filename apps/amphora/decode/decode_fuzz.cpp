// SPDX-License-Identifier: Apache-2.0
// Any text as a log of frames: never a crash, and every line that comes out is a JSON object.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "apps/amphora/decode/line_decoder.hpp"
#include "core/base/assert.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora::decode;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  for (const auto& decoder : {make_victron_decoder(), make_tinybms_decoder(), make_packnet_decoder()}) {
    std::istringstream lines{decode_all(*decoder, text)};
    std::string line;
    while (std::getline(lines, line)) {
      AMPHORA_ASSERT(nlohmann::json::parse(line, nullptr, false).is_object());
    }
  }
  return 0;
}
