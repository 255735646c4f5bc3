// SPDX-License-Identifier: Apache-2.0
// Any bytes into the decompressor: a defined result, within bounds. Any bytes compressed: smaller or equal,
// and they come back. Input: 1 byte scheme, 1 byte promised size, then the bytes.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/telemetry/compress.hpp"

namespace {
void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora;
  using namespace amphora::telemetry;
  ByteReader reader{ByteSpan{data, size}};
  const auto scheme = static_cast<Scheme>(reader.u8());
  const std::size_t promised = reader.u8();
  const ByteSpan bytes = reader.take(reader.remaining());
  // On the heap and exactly as large as allowed, so that a sanitizer sees each byte too many.
  std::vector<std::uint8_t> out(promised);
  const auto result = decompress(scheme, bytes, promised, out);
  require(!result.ok() || *result == promised);

  std::vector<std::uint8_t> packed(bytes.size());
  const auto compressed = compress(bytes, packed);
  require(compressed.ok() && compressed->size <= bytes.size());
  std::vector<std::uint8_t> back(bytes.size());
  require(decompress(compressed->scheme, ByteSpan{packed}.first(compressed->size), bytes.size(), back).ok());
  require(std::ranges::equal(back, bytes));
  return 0;
}
