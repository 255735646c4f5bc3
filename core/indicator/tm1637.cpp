// SPDX-License-Identifier: Apache-2.0
#include "core/indicator/tm1637.hpp"

#include <algorithm>

namespace amphora::indicator {

namespace {

constexpr std::uint8_t kWriteData = 0x40;
constexpr std::uint8_t kFirstAddress = 0xC0;
constexpr std::uint8_t kDisplayOn = 0x88;
constexpr Segments kPoint = 0x80;

}  // namespace

std::array<Segments, kDigitCount> encode_number(std::uint32_t number) {
  std::array<Segments, kDigitCount> digits{};
  std::uint32_t rest = std::min<std::uint32_t>(number, 999);
  for (std::size_t i = kDigitCount; i-- > 0;) {
    const bool is_leading = rest == 0 && i + 1 < kDigitCount;
    digits[i] = is_leading ? kBlank : kDigitSegments[rest % 10];
    rest /= 10;
  }
  return digits;
}

std::optional<char> decode_segments(Segments segments) {
  const auto bare = static_cast<Segments>(segments & ~kPoint);
  if (bare == kBlank) {
    return ' ';
  }
  if (bare == kDash) {
    return '-';
  }
  const auto found = std::ranges::find(kDigitSegments, bare);
  return found == kDigitSegments.end()
             ? std::nullopt
             : std::optional{static_cast<char>('0' + (found - kDigitSegments.begin()))};
}

Tm1637Frame encode_tm1637(const std::array<Segments, kDigitCount>& digits, std::uint8_t brightness) {
  Tm1637Frame frame;
  frame.data_command = kWriteData;
  frame.address_and_digits[0] = kFirstAddress;
  std::ranges::copy(digits, frame.address_and_digits.begin() + 1);
  frame.control_command = static_cast<std::uint8_t>(kDisplayOn | std::min(brightness, kTm1637BrightnessMax));
  return frame;
}

std::span<Tm1637Step> encode_tm1637_steps(std::span<const std::uint8_t> bytes, std::span<Tm1637Step> out) {
  const std::size_t size = tm1637_step_count(bytes.size());
  if (out.size() < size) {
    return {};
  }
  std::size_t at = 0;
  const auto step = [&](bool clock, bool data, bool is_acknowledge = false) {
    out[at++] = Tm1637Step{clock, data, is_acknowledge};
  };
  // Start: data falls while the clock is high. The chip takes a bit when the clock rises.
  step(true, true);
  step(true, false);
  for (const std::uint8_t byte : bytes) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      const bool is_one = ((byte >> bit) & 1U) != 0;
      step(false, is_one);
      step(true, is_one);
    }
    step(false, true);
    step(true, true, true);
  }
  // Stop: data rises while the clock is high.
  step(false, false);
  step(true, false);
  step(true, true);
  return out.first(size);
}

}  // namespace amphora::indicator
