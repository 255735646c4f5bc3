// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/section_record.hpp"

#include <algorithm>
#include <limits>

#include "core/base/assert.hpp"
#include "core/base/crc.hpp"

namespace amphora::packnet {

namespace {

enum class FrameKind : std::uint8_t { kAnnouncement = 1, kPlainSegment = 2, kSealedSegment = 3 };

constexpr std::uint32_t kDigestMask = 0xFF'FFFF;

void write_digest(ByteWriter& writer, PayloadDigest digest) {
  writer.u16(static_cast<std::uint16_t>(digest & 0xFFFFU));
  writer.u8(static_cast<std::uint8_t>(digest >> 16U));
}

PayloadDigest read_digest(ByteReader& reader) {
  const PayloadDigest low = reader.u16();
  return low | PayloadDigest{reader.u8()} << 16U;
}

std::size_t check_size(const RecordSeal& seal) {
  return seal.is_sealed ? kRecordMacSize : kRecordCheckSize;
}

// Over section and bytes; as many of it count as check_size() says.
std::array<std::uint8_t, kRecordMacSize> check_of(state::SectionId section, ByteSpan bytes,
                                                  const RecordSeal& seal) {
  std::array<std::uint8_t, 1 + kRecordSizeMax> all{};
  ByteWriter writer{all};
  writer.u8(section);
  writer.bytes(bytes);
  AMPHORA_ASSERT(writer.ok());
  std::array<std::uint8_t, kRecordMacSize> check{};
  if (seal.is_sealed) {
    const crypto::Key full = crypto::derive_key(seal.key, "amphora pack section seal", writer.written());
    std::copy_n(full.begin(), check.size(), check.begin());
  } else {
    store(check.data(), crc32(writer.written()), Endian::kLittle);
  }
  return check;
}

}  // namespace

PayloadDigest digest_of(const state::Payload& payload) {
  if (payload.is_empty()) {
    return 0;
  }
  Digest digest;
  digest.add(payload.bytes());
  const std::uint64_t whole = digest.value();
  const auto folded = static_cast<PayloadDigest>((whole ^ (whole >> 24U) ^ (whole >> 48U)) & kDigestMask);
  return folded == 0 ? 1 : folded;
}

std::uint32_t seconds_of(const state::Stamp& stamp) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::min(stamp.physical_ms / 1000, kMax));
}

std::optional<ShareMessage> decode_share(ByteSpan frame) {
  if (frame.size() != std::tuple_size_v<ShareFrame>) {
    return std::nullopt;
  }
  ByteReader reader{frame};
  const std::uint8_t first = reader.u8();
  const auto section = static_cast<state::SectionId>(first & 0x0FU);
  switch (static_cast<FrameKind>(first >> 4U)) {
    case FrameKind::kAnnouncement: {
      const PayloadDigest digest = read_digest(reader);
      return Announcement{section, digest, reader.u32()};
    }
    case FrameKind::kPlainSegment:
    case FrameKind::kSealedSegment: {
      RecordSegment segment{section, first >> 4U == 3, reader.u8(), {}};
      std::ranges::copy(reader.take(kSegmentSize), segment.data.begin());
      return segment;
    }
  }
  return std::nullopt;
}

ShareFrame encode_share(const ShareMessage& message) {
  ShareFrame frame{};
  ByteWriter writer{frame};
  const auto write_first = [&writer](FrameKind kind, state::SectionId section) {
    AMPHORA_ASSERT(section < state::kSectionCountMax);
    writer.u8(static_cast<std::uint8_t>(static_cast<std::uint32_t>(kind) << 4U | section));
  };
  if (const auto* announcement = std::get_if<Announcement>(&message)) {
    write_first(FrameKind::kAnnouncement, announcement->section);
    write_digest(writer, announcement->digest);
    writer.u32(announcement->stamp_s);
  } else if (const auto* segment = std::get_if<RecordSegment>(&message)) {
    write_first(segment->is_sealed ? FrameKind::kSealedSegment : FrameKind::kPlainSegment, segment->section);
    writer.u8(segment->index);
    writer.bytes(segment->data);
  }
  AMPHORA_ASSERT(writer.ok() && writer.size() == frame.size());
  return frame;
}

crypto::Key section_key(const crypto::Key& bus_key) {
  return crypto::derive_key(bus_key, "amphora pack section key", {});
}

RecordBytes encode_record(state::SectionId section, const state::Record& record, const RecordSeal& seal) {
  std::array<std::uint8_t, kRecordSizeMax> bytes{};
  ByteWriter writer{bytes};
  writer.u8(static_cast<std::uint8_t>(kRecordHeaderSize + record.payload.size() + check_size(seal)));
  write_digest(writer, digest_of(record.payload));
  writer.u32(record.version);
  writer.u32(static_cast<std::uint32_t>(record.stamp.physical_ms & 0xFFFF'FFFFU));
  writer.u16(static_cast<std::uint16_t>(record.stamp.physical_ms >> 32U));
  writer.u16(record.stamp.logical);
  writer.bytes(to_bytes(record.origin));
  writer.bytes(record.payload.bytes());
  const auto check = check_of(section, writer.written(), seal);
  writer.bytes(ByteSpan{check}.first(check_size(seal)));
  RecordBytes encoded;
  AMPHORA_ASSERT(writer.ok() && encoded.assign(writer.written()));
  return encoded;
}

std::string_view to_text(RecordError error) {
  constexpr std::string_view kNames[] = {"bad_size", "bad_check", "bad_value"};
  return kNames[static_cast<std::size_t>(error)];
}

Result<state::Record, RecordError> decode_record(state::SectionId section, ByteSpan bytes,
                                                 const RecordSeal& seal) {
  const std::size_t check = check_size(seal);
  if (bytes.size() < kRecordHeaderSize + check ||
      bytes.size() > kRecordHeaderSize + state::kPayloadSizeMax + check || bytes[0] != bytes.size()) {
    return RecordError::kBadSize;
  }
  const ByteSpan checked = bytes.first(bytes.size() - check);
  const auto expected = check_of(section, checked, seal);
  if (!crypto::is_equal(bytes.last(check), ByteSpan{expected}.first(check))) {
    return RecordError::kBadCheck;
  }
  ByteReader reader{checked};
  (void)reader.u8();
  const PayloadDigest digest = read_digest(reader);
  state::Record record;
  record.version = reader.u32();
  record.stamp.physical_ms = reader.u32();
  record.stamp.physical_ms |= std::uint64_t{reader.u16()} << 32U;
  record.stamp.logical = reader.u16();
  record.origin = to_node_id(reader.take(kNodeIdSize));
  record.payload = state::Payload{reader.take(reader.remaining())};
  if (digest != digest_of(record.payload)) {
    return RecordError::kBadValue;
  }
  return record;
}

std::size_t record_size(const RecordSegment& first) {
  return first.data[0];
}

PayloadDigest record_digest(const RecordSegment& first) {
  ByteReader reader{ByteSpan{first.data}.subspan(1)};
  return read_digest(reader);
}

}  // namespace amphora::packnet
