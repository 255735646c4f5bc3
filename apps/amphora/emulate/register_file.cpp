// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/register_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

namespace amphora::emulate {

namespace {

struct Assignment {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  std::vector<std::uint16_t> values;
};

std::optional<std::int64_t> number_of(std::string_view text) {
  const bool is_negative = !text.empty() && text.front() == '-';
  if (is_negative) {
    text.remove_prefix(1);
  }
  const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
  if (is_hex) {
    text.remove_prefix(2);
  }
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, is_hex ? 16 : 10);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return is_negative ? -std::int64_t{value} : std::int64_t{value};
}

// Reads one line; errors are thrown away with the rest of the line.
class LineParser {
 public:
  LineParser(std::string_view line, RegisterFile& file) : rest_{line}, file_{file} {}

  // Empty when good, else what is wrong.
  std::string parse() {
    if (std::string fault = drop_remarks(); !fault.empty()) {
      return fault;
    }
    rest_ = text_;
    while (skip_blanks(), !rest_.empty()) {
      Assignment assignment;
      if (std::string fault = parse_assignment(assignment); !fault.empty()) {
        return fault;
      }
      if (std::string fault = store(assignment); !fault.empty()) {
        return fault;
      }
    }
    return "";
  }

 private:
  std::string drop_remarks() {
    std::size_t depth = 0;
    for (const char character : rest_.substr(0, rest_.find('#'))) {
      if (character == '(') {
        ++depth;
        text_ += ' ';
      } else if (character == ')') {
        if (depth == 0) {
          return "\")\" without \"(\"; allowed: remarks in parentheses within one line";
        }
        --depth;
      } else if (depth == 0) {
        text_ += character;
      }
    }
    return depth == 0 ? "" : "\"(\" without \")\"; allowed: remarks in parentheses within one line";
  }

  void skip_blanks() {
    const std::size_t start = rest_.find_first_not_of(" \t\r,;");
    rest_.remove_prefix(start == std::string_view::npos ? rest_.size() : start);
  }
  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) {
      return false;
    }
    rest_.remove_prefix(text.size());
    return true;
  }
  std::string_view take_word() {
    const std::size_t size = std::min(rest_.find_first_of(" \t\r,;=."), rest_.size());
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }

  std::string parse_register(std::uint16_t& number) {
    if (!take("r") && !take("R")) {
      return fmt::format("\"{}\" is not a register; allowed: rN=value, for example r36=0x1eb8", take_word());
    }
    const std::string_view word = take_word();
    const auto value = number_of(word);
    if (!value || *value < 0 || *value > kRegisterMax) {
      return fmt::format("\"r{}\" is not a register; allowed: r0 to r{}", word, kRegisterMax);
    }
    number = static_cast<std::uint16_t>(*value);
    return "";
  }

  std::string parse_assignment(Assignment& assignment) {
    if (std::string fault = parse_register(assignment.first); !fault.empty()) {
      return fault;
    }
    assignment.last = assignment.first;
    if (take("..")) {
      if (std::string fault = parse_register(assignment.last); !fault.empty()) {
        return fault;
      }
      if (assignment.last < assignment.first) {
        return fmt::format("r{}..r{} runs backwards; allowed: the lower register first", assignment.first,
                           assignment.last);
      }
    }
    skip_blanks();
    if (!take("=")) {
      return fmt::format("r{} has no value; allowed: rN=value", assignment.first);
    }
    return parse_values(assignment);
  }

  std::string parse_values(Assignment& assignment) {
    while (skip_blanks(), !rest_.empty() && rest_.front() != 'r' && rest_.front() != 'R') {
      const std::string_view word = take_word();
      const auto value = number_of(word);
      if (!value || *value < -32768 || *value > 65535) {
        return fmt::format(
            "r{}: \"{}{}\" is not a value; allowed: 0 to 65535, 0x0000 to 0xFFFF, -32768 to -1",
            assignment.first, word, rest_.substr(0, word.empty() ? 1 : 0));
      }
      assignment.values.push_back(static_cast<std::uint16_t>(*value));
    }
    const std::size_t count = std::size_t{assignment.last} - assignment.first + 1U;
    if (assignment.values.size() == 1) {
      assignment.values.resize(count, assignment.values[0]);
    }
    if (assignment.values.size() != count) {
      return fmt::format("r{}..r{} has {} values; allowed: {}, or one for all", assignment.first,
                         assignment.last, assignment.values.size(), count);
    }
    return "";
  }

  std::string store(const Assignment& assignment) {
    for (std::size_t i = 0; i < assignment.values.size(); ++i) {
      const auto number = static_cast<std::uint16_t>(assignment.first + i);
      if (!file_.values.emplace(number, assignment.values[i]).second) {
        return fmt::format("r{} is given twice; allowed: once", number);
      }
    }
    return "";
  }

  std::string_view rest_;
  std::string text_;
  RegisterFile& file_;
};

}  // namespace

RegisterFile parse_registers(std::string_view text, std::string_view file) {
  RegisterFile result;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string fault = LineParser{text.substr(0, end), result}.parse();
    if (!fault.empty()) {
      result.errors.push_back(fmt::format("{}:{}: {}", file, number, fault));
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return result;
}

RegisterFile read_register_file(const std::string& path) {
  RegisterFile result;
  if (std::filesystem::is_directory(path)) {
    result.errors.push_back(fmt::format("{}: is a directory, not a file", path));
    return result;
  }
  errno = 0;
  std::ifstream file{path, std::ios::binary};
  const std::string content{std::istreambuf_iterator<char>{file}, {}};
  if (!file) {
    result.errors.push_back(fmt::format("{}: {}", path, std::strerror(errno == 0 ? EIO : errno)));
    return result;
  }
  result = parse_registers(content, path);
  if (result.errors.empty() && result.values.empty()) {
    result.errors.push_back(fmt::format("{}:1: no register in the file; allowed: lines of rN=value", path));
  }
  return result;
}

}  // namespace amphora::emulate
