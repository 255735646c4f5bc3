// SPDX-License-Identifier: Apache-2.0
// The energy controller's facts as a simulated host writes them into its store.
//
//   u8 flags (1 exhausted, 2 with its day, 4 eco has fallen back), i32 day, then for each relay
//   u8 order (0 none, 1 open, 2 closed), i64 its end
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/energy/controller.hpp"

namespace amphora::sim {

inline constexpr std::size_t kFactsRecordSize = 5 + energy::kRelayCount * 9;
using FactsRecord = std::array<std::uint8_t, kFactsRecordSize>;

FactsRecord encode_facts(const energy::Facts& facts);
// Empty for bytes that encode_facts() never makes.
std::optional<energy::Facts> decode_facts(ByteSpan bytes);

}  // namespace amphora::sim
