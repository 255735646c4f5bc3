// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/frames.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/crc.hpp"

namespace amphora::packnet {

namespace {

constexpr std::uint8_t kReportAcknowledgement = 1;
constexpr std::uint8_t kReportEvent = 2;
constexpr std::uint8_t kReportAnswer = 3;
constexpr std::uint8_t kLevelEnd = 0x80;
constexpr std::int8_t kOffsetMax = 56;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kUnixOf2000Ms = 10'957 * kDayMs;

struct Range {
  std::uint32_t base;
  Channel channel;
  Node first;
  Node last;
};
constexpr auto kRanges = std::array{
    Range{kMasterBeaconBase, Channel::kMasterBeacon, 1, kNodeMax},
    Range{kPresenceBase, Channel::kPresence, 1, kNodeMax},
    Range{kTelemetryBase, Channel::kTelemetry, 1, kNodeMax},
    Range{kReportBase, Channel::kReport, 1, kNodeMax},
    Range{kCommandBase, Channel::kCommand, 1, kNodeAll},
    Range{kStateBase, Channel::kState, 1, kNodeMax},
    Range{kSegmentToBase, Channel::kSegmentTo, 1, kNodeAll},
    Range{kSegmentFromBase, Channel::kSegmentFrom, 1, kNodeMax},
    Range{kSocketBase, Channel::kSocket, 0, kNodeAll},
};

std::uint32_t claim_id(Node node, HardwareNumber hardware) {
  return kClaimBase | (std::uint32_t{node} << 19U) | (hash_of(hardware) & kClaimHashMask);
}

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible
// low-level date algorithms").
constexpr std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + static_cast<std::int64_t>(day_of_era) - 719'468;
}
static_assert(days_of(2000, 1, 1) * kDayMs == kUnixOf2000Ms);

constexpr unsigned days_in(unsigned year, unsigned month) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && is_leap ? 29 : kDays[month - 1];
}

// ---- writing

struct Out {
  std::uint32_t id = 0;
  bool is_extended = false;
};

Out write(ByteWriter& writer, const MasterBeacon& message) {
  writer.u32(message.term);
  writer.u8(message.node);
  writer.u8(message.rank);
  writer.u8(message.is_alone ? 1 : 0);
  writer.u8(0);
  return {kMasterBeaconBase + message.node, false};
}
Out write(ByteWriter& writer, const Presence& message) {
  writer.u8(static_cast<std::uint8_t>(message.type));
  writer.u8(message.firmware_major);
  writer.u8(message.firmware_minor);
  writer.u8(message.flags);
  writer.u32(message.hash);
  return {kPresenceBase + message.node, false};
}
Out write(ByteWriter& writer, const OldPresence& message) {
  writer.u8(message.node);
  return {kOldPresenceId, false};
}
Out write(ByteWriter& writer, const Claim& message) {
  writer.write(message.hardware);
  return {claim_id(message.node, message.hardware), true};
}
Out write(ByteWriter& writer, const GatewayPresence& message) {
  writer.write(message.hardware);
  return {kGatewayBase | (hash_of(message.hardware) & kGatewayHashMask), true};
}
Out write(ByteWriter& writer, const TelemetryPage& message) {
  writer.u8(message.page);
  writer.bytes(message.data);
  return {kTelemetryBase + message.node, false};
}
Out write(ByteWriter& writer, const Acknowledgement& message) {
  writer.u8(kReportAcknowledgement);
  writer.u8(message.opcode);
  writer.u8(message.sequence);
  writer.u8(static_cast<std::uint8_t>(message.result));
  writer.u32(message.detail);
  return {kReportBase + message.node, false};
}
Out write(ByteWriter& writer, const Report& message) {
  writer.u8(kReportEvent);
  writer.u8(static_cast<std::uint8_t>(static_cast<std::uint8_t>(message.level) |
                                      (message.is_end ? kLevelEnd : 0U)));
  writer.u16(message.code);
  writer.write(message.value);
  return {kReportBase + message.node, false};
}
Out write(ByteWriter& writer, const MasterAnswer& message) {
  writer.u8(kReportAnswer);
  writer.u8(message.rank);
  writer.u8(message.master);
  writer.u8(message.is_to_alone ? 1 : 0);
  writer.u32(message.term);
  return {kReportBase + message.node, false};
}
Out write(ByteWriter& writer, const CommandFrame& message) {
  writer.u8(message.opcode);
  writer.u8(message.sequence);
  writer.bytes(message.payload());
  return {kCommandBase + message.to, false};
}
Out write(ByteWriter& writer, const Time& message) {
  writer.u8(message.hour);
  writer.u8(message.day);
  writer.u8(message.minute);
  writer.u8(message.second);
  writer.u8(message.month);
  writer.u8(message.year);
  writer.write(message.offset_quarters.value_or(0));
  writer.u8(message.offset_quarters ? 1 : 0);
  return {kTimeId, false};
}
Out write(ByteWriter& writer, const Opaque& message) {
  writer.bytes(ByteSpan{message.data}.first(message.size));
  const auto range = std::ranges::find(kRanges, message.channel, &Range::channel);
  AMPHORA_ASSERT(range != kRanges.end());
  return {range->base + message.node, false};
}

// One after the other instead of std::visit, which needs abort() for a variant without a value.
template <typename... Messages>
std::optional<Out> write_any(ByteWriter& writer, const std::variant<Messages...>& message) {
  std::optional<Out> out;
  const bool is_known = ((std::get_if<Messages>(&message) != nullptr
                              ? (out = write(writer, *std::get_if<Messages>(&message)), true)
                              : false) ||
                         ...);
  AMPHORA_ASSERT(is_known);
  return out;
}

// ---- reading

using Decoded = Result<Message, DecodeError>;

Decoded read_beacon(ByteReader reader, Node node) {
  MasterBeacon message;
  message.term = reader.u32();
  message.node = reader.u8();
  message.rank = reader.u8();
  message.is_alone = (reader.u8() & 1U) != 0;
  (void)reader.u8();
  if (!reader.ok()) {
    return DecodeError::kBadLength;
  }
  return message.node == node ? Decoded{Message{message}} : Decoded{DecodeError::kBadNode};
}

Decoded read_presence(ByteReader reader, Node node) {
  Presence message{node};
  const std::uint8_t type = reader.u8();
  message.type = type <= static_cast<std::uint8_t>(DeviceType::kLinuxGateway) ? static_cast<DeviceType>(type)
                                                                              : DeviceType::kUnknown;
  message.firmware_major = reader.u8();
  message.firmware_minor = reader.u8();
  message.flags = reader.u8();
  message.hash = reader.u32();
  return reader.ok() ? Decoded{Message{message}} : Decoded{DecodeError::kBadLength};
}

Decoded read_page(ByteReader reader, Node node) {
  TelemetryPage message{node};
  message.page = reader.u8();
  const ByteSpan data = reader.take(kPageDataSize);
  if (!reader.ok()) {
    return DecodeError::kBadLength;
  }
  std::ranges::copy(data, message.data.begin());
  return Message{message};
}

Decoded read_report(ByteReader reader, Node node) {
  const std::uint8_t kind = reader.u8();
  const std::uint8_t first = reader.u8();
  const std::uint8_t second = reader.u8();
  const std::uint8_t third = reader.u8();
  const std::uint32_t last = reader.u32();
  if (!reader.ok()) {
    return DecodeError::kBadLength;
  }
  switch (kind) {
    case kReportAcknowledgement:
      if (third > kCommandResultMax) {
        return DecodeError::kBadValue;
      }
      return Message{Acknowledgement{node, first, second, static_cast<CommandResult>(third), last}};
    case kReportEvent: {
      const auto level = static_cast<std::uint8_t>(first & ~unsigned{kLevelEnd});
      if (level > static_cast<std::uint8_t>(Level::kError)) {
        return DecodeError::kBadValue;
      }
      return Message{Report{node, static_cast<Level>(level), (first & kLevelEnd) != 0,
                            static_cast<std::uint16_t>(second | (unsigned{third} << 8U)),
                            static_cast<std::int32_t>(last)}};
    }
    case kReportAnswer:
      if (!is_node(second)) {
        return DecodeError::kBadNode;
      }
      return Message{MasterAnswer{node, first, second, (third & 1U) != 0, last}};
    default:
      return DecodeError::kUnknownKind;
  }
}

Decoded read_command(ByteReader reader, Node node) {
  CommandFrame message{node};
  message.opcode = reader.u8();
  message.sequence = reader.u8();
  if (!reader.ok()) {
    return DecodeError::kBadLength;
  }
  message.size = static_cast<std::uint8_t>(reader.remaining());
  std::ranges::copy(reader.take(reader.remaining()), message.arguments.begin());
  return Message{message};
}

Decoded read_time(ByteReader reader) {
  Time message;
  message.hour = reader.u8();
  message.day = reader.u8();
  message.minute = reader.u8();
  message.second = reader.u8();
  message.month = reader.u8();
  message.year = reader.u8();
  const auto offset = reader.read<std::int8_t>();
  const std::uint8_t flags = reader.u8();
  if (!reader.ok()) {
    return DecodeError::kBadLength;
  }
  if ((flags & 1U) != 0) {
    if (offset < -kOffsetMax || offset > kOffsetMax) {
      return DecodeError::kBadValue;
    }
    message.offset_quarters = offset;
  }
  return wall_time_of(message) ? Decoded{Message{message}} : Decoded{DecodeError::kBadValue};
}

Decoded read_opaque(const can::Frame& frame, const Address& address) {
  Opaque message{address.channel, address.node, frame.size, {}};
  std::ranges::copy(frame.payload(), message.data.begin());
  return Message{message};
}

Decoded read_extended(const can::Frame& frame, const Address& address) {
  if (frame.size != can::kDataSizeMax) {
    return DecodeError::kBadLength;
  }
  const auto hardware = load<HardwareNumber>(frame.data.data(), Endian::kLittle);
  if (address.channel == Channel::kGateway) {
    const GatewayPresence message{hardware};
    return encode(message).id == frame.id ? Decoded{Message{message}} : Decoded{DecodeError::kBadHash};
  }
  if (!is_node(address.node)) {
    return DecodeError::kBadNode;
  }
  const Claim message{address.node, hardware};
  return claim_id(address.node, hardware) == frame.id ? Decoded{Message{message}}
                                                      : Decoded{DecodeError::kBadHash};
}

}  // namespace

std::uint32_t hash_of(HardwareNumber hardware) {
  Digest digest;
  digest.add_number(static_cast<std::int64_t>(hardware));
  return static_cast<std::uint32_t>(digest.value() ^ (digest.value() >> 32U));
}

std::string_view to_text(Channel channel) {
  constexpr std::string_view kNames[] = {
      "master_beacon", "presence",     "telemetry", "report", "command", "state",  "old_presence",
      "segment_to",    "segment_from", "socket",    "time",   "claim",   "gateway"};
  return kNames[static_cast<std::size_t>(channel)];
}

std::string_view to_text(DeviceType type) {
  constexpr std::string_view kNames[] = {"unknown", "energy-pack", "energy-gateway", "linux-gateway"};
  return kNames[static_cast<std::size_t>(type)];
}

std::string_view to_text(CommandResult result) {
  constexpr std::string_view kNames[] = {"done",          "unknown_opcode", "bad_length",  "out_of_range",
                                         "not_authentic", "replayed",       "not_allowed", "busy",
                                         "unsupported",   "failed"};
  return kNames[static_cast<std::size_t>(result)];
}

std::string_view to_text(DecodeError error) {
  constexpr std::string_view kNames[] = {"not_ours",  "bad_node",     "bad_length",
                                         "bad_value", "unknown_kind", "bad_hash"};
  return kNames[static_cast<std::size_t>(error)];
}

std::optional<Address> address_of(const can::Frame& frame) {
  if (frame.is_remote) {
    return std::nullopt;
  }
  if (frame.is_extended) {
    if (frame.id > can::kExtendedIdMax) {
      return std::nullopt;
    }
    const std::uint32_t kind = frame.id & (7U << 26U);
    if (kind == kClaimBase) {
      return Address{Channel::kClaim, static_cast<Node>((frame.id >> 19U) & 0x7FU)};
    }
    return kind == kGatewayBase ? std::optional{Address{Channel::kGateway, kNodeNone}} : std::nullopt;
  }
  if (frame.id == kTimeId) {
    return Address{Channel::kTime, kNodeNone};
  }
  if (frame.id == kOldPresenceId) {
    return Address{Channel::kOldPresence, kNodeNone};
  }
  const auto range = std::ranges::find(kRanges, frame.id & ~(kRangeSize - 1), &Range::base);
  return range != kRanges.end()
             ? std::optional{Address{range->channel, static_cast<Node>(frame.id & (kRangeSize - 1))}}
             : std::nullopt;
}

bool is_sent_by(const Address& address, Node node) {
  switch (address.channel) {
    case Channel::kMasterBeacon:
    case Channel::kPresence:
    case Channel::kTelemetry:
    case Channel::kReport:
    case Channel::kState:
    case Channel::kSegmentFrom:
      return address.node == node;
    default:
      return false;
  }
}

Result<Message, DecodeError> decode(const can::Frame& frame) {
  const auto address = address_of(frame);
  if (!address) {
    return DecodeError::kNotOurs;
  }
  if (frame.size > can::kDataSizeMax) {
    return DecodeError::kBadLength;
  }
  if (frame.is_extended) {
    return read_extended(frame, *address);
  }
  const auto range = std::ranges::find(kRanges, address->channel, &Range::channel);
  if (range != kRanges.end() && (address->node < range->first || address->node > range->last)) {
    return DecodeError::kBadNode;
  }
  const ByteReader reader{frame.payload()};
  const Node node = address->node;
  switch (address->channel) {
    case Channel::kMasterBeacon:
      return read_beacon(reader, node);
    case Channel::kPresence:
      return read_presence(reader, node);
    case Channel::kTelemetry:
      return read_page(reader, node);
    case Channel::kReport:
      return read_report(reader, node);
    case Channel::kCommand:
      return read_command(reader, node);
    case Channel::kTime:
      return read_time(reader);
    case Channel::kOldPresence:
      if (frame.size < 1) {
        return DecodeError::kBadLength;
      }
      return is_node(frame.data[0]) ? Decoded{Message{OldPresence{frame.data[0]}}}
                                    : Decoded{DecodeError::kBadNode};
    default:
      return read_opaque(frame, *address);
  }
}

can::Frame encode(const Message& message) {
  can::Frame frame;
  ByteWriter writer{frame.data};
  const std::optional<Out> out = write_any(writer, message);
  AMPHORA_ASSERT(out && writer.ok());
  frame.id = out->id;
  frame.is_extended = out->is_extended;
  frame.size = static_cast<std::uint8_t>(writer.size());
  const auto address = address_of(frame);
  AMPHORA_ASSERT(address.has_value());
  return frame;
}

std::optional<WallTime> wall_time_of(const Time& time) {
  if (time.month < 1 || time.month > 12 || time.day < 1 ||
      time.day > days_in(2000U + time.year, time.month) || time.hour > 23 || time.minute > 59 ||
      time.second > 59) {
    return std::nullopt;
  }
  const std::int64_t days = days_of(2000 + time.year, time.month, time.day);
  const std::int64_t seconds = (time.hour * 60 + time.minute) * 60 + time.second;
  return WallTime{days * kDayMs + seconds * 1000};
}

std::optional<Time> time_of(WallTime wall, std::optional<std::int8_t> offset_quarters) {
  const std::int64_t end_ms = days_of(2256, 1, 1) * kDayMs;
  if (wall.unix_ms < kUnixOf2000Ms || wall.unix_ms >= end_ms ||
      (offset_quarters && (*offset_quarters < -kOffsetMax || *offset_quarters > kOffsetMax))) {
    return std::nullopt;
  }
  const std::int64_t day_number = wall.unix_ms / kDayMs;
  unsigned year = 2000;
  while (days_of(year + 1, 1, 1) <= day_number) {
    ++year;
  }
  unsigned month = 1;
  while (month < 12 && days_of(year, month + 1, 1) <= day_number) {
    ++month;
  }
  const auto second_of_day = static_cast<unsigned>(wall.unix_ms % kDayMs / 1000);
  Time time;
  time.year = static_cast<std::uint8_t>(year - 2000);
  time.month = static_cast<std::uint8_t>(month);
  time.day = static_cast<std::uint8_t>(day_number - days_of(year, month, 1) + 1);
  time.hour = static_cast<std::uint8_t>(second_of_day / 3600);
  time.minute = static_cast<std::uint8_t>(second_of_day / 60 % 60);
  time.second = static_cast<std::uint8_t>(second_of_day % 60);
  time.offset_quarters = offset_quarters;
  return time;
}

}  // namespace amphora::packnet
