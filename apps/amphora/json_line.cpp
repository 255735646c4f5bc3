// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/json_line.hpp"

#include <charconv>

namespace amphora {

namespace {

// Length of the well-formed UTF-8 sequence at the start of `text`; 0 when there is none.
std::size_t utf8_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto is_tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0U) == 0x80U; };
  if (byte(0) < 0x80) {
    return 1;
  }
  if (byte(0) >= 0xC2 && byte(0) <= 0xDF) {
    return is_tail(1) ? 2 : 0;
  }
  if (byte(0) >= 0xE0 && byte(0) <= 0xEF) {
    const bool is_good = is_tail(1) && is_tail(2) && !(byte(0) == 0xE0 && byte(1) < 0xA0) &&
                         !(byte(0) == 0xED && byte(1) > 0x9F);
    return is_good ? 3 : 0;
  }
  if (byte(0) >= 0xF0 && byte(0) <= 0xF4) {
    const bool is_good = is_tail(1) && is_tail(2) && is_tail(3) && !(byte(0) == 0xF0 && byte(1) < 0x90) &&
                         !(byte(0) == 0xF4 && byte(1) > 0x8F);
    return is_good ? 4 : 0;
  }
  return 0;
}

}  // namespace

void JsonLine::comma() {
  if (out_.back() != '{' && out_.back() != '[') {
    out_ += ',';
  }
}

void JsonLine::name(std::string_view key) {
  comma();
  out_ += '"';
  out_ += key;
  out_ += "\":";
}

void JsonLine::quote(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out_ += '"';
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const auto byte = static_cast<unsigned char>(text.front());
    if (size == 0) {
      out_ += "\xEF\xBF\xBD";  // U+FFFD for what is no UTF-8
      text.remove_prefix(1);
      continue;
    }
    if (byte == '"' || byte == '\\') {
      out_ += '\\';
      out_ += text.front();
    } else if (byte < 0x20 || byte == 0x7F) {
      out_ += "\\u00";
      out_ += kDigits[byte >> 4U];
      out_ += kDigits[byte & 0xFU];
    } else {
      out_ += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
  out_ += '"';
}

void JsonLine::append_decimal(std::int64_t value, unsigned decimals) {
  char digits[24];
  const bool is_negative = value < 0;
  const std::uint64_t magnitude =
      is_negative ? ~static_cast<std::uint64_t>(value) + 1U : static_cast<std::uint64_t>(value);
  const auto end = std::to_chars(digits, digits + sizeof digits, magnitude).ptr;
  const auto count = static_cast<std::size_t>(end - digits);
  if (is_negative) {
    out_ += '-';
  }
  if (decimals == 0) {
    out_.append(digits, count);
    return;
  }
  if (count <= decimals) {
    out_ += "0.";
    out_.append(decimals - count, '0');
    out_.append(digits, count);
  } else {
    out_.append(digits, count - decimals);
    out_ += '.';
    out_.append(digits + (count - decimals), decimals);
  }
}

void JsonLine::text(std::string_view key, std::string_view value) {
  name(key);
  quote(value);
}
void JsonLine::boolean(std::string_view key, bool value) {
  name(key);
  out_ += value ? "true" : "false";
}
void JsonLine::number(std::string_view key, std::int64_t value) {
  decimal(key, value, 0);
}
void JsonLine::decimal(std::string_view key, std::int64_t value, unsigned decimals) {
  name(key);
  append_decimal(value, decimals);
}
void JsonLine::raw(std::string_view key, std::string_view json) {
  name(key);
  out_ += json;
}
void JsonLine::begin_object(std::string_view key) {
  name(key);
  out_ += '{';
}
void JsonLine::end_object() {
  out_ += '}';
}
void JsonLine::begin_array(std::string_view key) {
  name(key);
  out_ += '[';
}
void JsonLine::end_array() {
  out_ += ']';
}
void JsonLine::element(std::string_view text) {
  comma();
  quote(text);
}
void JsonLine::element_decimal(std::int64_t value, unsigned decimals) {
  comma();
  append_decimal(value, decimals);
}
void JsonLine::element_null() {
  comma();
  out_ += "null";
}
void JsonLine::begin_element_object() {
  comma();
  out_ += '{';
}

}  // namespace amphora
