// SPDX-License-Identifier: Apache-2.0
#include "runtime/indicator/indicator_spec.hpp"

#include <algorithm>

#include "core/indicator/tm1637.hpp"

namespace amphora::runtime {

namespace {

GpioPolarity take_polarity(SpecText& spec) {
  return static_cast<GpioPolarity>(spec.take_choice("active", {"high", "low"}).value_or(0));
}

// The lines of an address; a wrong one is an error of the text.
std::vector<GpioAddress> take_lines(SpecText& spec, std::size_t count) {
  auto addresses = parse_gpio_addresses(spec.address(), count);
  if (auto* error = std::get_if<SpecError>(&addresses)) {
    spec.fail(std::move(error->text));
    return std::vector<GpioAddress>(count);
  }
  return std::get<0>(std::move(addresses));
}

template <class T>
std::variant<std::optional<T>, SpecError> finished(SpecText& spec, T result) {
  if (auto error = spec.finish()) {
    return std::move(*error);
  }
  return std::optional{std::move(result)};
}

// Empty when the kind is the expected one.
std::optional<SpecError> check_kind(const SpecText& spec, std::string_view text, std::string_view kind,
                                    const std::string& example) {
  if (spec.kind() == kind) {
    return std::nullopt;
  }
  return SpecError{"'" + std::string{text} + "' is not possible here; write " + example +
                   ", or nothing where nothing is fitted"};
}

}  // namespace

std::variant<std::optional<BarSpec>, SpecError> parse_bar_spec(std::string_view text) {
  if (text.empty()) {
    return std::optional<BarSpec>{};
  }
  SpecText spec{text};
  if (auto error = check_kind(spec, text, "spi", "spi:/dev/spidev0.0")) {
    return std::move(*error);
  }
  if (!spec.address().starts_with('/')) {
    spec.fail("spi needs the path of a bus, such as /dev/spidev0.0");
  }
  return finished(spec, BarSpec{spec.address()});
}

std::variant<std::optional<DigitsSpec>, SpecError> parse_digits_spec(std::string_view text) {
  if (text.empty()) {
    return std::optional<DigitsSpec>{};
  }
  SpecText spec{text};
  if (auto error = check_kind(spec, text, "tm1637", "tm1637:gpiochip0/14,12 (clock, data)")) {
    return std::move(*error);
  }
  const auto lines = take_lines(spec, 2);
  DigitsSpec result{lines[0], lines[1]};
  const auto brightness = spec.take_integer("brightness", 0, indicator::kTm1637BrightnessMax);
  result.brightness = static_cast<std::uint8_t>(brightness.value_or(result.brightness));
  return finished(spec, std::move(result));
}

std::variant<std::optional<LedsSpec>, SpecError> parse_leds_spec(std::string_view text) {
  if (text.empty()) {
    return std::optional<LedsSpec>{};
  }
  SpecText spec{text};
  if (auto error = check_kind(spec, text, "gpio", "gpio:gpiochip0/2,13,15 (green, yellow, red)")) {
    return std::move(*error);
  }
  LedsSpec result;
  std::ranges::move(take_lines(spec, result.lines.size()), result.lines.begin());
  result.polarity = take_polarity(spec);
  return finished(spec, std::move(result));
}

std::variant<std::optional<BuzzerSpec>, SpecError> parse_buzzer_spec(std::string_view text) {
  if (text.empty()) {
    return std::optional<BuzzerSpec>{};
  }
  SpecText spec{text};
  if (auto error = check_kind(spec, text, "gpio", "gpio:gpiochip0/27")) {
    return std::move(*error);
  }
  BuzzerSpec result{take_lines(spec, 1).front()};
  result.polarity = take_polarity(spec);
  return finished(spec, std::move(result));
}

}  // namespace amphora::runtime
