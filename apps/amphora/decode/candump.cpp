// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/decode/candump.hpp"

#include <fmt/format.h>

#include "apps/amphora/decode/hex_text.hpp"

namespace amphora::decode {

namespace {

constexpr std::size_t kStandardDigits = 3;

std::string parse_id(std::string_view token, CanLine& line) {
  if (line.id_count == kIdCountMax) {
    return fmt::format("more than {} ids", kIdCountMax);
  }
  const auto id = hex_number(token);
  if (!id) {
    return fmt::format("\"{}\" is not a hexadecimal id", token);
  }
  line.frame.is_extended = token.size() > kStandardDigits;
  if (*id > (line.frame.is_extended ? can::kExtendedIdMax : can::kStandardIdMax)) {
    return fmt::format("id {} is out of range (error frame?)", token);
  }
  line.ids[line.id_count++] = *id;
  line.frame.id = line.ids[0];
  return "";
}

std::string parse_ids(std::string_view token, CanLine& line) {
  while (true) {
    const std::size_t slash = token.find('/');
    if (std::string fault = parse_id(token.substr(0, slash), line); !fault.empty()) {
      return fault;
    }
    if (slash == std::string_view::npos) {
      return "";
    }
    token.remove_prefix(slash + 1);
  }
}

// 4302E803, or R and an optional length.
std::string parse_packed(std::string_view data, CanLine& line) {
  if (!data.empty() && data.front() == '#') {
    return "a CAN FD frame, which this protocol does not use";
  }
  if (!data.empty() && data.front() == 'R') {
    line.frame.is_remote = true;
    return "";
  }
  if (data.size() > 2 * can::kDataSizeMax) {
    return fmt::format("{} digits of data; a frame has at most {}", data.size(), 2 * can::kDataSizeMax);
  }
  for (std::size_t i = 0; i < data.size(); i += 2) {
    const auto byte = hex_byte(data.substr(i, 2));
    if (!byte) {
      return i + 1 == data.size() ? fmt::format("cut short within a byte (\"{}\")", data.substr(i))
                                  : fmt::format("\"{}\" is not a byte", data.substr(i, 2));
    }
    line.frame.data[line.frame.size++] = *byte;
  }
  return "";
}

// "[8]"
std::string parse_count(std::string_view token, std::size_t& count) {
  if (token.size() != 3 || token.front() != '[' || token.back() != ']' || token[1] < '0' || token[1] > '9') {
    return token.empty() ? "cut short before the number of bytes"
                         : fmt::format("\"{}\" is not a number of bytes such as [8]", token);
  }
  count = static_cast<std::size_t>(token[1] - '0');
  return count > can::kDataSizeMax ? fmt::format("{} bytes; a frame has at most {}", count, can::kDataSizeMax)
                                   : "";
}

std::string parse_spaced(Tokens& tokens, CanLine& line) {
  std::size_t count = 0;
  if (std::string fault = parse_count(tokens.next(), count); !fault.empty()) {
    return fault;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view token = tokens.next();
    if (i == 0 && token == "remote") {
      line.frame.is_remote = true;
      return "";
    }
    const auto byte = hex_byte(token);
    if (!byte) {
      return token.empty() ? fmt::format("cut short: {} of {} bytes", i, count)
                           : fmt::format("\"{}\" is not a byte", token);
    }
    line.frame.data[line.frame.size++] = *byte;
  }
  const std::string_view beyond = tokens.next();
  if (tokens.gap() == 1 && hex_byte(beyond)) {
    return fmt::format("more bytes than [{}] says", count);
  }
  return "";
}

bool is_direction_mark(std::string_view token) {
  return token == "RX" || token == "TX" || token == "-" || token == "B" || token == "E";
}

std::string parse(std::string_view text, CanLine& line) {
  text = trimmed(text);
  if (!text.empty() && text.front() == '(') {
    const std::size_t end = text.find(')');
    if (end == std::string_view::npos) {
      return "time stamp without closing parenthesis";
    }
    line.time = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
  }
  Tokens tokens{text};
  std::string_view token = tokens.next();
  Tokens ahead = tokens;
  std::string_view following = ahead.next();
  const bool is_packed = token.find('#') != std::string_view::npos;
  const bool begins_with_id = is_packed || (!following.empty() && following.front() == '[');
  if (!begins_with_id && !following.empty()) {
    line.interface = token;
    while (is_direction_mark(following)) {
      following = ahead.next();
    }
    token = following;
    tokens = ahead;
  }
  if (token.empty()) {
    return "no frame";
  }
  const std::size_t hash = token.find('#');
  if (std::string fault = parse_ids(token.substr(0, hash), line); !fault.empty()) {
    return fault;
  }
  return hash == std::string_view::npos ? parse_spaced(tokens, line)
                                        : parse_packed(token.substr(hash + 1), line);
}

}  // namespace

CanLineResult parse_can_line(std::string_view text) {
  CanLineResult result;
  result.fault = parse(text, result.line);
  return result;
}

}  // namespace amphora::decode
