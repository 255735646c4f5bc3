// SPDX-License-Identifier: Apache-2.0
// A radio that carries short datagrams between nodes named by their MAC address: a Wi-Fi adapter in monitor
// mode that speaks ESP-NOW, or the `air` process over UDP on a machine without one.
//
// A port opens itself and keeps trying: an adapter that is missing or may not be used is a state with a
// reason, not the end. Everything comes by callback on the loop's thread and never inside the call that
// caused it.
//
// One frame is in flight at a time: each accepted send() is answered by exactly one on_sent, later. Each
// set_channel() is answered by exactly one on_channel. Each answer comes within 250 ms of its turn. A frame
// in flight is finished before the channel changes.
//
// What "acked" means: the radio of the addressed node answered. Whether its program took the frame is not
// said. Broadcast is never acknowledged; it counts as acked when it has left. Some drivers lie about acks:
// status().send_status says what was found out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/node_id.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/loop/sys_error.hpp"

namespace amphora::runtime {

inline constexpr std::size_t kRadioDataMax = 250;
inline constexpr std::uint8_t kRadioChannelMin = 1;
inline constexpr std::uint8_t kRadioChannelMax = 14;

enum class RadioSendResult : std::uint8_t {
  kAcked,    // answered by the addressee's radio; broadcast: sent
  kNoAck,    // sent, repeated, and not answered
  kNotSent,  // did not leave, as far as the radio says: port down, or no status in time
};

enum class RadioState : std::uint8_t { kDown, kStarting, kUp };

// What is known about the send status that this radio reports.
enum class RadioSendStatus : std::uint8_t {
  kUnknown,       // not tried yet
  kReal,          // a frame to nobody came back unacknowledged
  kAlwaysAcked,   // a frame to nobody came back as acknowledged: acks prove nothing
  kAlwaysFailed,  // peers that answer are reported as not acknowledging
  kNone,          // no status comes back at all
};

struct RadioCounters {
  std::uint64_t sent = 0;                // frames that left, acked or not
  std::uint64_t no_ack = 0;              // of those, unicast without an ack
  std::uint64_t not_sent = 0;            // accepted, but never left
  std::uint64_t refused = 0;             // send() returned false
  std::uint64_t received = 0;            // delivered to on_received
  std::uint64_t malformed = 0;           // not a frame of ours, or cut, or too long
  std::uint64_t duplicates = 0;          // repeated by the sender's radio, delivered once
  std::uint64_t other_channel = 0;       // heard on a channel the radio has left, or beside its own
  std::uint64_t own_copies_ignored = 0;  // our own frames as they came back
  std::uint64_t receive_overflows = 0;   // frames the kernel dropped because we read too slowly
  std::uint64_t channel_changes = 0;
  std::uint64_t channel_failures = 0;
  std::uint64_t restarts = 0;  // opened again after it had been up
};

struct RadioStatus {
  std::string interface;  // as in configuration
  std::string driver;     // "mt76x2u", "air"; empty while unknown
  std::string country;    // regulatory domain, "00" is the world; empty while unknown
  RadioState state = RadioState::kDown;
  std::uint8_t channel = 0;       // 0: unknown
  std::optional<SysError> error;  // why the port is not up, or the last channel change failed
  std::string warning;            // works, but not fully, for example without acks; empty: nothing to say
  RadioSendStatus send_status = RadioSendStatus::kUnknown;
  bool answers_acks = false;  // frames to us are acknowledged by our radio
  RadioCounters counters;
};

struct RadioHandlers {
  // `bytes` are valid during the call. `rssi_dbm` where the radio tells. Frames addressed to us or to
  // everybody.
  std::function<void(NodeId from, ByteSpan bytes, std::optional<std::int8_t> rssi_dbm)> on_received;
  std::function<void(std::uint32_t token, RadioSendResult result)> on_sent;
  // `error` empty: the radio is on `channel` now. Otherwise it is where it was.
  std::function<void(std::uint8_t channel, const std::optional<SysError>& error)> on_channel;
  std::function<void(RadioState state)> on_state;  // after each change
};

struct RadioOptions {
  std::uint8_t channel = 1;  // at start
  // Two letters to set the regulatory domain when the port opens, and to check that it took effect; empty: as
  // it is.
  std::string country;
  std::uint8_t retries = 5;  // of the radio, for unicast without an ack
  Duration retry_after_min = std::chrono::milliseconds{200};
  Duration retry_after_max = std::chrono::seconds{5};
};

class RadioPort {
 public:
  virtual ~RadioPort() = default;
  // Our own address. Nobody while the port has never been up.
  virtual NodeId address() const = 0;
  // `to` may be kEverybody. False, and counted as refused, when the port is not up, a frame is in flight, a
  // channel change is going on, or `bytes` are none or more than kRadioDataMax; no on_sent follows then.
  virtual bool send(NodeId to, ByteSpan bytes, std::uint32_t token) = 0;
  // 1…14; always answered by on_channel. A call while one is going on is answered after it, in order.
  virtual void set_channel(std::uint8_t channel) = 0;
  virtual RadioStatus status() const = 0;
};

std::string_view to_text(RadioState state);        // "down", "starting", "up"
std::string_view to_text(RadioSendResult result);  // "acked", "no_ack", "not_sent"
std::string_view to_text(
    RadioSendStatus quality);  // "unknown", "real", "always_acked", "always_failed", "none"

enum class RadioSpecError : std::uint8_t {
  kEmpty,
  kUnknownScheme,
  kBadInterfaceName,  // 1…15 characters of letters, digits, '_', '-', '.'
  kBadAddress,        // air: an IPv4 address
  kBadPort,           // air: 1…65535
  kMissingMac,        // air: ?mac= is needed
  kBadMac,            // air: six bytes, not multicast, not zero
  kUnknownParameter,  // air: something else than mac
};
// What is wrong and what is allowed, for the person who wrote the configuration.
std::string_view to_text(RadioSpecError error);

struct RadioSpec {
  enum class Kind : std::uint8_t { kPacket, kAir };
  Kind kind = Kind::kPacket;
  std::string name;        // interface, or IPv4 address of the air process
  std::uint16_t port = 0;  // air
  NodeId mac;              // air
};
// "wlan1", or "air://127.0.0.1:47000?mac=02:00:00:00:00:01".
Result<RadioSpec, RadioSpecError> parse_radio_spec(std::string_view spec);
// "02:00:00:00:00:01"; nothing for anything else.
std::optional<NodeId> parse_mac(std::string_view text);

// Makes the port that `spec` names. Only the text can be wrong; the radio itself may appear later.
Result<std::shared_ptr<RadioPort>, RadioSpecError> make_radio_port(Loop& loop, std::string_view spec,
                                                                   RadioOptions options,
                                                                   RadioHandlers handlers);

}  // namespace amphora::runtime
