// SPDX-License-Identifier: Apache-2.0
#include "core/indicator/indicator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/indicator/tm1637.hpp"
#include "core/indicator/ws2812b.hpp"

namespace amphora::indicator {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint at(Duration d) {
  return TimePoint{d};
}

State with_soc(std::int32_t basis_points) {
  State state;
  state.soc = BasisPoints{basis_points};
  return state;
}

std::string text_of(const Picture& picture, bool is_coloured = false) {
  std::array<char, kTextSizeMax> buffer{};
  return std::string{render_text(picture, is_coloured, buffer)};
}

TEST(Indicator, TheBarRoundsAndShowsAtLeastOneAboveZero) {
  const std::vector<std::pair<std::int32_t, std::size_t>> cases{
      {-5, 0},   {0, 0},    {1, 1},     {499, 1},     {1499, 1},   {1500, 2},
      {4999, 5}, {9499, 9}, {9500, 10}, {10'000, 10}, {12'000, 10}};
  for (const auto& [soc, lit] : cases) {
    EXPECT_EQ(lit_count(BasisPoints{soc}), lit) << soc;
    const Picture picture = render(with_soc(soc), at(0s));
    EXPECT_EQ(std::ranges::count_if(picture.bar, [](Colour c) { return c != kOff; }),
              static_cast<std::ptrdiff_t>(lit));
  }
}

TEST(Indicator, TheBarIsRedUpToTwentyPerCent) {
  EXPECT_EQ(render(with_soc(2000), at(0s)).bar[0], kRed);
  EXPECT_EQ(render(with_soc(2001), at(0s)).bar[0], kGreen);
}

TEST(Indicator, WhileChargingABluePixelWalksAlongTheLitPart) {
  State state = with_soc(3000);
  state.is_charging = true;
  for (int step = 0; step < 7; ++step) {
    const Picture picture = render(state, at(step * 100ms + 99ms));
    for (std::size_t i = 0; i < kPixelCount; ++i) {
      const Colour expected = i == static_cast<std::size_t>(step % 3) ? kBlue : (i < 3 ? kGreen : kOff);
      EXPECT_EQ(picture.bar[i], expected) << "step " << step << ", pixel " << i;
    }
  }
  state.soc = BasisPoints{0};
  EXPECT_EQ(render(state, at(0s)).bar, (std::array<Colour, kPixelCount>{}));
}

TEST(Indicator, DigitsShowTheSocWithoutLeadingZerosAndBlinkWhenLow) {
  EXPECT_EQ(render(with_soc(10'000), at(0s)).digits, (std::array<Segments, 3>{0x06, 0x3F, 0x3F}));
  EXPECT_EQ(render(with_soc(6650), at(0s)).digits, (std::array<Segments, 3>{0x00, 0x7D, 0x07}))
      << "67, rounded";
  EXPECT_EQ(render(with_soc(0), at(0s)).digits, (std::array<Segments, 3>{0x00, 0x00, 0x3F}));
  EXPECT_EQ(render(with_soc(1499), at(499ms)).digits, (std::array<Segments, 3>{0x00, 0x06, 0x6D}));
  EXPECT_EQ(render(with_soc(1499), at(500ms)).digits, (std::array<Segments, 3>{}));
  EXPECT_EQ(render(with_soc(1499), at(1s)).digits, (std::array<Segments, 3>{0x00, 0x06, 0x6D}));
  EXPECT_EQ(render(with_soc(1500), at(500ms)).digits, (std::array<Segments, 3>{0x00, 0x06, 0x6D}));
}

TEST(Indicator, AnUnknownSocIsDashesAndADarkBar) {
  const Picture picture = render({}, at(700ms));
  EXPECT_EQ(picture.digits, (std::array<Segments, 3>{kDash, kDash, kDash}));
  EXPECT_EQ(picture.bar, (std::array<Colour, kPixelCount>{}));
}

TEST(Indicator, LedsAndBuzzer) {
  State state = with_soc(5000);
  EXPECT_TRUE(render(state, at(500ms)).green);
  state.has_place = false;
  EXPECT_TRUE(render(state, at(499ms)).green);
  EXPECT_FALSE(render(state, at(500ms)).green);
  state.is_running = false;
  EXPECT_FALSE(render(state, at(0s)).green);
  state.has_warning = true;
  EXPECT_TRUE(render(state, at(0s)).yellow);
  EXPECT_FALSE(render(state, at(0s)).red);
  state.has_fault = true;
  EXPECT_TRUE(render(state, at(0s)).red);
  EXPECT_FALSE(render(state, at(10s)).buzzer);
  state.update_step_at = at(10s);
  EXPECT_FALSE(render(state, at(9s)).buzzer);
  EXPECT_TRUE(render(state, at(10s)).buzzer);
  EXPECT_TRUE(render(state, at(10s + 99ms)).buzzer);
  EXPECT_FALSE(render(state, at(10s + 100ms)).buzzer);
}

TEST(Indicator, AsText) {
  State state = with_soc(6700);
  EXPECT_EQ(text_of(render(state, at(0s))), "[#######...]  67 % run ------- -----     ");
  state.is_charging = true;
  state.has_warning = true;
  state.has_fault = true;
  state.update_step_at = at(200ms);
  EXPECT_EQ(text_of(render(state, at(200ms))), "[##>####...]  67 % run warning fault beep");
  EXPECT_EQ(text_of(render(with_soc(1000), at(0s))), "[!.........]  10 % run ------- -----     ");
  const std::string coloured = text_of(render(state, at(200ms)), true);
  EXPECT_LT(coloured.size(), kTextSizeMax) << "nothing was cut";
  EXPECT_NE(coloured.find("\x1b[94m>\x1b[0m"), std::string::npos);
  std::array<char, 4> small{};
  EXPECT_EQ(render_text(render(state, at(0s)), false, small), "[>##");
}

TEST(Ws2812b, EachBitIsThreeBits) {
  // 0xA5 = 10100101 -> 110 100 110 100 100 110 100 110
  EXPECT_EQ(ws2812b_pulses(0xA5), (std::array<std::uint8_t, 3>{0xD3, 0x49, 0xA6}));
  EXPECT_EQ(ws2812b_pulses(0x00), (std::array<std::uint8_t, 3>{0x92, 0x49, 0x24}));
  EXPECT_EQ(ws2812b_pulses(0xFF), (std::array<std::uint8_t, 3>{0xDB, 0x6D, 0xB6}));
}

TEST(Ws2812b, AFrameIsGreenRedBlueAndARest) {
  const std::array<Colour, 2> pixels{Colour{0xFF, 0x00, 0xA5}, Colour{0x00, 0xFF, 0x00}};
  std::array<std::uint8_t, ws2812b_size(2) + 1> out{};
  out.fill(0xEE);
  const auto frame = encode_ws2812b(pixels, out);
  ASSERT_EQ(frame.size(), 2 * 9 + 90u);
  const std::array<std::uint8_t, 18> expected{0x92, 0x49, 0x24, 0xDB, 0x6D, 0xB6, 0xD3, 0x49, 0xA6,
                                              0xDB, 0x6D, 0xB6, 0x92, 0x49, 0x24, 0x92, 0x49, 0x24};
  EXPECT_TRUE(std::ranges::equal(frame.first(18), expected));
  EXPECT_EQ(std::ranges::count(frame, 0), 90);
  EXPECT_EQ(out.back(), 0xEE);
  EXPECT_TRUE(encode_ws2812b(pixels, MutableByteSpan{out}.first(ws2812b_size(2) - 1)).empty());
}

// The data sheet's times: a bit is high for 0.4 us or 0.8 us, within 0.15 us.
TEST(Ws2812b, PulsesKeepTheDataSheetsTimes) {
  constexpr double kBitUs = 1e6 / kWs2812bSpiHz;
  EXPECT_NEAR(kBitUs, 0.4, 0.15);
  EXPECT_NEAR(2 * kBitUs, 0.8, 0.15);
  EXPECT_NEAR(3 * kBitUs, 1.25, 0.3);
  EXPECT_GE(kWs2812bResetSize * 8 * kBitUs, 280.0);
}

TEST(Tm1637, EveryNumberReadsBack) {
  for (std::uint32_t number = 0; number <= 1200; ++number) {
    std::string read;
    for (const Segments segments : encode_number(number)) {
      read.push_back(decode_segments(segments).value());
    }
    std::string expected = std::to_string(std::min(number, 999U));
    expected.insert(0, 3 - expected.size(), ' ');
    EXPECT_EQ(read, expected);
  }
  EXPECT_EQ(decode_segments(kDash), '-');
  EXPECT_EQ(decode_segments(0x3F | 0x80), '0') << "with the point";
  EXPECT_FALSE(decode_segments(0x01));
}

TEST(Tm1637, TheThreeTransactions) {
  const Tm1637Frame frame = encode_tm1637(encode_number(100), 2);
  EXPECT_EQ(frame.data_command, 0x40);
  EXPECT_EQ(frame.address_and_digits, (std::array<std::uint8_t, 4>{0xC0, 0x06, 0x3F, 0x3F}));
  EXPECT_EQ(frame.control_command, 0x8A);
  EXPECT_EQ(encode_tm1637({}, 200).control_command, 0x8F);
}

// What a chip on the lines would read.
TEST(Tm1637, TheLinesCarryTheBytes) {
  const std::vector<std::uint8_t> bytes{0xC0, 0x06, 0x5B, 0xFF};
  std::vector<Tm1637Step> buffer(tm1637_step_count(bytes.size()));
  const auto steps = encode_tm1637_steps(bytes, buffer);
  ASSERT_EQ(steps.size(), buffer.size());
  std::vector<std::uint8_t> read;
  std::size_t starts = 0;
  std::size_t stops = 0;
  std::size_t acknowledges = 0;
  unsigned bit = 0;
  std::uint8_t byte = 0;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    const Tm1637Step& before = steps[i - 1];
    const Tm1637Step& step = steps[i];
    if (before.clock && step.clock && before.data != step.data) {
      (step.data ? stops : starts) += 1;
    } else if (!before.clock && step.clock && starts == 1 && stops == 0 && read.size() < bytes.size()) {
      if (step.is_acknowledge) {
        ++acknowledges;
        EXPECT_TRUE(step.data) << "released, so that the chip can pull it low";
        EXPECT_EQ(bit, 8u);
        read.push_back(byte);
        bit = 0;
        byte = 0;
      } else {
        byte = static_cast<std::uint8_t>(byte | ((step.data ? 1U : 0U) << bit++));
      }
    }
  }
  EXPECT_EQ(read, bytes);
  EXPECT_EQ(starts, 1u);
  EXPECT_EQ(stops, 1u);
  EXPECT_EQ(acknowledges, bytes.size());
  EXPECT_TRUE(encode_tm1637_steps(bytes, std::span{buffer}.first(buffer.size() - 1)).empty());
}

}  // namespace
}  // namespace amphora::indicator
