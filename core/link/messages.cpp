// SPDX-License-Identifier: Apache-2.0
#include "core/link/messages.hpp"

#include <algorithm>
#include <array>

#include "core/base/assert.hpp"
#include "core/base/crc.hpp"
#include "core/telemetry/compress.hpp"

namespace amphora::link {

namespace {

using telemetry::kCellsPerChunk;

constexpr std::size_t kLegacyBeaconSize = 20;
constexpr std::size_t kLegacySectionCount = 4;
constexpr std::size_t kRequestReserved = 10;
constexpr std::size_t kCellsReserved = 5;
constexpr std::size_t kReadingHeaderSize = 10;  // sequence, time, format
constexpr std::size_t kReadingBodyMax = kReadingHeaderSize + telemetry::kReadingSizeMax;
constexpr std::size_t kCompressedHeaderSize = 6;

struct TypeName {
  Type type;
  std::string_view name;
};
constexpr auto kTypeNames = std::array{
    TypeName{Type::kProbe, "probe"},
    TypeName{Type::kProbeAck, "probe_ack"},
    TypeName{Type::kHello, "session_hello"},
    TypeName{Type::kChallenge, "session_challenge"},
    TypeName{Type::kConfirm, "session_confirm"},
    TypeName{Type::kGrant, "session_grant"},
    TypeName{Type::kBeacon, "beacon"},
    TypeName{Type::kRequest, "section_request"},
    TypeName{Type::kSection, "section"},
    TypeName{Type::kCells, "cells"},
    TypeName{Type::kSectionAck, "section_ack"},
    TypeName{Type::kHeartbeat, "heartbeat"},
    TypeName{Type::kHeartbeatAck, "heartbeat_ack"},
    TypeName{Type::kReading, "reading"},
    TypeName{Type::kReadingAck, "reading_ack"},
    TypeName{Type::kCompressedReading, "compressed_reading"},
    TypeName{Type::kManifest, "manifest"},
    TypeName{Type::kGaps, "gaps"},
    TypeName{Type::kPairStart, "pair_start"},
    TypeName{Type::kPairReply, "pair_reply"},
    TypeName{Type::kPairConfirm, "pair_confirm"},
    TypeName{Type::kPairResult, "pair_result"},
};

// ---- shared pieces

void write_type(ByteWriter& writer, Type type) {
  writer.u8(static_cast<std::uint8_t>(type));
}

// 48 bits of milliseconds and 16 of the counter.
void write_stamp(ByteWriter& writer, const state::Stamp& stamp) {
  writer.write((stamp.physical_ms << 16U) | stamp.logical);
}
state::Stamp read_stamp(ByteReader& reader) {
  const auto bits = reader.read<std::uint64_t>();
  return {bits >> 16U, static_cast<std::uint16_t>(bits & 0xFFFFU)};
}

void write_clock(ByteWriter& writer, const state::ClockReading& clock) {
  writer.u8(clock.has_time ? 1 : 0);
  write_stamp(writer, clock.stamp);
}
state::ClockReading read_clock(ByteReader& reader) {
  const bool has_time = reader.u8() != 0;
  return {has_time, read_stamp(reader)};
}

// ---- writing, one function a message

void write(ByteWriter& writer, const Probe& message) {
  write_type(writer, Type::kProbe);
  writer.u32(message.sequence);
}

void write(ByteWriter& writer, const ProbeAck& message) {
  write_type(writer, Type::kProbeAck);
  writer.u32(message.sequence);
  writer.u8(message.channel);
  if (message.protocol_version) {
    writer.u8(*message.protocol_version);
    writer.u32(message.boot_epoch.value_or(0));
  }
}

void write(ByteWriter& writer, const state::Hello& message) {
  write_type(writer, Type::kHello);
  writer.write(message.joiner_nonce);
}

void write(ByteWriter& writer, const state::Challenge& message) {
  write_type(writer, Type::kChallenge);
  writer.write(message.joiner_nonce);
  writer.write(message.granter_nonce);
}

void write(ByteWriter& writer, const state::Confirm& message) {
  write_type(writer, Type::kConfirm);
  writer.write(message.joiner_nonce);
  writer.write(message.granter_nonce);
  write_clock(writer, message.clock);
}

void write(ByteWriter& writer, const state::Grant& message) {
  write_type(writer, Type::kGrant);
  writer.write(message.joiner_nonce);
  writer.write(message.granter_nonce);
  writer.u32(message.session);
  write_clock(writer, message.clock);
}

void write(ByteWriter& writer, const state::Beacon& message) {
  write_type(writer, Type::kBeacon);
  writer.u8(message.count);
  for (std::size_t i = 0; i < message.count; ++i) {
    writer.u32(message.versions[i]);
  }
  writer.u8(message.status);
  writer.u16(message.wants_answer ? 1 : 0);
  for (std::size_t i = 0; i < message.count; ++i) {
    write_stamp(writer, message.stamps[i]);
  }
  writer.write(message.digest);
}

void write(ByteWriter& writer, const LegacyBeacon& message) {
  write_type(writer, Type::kBeacon);
  if (message.count != kLegacySectionCount) {
    writer.u8(message.count);
  }
  for (std::size_t i = 0; i < message.count; ++i) {
    writer.u32(message.versions[i]);
  }
  writer.u8(message.status);
  writer.u16(0);
}

void write(ByteWriter& writer, const state::Request& message) {
  write_type(writer, Type::kRequest);
  writer.u8(message.section);
  writer.u32(message.version);
  for (std::size_t i = 0; i < kRequestReserved; ++i) {
    writer.u8(0);
  }
}

void write(ByteWriter& writer, const state::SectionData& message) {
  write_type(writer, Type::kSection);
  writer.u8(message.section);
  writer.u32(message.record.version);
  write_stamp(writer, message.record.stamp);
  writer.bytes(to_bytes(message.record.origin));
  writer.u8(message.part);
  writer.u8(message.parts);
  writer.bytes(message.record.payload.bytes());
}

void write(ByteWriter& writer, const state::SectionAck& message) {
  write_type(writer, Type::kSectionAck);
  writer.u8(message.section);
  writer.u32(message.version);
  writer.u8(static_cast<std::uint8_t>(message.result));
  write_stamp(writer, message.stamp);
}

void write(ByteWriter& writer, const telemetry::CellsChunk& message) {
  write_type(writer, Type::kCells);
  writer.u8(message.chunk);
  writer.u8(message.chunks);
  writer.u8(message.first_cell);
  writer.u8(message.cells);
  writer.u32(message.time_ms);
  const std::size_t values_at = writer.size();
  for (const std::uint16_t value : message.values) {
    writer.u16(value);
  }
  writer.u16(crc16_modbus(writer.written().subspan(values_at)));
  writer.u8(static_cast<std::uint8_t>(message.kind));
  for (std::size_t i = 0; i < kCellsReserved; ++i) {
    writer.u8(0);
  }
}

void write(ByteWriter& writer, const Heartbeat& message) {
  write_type(writer, Type::kHeartbeat);
  writer.u32(message.time_ms);
  writer.u8(message.services);
}

void write(ByteWriter& writer, const HeartbeatAck& message) {
  write_type(writer, Type::kHeartbeatAck);
  writer.u32(message.echoed_ms);
  writer.u8(message.services);
}

void write(ByteWriter& writer, const telemetry::Reading& message) {
  std::array<std::uint8_t, kReadingBodyMax> plain{};
  ByteWriter body{plain};
  body.u32(message.entry.sequence);
  body.u32(message.entry.time_ms);
  body.u16(message.entry.format_version);
  body.bytes(message.entry.payload.view());
  std::array<std::uint8_t, kReadingBodyMax> smaller{};
  const auto compressed = telemetry::compress(body.written(), smaller);
  if (!compressed.ok() || compressed->size + kCompressedHeaderSize - 1 >= body.size()) {
    write_type(writer, Type::kReading);
    writer.bytes(body.written());
    return;
  }
  write_type(writer, Type::kCompressedReading);
  writer.u8(static_cast<std::uint8_t>(compressed->scheme));
  writer.u16(static_cast<std::uint16_t>(body.size()));
  writer.u16(static_cast<std::uint16_t>(compressed->size));
  writer.bytes(ByteSpan{smaller}.first(compressed->size));
}

void write(ByteWriter& writer, const telemetry::ReadingAck& message) {
  write_type(writer, Type::kReadingAck);
  writer.u32(message.sequence);
  writer.u32(message.last_in_order);
  writer.u16(message.free_slots);
}

void write(ByteWriter& writer, const telemetry::Manifest& message) {
  write_type(writer, Type::kManifest);
  writer.u32(message.first);
  writer.u32(message.last);
  writer.u16(message.count);
  writer.bytes(message.digest);
  writer.u32(message.epoch);
}

void write(ByteWriter& writer, const telemetry::Gaps& message) {
  write_type(writer, Type::kGaps);
  writer.u32(message.last_in_order);
  writer.u8(message.count);
  for (std::size_t i = 0; i < message.count; ++i) {
    writer.u32(message.missing[i]);
  }
}

void write(ByteWriter& writer, const PairStart& message) {
  write_type(writer, Type::kPairStart);
  writer.write(message.attempt);
  writer.bytes(message.element);
}

void write(ByteWriter& writer, const PairReply& message) {
  write_type(writer, Type::kPairReply);
  writer.write(message.attempt);
  writer.bytes(message.element);
  writer.bytes(message.confirmation);
}

void write(ByteWriter& writer, const PairConfirm& message) {
  write_type(writer, Type::kPairConfirm);
  writer.write(message.attempt);
  writer.bytes(message.confirmation);
}

void write(ByteWriter& writer, const PairResult& message) {
  write_type(writer, Type::kPairResult);
  writer.write(message.attempt);
  writer.u8(static_cast<std::uint8_t>(message.outcome));
  writer.bytes(message.confirmation);
}

// One after the other instead of std::visit, which needs abort() for a variant without a value.
template <typename... Messages>
bool write_any(ByteWriter& writer, const std::variant<Messages...>& message) {
  return ((std::get_if<Messages>(&message) != nullptr
               ? (write(writer, *std::get_if<Messages>(&message)), true)
               : false) ||
          ...);
}

// ---- reading, one function a type. `reader` stands behind the type; what remains of it is checked by
// finish().

using Decoded = Result<Message, DecodeError>;

template <typename T>
Decoded finish(const ByteReader& reader, const T& message) {
  if (!reader.ok() || reader.remaining() != 0) {
    return DecodeError::kBadLength;
  }
  return Message{message};
}

Decoded read_probe(ByteReader reader) {
  const Probe message{reader.u32()};
  return finish(reader, message);
}

Decoded read_probe_ack(ByteReader reader) {
  ProbeAck message;
  message.sequence = reader.u32();
  message.channel = reader.u8();
  if (reader.remaining() > 0) {
    message.protocol_version = reader.u8();
    message.boot_epoch = reader.u32();
  }
  return finish(reader, message);
}

Decoded read_hello(ByteReader reader) {
  const state::Hello message{reader.read<std::uint64_t>()};
  return finish(reader, message);
}

Decoded read_challenge(ByteReader reader) {
  state::Challenge message;
  message.joiner_nonce = reader.read<std::uint64_t>();
  message.granter_nonce = reader.read<std::uint64_t>();
  return finish(reader, message);
}

Decoded read_confirm(ByteReader reader) {
  state::Confirm message;
  message.joiner_nonce = reader.read<std::uint64_t>();
  message.granter_nonce = reader.read<std::uint64_t>();
  message.clock = read_clock(reader);
  return finish(reader, message);
}

Decoded read_grant(ByteReader reader) {
  state::Grant message;
  message.joiner_nonce = reader.read<std::uint64_t>();
  message.granter_nonce = reader.read<std::uint64_t>();
  message.session = reader.u32();
  message.clock = read_clock(reader);
  return finish(reader, message);
}

Decoded read_legacy_beacon(ByteReader reader, std::size_t count) {
  LegacyBeacon message;
  message.count = static_cast<std::uint8_t>(count);
  for (std::size_t i = 0; i < count; ++i) {
    message.versions[i] = reader.u32();
  }
  message.status = reader.u8();
  (void)reader.u16();
  return finish(reader, message);
}

// Three forms, told apart by their length: four versions; a count and versions; and the full one with stamps
// and digest.
Decoded read_beacon(ByteReader reader) {
  if (reader.remaining() == kLegacyBeaconSize - 1) {
    return read_legacy_beacon(reader, kLegacySectionCount);
  }
  state::Beacon message;
  message.count = reader.u8();
  if (message.count > state::kSectionCountMax) {
    return DecodeError::kBadValue;
  }
  if (reader.remaining() == message.count * 4U + 3U) {
    return read_legacy_beacon(reader, message.count);
  }
  for (std::size_t i = 0; i < message.count; ++i) {
    message.versions[i] = reader.u32();
  }
  message.status = reader.u8();
  message.wants_answer = (reader.u16() & 1U) != 0;
  for (std::size_t i = 0; i < message.count; ++i) {
    message.stamps[i] = read_stamp(reader);
  }
  message.digest = reader.read<std::uint64_t>();
  return finish(reader, message);
}

Decoded read_request(ByteReader reader) {
  state::Request message;
  message.section = reader.u8();
  message.version = reader.u32();
  (void)reader.take(kRequestReserved);
  return finish(reader, message);
}

Decoded read_section(ByteReader reader) {
  state::SectionData message;
  message.section = reader.u8();
  message.record.version = reader.u32();
  message.record.stamp = read_stamp(reader);
  const ByteSpan origin = reader.take(kNodeIdSize);
  if (!reader.ok()) {
    return DecodeError::kBadLength;
  }
  message.record.origin = to_node_id(origin);
  message.part = reader.u8();
  message.parts = reader.u8();
  if (!reader.ok() || reader.remaining() > state::kPayloadSizeMax) {
    return DecodeError::kBadLength;
  }
  message.record.payload = state::Payload{reader.take(reader.remaining())};
  return finish(reader, message);
}

Decoded read_section_ack(ByteReader reader) {
  state::SectionAck message;
  message.section = reader.u8();
  message.version = reader.u32();
  const std::uint8_t result = reader.u8();
  message.stamp = read_stamp(reader);
  if (reader.ok() && result > static_cast<std::uint8_t>(state::AckResult::kRefused)) {
    return DecodeError::kBadValue;
  }
  message.result = static_cast<state::AckResult>(result);
  return finish(reader, message);
}

Decoded read_cells(ByteReader reader) {
  telemetry::CellsChunk message;
  message.chunk = reader.u8();
  message.chunks = reader.u8();
  message.first_cell = reader.u8();
  message.cells = reader.u8();
  message.time_ms = reader.u32();
  const ByteSpan values = reader.take(2 * kCellsPerChunk);
  const std::uint16_t checksum = reader.u16();
  const std::uint8_t kind = reader.u8();
  (void)reader.take(kCellsReserved);
  if (!reader.ok() || reader.remaining() != 0) {
    return DecodeError::kBadLength;
  }
  if (crc16_modbus(values) != checksum) {
    return DecodeError::kBadChecksum;
  }
  if (kind >= telemetry::kCellsKindCount || message.cells > kCellsPerChunk) {
    return DecodeError::kBadValue;
  }
  message.kind = static_cast<telemetry::CellsKind>(kind);
  ByteReader value{values};
  for (std::uint16_t& one : message.values) {
    one = value.u16();
  }
  return Message{message};
}

Decoded read_heartbeat(ByteReader reader) {
  Heartbeat message;
  message.time_ms = reader.u32();
  message.services = reader.u8();
  return finish(reader, message);
}

Decoded read_heartbeat_ack(ByteReader reader) {
  HeartbeatAck message;
  message.echoed_ms = reader.u32();
  message.services = reader.u8();
  return finish(reader, message);
}

Decoded read_reading(ByteReader reader) {
  telemetry::Reading message;
  message.entry.sequence = reader.u32();
  message.entry.time_ms = reader.u32();
  message.entry.format_version = reader.u16();
  if (!reader.ok() || reader.remaining() > telemetry::kReadingSizeMax) {
    return DecodeError::kBadLength;
  }
  (void)message.entry.payload.assign(reader.take(reader.remaining()));
  return finish(reader, message);
}

Decoded read_compressed_reading(ByteReader reader) {
  const std::uint8_t scheme = reader.u8();
  const std::size_t size = reader.u16();
  const std::size_t compressed_size = reader.u16();
  if (!reader.ok() || reader.remaining() != compressed_size || size > kReadingBodyMax) {
    return DecodeError::kBadLength;
  }
  std::array<std::uint8_t, kReadingBodyMax> body{};
  const auto result =
      telemetry::decompress(static_cast<telemetry::Scheme>(scheme), reader.take(compressed_size), size, body);
  if (!result.ok()) {
    return DecodeError::kBadValue;
  }
  return read_reading(ByteReader{ByteSpan{body}.first(size)});
}

Decoded read_reading_ack(ByteReader reader) {
  telemetry::ReadingAck message;
  message.sequence = reader.u32();
  message.last_in_order = reader.u32();
  message.free_slots = reader.u16();
  return finish(reader, message);
}

// Fills `to`; a span that is too short leaves the reader not ok.
template <std::size_t Size>
void read_bytes(ByteReader& reader, std::array<std::uint8_t, Size>& to) {
  std::ranges::copy(reader.take(Size), to.begin());
}

Decoded read_manifest(ByteReader reader) {
  telemetry::Manifest message;
  message.first = reader.u32();
  message.last = reader.u32();
  message.count = reader.u16();
  read_bytes(reader, message.digest);
  message.epoch = reader.u32();
  return finish(reader, message);
}

Decoded read_gaps(ByteReader reader) {
  telemetry::Gaps message;
  message.last_in_order = reader.u32();
  message.count = reader.u8();
  if (message.count > telemetry::kGapsMax) {
    return DecodeError::kBadValue;
  }
  for (std::size_t i = 0; i < message.count; ++i) {
    message.missing[i] = reader.u32();
  }
  return finish(reader, message);
}

Decoded read_pair_start(ByteReader reader) {
  PairStart message;
  message.attempt = reader.read<std::uint64_t>();
  read_bytes(reader, message.element);
  return finish(reader, message);
}

Decoded read_pair_reply(ByteReader reader) {
  PairReply message;
  message.attempt = reader.read<std::uint64_t>();
  read_bytes(reader, message.element);
  read_bytes(reader, message.confirmation);
  return finish(reader, message);
}

Decoded read_pair_confirm(ByteReader reader) {
  PairConfirm message;
  message.attempt = reader.read<std::uint64_t>();
  read_bytes(reader, message.confirmation);
  return finish(reader, message);
}

Decoded read_pair_result(ByteReader reader) {
  PairResult message;
  message.attempt = reader.read<std::uint64_t>();
  const std::uint8_t outcome = reader.u8();
  read_bytes(reader, message.confirmation);
  if (reader.ok() && outcome >= kPairOutcomeCount) {
    return DecodeError::kBadValue;
  }
  message.outcome = static_cast<PairOutcome>(outcome);
  return finish(reader, message);
}

struct MessageReader {
  Type type;
  Decoded (*read)(ByteReader);
};
constexpr auto kReaders = std::array{
    MessageReader{Type::kProbe, read_probe},
    MessageReader{Type::kProbeAck, read_probe_ack},
    MessageReader{Type::kHello, read_hello},
    MessageReader{Type::kChallenge, read_challenge},
    MessageReader{Type::kConfirm, read_confirm},
    MessageReader{Type::kGrant, read_grant},
    MessageReader{Type::kBeacon, read_beacon},
    MessageReader{Type::kRequest, read_request},
    MessageReader{Type::kSection, read_section},
    MessageReader{Type::kCells, read_cells},
    MessageReader{Type::kSectionAck, read_section_ack},
    MessageReader{Type::kHeartbeat, read_heartbeat},
    MessageReader{Type::kHeartbeatAck, read_heartbeat_ack},
    MessageReader{Type::kReading, read_reading},
    MessageReader{Type::kReadingAck, read_reading_ack},
    MessageReader{Type::kCompressedReading, read_compressed_reading},
    MessageReader{Type::kManifest, read_manifest},
    MessageReader{Type::kGaps, read_gaps},
    MessageReader{Type::kPairStart, read_pair_start},
    MessageReader{Type::kPairReply, read_pair_reply},
    MessageReader{Type::kPairConfirm, read_pair_confirm},
    MessageReader{Type::kPairResult, read_pair_result},
};
static_assert(kReaders.size() == kTypeNames.size());

}  // namespace

std::string_view name_of(Type type) {
  const auto found = std::ranges::find(kTypeNames, type, &TypeName::type);
  return found != kTypeNames.end() ? found->name : std::string_view{};
}

std::string_view to_text(DecodeError error) {
  constexpr std::string_view kNames[] = {"empty", "unknown type", "wrong length", "bad checksum",
                                         "value out of range"};
  return kNames[static_cast<std::size_t>(error)];
}

std::size_t encode(const Message& message, MutableByteSpan out) {
  ByteWriter writer{out};
  const bool is_known = write_any(writer, message);
  AMPHORA_ASSERT(is_known && writer.ok() && writer.size() <= kMessageSizeMax);
  return writer.size();
}

Result<Message, DecodeError> decode(ByteSpan bytes) {
  if (bytes.empty()) {
    return DecodeError::kEmpty;
  }
  const auto type = static_cast<Type>(bytes[0]);
  const auto found = std::ranges::find(kReaders, type, &MessageReader::type);
  if (found == kReaders.end()) {
    return DecodeError::kUnknownType;
  }
  return found->read(ByteReader{bytes.subspan(1)});
}

}  // namespace amphora::link
