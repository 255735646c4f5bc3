// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/decode/can_origin.hpp"

#include <fmt/format.h>

namespace amphora::decode {

namespace {

bool is_number(std::string_view text) {
  std::size_t point_count = 0;
  for (const char character : text) {
    point_count += character == '.' ? 1 : 0;
    if (character != '.' && (character < '0' || character > '9')) {
      return false;
    }
  }
  return !text.empty() && point_count <= 1 && text.front() != '.' && text.back() != '.';
}

// JSON numbers have no leading zeros, candump's relative times do.
std::string_view without_leading_zeros(std::string_view text) {
  while (text.size() > 1 && text[0] == '0' && text[1] != '.') {
    text.remove_prefix(1);
  }
  return text;
}

}  // namespace

std::string_view id_text(const can::Frame& frame, std::array<char, 12>& buffer) {
  const auto result =
      fmt::format_to_n(buffer.data(), buffer.size(), "0x{:0{}X}", frame.id, frame.is_extended ? 8 : 3);
  return {buffer.data(), result.size};
}

void append_origin(JsonLine& json, const CanLine& line) {
  if (!line.time.empty()) {
    if (is_number(line.time)) {
      json.raw("time", without_leading_zeros(line.time));
    } else {
      json.text("time", line.time);
    }
  }
  if (!line.interface.empty()) {
    json.text("interface", line.interface);
  }
}

}  // namespace amphora::decode
