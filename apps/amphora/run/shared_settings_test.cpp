// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/shared_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/amphora/config/load.hpp"
#include "apps/amphora/run/sections_json.hpp"
#include "apps/amphora/run/settings_store.hpp"

namespace amphora::run {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const sections::SectionTable& table_of(state::SectionId id) {
  return *sections::find_table(id);
}

config::Config good_config() {
  const config::LoadResult loaded = config::load_file(AMPHORA_SOURCE_DIR "/examples/transmitter.toml");
  return *loaded.config;
}

TEST(SharedSettings, EveryFieldThatBothHaveMeansTheSame) {
  for (const state::SectionId id : {sections::kBattery, sections::kMqtt, sections::kSystem}) {
    const sections::SectionTable& table = table_of(id);
    for (const sections::FieldSpec& spec : table.fields) {
      const config::Field* const field = config_field(table, spec);
      if (id == sections::kMqtt && (spec.name == "password" || spec.name == "client_id")) {
        EXPECT_EQ(field, nullptr);
        continue;
      }
      ASSERT_NE(field, nullptr) << spec.name;
      EXPECT_EQ(field->unit, spec.unit) << spec.name;
      EXPECT_EQ(section_of(*field), &table) << spec.name;
    }
  }
  EXPECT_EQ(section_of(*config::find_field("bms", "port")), nullptr);
  EXPECT_EQ(section_of(*config::find_field("web", "enabled")), nullptr);
}

TEST(SharedSettings, WhatTheFileSaysPutOverItChangesNothing) {
  const config::Config config = good_config();
  for (const state::SectionId id : {sections::kBattery, sections::kMqtt, sections::kSystem}) {
    const auto payload = payload_from(table_of(id), config);
    ASSERT_TRUE(payload) << int{id};
    const auto values = sections::decode(table_of(id), payload->bytes());
    ASSERT_TRUE(values.ok());
    config::Config again = config;
    EXPECT_THAT(put_over(table_of(id), *values, again), IsEmpty());
    for (const config::Field& field : config::fields()) {
      EXPECT_EQ(config::format_value(field, again), config::format_value(field, config))
          << config::full_key(field);
    }
  }
  EXPECT_FALSE(payload_from(table_of(sections::kDisplay), config));
  EXPECT_FALSE(payload_from(table_of(sections::kMetadata), config));
}

TEST(SharedSettings, WhatOnlyThisBoxCanJudgeIsJudgedHere) {
  config::Config config = good_config();
  sections::Values battery = values_of(table_of(sections::kBattery),
                                       {1, {}, {}, *payload_from(table_of(sections::kBattery), config)});
  battery.fields[sections::battery_field::kCellMax].number = 4100;
  EXPECT_THAT(put_over(table_of(sections::kBattery), battery, config),
              ElementsAre(HasSubstr("4.1 V is not possible for lfp cells")));
  EXPECT_EQ(config.battery.cell_max, Millivolts{3600});
  battery.fields[sections::battery_field::kCellMax].number = 3550;
  EXPECT_THAT(put_over(table_of(sections::kBattery), battery, config), IsEmpty());
  EXPECT_EQ(config.battery.cell_max, Millivolts{3550});
}

TEST(SharedSettings, ASharedPasswordTakesThePlaceOfTheFile) {
  config::Config config = good_config();
  config.mqtt.username = "file";
  config.mqtt.password_file = "/etc/secret";
  const sections::SectionTable& table = table_of(sections::kMqtt);
  sections::Values values = values_of(table, {1, {}, {}, *payload_from(table, config)});
  EXPECT_THAT(put_over(table, values, config), IsEmpty());
  EXPECT_EQ(config.mqtt.password_file, "/etc/secret");
  values.fields[sections::mqtt_field::kPassword].text = FixedText<sections::kTextSizeMax>{"hunter2"};
  EXPECT_THAT(put_over(table, values, config), IsEmpty());
  EXPECT_EQ(config.mqtt.password, "hunter2");
  EXPECT_TRUE(config.mqtt.password_file.empty());
}

TEST(SharedSettings, APowerProfileLimitsWhatItSays) {
  sections::Values values = sections::default_values(table_of(sections::kPowerProfile));
  EXPECT_EQ(to_user_limits(values), inverter::UserLimits{});
  values.fields[sections::power_profile_field::kDischargeLimited].number = 1;
  values.fields[sections::power_profile_field::kDischargeCurrentLimit].number = 7000;
  EXPECT_EQ(to_user_limits(values).discharge_current, Milliamps{7000});
  EXPECT_EQ(to_user_limits(values).charge_current, std::nullopt);
}

TEST(SharedSettings, AFieldHasOnePlaceToBeChanged) {
  SettingsStore settings{good_config(), runtime::StoredState{}};
  const runtime::http::BoxSettingsChange change{"battery", {{"capacity_ah", 60.0}}};
  settings.set_shared_tables({&table_of(sections::kBattery)});
  const auto errors = settings.change(change);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code, config::SettingError::Code::kNotChangeable);
  EXPECT_TRUE(settings.change({"battery", {{"charge_temperature_max_c", 45.0}}}).empty());
  EXPECT_TRUE(settings.change({"mqtt", {{"reading_interval_s", 5.0}}}).empty());

  sections::Values values =
      values_of(table_of(sections::kBattery),
                {1, {}, {}, *payload_from(table_of(sections::kBattery), settings.base())});
  values.fields[sections::battery_field::kCapacity].number = 60'000;
  EXPECT_TRUE(settings.set_shared(table_of(sections::kBattery), values).empty());
  EXPECT_EQ(settings.effective().battery.capacity, MilliampHours{60'000});
  EXPECT_EQ(settings.effective().battery.charge_temperature_max, Decicelsius{450});
  EXPECT_EQ(settings.base().battery.capacity, MilliampHours{100'000});
  EXPECT_TRUE(settings.set_shared(table_of(sections::kBattery), std::nullopt).empty());
  EXPECT_EQ(settings.effective().battery.capacity, MilliampHours{100'000});
}

TEST(SectionsJson, SecretsAreNeverShown) {
  const sections::SectionTable& table = table_of(sections::kMqtt);
  sections::Values values = sections::default_values(table);
  values.fields[sections::mqtt_field::kPassword].text = FixedText<sections::kTextSizeMax>{"hunter2"};
  const auto payload = sections::encode(table, values);
  ASSERT_TRUE(payload.ok());
  runtime::LinkReport report;
  report.self = NodeId{1};
  report.own.push_back({.id = table.id,
                        .record = {3, {1'700'000'000'000, 0}, NodeId{2}, *payload},
                        .sync = state::SyncState::kSynchronised,
                        .conflict_at = std::nullopt});
  const Json json = sections_json(link_scopes(report, TimePoint{}), TimePoint{}, WallTime{1'700'000'001'000});
  const Json& section = json["scopes"][0]["sections"][0];
  EXPECT_EQ(section["version"], 3);
  EXPECT_EQ(section["sync"], "synchronised");
  EXPECT_EQ(section["origin_is_self"], false);
  EXPECT_EQ(section["changed_at"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(section["fields"][sections::mqtt_field::kPassword]["is_set"], true);
  EXPECT_EQ(json.dump().find("hunter2"), std::string::npos);
  EXPECT_EQ(values_json(table, values).dump().find("hunter2"), std::string::npos);
}

TEST(SectionsJson, AWindowIsTextInBothDirections) {
  const sections::SectionTable& table = table_of(sections::kSchedule);
  const auto good = to_field_changes(table, {{"window_2", "22:00-6:00 1-5"}});
  ASSERT_TRUE(std::holds_alternative<FieldChanges>(good));
  sections::Values values = sections::default_values(table);
  values.fields[1] = std::get<FieldChanges>(good)[0].second;
  const Json json = values_json(table, values);
  EXPECT_EQ(json["window_1"], "");
  EXPECT_EQ(json["window_2"], "22:00-06:00 1-5");
  const auto bad = to_field_changes(table, {{"window_3", "22:00-06:00 8"}});
  const auto* const problem = std::get_if<runtime::http::Problem>(&bad);
  ASSERT_NE(problem, nullptr);
  EXPECT_EQ(problem->code, "bad_value");
  EXPECT_EQ(problem->field, "values.window_3");
  EXPECT_EQ(
      problem->message,
      "window_3: not a time of the day; allowed: as in 22:00-06:00 or 22:00-06:00 1-5 (days 1 Monday to 7 "
      "Sunday), or nothing.");
}

TEST(SectionsJson, ValuesOfPeopleAreCheckedOneByOne) {
  const sections::SectionTable& table = table_of(sections::kBattery);
  const auto good = to_field_changes(table, {{"charge_current_max_a", 60.5}, {"chemistry", "nmc"}});
  ASSERT_TRUE(std::holds_alternative<FieldChanges>(good));
  EXPECT_EQ(std::get<FieldChanges>(good)[0].second.number, 60'500);
  EXPECT_EQ(std::get<FieldChanges>(good)[1].second.number, 1);
  const auto code = [&table](const std::string& field, const runtime::http::SettingValue& value) {
    const auto parsed = to_field_changes(table, {{field, value}});
    const auto* problem = std::get_if<runtime::http::Problem>(&parsed);
    return problem != nullptr ? problem->code : std::string{};
  };
  EXPECT_EQ(code("charge_current_max_a", 1000.5), "out_of_range");
  EXPECT_EQ(code("charge_current_max_a", -1.0), "out_of_range");
  EXPECT_EQ(code("charge_current_max_a", 1.00005), "bad_value");
  EXPECT_EQ(code("charge_current_max_a", std::string{"60"}), "bad_value");
  EXPECT_EQ(code("chemistry", std::string{"lead"}), "bad_value");
  EXPECT_EQ(code("chemistry", true), "bad_value");
  EXPECT_EQ(code("nonsense", 1.0), "unknown_field");
}

}  // namespace
}  // namespace amphora::run
