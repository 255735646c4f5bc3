// SPDX-License-Identifier: Apache-2.0
#include "core/link/espnow.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <iterator>
#include <vector>

namespace amphora::espnow {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr NodeId kSource{0x240AC4010203};
constexpr NodeId kPeer{0x30AEA4040506};

// The packets of a capture with 24 bytes of file header and 16 bytes before each packet.
std::vector<Bytes> sample_packets() {
  std::ifstream file{AMPHORA_SOURCE_DIR "/tests/vectors/espnow_sample.pcap", std::ios::binary};
  const Bytes all{std::istreambuf_iterator<char>{file}, {}};
  std::vector<Bytes> packets;
  std::size_t at = 24;
  while (at + 16 <= all.size()) {
    const auto size = load<std::uint32_t>(all.data() + at + 8, Endian::kLittle);
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(at + 16);
    packets.emplace_back(begin, begin + size);
    at += 16 + size;
  }
  return packets;
}

Bytes data_of(const Frame& frame) {
  Bytes out(frame.size);
  EXPECT_EQ(copy_data(frame, out).size(), frame.size);
  return out;
}

Bytes counting(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<std::uint8_t>(i);
  }
  return out;
}

Bytes encoded(const TxHeader& header, const Bytes& data) {
  std::array<std::uint8_t, kTxFrameSizeMax> buffer;
  const auto written = encode_packet(header, data, buffer);
  EXPECT_TRUE(written.ok());
  return {written->begin(), written->end()};
}

TEST(EspNow, reads_the_recorded_frames) {
  const auto packets = sample_packets();
  ASSERT_EQ(packets.size(), 3U);
  const auto first = decode_packet(packets[0]);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->frame.destination, kEverybody);
  EXPECT_EQ(first->frame.source, kSource);
  EXPECT_EQ(first->frame.version, 1);
  EXPECT_EQ(first->frame.random, 0x487934C6U);
  EXPECT_EQ(data_of(first->frame), counting(250));
  EXPECT_TRUE(first->radiotap.is_tx_status());
  EXPECT_FALSE(first->radiotap.is_unacknowledged());
  const auto second = decode_packet(packets[1]);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->frame.destination, kPeer);
  EXPECT_EQ(data_of(second->frame), counting(20));
  const auto third = decode_packet(packets[2]);
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third->frame.version, 2);
  EXPECT_EQ(third->frame.part_count, 6U);
  EXPECT_EQ(third->frame.size, 1470U);
  Bytes expected = counting(1470);
  EXPECT_EQ(data_of(third->frame), expected);
}

TEST(EspNow, writes_the_recorded_frames) {
  for (const Bytes& packet : sample_packets()) {
    const auto decoded = decode_packet(packet);
    ASSERT_TRUE(decoded.ok());
    const TxHeader header{decoded->frame.destination, decoded->frame.source, 0, decoded->frame.random, 0};
    std::array<std::uint8_t, kFrameSizeMax> buffer;
    const auto written = encode_frame(header, data_of(decoded->frame), buffer);
    ASSERT_TRUE(written.ok());
    EXPECT_EQ(Bytes(written->begin(), written->end()), Bytes(packet.begin() + 12, packet.end()));
  }
}

TEST(EspNow, every_cut_of_a_frame_is_refused) {
  for (const Bytes& packet : sample_packets()) {
    for (std::size_t size = 0; size < packet.size(); ++size) {
      EXPECT_FALSE(decode_packet(ByteSpan{packet}.first(size)).ok()) << size;
    }
  }
}

TEST(EspNow, the_send_status_is_found_in_the_radiotap_header) {
  Bytes packet = encoded({kPeer, kSource, 7, 0x01020304, 3}, {0x01});
  auto decoded = decode_packet(packet);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->radiotap.size, kTxRadiotapSize);
  EXPECT_TRUE(decoded->radiotap.is_tx_status());
  EXPECT_FALSE(decoded->radiotap.is_unacknowledged());
  packet[10] = 0x01;
  decoded = decode_packet(packet);
  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(decoded->radiotap.is_unacknowledged());
  EXPECT_EQ(decoded->frame.random, 0x01020304U);
  EXPECT_EQ(decoded->frame.sequence, 7);
}

// As an ath9k writes it: time stamp, flags with check sequence, rate, channel, signal, antenna; two presence
// words.
TEST(EspNow, fields_are_aligned_and_the_check_sequence_is_cut) {
  const Bytes frame = encoded({kPeer, kSource, 1, 5, 0}, {1, 2, 3});
  Bytes packet{0,    0,    36,   0,    0x2F, 0x08, 0x00, 0xA0,
               0x20, 0x08, 0x00, 0x00,                          // words: 0…3, 5, 11, more; 5, 11
               0,    0,    0,    0,                             // to 8 bytes
               1,    2,    3,    4,    5,    6,    7,    8,     // time stamp
               0x10, 0x02, 0x85, 0x09, 0xA0, 0x00, 0xD3, 0x01,  // flags, rate, channel, signal, antenna
               0xD0, 0x00, 0,    0};                            // of the second word
  packet.insert(packet.end(), frame.begin() + kTxRadiotapSize, frame.end());
  EXPECT_EQ(decode_packet(packet).error(), FrameError::kBadElement);  // no check sequence there yet
  packet.insert(packet.end(), {0xDE, 0xAD, 0xBE, 0xEF});
  auto decoded = decode_packet(packet);
  ASSERT_TRUE(decoded.ok()) << to_text(decoded.error());
  EXPECT_EQ(decoded->radiotap.channel_mhz, 2437);
  EXPECT_EQ(channel_of_frequency(*decoded->radiotap.channel_mhz), 6);
  EXPECT_EQ(decoded->radiotap.rssi_dbm, -45);
  EXPECT_FALSE(decoded->radiotap.is_tx_status());
  EXPECT_EQ(data_of(decoded->frame), (Bytes{1, 2, 3}));
  packet[24] = 0x50;
  EXPECT_EQ(decode_packet(packet).error(), FrameError::kBadChecksum);
}

TEST(EspNow, each_reason_to_refuse) {
  const Bytes good = encoded({kPeer, kSource, 1, 5, 0}, {1, 2, 3});
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[kTxRadiotapSize + at] = value;
    return decode_packet(bytes).error();
  };
  EXPECT_EQ(with(0, 0x80), FrameError::kNotAction);
  EXPECT_EQ(with(1, 0x40), FrameError::kProtected);
  EXPECT_EQ(with(24, 0x04), FrameError::kNotEspNow);
  EXPECT_EQ(with(26, 0x00), FrameError::kNotEspNow);
  EXPECT_EQ(with(32, 0xDE), FrameError::kBadElement);
  EXPECT_EQ(with(33, 4), FrameError::kBadElement);  // shorter than its own header
  EXPECT_EQ(with(33, 7), FrameError::kBadElement);  // shorter than the data: bytes after the last element
  EXPECT_EQ(with(33, 9), FrameError::kBadElement);  // longer than what is there
  EXPECT_EQ(with(35, 0), FrameError::kBadElement);
  EXPECT_EQ(with(37, 5), FrameError::kBadElement);
  EXPECT_EQ(with(38, 3), FrameError::kBadElement);
  EXPECT_EQ(with(38, 0x11), FrameError::kBadElement);
  EXPECT_EQ(with(38, 0x12), FrameError::kBadElement);  // more announced, nothing there
  EXPECT_EQ(decode_packet(ByteSpan{good}.first(kTxRadiotapSize + 32)).error(), FrameError::kNoElement);
  EXPECT_EQ(decode_packet(ByteSpan{good}.first(kTxRadiotapSize + 30)).error(), FrameError::kShort);
  EXPECT_EQ(decode_packet(ByteSpan{good}.first(kTxRadiotapSize + 10)).error(), FrameError::kShort);
  Bytes radiotap = good;
  radiotap[0] = 1;
  EXPECT_EQ(decode_packet(radiotap).error(), FrameError::kRadiotapVersion);
  radiotap = good;
  radiotap[2] = 7;
  EXPECT_EQ(decode_packet(radiotap).error(), FrameError::kRadiotapVersion);
  radiotap[2] = 12;
  EXPECT_EQ(decode_packet(radiotap).error(), FrameError::kRadiotapShort);
}

TEST(EspNow, an_element_too_many_is_refused) {
  Bytes frame(kMacHeaderSize + kActionHeaderSize);
  const Bytes start = encoded({kPeer, kSource, 1, 5, 0}, {});
  std::copy_n(start.begin() + kTxRadiotapSize, frame.size(), frame.begin());
  for (int i = 0; i < 7; ++i) {
    const Bytes element{0xDD, 6, 0x18, 0xFE, 0x34, 4, static_cast<std::uint8_t>(i == 6 ? 0x02 : 0x12), 0xAA};
    frame.insert(frame.end(), element.begin(), element.end());
  }
  EXPECT_EQ(decode_frame(frame).error(), FrameError::kTooLong);
}

TEST(EspNow, an_output_without_room_is_refused) {
  std::array<std::uint8_t, kTxFrameSizeMax> buffer;
  const Bytes data = counting(kV2DataMax + 1);
  EXPECT_EQ(encode_packet({}, data, buffer).error(), FrameError::kTooLong);
  EXPECT_EQ(encode_frame({}, data, buffer).error(), FrameError::kTooLong);
  EXPECT_TRUE(encode_packet({}, ByteSpan{data}.first(kV2DataMax), buffer).ok());
  EXPECT_EQ(encode_packet({}, ByteSpan{data}.first(250), MutableByteSpan{buffer}.first(301)).error(),
            FrameError::kNoRoom);
  EXPECT_TRUE(encode_packet({}, ByteSpan{data}.first(250), MutableByteSpan{buffer}.first(302)).ok());
}

TEST(EspNow, channels_and_times) {
  EXPECT_EQ(channel_frequency_mhz(1), 2412);
  EXPECT_EQ(channel_frequency_mhz(13), 2472);
  EXPECT_EQ(channel_frequency_mhz(14), 2484);
  EXPECT_EQ(channel_frequency_mhz(0), 0);
  EXPECT_EQ(channel_frequency_mhz(15), 0);
  for (std::uint8_t channel = 1; channel <= 14; ++channel) {
    EXPECT_EQ(channel_of_frequency(channel_frequency_mhz(channel)), channel);
  }
  EXPECT_EQ(channel_of_frequency(5180), 0);
  EXPECT_EQ(airtime_us(250), 2536U);
  EXPECT_EQ(airtime_us(250) + kAckTimeUs, 2850U);
  EXPECT_EQ(airtime_us(250) + kAckTimeUs + kAccessTimeUs, 3210U);
}

RC_GTEST_PROP(EspNowProperty, what_is_written_is_read, ()) {
  const auto data = *rc::gen::resize(1470, rc::gen::arbitrary<Bytes>());
  RC_PRE(data.size() <= kV2DataMax);
  TxHeader header;
  header.destination.value = *rc::gen::inRange<std::uint64_t>(0, 1ULL << 48U);
  header.source.value = *rc::gen::inRange<std::uint64_t>(0, 1ULL << 48U);
  header.sequence = *rc::gen::inRange<std::uint16_t>(0, 4096);
  header.random = *rc::gen::arbitrary<std::uint32_t>();
  header.retries = *rc::gen::arbitrary<std::uint8_t>();
  const Bytes packet = encoded(header, data);
  const auto decoded = decode_packet(packet);
  RC_ASSERT(decoded.ok());
  RC_ASSERT(decoded->frame.destination == header.destination);
  RC_ASSERT(decoded->frame.source == header.source);
  RC_ASSERT(decoded->frame.sequence == header.sequence);
  RC_ASSERT(decoded->frame.random == header.random);
  RC_ASSERT(decoded->frame.version == (data.size() > 250 ? 2 : 1));
  RC_ASSERT(data_of(decoded->frame) == data);
}

}  // namespace
}  // namespace amphora::espnow
