// SPDX-License-Identifier: Apache-2.0
#include "core/link/messages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/crc.hpp"
#include "core/base/rng.hpp"

namespace amphora::link {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes encoded(const Message& message) {
  Bytes bytes(kMessageSizeMax);
  bytes.resize(encode(message, bytes));
  return bytes;
}

std::string hex(const Bytes& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

state::Record sample_record(std::size_t payload_size) {
  state::Record record{7, {0x0123456789AB, 0xCDEF}, NodeId{0x24'0A'C4'01'02'03}, {}};
  const Bytes payload(payload_size, 0x5A);
  record.payload = state::Payload{payload};
  return record;
}

telemetry::CellsChunk sample_cells() {
  telemetry::CellsChunk chunk{telemetry::CellsKind::kTemperature, 1, 3, 32, 32, 0x11223344, {}};
  for (std::size_t i = 0; i < chunk.values.size(); ++i) {
    chunk.values[i] = static_cast<std::uint16_t>(3300 + i);
  }
  return chunk;
}

telemetry::Reading sample_reading(std::size_t size, std::uint64_t seed) {
  telemetry::Reading reading{{0xA1A2A3A4, 0xB1B2B3B4, 1, {}}};
  Rng rng{seed};
  Bytes payload(size);
  for (std::uint8_t& byte : payload) {
    byte = seed == 0 ? 0x11 : static_cast<std::uint8_t>(rng.next());
  }
  EXPECT_TRUE(reading.entry.payload.assign(payload));
  return reading;
}

state::Beacon sample_beacon(std::uint8_t count) {
  state::Beacon beacon{.count = count,
                       .versions = {},
                       .stamps = {},
                       .digest = 0x0102030405060708,
                       .status = 3,
                       .wants_answer = (count % 2) == 0};
  for (std::size_t i = 0; i < count; ++i) {
    beacon.versions[i] = static_cast<std::uint32_t>(100 + i);
    beacon.stamps[i] = {1'000'000 + i, static_cast<std::uint16_t>(i)};
  }
  return beacon;
}

std::vector<Message> samples() {
  std::vector<Message> all{
      Probe{0x01020304},
      ProbeAck{5, 6, std::nullopt, std::nullopt},
      ProbeAck{5, 6, kProtocolVersion, 77},
      state::Hello{1},
      state::Challenge{1, 2},
      state::Confirm{1, 2, {true, {3, 4}}},
      state::Grant{1, 2, 3, {false, {0xFFFFFFFFFFFF, 0xFFFF}}},
      sample_beacon(0),
      sample_beacon(state::kSectionCountMax),
      LegacyBeacon{4, {1, 2, 3, 4}, 1},
      LegacyBeacon{6, {1, 2, 3, 4, 5, 6}, 2},
      state::Request{3, 9},
      state::SectionData{3, sample_record(0), 0, 1},
      state::SectionData{15, sample_record(state::kPayloadSizeMax), 1, 2},
      state::SectionAck{3, 9, {1, 2}, state::AckResult::kStoreFailed},
      sample_cells(),
      Heartbeat{0xFFFFFFFF, 1},
      HeartbeatAck{0x12345678, 0},
      sample_reading(0, 1),
      sample_reading(telemetry::kReadingSizeMax, 1),
      sample_reading(telemetry::kReadingSizeMax, 0),
      telemetry::ReadingAck{1, 2, 3},
      telemetry::Gaps{9, 0, {}},
      telemetry::Gaps{9, 20, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}},
  };
  all.emplace_back(PairStart{1, {2, 3}});
  all.emplace_back(PairReply{1, {2, 3}, {4}});
  all.emplace_back(PairConfirm{1, {2}});
  all.emplace_back(PairResult{1, PairOutcome::kBusy, {}});
  telemetry::Manifest manifest{4, 10, 20, 11, {}};
  manifest.digest = telemetry::manifest_digest(manifest);
  all.emplace_back(manifest);
  return all;
}

TEST(LinkMessages, EveryMessageComesBackAsItWas) {
  for (const Message& message : samples()) {
    const Bytes bytes = encoded(message);
    EXPECT_LE(bytes.size(), kMessageSizeMax);
    const auto decoded = decode(bytes);
    ASSERT_TRUE(decoded.ok()) << hex(bytes) << ": " << to_text(decoded.error());
    EXPECT_TRUE(*decoded == message) << hex(bytes);
    EXPECT_FALSE(name_of(static_cast<Type>(bytes[0])).empty());
  }
}

// A frame that is cut anywhere, or has bytes too many, is refused. What may be cut is named: the extensions
// of older forms, and payloads of any length.
TEST(LinkMessages, NoMessageIsTakenWithTheWrongLength) {
  for (const Message& message : samples()) {
    const Bytes bytes = encoded(message);
    const auto type = static_cast<Type>(bytes[0]);
    const bool has_payload = type == Type::kSection || type == Type::kReading;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto decoded = decode(ByteSpan{bytes}.first(size));
      if (decoded.ok()) {
        const bool is_older_form = (type == Type::kProbeAck && size == 6) ||
                                   (type == Type::kBeacon && std::get_if<LegacyBeacon>(&*decoded) != nullptr);
        EXPECT_TRUE(has_payload || is_older_form) << hex(bytes) << " cut to " << size;
      }
    }
    Bytes longer = bytes;
    longer.push_back(0);
    EXPECT_TRUE(has_payload || !decode(longer).ok() || type == Type::kBeacon) << hex(longer);
  }
}

// Written down once, so that another implementation has something to compare with. docs/protocols/link.md
// shows the same bytes.
TEST(LinkMessages, VectorsOfTheDocument) {
  EXPECT_EQ(hex(encoded(Probe{0x01020304})), "0104030201");
  EXPECT_EQ(hex(encoded(ProbeAck{0x01020304, 6, kProtocolVersion, 0x0A})), "020403020106030a000000");
  EXPECT_EQ(hex(encoded(Heartbeat{60'000, 1})), "3160ea000001");
  EXPECT_EQ(hex(encoded(HeartbeatAck{60'000, 1})), "3260ea000001");
  EXPECT_EQ(hex(encoded(telemetry::ReadingAck{42, 41, 30})), "372a000000290000001e00");
  EXPECT_EQ(hex(encoded(state::Request{4, 7})), "21040700000000000000000000000000");
  EXPECT_EQ(hex(encoded(telemetry::Gaps{41, 2, {42, 44}})), "3a29000000022a0000002c000000");
}

TEST(LinkMessages, CellsHaveTheLengthOfTheOlderDesign) {
  EXPECT_EQ(encoded(sample_cells()).size(), 81U);
  EXPECT_EQ(encoded(LegacyBeacon{4, {}, 0}).size(), 20U);
  EXPECT_EQ(encoded(state::Request{}).size(), 16U);
}

TEST(LinkMessages, CellsWithABadChecksumAreRefused) {
  Bytes bytes = encoded(sample_cells());
  bytes[20] = static_cast<std::uint8_t>(bytes[20] ^ 1U);
  EXPECT_EQ(decode(bytes).error(), DecodeError::kBadChecksum);
}

TEST(LinkMessages, ValuesThatNoSenderWritesAreRefused) {
  EXPECT_EQ(decode(Bytes{}).error(), DecodeError::kEmpty);
  EXPECT_EQ(decode(Bytes{0x00}).error(), DecodeError::kUnknownType);
  EXPECT_EQ(decode(Bytes{0x30, 1, 2}).error(), DecodeError::kUnknownType);

  Bytes ack = encoded(state::SectionAck{3, 9, {1, 2}, state::AckResult::kDurable});
  ack[6] = 9;
  EXPECT_EQ(decode(ack).error(), DecodeError::kBadValue);

  Bytes gaps = encoded(telemetry::Gaps{9, 20, {}});
  gaps[5] = 21;
  EXPECT_EQ(decode(gaps).error(), DecodeError::kBadValue);

  Bytes beacon = encoded(sample_beacon(state::kSectionCountMax));
  beacon[1] = 17;
  EXPECT_EQ(decode(beacon).error(), DecodeError::kBadValue);
}

TEST(LinkMessages, AQuietReadingIsCompressed) {
  const Bytes quiet = encoded(sample_reading(90, 0));
  EXPECT_EQ(quiet[0], static_cast<std::uint8_t>(Type::kCompressedReading));
  EXPECT_LT(quiet.size(), 60U);
  const Bytes noise = encoded(sample_reading(90, 1));
  EXPECT_EQ(noise[0], static_cast<std::uint8_t>(Type::kReading));
}

TEST(LinkMessages, ACompressedReadingThatLiesAboutItsSizeIsRefused) {
  Bytes bytes = encoded(sample_reading(90, 0));
  bytes[2] = static_cast<std::uint8_t>(bytes[2] + 1);
  EXPECT_FALSE(decode(bytes).ok());
  bytes[3] = 0xFF;
  EXPECT_EQ(decode(bytes).error(), DecodeError::kBadLength);
}

// What a decoder accepts must encode to something it decodes to the same: no second meaning of any byte.
TEST(LinkMessages, RandomBytesNeverDecodeAmbiguously) {
  Rng rng{11};
  const std::vector<Message> seeds = samples();
  std::size_t accepted = 0;
  for (int i = 0; i < 100'000; ++i) {
    Bytes bytes = encoded(seeds[rng.below(static_cast<std::uint32_t>(seeds.size()))]);
    const std::uint32_t changes = rng.below(4);
    for (std::uint32_t change = 0; change < changes && !bytes.empty(); ++change) {
      bytes[rng.below(static_cast<std::uint32_t>(bytes.size()))] = static_cast<std::uint8_t>(rng.next());
    }
    const auto decoded = decode(bytes);
    if (decoded.ok()) {
      ++accepted;
      const auto again = decode(encoded(*decoded));
      ASSERT_TRUE(again.ok()) << hex(bytes);
      ASSERT_TRUE(*again == *decoded) << hex(bytes);
    }
  }
  EXPECT_GT(accepted, 20'000U);
}

}  // namespace
}  // namespace amphora::link
