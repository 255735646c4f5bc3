// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/frame.hpp"

#include <algorithm>
#include <optional>

#include "core/base/crc.hpp"

namespace amphora::tinybms {

namespace {

constexpr std::size_t kHeaderSize = 2;  // start byte and command
constexpr std::size_t kCrcSize = 2;

// How the data of a command's reply is delimited.
enum class ReplyShape : std::uint8_t { kAck, kByteCount, kPackets, kFixed };

struct CommandInfo {
  std::string_view name;
  ReplyShape shape;
  std::uint8_t fixed_size;  // kFixed: bytes of data
};

constexpr CommandInfo info_of(Command command) {
  switch (command) {
    case Command::kControl:
      return {"control", ReplyShape::kAck, 0};
    case Command::kReadModbus:
      return {"read_modbus", ReplyShape::kByteCount, 0};
    case Command::kReadBlock:
      return {"read_block", ReplyShape::kPackets, 0};
    case Command::kReadIndividual:
      return {"read_individual", ReplyShape::kPackets, 0};
    case Command::kWriteBlock:
      return {"write_block", ReplyShape::kAck, 0};
    case Command::kWriteIndividual:
      return {"write_individual", ReplyShape::kAck, 0};
    case Command::kWriteModbus:
      return {"write_modbus", ReplyShape::kFixed, 4};
    case Command::kNewestEvents:
      return {"newest_events", ReplyShape::kPackets, 0};
    case Command::kAllEvents:
      return {"all_events", ReplyShape::kPackets, 0};
    case Command::kPackVoltage:
      return {"pack_voltage", ReplyShape::kFixed, 4};
    case Command::kPackCurrent:
      return {"pack_current", ReplyShape::kFixed, 4};
    case Command::kCellMax:
      return {"cell_max", ReplyShape::kFixed, 2};
    case Command::kCellMin:
      return {"cell_min", ReplyShape::kFixed, 2};
    case Command::kStatus:
      return {"online_status", ReplyShape::kFixed, 2};
    case Command::kLifetime:
      return {"lifetime", ReplyShape::kFixed, 4};
    case Command::kSoc:
      return {"soc", ReplyShape::kFixed, 4};
    case Command::kTemperatures:
      return {"temperatures", ReplyShape::kPackets, 0};
    case Command::kCellVoltages:
      return {"cell_voltages", ReplyShape::kPackets, 0};
    case Command::kSettings:
      return {"settings", ReplyShape::kPackets, 0};
    case Command::kVersion:
      return {"version", ReplyShape::kPackets, 0};
    case Command::kExtendedVersion:
      return {"extended_version", ReplyShape::kPackets, 0};
    case Command::kSpeed:
      return {"speed", ReplyShape::kFixed, 12};
  }
  return {"", ReplyShape::kAck, 0};
}

Request make_words(Command command, std::uint16_t address, std::span<const std::uint16_t> values) {
  Request request{command, 0, address, static_cast<std::uint8_t>(std::min<std::size_t>(values.size(), 255))};
  for (std::size_t i = 0; i < values.size() && i < request.words.size(); ++i) {
    request.words[i] = {static_cast<std::uint16_t>(address + i), values[i]};
  }
  return request;
}

// The counts and options that the protocol allows.
bool is_encodable(const Request& request) {
  const std::uint8_t count = request.count;
  switch (request.command) {
    case Command::kControl:
      return request.option == 1 || request.option == 2 || request.option == 5;
    case Command::kReadModbus:
      return count >= 1 && count <= kModbusReadCountMax;
    case Command::kReadBlock:
      return count >= 1 && count <= kBlockReadCountMax;
    case Command::kReadIndividual:
      return count >= 1 && count <= kIndividualReadCountMax;
    case Command::kWriteBlock:
      return count >= 1 && count <= kBlockWriteCountMax;
    case Command::kWriteIndividual:
      return count >= 1 && count <= kIndividualWriteCountMax;
    case Command::kWriteModbus:
      return count >= 1 && count <= kModbusWriteCountMax;
    case Command::kSettings:
      return request.option >= 1 && request.option <= 4 && count >= 1 && count <= kSettingsCountMax;
    default:
      return true;
  }
}

Result<std::size_t, FrameError> finish(ByteWriter& writer) {
  const std::uint16_t crc = crc16_modbus(writer.written());
  writer.u16(crc);
  if (!writer.ok()) {
    return FrameError::kNoRoom;
  }
  return writer.size();
}

std::optional<FrameError> check_envelope(ByteSpan frame, const FrameLength& length) {
  if (frame.size() < kHeaderSize + kCrcSize) {
    return FrameError::kTooShort;
  }
  if (frame[0] != kStartByte) {
    return FrameError::kNoStart;
  }
  if (length.status == FrameLength::Status::kInvalid) {
    return FrameError::kUnknownCommand;
  }
  if (length.status == FrameLength::Status::kIncomplete || length.size != frame.size()) {
    return FrameError::kBadLength;
  }
  return has_valid_crc(frame) ? std::nullopt : std::optional{FrameError::kBadCrc};
}

constexpr FrameLength known(std::size_t size) {
  return {FrameLength::Status::kKnown, size};
}
constexpr FrameLength kIncompleteFrame{FrameLength::Status::kIncomplete, 0};
constexpr FrameLength kInvalidFrame{FrameLength::Status::kInvalid, 0};

// Frame with a length byte at `at` that counts the bytes after it.
FrameLength counted(ByteSpan prefix, std::size_t at, std::size_t size_max) {
  if (prefix.size() <= at) {
    return kIncompleteFrame;
  }
  return prefix[at] <= size_max ? known(at + 1 + prefix[at] + kCrcSize) : kInvalidFrame;
}

void decode_request_words(ByteReader& reader, Request& request) {
  const bool is_modbus = request.command == Command::kWriteModbus;
  const bool is_individual =
      request.command == Command::kWriteIndividual || request.command == Command::kReadIndividual;
  for (std::size_t i = 0; i < request.count && i < request.words.size(); ++i) {
    RegisterWord& word = request.words[i];
    word.number = is_individual ? reader.u16() : static_cast<std::uint16_t>(request.address + i);
    if (request.command != Command::kReadIndividual) {
      word.value = reader.u16(is_modbus ? Endian::kBig : Endian::kLittle);
    }
  }
}

}  // namespace

bool is_command(std::uint8_t code) {
  return std::any_of(kCommands.begin(), kCommands.end(),
                     [code](Command command) { return static_cast<std::uint8_t>(command) == code; });
}

std::string_view to_text(Command command) {
  return info_of(command).name;
}

std::string_view to_text(ControlOption option) {
  switch (option) {
    case ControlOption::kClearEvents:
      return "clear_events";
    case ControlOption::kClearStatistics:
      return "clear_statistics";
    case ControlOption::kReset:
      return "reset";
  }
  return "";
}

std::string_view to_text(FrameError error) {
  constexpr std::string_view kTexts[] = {"too short for a frame",
                                         "does not begin with 0xAA",
                                         "unknown command",
                                         "wrong length",
                                         "wrong CRC",
                                         "a count or option is out of range",
                                         "output space too small"};
  return kTexts[static_cast<std::size_t>(error)];
}

Request make_query(Command command) {
  return Request{command};
}
Request make_control(ControlOption option) {
  return Request{Command::kControl, static_cast<std::uint8_t>(option)};
}
Request make_read_modbus(std::uint16_t address, std::uint8_t count) {
  return Request{Command::kReadModbus, 0, address, count};
}
Request make_read_block(std::uint16_t address, std::uint8_t count) {
  return Request{Command::kReadBlock, 0, address, count};
}
Request make_read_individual(std::span<const std::uint16_t> numbers) {
  Request request{Command::kReadIndividual, 0, 0,
                  static_cast<std::uint8_t>(std::min<std::size_t>(numbers.size(), 255))};
  for (std::size_t i = 0; i < numbers.size() && i < request.words.size(); ++i) {
    request.words[i].number = numbers[i];
  }
  return request;
}
Request make_write_modbus(std::uint16_t address, std::span<const std::uint16_t> values) {
  return make_words(Command::kWriteModbus, address, values);
}
Request make_write_block(std::uint16_t address, std::span<const std::uint16_t> values) {
  return make_words(Command::kWriteBlock, address, values);
}
Request make_write_individual(std::span<const RegisterWord> words) {
  Request request{Command::kWriteIndividual, 0, 0,
                  static_cast<std::uint8_t>(std::min<std::size_t>(words.size(), 255))};
  for (std::size_t i = 0; i < words.size() && i < request.words.size(); ++i) {
    request.words[i] = words[i];
  }
  return request;
}
Request make_read_settings(SettingsOption option, std::uint8_t count) {
  return Request{Command::kSettings, static_cast<std::uint8_t>(option), 0, count};
}

Result<std::size_t, FrameError> encode_request(const Request& request, MutableByteSpan out) {
  if (!is_encodable(request)) {
    return FrameError::kBadField;
  }
  ByteWriter writer{out};
  writer.u8(kStartByte);
  writer.u8(static_cast<std::uint8_t>(request.command));
  const std::uint8_t count = request.count;
  switch (request.command) {
    case Command::kControl:
      writer.u8(request.option);
      break;
    case Command::kReadModbus:
      writer.u16(request.address, Endian::kBig);
      writer.u16(count, Endian::kBig);
      break;
    case Command::kReadBlock:
      writer.u8(count);
      writer.u16(request.address);
      break;
    case Command::kReadIndividual:
      writer.u8(static_cast<std::uint8_t>(2 * count));
      for (std::size_t i = 0; i < count; ++i) {
        writer.u16(request.words[i].number);
      }
      break;
    case Command::kWriteBlock:
      writer.u8(static_cast<std::uint8_t>(2 + 2 * count));
      writer.u16(request.address);
      for (std::size_t i = 0; i < count; ++i) {
        writer.u16(request.words[i].value);
      }
      break;
    case Command::kWriteIndividual:
      writer.u8(static_cast<std::uint8_t>(4 * count));
      for (std::size_t i = 0; i < count; ++i) {
        writer.u16(request.words[i].number);
        writer.u16(request.words[i].value);
      }
      break;
    case Command::kWriteModbus:
      writer.u16(request.address, Endian::kBig);
      writer.u16(count, Endian::kBig);
      writer.u8(static_cast<std::uint8_t>(2 * count));
      for (std::size_t i = 0; i < count; ++i) {
        writer.u16(request.words[i].value, Endian::kBig);
      }
      break;
    case Command::kSettings:
      writer.u8(request.option);
      writer.u16(count, Endian::kBig);
      break;
    default:
      break;
  }
  return finish(writer);
}

Result<Request, FrameError> decode_request(ByteSpan frame) {
  if (const auto error = check_envelope(frame, request_length(frame))) {
    return *error;
  }
  ByteReader reader{frame.subspan(kHeaderSize, frame.size() - kHeaderSize - kCrcSize)};
  Request request{static_cast<Command>(frame[1])};
  switch (request.command) {
    case Command::kControl:
      request.option = reader.u8();
      break;
    case Command::kReadModbus:
    case Command::kWriteModbus: {
      request.address = reader.u16(Endian::kBig);
      const std::uint16_t count = reader.u16(Endian::kBig);
      if (count > kModbusReadCountMax) {
        return FrameError::kBadField;
      }
      request.count = static_cast<std::uint8_t>(count);
      if (request.command == Command::kWriteModbus) {
        if (reader.u8() != 2 * count) {
          return FrameError::kBadField;
        }
      }
      break;
    }
    case Command::kReadBlock:
      request.count = reader.u8();
      request.address = reader.u16();
      break;
    case Command::kReadIndividual:
    case Command::kWriteIndividual: {
      const std::uint8_t size = reader.u8();
      const std::uint8_t unit = request.command == Command::kReadIndividual ? 2 : 4;
      if (size % unit != 0) {
        return FrameError::kBadField;
      }
      request.count = static_cast<std::uint8_t>(size / unit);
      break;
    }
    case Command::kWriteBlock: {
      const std::uint8_t size = reader.u8();
      if (size < 4 || size % 2 != 0) {
        return FrameError::kBadField;
      }
      request.count = static_cast<std::uint8_t>((size - 2) / 2);
      request.address = reader.u16();
      break;
    }
    case Command::kSettings: {
      request.option = reader.u8();
      const std::uint16_t count = reader.u16(Endian::kBig);
      if (count > kSettingsCountMax) {
        return FrameError::kBadField;
      }
      request.count = static_cast<std::uint8_t>(count);
      break;
    }
    default:
      break;
  }
  if (!is_encodable(request)) {
    return FrameError::kBadField;
  }
  if (request.command != Command::kReadModbus && request.command != Command::kReadBlock &&
      request.command != Command::kSettings) {
    decode_request_words(reader, request);
  }
  return reader.ok() ? Result<Request, FrameError>{request} : FrameError::kBadLength;
}

FrameLength request_length(ByteSpan prefix) {
  if (prefix.empty() || (prefix[0] == kStartByte && prefix.size() < kHeaderSize)) {
    return kIncompleteFrame;
  }
  if (prefix[0] != kStartByte || !is_command(prefix[1])) {
    return kInvalidFrame;
  }
  switch (static_cast<Command>(prefix[1])) {
    case Command::kControl:
      return known(5);
    case Command::kReadModbus:
      return known(8);
    case Command::kReadBlock:
    case Command::kSettings:
      return known(7);
    case Command::kReadIndividual:
    case Command::kWriteIndividual:
    case Command::kWriteBlock:
      return counted(prefix, 2, kPacketPayloadMax);
    case Command::kWriteModbus:
      return counted(prefix, 6, std::size_t{2} * kModbusWriteCountMax);
    default:
      return known(kHeaderSize + kCrcSize);
  }
}

FrameLength reply_length(ByteSpan prefix, std::size_t packet_payload_size) {
  if (prefix.empty() || (prefix[0] == kStartByte && prefix.size() < 3)) {
    return kIncompleteFrame;
  }
  if (prefix[0] != kStartByte) {
    return kInvalidFrame;
  }
  if (prefix[1] == kAckByte) {
    return is_command(prefix[2]) ? known(5) : kInvalidFrame;
  }
  if (prefix[1] == kNackByte) {
    return known(6);
  }
  if (!is_command(prefix[1])) {
    return kInvalidFrame;
  }
  const CommandInfo info = info_of(static_cast<Command>(prefix[1]));
  const std::uint8_t size = prefix[2];
  switch (info.shape) {
    case ReplyShape::kAck:
      return kInvalidFrame;
    case ReplyShape::kFixed:
      return known(kHeaderSize + info.fixed_size + kCrcSize);
    case ReplyShape::kByteCount:
      return size > 0 && size % 2 == 0 ? known(kHeaderSize + 1U + size + kCrcSize) : kInvalidFrame;
    case ReplyShape::kPackets:
      break;
  }
  if ((size & ~(kMorePacketsBit | kPacketBits) & 0xFF) != 0) {
    return kInvalidFrame;  // the reserved bit
  }
  const std::size_t payload_size =
      (size & kMorePacketsBit) != 0 ? packet_payload_size : std::size_t{size} & kPacketBits;
  return known(kHeaderSize + 1 + payload_size + kCrcSize);
}

bool has_valid_crc(ByteSpan frame) {
  return frame.size() > kCrcSize &&
         crc16_modbus(frame.first(frame.size() - kCrcSize)) ==
             load<std::uint16_t>(frame.data() + frame.size() - kCrcSize, Endian::kLittle);
}

Result<std::size_t, FrameError> encode_ack(Command command, MutableByteSpan out) {
  ByteWriter writer{out};
  writer.u8(kStartByte);
  writer.u8(kAckByte);
  writer.u8(static_cast<std::uint8_t>(command));
  return finish(writer);
}

Result<std::size_t, FrameError> encode_nack(std::uint8_t command_code, std::uint8_t error,
                                            MutableByteSpan out) {
  ByteWriter writer{out};
  writer.u8(kStartByte);
  writer.u8(kNackByte);
  writer.u8(command_code);
  writer.u8(error);
  return finish(writer);
}

Result<std::size_t, FrameError> encode_data(Command command, ByteSpan payload, MutableByteSpan out,
                                            std::size_t packet_payload_size) {
  const CommandInfo info = info_of(command);
  const bool is_fixed = info.shape == ReplyShape::kFixed;
  if (info.shape == ReplyShape::kAck || payload.size() > kPayloadSizeMax || packet_payload_size == 0 ||
      packet_payload_size > kPacketPayloadMax || (is_fixed && payload.size() != info.fixed_size) ||
      (info.shape == ReplyShape::kByteCount && (payload.empty() || payload.size() % 2 != 0))) {
    return FrameError::kBadField;
  }
  std::size_t total = 0;
  std::uint8_t packet_id = 1;
  do {
    ByteWriter writer{out.subspan(total)};
    writer.u8(kStartByte);
    writer.u8(static_cast<std::uint8_t>(command));
    std::size_t size = payload.size();
    if (info.shape == ReplyShape::kPackets) {
      const bool is_last = size <= packet_payload_size;
      size = is_last ? size : packet_payload_size;
      writer.u8(static_cast<std::uint8_t>(is_last ? size : kMorePacketsBit | (packet_id & kPacketBits)));
      ++packet_id;
    } else if (!is_fixed) {
      writer.u8(static_cast<std::uint8_t>(size));
    }
    writer.bytes(payload.first(size));
    payload = payload.subspan(size);
    const auto written = finish(writer);
    if (!written) {
      return written;
    }
    total += *written;
  } while (!payload.empty());
  return total;
}

Result<Reply, FrameError> decode_reply(ByteSpan frame, std::size_t packet_payload_size) {
  if (const auto error = check_envelope(frame, reply_length(frame, packet_payload_size))) {
    return *error;
  }
  Reply reply;
  if (frame[1] == kAckByte || frame[1] == kNackByte) {
    reply.kind = frame[1] == kAckByte ? ReplyKind::kAck : ReplyKind::kNack;
    reply.command = static_cast<Command>(frame[2]);
    reply.error = frame[1] == kNackByte ? frame[3] : std::uint8_t{0};
    return reply;
  }
  reply.command = static_cast<Command>(frame[1]);
  const CommandInfo info = info_of(reply.command);
  const ByteSpan content = frame.subspan(kHeaderSize, frame.size() - kHeaderSize - kCrcSize);
  if (info.shape == ReplyShape::kFixed) {
    reply.payload = content;
    return reply;
  }
  reply.payload = content.subspan(1);
  if (info.shape == ReplyShape::kPackets && (content[0] & kMorePacketsBit) != 0) {
    reply.is_last = false;
    reply.packet_id = content[0] & kPacketBits;
  }
  return reply;
}

bool is_acknowledged(Command command) {
  return info_of(command).shape == ReplyShape::kAck;
}

bool is_payload_size_right(const Request& request, std::size_t payload_size) {
  switch (request.command) {
    case Command::kReadModbus:
    case Command::kReadBlock:
    case Command::kSettings:
      return payload_size == std::size_t{2} * request.count;
    case Command::kReadIndividual:
      return payload_size == std::size_t{4} * request.count;
    case Command::kNewestEvents:
    case Command::kAllEvents:
      return payload_size >= 4 && payload_size % 4 == 0;
    case Command::kTemperatures:
      return payload_size == 6;
    case Command::kCellVoltages:
      return payload_size % 2 == 0 && payload_size <= 32;
    case Command::kVersion:
      return payload_size == 5;
    case Command::kExtendedVersion:
      return payload_size == 7;
    default:
      return payload_size == info_of(request.command).fixed_size;
  }
}

std::size_t decode_words(Command command, ByteSpan payload, std::span<std::uint16_t> out) {
  const Endian endian = command == Command::kReadModbus ? Endian::kBig : Endian::kLittle;
  const std::size_t count = std::min(payload.size() / 2, out.size());
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = load<std::uint16_t>(payload.data() + 2 * i, endian);
  }
  return count;
}

std::size_t decode_register_words(ByteSpan payload, std::span<RegisterWord> out) {
  const std::size_t count = std::min(payload.size() / 4, out.size());
  for (std::size_t i = 0; i < count; ++i) {
    out[i].number = load<std::uint16_t>(payload.data() + 4 * i, Endian::kLittle);
    out[i].value = load<std::uint16_t>(payload.data() + 4 * i + 2, Endian::kLittle);
  }
  return count;
}

Result<VersionInfo, FrameError> decode_version(Command command, ByteSpan payload) {
  if (!is_payload_size_right(make_query(command), payload.size())) {
    return FrameError::kBadLength;
  }
  ByteReader reader{payload};
  VersionInfo version;
  version.hardware = reader.u8();
  version.hardware_changes = reader.u8();
  version.public_firmware = reader.u8();
  version.internal_firmware = reader.u16();
  if (command == Command::kExtendedVersion) {
    version.bootloader = reader.u8();
    version.register_map = reader.u8();
  }
  return version;
}

Result<SpeedInfo, FrameError> decode_speed(ByteSpan payload) {
  if (payload.size() != info_of(Command::kSpeed).fixed_size) {
    return FrameError::kBadLength;
  }
  ByteReader reader{payload};
  SpeedInfo speed;
  speed.speed_bits = reader.u32();
  speed.distance_left_km = reader.u32();
  speed.time_left_s = reader.u32();
  return speed;
}

}  // namespace amphora::tinybms
