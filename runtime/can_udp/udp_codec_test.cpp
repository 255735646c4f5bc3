// SPDX-License-Identifier: Apache-2.0
#include "runtime/can_udp/udp_codec.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "runtime/can/can_port.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

// What python-can 4.1 puts on the wire for Message(timestamp=1700000000.25, arbitration_id=0x351,
// is_extended_id=False, data=[0x42, 2, 0xF4, 1]), recorded from it.
Json python_can_map() {
  return Json{{"timestamp", 1700000000.25},
              {"arbitration_id", 0x351},
              {"is_extended_id", false},
              {"is_remote_frame", false},
              {"is_error_frame", false},
              {"channel", nullptr},
              {"dlc", 4},
              {"data", Json::binary({0x42, 0x02, 0xF4, 0x01})},
              {"is_fd", false},
              {"bitrate_switch", false},
              {"error_state_indicator", false}};
}

Result<can::Frame, UdpFrameError> decode(const Json& map) {
  return decode_udp_frame(Json::to_msgpack(map));
}

TEST(UdpCodec, reads_what_another_packer_wrote) {
  const auto frame = decode(python_can_map());
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->id, 0x351U);
  EXPECT_FALSE(frame->is_extended);
  EXPECT_EQ(frame->size, 4);
  EXPECT_EQ(frame->data[2], 0xF4);
}

TEST(UdpCodec, unknown_keys_of_any_type_are_skipped) {
  Json map = python_can_map();
  map["later"] = Json{{"deep", Json::array({1, -5, 70000, -70000, 1.5, "text", nullptr, true})}};
  EXPECT_TRUE(decode(map).ok());
}

TEST(UdpCodec, each_reason_to_refuse) {
  Json map = python_can_map();
  map["is_fd"] = true;
  EXPECT_EQ(decode(map).error(), UdpFrameError::kUnsupported);
  map = python_can_map();
  map["is_error_frame"] = true;
  EXPECT_EQ(decode(map).error(), UdpFrameError::kUnsupported);
  map = python_can_map();
  map.erase("arbitration_id");
  EXPECT_EQ(decode(map).error(), UdpFrameError::kMissingField);
  map["arbitration_id"] = "text";
  EXPECT_EQ(decode(map).error(), UdpFrameError::kBadField);
  map["arbitration_id"] = 0x800;
  EXPECT_EQ(decode(map).error(), UdpFrameError::kBadField);
  map["is_extended_id"] = true;
  EXPECT_TRUE(decode(map).ok());
  map["dlc"] = 5;
  EXPECT_EQ(decode(map).error(), UdpFrameError::kDataSize);
  map["dlc"] = 9;
  map["data"] = Json::binary(std::vector<std::uint8_t>(9));
  EXPECT_EQ(decode(map).error(), UdpFrameError::kDataSize);
  EXPECT_EQ(decode(Json::array({1, 2})).error(), UdpFrameError::kMalformed);
  auto bytes = Json::to_msgpack(python_can_map());
  bytes.push_back(0);
  EXPECT_EQ(decode_udp_frame(bytes).error(), UdpFrameError::kMalformed);
  for (std::size_t size = 0; size + 1 < bytes.size(); ++size) {
    EXPECT_FALSE(decode_udp_frame(ByteSpan{bytes}.first(size)).ok()) << size;
  }
}

RC_GTEST_PROP(UdpCodecProperty, round_trip_and_agreement_with_an_independent_reader, ()) {
  can::Frame frame;
  frame.is_extended = *rc::gen::arbitrary<bool>();
  frame.id =
      *rc::gen::inRange<std::uint32_t>(0, frame.is_extended ? can::kExtendedIdMax : can::kStandardIdMax);
  frame.is_remote = *rc::gen::arbitrary<bool>();
  frame.size = *rc::gen::inRange<std::uint8_t>(0, 9);
  for (std::size_t i = 0; i < frame.size && !frame.is_remote; ++i) {
    frame.data[i] = *rc::gen::arbitrary<std::uint8_t>();
  }
  std::array<std::uint8_t, kUdpDatagramSizeMax> buffer;
  const auto datagram = encode_udp_frame(frame, WallTime{1'700'000'000'250}, buffer);
  const auto again = decode_udp_frame(datagram);
  RC_ASSERT(again.ok());
  RC_ASSERT(*again == frame);
  const Json map = Json::from_msgpack(datagram.begin(), datagram.end());
  RC_ASSERT(map.size() == 11U);
  RC_ASSERT(map["arbitration_id"] == frame.id);
  RC_ASSERT(map["timestamp"] == 1'700'000'000.25);
  RC_ASSERT(map["dlc"] == frame.size);
}

TEST(UdpCan, ports_hear_each_other_and_not_themselves) {
  Loop loop;
  // A group and port of this process's own, so that other runs on the machine are not heard.
  const auto own = static_cast<unsigned>(::getpid());
  const std::string spec = "udp://239.74." + std::to_string(1 + own % 250) + "." +
                           std::to_string(1 + (own / 250) % 250) + ":" +
                           std::to_string(20'000 + own % 20'000);
  std::vector<can::Frame> heard_by_a;
  std::vector<can::Frame> heard_by_b;
  const auto a = *open_can(
      loop, spec, {}, {.on_frame = [&](const can::Frame& f) { heard_by_a.push_back(f); }, .on_state = {}});
  const auto b = *open_can(
      loop, spec, {}, {.on_frame = [&](const can::Frame& f) { heard_by_b.push_back(f); }, .on_state = {}});
  ASSERT_EQ(a->state(), can::BusState::kActive) << a->last_error()->text();
  can::Frame frame;
  frame.id = 0x351;
  frame.size = 8;
  for (std::uint8_t i = 0; i < 20; ++i) {
    frame.data[0] = i;
    EXPECT_TRUE(a->send(frame));
  }
  frame.id = 0x305;
  EXPECT_TRUE(b->send(frame));
  const TimePoint end = loop.now() + 10s;
  while ((heard_by_b.size() < 20 || heard_by_a.empty()) && loop.now() < end) {
    loop.run_until(loop.now() + 2ms);
  }
  ASSERT_EQ(heard_by_b.size(), 20U);
  EXPECT_EQ(heard_by_b[7].data[0], 7);
  ASSERT_EQ(heard_by_a.size(), 1U);
  EXPECT_EQ(heard_by_a[0].id, 0x305U);
  EXPECT_EQ(a->counters().frames_sent, 20U);
}

}  // namespace
}  // namespace amphora::runtime
