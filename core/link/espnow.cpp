// SPDX-License-Identifier: Apache-2.0
#include "core/link/espnow.hpp"

#include <algorithm>

namespace amphora::espnow {

namespace {

constexpr std::size_t kRadiotapFixedSize = 8;
constexpr std::size_t kChecksumSize = 4;
constexpr std::uint16_t kActionFrame = 0x00D0;  // frame control, little-endian: management, action
constexpr std::uint16_t kKindMask = 0x00FF;     // version, type, subtype
constexpr std::uint16_t kRetryBit = 0x0800;
constexpr std::uint16_t kProtectedBit = 0x4000;
constexpr std::uint8_t kVendorCategory = 127;
constexpr std::uint8_t kVendorElement = 0xDD;
constexpr std::array<std::uint8_t, 3> kOui{0x18, 0xFE, 0x34};
constexpr std::uint8_t kEspNowType = 4;
constexpr std::uint8_t kVersionMask = 0x0F;
constexpr std::uint8_t kMoreBit = 0x10;
constexpr std::uint8_t kRate1Mbit = 2;  // in units of 500 kbit/s
constexpr std::uint8_t kElementOverhead = kElementHeaderSize - 2;

// Alignment and size of radiotap fields 0…22, in the order of their bits (radiotap.org).
struct FieldForm {
  std::uint8_t alignment;
  std::uint8_t size;
};
constexpr FieldForm kFieldForms[] = {
    {8, 8}, {1, 1}, {1, 1}, {2, 4}, {2, 2}, {1, 1}, {1, 1}, {2, 2}, {2, 2}, {2, 2},  {1, 1},  {1, 1},
    {1, 1}, {1, 1}, {2, 2}, {2, 2}, {1, 1}, {1, 1}, {4, 8}, {1, 3}, {4, 8}, {2, 12}, {8, 12},
};
constexpr std::size_t kFlagsField = 1;
constexpr std::size_t kRateField = 2;
constexpr std::size_t kChannelField = 3;
constexpr std::size_t kSignalField = 5;
constexpr std::size_t kTxFlagsField = 15;
constexpr std::size_t kDataRetriesField = 17;
constexpr std::uint32_t kMorePresentBit = 0x8000'0000;

void take_field(std::size_t field, ByteSpan at, Radiotap& out) {
  switch (field) {
    case kFlagsField:
      out.flags = at[0];
      break;
    case kChannelField:
      out.channel_mhz = load<std::uint16_t>(at.data(), Endian::kLittle);
      break;
    case kSignalField:
      out.rssi_dbm = static_cast<std::int8_t>(at[0]);
      break;
    case kTxFlagsField:
      out.tx_flags = load<std::uint16_t>(at.data(), Endian::kLittle);
      break;
    default:
      break;
  }
}

bool has_oui(ByteSpan bytes) {
  return std::equal(kOui.begin(), kOui.end(), bytes.begin());
}

// The version of the frame whose elements are `bytes`, with the elements' data in `frame`.
std::optional<FrameError> take_elements(ByteSpan bytes, Frame& frame) {
  bool is_more_expected = true;
  while (!bytes.empty()) {
    if (!is_more_expected || bytes.size() < kElementHeaderSize || bytes[0] != kVendorElement ||
        bytes[1] < kElementOverhead || bytes.size() < std::size_t{2} + bytes[1] ||
        !has_oui(bytes.subspan(2)) || bytes[5] != kEspNowType) {
      return FrameError::kBadElement;
    }
    const std::uint8_t version = bytes[6] & kVersionMask;
    const bool is_first = frame.part_count == 0;
    const bool has_more = (bytes[6] & kMoreBit) != 0;
    if (version < 1 || version > 2 || (version == 1 && has_more) || (!is_first && version != frame.version)) {
      return FrameError::kBadElement;
    }
    if (frame.part_count == kElementCountMax) {
      return FrameError::kTooLong;
    }
    const ByteSpan data = bytes.subspan(kElementHeaderSize, bytes[1] - std::size_t{kElementOverhead});
    frame.version = version;
    frame.parts[frame.part_count++] = data;
    frame.size += data.size();
    is_more_expected = has_more;
    bytes = bytes.subspan(std::size_t{2} + bytes[1]);
  }
  if (frame.part_count == 0) {
    return FrameError::kNoElement;
  }
  return is_more_expected ? std::optional{FrameError::kBadElement} : std::nullopt;
}

void write_frame(ByteWriter& writer, const TxHeader& header, ByteSpan data) {
  writer.u16(kActionFrame);
  writer.u16(0);  // duration: the radio fills it in
  writer.bytes(to_bytes(header.destination));
  writer.bytes(to_bytes(header.source));
  writer.bytes(to_bytes(kEverybody));
  writer.u16(static_cast<std::uint16_t>(header.sequence << 4U));
  writer.u8(kVendorCategory);
  writer.bytes(kOui);
  writer.u32(header.random, Endian::kBig);
  const std::uint8_t version = data.size() <= kV1DataMax ? 1 : 2;
  do {
    const std::size_t size = std::min(data.size(), kElementDataMax);
    const bool has_more = data.size() > size;
    writer.u8(kVendorElement);
    writer.u8(static_cast<std::uint8_t>(kElementOverhead + size));
    writer.bytes(kOui);
    writer.u8(kEspNowType);
    writer.u8(static_cast<std::uint8_t>(version | (has_more ? kMoreBit : 0U)));
    writer.bytes(data.first(size));
    data = data.subspan(size);
  } while (!data.empty());
}

}  // namespace

std::string_view to_text(FrameError error) {
  constexpr std::string_view kTexts[] = {
      "cut short within the radiotap header",
      "not a radiotap header of version 0",
      "received with a wrong check sequence",
      "cut short within the 802.11 header",
      "not an action frame",
      "encrypted by 802.11",
      "an action frame, but not ESP-NOW",
      "an element that is cut short or not of ESP-NOW",
      "no element with data",
      "more than 1470 bytes or 6 elements",
      "no room for the frame",
  };
  return kTexts[static_cast<std::size_t>(error)];
}

Result<Radiotap, FrameError> decode_radiotap(ByteSpan packet) {
  if (packet.size() < kRadiotapFixedSize) {
    return FrameError::kRadiotapShort;
  }
  Radiotap out;
  out.size = load<std::uint16_t>(packet.data() + 2, Endian::kLittle);
  if (packet[0] != 0 || out.size < kRadiotapFixedSize) {
    return FrameError::kRadiotapVersion;
  }
  if (packet.size() < out.size) {
    return FrameError::kRadiotapShort;
  }
  const ByteSpan header = packet.first(out.size);
  const auto present = load<std::uint32_t>(header.data() + 4, Endian::kLittle);
  // More words of presence bits may follow, for further antennas; the fields of the first word come first.
  std::size_t position = kRadiotapFixedSize;
  for (std::uint32_t word = present; (word & kMorePresentBit) != 0; position += 4) {
    if (header.size() - position < 4) {
      return FrameError::kRadiotapShort;
    }
    word = load<std::uint32_t>(header.data() + position, Endian::kLittle);
  }
  for (std::size_t field = 0; field < std::size(kFieldForms); ++field) {
    if ((present & (1U << field)) == 0) {
      continue;
    }
    const FieldForm form = kFieldForms[field];
    position = (position + form.alignment - 1U) / form.alignment * form.alignment;
    if (position + form.size > header.size()) {
      return FrameError::kRadiotapShort;
    }
    take_field(field, header.subspan(position, form.size), out);
    position += form.size;
  }
  return out;
}

Result<Frame, FrameError> decode_frame(ByteSpan bytes) {
  if (bytes.size() < kMacHeaderSize) {
    return FrameError::kShort;
  }
  const auto control = load<std::uint16_t>(bytes.data(), Endian::kLittle);
  if ((control & kKindMask) != kActionFrame) {
    return FrameError::kNotAction;
  }
  if ((control & kProtectedBit) != 0) {
    return FrameError::kProtected;
  }
  Frame frame;
  frame.is_retry = (control & kRetryBit) != 0;
  frame.destination = to_node_id(bytes.subspan(4));
  frame.source = to_node_id(bytes.subspan(10));
  frame.sequence = static_cast<std::uint16_t>(load<std::uint16_t>(bytes.data() + 22, Endian::kLittle) >> 4U);
  const ByteSpan body = bytes.subspan(kMacHeaderSize);
  if (body.size() < kActionHeaderSize) {
    const bool is_ours_so_far = body.size() < 4 || (body[0] == kVendorCategory && has_oui(body.subspan(1)));
    return is_ours_so_far ? FrameError::kShort : FrameError::kNotEspNow;
  }
  if (body[0] != kVendorCategory || !has_oui(body.subspan(1))) {
    return FrameError::kNotEspNow;
  }
  frame.random = load<std::uint32_t>(body.data() + 4, Endian::kBig);
  if (const auto error = take_elements(body.subspan(kActionHeaderSize), frame)) {
    return *error;
  }
  if (frame.size > kV2DataMax) {
    return FrameError::kTooLong;
  }
  return frame;
}

Result<Packet, FrameError> decode_packet(ByteSpan packet) {
  const auto radiotap = decode_radiotap(packet);
  if (!radiotap) {
    return radiotap.error();
  }
  if (radiotap->has_bad_checksum()) {
    return FrameError::kBadChecksum;
  }
  ByteSpan bytes = packet.subspan(radiotap->size);
  if (radiotap->has_checksum()) {
    if (bytes.size() < kChecksumSize) {
      return FrameError::kShort;
    }
    bytes = bytes.first(bytes.size() - kChecksumSize);
  }
  const auto frame = decode_frame(bytes);
  if (!frame) {
    return frame.error();
  }
  return Packet{*radiotap, *frame};
}

MutableByteSpan copy_data(const Frame& frame, MutableByteSpan out) {
  ByteWriter writer{out};
  for (std::size_t i = 0; i < frame.part_count; ++i) {
    writer.bytes(frame.parts[i]);
  }
  return writer.written();
}

Result<MutableByteSpan, FrameError> encode_frame(const TxHeader& header, ByteSpan data, MutableByteSpan out) {
  if (data.size() > kV2DataMax) {
    return FrameError::kTooLong;
  }
  ByteWriter writer{out};
  write_frame(writer, header, data);
  if (!writer.ok()) {
    return FrameError::kNoRoom;
  }
  return writer.written();
}

Result<MutableByteSpan, FrameError> encode_packet(const TxHeader& header, ByteSpan data,
                                                  MutableByteSpan out) {
  if (data.size() > kV2DataMax) {
    return FrameError::kTooLong;
  }
  ByteWriter writer{out};
  writer.u8(0);
  writer.u8(0);
  writer.u16(kTxRadiotapSize);
  writer.u32((1U << kRateField) | (1U << kTxFlagsField) | (1U << kDataRetriesField));
  writer.u8(kRate1Mbit);
  writer.u8(0);  // TX flags are aligned to two bytes
  writer.u16(0);
  writer.u8(header.retries);
  write_frame(writer, header, data);
  if (!writer.ok()) {
    return FrameError::kNoRoom;
  }
  return writer.written();
}

}  // namespace amphora::espnow
