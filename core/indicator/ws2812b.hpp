// SPDX-License-Identifier: Apache-2.0
// Pixels as bytes for an SPI data line.
//
// A WS2812B reads pulses: a bit is 1.25 us long and high for about 0.4 us (zero) or 0.8 us (one), +-0.15 us.
// With SPI at 2.4 MHz three SPI bits are one pulse: 100 is high for 0.42 us, 110 for 0.83 us. So each colour
// byte becomes three bytes, most significant bit first, in the order green, red, blue. The line must be low
// between frames for 280 us (later chips; early ones wanted 50), which is kResetSize bytes of zero at the
// end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/bytes.hpp"
#include "core/indicator/indicator.hpp"

namespace amphora::indicator {

inline constexpr std::uint32_t kWs2812bSpiHz = 2'400'000;
inline constexpr std::size_t kWs2812bPixelSize = 9;
inline constexpr std::size_t kWs2812bResetSize = 90;  // 300 us

constexpr std::size_t ws2812b_size(std::size_t pixel_count) {
  return pixel_count * kWs2812bPixelSize + kWs2812bResetSize;
}

// The bytes of one colour value.
constexpr std::array<std::uint8_t, 3> ws2812b_pulses(std::uint8_t value) {
  std::uint32_t pulses = 0;
  for (unsigned bit = 8; bit-- > 0;) {
    pulses = (pulses << 3U) | (((value >> bit) & 1U) != 0 ? 0b110U : 0b100U);
  }
  return {static_cast<std::uint8_t>(pulses >> 16U), static_cast<std::uint8_t>((pulses >> 8U) & 0xFFU),
          static_cast<std::uint8_t>(pulses & 0xFFU)};
}

// The bytes of a frame, or an empty span when `out` is smaller than ws2812b_size().
MutableByteSpan encode_ws2812b(std::span<const Colour> pixels, MutableByteSpan out);

}  // namespace amphora::indicator
