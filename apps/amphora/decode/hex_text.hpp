// SPDX-License-Identifier: Apache-2.0
// Small readers and writers of text: tokens and hexadecimal numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace amphora::decode {

constexpr bool is_space(char character) {
  return character == ' ' || character == '\t' || character == '\r';
}
constexpr std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}
constexpr std::optional<std::uint8_t> hex_digit(char character) {
  if (character >= '0' && character <= '9') {
    return static_cast<std::uint8_t>(character - '0');
  }
  if (character >= 'a' && character <= 'f') {
    return static_cast<std::uint8_t>(character - 'a' + 10);
  }
  if (character >= 'A' && character <= 'F') {
    return static_cast<std::uint8_t>(character - 'A' + 10);
  }
  return std::nullopt;
}
// The whole text as a hexadecimal number of at most eight digits.
constexpr std::optional<std::uint32_t> hex_number(std::string_view text) {
  if (text.empty() || text.size() > 8) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  for (const char character : text) {
    const auto digit = hex_digit(character);
    if (!digit) {
      return std::nullopt;
    }
    value = (value << 4U) | *digit;
  }
  return value;
}
// Two hexadecimal digits.
constexpr std::optional<std::uint8_t> hex_byte(std::string_view text) {
  const auto value = text.size() == 2 ? hex_number(text) : std::nullopt;
  return value ? std::optional{static_cast<std::uint8_t>(*value)} : std::nullopt;
}

// Appends the bytes of one token: "AA", "0xAA" or "AA1BFF…". Returns what is wrong with it; empty: good.
std::string append_hex(std::string_view token, std::vector<std::uint8_t>& bytes);
// "AA 1B FF".
std::string to_hex(std::span<const std::uint8_t> bytes);

// Takes tokens that are separated by blanks off the front of a line.
class Tokens {
 public:
  constexpr explicit Tokens(std::string_view line) : rest_{line} {}
  // Empty at the end. `gap` is the number of blanks before it.
  constexpr std::string_view next() {
    gap_ = 0;
    while (!rest_.empty() && is_space(rest_.front())) {
      gap_ += rest_.front() == '\t' ? 2U : 1U;
      rest_.remove_prefix(1);
    }
    std::size_t size = 0;
    while (size < rest_.size() && !is_space(rest_[size])) {
      ++size;
    }
    const std::string_view token = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return token;
  }
  constexpr std::size_t gap() const { return gap_; }
  constexpr std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  std::size_t gap_ = 0;
};

}  // namespace amphora::decode
