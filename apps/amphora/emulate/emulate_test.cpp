// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "apps/amphora/emulate/air.hpp"
#include "apps/amphora/emulate/living_battery.hpp"
#include "apps/amphora/emulate/register_file.hpp"

namespace amphora::emulate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(RegisterFile, ReadsADumpAsPeopleWriteItDown) {
  const RegisterFile file = parse_registers(R"(## a title (with a remark)
# values of MODBUS registers, decimal unless 0x
r0=0 r1=0 r2..r4 = 39800 39810 39820
r32=0x93cd r33=0x00fe (16683981 s)   r42=0x8000
r105..r109=0 r320=-40
   (pairs: event ids 0x65, 0x64 in the top byte)
R500 = 0x0102, r501=1; r7..9 = 1 2 3
)",
                                            "dump.txt");
  EXPECT_THAT(file.errors, ElementsAre(HasSubstr("dump.txt:7: \"9\" is not a register")));
  EXPECT_EQ(file.values.at(3), 39810);
  EXPECT_EQ(file.values.at(32), 0x93CD);
  EXPECT_EQ(file.values.at(107), 0);
  EXPECT_EQ(file.values.at(320), 0xFFD8);
  EXPECT_EQ(file.values.at(500), 0x0102);
  EXPECT_EQ(file.values.at(501), 1);
  EXPECT_EQ(file.values.count(110), 0U);
}

TEST(RegisterFile, EachErrorNamesItsLine) {
  const RegisterFile file = parse_registers(
      "r1=5 r1=6\nr600=1\nr5..r7 = 1 2\nx=3\nr4=70000\nr9 "
      "(x\nr8=\nr9..r3=1\nr10=0x\nr11=)\nr12=1.5\nr13=-32769\n",
      "f");
  EXPECT_THAT(
      file.errors,
      ElementsAre("f:1: r1 is given twice; allowed: once", HasSubstr("f:2: \"r600\" is not a register"),
                  "f:3: r5..r7 has 2 values; allowed: 3, or one for all",
                  HasSubstr("f:4: \"x\" is not a register"), HasSubstr("f:5: r4: \"70000\" is not a value"),
                  HasSubstr("f:6: \"(\" without \")\""), HasSubstr("f:7: r8..r8 has 0 values"),
                  HasSubstr("f:8: r9..r3 runs backwards"), HasSubstr("f:9: r10: \"0x\" is not a value"),
                  HasSubstr("f:10: \")\" without \"(\""), HasSubstr("f:11: r12: \".\" is not a value"),
                  HasSubstr("f:12: r13: \"-32769\" is not a value")));
}

TEST(RegisterFile, MissingAndEmptyFilesAreErrors) {
  EXPECT_THAT(read_register_file("/nonexistent").errors, ElementsAre(HasSubstr("No such file")));
  EXPECT_THAT(read_register_file("/").errors, ElementsAre(HasSubstr("/: ")));
  EXPECT_THAT(read_register_file("/dev/null").errors, ElementsAre(HasSubstr("no register in the file")));
}

TEST(AirChannels, ListsAndRanges) {
  EXPECT_THAT(parse_channels("1-3,11"), ElementsAre(1, 2, 3, 11));
  EXPECT_THAT(parse_channels("6"), ElementsAre(6));
  EXPECT_THAT(parse_channels("14,1"), ElementsAre(14, 1));
  for (const char* bad : {"", "0", "15", "1,", ",1", "3-1", "1-", "-3", "a", "1 2", "1-2-3"}) {
    EXPECT_THAT(parse_channels(bad), IsEmpty()) << bad;
  }
}

TEST(LivingBattery, EveryValueMovesAndStaysPlausible) {
  sim::TinyBmsDevice device;
  LivingBattery battery{1};
  std::uint16_t lowest = 0xFFFF;
  std::uint16_t highest = 0;
  bool has_charged = false;
  bool has_discharged = false;
  for (int second = 0; second < 4000; ++second) {
    battery.advance(TimePoint{std::chrono::seconds{second}}, device);
    lowest = std::min(lowest, device.register_value(40));
    highest = std::max(highest, device.register_value(41));
    has_charged = has_charged || device.register_value(50) == 0x91;
    has_discharged = has_discharged || device.register_value(50) == 0x93;
  }
  EXPECT_GT(lowest, 2900);
  EXPECT_LT(highest, 3600);
  EXPECT_GT(highest - lowest, 30);
  EXPECT_TRUE(has_charged);
  EXPECT_TRUE(has_discharged);
}

TEST(LivingBattery, TheSameSeedGivesTheSameBattery) {
  sim::TinyBmsDevice first;
  sim::TinyBmsDevice second;
  LivingBattery a{7};
  LivingBattery b{7};
  for (int step = 0; step < 100; ++step) {
    a.advance(TimePoint{std::chrono::seconds{step}}, first);
    b.advance(TimePoint{std::chrono::seconds{step}}, second);
  }
  for (std::uint16_t number = 0; number < 57; ++number) {
    EXPECT_EQ(first.register_value(number), second.register_value(number)) << number;
  }
}

TEST(LivingBattery, HeldCurrentIsShown) {
  sim::TinyBmsDevice device;
  LivingBattery battery{1};
  battery.hold_current(Milliamps{-25'000});
  battery.advance(TimePoint{std::chrono::seconds{1}}, device);
  const auto bits = device.register_value(38) | (std::uint32_t{device.register_value(39)} << 16U);
  EXPECT_EQ(tinybms::milli_from_float(bits), -25'000);
  EXPECT_EQ(device.register_value(50), 0x93);
}

}  // namespace
}  // namespace amphora::emulate
