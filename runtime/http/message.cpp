// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/message.hpp"

#include <algorithm>

namespace amphora::runtime::http {

namespace {

constexpr std::size_t kTargetSizeMax = 4096;
constexpr std::size_t kQueryCountMax = 32;

int hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

// Empty: a bad escape, or a NUL or control character.
std::optional<std::string> decode_percent(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) {
        return std::nullopt;
      }
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) {
        return std::nullopt;
      }
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      return std::nullopt;
    }
    out.push_back(c);
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

std::string_view to_text(Method method) {
  constexpr std::string_view kNames[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other"};
  return kNames[static_cast<std::size_t>(method)];
}

std::optional<std::string_view> Request::header(std::string_view lower_case_name) const {
  const auto found = headers.find(std::string{lower_case_name});
  return found == headers.end() ? std::nullopt : std::optional<std::string_view>{found->second};
}

std::optional<std::string_view> Request::parameter(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) {
      return value;
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::cookie(std::string_view name) const {
  const auto all = header("cookie");
  std::string_view rest = all.value_or("");
  while (!rest.empty()) {
    const std::size_t end = rest.find(';');
    const std::string_view pair = trim(rest.substr(0, end));
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      return pair.substr(equals + 1);
    }
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return std::nullopt;
}

std::optional<Target> parse_target(std::string_view target) {
  if (target.empty() || target.front() != '/' || target.size() > kTargetSizeMax) {
    return std::nullopt;
  }
  target = target.substr(0, target.find('#'));
  const std::size_t mark = target.find('?');
  const auto path = decode_percent(target.substr(0, mark), false);
  if (!path) {
    return std::nullopt;
  }
  Target parsed{*path, {}};
  std::string_view rest = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (pair.empty()) {
      continue;
    }
    const std::size_t equals = pair.find('=');
    auto key = decode_percent(pair.substr(0, equals), true);
    auto value =
        decode_percent(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1), true);
    if (!key || !value || parsed.query.size() == kQueryCountMax) {
      return std::nullopt;
    }
    parsed.query.emplace_back(std::move(*key), std::move(*value));
  }
  return parsed;
}

}  // namespace amphora::runtime::http
