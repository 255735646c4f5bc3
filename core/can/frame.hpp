// SPDX-License-Identifier: Apache-2.0
// A classical CAN frame and the state of a bus, independent of any driver.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"

namespace amphora::can {

inline constexpr std::size_t kDataSizeMax = 8;
inline constexpr std::uint32_t kStandardIdMax = 0x7FF;
inline constexpr std::uint32_t kExtendedIdMax = 0x1FFF'FFFF;

struct Frame {
  std::uint32_t id = 0;  // 11 bits, or 29 when is_extended
  bool is_extended = false;
  bool is_remote = false;
  std::uint8_t size = 0;  // 0…8
  std::array<std::uint8_t, kDataSizeMax> data{};

  constexpr ByteSpan payload() const { return ByteSpan{data}.first(size); }
  friend constexpr bool operator==(const Frame&, const Frame&) = default;
};

// What the controller says of the bus (ISO 11898-1 error confinement), or that there is no interface at all.
enum class BusState : std::uint8_t { kDown, kActive, kErrorPassive, kBusOff };

}  // namespace amphora::can
