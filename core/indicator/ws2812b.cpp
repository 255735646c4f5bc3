// SPDX-License-Identifier: Apache-2.0
#include "core/indicator/ws2812b.hpp"

#include <algorithm>

namespace amphora::indicator {

namespace {

constexpr auto kPulses = [] {
  std::array<std::array<std::uint8_t, 3>, 256> table{};
  for (std::size_t value = 0; value < table.size(); ++value) {
    table[value] = ws2812b_pulses(static_cast<std::uint8_t>(value));
  }
  return table;
}();

}  // namespace

MutableByteSpan encode_ws2812b(std::span<const Colour> pixels, MutableByteSpan out) {
  const std::size_t size = ws2812b_size(pixels.size());
  if (out.size() < size) {
    return {};
  }
  auto at = out.begin();
  for (const Colour& pixel : pixels) {
    for (const std::uint8_t value : {pixel.green, pixel.red, pixel.blue}) {
      at = std::copy(kPulses[value].begin(), kPulses[value].end(), at);
    }
  }
  std::fill_n(at, kWs2812bResetSize, std::uint8_t{0});
  return out.first(size);
}

}  // namespace amphora::indicator
