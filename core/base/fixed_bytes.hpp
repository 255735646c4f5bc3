// SPDX-License-Identifier: Apache-2.0
// Bytes of bounded length with their storage inside: payloads of messages that wait somewhere.
//
// Too long an input is refused, never cut: half a payload is not a payload.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"

namespace amphora {

template <std::size_t Capacity>
class FixedBytes {
  static_assert(Capacity > 0 && Capacity <= 0xFFFF);

 public:
  constexpr FixedBytes() = default;

  static constexpr std::size_t capacity() { return Capacity; }
  // False, and nothing changed, when `bytes` is longer than the capacity.
  constexpr bool assign(ByteSpan bytes) {
    if (bytes.size() > Capacity) {
      return false;
    }
    size_ = static_cast<std::uint16_t>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
    return true;
  }
  constexpr ByteSpan view() const { return {bytes_.data(), size_}; }
  constexpr std::size_t size() const { return size_; }
  constexpr bool is_empty() const { return size_ == 0; }
  friend constexpr bool operator==(const FixedBytes& a, const FixedBytes& b) {
    return std::ranges::equal(a.view(), b.view());
  }

 private:
  std::uint16_t size_ = 0;
  std::array<std::uint8_t, Capacity> bytes_{};
};

}  // namespace amphora
