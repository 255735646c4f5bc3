// SPDX-License-Identifier: Apache-2.0
// The few kinds of MessagePack (msgpack.org, specification 2.0) that the map needs, and skipping of all
// others.
#include "runtime/can_udp/udp_codec.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <string_view>

namespace amphora::runtime {

namespace {

constexpr int kNestingMax = 4;  // of values that are skipped; python-can nests nothing

class Packer {
 public:
  explicit Packer(MutableByteSpan out) : writer_{out} {}
  void text(std::string_view text) {  // up to 31 characters: fixstr
    writer_.u8(static_cast<std::uint8_t>(0xA0U | text.size()));
    writer_.bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }
  void boolean(bool value) { writer_.u8(value ? 0xC3 : 0xC2); }
  void nil() { writer_.u8(0xC0); }
  void number(std::uint32_t value) {
    if (value < 0x80) {
      writer_.u8(static_cast<std::uint8_t>(value));
    } else if (value <= 0xFF) {
      writer_.u8(0xCC);
      writer_.u8(static_cast<std::uint8_t>(value));
    } else if (value <= 0xFFFF) {
      writer_.u8(0xCD);
      writer_.u16(static_cast<std::uint16_t>(value), Endian::kBig);
    } else {
      writer_.u8(0xCE);
      writer_.u32(value, Endian::kBig);
    }
  }
  void real(double value) {
    writer_.u8(0xCB);
    writer_.write(std::bit_cast<std::uint64_t>(value), Endian::kBig);
  }
  void binary(ByteSpan bytes) {
    writer_.u8(0xC4);
    writer_.u8(static_cast<std::uint8_t>(bytes.size()));
    writer_.bytes(bytes);
  }
  void map(std::uint8_t size) { writer_.u8(static_cast<std::uint8_t>(0x80U | size)); }
  MutableByteSpan written() const { return writer_.written(); }

 private:
  ByteWriter writer_;
};

class Unpacker {
 public:
  explicit Unpacker(ByteSpan bytes) : reader_{bytes} {}

  std::optional<std::uint32_t> map_size() {
    const std::uint8_t kind = reader_.u8();
    if ((kind & 0xF0U) == 0x80) {
      return kind & 0x0FU;
    }
    if (kind == 0xDE) {
      return reader_.u16(Endian::kBig);
    }
    return std::nullopt;
  }
  std::optional<std::string_view> text() {
    const auto bytes = sized(0xA0, 0xE0, 0xD9, 0xDA);
    if (!bytes) {
      return std::nullopt;
    }
    return std::string_view{reinterpret_cast<const char*>(bytes->data()), bytes->size()};
  }
  std::optional<bool> boolean() {
    const std::uint8_t kind = reader_.u8();
    if (kind == 0xC2 || kind == 0xC3) {
      return kind == 0xC3;
    }
    return std::nullopt;
  }
  std::optional<std::uint64_t> number() {
    const std::uint8_t kind = reader_.u8();
    if (kind < 0x80) {
      return kind;
    }
    switch (kind) {
      case 0xCC:
        return reader_.u8();
      case 0xCD:
        return reader_.u16(Endian::kBig);
      case 0xCE:
        return reader_.u32(Endian::kBig);
      case 0xCF:
        return reader_.read<std::uint64_t>(Endian::kBig);
      default:
        return std::nullopt;
    }
  }
  // bin, and str as older packers wrote bytes.
  std::optional<ByteSpan> binary() {
    const std::uint8_t kind = reader_.u8();
    if (kind == 0xC4) {
      return checked(reader_.take(reader_.u8()));
    }
    if (kind == 0xC5) {
      return checked(reader_.take(reader_.u16(Endian::kBig)));
    }
    if ((kind & 0xE0U) == 0xA0) {
      return checked(reader_.take(kind & 0x1FU));
    }
    return std::nullopt;
  }
  // Any one value.
  bool skip(int nesting = 0) {
    const std::uint8_t kind = reader_.u8();
    if (!reader_.ok() || nesting > kNestingMax) {
      return false;
    }
    if (kind < 0x80 || kind >= 0xE0) {
      return true;
    }
    if (kind < 0x90) {
      return skip_many((kind & 0x0FU) * 2U, nesting);
    }
    if (kind < 0xA0) {
      return skip_many(kind & 0x0FU, nesting);
    }
    if (kind < 0xC0) {
      return drop(kind & 0x1FU);
    }
    return skip_marked(kind, nesting);
  }
  bool ok() const { return reader_.ok(); }
  bool is_at_end() const { return reader_.ok() && reader_.remaining() == 0; }

 private:
  std::optional<ByteSpan> checked(ByteSpan bytes) {
    return reader_.ok() ? std::optional{bytes} : std::nullopt;
  }
  std::optional<ByteSpan> sized(std::uint8_t fix, std::uint8_t fix_mask, std::uint8_t one, std::uint8_t two) {
    const std::uint8_t kind = reader_.u8();
    if ((kind & fix_mask) == fix) {
      return checked(reader_.take(kind & static_cast<std::uint8_t>(~fix_mask)));
    }
    if (kind == one) {
      return checked(reader_.take(reader_.u8()));
    }
    if (kind == two) {
      return checked(reader_.take(reader_.u16(Endian::kBig)));
    }
    return std::nullopt;
  }
  bool drop(std::size_t size) {
    (void)reader_.take(size);
    return reader_.ok();
  }
  bool skip_many(std::uint32_t count, int nesting) {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!skip(nesting + 1)) {
        return false;
      }
    }
    return true;
  }
  bool skip_marked(std::uint8_t kind, int nesting) {
    switch (kind) {
      case 0xC0:
      case 0xC2:
      case 0xC3:
        return true;
      case 0xC4:
      case 0xD9:
        return drop(reader_.u8());
      case 0xC5:
      case 0xDA:
        return drop(reader_.u16(Endian::kBig));
      case 0xC6:
      case 0xDB:
        return drop(reader_.u32(Endian::kBig));
      case 0xC7:
        return drop(std::size_t{reader_.u8()} + 1);
      case 0xC8:
        return drop(std::size_t{reader_.u16(Endian::kBig)} + 1);
      case 0xCC:
      case 0xD0:
        return drop(1);
      case 0xCD:
      case 0xD1:
      case 0xD4:
        return drop(2);
      case 0xCA:
      case 0xCE:
      case 0xD2:
        return drop(4);
      case 0xCB:
      case 0xCF:
      case 0xD3:
        return drop(8);
      case 0xD5:
        return drop(3);
      case 0xD6:
        return drop(5);
      case 0xD7:
        return drop(9);
      case 0xD8:
        return drop(17);
      case 0xDC:
        return skip_many(reader_.u16(Endian::kBig), nesting);
      case 0xDE:
        return skip_many(reader_.u16(Endian::kBig) * 2U, nesting);
      default:
        return false;  // 32-bit counts and the unused code: never in a datagram of this format
    }
  }

  ByteReader reader_;
};

// What the map says, as far as it matters here.
struct Fields {
  std::optional<std::uint64_t> id;
  std::optional<std::uint64_t> dlc;
  std::optional<ByteSpan> data;
  bool is_extended = true;  // python-can's default where a sender leaves it out
  bool is_remote = false;
  bool is_error = false;
  bool is_fd = false;
};

bool read_flag(Unpacker& unpacker, bool& flag) {
  const auto value = unpacker.boolean();
  flag = value.value_or(false);
  return value.has_value();
}

// False: the field has the wrong type.
bool read_field(Unpacker& unpacker, std::string_view key, Fields& fields) {
  if (key == "arbitration_id") {
    fields.id = unpacker.number();
    return fields.id.has_value();
  }
  if (key == "dlc") {
    fields.dlc = unpacker.number();
    return fields.dlc.has_value();
  }
  if (key == "data") {
    fields.data = unpacker.binary();
    return fields.data.has_value();
  }
  if (key == "is_extended_id") {
    return read_flag(unpacker, fields.is_extended);
  }
  if (key == "is_remote_frame") {
    return read_flag(unpacker, fields.is_remote);
  }
  if (key == "is_error_frame") {
    return read_flag(unpacker, fields.is_error);
  }
  if (key == "is_fd") {
    return read_flag(unpacker, fields.is_fd);
  }
  return unpacker.skip();
}

Result<can::Frame, UdpFrameError> to_frame(const Fields& fields) {
  if (fields.is_fd || fields.is_error) {
    return UdpFrameError::kUnsupported;
  }
  if (!fields.id) {
    return UdpFrameError::kMissingField;
  }
  if (*fields.id > (fields.is_extended ? can::kExtendedIdMax : can::kStandardIdMax)) {
    return UdpFrameError::kBadField;
  }
  const ByteSpan data = fields.data.value_or(ByteSpan{});
  const std::uint64_t size = fields.dlc.value_or(data.size());
  const bool is_consistent = fields.is_remote ? data.empty() : data.size() == size;
  if (size > can::kDataSizeMax || !is_consistent) {
    return UdpFrameError::kDataSize;
  }
  can::Frame frame;
  frame.id = static_cast<std::uint32_t>(*fields.id);
  frame.is_extended = fields.is_extended;
  frame.is_remote = fields.is_remote;
  frame.size = static_cast<std::uint8_t>(size);
  std::copy(data.begin(), data.end(), frame.data.begin());
  return frame;
}

}  // namespace

MutableByteSpan encode_udp_frame(const can::Frame& frame, WallTime at, MutableByteSpan out) {
  Packer packer{out};
  packer.map(11);
  packer.text("timestamp");
  packer.real(static_cast<double>(at.unix_ms) / 1000.0);
  packer.text("arbitration_id");
  packer.number(frame.id);
  packer.text("is_extended_id");
  packer.boolean(frame.is_extended);
  packer.text("is_remote_frame");
  packer.boolean(frame.is_remote);
  packer.text("is_error_frame");
  packer.boolean(false);
  packer.text("channel");
  packer.nil();
  packer.text("dlc");
  packer.number(frame.size);
  packer.text("data");
  packer.binary(frame.is_remote ? ByteSpan{} : frame.payload());
  packer.text("is_fd");
  packer.boolean(false);
  packer.text("bitrate_switch");
  packer.boolean(false);
  packer.text("error_state_indicator");
  packer.boolean(false);
  return packer.written();
}

Result<can::Frame, UdpFrameError> decode_udp_frame(ByteSpan datagram) {
  Unpacker unpacker{datagram};
  const auto size = unpacker.map_size();
  if (!size) {
    return UdpFrameError::kMalformed;
  }
  Fields fields;
  for (std::uint32_t i = 0; i < *size; ++i) {
    const auto key = unpacker.text();
    if (!key) {
      return UdpFrameError::kMalformed;
    }
    if (!read_field(unpacker, *key, fields)) {
      return unpacker.ok() ? UdpFrameError::kBadField : UdpFrameError::kMalformed;
    }
    if (!unpacker.ok()) {
      return UdpFrameError::kMalformed;
    }
  }
  if (!unpacker.is_at_end()) {
    return UdpFrameError::kMalformed;
  }
  return to_frame(fields);
}

}  // namespace amphora::runtime
