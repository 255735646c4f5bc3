// SPDX-License-Identifier: Apache-2.0
// A section as simulated hosts write it into their stores: version, stamp, origin, then the payload; and what
// the checker of invariant 1 compares.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"
#include "core/state/section.hpp"
#include "sim/checkers/section_checker.hpp"

namespace amphora::sim {

inline constexpr std::size_t kSectionRecordHeader = 4 + 8 + 2 + 8;
using SectionRecordBytes = std::array<std::uint8_t, kSectionRecordHeader + state::kPayloadSizeMax>;

// The part of `out` that was written.
ByteSpan encode_section(const state::Record& record, SectionRecordBytes& out);
state::Record decode_section(ByteSpan bytes);

SectionMark mark_of(const state::Record& record);

}  // namespace amphora::sim
