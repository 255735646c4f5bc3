// SPDX-License-Identifier: Apache-2.0
// Any bytes as a summary: refused, or read; what was read can be written and reads the same.
#include <array>
#include <cstdint>

#include "core/base/assert.hpp"
#include "core/battery/summary.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora;
  using namespace amphora::battery;
  const auto summary = decode_summary(ByteSpan{data, size});
  if (summary) {
    std::array<std::uint8_t, kSummarySizeMax> bytes{};
    const std::size_t written = encode(*summary, bytes);
    const auto again = decode_summary(ByteSpan{bytes}.first(written));
    AMPHORA_ASSERT(again.has_value() && *again == *summary);
  }
  return 0;
}
