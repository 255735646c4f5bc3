// SPDX-License-Identifier: Apache-2.0
// Text of bounded length with its storage inside: names, serial numbers, reasons. Longer input is cut.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace amphora {

template <std::size_t Capacity>
class FixedText {
 public:
  constexpr FixedText() = default;
  constexpr FixedText(std::string_view text) { assign(text); }

  static constexpr std::size_t capacity() { return Capacity; }
  constexpr void assign(std::string_view text) {
    size_ = text.size() < Capacity ? text.size() : Capacity;
    characters_ = {};
    for (std::size_t i = 0; i < size_; ++i) {
      characters_[i] = text[i];
    }
  }
  // Drops the character when full.
  constexpr void push_back(char character) {
    if (size_ < Capacity) {
      characters_[size_++] = character;
    }
  }
  constexpr std::string_view view() const { return {characters_.data(), size_}; }
  constexpr bool is_empty() const { return size_ == 0; }
  constexpr std::size_t size() const { return size_; }
  friend constexpr bool operator==(const FixedText&, const FixedText&) = default;

 private:
  std::array<char, Capacity> characters_{};
  std::size_t size_ = 0;
};

}  // namespace amphora
