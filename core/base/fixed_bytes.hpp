// SPDX-License-Identifier: Apache-2.0
// Bytes of bounded length with their storage inside: payloads of messages that wait somewhere.
//
// Too long an input is refused, never cut: half a payload is not a payload.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

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
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes_[i] = bytes[i];
    }
    return true;
  }
  constexpr ByteSpan view() const { return {bytes_.data(), size_}; }
  constexpr std::size_t size() const { return size_; }
  constexpr bool is_empty() const { return size_ == 0; }
  friend constexpr bool operator==(const FixedBytes& a, const FixedBytes& b) {
    if (a.size_ != b.size_) {
      return false;
    }
    for (std::size_t i = 0; i < a.size_; ++i) {
      if (a.bytes_[i] != b.bytes_[i]) {
        return false;
      }
    }
    return true;
  }

 private:
  std::uint16_t size_ = 0;
  std::array<std::uint8_t, Capacity> bytes_{};
};

}  // namespace amphora
