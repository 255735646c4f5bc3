// SPDX-License-Identifier: Apache-2.0
// The bytes by which the nodes of a bus share sections: announcements and records in segments.
// docs/protocols/packnet.md is the table for people. The machine that uses them is section_share.hpp.
//
// Every frame has 8 bytes. Byte 0: kind in the upper four bits, section in the lower four.
//   1  announcement: digest of the payload[3], seconds of the stamp[4]
//   2  segment of a plain record: index, data[6]
//   3  segment of a sealed record: the same
// A record as bytes, cut into segments of six (the last is filled with zeros):
//   size[1] of all of it, digest[3], version[4], stamp: milliseconds[6] and counter[2], origin[6], payload,
//   then CRC-32[4] in plain mode, or the first 8 bytes of a keyed BLAKE2b in sealed mode, both over the
//   section and everything before.
// So the first segment already tells of which content the record is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/bytes.hpp"
#include "core/base/fixed_bytes.hpp"
#include "core/base/result.hpp"
#include "core/can/frame.hpp"
#include "core/crypto/crypto.hpp"
#include "core/state/section.hpp"

namespace amphora::packnet {

using ShareFrame = std::array<std::uint8_t, can::kDataSizeMax>;

// Over the content alone, 24 bits: equal payloads are equal whoever changed them when. 0 for an empty one.
using PayloadDigest = std::uint32_t;
PayloadDigest digest_of(const state::Payload& payload);
// Saturates in the year 2106.
std::uint32_t seconds_of(const state::Stamp& stamp);

struct Announcement {
  state::SectionId section = 0;
  PayloadDigest digest = 0;
  std::uint32_t stamp_s = 0;  // 0 for the default record
  friend constexpr bool operator==(const Announcement&, const Announcement&) = default;
};
inline constexpr std::size_t kSegmentSize = 6;
struct RecordSegment {
  state::SectionId section = 0;
  bool is_sealed = false;
  std::uint8_t index = 0;
  std::array<std::uint8_t, kSegmentSize> data{};
  friend constexpr bool operator==(const RecordSegment&, const RecordSegment&) = default;
};
using ShareMessage = std::variant<Announcement, RecordSegment>;

// Empty for any other size or kind.
std::optional<ShareMessage> decode_share(ByteSpan frame);
ShareFrame encode_share(const ShareMessage& message);

// ---- records

inline constexpr std::size_t kRecordHeaderSize = 1 + 3 + 4 + 6 + 2 + 6;
inline constexpr std::size_t kRecordCheckSize = 4;
inline constexpr std::size_t kRecordMacSize = 8;
inline constexpr std::size_t kRecordSizeMax = kRecordHeaderSize + state::kPayloadSizeMax + kRecordMacSize;
static_assert(kRecordSizeMax <= 0xFF);
inline constexpr std::size_t kSegmentsMax = (kRecordSizeMax + kSegmentSize - 1) / kSegmentSize;

// The key for settings on this bus; `bus_key` is what pairing or the installer gave to all of the bus.
crypto::Key section_key(const crypto::Key& bus_key);

struct RecordSeal {
  bool is_sealed = true;
  crypto::Key key{};  // section_key(); unused in plain mode
};

using RecordBytes = FixedBytes<kRecordSizeMax>;
RecordBytes encode_record(state::SectionId section, const state::Record& record, const RecordSeal& seal);

enum class RecordError : std::uint8_t {
  kBadSize,   // too short, or not the size it names
  kBadCheck,  // CRC-32 or MAC
  kBadValue   // digest and payload do not belong together
};
std::string_view to_text(RecordError error);
Result<state::Record, RecordError> decode_record(state::SectionId section, ByteSpan bytes,
                                                 const RecordSeal& seal);
// What the first segment tells.
std::size_t record_size(const RecordSegment& first);
PayloadDigest record_digest(const RecordSegment& first);

}  // namespace amphora::packnet
