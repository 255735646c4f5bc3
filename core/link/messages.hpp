// SPDX-License-Identifier: Apache-2.0
// The bytes of every message between transmitter and receiver. docs/protocols/link.md has the table.
//
// Packed, little-endian, the first byte is the type. Encoding and decoding are pure functions; what a message
// means is the business of the machines that take and give these structs. A frame of an unknown type, of the
// wrong length, with a bad checksum or a value that no sender writes is refused with the reason, and nothing
// of it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/link/envelope.hpp"
#include "core/link/pairing.hpp"
#include "core/state/exchange.hpp"
#include "core/state/session.hpp"
#include "core/telemetry/live_cells.hpp"
#include "core/telemetry/messages.hpp"

namespace amphora::link {

inline constexpr std::uint8_t kProtocolVersion = 3;

enum class Type : std::uint8_t {
  kProbe = 0x01,
  kProbeAck = 0x02,
  kHello = 0x10,
  kChallenge = 0x11,
  kConfirm = 0x12,
  kGrant = 0x13,
  kBeacon = 0x20,
  kRequest = 0x21,
  kSection = 0x22,
  kCells = 0x23,
  kSectionAck = 0x24,
  kHeartbeat = 0x31,
  kHeartbeatAck = 0x32,
  kReading = 0x36,
  kReadingAck = 0x37,
  kCompressedReading = 0x38,
  kManifest = 0x39,
  kGaps = 0x3A,
  kPairStart = 0x50,
  kPairReply = 0x51,
  kPairConfirm = 0x52,
  kPairResult = 0x53,
};
// Empty for a type that is none of these.
std::string_view name_of(Type type);

// Broadcast by a transmitter that looks for its receiver.
struct Probe {
  std::uint32_t sequence = 0;
  friend constexpr bool operator==(const Probe&, const Probe&) = default;
};

struct ProbeAck {
  std::uint32_t sequence = 0;  // of the probe
  std::uint8_t channel = 0;    // where the receiver listens
  // Absent from receivers of the first protocol version.
  std::optional<std::uint8_t> protocol_version;
  std::optional<std::uint32_t> boot_epoch;
  friend constexpr bool operator==(const ProbeAck&, const ProbeAck&) = default;
};

// Beacons of the first two protocol versions, which carry versions only. Decoded for people; a session has
// the full beacon.
struct LegacyBeacon {
  std::uint8_t count = 0;
  std::array<std::uint32_t, state::kSectionCountMax> versions{};  // version 1: mqtt, network, battery, power
  std::uint8_t status = 0;
  friend constexpr bool operator==(const LegacyBeacon&, const LegacyBeacon&) = default;
};

// Bit 0 of `services`: the sender's Wi-Fi is connected.
struct Heartbeat {
  std::uint32_t time_ms = 0;  // the sender's uptime
  std::uint8_t services = 0;
  friend constexpr bool operator==(const Heartbeat&, const Heartbeat&) = default;
};
struct HeartbeatAck {
  std::uint32_t echoed_ms = 0;
  std::uint8_t services = 0;
  friend constexpr bool operator==(const HeartbeatAck&, const HeartbeatAck&) = default;
};

using Message =
    std::variant<Probe, ProbeAck, state::Hello, state::Challenge, state::Confirm, state::Grant, state::Beacon,
                 LegacyBeacon, state::Request, state::SectionData, state::SectionAck, telemetry::CellsChunk,
                 Heartbeat, HeartbeatAck, telemetry::Reading, telemetry::ReadingAck, telemetry::Manifest,
                 telemetry::Gaps, PairStart, PairReply, PairConfirm, PairResult>;

enum class DecodeError : std::uint8_t { kEmpty, kUnknownType, kBadLength, kBadChecksum, kBadValue };
std::string_view to_text(DecodeError error);

// Writes the message to `out`, which holds at least kMessageSizeMax bytes, and returns its size. A reading is
// compressed where that makes it smaller. Messages within the limits of their own headers always fit.
std::size_t encode(const Message& message, MutableByteSpan out);

Result<Message, DecodeError> decode(ByteSpan bytes);

// The one of `Messages…` within a message that has more alternatives; empty when it is none of them.
template <typename Narrow, typename... Messages>
std::optional<Narrow> narrow_to(const Message& message) {
  std::optional<Narrow> narrow;
  (void)((std::get_if<Messages>(&message) != nullptr
              ? (narrow.emplace(*std::get_if<Messages>(&message)), true)
              : false) ||
         ...);
  return narrow;
}

// The same message in the wider type.
template <typename... Messages>
Message widen(const std::variant<Messages...>& narrow) {
  Message message;
  (void)((std::get_if<Messages>(&narrow) != nullptr ? (message = *std::get_if<Messages>(&narrow), true)
                                                    : false) ||
         ...);
  return message;
}

}  // namespace amphora::link
