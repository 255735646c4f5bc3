// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/bms/setting_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace amphora::bms_command {

namespace {

using tinybms::RawValue;
using tinybms::Register;

// A unit and how many decimals a raw value has in it (before the register's multiplier).
struct Shown {
  std::string_view unit;
  unsigned decimals;
};

Shown shown_of(const Register& entry) {
  constexpr RawValue kLargeMillivolts = 1000;  // the allowed disbalance, 15 to 100 mV, stays in mV
  if (entry.unit == "mV" && entry.max >= kLargeMillivolts) {
    return {"V", entry.decimals + 3U};
  }
  if (entry.unit == "mA") {
    return {"A", entry.decimals + 3U};
  }
  return {entry.unit, entry.decimals};
}

std::int64_t power_of_ten(unsigned exponent) {
  std::int64_t power = 1;
  for (unsigned i = 0; i < exponent; ++i) {
    power *= 10;
  }
  return power;
}

// "-12.50" as an integer of 10^-decimals. Empty when it is no number, too long, or finer than that.
std::optional<std::int64_t> parse_decimal(std::string_view text, unsigned decimals) {
  const bool is_negative = text.starts_with('-');
  if (is_negative) {
    text.remove_prefix(1);
  }
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string_view part = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
  while (!part.empty() && part.back() == '0') {
    part.remove_suffix(1);
  }
  const bool is_digits =
      std::all_of(whole.begin(), whole.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
      std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (whole.empty() || whole.size() > 10 || part.size() > decimals || !is_digits) {
    return std::nullopt;
  }
  std::string digits = fmt::format("{}{}", whole, part);
  digits.append(decimals - part.size(), '0');
  std::int64_t value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc{}) {
    return std::nullopt;
  }
  return is_negative ? -value : value;
}

struct Number {
  std::string_view digits;
  std::string_view unit;
};

Number split_unit(std::string_view text) {
  const std::size_t size = std::min(text.find_first_not_of("-.0123456789"), text.size());
  std::string_view unit = text.substr(size);
  while (unit.starts_with(' ')) {
    unit.remove_prefix(1);
  }
  return {text.substr(0, size), unit};
}

// Decimals of a raw value in `unit`; empty when the register is not counted in anything like it.
std::optional<unsigned> decimals_in(const Register& entry, std::string_view unit) {
  const Shown shown = shown_of(entry);
  if (unit.empty() || unit == shown.unit) {
    return shown.decimals;
  }
  if (unit == entry.unit) {
    return entry.decimals;
  }
  const bool is_milli = (unit == "mV" && shown.unit == "V") || (unit == "mA" && shown.unit == "A");
  const bool is_whole = (unit == "V" && shown.unit == "mV") || (unit == "A" && shown.unit == "mA");
  if (is_milli && shown.decimals >= 3) {
    return shown.decimals - 3;
  }
  return is_whole ? std::optional{shown.decimals + 3} : std::nullopt;
}

const Register* find_entry(std::string_view name) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc{} && end == name.data() + name.size()) {
    return tinybms::find_register(number);
  }
  return tinybms::find_register(name);
}

std::string label(const Register& entry) {
  return fmt::format("register {} ({})", entry.number, entry.name);
}

std::optional<RawValue> raw_of(const Register& entry, std::string_view text) {
  for (const tinybms::Choice& choice : entry.choices) {
    if (choice.label == text) {
      return choice.value;
    }
  }
  const Number number = split_unit(text);
  const auto decimals = decimals_in(entry, number.unit);
  const auto scaled = decimals ? parse_decimal(number.digits, *decimals) : std::nullopt;
  if (!scaled || *scaled % entry.multiplier != 0) {
    return std::nullopt;
  }
  return *scaled / entry.multiplier;
}

}  // namespace

std::string_view shown_unit(const Register& entry) {
  return shown_of(entry).unit;
}

std::string shown_value(const Register& entry, RawValue value) {
  const unsigned decimals = shown_of(entry).decimals;
  const RawValue scaled = value * entry.multiplier;
  const std::int64_t power = power_of_ten(decimals);
  const std::int64_t magnitude = scaled < 0 ? -scaled : scaled;
  std::string text = fmt::format("{}{}", scaled < 0 ? "-" : "", magnitude / power);
  if (magnitude % power != 0) {
    std::string part = fmt::format("{:0{}}", magnitude % power, decimals);
    part.resize(part.find_last_not_of('0') + 1);
    text += "." + part;
  }
  return text;
}

std::string shown_range(const Register& entry) {
  if (!entry.choices.empty()) {
    std::string text;
    for (const tinybms::Choice& choice : entry.choices) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", choice.value, choice.label);
    }
    return text;
  }
  const std::string_view unit = shown_unit(entry);
  return fmt::format("{} to {}{}{}", shown_value(entry, entry.min), shown_value(entry, entry.max),
                     unit.empty() ? "" : " ", unit);
}

std::variant<tinybms::RegisterWrite, std::string> parse_write(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fmt::format("\"{}\" is not a setting; allowed: REGISTER=VALUE, for example 315=4.2", text);
  }
  const std::string_view name = text.substr(0, equals);
  const std::string_view value = text.substr(equals + 1);
  const Register* entry = find_entry(name);
  if (entry == nullptr) {
    return fmt::format("register {}: there is none; see amphora bms settings", name);
  }
  if (!entry->is_writable) {
    return fmt::format("{}: cannot be written, only read", label(*entry));
  }
  const auto raw = raw_of(*entry, value);
  if (!raw) {
    return fmt::format("{}: \"{}\" is not a value; allowed: {}", label(*entry), value, shown_range(*entry));
  }
  if (!tinybms::is_valid(*entry, *raw)) {
    return fmt::format("{}: {} is out of range; allowed: {}", label(*entry), value, shown_range(*entry));
  }
  return tinybms::RegisterWrite{entry->number, *raw};
}

}  // namespace amphora::bms_command
