// SPDX-License-Identifier: Apache-2.0
// A CAN port on the kernel's SocketCAN (raw socket, classical frames).
//
// - Filters run in the kernel, so that unwanted frames do not wake this program.
// - Error frames of the controller give the bus state: bus-off, error passive, restarted. A working frame in
//   either direction proves an active bus when the driver reports no transitions.
// - While the interface takes no more, frames wait in a bounded queue here; what has waited for 100 ms is
// dropped and
//   counted, because a late limit is a wrong limit. The kernel itself holds about five frames.
// - ENETDOWN and a vanished interface close the socket; it is opened again with a growing pause, by name, so
// an
//   adapter that is plugged in again under another index is found.
// - Bus-off: what waits is dropped and counted, because limits must not be sent late. The kernel restarts the
//   controller by itself when the interface has restart-ms; the port says so in its error otherwise.
#pragma once

#include <memory>

#include "runtime/can/can_port.hpp"

namespace amphora::runtime {

std::shared_ptr<CanPort> make_socketcan_port(Loop& loop, std::string interface, CanOptions options,
                                             CanHandlers handlers);

// What one error frame (linux/can/error.h: id with its class bits, 8 data bytes) says of the bus; empty when
// it says nothing of the state. Pure, so that it is tested where there is no CAN.
std::optional<can::BusState> bus_state_of_error_frame(std::uint32_t error_class, const std::uint8_t* data);

}  // namespace amphora::runtime
