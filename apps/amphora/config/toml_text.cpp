// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/toml_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <vector>

namespace amphora::config {

namespace {

constexpr std::size_t kFileSizeMax = 1024 * 1024;

// The first line that opens a table header with something that no name begins with; the first line if there
// is none.
Place header_without_name(std::string_view toml) {
  int line = 1;
  for (std::size_t begin = 0; begin < toml.size(); ++line) {
    const std::size_t end = std::min(toml.find('\n', begin), toml.size());
    const std::string_view text = toml.substr(begin, end - begin);
    const std::size_t bracket = text.find_first_not_of(" \t");
    if (bracket != std::string_view::npos && text[bracket] == '[') {
      const std::size_t name = text.find_first_not_of("[ \t", bracket);
      const bool has_name = name != std::string_view::npos &&
                            (std::isalnum(static_cast<unsigned char>(text[name])) != 0 ||
                             std::string_view{"_-\"'"}.find(text[name]) != std::string_view::npos);
      if (!has_name) {
        return {line, static_cast<int>(bracket) + 1};
      }
    }
    begin = end + 1;
  }
  return {1, 1};
}

bool is_beyond_ascii(char character) {
  return static_cast<unsigned char>(character) > 0x7F;
}

bool is_beyond_ascii_at(std::string_view toml, const Place& at) {
  std::size_t begin = 0;
  for (int line = 1; line < at.line && begin < toml.size(); ++line) {
    begin = std::min(toml.find('\n', begin), toml.size() - 1) + 1;
  }
  const std::size_t position = begin + static_cast<std::size_t>(std::max(at.column, 1)) - 1;
  return position < toml.size() && is_beyond_ascii(toml[position]);
}

// toml++ 3.3 runs into undefined behaviour when it judges whether a letter beyond ASCII could be part of a
// key. So the shape of the file is judged on a copy first in which each such byte is a '?', which no key and
// no bare value may have: when the copy can be parsed, what is beyond ASCII stands in strings and comments
// only, and the file itself is safe to parse.
std::optional<Problem> shape_fault(std::string_view toml) {
  std::string ascii{toml.starts_with("\xEF\xBB\xBF") ? toml.substr(3) : toml};
  std::replace_if(ascii.begin(), ascii.end(), is_beyond_ascii, '?');
  try {
    (void)toml::parse(ascii);
    return std::nullopt;
  } catch (const toml::parse_error& error) {
    const Place at = place_of(error.source());
    if (is_beyond_ascii_at(toml, at)) {
      return Problem{
          .what = "there is a character beyond ASCII outside of quotes",
          .allowed = "such characters in \"quoted\" values and in comments; the rest was not looked at",
          .line = at.line,
          .column = at.column};
    }
    return Problem{.what = std::string{error.description()},
                   .allowed = "the rest of the file was not looked at",
                   .line = at.line,
                   .column = at.column};
  } catch (const TomlAssertion&) {
    const Place at = header_without_name(toml);
    return Problem{.what = "this cannot be read: a table header needs a name",
                   .allowed = "[name], like [battery]; the rest of the file was not looked at",
                   .line = at.line,
                   .column = at.column};
  }
}

}  // namespace

Place place_of(const toml::source_region& region) {
  return {.line = std::max(1, static_cast<int>(region.begin.line)),
          .column = std::max(1, static_cast<int>(region.begin.column))};
}

RawValue to_raw(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return node.as_string()->get();
    case toml::node_type::integer:
      return std::int64_t{node.as_integer()->get()};
    case toml::node_type::floating_point:
      return node.as_floating_point()->get();
    case toml::node_type::boolean:
      return node.as_boolean()->get();
    case toml::node_type::table:
      return OtherType{"table"};
    case toml::node_type::array:
      return OtherType{"array"};
    default:
      return OtherType{"date or time"};
  }
}

std::variant<toml::table, Problem> parse_toml(std::string_view text) {
  if (text.size() > kFileSizeMax) {
    return Problem{
        .what = "is larger than a configuration can be", .allowed = "allowed: 1 MiB", .line = 1, .column = 1};
  }
  if (auto fault = shape_fault(text)) {
    return std::move(*fault);
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const Place at = place_of(error.source());
    return Problem{.what = std::string{error.description()},
                   .allowed = "the rest of the file was not looked at",
                   .line = at.line,
                   .column = at.column};
  }
}

std::variant<std::string, Problem> read_toml_file(const std::string& path) {
  errno = 0;
  std::ifstream file{path, std::ios::binary};
  std::string content;
  if (file) {
    std::vector<char> buffer(kFileSizeMax + 1);
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    content.assign(buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (!file && !file.eof()) {
    return Problem{.what = fmt::format("cannot be read: {}", std::strerror(errno == 0 ? EIO : errno)),
                   .allowed = "give the path of a readable file",
                   .line = 1,
                   .column = 1};
  }
  return content;
}

}  // namespace amphora::config
