// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/bms_profile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "apps/amphora/config/load.hpp"

namespace amphora::config {
namespace {

using modbus::Function;
using modbus::Quantity;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kVoltage = "[[point]]\nquantity = \"voltage\"\nregister = 0\nscale = 0.1\n";
const std::string kCurrent = "[[point]]\nquantity = \"current\"\nregister = 1\nscale = 0.01\nsigned = true\n";
const std::string kBasic = kVoltage + kCurrent;

modbus::Profile profile_of(const std::string& text) {
  const auto parsed = parse_bms_profile(text);
  if (const auto* faults = std::get_if<std::vector<Problem>>(&parsed)) {
    for (const Problem& fault : *faults) {
      ADD_FAILURE() << to_text(fault, "p");
    }
    return {};
  }
  return std::get<modbus::Profile>(parsed);
}
std::vector<std::string> profile_errors_of(const std::string& text) {
  std::vector<std::string> out;
  const auto parsed = parse_bms_profile(text);
  if (const auto* faults = std::get_if<std::vector<Problem>>(&parsed)) {
    for (const Problem& fault : *faults) {
      out.push_back(to_text(fault, "p"));
    }
  }
  return out;
}

TEST(BmsProfile, TheDefaultProfileCanBeWritten) {
  const modbus::Profile profile = profile_of(kBasic);
  ASSERT_EQ(profile.block_count, 1U);
  EXPECT_EQ(profile.blocks[0].function, Function::kHoldingRegisters);
  EXPECT_EQ(profile.blocks[0].first, 0);
  EXPECT_EQ(profile.blocks[0].count, 2);
  ASSERT_EQ(profile.point_count, 2U);
  const modbus::Point& current = profile.points[1].point;
  EXPECT_EQ(current.quantity, Quantity::kCurrent);
  EXPECT_EQ(current.at, 1);
  EXPECT_TRUE(current.is_signed);
  EXPECT_EQ(current.multiplier, 10);  // 0.01 A in mA
  EXPECT_EQ(current.divisor, 1);
  EXPECT_TRUE(modbus::check_config({.profile = profile}).empty());
}

TEST(BmsProfile, ScalesAreExactFractionsAndMayInvert) {
  const modbus::Profile profile = profile_of(
      kVoltage + "[[point]]\nquantity = \"current\"\nregister = 1\nscale = -0.03125\noffset = -30000\n");
  const modbus::Point& current = profile.points[1].point;
  EXPECT_EQ(current.multiplier, -3125);  // -31.25 mA
  EXPECT_EQ(current.divisor, 100);
  EXPECT_EQ(current.offset, -30'000);
}

TEST(BmsProfile, NeighboursShareARequestAndOthersHaveTheirOwn) {
  const modbus::Profile profile = profile_of(
      "gap_max = 3\nwords_max = 20\n" + kBasic +
      "[[point]]\nquantity = \"soc\"\nregister = 5\nscale = 0.1\n"
      "[[point]]\nquantity = \"cell\"\nregister = 100\ncount = 16\nscale = 0.001\n"
      "[[point]]\nquantity = \"temperature_max\"\nfunction = 4\nregister = 6\nsigned = true\nscale = 0.1\n"
      "[[point]]\nquantity = \"soh\"\nregister = 115\nwords = 2\norder = \"low_first\"\n");
  ASSERT_EQ(profile.block_count, 3U);
  EXPECT_EQ(profile.blocks[0].count, 6);  // 0 to 5
  EXPECT_EQ(profile.blocks[1].first, 100);
  EXPECT_EQ(profile.blocks[1].count, 17);
  EXPECT_EQ(profile.blocks[2].function, Function::kInputRegisters);
  EXPECT_TRUE(profile.points[4].point.is_double);
  EXPECT_TRUE(profile.points[4].point.is_low_word_first);
  EXPECT_EQ(profile.points[4].point.at, 15);
  EXPECT_TRUE(modbus::check_config({.profile = profile}).empty());
}

TEST(BmsProfile, ARequestIsNotLongerThanTheBmsBears) {
  const std::string two =
      kBasic + "[[point]]\nquantity = \"cell\"\nregister = 2\ncount = 16\nscale = 0.001\n";
  EXPECT_EQ(profile_of(two).block_count, 1U);
  EXPECT_EQ(profile_of("words_max = 16\n" + two).block_count, 2U);
  EXPECT_THAT(profile_errors_of("words_max = 15\n" + two),
              ElementsAre(HasSubstr("point: does not fit into one request; allowed: 15 registers")));
}

TEST(BmsProfile, AlarmBitsAreNames) {
  const modbus::Profile profile = profile_of("alarm_bits = [\"high_voltage\", \"\", \"low_voltage\"]\n" +
                                             kBasic + "[[point]]\nquantity = \"alarms\"\nregister = 2\n");
  EXPECT_EQ(profile.alarm_bits[0], battery::Alarm::kHighVoltage);
  EXPECT_EQ(profile.alarm_bits[1], std::nullopt);
  EXPECT_EQ(profile.alarm_bits[2], battery::Alarm::kLowVoltage);
  EXPECT_THAT(profile_errors_of("alarm_bits = [\"hot\"]\n" + kBasic),
              ElementsAre(HasSubstr("p:1:15: alarm_bits: has something that is no alarm")));
}

TEST(BmsProfile, EveryFaultIsToldWithItsPlace) {
  EXPECT_THAT(
      profile_errors_of(kVoltage),
      ElementsAre(HasSubstr("no point has the quantity \"current\"; needed are voltage and current")));
  EXPECT_THAT(profile_errors_of("colour = 1\n" + kBasic),
              ElementsAre(HasSubstr("p:1:1: colour: is not a key of a profile")));
  EXPECT_THAT(
      profile_errors_of(kBasic + "sacle = 1\n"),
      ElementsAre(HasSubstr("p:10:1: point.sacle: is not a key of a profile; did you mean \"scale\"?")));
  EXPECT_THAT(
      profile_errors_of(kVoltage + "[[point]]\nquantity = \"amps\"\nregister = 70000\nscale = 0\n"),
      Contains(HasSubstr("p:6:12: point.quantity: \"amps\" is not known; allowed: voltage, current")));
  EXPECT_THAT(profile_errors_of(kVoltage + "[[point]]\nquantity = \"current\"\nregister = 70000\n"),
              ElementsAre(HasSubstr("p:7:12: point.register: 70000 is out of range; allowed: 0 to 65535")));
  EXPECT_THAT(profile_errors_of(kVoltage + "[[point]]\nquantity = \"current\"\nregister = 1\nscale = 0\n"),
              ElementsAre(HasSubstr("p:8:9: point.scale: is zero, too large or too fine")));
  EXPECT_THAT(profile_errors_of(kBasic + kVoltage),
              ElementsAre(HasSubstr("\"voltage\" is there twice; each once")));
  EXPECT_THAT(profile_errors_of("point = 3\n"),
              Contains(HasSubstr("write each point below a line [[point]]")));
  EXPECT_THAT(profile_errors_of(kBasic + "[[point]]\n"),
              Contains(HasSubstr("point.quantity: is missing or no text")));
}

TEST(BmsProfile, MoreRequestsThanTheReaderMakesAreRefused) {
  std::string far = "gap_max = 0\n" + kBasic;
  int number = 100;
  for (const char* quantity : {"soc", "soh", "temperature_min", "temperature_max"}) {
    far += std::string{"[[point]]\nquantity = \""} + quantity +
           "\"\nregister = " + std::to_string(number += 100) + "\n";
  }
  EXPECT_THAT(profile_errors_of(far), ElementsAre(HasSubstr("the registers need 5 requests; allowed: 4")));
}

TEST(BmsProfile, AFaultInAProfileIsToldWithItsOwnFile) {
  const std::filesystem::path folder = std::filesystem::path{::testing::TempDir()} / "bms_profile";
  std::filesystem::create_directories(folder);
  const std::string profile = folder / "my.toml";
  const std::string file = folder / "pack.toml";
  std::ofstream{file} << "role = \"pack\"\n[bms]\nport = \"/dev/x\"\naddress = 7\nprofile = \"" << profile
                      << "\"\n[battery]\nchemistry = \"lfp\"\nseries_cells = 16\ncapacity_ah = 100\n";
  std::ofstream{profile} << kVoltage;
  const LoadResult bad = load_file(file);
  ASSERT_EQ(bad.errors.size(), 1U);
  EXPECT_THAT(to_text(bad.errors[0], file), HasSubstr(profile + ":1:1: point: no point has the quantity"));
  std::ofstream{profile} << kBasic;
  const LoadResult good = load_file(file);
  ASSERT_TRUE(good.config);
  EXPECT_EQ(good.config->bms.registers.address, 7);
  EXPECT_EQ(good.config->bms.registers.blocks[0].count, 2);
  std::filesystem::remove(profile);
  EXPECT_THAT(to_text(load_file(file).errors.at(0), file),
              HasSubstr(profile + ":1:1: cannot be read: No such file"));
}

}  // namespace
}  // namespace amphora::config
