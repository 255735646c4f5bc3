// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/stream.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string_view>
#include <vector>

#include "core/base/crc.hpp"
#include "core/bms/tinybms/test_support.hpp"

namespace amphora::tinybms {
namespace {

using test::bytes_of;
using Bytes = std::vector<std::uint8_t>;

struct Found {
  ReplyKind kind;
  Command command;
  Bytes payload;
};

// Feeds in pieces of `step` bytes and collects every answer.
std::vector<Found> read_all(ReplyReader& reader, ByteSpan bytes, std::size_t step) {
  std::vector<Found> found;
  const auto drain = [&] {
    while (const auto reply = reader.poll()) {
      found.push_back({reply->kind, reply->command, Bytes{reply->payload.begin(), reply->payload.end()}});
    }
  };
  while (!bytes.empty()) {
    ByteSpan piece = bytes.first(std::min(step, bytes.size()));
    bytes = bytes.subspan(piece.size());
    while (!piece.empty()) {
      piece = reader.feed(piece);
      drain();
    }
  }
  return found;
}

void append(Bytes& to, const Bytes& from) {
  to.insert(to.end(), from.begin(), from.end());
}

Bytes text(std::string_view characters) {
  return Bytes{characters.begin(), characters.end()};
}

const Bytes kCells = bytes_of("AA 03 0A 97 40 97 40 97 2C 97 2C 97 2C 3E C7");

TEST(TinyBmsReplyReader, FindsAnAnswerInsideBroadcastText) {
  Bytes line = text("MST:\tEXT1:----\tEXT2:----\tOS:155\r\n");
  append(line, kCells);
  append(line, text("BPV:49.05\tMINCV:3.766\r\n"));
  for (const std::size_t step : {1U, 2U, 7U, 300U}) {
    ReplyReader reader;
    reader.expect(make_read_modbus(5, 5));
    const auto found = read_all(reader, line, step);
    ASSERT_EQ(found.size(), 1U) << "step " << step;
    EXPECT_EQ(found[0].payload.size(), 10U);
    EXPECT_EQ(reader.counters().noise_bytes, line.size() - kCells.size());
    EXPECT_EQ(reader.counters().frames, 1U);
  }
}

TEST(TinyBmsReplyReader, AnswersThatNobodyAskedForAreCountedNotDelivered) {
  ReplyReader reader;
  reader.expect(make_read_modbus(0, 57));
  EXPECT_TRUE(read_all(reader, kCells, 4).empty());
  EXPECT_EQ(reader.counters().unexpected_frames, 1U);
  reader.expect_nothing();
  EXPECT_TRUE(read_all(reader, kCells, 4).empty());
  EXPECT_EQ(reader.counters().unexpected_frames, 2U);
}

TEST(TinyBmsReplyReader, JoinedAnswersAreTwo) {
  Bytes line = kCells;
  append(line, kCells);
  ReplyReader reader;
  reader.expect(make_read_modbus(5, 5));
  EXPECT_EQ(read_all(reader, line, 100).size(), 1U);
  EXPECT_EQ(reader.counters().unexpected_frames, 1U) << "the second one answers nothing";
}

TEST(TinyBmsReplyReader, ATruncatedAnswerDoesNotSwallowTheNext) {
  for (std::size_t cut = 1; cut < kCells.size(); ++cut) {
    Bytes line{kCells.begin(), kCells.begin() + static_cast<std::ptrdiff_t>(cut)};
    append(line, kCells);
    ReplyReader reader;
    reader.expect(make_read_modbus(5, 5));
    EXPECT_EQ(read_all(reader, line, 3).size(), 1U) << "cut after " << cut;
  }
}

TEST(TinyBmsReplyReader, AWrongCrcIsCountedAndSkipped) {
  Bytes line = kCells;
  line[6] ^= 1;
  append(line, kCells);
  ReplyReader reader;
  reader.expect(make_read_modbus(5, 5));
  EXPECT_EQ(read_all(reader, line, 5).size(), 1U);
  EXPECT_EQ(reader.counters().crc_errors, 1U);
}

TEST(TinyBmsReplyReader, ANackIsAnAnswer) {
  ReplyReader reader;
  reader.expect(make_read_modbus(5, 5));
  const auto found = read_all(reader, bytes_of("AA 00 03 01 E0 CC"), 1);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, ReplyKind::kNack);
}

TEST(TinyBmsReplyReader, ANackOfAnotherCommandIsNot) {
  ReplyReader reader;
  reader.expect(make_query(Command::kNewestEvents));
  EXPECT_TRUE(read_all(reader, bytes_of("AA 00 03 01 E0 CC"), 1).empty());
}

TEST(TinyBmsReplyReader, PutsPacketsTogether) {
  Bytes payload(90);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    payload[i] = static_cast<std::uint8_t>(0xAA + i);
  }
  const Bytes line = test::encoded_data(Command::kReadBlock, payload);
  for (const std::size_t step : {1U, 33U, 200U}) {
    ReplyReader reader;
    reader.expect(make_read_block(0, 45));
    const auto found = read_all(reader, line, step);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].payload, payload);
  }
}

TEST(TinyBmsReplyReader, AMissingPacketIsNotGluedOver) {
  const Bytes payload(190, 0x55);
  const Bytes line = test::encoded_data(Command::kReadBlock, payload);
  Bytes broken{line.begin(), line.begin() + 68};
  broken.insert(broken.end(), line.begin() + 136, line.end());  // the second packet is lost
  ReplyReader reader;
  reader.expect(make_read_block(0, 95));
  EXPECT_TRUE(read_all(reader, broken, 10).empty());
  EXPECT_GT(reader.counters().unexpected_frames, 0U);
}

TEST(TinyBmsReplyReader, FlushLooksBehindAFalseBeginning) {
  // A spoilt header that promises 114 bytes, then the refusal.
  Bytes line = bytes_of("AA 03 72 01");
  append(line, bytes_of("AA 00 03 01 E0 CC"));
  ReplyReader reader;
  reader.expect(make_read_modbus(0, 57));
  EXPECT_TRUE(read_all(reader, line, 1).empty());
  reader.flush();
  const auto reply = reader.poll();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->kind, ReplyKind::kNack);
}

Bytes noise_without(std::uint8_t forbidden) {
  Bytes noise = *rc::gen::arbitrary<Bytes>();
  for (std::uint8_t& byte : noise) {
    byte = byte == forbidden ? std::uint8_t{0} : byte;
  }
  return noise;
}

RC_GTEST_PROP(TinyBmsReplyReader, FindsEveryAnswerAmidNoise, ()) {
  const Request request = *test::any_request();
  Bytes answer;
  if (is_acknowledged(request.command)) {
    answer.resize(8);
    answer.resize(*encode_ack(request.command, answer));
  } else if (request.command == Command::kWriteModbus) {
    Bytes echo(4);
    store<std::uint16_t>(echo.data(), request.address, Endian::kBig);
    store<std::uint16_t>(echo.data() + 2, request.count, Endian::kBig);
    answer = test::encoded_data(request.command, echo);
  } else {
    answer = test::encoded_data(request.command, *test::any_payload(request));
  }
  Bytes line = noise_without(kStartByte);
  append(line, answer);
  append(line, noise_without(kStartByte));
  ReplyReader reader;
  reader.expect(request);
  const auto found = read_all(reader, line, *rc::gen::inRange<std::size_t>(1, 400));
  RC_ASSERT(found.size() == 1U);
  RC_ASSERT(found[0].command == request.command);
  // Every byte of the line is accounted for.
  RC_ASSERT(reader.counters().noise_bytes == line.size() - answer.size());
}

RC_GTEST_PROP(TinyBmsReplyReader, NoiseWithStartBytesOnlyDelaysAnAnswer, ()) {
  // Any noise at all may precede; after the silence the answer is found, unless noise and frame together hold
  // another valid frame, which a 16-bit CRC cannot exclude: fewer than one in a thousand of these cases.
  Bytes line = *rc::gen::container<Bytes>(rc::gen::weightedOneOf<std::uint8_t>(
      {{1, rc::gen::just(kStartByte)}, {3, rc::gen::inRange<std::uint8_t>(0, 32)}}));
  append(line, kCells);
  ReplyReader reader;
  reader.expect(make_read_modbus(5, 5));
  auto found = read_all(reader, line, *rc::gen::inRange<std::size_t>(1, 50));
  reader.flush();
  while (const auto reply = reader.poll()) {
    found.push_back({reply->kind, reply->command, Bytes{reply->payload.begin(), reply->payload.end()}});
  }
  RC_ASSERT(!found.empty());
  RC_ASSERT(found[0].payload.size() == 10U || found[0].kind == ReplyKind::kNack);
}

std::vector<Incoming> read_requests(RequestReader& reader, ByteSpan bytes, std::size_t step) {
  std::vector<Incoming> found;
  while (!bytes.empty()) {
    ByteSpan piece = bytes.first(std::min(step, bytes.size()));
    bytes = bytes.subspan(piece.size());
    while (!piece.empty()) {
      piece = reader.feed(piece);
      while (const auto incoming = reader.poll()) {
        found.push_back(*incoming);
      }
    }
  }
  reader.flush();
  while (const auto incoming = reader.poll()) {
    found.push_back(*incoming);
  }
  return found;
}

TEST(TinyBmsRequestReader, AnUnknownCommandIsReported) {
  RequestReader reader;
  Bytes frame = bytes_of("AA 55 01 02 00 00");
  const std::uint16_t crc = crc16_modbus(ByteSpan{frame}.first(4));
  store<std::uint16_t>(frame.data() + 4, crc, Endian::kLittle);
  const auto found = read_requests(reader, frame, 1);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_FALSE(found[0].request.has_value());
  EXPECT_EQ(found[0].command_code, 0x55);
  EXPECT_EQ(found[0].error, kErrorCommand);
}

TEST(TinyBmsRequestReader, AWrongCrcIsReported) {
  RequestReader reader;
  const auto found = read_requests(reader, bytes_of("AA 03 00 05 00 05 8C 14"), 8);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].error, kErrorCrc);
  EXPECT_EQ(reader.counters().crc_errors, 1U);
}

TEST(TinyBmsRequestReader, AWrongCountIsReported) {
  Bytes frame = bytes_of("AA 03 00 05 00 FF 00 00");
  store<std::uint16_t>(frame.data() + 6, crc16_modbus(ByteSpan{frame}.first(6)), Endian::kLittle);
  RequestReader reader;
  const auto found = read_requests(reader, frame, 8);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].error, kErrorCommand);
}

RC_GTEST_PROP(TinyBmsRequestReader, FindsEveryRequestAmidNoise, ()) {
  Bytes line;
  std::vector<Request> sent;
  const auto count = *rc::gen::inRange(1, 6);
  for (int i = 0; i < count; ++i) {
    sent.push_back(*test::any_request());
    append(line, noise_without(kStartByte));
    append(line, test::encoded(sent.back()));
  }
  append(line, noise_without(kStartByte));
  RequestReader reader;
  const auto found = read_requests(reader, line, *rc::gen::inRange<std::size_t>(1, 600));
  RC_ASSERT(found.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    RC_ASSERT(found[i].request.has_value());
    RC_ASSERT(*found[i].request == sent[i]);
  }
}

}  // namespace
}  // namespace amphora::tinybms
