// SPDX-License-Identifier: Apache-2.0
// What the lights, digits and buzzer of an energy pack show at a given moment.
//
// A pure function: the same state and time give the same picture, in the box, in the simulator and on the web
// page. The adapter calls it as often as it likes (50 ms is smooth) and writes the picture to the hardware
// when it differs from the last one.
//
//   bar      ten pixels, round(SOC / 10 %) of them lit, at least one above 0 %; green, red at 20 % and below.
//            While charging a blue pixel walks along the lit part towards its end, one step in 100 ms.
//            A pack that is to show itself blinks all ten in blue at 1 Hz.
//   digits   SOC from 0 to 100 without leading zeros; under 15 % it blinks at 1 Hz. Unknown: three dashes.
//   LEDs     green: running; blinks at 1 Hz while the node has no place in its network yet. Yellow: a
//   warning.
//            Red: a fault.
//   buzzer   a pulse of 100 ms at each step of an update
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/time.hpp"
#include "core/base/units.hpp"

namespace amphora::indicator {

inline constexpr std::size_t kPixelCount = 10;
inline constexpr std::size_t kDigitCount = 3;

struct Colour {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
  friend constexpr bool operator==(const Colour&, const Colour&) = default;
};

// A quarter of full brightness: ten pixels then draw 50 mA, and a dark room stays dark.
inline constexpr std::uint8_t kBrightness = 64;
inline constexpr Colour kOff{};
inline constexpr Colour kGreen{0, kBrightness, 0};
inline constexpr Colour kRed{kBrightness, 0, 0};
inline constexpr Colour kBlue{0, 0, kBrightness};

inline constexpr BasisPoints kRedAt{2000};
inline constexpr BasisPoints kBlinkBelow{1500};
inline constexpr Duration kSweepStep = std::chrono::milliseconds{100};
inline constexpr Duration kBlinkPeriod = std::chrono::seconds{1};
inline constexpr Duration kBuzzerPulse = std::chrono::milliseconds{100};

struct State {
  std::optional<BasisPoints> soc;
  bool is_charging = false;
  bool is_running = true;
  bool has_place = true;  // node id claimed and a master elected
  bool has_warning = false;
  bool has_fault = false;
  bool is_identifying = false;              // somebody asks which pack this is
  std::optional<TimePoint> update_step_at;  // the latest step of an update
};

// Segments of one digit: bit 0 is a (top), then b, c, d, e, f clockwise, g the middle, bit 7 the point.
using Segments = std::uint8_t;

struct Picture {
  std::array<Colour, kPixelCount> bar{};
  std::array<Segments, kDigitCount> digits{};  // left to right
  bool green = false;
  bool yellow = false;
  bool red = false;
  bool buzzer = false;
  friend constexpr bool operator==(const Picture&, const Picture&) = default;
};

// Pixels lit for an SOC; values outside 0 to 100 % count as the nearer end.
std::size_t lit_count(BasisPoints soc);

Picture render(const State& state, TimePoint now);

// The picture as one line of text for a terminal, such as "[#######...]  67 % run ------- -----"; with
// is_coloured in ANSI colours. Returns what was written; kTextSizeMax always suffices, a smaller buffer cuts.
inline constexpr std::size_t kTextSizeMax = 256;
std::string_view render_text(const Picture& picture, bool is_coloured, std::span<char> buffer);

}  // namespace amphora::indicator
