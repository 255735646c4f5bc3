// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/decode/link_json.hpp"

#include <fmt/format.h>

#include <optional>
#include <span>
#include <variant>

#include "apps/amphora/decode/hex_text.hpp"
#include "core/link/messages.hpp"
#include "core/sections/tables.hpp"

namespace amphora::decode {

namespace {

// 64 bits do not fit a JSON number.
void put_nonce(JsonLine& json, std::string_view key, std::uint64_t nonce) {
  json.text(key, fmt::format("0x{:016X}", nonce));
}
void put_stamp(JsonLine& json, const state::Stamp& stamp) {
  json.begin_object("stamp");
  json.number("physical_ms", static_cast<std::int64_t>(stamp.physical_ms));
  json.number("logical", stamp.logical);
  json.end_object();
}
void put_mac(JsonLine& json, std::string_view key, NodeId id) {
  const auto text = to_characters(id);
  json.text(key, {text.data(), text.size()});
}
void put_section(JsonLine& json, state::SectionId id) {
  json.number("section", id);
  if (const auto* table = sections::find_table(id)) {
    json.text("section_name", table->name);
  }
}
void put_versions(JsonLine& json, std::span<const std::uint32_t> versions) {
  json.begin_array("versions");
  for (const std::uint32_t version : versions) {
    json.element_decimal(version, 0);
  }
  json.end_array();
}
void put_hex(JsonLine& json, std::string_view key, ByteSpan bytes) {
  json.text(key, to_hex(bytes));
}

// One overload for each message.
struct Writer {
  JsonLine& json;

  void operator()(const link::Probe& message) const { json.number("sequence", message.sequence); }
  void operator()(const link::ProbeAck& message) const {
    json.number("sequence", message.sequence);
    json.number("channel", message.channel);
    if (message.protocol_version) {
      json.number("protocol_version", *message.protocol_version);
    }
    if (message.boot_epoch) {
      json.number("boot_epoch", *message.boot_epoch);
    }
  }
  void operator()(const state::Hello& message) const {
    put_nonce(json, "joiner_nonce", message.joiner_nonce);
  }
  void operator()(const state::Challenge& message) const {
    put_nonce(json, "joiner_nonce", message.joiner_nonce);
    put_nonce(json, "granter_nonce", message.granter_nonce);
  }
  void operator()(const state::Confirm& message) const {
    put_nonce(json, "joiner_nonce", message.joiner_nonce);
    put_nonce(json, "granter_nonce", message.granter_nonce);
    put_clock(message.clock);
  }
  void operator()(const state::Grant& message) const {
    put_nonce(json, "joiner_nonce", message.joiner_nonce);
    put_nonce(json, "granter_nonce", message.granter_nonce);
    json.number("session", message.session);
    put_clock(message.clock);
  }
  void operator()(const state::Beacon& message) const {
    put_versions(json, std::span{message.versions}.first(message.count));
    put_nonce(json, "digest", message.digest);
    json.number("status", message.status);
  }
  void operator()(const link::LegacyBeacon& message) const {
    put_versions(json, std::span{message.versions}.first(message.count));
    json.number("status", message.status);
  }
  void operator()(const state::Request& message) const {
    put_section(json, message.section);
    json.number("version", message.version);
  }
  void operator()(const state::SectionData& message) const {
    put_section(json, message.section);
    json.number("version", message.record.version);
    put_stamp(json, message.record.stamp);
    put_mac(json, "origin", message.record.origin);
    json.number("part", message.part);
    json.number("parts", message.parts);
    put_hex(json, "payload", message.record.payload.bytes());
  }
  void operator()(const state::SectionAck& message) const {
    put_section(json, message.section);
    json.number("version", message.version);
    put_stamp(json, message.stamp);
    json.text("result", to_text(message.result));
  }
  void operator()(const telemetry::CellsChunk& message) const {
    const bool is_voltage = message.kind == telemetry::CellsKind::kVoltage;
    json.text("kind", is_voltage ? "voltage" : "temperature");
    json.number("chunk", message.chunk);
    json.number("chunks", message.chunks);
    json.number("first_cell", message.first_cell);
    json.number("time_ms", message.time_ms);
    json.begin_array(is_voltage ? "voltages_mv" : "temperatures_c");
    for (std::size_t i = 0; i < message.cells; ++i) {
      put_cell(is_voltage, message.values[i]);
    }
    json.end_array();
  }
  void operator()(const link::Heartbeat& message) const {
    json.number("time_ms", message.time_ms);
    json.number("services", message.services);
  }
  void operator()(const link::HeartbeatAck& message) const {
    json.number("echoed_ms", message.echoed_ms);
    json.number("services", message.services);
  }
  void operator()(const telemetry::Reading& message) const {
    json.number("sequence", message.entry.sequence);
    json.number("time_ms", message.entry.time_ms);
    json.number("format_version", message.entry.format_version);
    put_hex(json, "payload", message.entry.payload.view());
  }
  void operator()(const telemetry::ReadingAck& message) const {
    json.number("sequence", message.sequence);
    json.number("last_in_order", message.last_in_order);
    json.number("free_slots", message.free_slots);
  }
  void operator()(const telemetry::Manifest& message) const {
    json.number("epoch", message.epoch);
    json.number("first", message.first);
    json.number("last", message.last);
    json.number("count", message.count);
    json.boolean("digest_ok", message.digest == telemetry::manifest_digest(message));
  }
  void operator()(const telemetry::Gaps& message) const {
    json.number("last_in_order", message.last_in_order);
    json.begin_array("missing");
    for (std::size_t i = 0; i < message.count; ++i) {
      json.element_decimal(message.missing[i], 0);
    }
    json.end_array();
  }
  void operator()(const link::PairStart& message) const {
    put_attempt(message.attempt);
    put_hex(json, "element", message.element);
  }
  void operator()(const link::PairReply& message) const {
    put_attempt(message.attempt);
    put_hex(json, "element", message.element);
    put_hex(json, "confirmation", message.confirmation);
  }
  void operator()(const link::PairConfirm& message) const {
    put_attempt(message.attempt);
    put_hex(json, "confirmation", message.confirmation);
  }
  void operator()(const link::PairResult& message) const {
    constexpr std::string_view kOutcomes[link::kPairOutcomeCount] = {"paired", "wrong_code", "closed",
                                                                     "busy"};
    put_attempt(message.attempt);
    json.text("outcome", kOutcomes[static_cast<std::size_t>(message.outcome)]);
    put_hex(json, "confirmation", message.confirmation);
  }

 private:
  // 64 bits: more than a JSON number keeps.
  void put_attempt(std::uint64_t attempt) const {
    std::array<std::uint8_t, sizeof attempt> bytes{};
    store(bytes.data(), attempt, Endian::kBig);
    put_hex(json, "attempt", bytes);
  }
  void put_clock(const state::ClockReading& clock) const {
    json.boolean("has_time", clock.has_time);
    put_stamp(json, clock.stamp);
  }
  void put_cell(bool is_voltage, std::uint16_t value) const {
    if (value == (is_voltage ? telemetry::kUnknownVoltage : telemetry::kUnknownTemperature)) {
      json.element_null();
    } else if (is_voltage) {
      json.element_decimal(value, 0);
    } else {
      json.element_decimal(static_cast<std::int16_t>(value), 1);
    }
  }
};

void append_message(JsonLine& json, ByteSpan bytes) {
  if (bytes.empty()) {
    json.text("error", link::to_text(link::DecodeError::kEmpty));
    return;
  }
  json.text("type", fmt::format("0x{:02X}", bytes[0]));
  if (const auto name = link::name_of(static_cast<link::Type>(bytes[0])); !name.empty()) {
    json.text("name", name);
  }
  const auto message = link::decode(bytes);
  if (message) {
    std::visit(Writer{json}, *message);
  } else {
    json.text("error", link::to_text(message.error()));
  }
}

void append_sealed(JsonLine& json, ByteSpan payload) {
  json.text("name", "sealed");
  if (payload.size() <= link::kSealedOverhead) {
    return json.text("error", link::to_text(link::DecodeError::kBadLength));
  }
  ByteReader reader{payload.subspan(1)};
  json.number("session_tag", reader.u8());
  const std::uint64_t low = reader.u32();
  json.number("counter", static_cast<std::int64_t>(low | (std::uint64_t{reader.u16()} << 32U)));
  json.number("message_size", static_cast<std::int64_t>(payload.size() - link::kSealedOverhead));
}

void append_sealed_handshake(JsonLine& json, ByteSpan payload) {
  json.text("name", "sealed_handshake");
  if (payload.size() <= link::kHandshakeOverhead) {
    return json.text("error", link::to_text(link::DecodeError::kBadLength));
  }
  ByteReader reader{payload.subspan(1)};
  put_nonce(json, "boot_nonce", reader.read<std::uint64_t>());
  json.number("counter", reader.u32());
  json.number("message_size", static_cast<std::int64_t>(payload.size() - link::kHandshakeOverhead));
}

void append_plain(JsonLine& json, ByteSpan payload) {
  json.text("name", "plain");
  if (payload.size() <= link::kPlainOverhead) {
    return json.text("error", link::to_text(link::DecodeError::kBadLength));
  }
  ByteReader reader{payload.subspan(1)};
  json.number("session", reader.u32());
  json.begin_object("message");
  append_message(json, payload.subspan(link::kPlainOverhead));
  json.end_object();
}

}  // namespace

void append_link_payload(JsonLine& json, ByteSpan payload) {
  const std::uint8_t type = payload.empty() ? std::uint8_t{0} : payload[0];
  const bool is_envelope =
      type == link::kSealedType || type == link::kSealedHandshakeType || type == link::kPlainType;
  if (!is_envelope) {
    return append_message(json, payload);
  }
  json.text("type", fmt::format("0x{:02X}", type));
  switch (type) {
    case link::kSealedType:
      return append_sealed(json, payload);
    case link::kSealedHandshakeType:
      return append_sealed_handshake(json, payload);
    default:
      return append_plain(json, payload);
  }
}

}  // namespace amphora::decode
