// SPDX-License-Identifier: Apache-2.0
#include "core/indicator/ws2812b.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace amphora::indicator {
namespace {

using Pulses = std::array<std::uint8_t, 3>;

TEST(Ws2812b, ABitIsThreeSpiBitsMostSignificantFirst) {
  EXPECT_EQ(ws2812b_pulses(0x00), (Pulses{0x92, 0x49, 0x24}));
  EXPECT_EQ(ws2812b_pulses(0xFF), (Pulses{0xDB, 0x6D, 0xB6}));
  EXPECT_EQ(ws2812b_pulses(0x80), (Pulses{0xD2, 0x49, 0x24}));
  EXPECT_EQ(ws2812b_pulses(0x40), (Pulses{0x9A, 0x49, 0x24}));
  EXPECT_EQ(ws2812b_pulses(0x01), (Pulses{0x92, 0x49, 0x26}));
  EXPECT_EQ(ws2812b_pulses(0xAA), (Pulses{0xD3, 0x4D, 0x34}));
}

TEST(Ws2812b, PixelIsGreenRedBlueThenTheLineIsLow) {
  std::array<std::uint8_t, ws2812b_size(1)> buffer{};
  buffer.fill(0xEE);
  const std::array pixels{Colour{.red = 0xFF, .green = 0x80, .blue = 0x01}};
  const MutableByteSpan frame = encode_ws2812b(pixels, buffer);
  constexpr std::array<std::uint8_t, 9> kExpected{0xD2, 0x49, 0x24, 0xDB, 0x6D, 0xB6, 0x92, 0x49, 0x26};
  ASSERT_EQ(frame.size(), 99U);
  EXPECT_TRUE(std::ranges::equal(frame.first(9), kExpected));
  EXPECT_TRUE(std::ranges::all_of(frame.subspan(9), [](std::uint8_t byte) { return byte == 0; }));
}

TEST(Ws2812b, TheBarIsInOrderAndLongerBuffersAreLeftAlone) {
  std::array<std::uint8_t, ws2812b_size(kPixelCount) + 2> buffer{};
  buffer.fill(0xEE);
  std::array<Colour, kPixelCount> bar{};
  bar[0] = kGreen;
  bar[1] = kRed;
  bar[9] = kBlue;
  const MutableByteSpan frame = encode_ws2812b(bar, buffer);
  ASSERT_EQ(frame.size(), 180U);
  EXPECT_EQ(frame.data(), buffer.data());
  constexpr Pulses kDark{0x92, 0x49, 0x24};
  constexpr Pulses kLit{0x9A, 0x49, 0x24};
  for (std::size_t value = 0; value < 3 * kPixelCount; ++value) {
    const bool is_lit = value == 0 || value == 4 || value == 29;
    EXPECT_TRUE(std::ranges::equal(frame.subspan(value * 3, 3), is_lit ? kLit : kDark)) << value;
  }
  EXPECT_TRUE(std::ranges::all_of(frame.subspan(90), [](std::uint8_t byte) { return byte == 0; }));
  EXPECT_EQ(buffer[180], 0xEE);
  EXPECT_EQ(buffer[181], 0xEE);
}

TEST(Ws2812b, ResetLastsAtLeast280Us) {
  EXPECT_GE(kWs2812bResetSize * 8 * 1'000'000 / kWs2812bSpiHz, 280U);
}

TEST(Ws2812b, SmallBufferGivesNoFrameAndStaysAsItWas) {
  std::array<std::uint8_t, ws2812b_size(1) - 1> buffer{};
  buffer.fill(0xEE);
  EXPECT_TRUE(encode_ws2812b(std::array{kGreen}, buffer).empty());
  EXPECT_TRUE(std::ranges::all_of(buffer, [](std::uint8_t byte) { return byte == 0xEE; }));
}

}  // namespace
}  // namespace amphora::indicator
