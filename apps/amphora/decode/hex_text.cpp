// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/decode/hex_text.hpp"

#include <fmt/format.h>

namespace amphora::decode {

std::string append_hex(std::string_view token, std::vector<std::uint8_t>& bytes) {
  if (token.substr(0, 2) == "0x" || token.substr(0, 2) == "0X") {
    token.remove_prefix(2);
  }
  if (token.size() % 2 != 0) {
    return fmt::format("\"{}\" is cut short within a byte", token.substr(0, 40));
  }
  for (std::size_t i = 0; i < token.size(); i += 2) {
    const auto byte = hex_byte(token.substr(i, 2));
    if (!byte) {
      return fmt::format("\"{}\" is not a hexadecimal byte", token.substr(i, 2));
    }
    bytes.push_back(*byte);
  }
  return "";
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  return fmt::format("{:02X}", fmt::join(bytes, " "));
}

}  // namespace amphora::decode
