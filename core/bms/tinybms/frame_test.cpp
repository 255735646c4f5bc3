// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/frame.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "core/bms/tinybms/decode.hpp"
#include "core/bms/tinybms/test_support.hpp"

namespace amphora::tinybms {
namespace {

using test::bytes_of;
using test::hex_of;

std::string encoded(const Request& request) {
  std::array<std::uint8_t, kRequestSizeMax> out{};
  const auto size = encode_request(request, out);
  return size ? hex_of(ByteSpan{out}.first(*size)) : std::string{to_text(size.error())};
}

struct ReadyFrame {
  Request request;
  const char* hex;
};

// Frames as the maker's document prints them or as public captures show them.
TEST(TinyBmsFrame, RequestsMatchPublishedFrames) {
  const std::uint16_t voltages[] = {4200, 2500};
  const ReadyFrame frames[] = {
      {make_query(Command::kNewestEvents), "AA 11 BF 1C"},
      {make_query(Command::kAllEvents), "AA 12 FF 1D"},
      {make_query(Command::kPackVoltage), "AA 14 7F 1F"},
      {make_query(Command::kPackCurrent), "AA 15 BE DF"},
      {make_query(Command::kCellMax), "AA 16 FE DE"},
      {make_query(Command::kCellMin), "AA 17 3F 1E"},
      {make_query(Command::kStatus), "AA 18 7F 1A"},
      {make_query(Command::kLifetime), "AA 19 BE DA"},
      {make_query(Command::kSoc), "AA 1A FE DB"},
      {make_query(Command::kTemperatures), "AA 1B 3F 1B"},
      {make_query(Command::kCellVoltages), "AA 1C 7E D9"},
      {make_query(Command::kVersion), "AA 1E FF 18"},
      {make_query(Command::kExtendedVersion), "AA 1F 3E D8"},
      {make_query(Command::kSpeed), "AA 20 7E C8"},
      {make_control(ControlOption::kClearEvents), "AA 02 01 91 40"},
      {make_control(ControlOption::kClearStatistics), "AA 02 02 D1 41"},
      {make_control(ControlOption::kReset), "AA 02 05 90 83"},
      {make_read_modbus(0, 57), "AA 03 00 00 00 39 9C 03"},
      {make_read_modbus(100, 18), "AA 03 00 64 00 12 9D C3"},
      {make_read_modbus(300, 44), "AA 03 01 2C 00 2C 9D F9"},
      {make_read_modbus(500, 10), "AA 03 01 F4 00 0A 9C 18"},
      {make_read_modbus(5, 5), "AA 03 00 05 00 05 8C 13"},
      {make_write_modbus(315, voltages), "AA 10 01 3B 00 02 04 10 68 09 C4 19 61"},
  };
  for (const ReadyFrame& frame : frames) {
    EXPECT_EQ(encoded(frame.request), frame.hex);
    const auto decoded = decode_request(bytes_of(frame.hex));
    ASSERT_TRUE(decoded.ok()) << frame.hex << ": " << to_text(decoded.error());
    EXPECT_EQ(*decoded, frame.request) << frame.hex;
  }
}

TEST(TinyBmsFrame, CrcErrorsPrintedByOthersAreRefused) {
  EXPECT_EQ(decode_request(bytes_of("AA 14 3F 1B")).error(), FrameError::kBadCrc);
  EXPECT_EQ(decode_request(bytes_of("AA 09 02 57 01 3F 8C")).error(), FrameError::kBadCrc);
  const auto corrected = decode_request(bytes_of("AA 09 02 57 01 61 B4"));
  ASSERT_TRUE(corrected.ok());
  EXPECT_EQ(corrected->words[0].number, 343);
  EXPECT_EQ(corrected->count, 1);
}

TEST(TinyBmsFrame, RepliesMatchPublishedFrames) {
  const auto ack = bytes_of("AA 01 02 D1 B1");
  ASSERT_TRUE(decode_reply(ack).ok());
  EXPECT_EQ(decode_reply(ack)->kind, ReplyKind::kAck);
  EXPECT_EQ(decode_reply(ack)->command, Command::kControl);
  const auto nack = bytes_of("AA 00 03 01 E0 CC");
  ASSERT_TRUE(decode_reply(nack).ok());
  EXPECT_EQ(decode_reply(nack)->kind, ReplyKind::kNack);
  EXPECT_EQ(decode_reply(nack)->error, kErrorCrc);
  std::array<std::uint8_t, 8> out{};
  EXPECT_EQ(hex_of(ByteSpan{out}.first(*encode_ack(Command::kControl, out))), "AA 01 02 D1 B1");
  EXPECT_EQ(hex_of(ByteSpan{out}.first(*encode_nack(0x03, kErrorCrc, out))), "AA 00 03 01 E0 CC");

  const auto cells = bytes_of("AA 03 0A 97 40 97 40 97 2C 97 2C 97 2C 3E C7");
  ASSERT_TRUE(decode_reply(cells).ok());
  std::array<std::uint16_t, 5> words{};
  EXPECT_EQ(decode_words(Command::kReadModbus, decode_reply(cells)->payload, words), 5U);
  EXPECT_EQ(words, (std::array<std::uint16_t, 5>{38720, 38720, 38700, 38700, 38700}));

  const auto temperatures = bytes_of("AA 1B 06 16 01 14 01 16 01 0E 4E");
  ASSERT_TRUE(decode_reply(temperatures).ok());
  const auto sensors = decode_temperatures(decode_reply(temperatures)->payload);
  ASSERT_TRUE(sensors.has_value());
  EXPECT_EQ(sensors->internal, Decicelsius{278});
  EXPECT_EQ(sensors->external[0], Decicelsius{276});
  EXPECT_EQ(sensors->external[1], Decicelsius{278});

  const auto echo = bytes_of("AA 10 01 3B 00 02 28 22");
  ASSERT_TRUE(decode_reply(echo).ok());
  EXPECT_EQ(hex_of(decode_reply(echo)->payload), "01 3B 00 02");
}

TEST(TinyBmsFrame, EveryLimitIsHit) {
  EXPECT_EQ(encoded(make_read_modbus(0, 0)), to_text(FrameError::kBadField));
  EXPECT_EQ(encoded(make_read_modbus(0, 128)), to_text(FrameError::kBadField));
  EXPECT_NE(encoded(make_read_modbus(0, 127)), to_text(FrameError::kBadField));
  const std::vector<std::uint16_t> values(101, 7);
  EXPECT_EQ(encoded(make_write_modbus(300, values)), to_text(FrameError::kBadField));
  EXPECT_NE(encoded(make_write_modbus(300, std::span{values}.first(100))), to_text(FrameError::kBadField));
  EXPECT_EQ(encoded(make_write_block(300, std::span{values}.first(31))), to_text(FrameError::kBadField));
  EXPECT_NE(encoded(make_write_block(300, std::span{values}.first(30))), to_text(FrameError::kBadField));
  EXPECT_EQ(encoded(make_read_individual(std::span{values}.first(32))), to_text(FrameError::kBadField));
  EXPECT_NE(encoded(make_read_individual(std::span{values}.first(31))), to_text(FrameError::kBadField));
  const std::vector<RegisterWord> words(16);
  EXPECT_EQ(encoded(make_write_individual(words)), to_text(FrameError::kBadField));
  EXPECT_NE(encoded(make_write_individual(std::span{words}.first(15))), to_text(FrameError::kBadField));
  EXPECT_EQ(encoded(make_read_settings(SettingsOption::kMin, 101)), to_text(FrameError::kBadField));
  EXPECT_EQ(encoded(make_control(static_cast<ControlOption>(3))), to_text(FrameError::kBadField));
  std::array<std::uint8_t, 4> small{};
  EXPECT_EQ(encode_request(make_read_modbus(0, 1), small).error(), FrameError::kNoRoom);
  EXPECT_EQ(decode_request(bytes_of("AA 11")).error(), FrameError::kTooShort);
  EXPECT_EQ(decode_request(bytes_of("AB 11 BF 1C")).error(), FrameError::kNoStart);
  EXPECT_EQ(decode_request(bytes_of("AA 11 BF 1C 00")).error(), FrameError::kBadLength);
  EXPECT_EQ(decode_request(bytes_of("AA 77 00 00")).error(), FrameError::kUnknownCommand);
}

// 45 registers by 0x07 are 90 bytes: a full packet of 63 and a last one of 27, as a capture suggests.
TEST(TinyBmsFrame, LongRepliesComeInPackets) {
  std::vector<std::uint8_t> payload(90);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    payload[i] = static_cast<std::uint8_t>(i);
  }
  std::array<std::uint8_t, kReplyTotalSizeMax> out{};
  const auto size = encode_data(Command::kReadBlock, payload, out);
  ASSERT_TRUE(size.ok());
  ASSERT_EQ(*size, 63U + 5U + 27U + 5U);
  const auto first = decode_reply(ByteSpan{out}.first(68));
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(first->is_last);
  EXPECT_EQ(first->packet_id, 1);
  EXPECT_EQ(first->payload.size(), 63U);
  const auto last = decode_reply(ByteSpan{out}.subspan(68, 32));
  ASSERT_TRUE(last.ok());
  EXPECT_TRUE(last->is_last);
  EXPECT_EQ(last->payload.size(), 27U);
  EXPECT_EQ(last->payload[0], 63);
}

TEST(TinyBmsFrame, VersionAndSpeed) {
  const std::uint8_t version[] = {2, 1, 1, 0xF2, 0x00, 0x18, 0x04};
  EXPECT_EQ(*decode_version(Command::kExtendedVersion, version), (VersionInfo{2, 1, 1, 242, 0x18, 4}));
  EXPECT_EQ(*decode_version(Command::kVersion, ByteSpan{version}.first(5)),
            (VersionInfo{2, 1, 1, 242, 0, 0}));
  EXPECT_EQ(decode_version(Command::kVersion, version).error(), FrameError::kBadLength);
  const std::uint8_t speed[] = {0, 0, 0x20, 0x41, 7, 0, 0, 0, 9, 0, 0, 0};
  EXPECT_EQ(*decode_speed(speed), (SpeedInfo{0x41200000, 7, 9}));
  EXPECT_EQ(decode_speed(ByteSpan{speed}.first(11)).error(), FrameError::kBadLength);
}

RC_GTEST_PROP(TinyBmsFrame, RequestsSurviveTheWire, ()) {
  const Request request = *test::any_request();
  std::array<std::uint8_t, kRequestSizeMax> out{};
  const auto size = encode_request(request, out);
  RC_ASSERT(size.ok());
  const ByteSpan frame = ByteSpan{out}.first(*size);
  RC_ASSERT(request_length(frame).size == *size);
  const auto decoded = decode_request(frame);
  RC_ASSERT(decoded.ok());
  RC_ASSERT(*decoded == request);
  // No proper beginning of a frame is a frame.
  RC_ASSERT(!decode_request(frame.first(*rc::gen::inRange<std::size_t>(0, *size))).ok());
  // Any single wrong bit is noticed.
  const std::size_t bit = *rc::gen::inRange<std::size_t>(0, *size * 8);
  out[bit / 8] = static_cast<std::uint8_t>(out[bit / 8] ^ (1U << (bit % 8)));
  RC_ASSERT(!decode_request(frame).ok());
}

RC_GTEST_PROP(TinyBmsFrame, RepliesSurviveTheWire, ()) {
  const Request request = *test::any_request();
  RC_PRE(!is_acknowledged(request.command));
  const std::vector<std::uint8_t> payload = *test::any_payload(request);
  const auto packet_size = *rc::gen::inRange<std::size_t>(1, kPacketPayloadMax + 1);
  std::array<std::uint8_t, 6 * kPayloadSizeMax> out{};
  const auto size = encode_data(request.command, payload, out, packet_size);
  RC_ASSERT(size.ok());
  std::vector<std::uint8_t> joined;
  ByteSpan rest = ByteSpan{out}.first(*size);
  bool is_last = false;
  while (!rest.empty()) {
    RC_ASSERT(!is_last);
    const FrameLength length = reply_length(rest, packet_size);
    RC_ASSERT(length.status == FrameLength::Status::kKnown);
    const auto reply = decode_reply(rest.first(length.size), packet_size);
    RC_ASSERT(reply.ok());
    joined.insert(joined.end(), reply->payload.begin(), reply->payload.end());
    is_last = reply->is_last;
    rest = rest.subspan(length.size);
  }
  RC_ASSERT(is_last);
  RC_ASSERT(joined == payload);
}

}  // namespace
}  // namespace amphora::tinybms
