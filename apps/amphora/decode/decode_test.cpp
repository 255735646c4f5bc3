// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "apps/amphora/decode/line_decoder.hpp"

namespace amphora::decode {
namespace {

using nlohmann::json;

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> out;
  std::istringstream lines{text};
  std::string line;
  while (std::getline(lines, line)) {
    out.push_back(json::parse(line));
  }
  return out;
}
std::vector<json> victron(std::string_view text) {
  return lines_of(decode_all(*make_victron_decoder(), text));
}
std::vector<json> tinybms(std::string_view text) {
  return lines_of(decode_all(*make_tinybms_decoder(), text));
}

// A capture from a real bus between a GX device and a Seplos BMS, with its remarks
// (syssi/esphome-virtual-can-bms, issue 3).
constexpr std::string_view kSeplos = R"(## Victron GX <-> Seplos BMS
305 [8] 00 00 00 00 00 00 00 00        (GX)
307 [8] 12 34 56 78 56 49 43 00        (GX)
351 [8] 43 02 E8 03 9E 07 D0 01        57.9 V, 100.0 A, 195.0 A, 46.4 V
355 [8] 3C 00 64 00 84 17 00 00        60 %, 100 %, 60.20 %
356 [8] 61 14 D3 FE EB 00 1A 00        52.17 V, -30.1 A, 23.5 C
35A [8] AA AA AA 02 AA AA AA 02        all OK
35E [8] 53 48 45 6E 65 72 67 79        "SHEnergy"
35F [8] 00 00 10 04 30 01 00 00        fw 16.4, 304 Ah
370 [8] 43 41 4E 2D 53 4D 41 52        "CAN-SMAR"
371 [8] 54 42 4D 53 2D 42 41 54        "TBMS-BAT"
372 [8] 01 00 00 00 00 00 00 00
373 [8] B9 0C C2 0C 27 01 28 01        3257 mV, 3266 mV, 295 K, 296 K
374/375/376 [8] 50 61 63 6B 2D 30 31 23   "Pack-01#"
)";

TEST(DecodeVictron, SeplosCaptureGivesTheValuesPrintedBesideIt) {
  const auto out = victron(kSeplos);
  ASSERT_EQ(out.size(), 15U);
  EXPECT_EQ(out[0], (json{{"id", "0x305"}, {"name", "keepalive"}, {"frame", "keepalive"}}));
  EXPECT_EQ(out[1].at("maker"), "VIC");
  EXPECT_EQ(out[2], (json{{"id", "0x351"},
                          {"name", "limits"},
                          {"frame", "limits"},
                          {"cvl_v", 57.9},
                          {"ccl_a", 100.0},
                          {"dcl_a", 195.0},
                          {"dvl_v", 46.4}}));
  EXPECT_EQ(out[3].at("soc_percent"), 60);
  EXPECT_EQ(out[3].at("soh_percent"), 100);
  EXPECT_EQ(out[3].at("soc_hires_percent"), 60.20);
  EXPECT_EQ(out[4].at("voltage_v"), 52.17);
  EXPECT_EQ(out[4].at("current_a"), -30.1);
  EXPECT_EQ(out[4].at("temperature_c"), 23.5);
  EXPECT_EQ(out[5].at("alarms"), json::array());
  EXPECT_EQ(out[5].at("warnings"), json::array());
  EXPECT_FALSE(out[5].contains("online"));
  EXPECT_EQ(out[6].at("manufacturer"), "SHEnergy");
  EXPECT_EQ(out[7].at("firmware"), "16.4");
  EXPECT_EQ(out[7].at("capacity_ah"), 304);
  EXPECT_EQ(out[8].at("name"), "CAN-SMAR");
  EXPECT_EQ(out[9].at("name"), "TBMS-BAT");
  EXPECT_EQ(out[10].at("modules_ok"), 1);
  EXPECT_EQ(out[11].at("cell_min_v"), 3.257);
  EXPECT_EQ(out[11].at("cell_max_v"), 3.266);
  EXPECT_EQ(out[11].at("temperature_min_c"), 22.0);
  EXPECT_EQ(out[11].at("temperature_max_c"), 23.0);
  EXPECT_EQ(out[12].at("id"), "0x374");
  EXPECT_EQ(out[14].at("id"), "0x376");
  EXPECT_EQ(out[14].at("name"), "Pack-01#");
  EXPECT_EQ(out[14].at("frame"), "temperature_min_name");
}

TEST(DecodeVictron, EveryFormOfALineMeansTheSame) {
  const json expected = victron("351 [8] 43 02 E8 03 9E 07 D0 01").at(0);
  for (const std::string line :
       {"can0 351 [8] 43 02 E8 03 9E 07 D0 01", "  can0  351   [8]  43 02 E8 03 9E 07 D0 01",
        "(1436509052.249713) can0 351#4302E8039E07D001",
        "(2015-07-10 08:17:32.249713)  can0  351#4302e8039e07d001 R",
        " (000.000123)  can0  RX - -  351   [8]  43 02 E8 03 9E 07 D0 01   'C.......'\r",
        "351#4302E8039E07D001"}) {
    auto out = victron(line);
    ASSERT_EQ(out.size(), 1U) << line;
    out[0].erase("time");
    out[0].erase("interface");
    EXPECT_EQ(out[0], expected) << line;
  }
  const json stamped = victron("(1436509052.249713) can0 351#4302").at(0);
  EXPECT_EQ(stamped.at("time"), 1436509052.249713);
  EXPECT_EQ(stamped.at("interface"), "can0");
  EXPECT_EQ(victron("(000.5) can0 351#4302").at(0).at("time"), 0.5);
}

TEST(DecodeVictron, ShortFramesLackTheirFields) {
  const json out = victron("can0 351#4302E803").at(0);
  EXPECT_EQ(out.at("ccl_a"), 100.0);
  EXPECT_FALSE(out.contains("dcl_a"));
  EXPECT_FALSE(victron("35A [4] AA AA AA 02").at(0).contains("warnings"));
  EXPECT_FALSE(victron("35A [8] 00 00 00 00 00 00 00 00").at(0).contains("alarms"));
  EXPECT_EQ(victron("35A [8] A6 AA AA 02 AA AA AA 02").at(0).at("alarms"), json::array({"high_voltage"}));
}

TEST(DecodeVictron, BadLinesSayWhyAndTheRestGoesOn) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"can0 351 [8] 43 02 E8", "cut short: 3 of 8 bytes"},
      {"can0 351#43021", "cut short within a byte (\"1\")"},
      {"can0 351 [8] 43 0Z E8 03 9E 07 D0 01", "\"0Z\" is not a byte"},
      {"can0 351#43ZZ", "\"ZZ\" is not a byte"},
      {"can0 XYZ [1] 00", "\"XYZ\" is not a hexadecimal id"},
      {"can0 351 [2] 43 02 E8", "more bytes than [2] says"},
      {"can0 351 [9] 43", "9 bytes; a frame has at most 8"},
      {"can0 351 8 43", "\"8\" is not a number of bytes such as [8]"},
      {"can0 351", "cut short before the number of bytes"},
      {"can0 351#0011223344556677889900", "22 digits of data; a frame has at most 16"},
      {"can0 351##1430", "a CAN FD frame, which this protocol does not use"},
      {"can0 20000004#0000000000000000", "id 20000004 is out of range (error frame?)"},
      {"can0 FFF#00", "id FFF is out of range (error frame?)"},
      {"(123 351#00", "time stamp without closing parenthesis"},
      {"()", "no frame"},
      {"hello world", "\"world\" is not a hexadecimal id"},
      {"can0 123#00", "unknown id"},
      {"can0 18FF50E5#00", "extended id; this protocol uses 11-bit ids"},
      {"can0 351#R", "remote frame; this protocol has none"},
      {"can0 351#43", "too short for its first field"}};
  std::string text;
  for (const auto& [line, reason] : cases) {
    text += line + "\n";
  }
  const auto out = victron(text + "305#\n");
  ASSERT_EQ(out.size(), cases.size() + 1);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(out[i].at("error"), cases[i].second) << cases[i].first;
    EXPECT_EQ(out[i].at("line"), i + 1);
    EXPECT_EQ(out[i].at("text"), cases[i].first);
  }
  EXPECT_EQ(out.back().at("name"), "keepalive");
}

TEST(DecodeVictron, TextThatIsNoUtf8StaysJson) {
  const auto out = victron("\xFF\xC0\"\\\x01 zz\n");
  ASSERT_EQ(out.size(), 1U);
  EXPECT_TRUE(out[0].contains("error"));
}

// The maker's printed examples.
TEST(DecodeTinyBms, ExamplesOfTheProtocolDocument) {
  const auto out = tinybms(R"(write OV 4200 mV / UV 2500 mV (regs 315,316):
  tx AA 10 01 3B 00 02 04 10 68 09 C4 19 61
  rx AA 10 01 3B 00 02 28 22
  tx AA 03 00 05 00 05 8C 13
  rx AA 03 0A 97 40 97 40 97 2C 97 2C 97 2C 3E C7      -> 3.8720 3.8720 3.8700 3.8700 3.8700 V
  tx AA 1B 3F 1B
  rx AA 1B 06 16 01 14 01 16 01 0E 4E                  -> internal 27.8, ext1 27.6, ext2 27.8 C
)");
  ASSERT_EQ(out.size(), 7U);
  EXPECT_TRUE(out[0].contains("error"));
  EXPECT_EQ(out[1], (json{{"direction", "tx"},
                          {"command", "write_modbus"},
                          {"code", "0x10"},
                          {"address", 315},
                          {"registers", {{"315", 4200}, {"316", 2500}}},
                          {"values", {{"over_voltage_cutoff", 4.2}, {"under_voltage_cutoff", 2.5}}},
                          {"crc_ok", true}}));
  EXPECT_EQ(out[2].at("result"), "ack");
  EXPECT_EQ(out[2].at("address"), 315);
  EXPECT_EQ(out[3].at("count"), 5);
  EXPECT_EQ(out[4].at("address"), 5);
  EXPECT_EQ(out[4].at("registers").at("5"), 38720);
  EXPECT_EQ(out[4].at("registers").at("9"), 38700);
  EXPECT_EQ(out[6].at("temperature_internal_c"), 27.8);
  EXPECT_EQ(out[6].at("temperature_external_c"), json::array({27.6, 27.8}));
}

TEST(DecodeTinyBms, DirectionIsFoundWithoutAPrefix) {
  const auto out =
      tinybms("AA03000500058C13\nAA030A97409740972C972C972C3EC7\nAA 01 02 D1 B1\nAA 00 03 01 E0 CC\n");
  ASSERT_EQ(out.size(), 4U);
  EXPECT_EQ(out[0].at("direction"), "tx");
  EXPECT_EQ(out[1].at("direction"), "rx");
  EXPECT_EQ(out[1].at("registers").at("5"), 38720);
  EXPECT_EQ(out[2].at("result"), "ack");
  EXPECT_EQ(out[3].at("result"), "nack");
  EXPECT_EQ(out[3].at("reason"), "crc");
}

TEST(DecodeTinyBms, SeveralFramesInOneLine) {
  const auto out = tinybms("AA 1B 3F 1B AA 1B 06 16 01 14 01 16 01 0E 4E\n");
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].at("direction"), "tx");
  EXPECT_EQ(out[1].at("temperature_internal_c"), 27.8);
}

TEST(DecodeTinyBms, ReplyWithoutItsRequestShowsWords) {
  const json out = tinybms("rx AA 03 0A 97 40 97 40 97 2C 97 2C 97 2C 3E C7").at(0);
  EXPECT_EQ(out.at("words"), json::array({38720, 38720, 38700, 38700, 38700}));
  EXPECT_FALSE(out.contains("registers"));
}

TEST(DecodeTinyBms, BadLinesSayWhy) {
  const auto out =
      tinybms("rx AA 1B 06 16 01 14 01 16 01 0E 4F\nrx AA 1B 0\ntx AA GG\n\n# remark\ntx AA 1B\ntx\n");
  ASSERT_EQ(out.size(), 5U);
  EXPECT_EQ(out[0].at("crc_ok"), false);
  EXPECT_TRUE(out[0].contains("error"));
  EXPECT_EQ(out[1].at("error"), "\"0\" is cut short within a byte");
  EXPECT_EQ(out[2].at("error"), "\"GG\" is not a hexadecimal byte");
  EXPECT_TRUE(out[3].contains("error"));
  EXPECT_EQ(out[3].at("line"), 6);
  EXPECT_EQ(out[4].at("error"), "no bytes");
}

TEST(DecodeStream, WritesWhatItKnowsBeforeItWaits) {
  int in[2];
  int out[2];
  ASSERT_EQ(pipe(in), 0);
  ASSERT_EQ(pipe(out), 0);
  std::thread worker{[&] {
    EXPECT_TRUE(decode_stream(*make_victron_decoder(), in[0], out[1]));
    close(out[1]);
  }};
  const auto read_line = [&] {
    std::string line;
    char character = 0;
    while (read(out[0], &character, 1) == 1 && character != '\n') {
      line += character;
    }
    return line;
  };
  ASSERT_EQ(write(in[1], "305#\n351#43", 11), 11);
  EXPECT_EQ(json::parse(read_line()).at("name"), "keepalive");
  ASSERT_EQ(write(in[1], "02", 2), 2);
  close(in[1]);
  EXPECT_EQ(json::parse(read_line()).at("cvl_v"), 57.9);
  worker.join();
  close(in[0]);
  close(out[0]);
}

TEST(DecodeStream, OverlongLinesAreReportedAndSkipped) {
  const auto out = victron(std::string(70'000, 'A') + "\n305#\n");
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].at("error"), "the line is longer than 64 KiB");
  EXPECT_EQ(out[1].at("name"), "keepalive");
}

}  // namespace
}  // namespace amphora::decode
