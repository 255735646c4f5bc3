// SPDX-License-Identifier: Apache-2.0
// A CAN bus inside one process: every port with the same name hears what the others send.
//
// Ports may live on different loops (threads). A frame reaches each other port as a task posted to its loop,
// in the order sent. At most kVirtualInboxCapacity frames wait for a port that does not run; more are dropped
// and counted there as receive_overflows. The bus is always active.
#pragma once

#include <memory>

#include "runtime/can/can_port.hpp"

namespace amphora::runtime {

inline constexpr std::size_t kVirtualInboxCapacity = 1024;

std::shared_ptr<CanPort> make_virtual_can_port(Loop& loop, std::string bus_name, CanOptions options,
                                               CanHandlers handlers);

}  // namespace amphora::runtime
