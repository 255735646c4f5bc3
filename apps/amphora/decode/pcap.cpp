// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/decode/pcap.hpp"

#include <fmt/format.h>

namespace amphora::decode {

namespace {

constexpr std::size_t kFileHeaderSize = 24;
constexpr std::size_t kPacketHeaderSize = 16;
constexpr std::uint32_t kMicroMark = 0xA1B2C3D4;
constexpr std::uint32_t kNanoMark = 0xA1B23C4D;
constexpr std::uint32_t kPcapngMark = 0x0A0D0D0A;

const std::uint8_t* bytes_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

}  // namespace

CaptureKind capture_kind(std::string_view mark) {
  for (const Endian endian : {Endian::kLittle, Endian::kBig}) {
    const auto value = load<std::uint32_t>(bytes_of(mark), endian);
    if (value == kMicroMark || value == kNanoMark) {
      return CaptureKind::kPcap;
    }
    if (value == kPcapngMark) {
      return CaptureKind::kPcapng;
    }
  }
  return CaptureKind::kOther;
}

void PcapReader::feed(std::string_view bytes) {
  if (!fault_.empty()) {
    return;
  }
  kept_ += bytes;
  std::size_t used = 0;
  while (fault_.empty()) {
    const std::size_t size = take(std::string_view{kept_}.substr(used));
    if (size == 0) {
      break;
    }
    used += size;
  }
  kept_.erase(0, used);
}

// The bytes of the first header or packet within `bytes`; 0 when it is not complete.
std::size_t PcapReader::take(std::string_view bytes) {
  if (!has_header_) {
    return bytes.size() >= kFileHeaderSize && take_file_header(bytes) ? kFileHeaderSize : 0;
  }
  if (bytes.size() < kPacketHeaderSize) {
    return 0;
  }
  const std::uint32_t size = number(bytes, 8);
  if (size > kPcapPacketSizeMax) {
    fault_ = fmt::format("packet {} has {} bytes; the file is damaged from here on", count_ + 1, size);
    return 0;
  }
  if (bytes.size() < kPacketHeaderSize + size) {
    return 0;
  }
  PcapPacket packet;
  packet.number = ++count_;
  const std::uint32_t fraction = number(bytes, 4);
  packet.time_us = std::int64_t{number(bytes, 0)} * 1'000'000 + (is_nano_ ? fraction / 1000 : fraction);
  packet.link_type = link_type_;
  packet.is_cut = number(bytes, 12) > size;
  packet.bytes = {bytes_of(bytes) + kPacketHeaderSize, size};
  on_packet_(packet);
  return kPacketHeaderSize + size;
}

bool PcapReader::take_file_header(std::string_view bytes) {
  endian_ = Endian::kLittle;
  if (const std::uint32_t mark = number(bytes, 0); mark != kMicroMark && mark != kNanoMark) {
    endian_ = Endian::kBig;
  }
  is_nano_ = number(bytes, 0) == kNanoMark;
  link_type_ = number(bytes, 20) & 0x0FFF'FFFFU;  // above: length of the check sequence
  has_header_ = true;
  return true;
}

std::uint32_t PcapReader::number(std::string_view bytes, std::size_t at) const {
  return load<std::uint32_t>(bytes_of(bytes) + at, endian_);
}

}  // namespace amphora::decode
