// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/spec_text.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace amphora::runtime {

namespace {

constexpr std::int64_t power_of_ten(int exponent) {
  std::int64_t power = 1;
  for (; exponent > 0; --exponent) {
    power *= 10;
  }
  return power;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const bool is_hex = text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  text.remove_prefix(is_hex ? 2 : 0);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, is_hex ? 16 : 10);
  const bool is_whole = error == std::errc{} && end == text.data() + text.size();
  return is_whole && !(is_hex && value < 0) ? std::optional{value} : std::nullopt;
}

std::string range_text(const std::string& low, const std::string& high) {
  return "allowed: " + low + " to " + high;
}

}  // namespace

std::optional<std::int64_t> parse_decimal(std::string_view text, int decimals) {
  const bool is_negative = !text.empty() && text.front() == '-';
  text.remove_prefix(is_negative ? 1 : 0);
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point < text.size() ? text.substr(point + 1) : std::string_view{};
  const bool is_sound = !whole.empty() && (point == text.size() || !fraction.empty()) &&
                        fraction.size() <= static_cast<std::size_t>(decimals) &&
                        std::ranges::all_of(whole, is_digit) && std::ranges::all_of(fraction, is_digit);
  if (!is_sound) {
    return std::nullopt;
  }
  std::string digits{whole};
  digits.append(fraction).append(static_cast<std::size_t>(decimals) - fraction.size(), '0');
  const auto value = parse_integer(digits);
  return value && is_negative ? std::optional{-*value} : value;
}

std::string format_decimal(std::int64_t value, int decimals) {
  const std::int64_t unit = power_of_ten(decimals);
  std::string text = value < 0 ? "-" : "";
  // Halves of the smallest number would not fit; nobody writes it.
  const std::int64_t magnitude =
      value < 0 ? -std::max(value, -std::numeric_limits<std::int64_t>::max()) : value;
  text += std::to_string(magnitude / unit);
  std::string fraction = std::to_string(magnitude % unit);
  fraction.insert(
      0, static_cast<std::size_t>(decimals) - std::min(fraction.size(), static_cast<std::size_t>(decimals)),
      '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return fraction.empty() ? text : text + "." + fraction;
}

SpecText::SpecText(std::string_view text) {
  const std::size_t colon = text.find(':');
  kind_ = text.substr(0, colon);
  if (colon == std::string_view::npos) {
    return;
  }
  text.remove_prefix(colon + 1);
  const std::size_t question = text.find('?');
  address_ = text.substr(0, question);
  if (question == std::string_view::npos) {
    return;
  }
  text.remove_prefix(question + 1);
  while (true) {
    const std::size_t end = text.find('&');
    const std::string_view option = text.substr(0, end);
    const std::size_t equals = option.find('=');
    std::string key{option.substr(0, equals)};
    if (equals == std::string_view::npos || key.empty()) {
      fail("'" + std::string{option} + "' is no option; write key=value, joined by '&'");
      return;
    }
    if (std::ranges::any_of(options_, [&](const auto& known) { return known.first == key; })) {
      fail(key + " is there twice");
      return;
    }
    options_.emplace_back(std::move(key), std::string{option.substr(equals + 1)});
    if (end == std::string_view::npos) {
      return;
    }
    text.remove_prefix(end + 1);
  }
}

std::optional<std::string> SpecText::take(std::string_view key) {
  const auto found = std::ranges::find(options_, key, &std::pair<std::string, std::string>::first);
  if (found == options_.end()) {
    return std::nullopt;
  }
  std::string value = std::move(found->second);
  options_.erase(found);
  return value;
}

std::optional<std::int64_t> SpecText::take_integer(std::string_view key, std::int64_t low,
                                                   std::int64_t high) {
  const auto text = take(key);
  if (!text) {
    return std::nullopt;
  }
  const auto value = parse_integer(*text);
  if (!value || *value < low || *value > high) {
    fail(std::string{key} + "=" + *text + " is not possible; " +
         range_text(std::to_string(low), std::to_string(high)));
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> SpecText::take_decimal(std::string_view key, int decimals, std::int64_t low,
                                                   std::int64_t high) {
  const auto text = take(key);
  if (!text) {
    return std::nullopt;
  }
  const auto value = parse_decimal(*text, decimals);
  if (!value || *value < low || *value > high) {
    fail(std::string{key} + "=" + *text + " is not possible; " +
         range_text(format_decimal(low, decimals), format_decimal(high, decimals)) + ", with at most " +
         std::to_string(decimals) + " digits after the point");
    return std::nullopt;
  }
  return value;
}

std::optional<bool> SpecText::take_switch(std::string_view key) {
  const auto choice = take_choice(key, {"off", "on"});
  return choice ? std::optional{*choice == 1} : std::nullopt;
}

std::optional<std::size_t> SpecText::take_choice(std::string_view key,
                                                 const std::vector<std::string_view>& names) {
  const auto text = take(key);
  if (!text) {
    return std::nullopt;
  }
  const auto found = std::ranges::find(names, std::string_view{*text});
  if (found != names.end()) {
    return static_cast<std::size_t>(found - names.begin());
  }
  std::string allowed;
  for (const std::string_view name : names) {
    allowed.append(allowed.empty() ? "" : ", ").append(name);
  }
  fail(std::string{key} + "=" + *text + " is not possible; allowed: " + allowed);
  return std::nullopt;
}

void SpecText::fail(std::string text) {
  if (!error_) {
    error_ = SpecError{std::move(text)};
  }
}

std::optional<SpecError> SpecText::finish() {
  if (!options_.empty()) {
    fail(options_.front().first + " is no option of " + (kind_.empty() ? "this" : kind_));
  }
  return error_;
}

}  // namespace amphora::runtime
