// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/settings.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "apps/amphora/config/checks.hpp"
#include "apps/amphora/config/fields.hpp"

namespace amphora::config {
namespace {

using nlohmann::json;
using Code = SettingError::Code;

Config good_config() {
  Config config = default_config(battery::Chemistry::kLfp);
  config.bms.port = "/dev/ttyUSB0";
  return config;
}

TEST(Settings, ValuesAreAppliedInTheirUnits) {
  Config config = good_config();
  EXPECT_TRUE(
      apply_overrides(config, "battery",
                      json{{"charge_current_max_a", 60.5}, {"cell_full_v", 3.4}, {"soc_reserve_percent", 20}})
          .empty());
  EXPECT_EQ(config.battery.charge_current_max, Milliamps{60'500});
  EXPECT_EQ(config.battery.cell_full, Millivolts{3400});
  EXPECT_EQ(config.battery.soc_reserve_start, BasisPoints{3000});
  EXPECT_TRUE(apply_overrides(config, "box", json{{"name", "Shed"}}).empty());
  EXPECT_EQ(config.box.name, "Shed");
}

TEST(Settings, OutOfRangeNamesFieldAndRangeAndChangesNothing) {
  Config config = good_config();
  const auto errors =
      apply_overrides(config, "battery", json{{"charge_current_max_a", 5000}, {"cell_full_v", 3.4}});
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code, Code::kOutOfRange);
  EXPECT_EQ(errors[0].field, "charge_current_max_a");
  EXPECT_EQ(errors[0].min, 0.0);
  EXPECT_EQ(errors[0].max, 1000.0);
  EXPECT_EQ(errors[0].message,
            "Largest charge current: 5000 is out of range; allowed: 0 to 1000 A in steps of 0.1.");
  EXPECT_EQ(config.battery.cell_full, Millivolts{3450});
}

TEST(Settings, ConflictsBetweenFieldsAreRefused) {
  Config config = good_config();
  const auto errors = apply_overrides(config, "battery", json{{"cell_full_v", 3.6}});
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code, Code::kConflict);
  EXPECT_EQ(errors[0].field, "cell_max_v");
  EXPECT_EQ(config.battery.cell_full, Millivolts{3450});
}

TEST(Settings, AnotherChemistryIsRefusedWhileVoltagesDoNotFit) {
  Config config = good_config();
  config.battery = battery::nmc_profile(14, MilliampHours{66'000});
  EXPECT_FALSE(apply_overrides(config, "battery", json{{"chemistry", "lfp"}}).empty());
  EXPECT_EQ(config.battery.chemistry, battery::Chemistry::kNmc);
}

TEST(Settings, WhatBelongsToTheFileCannotBeChanged) {
  Config config = good_config();
  for (const auto& [section, key] : {std::pair{"mqtt", "password_file"}, std::pair{"bms", "port"},
                                     std::pair{"web", "listen"}, std::pair{"storage", "path"}}) {
    const auto errors = apply_overrides(config, section, json{{key, "/etc/shadow"}});
    ASSERT_EQ(errors.size(), 1U) << key;
    EXPECT_EQ(errors[0].code, Code::kNotChangeable) << key;
  }
}

TEST(Settings, UnknownNamesAndShapesAreRefused) {
  Config config = good_config();
  EXPECT_EQ(apply_overrides(config, "nothing", json::object()).at(0).code, Code::kUnknownSection);
  EXPECT_EQ(apply_overrides(config, "", json::object()).at(0).code, Code::kUnknownSection);
  EXPECT_EQ(apply_overrides(config, "battery", json::array()).at(0).code, Code::kBadValue);
  const auto errors = apply_overrides(config, "battery", json{{"cell_ful_v", 3}});
  EXPECT_EQ(errors.at(0).code, Code::kUnknownField);
  EXPECT_NE(errors.at(0).message.find("did you mean \"cell_full_v\""), std::string::npos);
  for (const json& value :
       {json(nullptr), json(true), json("50"), json::array({1}), json(18446744073709551615ULL)}) {
    EXPECT_EQ(apply_overrides(config, "battery", json{{"charge_current_max_a", value}}).size(), 1U) << value;
  }
}

TEST(Settings, ThePageShowsEveryFieldAndNoSecret) {
  Config config = good_config();
  config.mqtt.password_file = "/etc/amphora/secret-place";
  const json page = to_box_settings_json(config);
  EXPECT_EQ(page.dump().find("secret-place"), std::string::npos);
  std::ptrdiff_t count = 0;
  for (const json& section : page.at("sections")) {
    for (const json& field : section.at("fields")) {
      ++count;
      EXPECT_TRUE(field.at("kind") == "secret" || field.contains("value")) << field;
      if (field.at("name") == "password_file") {
        EXPECT_EQ(field.at("is_set"), true);
      }
      if (field.at("name") == "cell_full_v") {
        EXPECT_EQ(field.at("value"), 3.45);
        EXPECT_EQ(field.at("unit"), "V");
        EXPECT_EQ(field.at("step"), 0.001);
      }
    }
  }
  const auto shown = std::count_if(fields().begin(), fields().end(),
                                   [](const Field& field) { return is_for(field, Role::kBmsGateway); });
  EXPECT_EQ(count, shown);
}

TEST(Settings, WhatThePageShowsCanBeSentBack) {
  Config config = good_config();
  for (const json& section : to_box_settings_json(config).at("sections")) {
    json values = json::object();
    for (const json& field : section.at("fields")) {
      if (field.at("writable") == true) {
        values[field.at("name").get<std::string>()] = field.at("value");
      }
    }
    const auto errors = apply_overrides(config, section.at("name").get<std::string>(), values);
    EXPECT_TRUE(errors.empty()) << section.at("name") << ": " << (errors.empty() ? "" : errors[0].message);
  }
}

}  // namespace
}  // namespace amphora::config
