// SPDX-License-Identifier: Apache-2.0
#include "core/indicator/indicator.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "core/indicator/tm1637.hpp"

namespace amphora::indicator {
namespace {

using namespace std::chrono_literals;

using Digits = std::array<Segments, kDigitCount>;
constexpr Digits kDark{kBlank, kBlank, kBlank};

TimePoint at_ms(std::int64_t ms) {
  return TimePoint{std::chrono::milliseconds{ms}};
}

State with_soc(std::int32_t basis_points) {
  State state;
  state.soc = BasisPoints{basis_points};
  return state;
}

// One letter a pixel: g, r, b, or a point when dark; ? is a colour the bar never shows.
std::string bar_of(const State& state, TimePoint now) {
  std::string letters;
  for (const Colour colour : render(state, now).bar) {
    letters += colour == kOff     ? '.'
               : colour == kGreen ? 'g'
               : colour == kRed   ? 'r'
               : colour == kBlue  ? 'b'
                                  : '?';
  }
  return letters;
}

std::string text_of(const Picture& picture, bool is_coloured = false) {
  std::array<char, kTextSizeMax> buffer{};
  return std::string{render_text(picture, is_coloured, buffer)};
}

TEST(Indicator, LitCountRoundsToTenthsAndIsOneAboveZero) {
  struct Case {
    std::int32_t soc;
    std::size_t lit;
  };
  constexpr std::array kCases{Case{-1, 0},    Case{0, 0},       Case{1, 1},       Case{499, 1},
                              Case{500, 1},   Case{1499, 1},    Case{1500, 2},    Case{4499, 4},
                              Case{4500, 5},  Case{6700, 7},    Case{9499, 9},    Case{9500, 10},
                              Case{9999, 10}, Case{10'000, 10}, Case{10'001, 10}, Case{30'000, 10}};
  for (const Case& each : kCases) {
    EXPECT_EQ(lit_count(BasisPoints{each.soc}), each.lit) << each.soc;
  }
}

TEST(Indicator, BarIsRedUpToTwentyPercentAndGreenAbove) {
  EXPECT_EQ(bar_of(with_soc(0), at_ms(0)), "..........");
  EXPECT_EQ(bar_of(with_soc(1), at_ms(0)), "r.........");
  EXPECT_EQ(bar_of(with_soc(1999), at_ms(0)), "rr........");
  EXPECT_EQ(bar_of(with_soc(2000), at_ms(0)), "rr........");
  EXPECT_EQ(bar_of(with_soc(2001), at_ms(0)), "gg........");
  EXPECT_EQ(bar_of(with_soc(6700), at_ms(0)), "ggggggg...");
  EXPECT_EQ(bar_of(with_soc(10'000), at_ms(0)), "gggggggggg");
}

TEST(Indicator, BluePixelStepsEvery100MsWhileCharging) {
  State state = with_soc(3000);
  EXPECT_EQ(bar_of(state, at_ms(100)), "ggg.......");
  state.is_charging = true;
  EXPECT_EQ(bar_of(state, at_ms(0)), "bgg.......");
  EXPECT_EQ(bar_of(state, at_ms(100) - 1us), "bgg.......");
  EXPECT_EQ(bar_of(state, at_ms(100)), "gbg.......");
  EXPECT_EQ(bar_of(state, at_ms(200)), "ggb.......");
  EXPECT_EQ(bar_of(state, at_ms(300) - 1us), "ggb.......");
  EXPECT_EQ(bar_of(state, at_ms(300)), "bgg.......");
}

TEST(Indicator, BluePixelStaysWithinTheLitPart) {
  State low = with_soc(2000);
  low.is_charging = true;
  EXPECT_EQ(bar_of(low, at_ms(0)), "br........");
  EXPECT_EQ(bar_of(low, at_ms(100)), "rb........");
  State full = with_soc(10'000);
  full.is_charging = true;
  EXPECT_EQ(bar_of(full, at_ms(900)), "gggggggggb");
  EXPECT_EQ(bar_of(full, at_ms(1000)), "bggggggggg");
  State empty = with_soc(0);
  empty.is_charging = true;
  EXPECT_EQ(bar_of(empty, at_ms(100)), "..........");
}

TEST(Indicator, DigitsAreWholePercentWithoutLeadingZeros) {
  EXPECT_EQ(render(with_soc(0), at_ms(0)).digits, (Digits{0x00, 0x00, 0x3F}));
  EXPECT_EQ(render(with_soc(700), at_ms(0)).digits, (Digits{0x00, 0x00, 0x07}));
  EXPECT_EQ(render(with_soc(6749), at_ms(0)).digits, (Digits{0x00, 0x7D, 0x07}));
  EXPECT_EQ(render(with_soc(6750), at_ms(0)).digits, (Digits{0x00, 0x7D, 0x7F}));
  EXPECT_EQ(render(with_soc(10'000), at_ms(0)).digits, (Digits{0x06, 0x3F, 0x3F}));
  EXPECT_EQ(render(with_soc(-50), at_ms(0)).digits, (Digits{0x00, 0x00, 0x3F}));
  EXPECT_EQ(render(with_soc(12'000), at_ms(0)).digits, (Digits{0x06, 0x3F, 0x3F}));
}

TEST(Indicator, DigitsBlinkAtOneHertzUnderFifteenPercent) {
  const State low = with_soc(1400);
  constexpr Digits kFourteen{0x00, 0x06, 0x66};
  EXPECT_EQ(render(low, at_ms(0)).digits, kFourteen);
  EXPECT_EQ(render(low, at_ms(500) - 1us).digits, kFourteen);
  EXPECT_EQ(render(low, at_ms(500)).digits, kDark);
  EXPECT_EQ(render(low, at_ms(1000) - 1us).digits, kDark);
  EXPECT_EQ(render(low, at_ms(1000)).digits, kFourteen);
  // The SOC decides, not the rounded number: 14.99 % shows as 15 and blinks, 15 % is steady.
  EXPECT_EQ(render(with_soc(1499), at_ms(500)).digits, kDark);
  EXPECT_EQ(render(with_soc(1500), at_ms(500)).digits, (Digits{0x00, 0x06, 0x6D}));
}

TEST(Indicator, UnknownSocIsDashesAndADarkBar) {
  State state;
  state.is_charging = true;
  for (const std::int64_t ms : {0, 100, 500, 999}) {
    EXPECT_EQ(bar_of(state, at_ms(ms)), "..........");
    EXPECT_EQ(render(state, at_ms(ms)).digits, (Digits{0x40, 0x40, 0x40}));
    EXPECT_TRUE(render(state, at_ms(ms)).green);
  }
}

TEST(Indicator, GreenIsSteadyWithAPlaceAndBlinksWithout) {
  State state = with_soc(5000);
  EXPECT_TRUE(render(state, at_ms(0)).green);
  EXPECT_TRUE(render(state, at_ms(500)).green);
  state.has_place = false;
  EXPECT_TRUE(render(state, at_ms(0)).green);
  EXPECT_TRUE(render(state, at_ms(500) - 1us).green);
  EXPECT_FALSE(render(state, at_ms(500)).green);
  EXPECT_FALSE(render(state, at_ms(1000) - 1us).green);
  EXPECT_TRUE(render(state, at_ms(1000)).green);
  state.is_running = false;
  EXPECT_FALSE(render(state, at_ms(0)).green);
  state.has_place = true;
  EXPECT_FALSE(render(state, at_ms(0)).green);
}

TEST(Indicator, YellowIsAWarningAndRedAFault) {
  State state = with_soc(5000);
  EXPECT_FALSE(render(state, at_ms(0)).yellow);
  EXPECT_FALSE(render(state, at_ms(0)).red);
  state.has_warning = true;
  EXPECT_TRUE(render(state, at_ms(500)).yellow);
  EXPECT_FALSE(render(state, at_ms(500)).red);
  state.has_warning = false;
  state.has_fault = true;
  EXPECT_FALSE(render(state, at_ms(500)).yellow);
  EXPECT_TRUE(render(state, at_ms(500)).red);
}

TEST(Indicator, BuzzerSounds100MsFromAnUpdateStep) {
  State state = with_soc(5000);
  EXPECT_FALSE(render(state, at_ms(0)).buzzer);
  state.update_step_at = at_ms(730);
  EXPECT_FALSE(render(state, at_ms(730) - 1us).buzzer);
  EXPECT_TRUE(render(state, at_ms(730)).buzzer);
  EXPECT_TRUE(render(state, at_ms(830) - 1us).buzzer);
  EXPECT_FALSE(render(state, at_ms(830)).buzzer);
}

TEST(Indicator, SameStateAndTimeGiveTheSamePicture) {
  State state = with_soc(1234);
  state.is_charging = true;
  state.has_place = false;
  state.update_step_at = at_ms(1000);
  std::array<Picture, 60> forward{};
  for (std::size_t i = 0; i < forward.size(); ++i) {
    forward[i] = render(state, at_ms(static_cast<std::int64_t>(i) * 50));
  }
  // Asked in the other order, with a different state between: nothing is remembered.
  for (std::size_t i = forward.size(); i-- > 0;) {
    render(State{}, at_ms(7));
    EXPECT_EQ(render(state, at_ms(static_cast<std::int64_t>(i) * 50)), forward[i]) << i;
  }
}

TEST(IndicatorText, PlainLines) {
  State state = with_soc(6700);
  EXPECT_EQ(text_of(render(state, at_ms(0))), "[#######...]  67 % run ------- -----     ");
  state.is_charging = true;
  state.has_warning = true;
  EXPECT_EQ(text_of(render(state, at_ms(200))), "[##>####...]  67 % run warning -----     ");
  State low = with_soc(1000);
  low.has_place = false;
  low.has_fault = true;
  low.update_step_at = at_ms(500);
  EXPECT_EQ(text_of(render(low, at_ms(0))), "[!.........]  10 % run ------- fault     ");
  EXPECT_EQ(text_of(render(low, at_ms(500))), "[!.........]     % --- ------- fault beep");
  EXPECT_EQ(text_of(render(State{}, at_ms(0))), "[..........] --- % run ------- -----     ");
}

TEST(IndicatorText, UnknownSegmentsAreAQuestionMark) {
  Picture picture;
  picture.digits = {0x01, 0x86, 0x40};
  EXPECT_EQ(text_of(picture), "[..........] ?1- % --- ------- -----     ");
}

TEST(IndicatorText, ColoursWrapTheSameText) {
  State state = with_soc(10'000);
  state.is_charging = true;
  state.has_warning = true;
  state.has_fault = true;
  state.update_step_at = at_ms(0);
  std::string expected = "[\x1b[94m>\x1b[0m";
  for (int i = 0; i < 9; ++i) {
    expected += "\x1b[92m#\x1b[0m";
  }
  expected += "] 100 % \x1b[92mrun\x1b[0m \x1b[93mwarning\x1b[0m \x1b[91mfault\x1b[0m beep";
  EXPECT_EQ(text_of(render(state, at_ms(0)), true), expected);
  EXPECT_LE(expected.size(), kTextSizeMax);
}

TEST(IndicatorText, SmallBufferCuts) {
  std::array<char, 5> small{};
  EXPECT_EQ(render_text(render(with_soc(6700), at_ms(0)), false, small), "[####");
  EXPECT_TRUE(render_text(Picture{}, false, {}).empty());
}

}  // namespace
}  // namespace amphora::indicator
