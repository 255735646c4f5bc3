// SPDX-License-Identifier: Apache-2.0
// A set of enumerators of one enum with at most 32 values.
#pragma once

#include <cstdint>

namespace amphora {

template <class Enum>
class EnumSet {
 public:
  constexpr void set(Enum value) { bits_ |= bit(value); }
  constexpr void set(Enum value, bool is_in) { bits_ = is_in ? bits_ | bit(value) : bits_ & ~bit(value); }
  constexpr bool has(Enum value) const { return (bits_ & bit(value)) != 0; }
  constexpr bool has_any() const { return bits_ != 0; }
  constexpr std::uint32_t bits() const { return bits_; }
  friend constexpr bool operator==(const EnumSet&, const EnumSet&) = default;

 private:
  static constexpr std::uint32_t bit(Enum value) { return 1U << static_cast<unsigned>(value); }
  std::uint32_t bits_ = 0;
};

}  // namespace amphora
