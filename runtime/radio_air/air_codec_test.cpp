// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio_air/air_codec.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace amphora::runtime::air {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr NodeId kA{0x020000000001};
constexpr NodeId kB{0x020000000002};

Bytes encoded(const Datagram& datagram) {
  std::array<std::uint8_t, kDatagramSizeMax> buffer;
  const MutableByteSpan written = encode_datagram(datagram, buffer);
  return {written.begin(), written.end()};
}

TEST(AirCodec, bytes_of_each_message) {
  const Bytes data{0xAA, 0xBB};
  EXPECT_EQ(encoded(Hello{0x0102030405060708, kA, 6, true}),
            (Bytes{'A', 'A', 'R', '1', 1, 8, 7, 6, 5, 4, 3, 2, 1, 2, 0, 0, 0, 0, 1, 6, 1}));
  EXPECT_EQ(encoded(Send{0x01020304, kB, data}),
            (Bytes{'A', 'A', 'R', '1', 2, 4, 3, 2, 1, 2, 0, 0, 0, 0, 2, 2, 0, 0xAA, 0xBB}));
  EXPECT_EQ(encoded(SetChannel{5, 11}), (Bytes{'A', 'A', 'R', '1', 3, 5, 0, 0, 0, 11}));
  EXPECT_EQ(encoded(Bye{}), (Bytes{'A', 'A', 'R', '1', 4}));
  EXPECT_EQ(encoded(Welcome{1, HelloResult::kReplaced, 3}),
            (Bytes{'A', 'A', 'R', '1', 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 1, 3}));
  EXPECT_EQ(encoded(Sent{9, RadioSendResult::kNoAck}), (Bytes{'A', 'A', 'R', '1', 0x82, 9, 0, 0, 0, 1}));
  EXPECT_EQ(encoded(ChannelSet{9, 13, true}), (Bytes{'A', 'A', 'R', '1', 0x83, 9, 0, 0, 0, 13, 0}));
  EXPECT_EQ(encoded(Received{kA, kB, -50, data}),
            (Bytes{'A', 'A', 'R', '1', 0x84, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0xCE, 2, 0, 0xAA, 0xBB}));
}

TEST(AirCodec, what_is_written_is_read_and_every_cut_is_refused) {
  const Bytes data(kRadioDataMax, 0x5A);
  const std::vector<Datagram> all{Hello{7, kA, 1, false},
                                  Send{1, kEverybody, data},
                                  SetChannel{2, 14},
                                  Bye{},
                                  Welcome{7, HelloResult::kFull, 1},
                                  Sent{3, RadioSendResult::kNotSent},
                                  ChannelSet{4, 9, false},
                                  Received{kA, kB, 10, data}};
  for (const Datagram& datagram : all) {
    const Bytes bytes = encoded(datagram);
    const auto again = decode_datagram(bytes);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->index(), datagram.index());
    EXPECT_EQ(encoded(*again), bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(decode_datagram(ByteSpan{bytes}.first(size)).ok());
    }
    Bytes longer = bytes;
    longer.push_back(0);
    EXPECT_EQ(decode_datagram(longer).error(), DatagramError::kLength);
  }
}

TEST(AirCodec, each_reason_to_refuse) {
  EXPECT_EQ(decode_datagram(Bytes{'A', 'A', 'R', '2', 4}).error(), DatagramError::kNotOurs);
  EXPECT_EQ(decode_datagram(Bytes{'A', 'A', 'R', '1'}).error(), DatagramError::kLength);
  EXPECT_EQ(decode_datagram(Bytes{'A', 'A', 'R', '1', 9}).error(), DatagramError::kUnknownKind);
  EXPECT_EQ(decode_datagram(Bytes{'A', 'A', 'R', '1', 0x82, 9, 0, 0, 0, 3}).error(),
            DatagramError::kBadField);
  EXPECT_EQ(decode_datagram(Bytes{'A', 'A', 'R', '1', 0x83, 9, 0, 0, 0, 1, 2}).error(),
            DatagramError::kBadField);
  Bytes too_long{'A', 'A', 'R', '1', 2, 4, 3, 2, 1, 2, 0, 0, 0, 0, 2, 251, 0};
  too_long.resize(too_long.size() + 251);
  EXPECT_EQ(decode_datagram(too_long).error(), DatagramError::kBadField);
}

}  // namespace
}  // namespace amphora::runtime::air
