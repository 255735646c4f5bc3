// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/frames.hpp"

#include <gtest/gtest.h>

#include <set>

#include "core/base/rng.hpp"
#include "core/packnet/bus_load.hpp"

namespace amphora::packnet {
namespace {

can::Frame frame_of(std::uint32_t id, std::initializer_list<unsigned> bytes, bool is_extended = false) {
  can::Frame frame;
  frame.id = id;
  frame.is_extended = is_extended;
  for (const unsigned byte : bytes) {
    frame.data[frame.size++] = static_cast<std::uint8_t>(byte);
  }
  return frame;
}

std::vector<Message> samples() {
  return {MasterBeacon{5, 1, true, 0xFFFF'FFFEU},
          Presence{126, DeviceType::kEnergyPack, 1, 2, kPresenceMaster, 0x1234'5678},
          OldPresence{9},
          Claim{17, 0x0123'4567'89AB'CDEFU},
          GatewayPresence{0xFEDC'BA98'7654'3210U},
          TelemetryPage{3, 14, {1, 2, 3, 4, 5, 6, 7}},
          Acknowledgement{3, 0x44, 200, CommandResult::kOutOfRange, 0xCAFE'F00DU},
          Report{3, Level::kError, true, 0x1234, -5},
          MasterAnswer{3, 1, 126, true, 77},
          CommandFrame{kNodeAll, 2, 3, 5, {1, 2, 3, 4, 5, 0}},
          Time{23, 29, 59, 58, 2, 24, std::int8_t{-14}},
          Time{0, 1, 0, 0, 1, 0, std::nullopt},
          Opaque{Channel::kState, 4, 8, {8, 7, 6, 5, 4, 3, 2, 1}},
          Opaque{Channel::kSegmentFrom, 4, 3, {8, 7, 6}},
          Opaque{Channel::kSocket, 0x7F, 1, {8}}};
}

TEST(PackFrames, EveryMessageSurvivesTheWire) {
  for (const Message& message : samples()) {
    const can::Frame frame = encode(message);
    const auto back = packnet::decode(frame);
    ASSERT_TRUE(back.ok()) << to_text(back.error()) << " id " << frame.id;
    EXPECT_TRUE(*back == message) << "id " << frame.id;
  }
}

TEST(PackFrames, BytesAreAsDocumented) {
  EXPECT_EQ(encode(Presence{5, DeviceType::kEnergyPack, 3, 4, 1, 0x1122'3344}),
            frame_of(0x085, {1, 3, 4, 1, 0x44, 0x33, 0x22, 0x11}));
  EXPECT_EQ(encode(MasterBeacon{5, 1, false, 0x0102}), frame_of(0x005, {2, 1, 0, 0, 5, 1, 0, 0}));
  EXPECT_EQ(encode(Time{12, 21, 30, 15, 11, 26, std::int8_t{4}}),
            frame_of(0x7FF, {12, 21, 30, 15, 11, 26, 4, 1}));
  EXPECT_EQ(encode(Acknowledgement{2, 4, 9, CommandResult::kDone, 0}),
            frame_of(0x182, {1, 4, 9, 0, 0, 0, 0, 0}));
  EXPECT_EQ(encode(CommandFrame{kNodeAll, 7, 1, 1, {30}}), frame_of(0x27F, {7, 1, 30}));
}

TEST(PackFrames, IdsOfTheBmsProtocolStayFree) {
  for (const std::uint32_t id : {0x305U, 0x307U, 0x351U, 0x355U, 0x35AU, 0x382U}) {
    EXPECT_FALSE(address_of(frame_of(id, {}))) << id;
  }
}

TEST(PackFrames, NoTwoNodesSendOneId) {
  std::set<std::pair<bool, std::uint32_t>> ids;
  for (unsigned node = 1; node <= kNodeMax; ++node) {
    const auto n = static_cast<Node>(node);
    for (const Message& message : {Message{MasterBeacon{n}}, Message{Presence{n}}, Message{TelemetryPage{n}},
                                   Message{Report{n}}, Message{Opaque{Channel::kState, n}},
                                   Message{Opaque{Channel::kSegmentFrom, n}}, Message{Claim{n, n * 77U}}}) {
      const can::Frame frame = encode(message);
      EXPECT_TRUE(ids.emplace(frame.is_extended, frame.id).second) << frame.id;
    }
  }
}

TEST(PackFrames, BadInputIsRefusedWithItsReason) {
  const struct {
    can::Frame frame;
    DecodeError error;
  } cases[] = {
      {frame_of(0x000, {0, 0, 0, 0, 0, 0, 0, 0}), DecodeError::kBadNode},
      {frame_of(0x07F, {0, 0, 0, 0, 0x7F, 0, 0, 0}), DecodeError::kBadNode},
      {frame_of(0x005, {0, 0, 0, 0, 6, 0, 0, 0}), DecodeError::kBadNode},
      {frame_of(0x005, {0, 0, 0, 0, 5}), DecodeError::kBadLength},
      {frame_of(0x085, {1, 2}), DecodeError::kBadLength},
      {frame_of(0x105, {1, 2}), DecodeError::kBadLength},
      {frame_of(0x185, {9, 0, 0, 0, 0, 0, 0, 0}), DecodeError::kUnknownKind},
      {frame_of(0x185, {1, 0, 0, 99, 0, 0, 0, 0}), DecodeError::kBadValue},
      {frame_of(0x185, {2, 0x7F, 0, 0, 0, 0, 0, 0}), DecodeError::kBadValue},
      {frame_of(0x185, {3, 0, 0x7F, 0, 0, 0, 0, 0}), DecodeError::kBadNode},
      {frame_of(0x200, {1, 2}), DecodeError::kBadNode},
      {frame_of(0x205, {1}), DecodeError::kBadLength},
      {frame_of(0x300, {}), DecodeError::kBadLength},
      {frame_of(0x300, {127}), DecodeError::kBadNode},
      {frame_of(0x7FF, {24, 1, 0, 0, 1, 0, 0, 0}), DecodeError::kBadValue},
      {frame_of(0x7FF, {0, 30, 0, 0, 2, 24, 0, 0}), DecodeError::kBadValue},
      {frame_of(0x7FF, {0, 1, 0, 0, 1, 0, 57, 1}), DecodeError::kBadValue},
      {frame_of(0x305, {0}), DecodeError::kNotOurs},
      {frame_of(kClaimBase | (5U << 19U), {1, 2, 3, 4, 5, 6, 7, 8}, true), DecodeError::kBadHash},
      {frame_of(kClaimBase | (5U << 19U), {1, 2}, true), DecodeError::kBadLength},
      {frame_of(kGatewayBase, {1, 2, 3, 4, 5, 6, 7, 8}, true), DecodeError::kBadHash},
      {frame_of(0x18FF'0000U & ~(7U << 26U), {1}, true), DecodeError::kNotOurs},
  };
  for (const auto& one : cases) {
    const auto result = packnet::decode(one.frame);
    ASSERT_FALSE(result.ok()) << one.frame.id;
    EXPECT_EQ(result.error(), one.error) << one.frame.id << " " << to_text(result.error());
  }
  can::Frame remote = frame_of(0x085, {});
  remote.is_remote = true;
  EXPECT_FALSE(packnet::decode(remote).ok());
}

TEST(PackFrames, RandomFramesNeverBreakTheCodec) {
  Rng rng{5};
  int understood = 0;
  for (int i = 0; i < 200'000; ++i) {
    can::Frame frame;
    frame.is_extended = rng.chance(100'000);
    frame.id =
        frame.is_extended ? static_cast<std::uint32_t>(rng.next()) & can::kExtendedIdMax : rng.below(0x800);
    frame.size = static_cast<std::uint8_t>(rng.below(9));
    for (std::uint8_t& byte : frame.data) {
      byte = static_cast<std::uint8_t>(rng.chance(500'000) ? rng.below(4) : rng.next());
    }
    const auto decoded = packnet::decode(frame);
    if (decoded.ok()) {
      ++understood;
      const auto again = packnet::decode(encode(*decoded));
      ASSERT_TRUE(again.ok());
      ASSERT_TRUE(*again == *decoded) << frame.id;
    }
  }
  EXPECT_GT(understood, 50'000);
}

TEST(PackFrames, TimesAreTheCalendar) {
  EXPECT_EQ(wall_time_of(Time{0, 1, 0, 0, 1, 0, {}}), WallTime{946'684'800'000});
  EXPECT_EQ(wall_time_of(Time{0, 29, 0, 0, 2, 24, {}}), WallTime{1'709'164'800'000});
  EXPECT_EQ(wall_time_of(Time{0, 29, 0, 0, 2, 23, {}}), std::nullopt);
  EXPECT_EQ(time_of(WallTime{946'684'799'999}, {}), std::nullopt);
  EXPECT_EQ(time_of(WallTime{0}, {}), std::nullopt);
  EXPECT_EQ(time_of(WallTime{1'709'164'800'000}, std::int8_t{100}), std::nullopt);
  Rng rng{3};
  for (int i = 0; i < 5000; ++i) {
    const WallTime wall{(946'684'800 + rng.between(0, 4'000'000'000)) * 1000};
    const auto time = time_of(wall, std::int8_t{4});
    ASSERT_TRUE(time);
    EXPECT_EQ(wall_time_of(*time), wall);
  }
}

TEST(PackFrames, ThirtyTwoPacksTakeLessThanFifteenPercent) {
  const auto percent = [](bool is_starting) {
    return static_cast<double>(steady_bits(32, kValuePageCount + 6, is_starting)) * 100 / kBitRate;
  };
  std::printf("32 packs with 16 cells: %.2f %% of the bus, %.2f %% in the first ten seconds\n",
              percent(false), percent(true));
  EXPECT_LT(percent(true), 15.0);
}

}  // namespace
}  // namespace amphora::packnet
