// SPDX-License-Identifier: Apache-2.0
// The datagrams between a radio port and the air process, a message each.
//
// All begin with "AAR1" and a kind; integers are little-endian, addresses stand as on the air.
//
//   to the air            fields                                          answered by
//   0x01 hello            u64 instance, mac, u8 channel, u8 is_first      welcome
//   0x02 send             u32 token, mac to, u16 size, bytes              sent, later
//   0x03 channel          u32 token, u8 channel                           channel set
//   0x04 bye              (nothing)                                       nothing
//   from the air
//   0x81 welcome          u64 instance, u8 result, u8 channel
//   0x82 sent             u32 token, u8 result (0 acked, 1 no ack, 2 not sent)
//   0x83 channel set      u32 token, u8 channel, u8 result (0 done, 1 not allowed)
//   0x84 received         mac from, mac to, i8 rssi in dBm, u16 size, bytes
//
// hello is repeated each second and keeps the client alive. No allocation: bytes are views into the datagram.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "core/base/bytes.hpp"
#include "core/base/node_id.hpp"
#include "core/base/result.hpp"
#include "runtime/radio/radio_port.hpp"

namespace amphora::runtime::air {

inline constexpr std::size_t kDatagramSizeMax = 5 + 15 + kRadioDataMax;

enum class HelloResult : std::uint8_t {
  kWelcome,
  kReplaced,    // another program uses this address now
  kBadChannel,  // the channel does not exist here; the client stands on the first that does
  kFull,
};

struct Hello {
  std::uint64_t instance = 0;  // random, per port: tells a restarted program from the one before
  NodeId mac;
  std::uint8_t channel = 0;
  bool is_first = false;  // takes the address from whoever has it
};
struct Send {
  std::uint32_t token = 0;
  NodeId to;
  ByteSpan bytes;
};
struct SetChannel {
  std::uint32_t token = 0;
  std::uint8_t channel = 0;
};
struct Bye {};
struct Welcome {
  std::uint64_t instance = 0;
  HelloResult result = HelloResult::kWelcome;
  std::uint8_t channel = 0;
};
struct Sent {
  std::uint32_t token = 0;
  RadioSendResult result = RadioSendResult::kNotSent;
};
struct ChannelSet {
  std::uint32_t token = 0;
  std::uint8_t channel = 0;
  bool is_done = false;
};
struct Received {
  NodeId from;
  NodeId to;
  std::int8_t rssi_dbm = 0;
  ByteSpan bytes;
};

using Datagram = std::variant<Hello, Send, SetChannel, Bye, Welcome, Sent, ChannelSet, Received>;

enum class DatagramError : std::uint8_t {
  kNotOurs,  // does not begin with the mark
  kUnknownKind,
  kLength,    // cut short, or bytes after the end
  kBadField,  // a result that does not exist, or more data than a frame has
};

Result<Datagram, DatagramError> decode_datagram(ByteSpan bytes);
// `out` of kDatagramSizeMax bytes is always enough for what a radio carries; returns what was written.
MutableByteSpan encode_datagram(const Datagram& datagram, MutableByteSpan out);

}  // namespace amphora::runtime::air
