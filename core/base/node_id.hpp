// SPDX-License-Identifier: Apache-2.0
// The name of a node: its 48-bit MAC address as a number, first byte on the wire highest.
//
// Every board has one from its maker, it survives reflashing, and the radio delivers it with each frame. Zero
// is "nobody", all ones is everybody.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "core/base/bytes.hpp"

namespace amphora {

struct NodeId {
  std::uint64_t value = 0;  // below 2^48

  friend constexpr auto operator<=>(NodeId, NodeId) = default;
  constexpr bool is_nobody() const { return value == 0; }
};

inline constexpr std::size_t kNodeIdSize = 6;
inline constexpr NodeId kEverybody{0xFFFF'FFFF'FFFF};

// The six bytes as they stand in a frame's address field.
constexpr std::array<std::uint8_t, kNodeIdSize> to_bytes(NodeId id) {
  std::array<std::uint8_t, kNodeIdSize> bytes{};
  for (std::size_t i = 0; i < kNodeIdSize; ++i) {
    bytes[i] = static_cast<std::uint8_t>(id.value >> (8U * (kNodeIdSize - 1 - i)));
  }
  return bytes;
}

// `bytes` holds kNodeIdSize bytes.
constexpr NodeId to_node_id(ByteSpan bytes) {
  NodeId id;
  for (const std::uint8_t byte : bytes.first(kNodeIdSize)) {
    id.value = (id.value << 8U) | byte;
  }
  return id;
}

// Written as people write MAC addresses: 17 characters, lower case, "24:0a:c4:01:02:03".
constexpr std::array<char, 17> to_characters(NodeId id) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<char, 17> text{};
  const auto bytes = to_bytes(id);
  for (std::size_t i = 0; i < kNodeIdSize; ++i) {
    text[3 * i] = kDigits[bytes[i] >> 4U];
    text[3 * i + 1] = kDigits[bytes[i] & 0xFU];
    if (i + 1 < kNodeIdSize) {
      text[3 * i + 2] = ':';
    }
  }
  return text;
}

}  // namespace amphora
