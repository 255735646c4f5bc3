// SPDX-License-Identifier: Apache-2.0
// Holds the pack network's part of docs/protocols/amphora.dbc to the codec. The file lists the frames of
// node 1.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "core/base/rng.hpp"
#include "core/can/dbc_test_support.hpp"
#include "core/packnet/frames.hpp"
#include "core/packnet/telemetry.hpp"

namespace amphora::packnet {
namespace {

using can::DbcMessage;
using can::Signal;

constexpr std::uint32_t kExtendedBit = 0x8000'0000U;

DbcMessage message_of(std::uint32_t id) {
  static const can::Dbc dbc = can::read_dbc();
  const auto found = dbc.find(id);
  EXPECT_NE(found, dbc.end()) << id;
  return found != dbc.end() ? found->second : DbcMessage{};
}

using Values = std::map<std::string, double>;

// Every signal of the frame (of its page, where it is multiplexed) has the value given, and none is missing.
void expect_signals(const can::Frame& frame, std::uint32_t dbc_id, const Values& values) {
  const DbcMessage message = message_of(dbc_id);
  EXPECT_EQ(message.size, frame.size) << message.name;
  std::size_t count = 0;
  for (const Signal& signal : message.signals) {
    const bool is_selector = signal.name == "page" || signal.name == "kind";
    if ((signal.page >= 0 && signal.page != frame.data[0]) || is_selector) {
      continue;
    }
    const auto value = values.find(signal.name);
    ASSERT_NE(value, values.end()) << message.name << "." << signal.name;
    EXPECT_NEAR(can::physical(frame, signal), value->second, 1e-6) << message.name << "." << signal.name;
    ++count;
  }
  EXPECT_EQ(count, values.size()) << message.name;
}

TEST(PackDbc, FramesOfTheNetwork) {
  expect_signals(encode(MasterBeacon{1, 1, true, 0xFFFF'FFFEU}), 0x001,
                 {{"term", 4294967294.0}, {"node", 1}, {"rank", 1}, {"is_alone", 1}});
  expect_signals(
      encode(Presence{1, DeviceType::kEnergyPack, 2, 3, 5, 0xFEDC'BA98U}), 0x081,
      {{"type", 1}, {"firmware_major", 2}, {"firmware_minor", 3}, {"flags", 5}, {"hash", 0xFEDC'BA98U}});
  expect_signals(encode(Acknowledgement{1, 2, 3, CommandResult::kBusy, 99}), 0x181,
                 {{"opcode", 2}, {"sequence", 3}, {"result", 7}, {"detail", 99}});
  expect_signals(encode(Report{1, Level::kWarning, true, 0x1234, -7}), 0x181,
                 {{"level", 2}, {"is_end", 1}, {"code", 0x1234}, {"value", -7}});
  expect_signals(encode(MasterAnswer{1, 1, 126, true, 12}), 0x181,
                 {{"rank", 1}, {"master", 126}, {"is_to_alone", 1}, {"term", 12}});
  expect_signals(encode(OldPresence{9}), 0x300, {{"node", 9}});
  expect_signals(encode(Time{23, 28, 59, 58, 2, 26, std::int8_t{-14}}), 0x7FF,
                 {{"hour", 23},
                  {"day", 28},
                  {"minute", 59},
                  {"second", 58},
                  {"month", 2},
                  {"year", 26},
                  {"offset_quarters", -14},
                  {"is_offset_known", 1}});
  expect_signals(encode(Claim{1, 0x0001'0203'0405U}), kExtendedBit | kClaimBase | (1U << 19U),
                 {{"hardware", static_cast<double>(0x0001'0203'0405U)}});
  expect_signals(encode(GatewayPresence{77}), kExtendedBit | kGatewayBase, {{"hardware", 77}});
  for (const std::uint32_t id : {0x201U, 0x27FU}) {
    const DbcMessage message = message_of(id);
    ASSERT_EQ(message.signals.size(), 2U);
    const can::Frame frame = encode(CommandFrame{static_cast<Node>(id - 0x200), 2, 77, 6, {}});
    EXPECT_EQ(can::physical(frame, message.signals[0]), 2);
    EXPECT_EQ(can::physical(frame, message.signals[1]), 77);
  }
}

TEST(PackDbc, TelemetryHasTheFieldsOfTheTable) {
  Rng rng{4};
  for (int run = 0; run < 50; ++run) {
    Telemetry telemetry;
    for (std::size_t i = 0; i < kFieldCount; ++i) {
      telemetry.set(static_cast<Field>(i), static_cast<std::int32_t>(rng.next()) >> rng.below(31));
    }
    for (std::size_t i = 0; i < kCellsMax; ++i) {
      telemetry.set_cell(i, Millivolts{static_cast<std::int32_t>(rng.below(5000))});
    }
    for (std::uint8_t page = 0; page < kValuePageCount; ++page) {
      Values values;
      for (std::size_t i = 0; i < kFieldCount; ++i) {
        if (kFields[i].page == page) {
          values[std::string{kFields[i].name}] =
              static_cast<double>(telemetry.value(static_cast<Field>(i)).value()) / kFields[i].divisor;
        }
      }
      expect_signals(encode(telemetry.encode(1, page)), 0x101, values);
    }
    for (std::uint8_t page = kCellPageFirst; page < kCellPageFirst + kCellPageCount; ++page) {
      Values values;
      for (std::size_t i = 0; i < kCellsPerPage; ++i) {
        const std::size_t cell = (page - std::size_t{kCellPageFirst}) * kCellsPerPage + i;
        values["cell_" + std::to_string(cell + 1)] = telemetry.cell(cell).value().count() / 1000.0;
      }
      expect_signals(encode(telemetry.encode(1, page)), 0x101, values);
    }
  }
}

TEST(PackDbc, HasNothingThatTheCodecDoesNotKnow) {
  int packs = 0;
  for (const auto& [id, message] : can::read_dbc()) {
    if (!message.name.starts_with("pack_")) {
      continue;
    }
    ++packs;
    can::Frame frame;
    frame.is_extended = (id & kExtendedBit) != 0;
    frame.id = id & ~kExtendedBit;
    EXPECT_TRUE(address_of(frame)) << message.name;
  }
  EXPECT_EQ(packs, 11);
}

}  // namespace
}  // namespace amphora::packnet
