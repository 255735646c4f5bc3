// SPDX-License-Identifier: Apache-2.0
// Writes one JSON object as one line of text, in the order of the calls and without building a tree.
//
// For streams of many small objects. Numbers are written from integers with a decimal point, so that 579
// tenths of a volt are 57.9 and nothing else. Keys are taken as they are and must need no escaping.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace amphora {

class JsonLine {
 public:
  // Appends to `out`, which must outlive this.
  explicit JsonLine(std::string& out) : out_{out} { out_ += '{'; }
  JsonLine(const JsonLine&) = delete;
  JsonLine& operator=(const JsonLine&) = delete;

  void text(std::string_view key, std::string_view value);
  void boolean(std::string_view key, bool value);
  void number(std::string_view key, std::int64_t value);
  // value / 10^decimals, with all decimals: 100.0.
  void decimal(std::string_view key, std::int64_t value, unsigned decimals);
  // Already JSON.
  void raw(std::string_view key, std::string_view json);

  // Containers: what is written between begin and end goes inside. Elements of an array have no key.
  void begin_object(std::string_view key);
  void end_object();
  void begin_array(std::string_view key);
  void end_array();
  void element(std::string_view text);
  void element_decimal(std::int64_t value, unsigned decimals);
  void element_null();
  void begin_element_object();

  // The closing brace and a line feed; nothing may follow.
  void end() { out_ += "}\n"; }

 private:
  void name(std::string_view key);
  void comma();
  void quote(std::string_view text);
  void append_decimal(std::int64_t value, unsigned decimals);

  std::string& out_;
};

}  // namespace amphora
