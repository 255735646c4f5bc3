// SPDX-License-Identifier: Apache-2.0
#include "core/indicator/tm1637.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace amphora::indicator {
namespace {

using Digits = std::array<Segments, kDigitCount>;

TEST(Tm1637, NumbersAreRightAlignedWithoutLeadingZeros) {
  EXPECT_EQ(encode_number(0), (Digits{0x00, 0x00, 0x3F}));
  EXPECT_EQ(encode_number(9), (Digits{0x00, 0x00, 0x6F}));
  EXPECT_EQ(encode_number(10), (Digits{0x00, 0x06, 0x3F}));
  EXPECT_EQ(encode_number(100), (Digits{0x06, 0x3F, 0x3F}));
  EXPECT_EQ(encode_number(305), (Digits{0x4F, 0x3F, 0x6D}));
  EXPECT_EQ(encode_number(248), (Digits{0x5B, 0x66, 0x7F}));
  EXPECT_EQ(encode_number(167), (Digits{0x06, 0x7D, 0x07}));
  EXPECT_EQ(encode_number(999), (Digits{0x6F, 0x6F, 0x6F}));
  EXPECT_EQ(encode_number(1000), encode_number(999));
  EXPECT_EQ(encode_number(0xFFFF'FFFF), encode_number(999));
}

TEST(Tm1637, SegmentsReadBackWithAndWithoutThePoint) {
  for (std::size_t digit = 0; digit < kDigitSegments.size(); ++digit) {
    const char expected = static_cast<char>('0' + digit);
    EXPECT_EQ(decode_segments(kDigitSegments[digit]), expected);
    EXPECT_EQ(decode_segments(static_cast<Segments>(kDigitSegments[digit] | 0x80U)), expected);
  }
  EXPECT_EQ(decode_segments(0x40), '-');
  EXPECT_EQ(decode_segments(0x00), ' ');
  EXPECT_EQ(decode_segments(0x01), std::nullopt);
  EXPECT_EQ(decode_segments(0x77), std::nullopt);
}

TEST(Tm1637, FrameHoldsTheThreeTransactions) {
  const Tm1637Frame frame = encode_tm1637(encode_number(67), 2);
  EXPECT_EQ(frame.data_command, 0x40);
  EXPECT_EQ(frame.address_and_digits, (std::array<std::uint8_t, 4>{0xC0, 0x00, 0x7D, 0x07}));
  EXPECT_EQ(frame.control_command, 0x8A);
}

TEST(Tm1637, BrightnessEndsAtSeven) {
  EXPECT_EQ(encode_tm1637({}, 0).control_command, 0x88);
  EXPECT_EQ(encode_tm1637({}, 7).control_command, 0x8F);
  EXPECT_EQ(encode_tm1637({}, 8).control_command, 0x8F);
  EXPECT_EQ(encode_tm1637({}, 255).control_command, 0x8F);
}

TEST(Tm1637, StepsOfOneByte) {
  std::array<Tm1637Step, tm1637_step_count(1)> buffer{};
  const auto steps = encode_tm1637_steps(std::array<std::uint8_t, 1>{0x8A}, buffer);
  constexpr std::array<Tm1637Step, 23> kExpected{{
      {true, true, false},   {true, false, false},                      // start
      {false, false, false}, {true, false, false},                      // 0x8A, least significant bit first
      {false, true, false},  {true, true, false},                       //
      {false, false, false}, {true, false, false},                      //
      {false, true, false},  {true, true, false},                       //
      {false, false, false}, {true, false, false},                      //
      {false, false, false}, {true, false, false},                      //
      {false, false, false}, {true, false, false},                      //
      {false, true, false},  {true, true, false},                       //
      {false, true, false},  {true, true, true},                        // acknowledge
      {false, false, false}, {true, false, false}, {true, true, false}  // stop
  }};
  ASSERT_EQ(steps.size(), kExpected.size());
  for (std::size_t i = 0; i < kExpected.size(); ++i) {
    EXPECT_EQ(steps[i], kExpected[i]) << i;
  }
}

// What the chip takes: a bit at each rising clock, the ninth of each byte being its own.
TEST(Tm1637, ChipReadsTheBytesBack) {
  const auto sent = encode_tm1637(encode_number(100), 7).address_and_digits;
  std::array<Tm1637Step, tm1637_step_count(4) + 1> buffer{};
  const auto steps = encode_tm1637_steps(sent, buffer);
  ASSERT_EQ(steps.size(), tm1637_step_count(4));
  std::vector<std::uint8_t> received;
  unsigned starts = 0;
  unsigned stops = 0;
  unsigned bits = 0;
  unsigned byte = 0;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    const Tm1637Step& before = steps[i - 1];
    const Tm1637Step& step = steps[i];
    if (before.clock && step.clock) {
      starts += before.data && !step.data ? 1U : 0U;
      stops += !before.data && step.data ? 1U : 0U;
    } else if (step.clock && step.is_acknowledge) {
      EXPECT_EQ(bits, 8U);
      EXPECT_TRUE(step.data) << "released for the chip's answer";
      received.push_back(static_cast<std::uint8_t>(byte));
      bits = 0;
      byte = 0;
    } else if (step.clock) {
      EXPECT_EQ(before.data, step.data) << "data is set before the clock rises";
      byte |= (step.data ? 1U : 0U) << bits;
      ++bits;
    }
  }
  EXPECT_EQ(received, std::vector<std::uint8_t>(sent.begin(), sent.end()));
  EXPECT_EQ(starts, 1U);
  EXPECT_EQ(stops, 1U);
}

TEST(Tm1637, SmallBufferGivesNoSteps) {
  std::array<Tm1637Step, tm1637_step_count(1) - 1> buffer{};
  EXPECT_TRUE(encode_tm1637_steps(std::array<std::uint8_t, 1>{0x40}, buffer).empty());
}

}  // namespace
}  // namespace amphora::indicator
