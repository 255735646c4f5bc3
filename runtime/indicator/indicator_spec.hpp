// SPDX-License-Identifier: Apache-2.0
// The texts that say which lights, digits and buzzer are fitted. Empty: not fitted.
//
//   bar      spi:/dev/spidev0.0                      WS2812B pixels on the data line of an SPI bus
//   digits   tm1637:gpiochip0/14,12?brightness=4     TM1637: clock, data; brightness 0 to 7 (default 3)
//   leds     gpio:gpiochip0/2,13,15?active=high      green, yellow, red
//   buzzer   gpio:gpiochip0/27?active=high
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "runtime/device/gpio_line.hpp"
#include "runtime/device/spec_text.hpp"

namespace amphora::runtime {

struct BarSpec {
  std::string path;
  friend bool operator==(const BarSpec&, const BarSpec&) = default;
};
struct DigitsSpec {
  GpioAddress clock;
  GpioAddress data;
  std::uint8_t brightness = 3;
  friend bool operator==(const DigitsSpec&, const DigitsSpec&) = default;
};
struct LedsSpec {
  std::array<GpioAddress, 3> lines;  // green, yellow, red
  GpioPolarity polarity = GpioPolarity::kActiveHigh;
  friend bool operator==(const LedsSpec&, const LedsSpec&) = default;
};
struct BuzzerSpec {
  GpioAddress line;
  GpioPolarity polarity = GpioPolarity::kActiveHigh;
  friend bool operator==(const BuzzerSpec&, const BuzzerSpec&) = default;
};
struct IndicatorSpecs {
  std::optional<BarSpec> bar;
  std::optional<DigitsSpec> digits;
  std::optional<LedsSpec> leds;
  std::optional<BuzzerSpec> buzzer;
  friend bool operator==(const IndicatorSpecs&, const IndicatorSpecs&) = default;
  bool is_empty() const { return !bar && !digits && !leds && !buzzer; }
};

// Each gives empty for an empty text.
std::variant<std::optional<BarSpec>, SpecError> parse_bar_spec(std::string_view text);
std::variant<std::optional<DigitsSpec>, SpecError> parse_digits_spec(std::string_view text);
std::variant<std::optional<LedsSpec>, SpecError> parse_leds_spec(std::string_view text);
std::variant<std::optional<BuzzerSpec>, SpecError> parse_buzzer_spec(std::string_view text);

}  // namespace amphora::runtime
