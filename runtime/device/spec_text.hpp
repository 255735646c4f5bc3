// SPDX-License-Identifier: Apache-2.0
// The text that names a device in the configuration: "kind:address?key=value&key=value".
//
// One form for current transformers, meters, relays and lights, so that a person learns it once. This file
// only cuts the text and turns options into numbers; what kinds and options there are, the owner of the text
// knows. The address ends at the first question mark. Nothing is escaped: an address or value that holds '?',
// '&' or '=' cannot be written.
//
// Errors are sentences for a person, beginning with the option they are about.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace amphora::runtime {

// Why a text was not understood. A type of its own, so that it cannot be taken for a value.
struct SpecError {
  std::string text;
  friend bool operator==(const SpecError&, const SpecError&) = default;
};

// Cuts a text and hands out its options one by one. The first error stays; later calls change nothing.
class SpecText {
 public:
  explicit SpecText(std::string_view text);

  const std::string& kind() const { return kind_; }
  const std::string& address() const { return address_; }

  // The value of an option, once; a second ask finds nothing. Empty when it is not there.
  std::optional<std::string> take(std::string_view key);
  // As take(), but what is no number, or lies outside, is an error and gives nothing.
  // take_integer also reads 0x…; take_decimal gives value * 10^decimals, and refuses more digits after the
  // point than that.
  std::optional<std::int64_t> take_integer(std::string_view key, std::int64_t low, std::int64_t high);
  std::optional<std::int64_t> take_decimal(std::string_view key, int decimals, std::int64_t low,
                                           std::int64_t high);
  // on or off.
  std::optional<bool> take_switch(std::string_view key);
  // Index of the value in `names`.
  std::optional<std::size_t> take_choice(std::string_view key, const std::vector<std::string_view>& names);

  void fail(std::string text);
  // The first error, or that an option is left which nobody took; call it last.
  std::optional<SpecError> finish();

 private:
  std::string kind_;
  std::string address_;
  std::vector<std::pair<std::string, std::string>> options_;
  std::optional<SpecError> error_;
};

// value * 10^decimals from text such as "-12.345"; empty when it is no decimal number, has more digits after
// the point, or does not fit.
std::optional<std::int64_t> parse_decimal(std::string_view text, int decimals);
// The reverse, without zeros at the end: 36600000 with 9 decimals is "0.0366".
std::string format_decimal(std::int64_t value, int decimals);

}  // namespace amphora::runtime
