// SPDX-License-Identifier: Apache-2.0
// What the rows of the tables of fields are written with; for the files of the table only.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "apps/amphora/config/fields.hpp"

namespace amphora::config::rows {

template <class T>
std::int64_t to_inner(const T& value) {
  if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
    return static_cast<std::int64_t>(value);
  } else {
    return static_cast<std::int64_t>(value.count());
  }
}

template <class T>
T from_inner(std::int64_t value) {
  if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
    return static_cast<T>(value);
  } else if constexpr (std::is_integral_v<T>) {
    return clamp_to<T>(value);
  } else {
    return T{clamp_to<typename T::rep>(value)};
  }
}

template <auto Part, auto Member>
constexpr Access number() {
  return {.number = [](const Config& config) { return to_inner((config.*Part).*Member); },
          .set_number =
              [](Config& config, std::int64_t value) {
                auto& target = (config.*Part).*Member;
                target = from_inner<std::remove_reference_t<decltype(target)>>(value);
              }};
}

template <auto Part, auto Member>
constexpr Access text() {
  return {.text = [](const Config& config) -> const std::string& { return (config.*Part).*Member; },
          .set_text = [](Config& config, std::string value) { (config.*Part).*Member = std::move(value); }};
}

// One of several texts of the same kind: element `Index` of an array.
template <auto Part, auto Member, std::size_t Index>
constexpr Access text_at() {
  return {.text = [](const Config& config) -> const std::string& { return ((config.*Part).*Member)[Index]; },
          .set_text = [](Config& config,
                         std::string value) { ((config.*Part).*Member)[Index] = std::move(value); }};
}

// Bounds in the outer unit, the step in inner units.
consteval Range in_units(std::int64_t scale, double min, double max, std::int64_t step) {
  const auto inner = [scale](double value) {
    const double scaled = value * static_cast<double>(scale);
    return static_cast<std::int64_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  };
  return {.scale = scale, .min = inner(min), .max = inner(max), .step = step};
}
consteval Range volts(double min, double max) {
  return in_units(1000, min, max, 1);
}
consteval Range amps(double min, double max) {
  return in_units(1000, min, max, 100);
}
consteval Range celsius(double min, double max) {
  return in_units(10, min, max, 1);
}
consteval Range milliseconds(double min, double max) {
  return in_units(1000, min, max, 1000);
}
consteval Range seconds(double min, double max) {
  return in_units(1'000'000, min, max, 1'000'000);
}
consteval Range whole(double min, double max) {
  return in_units(1, min, max, 1);
}

template <class Enum>
consteval Choice choice(std::string_view text, Enum value, std::string_view title) {
  return {.text = text, .value = static_cast<std::int64_t>(value), .title = title};
}

}  // namespace amphora::config::rows
