// SPDX-License-Identifier: Apache-2.0
// The facts of a controller as bytes, for whatever store the host has.
//
// Bytes: version (1), flags (bit 0: import limit exhausted, bit 1: its day is known, bit 2: eco has fallen
// back), day[4], then for each relay flags (bit 0: there is an order, bit 1: closed) and its end in seconds
// since 1970 [8], at last a 64-bit FNV-1a over all of that. Numbers are little-endian. A torn or altered
// record is found by its size and this digest; relays of a later version make another version.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/energy/controller.hpp"

namespace amphora::energy {

inline constexpr std::size_t kFactsSize = 1 + 1 + 4 + 9 * kRelayCount + 8;

std::array<std::uint8_t, kFactsSize> encode_facts(const Facts& facts);
// Empty when the bytes are not what encode_facts made.
std::optional<Facts> decode_facts(ByteSpan bytes);

}  // namespace amphora::energy
