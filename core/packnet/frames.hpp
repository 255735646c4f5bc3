// SPDX-License-Identifier: Apache-2.0
// The frames of the pack network: ids, structs, codec. docs/protocols/packnet.md is the table for people,
// docs/protocols/amphora.dbc the one for tools.
//
// CAN 2.0, 500 kbit/s. Every 11-bit id carries its sender or its addressee and every 29-bit id a hash of a
// hardware number, so that no two nodes ever send one id with different data, which a bus cannot resolve. The
// ids of the CAN-bus BMS protocol (0x305, 0x307, 0x351 to 0x382) are left free. Numbers are little-endian.
//
// decode() takes any frame and never fails in another way than its error; encode() takes any struct whose
// node lies in 1 to kNodeMax (asserted: it is our own).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/can/frame.hpp"
#include "core/election/election.hpp"

namespace amphora::packnet {

// A node id is a lease on a hardware number; 0 is "none yet".
using Node = std::uint8_t;
inline constexpr Node kNodeNone = 0;
inline constexpr Node kNodeMax = 126;
inline constexpr Node kNodeAll = 127;
constexpr bool is_node(Node node) {
  return node >= 1 && node <= kNodeMax;
}

// The identity of a device: 48 or 64 bits that its maker put into the chip. Lower wins an id.
using HardwareNumber = std::uint64_t;
// 64-bit FNV-1a over the eight bytes, little-endian, upper half folded into the lower by XOR.
std::uint32_t hash_of(HardwareNumber hardware);

inline constexpr std::uint32_t kMasterBeaconBase = 0x000;
inline constexpr std::uint32_t kPresenceBase = 0x080;
inline constexpr std::uint32_t kTelemetryBase = 0x100;
inline constexpr std::uint32_t kReportBase = 0x180;   // events, alarms, acknowledgements
inline constexpr std::uint32_t kCommandBase = 0x200;  // + kNodeAll: to all
inline constexpr std::uint32_t kStateBase = 0x280;    // state beacon and sections of that node
inline constexpr std::uint32_t kOldPresenceId = 0x300;
inline constexpr std::uint32_t kSegmentToBase = 0x400;    // ISO 15765-2 to the node
inline constexpr std::uint32_t kSegmentFromBase = 0x480;  // ISO 15765-2 from the node
inline constexpr std::uint32_t kSocketBase = 0x500;       // smart sockets, 0x500 to 0x57F
inline constexpr std::uint32_t kTimeId = 0x7FF;
inline constexpr std::uint32_t kRangeSize = 0x80;
// 29 bits: 3 bits kind, then for a claim 7 bits node and 19 bits hash, for a gateway 26 bits hash. The upper
// bits put both behind all traffic but the time.
inline constexpr std::uint32_t kClaimBase = 6U << 26U;
inline constexpr std::uint32_t kGatewayBase = 7U << 26U;
inline constexpr std::uint32_t kClaimHashMask = 0x7'FFFF;
inline constexpr std::uint32_t kGatewayHashMask = 0x3FF'FFFF;

enum class Channel : std::uint8_t {
  kMasterBeacon,
  kPresence,
  kTelemetry,
  kReport,
  kCommand,
  kState,
  kOldPresence,
  kSegmentTo,
  kSegmentFrom,
  kSocket,
  kTime,
  kClaim,
  kGateway
};
std::string_view to_text(Channel channel);

struct Address {
  Channel channel = Channel::kTime;
  Node node = kNodeNone;  // sender or addressee; for kSocket the socket; 0 where the id names nobody
  friend constexpr bool operator==(const Address&, const Address&) = default;
};
// What an id is for; empty when it is none of ours (remote frames included).
std::optional<Address> address_of(const can::Frame& frame);
// Ids that only `node` itself may send. Hearing one's own means that another node uses it as well.
bool is_sent_by(const Address& address, Node node);

enum class DeviceType : std::uint8_t { kUnknown = 0, kEnergyPack = 1, kEnergyGateway = 2, kLinuxGateway = 3 };
std::string_view to_text(DeviceType type);
// Any energy gateway leads over any pack. A Linux gateway is no candidate.
constexpr std::uint8_t rank_of(DeviceType type) {
  return type == DeviceType::kEnergyGateway ? 1 : 0;
}
constexpr bool is_candidate(DeviceType type) {
  return type == DeviceType::kEnergyPack || type == DeviceType::kEnergyGateway;
}

// Size 8: term[4], node, rank, flags (bit 0: alone), 0.
struct MasterBeacon {
  Node node = kNodeNone;
  std::uint8_t rank = 0;
  bool is_alone = false;
  election::Term term = 0;
  friend constexpr bool operator==(const MasterBeacon&, const MasterBeacon&) = default;
};

// Size 8: device type, firmware major, minor, flags, hash[4]. Flags: bit 0 master, 1 alarm, 2 warning,
// 3 time known, 4 duplicate hardware number seen.
struct Presence {
  Node node = kNodeNone;
  DeviceType type = DeviceType::kUnknown;
  std::uint8_t firmware_major = 0;
  std::uint8_t firmware_minor = 0;
  std::uint8_t flags = 0;
  std::uint32_t hash = 0;
  friend constexpr bool operator==(const Presence&, const Presence&) = default;
};
inline constexpr std::uint8_t kPresenceMaster = 1U << 0U;
inline constexpr std::uint8_t kPresenceAlarm = 1U << 1U;
inline constexpr std::uint8_t kPresenceWarning = 1U << 2U;
inline constexpr std::uint8_t kPresenceTimeKnown = 1U << 3U;
inline constexpr std::uint8_t kPresenceDuplicate = 1U << 4U;

// Size 1: the node. Understood, never sent.
struct OldPresence {
  Node node = kNodeNone;
  friend constexpr bool operator==(const OldPresence&, const OldPresence&) = default;
};

// Size 8: hardware number[8]; the node and part of the hash are in the id.
struct Claim {
  Node node = kNodeNone;
  HardwareNumber hardware = 0;
  friend constexpr bool operator==(const Claim&, const Claim&) = default;
};

// A Linux gateway. Size 8: hardware number[8]. The lowest of several is the active one.
struct GatewayPresence {
  HardwareNumber hardware = 0;
  friend constexpr bool operator==(const GatewayPresence&, const GatewayPresence&) = default;
};

// One page; size 8: page, data[7]. See telemetry.hpp.
inline constexpr std::size_t kPageDataSize = 7;
struct TelemetryPage {
  Node node = kNodeNone;
  std::uint8_t page = 0;
  std::array<std::uint8_t, kPageDataSize> data{};
  friend constexpr bool operator==(const TelemetryPage&, const TelemetryPage&) = default;
};

// Why a command was not carried out; kDone: it was.
enum class CommandResult : std::uint8_t {
  kDone = 0,
  kUnknownOpcode = 1,
  kBadLength = 2,
  kOutOfRange = 3,
  kNotAuthentic = 4,  // wrong or missing authentication
  kReplayed = 5,      // its counter was used before; detail: the lowest that is accepted (lower 32 bits)
  kNotAllowed = 6,    // for example a mode holds the relay
  kBusy = 7,
  kUnsupported = 8,  // known, but not on this device
  kFailed = 9        // tried, and it did not work
};
inline constexpr std::uint8_t kCommandResultMax = 9;
std::string_view to_text(CommandResult result);

// Size 8: 1, opcode, sequence, result, detail[4]. An opcode may be unknown, hence a number.
struct Acknowledgement {
  Node node = kNodeNone;
  std::uint8_t opcode = 0;
  std::uint8_t sequence = 0;
  CommandResult result = CommandResult::kDone;
  std::uint32_t detail = 0;
  friend constexpr bool operator==(const Acknowledgement&, const Acknowledgement&) = default;
};

enum class Level : std::uint8_t { kInfo = 0, kNotice = 1, kWarning = 2, kError = 3 };
// Size 8: 2, level (bit 7: it ended), code[2], value[4].
struct Report {
  Node node = kNodeNone;
  Level level = Level::kInfo;
  bool is_end = false;     // of something that lasts, such as an alarm
  std::uint16_t code = 0;  // the application's; the network's own are below
  std::int32_t value = 0;
  friend constexpr bool operator==(const Report&, const Report&) = default;
};
inline constexpr std::uint16_t kReportDuplicateHardware = 1;  // value: lower 32 bits of the number
inline constexpr std::uint16_t kReportNodeChanged = 2;        // value: the new node id

// Size 8: 3, rank, master, flags (bit 0: the master was alone), term[4]. A candidate's answer in an election.
struct MasterAnswer {
  Node node = kNodeNone;
  std::uint8_t rank = 0;
  Node master = kNodeNone;
  bool is_to_alone = false;
  election::Term term = 0;
  friend constexpr bool operator==(const MasterAnswer&, const MasterAnswer&) = default;
};

// Size 2 to 8: opcode, sequence, arguments. See command.hpp.
inline constexpr std::size_t kArgumentSizeMax = 6;
struct CommandFrame {
  Node to = kNodeNone;  // or kNodeAll
  std::uint8_t opcode = 0;
  std::uint8_t sequence = 0;
  std::uint8_t size = 0;  // of the arguments
  std::array<std::uint8_t, kArgumentSizeMax> arguments{};
  constexpr ByteSpan payload() const { return ByteSpan{arguments}.first(size); }
  friend constexpr bool operator==(const CommandFrame&, const CommandFrame&) = default;
};

// Size 8: hour, day of month, minute, second, month, year - 2000, UTC offset in quarter hours (signed), flags
// (bit 0: the offset is known). UTC; local time is UTC plus the offset. Sent only by a gateway whose own
// clock is synchronised.
struct Time {
  std::uint8_t hour = 0;                       // 0 to 23
  std::uint8_t day = 1;                        // 1 to 31
  std::uint8_t minute = 0;                     // 0 to 59
  std::uint8_t second = 0;                     // 0 to 59
  std::uint8_t month = 1;                      // 1 to 12
  std::uint8_t year = 0;                       // since 2000
  std::optional<std::int8_t> offset_quarters;  // -56 to 56
  friend constexpr bool operator==(const Time&, const Time&) = default;
};
// Empty when the date does not exist.
std::optional<WallTime> wall_time_of(const Time& time);
// Empty before 2000 and after 2255. Milliseconds are cut.
std::optional<Time> time_of(WallTime wall, std::optional<std::int8_t> offset_quarters);

// Traffic of other engines (sections, segmented transfer, sockets): passed on as it is.
struct Opaque {
  Channel channel = Channel::kState;
  Node node = kNodeNone;
  std::uint8_t size = 0;
  std::array<std::uint8_t, can::kDataSizeMax> data{};
  friend constexpr bool operator==(const Opaque&, const Opaque&) = default;
};

using Message = std::variant<MasterBeacon, Presence, OldPresence, Claim, GatewayPresence, TelemetryPage,
                             Acknowledgement, Report, MasterAnswer, CommandFrame, Time, Opaque>;

enum class DecodeError : std::uint8_t {
  kNotOurs,  // another protocol's id, or a remote frame
  kBadNode,  // node 0 or beyond its range
  kBadLength,
  kBadValue,     // a field outside of its range
  kUnknownKind,  // a report of a later version
  kBadHash       // id and data of a claim do not belong together
};
std::string_view to_text(DecodeError error);

Result<Message, DecodeError> decode(const can::Frame& frame);
can::Frame encode(const Message& message);

}  // namespace amphora::packnet
