// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/bms/setting_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <vector>

namespace amphora::bms_command {
namespace {

using ::testing::HasSubstr;
using tinybms::RegisterWrite;

RegisterWrite good(std::string_view text) {
  const auto parsed = parse_write(text);
  const auto* write = std::get_if<RegisterWrite>(&parsed);
  EXPECT_NE(write, nullptr) << text << ": " << (write ? "" : std::get<std::string>(parsed));
  return write != nullptr ? *write : RegisterWrite{};
}
std::string refused(std::string_view text) {
  const auto parsed = parse_write(text);
  const auto* fault = std::get_if<std::string>(&parsed);
  EXPECT_NE(fault, nullptr) << text;
  return fault != nullptr ? *fault : "";
}

TEST(SettingText, ValuesInUnitsBecomeExactRawValues) {
  EXPECT_EQ(good("315=4.2"), (RegisterWrite{315, 4200}));
  EXPECT_EQ(good("315=4.200"), (RegisterWrite{315, 4200}));
  EXPECT_EQ(good("315=4.2V"), (RegisterWrite{315, 4200}));
  EXPECT_EQ(good("315=4200mV"), (RegisterWrite{315, 4200}));
  EXPECT_EQ(good("over_voltage_cutoff=4.201"), (RegisterWrite{315, 4201}));
  EXPECT_EQ(good("304=0.5"), (RegisterWrite{304, 500}));
  EXPECT_EQ(good("306=66"), (RegisterWrite{306, 6600}));
  EXPECT_EQ(good("320=-40"), (RegisterWrite{320, -40}));
  EXPECT_EQ(good("308=0.02"), (RegisterWrite{308, 20}));
  EXPECT_EQ(good("331=AIDO1"), (RegisterWrite{331, 1}));
}

TEST(SettingText, RefusalsNameRegisterValueAndRange) {
  EXPECT_EQ(refused("315=5.0"),
            "register 315 (over_voltage_cutoff): 5.0 is out of range; allowed: 1.2 to 4.5 V");
  EXPECT_THAT(refused("315=4200"), HasSubstr("4200 is out of range; allowed: 1.2 to 4.5 V"));
  EXPECT_THAT(refused("315=4.20001"), HasSubstr("\"4.20001\" is not a value; allowed: 1.2 to 4.5 V"));
  EXPECT_THAT(refused("315=4.2A"), HasSubstr("is not a value"));
  EXPECT_THAT(refused("315="), HasSubstr("is not a value"));
  EXPECT_THAT(refused("315=1e9"), HasSubstr("is not a value"));
  EXPECT_THAT(refused("315=99999999999999999999"), HasSubstr("is not a value"));
  EXPECT_THAT(refused("50=1"), HasSubstr("register 50"));
  EXPECT_THAT(refused("50=1"), HasSubstr("cannot be written"));
  EXPECT_THAT(refused("302=1"), HasSubstr("there is none"));
  EXPECT_THAT(refused("over_voltage=1"), HasSubstr("there is none"));
  EXPECT_THAT(refused("4.2"), HasSubstr("REGISTER=VALUE"));
  EXPECT_THAT(refused("=4.2"), HasSubstr("REGISTER=VALUE"));
}

RC_GTEST_PROP(SettingTextProperty, WhatIsShownCanBeWrittenBack, ()) {
  std::vector<tinybms::Register> numbers;
  for (const tinybms::Register& entry : tinybms::registers()) {
    if (entry.is_writable && entry.choices.empty() && entry.fields.empty()) {
      numbers.push_back(entry);
    }
  }
  const tinybms::Register entry = numbers.at(*rc::gen::inRange<std::size_t>(0, numbers.size()));
  const auto value = *rc::gen::inRange<tinybms::RawValue>(entry.min, entry.max + 1);
  const auto parsed = parse_write(std::to_string(entry.number) + "=" + shown_value(entry, value));
  RC_ASSERT(std::holds_alternative<RegisterWrite>(parsed));
  RC_ASSERT(std::get<RegisterWrite>(parsed).value == value);
}

}  // namespace
}  // namespace amphora::bms_command
