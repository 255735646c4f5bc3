// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/amphora/decode/line_decoder.hpp"
#include "core/packnet/command.hpp"
#include "core/packnet/frames.hpp"
#include "core/packnet/section_record.hpp"
#include "core/packnet/telemetry.hpp"
#include "core/sections/tables.hpp"

namespace amphora::decode {
namespace {

using namespace packnet;
using nlohmann::json;

json decoded(std::string_view line) {
  return json::parse(decode_all(*make_packnet_decoder(), line));
}

// As candump -L writes it.
std::string line_of(const can::Frame& frame) {
  std::string text = fmt::format(fmt::runtime(frame.is_extended ? "{:08X}#" : "{:03X}#"), frame.id);
  for (const std::uint8_t byte : frame.payload()) {
    text += fmt::format("{:02X}", byte);
  }
  return text;
}
json decoded(const Message& message) {
  return decoded(line_of(encode(message)));
}

TEST(DecodePacknet, TelemetryInUnits) {
  Telemetry telemetry;
  telemetry.set(Field::kVoltage, 5'234);
  telemetry.set(Field::kCurrent, -1'250);
  telemetry.set(Field::kSoc, 6'789);
  telemetry.set(Field::kPowerGrid, -500);
  telemetry.set(Field::kTemperatureMin, -12);
  EXPECT_EQ(decoded(telemetry.encode(5, 0)), (json{{"id", "0x105"},
                                                   {"name", "telemetry"},
                                                   {"sender", 5},
                                                   {"page", 0},
                                                   {"voltage_v", 52.34},
                                                   {"current_a", -12.5},
                                                   {"soc_percent", 67.89}}));
  const json grid = decoded(telemetry.encode(5, 2));
  EXPECT_EQ(grid.at("power_grid_w"), -500);
  EXPECT_FALSE(grid.contains("power_home_w")) << "not known";
  EXPECT_EQ(decoded(telemetry.encode(5, 11)).at("temperature_min_c"), -1.2);
}

TEST(DecodePacknet, RelaysStatesAndFlagsByName) {
  Telemetry telemetry;
  telemetry.set(Telemetry::relay_position(0), 1);
  telemetry.set(Telemetry::relay_asked(0), 0);
  telemetry.set(Telemetry::relay_holder(0), static_cast<std::int64_t>(RelayHolder::kMinimumSoc));
  telemetry.set(Field::kModes, 0b1001);
  telemetry.set(Field::kBmsState, 2);
  telemetry.set(Field::kPackWarnings, 1 << 4);
  telemetry.set(Field::kAlarms, 1 << 1);
  telemetry.set(Field::kAlarmsWatched, 0b110);
  telemetry.set(Field::kCanState, 1);
  const json relays = decoded(telemetry.encode(7, 6));
  EXPECT_EQ(relays.at("relay_1_position"), "closed");
  EXPECT_EQ(relays.at("relay_1_asked"), "open");
  EXPECT_EQ(relays.at("relay_1_holder"), "minimum_soc");
  EXPECT_FALSE(relays.contains("relay_2_position"));
  const json modes = decoded(telemetry.encode(7, 7));
  EXPECT_EQ(modes.at("modes"), (json{"self_consumption", "backup"}));
  EXPECT_EQ(modes.at("bms_state"), "stale");
  EXPECT_EQ(modes.at("pack_warnings"), json{"time_unknown"});
  const json alarms = decoded(telemetry.encode(7, 8));
  EXPECT_EQ(alarms.at("alarms"), json{"high_voltage"});
  EXPECT_EQ(alarms.at("alarms_watched"), (json{"high_voltage", "low_voltage"}));
  EXPECT_EQ(alarms.at("warnings"), json::array());
  EXPECT_EQ(decoded(telemetry.encode(7, 12)).at("can_state"), "active");
}

TEST(DecodePacknet, CellsWithTheirPlace) {
  Telemetry telemetry;
  telemetry.set_cell(3, Millivolts{3'301});
  telemetry.set_cell(5, Millivolts{3'299});
  const json cells = decoded(telemetry.encode(1, kCellPageFirst + 1));
  EXPECT_EQ(cells.at("cell_first"), 4);
  EXPECT_EQ(cells.at("cells_v"), (json{3.301, nullptr, 3.299}));
  TelemetryPage later{.node = 1, .page = 0x70};
  EXPECT_EQ(decoded(later).at("data"), "00 00 00 00 00 00 00");
}

TEST(DecodePacknet, WhoIsThere) {
  const json beacon = decoded(MasterBeacon{.node = 9, .rank = 1, .is_alone = true, .term = 77});
  EXPECT_EQ(beacon, (json{{"id", "0x009"},
                          {"name", "master_beacon"},
                          {"sender", 9},
                          {"term", 77},
                          {"rank", 1},
                          {"alone", true}}));
  const json presence = decoded(Presence{.node = 9,
                                         .type = DeviceType::kEnergyPack,
                                         .firmware_major = 0,
                                         .firmware_minor = 3,
                                         .flags = kPresenceMaster | kPresenceDuplicate,
                                         .hash = 0xABC});
  EXPECT_EQ(presence.at("type"), "energy-pack");
  EXPECT_EQ(presence.at("firmware"), "0.3");
  EXPECT_EQ(presence.at("master"), true);
  EXPECT_EQ(presence.at("alarm"), false);
  EXPECT_EQ(presence.at("duplicate"), true);
  EXPECT_EQ(presence.at("hash"), "00000abc");
  const json claim = decoded(Claim{.node = 4, .hardware = 0xA1B2C3D4E5F6});
  EXPECT_EQ(claim.at("name"), "claim");
  EXPECT_EQ(claim.at("sender"), 4);
  EXPECT_EQ(claim.at("hardware"), "0000a1b2c3d4e5f6");
  EXPECT_EQ(decoded(GatewayPresence{.hardware = 1}).at("name"), "gateway");
  EXPECT_EQ(decoded("300#05"), (json{{"id", "0x300"}, {"name", "old_presence"}, {"sender", 5}}));
}

TEST(DecodePacknet, CommandsWithTheirArguments) {
  const auto command = [](Opcode opcode, std::array<std::int32_t, kArgumentsMax> arguments) {
    return decoded(encode_command(12, 33, {opcode, arguments}));
  };
  EXPECT_EQ(command(Opcode::kSetRelay, {2, 2, 30}), (json{{"id", "0x20C"},
                                                          {"name", "command"},
                                                          {"to", 12},
                                                          {"opcode", "set_relay"},
                                                          {"sequence", 33},
                                                          {"relay", "pool_pump"},
                                                          {"order", "auto"},
                                                          {"minutes", 30}}));
  const json mode = command(Opcode::kSetMode, {3, 1});
  EXPECT_EQ(mode.at("mode"), "backup");
  EXPECT_EQ(mode.at("on"), true);
  const json value = command(Opcode::kSetValue, {static_cast<int>(ValueId::kSocLow), 1'250});
  EXPECT_EQ(value.at("value_name"), "soc_low");
  EXPECT_EQ(value.at("value_percent"), 12.5);
  EXPECT_EQ(command(Opcode::kSetValue, {static_cast<int>(ValueId::kMainsVoltage), 2'301}).at("value_v"),
            230.1);
  EXPECT_EQ(command(Opcode::kSetValue, {static_cast<int>(ValueId::kEcoLimit), 5'000}).at("value_w"), 5'000);
  const json window = command(Opcode::kSetWindow, {1, 0x1F, 88, 25});
  EXPECT_EQ(window.at("begin"), "22:00");
  EXPECT_EQ(window.at("end"), "06:15");
  EXPECT_EQ(window.at("days"), 31);
  EXPECT_EQ(command(Opcode::kUpdateControl, {1, 5}).at("action"), "begin");
  EXPECT_EQ(decoded(encode_command(kNodeAll, 1, {Opcode::kIdentify, {10}})).at("to"), "all");
}

TEST(DecodePacknet, CommandsThatAPackWouldRefuse) {
  const json wrong = decoded("20C#04010902");
  EXPECT_EQ(wrong.at("opcode"), "set_relay");
  EXPECT_EQ(wrong.at("refused"), "bad_length");
  const json relay = decoded("20C#040109021E00");
  EXPECT_EQ(relay.at("refused"), "out_of_range");
  EXPECT_EQ(relay.at("argument"), "relay");
  EXPECT_EQ(relay.at("data"), "09 02 1E 00");
  const json unknown = decoded("20C#7701");
  EXPECT_EQ(unknown.at("opcode"), 0x77);
  EXPECT_EQ(unknown.at("refused"), "unknown_opcode");
  const json seal = decoded("20C#FF01341201020304");
  EXPECT_EQ(seal.at("opcode"), "seal");
  EXPECT_EQ(seal.at("counter_low"), 0x1234);
  EXPECT_EQ(seal.at("mac"), "01 02 03 04");
}

TEST(DecodePacknet, AnswersAndReports) {
  const json done = decoded(Acknowledgement{
      .node = 3, .opcode = 4, .sequence = 33, .result = CommandResult::kReplayed, .detail = 640});
  EXPECT_EQ(done, (json{{"id", "0x183"},
                        {"name", "report"},
                        {"sender", 3},
                        {"kind", "acknowledgement"},
                        {"opcode", "set_relay"},
                        {"sequence", 33},
                        {"result", "replayed"},
                        {"detail", 640}}));
  const json safety =
      decoded(Report{.node = 3, .level = Level::kError, .is_end = true, .code = 100, .value = 0});
  EXPECT_EQ(safety.at("event"), "safety_over_voltage");
  EXPECT_EQ(safety.at("level"), "error");
  EXPECT_EQ(safety.at("ended"), true);
  EXPECT_EQ(decoded(Report{.node = 3, .code = 112, .value = 2}).at("relay"), "pool_pump");
  EXPECT_EQ(decoded(Report{.node = 3, .code = 124}).at("event"), "time_unknown");
  EXPECT_FALSE(decoded(Report{.node = 3, .code = 999}).contains("event"));
  const json answer =
      decoded(MasterAnswer{.node = 3, .rank = 1, .master = 9, .is_to_alone = true, .term = 5});
  EXPECT_EQ(answer.at("kind"), "master_answer");
  EXPECT_EQ(answer.at("master"), 9);
}

TEST(DecodePacknet, TimeAsPeopleWriteIt) {
  Time time{.hour = 13, .day = 21, .minute = 3, .second = 7, .month = 11, .year = 26, .offset_quarters = {}};
  EXPECT_EQ(decoded(time).at("wall_time"), "2026-11-21T13:03:07Z");
  time.offset_quarters = 4;
  EXPECT_EQ(decoded(time).at("wall_time"), "2026-11-21T14:03:07+01:00");
  time.offset_quarters = -14;
  EXPECT_EQ(decoded(time).at("wall_time"), "2026-11-21T09:33:07-03:30");
}

TEST(DecodePacknet, SharedSections) {
  const auto frame_of = [](const ShareMessage& message) {
    return Opaque{Channel::kState, 6, 8, encode_share(message)};
  };
  const json announced = decoded(frame_of(Announcement{sections::kModes, 0xABCDE, 1'795'269'787}));
  EXPECT_EQ(announced, (json{{"id", "0x286"},
                             {"name", "state"},
                             {"sender", 6},
                             {"kind", "announcement"},
                             {"section", "modes"},
                             {"digest", "0abcde"},
                             {"changed", "2026-11-21T14:03:07Z"}}));
  const json segment = decoded(frame_of(RecordSegment{sections::kLoads, true, 3, {1, 2, 3, 4, 5, 6}}));
  EXPECT_EQ(segment.at("kind"), "record_segment");
  EXPECT_EQ(segment.at("section"), "loads");
  EXPECT_EQ(segment.at("sealed"), true);
  EXPECT_EQ(segment.at("index"), 3);
  EXPECT_FALSE(segment.contains("record_size"));
  EXPECT_TRUE(
      decoded(frame_of(RecordSegment{sections::kLoads, true, 0, {40, 2, 3, 4, 5, 6}})).contains("digest"));
  EXPECT_EQ(decoded("286#FF").at("data"), "FF");
}

TEST(DecodePacknet, TrafficOfOthersStaysBytes) {
  EXPECT_EQ(decoded("40C#100A01"),
            (json{{"id", "0x40C"}, {"name", "segment_to"}, {"to", 12}, {"data", "10 0A 01"}}));
  EXPECT_EQ(decoded("48C#30").at("sender"), 12);
  EXPECT_EQ(decoded("503#01").at("socket"), 3);
}

TEST(DecodePacknet, WhatCannotBeReadSaysWhy) {
  const json other = decoded("(1.5) can0 351#4302E8039E07D001");
  EXPECT_EQ(other.at("error"), "not_ours");
  EXPECT_EQ(other.at("line"), 1);
  EXPECT_EQ(other.at("time"), 1.5);
  EXPECT_EQ(decoded("105#01").at("error"), "bad_length");
  EXPECT_EQ(decoded("100#0011223344556677").at("error"), "bad_node");
  EXPECT_TRUE(decoded("105#GG").contains("error"));
  EXPECT_EQ(decoded("can0  105   [8]  00 72 14 1E FB FF 85 1A").at("interface"), "can0");
}

}  // namespace
}  // namespace amphora::decode
