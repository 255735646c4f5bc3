// SPDX-License-Identifier: Apache-2.0
// A radio that is a Wi-Fi adapter in monitor mode: ESP-NOW frames through a packet socket, channels through
// nl80211.
//
// Opening takes the interface over: an idle managed interface is switched to monitor mode, one that is
// connected to a network is refused. Where the driver has an active monitor, a second interface ("amon" and
// the number of the phy) with the same address is made beside it, because a passive monitor never
// acknowledges; it goes when the port closes. Where the driver has none, the port works and its status says
// so. Then one frame to a random address is sent: it must come back unacknowledged, or the acks of this
// driver prove nothing.
//
// - The kernel accepts a frame and may drop it silently. What became of it comes back as a received packet
// with TX
//   flags and the frame's four random bytes; if that does not come within 100 ms, the frame was not sent.
// - A filter in the kernel passes ESP-NOW frames only, so that the neighbours' traffic does not wake this
// program.
// - What the radio heard on another channel than it stands on now is dropped: it lay in the queue during the
// change.
// - A channel that the regulatory domain forbids, or lets us only listen on, is refused with the domain's
// name:
//   the kernel would accept it and drop each frame.
// - Netlink calls block for as long as the driver takes (about 10 ms for a channel, measured on an MT7921),
// so they
//   run on a thread of the port's own.
//
// Needs CAP_NET_RAW and CAP_NET_ADMIN.
#pragma once

#include <memory>

#include "runtime/radio/radio_port.hpp"

namespace amphora::runtime {

std::shared_ptr<RadioPort> make_packet_radio_port(Loop& loop, std::string interface, RadioOptions options,
                                                  RadioHandlers handlers);

}  // namespace amphora::runtime
