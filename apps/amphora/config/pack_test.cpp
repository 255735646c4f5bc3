// SPDX-License-Identifier: Apache-2.0
// What a file of role pack must and may have, and how its faults are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/config/checks_pack.hpp"
#include "apps/amphora/config/load.hpp"
#include "apps/amphora/config/load_testing.hpp"
#include "apps/amphora/config/settings.hpp"

namespace amphora::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kPack =
    "role = \"pack\"\n[bms]\nport = \"/dev/ttyUSB0\"\n[battery]\nchemistry = \"lfp\"\n"
    "series_cells = 16\ncapacity_ah = 100\n";
const std::string kQuiet = kPack + "[relays]\ngrid = \"virtual\"\n[inputs]\ngrid = \"mqtt:house/grid\"\n";

Config config_of(const std::string& text) {
  const LoadResult result = load_text(text);
  EXPECT_THAT(texts(result.errors), IsEmpty());
  return result.config.value_or(Config{});
}

TEST(Pack, AFileWithTheRequiredKeysGivesThePresetsOfAPack) {
  const Config config = config_of(kPack);
  EXPECT_TRUE(config.has_pack_part());
  EXPECT_FALSE(config.has_battery_part());
  EXPECT_FALSE(config.has_link_part());
  EXPECT_EQ(config.bms.driver, BmsDriver::kModbus);
  EXPECT_EQ(config.bms.poll_interval, std::chrono::seconds{2});
  const energy::Protection protection = to_protection(config);
  EXPECT_EQ(protection.pack_max, Millivolts{58'400});
  EXPECT_EQ(protection.pack_min, Millivolts{44'800});
  EXPECT_EQ(protection.bms_stale_after, std::chrono::seconds{10});
  const energy::BalanceConfig balance = to_balance(config);
  EXPECT_EQ(balance.voltage_line.empty, Millivolts{46'400});
  EXPECT_EQ(balance.voltage_line.full, Millivolts{62'400});
  EXPECT_EQ(balance.ac_nominal, Millivolts{220'000});
  for (const energy::RelayConfig& relay : to_relays(config)) {
    EXPECT_FALSE(relay.is_fitted);
  }
  EXPECT_THAT(texts(load_text(kPack).warnings),
              ElementsAre(HasSubstr("neither grid nor inverter output is measured"),
                          HasSubstr("no relay is fitted")));
  EXPECT_THAT(texts(load_text(kQuiet).warnings), IsEmpty());
}

TEST(Pack, TheSafeBoundsFollowChemistryAndCells) {
  std::string nmc = kPack;
  nmc.replace(nmc.find("\"lfp\""), 5, "\"nmc\"");
  nmc.replace(nmc.find("= 16"), 4, "= 14");
  const energy::Protection protection = to_protection(config_of(nmc));
  EXPECT_EQ(protection.pack_max, Millivolts{14 * 4250});
  EXPECT_EQ(protection.cell_min, Millivolts{2800});
  EXPECT_EQ(to_protection(config_of(kPack + "[protection]\npack_max_v = 57.6\n")).pack_max,
            Millivolts{57'600});
}

TEST(Pack, WhatAPackDoesNotHaveIsNamed) {
  EXPECT_THAT(errors_of(kPack + "[inverter]\ninterface = \"can0\"\n[radio]\ninterface = \"wlan1\"\n"),
              ElementsAre("f:8:1: inverter: is not a section of a pack; leave it out",
                          "f:10:1: radio: is not a section of a pack; leave it out"));
  EXPECT_THAT(errors_of(kPack + "charge_current_max_a = 50\n"),
              ElementsAre(HasSubstr("battery.charge_current_max_a: has no meaning for a pack")));
  EXPECT_THAT(
      errors_of("role = \"pack\"\n[bms]\nport = \"/dev/ttyUSB0\"\n"),
      ElementsAre(HasSubstr("battery.chemistry: is missing"), HasSubstr("battery.series_cells: is missing"),
                  HasSubstr("battery.capacity_ah: is missing")));
  EXPECT_THAT(errors_of("role = \"bms-gateway\"\n[bms]\ndriver = \"modbus\"\n[relays]\ngrid = \"virtual\"\n"),
              Contains(HasSubstr("relays: is not a section of a bms-gateway")));
}

TEST(Pack, TheBmsIsReadOnASerialLine) {
  const std::string rest = "[battery]\nchemistry = \"lfp\"\nseries_cells = 16\ncapacity_ah = 100\n";
  const std::string pack = "role = \"pack\"\n[bms]\n";
  EXPECT_THAT(errors_of(pack + rest), ElementsAre(HasSubstr("bms.port: is missing; a pack reads its BMS")));
  EXPECT_THAT(errors_of(pack + "driver = \"can\"\n" + rest),
              ElementsAre(HasSubstr("bms.driver: \"can\" is for a bms-gateway")));
  EXPECT_THAT(errors_of(pack + "port = \"/dev/x\"\nbaud = 9601\n" + rest),
              ElementsAre(HasSubstr("bms.baud: 9601 is not a usual speed; allowed: 1200, 2400")));
  EXPECT_THAT(
      errors_of(pack + "port = \"/dev/x\"\nprofile = \"fulll\"\n" + rest),
      ElementsAre(HasSubstr("bms.profile: \"fulll\" is not absolute; allowed: \"default\", \"full\"")));
  EXPECT_THAT(errors_of(pack + "port = \"/dev/x\"\naddress = 248\n" + rest),
              ElementsAre(HasSubstr("allowed: 1 to 247")));
  EXPECT_THAT(errors_of(pack + "port = \"/dev/x\"\npoll_interval_ms = 6000\n" + rest),
              ElementsAre(HasSubstr("bms.stale_after_s: is less than two poll intervals")));
}

TEST(Pack, DevicesAreWrittenInTheirForms) {
  EXPECT_THAT(errors_of(kPack + "[relays]\ngrid = \"gpio:gpiochip0/26?active=low&safe=closed\"\n"),
              IsEmpty());
  EXPECT_THAT(errors_of(kPack + "[relays]\ngrid = \"gpio:26\"\n"),
              ElementsAre(HasSubstr("f:9:8: relays.grid: \"gpio:26\": ")));
  EXPECT_THAT(errors_of(kPack + "[relays]\ngrid = \"gpio:gpiochip0/1\"\npool_pump = \"gpio:gpiochip0/1\"\n"),
              ElementsAre(AllOf(HasSubstr("f:8:1: relays: "), HasSubstr("a line of its own"))));
  EXPECT_THAT(errors_of(kPack + "[inputs]\ngrid = \"meter:/dev/ttyUSB1?type=sdm120\"\n"), IsEmpty());
  EXPECT_THAT(errors_of(kPack + "[inputs]\ngrid = \"magic\"\n"),
              ElementsAre(HasSubstr("inputs.grid: \"magic\": ")));
  EXPECT_THAT(
      errors_of(kPack + "[indicator]\nbar = \"spi:/dev/spidev0.0\"\nleds = \"gpio:gpiochip0/2,13\"\n"),
      ElementsAre(HasSubstr("indicator.leds: ")));
  EXPECT_THAT(errors_of(kQuiet + "[mqtt]\nenabled = false\n"),
              ElementsAre(HasSubstr("inputs.grid: comes by MQTT, which is switched off")));
}

TEST(Pack, LoadsOutsideAreNamedOnceEach) {
  EXPECT_EQ(parse_loads(""), 0);
  EXPECT_EQ(parse_loads("pool_pump"), 1);
  EXPECT_EQ(parse_loads("water_heater,load_6"), 0b100010);
  for (const std::string_view bad : {"grid", "pool_pump,", ",pool_pump", "pool_pump,pool_pump", "pump"}) {
    EXPECT_EQ(parse_loads(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(to_balance(config_of(kPack + "[inputs]\noutside = \"pool_pump,load_3\"\n")).loads_outside, 0b101);
}

TEST(Pack, HardwareNumbersHaveSixteenDigitsAndAreNotZero) {
  EXPECT_EQ(parse_hardware("0000a1b2c3d4e5f6"), 0xA1B2C3D4E5F6U);
  for (const std::string_view bad :
       {"", "0000000000000000", "a1b2c3d4e5f6", "0000a1b2c3d4e5fg", "00000a1b2c3d4e5f6"}) {
    EXPECT_EQ(parse_hardware(bad), std::nullopt) << bad;
  }
}

TEST(Pack, ASealedBusNeedsItsKeyAndAPlainOneWarns) {
  const std::string bus = kQuiet + "[bus]\ninterface = \"can0\"\n";
  EXPECT_THAT(errors_of(bus), ElementsAre(HasSubstr("bus.key_file: is missing; a sealed bus has a key")));
  const LoadResult plain = load_text(bus + "mode = \"plain\"\n");
  EXPECT_THAT(texts(plain.errors), IsEmpty());
  EXPECT_THAT(texts(plain.warnings),
              ElementsAre(HasSubstr("bus.mode: is \"plain\": every device on the bus")));
  EXPECT_THAT(texts(load_text(bus + "key_file = \"/k\"\n").warnings),
              ElementsAre(HasSubstr("bus.gateway: is not given")));
}

TEST(Pack, TheKeyIsReadWithTheFile) {
  const std::filesystem::path folder = std::filesystem::path{::testing::TempDir()} / "pack_key";
  std::filesystem::create_directories(folder);
  const std::string key = folder / "key";
  const std::string file = folder / "pack.toml";
  std::ofstream{file} << kQuiet << "[bus]\ninterface = \"can0\"\nkey_file = \"" << key << "\"\n";
  const auto load_with = [&](const std::string& content) {
    std::ofstream{key} << content << "\n";
    ::chmod(key.c_str(), 0600);
    return texts(load_file(file).errors);
  };
  EXPECT_THAT(load_with(std::string(64, 'a')), IsEmpty());
  EXPECT_THAT(load_with(std::string(63, 'a')), ElementsAre(HasSubstr("bus.key_file: holds no key")));
  EXPECT_THAT(load_with(std::string(64, 'x')), ElementsAre(HasSubstr("bus.key_file: holds no key")));
  ::chmod(key.c_str(), 0640);
  EXPECT_THAT(texts(load_file(file).errors), ElementsAre(HasSubstr("chmod 600")));
}

TEST(Pack, BoundsThatLeaveNoRoomAreRefused) {
  EXPECT_THAT(
      errors_of(kPack +
                "[protection]\ncell_max_v = 2.9\ncell_min_v = 2.85\npack_max_v = 58\npack_min_v = 45\n"),
      ElementsAre(
          HasSubstr("protection.cell_min_v: does not go with the other values; allowed: below cell_max")));
  EXPECT_THAT(errors_of(kPack + "soc_empty_v = 3.5\nsoc_full_v = 3.4\n"),
              ElementsAre(HasSubstr("battery.soc_full_v: does not go with")));
}

TEST(Pack, EverythingThatIsNotADeviceCanBeChangedOnThePageAndWaitsForARestart) {
  const nlohmann::json settings = to_box_settings_json(config_of(kQuiet));
  for (const auto& section : settings["sections"]) {
    const bool is_at_once = section["name"] == "log";
    EXPECT_EQ(section["restart_needed"], !is_at_once) << section["name"];
    for (const auto& field : section["fields"]) {
      if (section["name"] == "protection") {
        EXPECT_EQ(field["writable"], true) << field["name"];
      }
      if (section["name"] == "bus" || section["name"] == "indicator") {
        EXPECT_EQ(field["writable"], false) << field["name"];
      }
    }
  }
  Config config = config_of(kQuiet);
  EXPECT_THAT(apply_overrides(config, "protection", {{"temperature_max_c", 50}}), IsEmpty());
  EXPECT_EQ(to_protection(config).temperature_max, Decicelsius{500});
  EXPECT_FALSE(apply_overrides(config, "relays", {{"grid", "virtual"}}).empty());
}

}  // namespace
}  // namespace amphora::config
