// SPDX-License-Identifier: Apache-2.0
// What belongs to which role: keys that a box needs, keys that it cannot have, and how they are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/config/load.hpp"
#include "apps/amphora/config/load_testing.hpp"
#include "apps/amphora/config/settings.hpp"

namespace amphora::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kReceiver = "role = \"receiver\"\n";
const std::string kBattery =
    "[bms]\nport = \"/dev/ttyUSB0\"\n[battery]\nchemistry = \"lfp\"\nseries_cells = 16\n"
    "capacity_ah = 100\ncharge_current_max_a = 50\ndischarge_current_max_a = 100\n";
const std::string kTransmitter = "role = \"transmitter\"\n" + kBattery;

TEST(Roles, AReceiverNeedsARadioAndAChannelAndNoBattery) {
  EXPECT_THAT(errors_of(kReceiver),
              ElementsAre(HasSubstr("radio.interface: is missing and has no default"),
                          HasSubstr("radio.channel: is missing and has no default; allowed: 1 to 13")));
  const LoadResult good = load_text(kReceiver + "[radio]\ninterface = \"wlan1\"\nchannel = 6\n");
  EXPECT_THAT(texts(good.errors), IsEmpty());
  EXPECT_THAT(texts(good.warnings), IsEmpty());
  ASSERT_TRUE(good.config);
  EXPECT_EQ(good.config->radio.channel, 6);
  EXPECT_FALSE(good.config->has_battery_part());
  EXPECT_TRUE(good.config->has_link_part());
}

TEST(Roles, WhatAReceiverDoesNotHaveIsNamedOnceForEachSection) {
  EXPECT_THAT(
      errors_of(kReceiver + "[bms]\nport = \"/dev/ttyUSB0\"\nnonsense = 1\n[radio]\n"
                            "interface = \"wlan1\"\nchannel = 6\nchannels = \"1-13\"\n[mqtt]\nport = 1\n"),
      ElementsAre("f:2:1: bms: is not a section of a receiver; leave it out",
                  HasSubstr("f:4:1: bms.nonsense: is not a key of this section"),
                  "f:8:12: radio.channels: has no meaning for a receiver; leave it out",
                  "f:9:1: mqtt: is not a section of a receiver; leave it out"));
}

TEST(Roles, ATransmitterNeedsARadioButNoInverter) {
  EXPECT_THAT(errors_of(kTransmitter), ElementsAre(HasSubstr("radio.interface: is missing")));
  const std::string good = kTransmitter + "[radio]\ninterface = \"wlan1\"\n";
  const LoadResult result = load_text(good);
  EXPECT_THAT(texts(result.errors), IsEmpty());
  ASSERT_TRUE(result.config);
  EXPECT_TRUE(result.config->inverter.interface.empty());
  EXPECT_EQ(result.config->radio.cells_decihertz, 20);
  EXPECT_THAT(errors_of(good + "channel = 6\n"),
              ElementsAre(HasSubstr("radio.channel: has no meaning for a transmitter")));
  EXPECT_THAT(errors_of(good + "[inverter]\ninterface = \"can0\"\n"), IsEmpty());
  EXPECT_THAT(errors_of("role = \"transmitter\"\n[radio]\ninterface = \"wlan1\"\n"),
              ::testing::Contains(HasSubstr("battery.chemistry: is missing")));
  EXPECT_THAT(errors_of(kTransmitter + "[radio]\ninterface = \"\"\n"),
              ElementsAre(HasSubstr("radio.interface: is empty; a transmitter needs a radio")));
}

TEST(Roles, AGatewayMayHaveARadioAndNeedsItsInverter) {
  const std::string gateway = "role = \"bms-gateway\"\n" + kBattery;
  const LoadResult plain = load_text(gateway);
  ASSERT_TRUE(plain.config);
  EXPECT_FALSE(plain.config->has_link_part());
  EXPECT_EQ(plain.config->inverter.interface, "can0");
  const LoadResult both = load_text(gateway + "[radio]\ninterface = \"wlan1\"\n");
  ASSERT_TRUE(both.config);
  EXPECT_TRUE(both.config->has_link_part());
  EXPECT_THAT(errors_of(gateway + "[inverter]\ninterface = \"\"\n"),
              ElementsAre(HasSubstr("inverter.interface: is empty; a bms-gateway serves an inverter")));
}

TEST(Roles, PlainModeWarnsAndOnlyItKnowsAPeer) {
  const std::string radio = kReceiver + "[radio]\ninterface = \"wlan1\"\nchannel = 6\n";
  const LoadResult plain = load_text(radio + "mode = \"plain\"\npeer = \"02:00:00:00:00:01\"\n");
  EXPECT_THAT(texts(plain.errors), IsEmpty());
  EXPECT_THAT(texts(plain.warnings), ElementsAre(HasSubstr("radio.mode: is \"plain\": everybody in reach")));
  EXPECT_THAT(errors_of(radio + "peer = \"02:00:00:00:00:01\"\n"),
              ElementsAre(HasSubstr("radio.peer: has no meaning for a sealed link")));
  EXPECT_THAT(errors_of(radio + "mode = \"plain\"\npeer = \"02:00\"\n"),
              ElementsAre(HasSubstr("\"02:00\" is not an address of a radio")));
}

TEST(Roles, RadioValuesAreCheckedOneByOne) {
  const std::string radio = kTransmitter + "[radio]\n";
  for (const std::string good : {"wlan1", "air://127.0.0.1:47000?mac=02:00:00:00:00:01"}) {
    EXPECT_THAT(errors_of(radio + "interface = \"" + good + "\"\n"), IsEmpty()) << good;
  }
  for (const std::string bad : {"air://127.0.0.1:47000", "wlan 1", "udp://1.2.3.4:5"}) {
    EXPECT_THAT(errors_of(radio + "interface = \"" + bad + "\"\n"), ::testing::SizeIs(1)) << bad;
  }
  const std::string on = radio + "interface = \"wlan1\"\n";
  EXPECT_THAT(errors_of(on + "cells_per_second = 0.1\n"), ElementsAre(HasSubstr("0.2 to 10 1/s")));
  EXPECT_THAT(errors_of(on + "reading_interval_ms = 99\n"), ElementsAre(HasSubstr("out of range")));
  EXPECT_THAT(errors_of(on + "country = \"de\"\n"), ElementsAre(HasSubstr("\"de\" is not a country")));
}

TEST(Roles, ChannelsAreRisingNumbersAndRanges) {
  EXPECT_EQ(parse_channels("1-13"), 0x3FFE);
  EXPECT_EQ(parse_channels("1,6,11"), (1U << 1U) | (1U << 6U) | (1U << 11U));
  EXPECT_EQ(parse_channels("1-3,13"), (7U << 1U) | (1U << 13U));
  for (const std::string_view bad :
       {"", "0", "14", "1-", "-3", "3-1", "6,1", "1,1", "1,", "1 6", "1-14", "x"}) {
    EXPECT_EQ(parse_channels(bad), std::nullopt) << bad;
  }
}

TEST(Roles, TheSettingsPageShowsWhatTheRoleHas) {
  const LoadResult receiver = load_text(kReceiver + "[radio]\ninterface = \"wlan1\"\nchannel = 6\n");
  ASSERT_TRUE(receiver.config);
  const nlohmann::json settings = to_box_settings_json(*receiver.config);
  std::vector<std::string> names;
  for (const auto& section : settings["sections"]) {
    names.push_back(section["name"]);
    for (const auto& field : section["fields"]) {
      EXPECT_NE(field["name"], "channels");
    }
  }
  EXPECT_THAT(names, ElementsAre("box", "radio", "web", "storage", "log"));
  Config changed = *receiver.config;
  EXPECT_FALSE(apply_overrides(changed, "radio", {{"cells_per_second", 3}}).empty());
  EXPECT_FALSE(apply_overrides(changed, "battery", {{"capacity_ah", 3}}).empty());
}

}  // namespace
}  // namespace amphora::config
