// SPDX-License-Identifier: Apache-2.0
// The TinyBMS serial frames: a pure codec for every command, requests and replies, both ways.
//
// A frame is 0xAA, a command, its content and CRC-16/MODBUS over all of that, the CRC's low byte first.
// Commands of the maker's own carry little-endian words; the two MODBUS ones (0x03, 0x10) big-endian words.
// Replies are ACK (AA 01 CMD), NACK (AA 00 CMD ERROR) or data. Data replies of variable size begin with a
// length byte PL: bit 7 clear = last packet with PL & 0x3F bytes; bit 7 set = packet number PL & 0x3F, full,
// more follow. A full packet holds 63 bytes; this size is inferred from one capture (63 + 27 = 90 bytes), so
// it is a parameter here and a configuration value of the driver.
//
// The codec looks at one whole frame; finding frames in a byte stream is stream.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace amphora::tinybms {

inline constexpr std::uint8_t kStartByte = 0xAA;
inline constexpr std::uint8_t kAckByte = 0x01;
inline constexpr std::uint8_t kNackByte = 0x00;

enum class Command : std::uint8_t {
  kControl = 0x02,
  kReadModbus = 0x03,
  kReadBlock = 0x07,
  kReadIndividual = 0x09,
  kWriteBlock = 0x0B,
  kWriteIndividual = 0x0D,
  kWriteModbus = 0x10,
  kNewestEvents = 0x11,
  kAllEvents = 0x12,
  kPackVoltage = 0x14,
  kPackCurrent = 0x15,
  kCellMax = 0x16,
  kCellMin = 0x17,
  kStatus = 0x18,
  kLifetime = 0x19,
  kSoc = 0x1A,
  kTemperatures = 0x1B,
  kCellVoltages = 0x1C,
  kSettings = 0x1D,
  kVersion = 0x1E,
  kExtendedVersion = 0x1F,
  kSpeed = 0x20,
};

// Every command, by rising code.
inline constexpr auto kCommands = std::array{Command::kControl,         Command::kReadModbus,
                                             Command::kReadBlock,       Command::kReadIndividual,
                                             Command::kWriteBlock,      Command::kWriteIndividual,
                                             Command::kWriteModbus,     Command::kNewestEvents,
                                             Command::kAllEvents,       Command::kPackVoltage,
                                             Command::kPackCurrent,     Command::kCellMax,
                                             Command::kCellMin,         Command::kStatus,
                                             Command::kLifetime,        Command::kSoc,
                                             Command::kTemperatures,    Command::kCellVoltages,
                                             Command::kSettings,        Command::kVersion,
                                             Command::kExtendedVersion, Command::kSpeed};

bool is_command(std::uint8_t code);
// Stable snake_case name.
std::string_view to_text(Command command);

enum class ControlOption : std::uint8_t { kClearEvents = 1, kClearStatistics = 2, kReset = 5 };
std::string_view to_text(ControlOption option);
enum class SettingsOption : std::uint8_t { kMin = 1, kMax = 2, kDefault = 3, kCurrent = 4 };

// Error byte of a NACK.
inline constexpr std::uint8_t kErrorCommand = 0x00;
inline constexpr std::uint8_t kErrorCrc = 0x01;

// The length byte of a packet: more follow, and the bytes of this one.
inline constexpr std::uint8_t kMorePacketsBit = 0x80;
inline constexpr std::uint8_t kPacketBits = 0x3F;

// Limits of the protocol.
inline constexpr std::size_t kPacketPayloadMax = 63;      // length bits of PL
inline constexpr std::uint8_t kModbusReadCountMax = 127;  // byte count of the reply has 8 bits
inline constexpr std::uint8_t kModbusWriteCountMax = 100;
inline constexpr std::uint8_t kBlockReadCountMax = 127;       // more than 31 come in several packets
inline constexpr std::uint8_t kIndividualReadCountMax = 31;   // addresses of two bytes in one packet
inline constexpr std::uint8_t kIndividualWriteCountMax = 15;  // address and word, four bytes each
inline constexpr std::uint8_t kBlockWriteCountMax = 30;       // two bytes are the address
inline constexpr std::uint8_t kSettingsCountMax = 100;
inline constexpr std::size_t kRequestSizeMax = 9 + 2 * kModbusWriteCountMax;
inline constexpr std::size_t kReplySizeMax = 5 + 2 * kModbusReadCountMax;  // of one packet
inline constexpr std::size_t kPayloadSizeMax =
    std::size_t{2} * kModbusReadCountMax;  // of all packets of one reply
// All packets of the longest reply, at the usual packet size.
inline constexpr std::size_t kReplyTotalSizeMax =
    kPayloadSizeMax + 5 * (kPayloadSizeMax / kPacketPayloadMax + 1);

enum class FrameError : std::uint8_t {
  kTooShort,        // no start byte, command and CRC
  kNoStart,         // does not begin with 0xAA
  kUnknownCommand,  // not in the table, or not in this direction
  kBadLength,       // more or fewer bytes than the frame says
  kBadCrc,
  kBadField,  // a count or option outside of what the protocol allows
  kNoRoom,    // the output span is too small
};
std::string_view to_text(FrameError error);

struct RegisterWord {
  std::uint16_t number = 0;
  std::uint16_t value = 0;
  friend constexpr bool operator==(const RegisterWord&, const RegisterWord&) = default;
};

// A request of any command. Which members count depends on the command; the others stay zero. Use the makers
// below.
struct Request {
  Command command = Command::kStatus;
  std::uint8_t option = 0;    // kControl: ControlOption; kSettings: SettingsOption
  std::uint16_t address = 0;  // first register of a block
  std::uint8_t count = 0;     // registers asked for or written
  // kReadIndividual: numbers; writes: numbers and values.
  std::array<RegisterWord, kModbusWriteCountMax> words{};
  friend constexpr bool operator==(const Request&, const Request&) = default;
};

// Counts above the limits are caught by encode_request.
Request make_query(Command command);  // the commands without content, 0x11 to 0x20 except 0x1D
Request make_control(ControlOption option);
Request make_read_modbus(std::uint16_t address, std::uint8_t count);
Request make_read_block(std::uint16_t address, std::uint8_t count);
Request make_read_individual(std::span<const std::uint16_t> numbers);
Request make_write_modbus(std::uint16_t address, std::span<const std::uint16_t> values);
Request make_write_block(std::uint16_t address, std::span<const std::uint16_t> values);
Request make_write_individual(std::span<const RegisterWord> words);
Request make_read_settings(SettingsOption option, std::uint8_t count);

// Bytes written into `out`; kBadField or kNoRoom.
Result<std::size_t, FrameError> encode_request(const Request& request, MutableByteSpan out);
// `frame` is exactly one frame.
Result<Request, FrameError> decode_request(ByteSpan frame);

enum class ReplyKind : std::uint8_t { kAck, kNack, kData };

// One packet of a reply; `payload` points into the decoded frame.
struct Reply {
  ReplyKind kind = ReplyKind::kData;
  Command command = Command::kStatus;
  std::uint8_t error = 0;      // kNack only
  bool is_last = true;         // false: more packets follow
  std::uint8_t packet_id = 0;  // where !is_last
  // Data without length byte. 0x03: words; 0x10: address and count as sent (AH AL 00 N).
  ByteSpan payload{};
};

Result<std::size_t, FrameError> encode_ack(Command command, MutableByteSpan out);
Result<std::size_t, FrameError> encode_nack(std::uint8_t command_code, std::uint8_t error,
                                            MutableByteSpan out);
// The whole data reply, in as many packets as its payload needs (numbered from 1).
Result<std::size_t, FrameError> encode_data(Command command, ByteSpan payload, MutableByteSpan out,
                                            std::size_t packet_payload_size = kPacketPayloadMax);
// `frame` is exactly one packet.
Result<Reply, FrameError> decode_reply(ByteSpan frame, std::size_t packet_payload_size = kPacketPayloadMax);

// How long the frame is that begins with `prefix`, as far as its bytes tell. For stream readers.
struct FrameLength {
  enum class Status : std::uint8_t { kIncomplete, kInvalid, kKnown };
  Status status = Status::kIncomplete;
  std::size_t size = 0;  // kKnown: whole frame with CRC
};
FrameLength request_length(ByteSpan prefix);
FrameLength reply_length(ByteSpan prefix, std::size_t packet_payload_size = kPacketPayloadMax);
// True if the last two of `frame` are the CRC of the rest.
bool has_valid_crc(ByteSpan frame);

// Whether a complete payload of this size can answer the request: the exact size where it is fixed.
bool is_payload_size_right(const Request& request, std::size_t payload_size);
// True where the answer to this command is an ACK, not data.
bool is_acknowledged(Command command);

// Words of a payload: big-endian for 0x03, little-endian for all else. Returns how many were stored.
std::size_t decode_words(Command command, ByteSpan payload, std::span<std::uint16_t> out);
// Pairs of a 0x09 reply. Returns how many were stored.
std::size_t decode_register_words(ByteSpan payload, std::span<RegisterWord> out);

// 0x1E and 0x1F. Bootloader and register map only in 0x1F.
struct VersionInfo {
  std::uint8_t hardware = 0;
  std::uint8_t hardware_changes = 0;
  std::uint8_t public_firmware = 0;
  std::uint16_t internal_firmware = 0;
  std::uint8_t bootloader = 0;
  std::uint8_t register_map = 0;
  friend constexpr bool operator==(const VersionInfo&, const VersionInfo&) = default;
};
Result<VersionInfo, FrameError> decode_version(Command command, ByteSpan payload);

// 0x20. Speed as the bits of a float.
struct SpeedInfo {
  std::uint32_t speed_bits = 0;
  std::uint32_t distance_left_km = 0;
  std::uint32_t time_left_s = 0;
  friend constexpr bool operator==(const SpeedInfo&, const SpeedInfo&) = default;
};
Result<SpeedInfo, FrameError> decode_speed(ByteSpan payload);

}  // namespace amphora::tinybms
