// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/section_record.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/crc.hpp"
#include "core/base/rng.hpp"
#include "core/can/dbc_test_support.hpp"
#include "core/packnet/frames.hpp"

namespace amphora::packnet {
namespace {

RecordSeal seal_of(bool is_sealed, std::uint8_t secret = 1) {
  crypto::Key bus_key{};
  bus_key[0] = secret;
  return {is_sealed, section_key(bus_key)};
}

state::Record any_record(Rng& rng) {
  state::Record record;
  record.version = static_cast<std::uint32_t>(rng.next());
  record.stamp.physical_ms = rng.next() & 0xFFFF'FFFF'FFFFU;
  record.stamp.logical = static_cast<std::uint16_t>(rng.next());
  record.origin.value = rng.next() & 0xFFFF'FFFF'FFFFU;
  std::vector<std::uint8_t> payload(rng.below(state::kPayloadSizeMax + 1));
  for (std::uint8_t& byte : payload) {
    byte = static_cast<std::uint8_t>(rng.next());
  }
  record.payload = state::Payload{payload};
  return record;
}

TEST(SectionFrames, BytesAreAsDocumented) {
  EXPECT_EQ(encode_share(Announcement{9, 0x030201, 0x07060504}),
            (ShareFrame{0x19, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07}));
  EXPECT_EQ(encode_share(RecordSegment{12, false, 4, {1, 2, 3, 4, 5, 6}}),
            (ShareFrame{0x2C, 4, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(encode_share(RecordSegment{13, true, 38, {1, 2, 3, 4, 5, 6}}),
            (ShareFrame{0x3D, 38, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(kSegmentsMax, 39U);
}

TEST(SectionFrames, AnyBytesAreDecodedOrRefused) {
  Rng rng{3};
  int decoded_count = 0;
  for (int run = 0; run < 20'000; ++run) {
    std::vector<std::uint8_t> bytes(rng.below(10));
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(rng.next());
    }
    const auto decoded = decode_share(bytes);
    const bool is_ours = bytes.size() == 8 && bytes[0] >= 0x10 && bytes[0] < 0x40;
    ASSERT_EQ(decoded.has_value(), is_ours);
    if (decoded) {
      ++decoded_count;
      const ShareFrame again = encode_share(*decoded);
      ASSERT_TRUE(std::ranges::equal(again, bytes));
    }
  }
  EXPECT_GT(decoded_count, 100);
}

TEST(SectionFrames, HaveTheFieldsOfTheTable) {
  const can::Dbc dbc = can::read_dbc();
  ASSERT_TRUE(dbc.contains(kStateBase + 1));
  const can::DbcMessage& message = dbc.at(kStateBase + 1);
  EXPECT_EQ(message.size, 8U);
  const auto expect = [&message](const ShareMessage& sent, const std::map<std::string, double>& values) {
    const ShareFrame bytes = encode_share(sent);
    can::Frame frame;
    frame.size = 8;
    std::ranges::copy(bytes, frame.data.begin());
    std::size_t count = 0;
    for (const can::Signal& signal : message.signals) {
      if (signal.page >= 0 && signal.page != bytes[0] >> 4U) {
        continue;
      }
      ++count;
      ASSERT_TRUE(values.contains(signal.name)) << signal.name;
      EXPECT_EQ(can::physical(frame, signal), values.at(signal.name)) << signal.name;
    }
    EXPECT_EQ(count, values.size());
  };
  expect(Announcement{9, 0xABCDEF, 0x8765'4321U},
         {{"kind", 1}, {"section", 9}, {"digest", 0xABCDEF}, {"stamp", 0x8765'4321U}});
  expect(RecordSegment{12, false, 3, {1, 0, 0, 0, 0, 0x80}},
         {{"kind", 2}, {"section", 12}, {"plain_index", 3}, {"plain_data", 0x8000'0000'0001}});
  expect(RecordSegment{13, true, 38, {2, 0, 0, 0, 0, 1}},
         {{"kind", 3}, {"section", 13}, {"sealed_index", 38}, {"sealed_data", 0x0100'0000'0002}});
}

TEST(SectionRecords, BytesAreAsDocumented) {
  const std::vector<std::uint8_t> payload{0xAA, 0xBB};
  const state::Record record{
      0x0102'0304, {0x0A0B'0C0D'0E0F, 0x1122}, NodeId{0x0200'0000'0005}, state::Payload{payload}};
  const RecordBytes bytes = encode_record(9, record, seal_of(false));
  const PayloadDigest digest = digest_of(record.payload);
  std::vector<std::uint8_t> expected{28,
                                     static_cast<std::uint8_t>(digest & 0xFFU),
                                     static_cast<std::uint8_t>(digest >> 8U & 0xFFU),
                                     static_cast<std::uint8_t>(digest >> 16U),
                                     0x04,
                                     0x03,
                                     0x02,
                                     0x01,
                                     0x0F,
                                     0x0E,
                                     0x0D,
                                     0x0C,
                                     0x0B,
                                     0x0A,
                                     0x22,
                                     0x11,
                                     0x02,
                                     0x00,
                                     0x00,
                                     0x00,
                                     0x00,
                                     0x05,
                                     0xAA,
                                     0xBB};
  std::vector<std::uint8_t> checked{9};
  checked.insert(checked.end(), expected.begin(), expected.end());
  std::array<std::uint8_t, 4> crc{};
  store(crc.data(), crc32(checked), Endian::kLittle);
  expected.insert(expected.end(), crc.begin(), crc.end());
  EXPECT_TRUE(std::ranges::equal(bytes.view(), expected));
  constexpr std::array<std::uint8_t, 9> kCheck{'1', '2', '3', '4', '5', '6', '7', '8', '9'};
  EXPECT_EQ(crc32(kCheck), 0xCBF4'3926U);
  EXPECT_EQ(crc32(ByteSpan{kCheck}.subspan(4), crc32(ByteSpan{kCheck}.first(4))), 0xCBF4'3926U);
}

TEST(SectionRecords, SurviveTheBytes) {
  Rng rng{5};
  for (int run = 0; run < 2000; ++run) {
    const state::Record record = any_record(rng);
    const auto section = static_cast<state::SectionId>(rng.below(16));
    const RecordSeal seal = seal_of(rng.chance(500'000));
    const RecordBytes bytes = encode_record(section, record, seal);
    const auto decoded = decode_record(section, bytes.view(), seal);
    ASSERT_TRUE(decoded.ok());
    ASSERT_EQ(*decoded, record);
  }
}

TEST(SectionRecords, NoAlteredOneIsTaken) {
  Rng rng{6};
  for (const bool is_sealed : {false, true}) {
    const RecordSeal seal = seal_of(is_sealed);
    const state::Record record = any_record(rng);
    const RecordBytes bytes = encode_record(9, record, seal);
    for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
      std::vector<std::uint8_t> altered{bytes.view().begin(), bytes.view().end()};
      altered[i / 8] = static_cast<std::uint8_t>(altered[i / 8] ^ (1U << (i % 8)));
      ASSERT_FALSE(decode_record(9, altered, seal).ok()) << i;
    }
    EXPECT_EQ(decode_record(12, bytes.view(), seal).error(), RecordError::kBadCheck) << "of another section";
    EXPECT_EQ(decode_record(9, bytes.view().first(bytes.size() - 1), seal).error(), RecordError::kBadSize);
    EXPECT_EQ(decode_record(9, {}, seal).error(), RecordError::kBadSize);
  }
  const RecordBytes sealed = encode_record(9, any_record(rng), seal_of(true));
  EXPECT_EQ(decode_record(9, sealed.view(), seal_of(true, 2)).error(), RecordError::kBadCheck);
  EXPECT_FALSE(decode_record(9, sealed.view(), seal_of(false)).ok());
  EXPECT_EQ(to_text(RecordError::kBadCheck), "bad_check");
}

TEST(SectionRecords, TheFirstSegmentTellsSizeAndContent) {
  Rng rng{8};
  const state::Record record = any_record(rng);
  const RecordBytes bytes = encode_record(9, record, seal_of(true));
  RecordSegment first{9, true, 0, {}};
  std::ranges::copy(bytes.view().first(kSegmentSize), first.data.begin());
  EXPECT_EQ(record_size(first), bytes.size());
  EXPECT_EQ(record_digest(first), digest_of(record.payload));
}

TEST(SectionRecords, DigestsAreOfTheContentAlone) {
  EXPECT_EQ(digest_of(state::Payload{}), 0U);
  Rng rng{9};
  for (int run = 0; run < 1000; ++run) {
    const state::Record record = any_record(rng);
    const PayloadDigest digest = digest_of(record.payload);
    EXPECT_LE(digest, 0xFF'FFFFU);
    EXPECT_EQ(digest == 0, record.payload.is_empty());
  }
  EXPECT_EQ(seconds_of({1999, 3}), 1U);
  EXPECT_EQ(seconds_of({state::kStampPhysicalMax, 0}), 0xFFFF'FFFFU) << "the year 2248 does not wrap";
}

}  // namespace
}  // namespace amphora::packnet
