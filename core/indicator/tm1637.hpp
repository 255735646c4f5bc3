// SPDX-License-Identifier: Apache-2.0
// Digits as segments, and the transactions that bring them to a TM1637.
//
// The chip has a clock and a data line. A transaction is start, bytes (least significant bit first, each
// followed by an acknowledge bit that the chip pulls low), stop. Three transactions write a display:
//   0x40                     write data, address counts up
//   0xC0, segments …         from the first digit on
//   0x88 | brightness        on, brightness 0 to 7
// This is a codec; the adapter moves the lines.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/indicator/indicator.hpp"

namespace amphora::indicator {

inline constexpr std::uint8_t kTm1637BrightnessMax = 7;

inline constexpr auto kDigitSegments =
    std::array<Segments, 10>{0x3F, 0x06, 0x5B, 0x4F, 0x66, 0x6D, 0x7D, 0x07, 0x7F, 0x6F};
inline constexpr Segments kDash = 0x40;
inline constexpr Segments kBlank = 0x00;

// 0 to 999, right-aligned without leading zeros. Larger numbers show as 999.
std::array<Segments, kDigitCount> encode_number(std::uint32_t number);

// The reverse for one digit, for text and tests: '0' to '9', '-', ' '; empty for other segments.
std::optional<char> decode_segments(Segments segments);

struct Tm1637Frame {
  std::uint8_t data_command = 0;
  std::array<std::uint8_t, 1 + kDigitCount> address_and_digits{};
  std::uint8_t control_command = 0;
  friend constexpr bool operator==(const Tm1637Frame&, const Tm1637Frame&) = default;
};
// Brightness above the maximum counts as the maximum.
Tm1637Frame encode_tm1637(const std::array<Segments, kDigitCount>& digits, std::uint8_t brightness);

// How the lines move, for an adapter that knows only two pins. One step is a level of both lines and lasts at
// least kTm1637HalfPeriod; with `data` released the chip answers (acknowledge).
struct Tm1637Step {
  bool clock = true;
  bool data = true;
  bool is_acknowledge = false;  // read the data line here: low is the chip's answer
  friend constexpr bool operator==(const Tm1637Step&, const Tm1637Step&) = default;
};
inline constexpr Duration kTm1637HalfPeriod = std::chrono::microseconds{5};
// Start 2, each byte 8 bits and an acknowledge of 2 steps each, stop 3.
constexpr std::size_t tm1637_step_count(std::size_t byte_count) {
  return 2 + byte_count * 18 + 3;
}
// The steps of one transaction, or an empty span when `out` is too small.
std::span<Tm1637Step> encode_tm1637_steps(std::span<const std::uint8_t> bytes, std::span<Tm1637Step> out);

}  // namespace amphora::indicator
