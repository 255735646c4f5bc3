// SPDX-License-Identifier: Apache-2.0
// What the two ends of a stream of readings say to each other, as structs. How they become bytes is the
// business of whoever carries them (core/link); nothing here knows a radio.
//
// Numbering. A stream is named by its epoch and counts its readings with 32-bit sequences that wrap; two
// sequences are compared by serial number arithmetic (RFC 1982), so they must lie less than 2^31 apart, which
// the small windows guarantee. A sender whose queue did not survive a restart begins a new epoch.
// Sequences of a stream have no holes: whatever is missing was dropped or expired at the sender.
//
// Only Manifest carries the epoch. A session therefore begins with a manifest, and readings flow after it has
// been answered; the carrier keeps messages of different sessions apart.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "core/base/fixed_bytes.hpp"

namespace amphora::telemetry {

// A battery summary with some room; with its header it fits a 250-byte radio frame sealed and all.
inline constexpr std::size_t kReadingSizeMax = 96;
// Gaps named in one message. More follow in the next.
inline constexpr std::size_t kGapsMax = 20;
inline constexpr std::size_t kManifestDigestSize = 16;

using Payload = FixedBytes<kReadingSizeMax>;

// How far `to` lies behind `from` in the numbering; negative if before it. RFC 1982 with 32 bits.
constexpr std::int32_t serial_distance(std::uint32_t from, std::uint32_t to) {
  return static_cast<std::int32_t>(to - from);
}
constexpr bool is_before(std::uint32_t a, std::uint32_t b) {
  return serial_distance(a, b) > 0;
}

// One reading as it waits, travels and is delivered.
struct Entry {
  std::uint32_t sequence = 0;
  // The producer's own uptime in ms, modulo 2^32: data for whoever knows that clock, compared by nobody.
  std::uint32_t time_ms = 0;
  std::uint16_t format_version = 0;  // of the payload, for its reader
  Payload payload;
  friend constexpr bool operator==(const Entry&, const Entry&) = default;
};

// Sender to receiver: one reading.
struct Reading {
  Entry entry;
  friend constexpr bool operator==(const Reading&, const Reading&) = default;
};

// Receiver to sender. Everything up to last_in_order is durable at the receiver or was given up because the
// sender said that it no longer has it. `sequence` is the reading that caused this ack: it has arrived,
// though perhaps only in RAM, so it need not be repeated soon but must be kept.
struct ReadingAck {
  std::uint32_t sequence = 0;
  std::uint32_t last_in_order = 0;
  std::uint16_t free_slots = 0;  // readings the receiver could take at this moment
  friend constexpr bool operator==(const ReadingAck&, const ReadingAck&) = default;
};

// Sender to receiver: what the queue holds. Sequences before `first` will never come (again). An empty queue
// has count 0, first = the next sequence, last = first - 1. Sent at the start of a session until answered,
// every 60 s, and at once when readings the receiver still waits for were dropped or have expired.
struct Manifest {
  std::uint32_t epoch = 0;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint16_t count = 0;
  // Over the other fields (manifest_digest below). A manifest is the one message that makes a receiver give
  // readings up, so it is checked beyond what the carrier does.
  std::array<std::uint8_t, kManifestDigestSize> digest{};
  friend constexpr bool operator==(const Manifest&, const Manifest&) = default;
};

// Receiver to sender: answers a manifest, and asks for readings that others have overtaken. Says as much
// about last_in_order as an ack does.
struct Gaps {
  std::uint32_t last_in_order = 0;
  std::uint8_t count = 0;  // of `missing` that are used, at most kGapsMax
  std::array<std::uint32_t, kGapsMax> missing{};
  friend constexpr bool operator==(const Gaps&, const Gaps&) = default;
};

using SenderMessage = std::variant<Manifest, Reading>;
using ReceiverMessage = std::variant<Gaps, ReadingAck>;

// FNV-1a with 128 bits over epoch, first, last (four bytes each) and count (two bytes), little-endian; the
// digest's own bytes are little-endian too. It detects accidents, not attackers; those are the carrier's.
// Constants: IETF draft-eastlake-fnv, 128-bit offset basis 0x6c62272e07bb014262b821756295c58d, prime
// 2^88 + 0x13b.
std::array<std::uint8_t, kManifestDigestSize> manifest_digest(const Manifest& manifest);

}  // namespace amphora::telemetry
