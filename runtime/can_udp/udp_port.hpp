// SPDX-License-Identifier: Apache-2.0
// A virtual CAN bus between processes: UDP multicast in python-can's format (see udp_codec.hpp), so that any
// python-can tool is a peer.
//
// Datagrams leave on the loopback interface with hop limit 0 unless configured: they stay on this machine,
// and with hop limit 0 datagrams of other machines are refused (counted as malformed). The multicast loop is
// on, because the peers are other sockets of this machine. A peer that has joined the group on another
// interface, as python-can does by default, is heard all the same, because the kernel hands a datagram to
// every socket of the group. Our own datagrams come back too; they are recognised by their sender (each port
// sends from a socket of its own) and ignored. There are no acknowledgements on such a bus: the state is
// active while the socket works.
#pragma once

#include <memory>

#include "runtime/can/can_port.hpp"

namespace amphora::runtime {

std::shared_ptr<CanPort> make_udp_can_port(Loop& loop, const CanSpec& spec, CanOptions options,
                                           CanHandlers handlers);

}  // namespace amphora::runtime
