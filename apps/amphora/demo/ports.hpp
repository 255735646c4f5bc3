// SPDX-License-Identifier: Apache-2.0
// Which network ports the demo uses: the usual ones when they are free, others when they are not.
#pragma once

#include <cstdint>

namespace amphora::demo {

// Whether a server could listen there on loopback now.
bool is_tcp_port_free(std::uint16_t port);
// Whether nobody has bound the port, not even shared.
bool is_udp_port_free(std::uint16_t port);
// One that the system says is free. Another program may take it before it is used.
std::uint16_t find_tcp_port();
std::uint16_t find_udp_port();
// Whether something accepts connections there.
bool is_listening(std::uint16_t port);

}  // namespace amphora::demo
