// SPDX-License-Identifier: Apache-2.0
// Any bytes as a capture or as text, in pieces: never a crash, the same for every way of cutting them, and
// every line that comes out is a JSON object.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "apps/amphora/decode/line_decoder.hpp"
#include "core/base/assert.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora::decode;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const std::string whole = decode_all(*make_link_decoder(), input);
  std::istringstream lines{whole};
  std::string line;
  while (std::getline(lines, line)) {
    AMPHORA_ASSERT(nlohmann::json::parse(line, nullptr, false).is_object());
  }
  std::string pieces;
  const auto decoder = make_link_decoder();
  const std::size_t step = size == 0 ? 1 : 1 + data[size / 2] % 64U;
  for (std::size_t at = 0; at < size; at += step) {
    decoder->feed(input.substr(at, step), pieces);
  }
  decoder->finish(pieces);
  AMPHORA_ASSERT(pieces == whole);
  return 0;
}
