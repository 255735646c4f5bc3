// SPDX-License-Identifier: Apache-2.0
// A CAN interface, whatever carries the frames: the kernel's SocketCAN, UDP multicast, or this process.
//
// A port opens itself and keeps trying: interfaces that are missing, down or bus-off are a state, not an
// error. Frames come by callback on the loop's thread; send() never blocks. A frame that one port sends is
// never delivered to the same port.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/can/frame.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/loop/sys_error.hpp"

namespace amphora::runtime {

struct CanCounters {
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t errors = 0;             // error frames of the controller, failed reads and writes
  std::uint64_t dropped = 0;            // refused or discarded on the way out
  std::uint64_t malformed = 0;          // datagrams that are no frame
  std::uint64_t restarts = 0;           // re-opened after it had been open
  std::uint64_t bus_off = 0;            // times the controller went bus-off
  std::uint64_t receive_overflows = 0;  // frames the kernel dropped because we read too slowly
  // The controller's own error counters (ISO 11898-1: 128 is error passive), as its last error frame told.
  std::uint8_t transmit_error_level = 0;
  std::uint8_t receive_error_level = 0;
};

// Passes a frame when (frame.id & mask) == (id & mask) and the kind of identifier is equal.
struct CanFilter {
  std::uint32_t id = 0;
  std::uint32_t mask = 0;
  bool is_extended = false;
  constexpr bool passes(const can::Frame& frame) const {
    return frame.is_extended == is_extended && (frame.id & mask) == (id & mask);
  }
};

struct CanOptions {
  std::vector<CanFilter> filters;  // none: every frame
  std::size_t tx_capacity = 64;    // frames that wait while the controller is busy; the newest is refused
  Duration retry_after_min = std::chrono::milliseconds{200};
  Duration retry_after_max = std::chrono::seconds{5};
  // UDP only: hop limit (0 keeps datagrams on this machine) and the address of the interface to use.
  int udp_hop_limit = 0;
  std::string udp_interface_address = "127.0.0.1";
};

struct CanHandlers {
  std::function<void(const can::Frame&)> on_frame;
  std::function<void(can::BusState)> on_state;  // after each change
};

class CanPort {
 public:
  virtual ~CanPort() = default;
  // False and counted when the port is down, bus-off, or its queue is full.
  virtual bool send(const can::Frame& frame) = 0;
  virtual can::BusState state() const = 0;
  virtual const CanCounters& counters() const = 0;
  // Why the port is down. Empty while it works.
  virtual std::optional<SysError> last_error() const = 0;
  // As in configuration: "can0", "udp://…", "virtual:NAME".
  virtual const std::string& name() const = 0;
};

std::string_view to_text(can::BusState state);  // "down", "active", "error_passive", "bus_off"

enum class CanSpecError : std::uint8_t {
  kEmpty,
  kUnknownScheme,
  kBadInterfaceName,  // SocketCAN: 1…15 characters of letters, digits, '_', '-', '.'
  kBadAddress,        // UDP: a multicast address (IPv4) is needed
  kBadPort,           // UDP: 1…65535
  kBadVirtualName,    // 1…32 characters of letters, digits, '_', '-'
};
// What is wrong and what is allowed, for the person who wrote the configuration.
std::string_view to_text(CanSpecError error);

struct CanSpec {
  enum class Kind : std::uint8_t { kSocketCan, kUdp, kVirtual };
  Kind kind = Kind::kSocketCan;
  std::string name;        // interface, group address or bus name
  std::uint16_t port = 0;  // UDP
};
Result<CanSpec, CanSpecError> parse_can_spec(std::string_view spec);

// Makes the port that `spec` names. Only the text can be wrong; the interface itself may appear later.
Result<std::shared_ptr<CanPort>, CanSpecError> open_can(Loop& loop, std::string_view spec, CanOptions options,
                                                        CanHandlers handlers);

}  // namespace amphora::runtime
