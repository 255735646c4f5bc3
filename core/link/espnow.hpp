// SPDX-License-Identifier: Apache-2.0
// ESP-NOW frames as they stand on the air and in captures: radiotap header, 802.11 action frame, vendor
// elements.
//
// An ESP-NOW frame is a vendor-specific action frame (category 127, OUI 18:fe:34) with four random bytes and
// one (version 1) or up to six (version 2) vendor elements of at most 250 bytes of data each. Version 2 marks
// each element but the last with "more follows". On Linux and in captures a radiotap header stands in front;
// on the way out it asks for rate and retries, on the way back it tells by its TX flags whether the frame was
// acknowledged.
//
// Everything here is pure: bytes in, values out, no clock, no allocation. A decoded frame's data are views
// into the bytes it was decoded from. docs/protocols/espnow.md shows the bytes.
//
// What it does not do: ESP-NOW's own encryption (such frames are "protected" and are refused by name), and
// any filter on the third address, into which an ESP8266 writes the destination.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/node_id.hpp"
#include "core/base/result.hpp"

namespace amphora::espnow {

inline constexpr std::size_t kElementDataMax = 250;
inline constexpr std::size_t kElementCountMax = 6;
inline constexpr std::size_t kV1DataMax = kElementDataMax;
inline constexpr std::size_t kV2DataMax = 1470;
inline constexpr std::size_t kMacHeaderSize = 24;
inline constexpr std::size_t kActionHeaderSize = 8;   // category, OUI, random bytes
inline constexpr std::size_t kElementHeaderSize = 7;  // id, length, OUI, type, version
inline constexpr std::size_t kTxRadiotapSize = 13;
// The longest frame encode_frame() writes without its radiotap header.
inline constexpr std::size_t kFrameSizeMax =
    kMacHeaderSize + kActionHeaderSize + kElementCountMax * kElementHeaderSize + kV2DataMax;
inline constexpr std::size_t kTxFrameSizeMax = kTxRadiotapSize + kFrameSizeMax;

enum class FrameError : std::uint8_t {
  kRadiotapShort,    // cut within the radiotap header
  kRadiotapVersion,  // not version 0, or a length that cannot be
  kBadChecksum,      // the radio says that the frame check sequence was wrong
  kShort,            // cut within the 802.11 header or the action header
  kNotAction,        // another kind of 802.11 frame
  kProtected,        // encrypted by 802.11: nothing can be read
  kNotEspNow,        // an action frame of another category or vendor
  kBadElement,       // an element that is cut, of another kind, of mixed versions, or one after the last
  kNoElement,        // nothing after the random bytes
  kTooLong,          // more elements or data than the version allows
  kNoRoom,           // encode: the output is too small
};
std::string_view to_text(FrameError error);

// What a radiotap header says, as far as it matters here. Fields the header does not have are absent.
struct Radiotap {
  std::size_t size = 0;               // of the header: the 802.11 frame begins here
  std::optional<std::uint8_t> flags;  // bit 4: the frame ends with its check sequence, bit 6: that was wrong
  std::optional<std::uint16_t> channel_mhz;
  std::optional<std::int8_t> rssi_dbm;
  std::optional<std::uint16_t>
      tx_flags;  // present: this is the status of a frame that was sent; bit 0: not acked
  constexpr bool has_checksum() const { return flags && (*flags & 0x10U) != 0; }
  constexpr bool has_bad_checksum() const { return flags && (*flags & 0x40U) != 0; }
  constexpr bool is_tx_status() const { return tx_flags.has_value(); }
  constexpr bool is_unacknowledged() const { return tx_flags && (*tx_flags & 0x01U) != 0; }
};

// Understands the fields that the standard numbers 0 to 22; later ones are skipped by the header's length.
Result<Radiotap, FrameError> decode_radiotap(ByteSpan packet);

struct Frame {
  NodeId destination;
  NodeId source;
  std::uint16_t sequence = 0;  // 12 bits, counted by the sender
  bool is_retry = false;       // the sender's radio repeats a frame whose ack it missed
  std::uint32_t random = 0;    // the four bytes, first byte highest
  std::uint8_t version = 1;    // 1 or 2
  std::size_t size = 0;        // of the data of all elements
  std::array<ByteSpan, kElementCountMax> parts{};
  std::size_t part_count = 0;

  // Version 1: all data without copying. Version 2: the first part.
  constexpr ByteSpan first_part() const { return parts[0]; }
};

// `bytes` begins with the 802.11 header and has no check sequence at its end.
Result<Frame, FrameError> decode_frame(ByteSpan bytes);

// Radiotap header and frame at once. A check sequence at the end is cut off; a wrong one is an error.
struct Packet {
  Radiotap radiotap;
  Frame frame;
};
Result<Packet, FrameError> decode_packet(ByteSpan packet);

// Puts the parts together; `out` has room for frame.size bytes. Returns what was written.
MutableByteSpan copy_data(const Frame& frame, MutableByteSpan out);

struct TxHeader {
  NodeId destination;
  NodeId source;
  std::uint16_t sequence = 0;  // 12 bits are used
  std::uint32_t random = 0;    // must differ from frame to frame: the send status is found by it
  std::uint8_t retries = 0;    // after the first try; for unicast
};

// Writes radiotap header (1 Mbit/s, the rate of ESP-NOW) and frame: version 1 up to 250 bytes, version 2
// above. `out` of kTxFrameSizeMax bytes is always enough. kTooLong above kV2DataMax bytes.
Result<MutableByteSpan, FrameError> encode_packet(const TxHeader& header, ByteSpan data, MutableByteSpan out);
// The same without the radiotap header.
Result<MutableByteSpan, FrameError> encode_frame(const TxHeader& header, ByteSpan data, MutableByteSpan out);

// Centre frequency of channels 1 to 14 in MHz, 0 for others; and back.
constexpr std::uint16_t channel_frequency_mhz(std::uint8_t channel) {
  if (channel == 14) {
    return 2484;
  }
  return channel >= 1 && channel <= 13 ? static_cast<std::uint16_t>(2407 + 5 * channel) : std::uint16_t{0};
}
constexpr std::uint8_t channel_of_frequency(std::uint32_t mhz) {
  if (mhz == 2484) {
    return 14;
  }
  return mhz >= 2412 && mhz <= 2472 && (mhz - 2407) % 5 == 0 ? static_cast<std::uint8_t>((mhz - 2407) / 5)
                                                             : std::uint8_t{0};
}

// Time on the air at 1 Mbit/s (802.11b, long preamble), in microseconds: 192 us preamble and header, 8 us a
// byte with check sequence; for 250 bytes of data 2,536 us. With the ack (10 us pause, 304 us) 2,850 us; with
// the pause before (50 us and on average 310 us of back-off) a cycle of 3,210 us. Version 1 frames only.
constexpr std::uint32_t airtime_us(std::size_t data_size) {
  return static_cast<std::uint32_t>(
      192 + 8 * (kMacHeaderSize + kActionHeaderSize + kElementHeaderSize + data_size + 4));
}
inline constexpr std::uint32_t kAckTimeUs = 10 + 192 + 8 * 14;
inline constexpr std::uint32_t kAccessTimeUs = 50 + 310;

}  // namespace amphora::espnow
