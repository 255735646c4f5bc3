// SPDX-License-Identifier: Apache-2.0
// The datagram of python-can's "udp_multicast" bus: one CAN message as a MessagePack map.
//
// Keys as python-can 4 writes them: timestamp (double, seconds since 1970), arbitration_id, is_extended_id,
// is_remote_frame, is_error_frame, channel (nil or text), dlc, data (bin), is_fd, bitrate_switch,
// error_state_indicator. Decoding takes any order, ignores keys it does not know, and refuses CAN FD, error
// frames, and anything that is not exactly one well-formed map. No allocation.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/can/frame.hpp"

namespace amphora::runtime {

inline constexpr std::size_t kUdpDatagramSizeMax = 256;  // what encode_udp_frame writes at most (about 190)

enum class UdpFrameError : std::uint8_t {
  kMalformed,     // not MessagePack, not a map, cut short, or bytes after its end
  kMissingField,  // no arbitration_id
  kBadField,      // a field of the wrong type, or an identifier out of range
  kDataSize,      // more than 8 bytes, or dlc and data disagree
  kUnsupported,   // CAN FD or an error frame
};

// Writes the datagram into `out` (kUdpDatagramSizeMax bytes are always enough) and returns its part of it.
MutableByteSpan encode_udp_frame(const can::Frame& frame, WallTime at, MutableByteSpan out);
Result<can::Frame, UdpFrameError> decode_udp_frame(ByteSpan datagram);

}  // namespace amphora::runtime
