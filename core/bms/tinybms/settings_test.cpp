// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/settings.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace amphora::tinybms {
namespace {

constexpr TimePoint kAt{std::chrono::seconds{1}};
using Words = std::array<std::uint16_t, kSettingsBlock.count>;

Words real_words() {
  Words words{};
  const auto set = [&words](std::uint16_t number, std::uint16_t value) { words[number - 300U] = value; };
  set(300, 4150);
  set(301, 3000);
  set(303, 3200);
  set(304, 1000);
  set(306, 6600);
  set(307, 14);
  set(308, 15);
  set(312, 0x86A0);
  set(313, 1);
  set(315, 4200);
  set(316, 2900);
  set(317, 60);
  set(318, 20);
  set(319, 60);
  set(320, 1);
  set(328, 0xFFFF);
  return words;
}

SettingsImage image_of(const Words& words) {
  SettingsImage image;
  image.store(kAt, words);
  return image;
}

WriteRefusal refusal_of(std::vector<RegisterWrite> writes) {
  const auto refusal = check_writes(image_of(real_words()), writes);
  EXPECT_TRUE(refusal.has_value());
  return refusal.value_or(WriteRefusal{});
}

TEST(TinyBmsSettings, ImageKnowsTypesAndAges) {
  SettingsImage image = image_of(real_words());
  EXPECT_TRUE(image.is_complete());
  EXPECT_EQ(image.value(312)->value, 100'000);
  EXPECT_EQ(image.value(315)->at, kAt);
  EXPECT_EQ(image.value(302), std::nullopt);
  EXPECT_EQ(image.word(299), std::nullopt);
  EXPECT_EQ(image.word(344), std::nullopt);
  EXPECT_EQ(image.value(500), std::nullopt);
  image.forget(*find_register(312));
  EXPECT_EQ(image.value(312), std::nullopt);
  EXPECT_EQ(image.word(313), std::nullopt);
  EXPECT_FALSE(image.is_complete());
  image.forget_all();
  EXPECT_EQ(image.value(315), std::nullopt);
}

TEST(TinyBmsSettings, RefusalsNameRegisterValueAndRange) {
  EXPECT_EQ(refusal_of({}).reason, WriteRefusalReason::kNothingToWrite);
  EXPECT_EQ(refusal_of(std::vector<RegisterWrite>(kWriteCountMax + 1, {315, 4200})).reason,
            WriteRefusalReason::kTooMany);
  EXPECT_EQ(refusal_of({{302, 1}}).reason, WriteRefusalReason::kUnknownRegister);
  EXPECT_EQ(describe(refusal_of({{302, 1}})).view(), "register 302: there is no such register");
  EXPECT_EQ(refusal_of({{36, 1}}).reason, WriteRefusalReason::kReadOnly);
  EXPECT_EQ(describe(refusal_of({{36, 1}})).view(), "register 36 pack_voltage: can only be read");
  const WriteRefusal high = refusal_of({{308, 20}, {315, 4600}});
  EXPECT_EQ(high.reason, WriteRefusalReason::kOutOfRange);
  EXPECT_EQ(high.number, 315);
  EXPECT_EQ(high.value, 4600);
  EXPECT_EQ(high.min, 1200);
  EXPECT_EQ(high.max, 4500);
  EXPECT_EQ(
      describe(high).view(),
      "register 315 over_voltage_cutoff: 4.600 V is not allowed; allowed 1.200 V to 4.500 V (raw 4600; 1200 "
      "to 4500)");
  EXPECT_EQ(describe(refusal_of({{320, 11}})).view(),
            "register 320 low_temperature_charge_cutoff: 11 °C is not allowed; allowed -40 °C to 10 °C");
  EXPECT_EQ(refusal_of({{315, 4200}, {315, 4100}}).reason, WriteRefusalReason::kDuplicate);
  EXPECT_EQ(refusal_of({{337, 1}}).reason, WriteRefusalReason::kOutOfRange);
}

TEST(TinyBmsSettings, TheResultingSetIsJudged) {
  const WriteRefusal low = refusal_of({{315, 4155}});
  EXPECT_EQ(low.reason, WriteRefusalReason::kConstraint);
  EXPECT_EQ(low.number, 315);
  EXPECT_EQ(low.other_number, 300);
  EXPECT_EQ(low.min, 4160);
  EXPECT_EQ(refusal_of({{316, 2991}}).max, 2990);
  EXPECT_NE(describe(low).view().find("conflicts with register 300"), std::string_view::npos);
  const std::vector<RegisterWrite> both{{315, 4155}, {300, 4100}};
  EXPECT_FALSE(check_writes(image_of(real_words()), both).has_value());
}

TEST(TinyBmsSettings, ThePeakCurrentLiesAboveTheCutOffWhereItExists) {
  const std::vector<RegisterWrite> writes{{317, 750}};
  EXPECT_FALSE(check_writes(image_of(real_words()), writes).has_value()) << "305 reads 0: old firmware";
  Words words = real_words();
  words[5] = 100;
  EXPECT_EQ(check_writes(image_of(words), writes)->other_number, 305);
  const std::vector<RegisterWrite> both{{317, 750}, {305, 751}};
  EXPECT_FALSE(check_writes(image_of(words), both).has_value());
}

TEST(TinyBmsSettings, ABrokenDeviceCanStillBeWritten) {
  Words words = real_words();
  words[0] = 4300;  // above the over-voltage cut-off
  const std::vector<RegisterWrite> unrelated{{308, 20}};
  EXPECT_FALSE(check_writes(image_of(words), unrelated).has_value());
}

TEST(TinyBmsSettings, TakenOverValuesCountAsWritten) {
  EXPECT_TRUE(is_written(*find_register(328), 25000, 0xFFFF));
  EXPECT_TRUE(is_written(*find_register(315), 4200, 4200));
  EXPECT_FALSE(is_written(*find_register(315), 4200, 0xFFFF));
}

// A consistent chain 316 < 301 < 300 < 315 with at least 10 mV between.
rc::Gen<std::array<std::uint16_t, 4>> any_chain() {
  return rc::gen::exec([] {
    std::array<std::uint16_t, 4> chain{};
    chain[0] = *rc::gen::inRange<std::uint16_t>(1300, 3400);
    chain[1] = *rc::gen::inRange<std::uint16_t>(static_cast<std::uint16_t>(chain[0] + 10), 3461);
    chain[2] = *rc::gen::inRange<std::uint16_t>(static_cast<std::uint16_t>(chain[1] + 10), 4400);
    chain[3] = *rc::gen::inRange<std::uint16_t>(static_cast<std::uint16_t>(chain[2] + 10), 4501);
    return chain;
  });
}

RC_GTEST_PROP(TinyBmsSettings, EveryStepOfAnOrderedWriteIsConsistent, ()) {
  constexpr std::array<std::uint16_t, 4> kNumbers{316, 301, 300, 315};
  const auto from = *any_chain();
  const auto to = *any_chain();
  Words words = real_words();
  words[5] = *rc::gen::inRange<std::uint16_t>(61, 800);
  std::vector<RegisterWrite> writes{{308, 20}};
  for (std::size_t i = 0; i < kNumbers.size(); ++i) {
    words[kNumbers[i] - 300U] = from[i];
    writes.push_back({kNumbers[i], to[i]});
  }
  const auto current = *rc::gen::inRange<std::uint16_t>(1, 751);
  writes.push_back({317, current});
  writes.push_back({305, current + *rc::gen::inRange<std::uint16_t>(1, 100)});
  // Any subset that leaves a consistent set behind, in any order.
  std::vector<RegisterWrite> chosen;
  for (const RegisterWrite& write : writes) {
    if (*rc::gen::weightedElement<bool>({{4, true}, {1, false}})) {
      chosen.insert(chosen.begin() +
                        *rc::gen::inRange<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(chosen.size()) + 1),
                    write);
    }
  }
  RC_PRE(!chosen.empty());
  RC_PRE(!check_writes(image_of(words), chosen).has_value());
  RC_ASSERT(is_consistent(image_of(words)));
  std::vector<RegisterWrite> ordered = chosen;
  order_writes(image_of(words), ordered);
  RC_ASSERT(std::is_permutation(ordered.begin(), ordered.end(), chosen.begin(), chosen.end()));
  for (const RegisterWrite& write : ordered) {
    words[write.number - 300U] = static_cast<std::uint16_t>(write.value);
    RC_ASSERT(is_consistent(image_of(words)));
  }
}

TEST(TinyBmsSettings, ABrokenSetIsHealedWhereItCan) {
  Words words = real_words();
  words[15] = 4100;  // over-voltage cut-off below fully charged
  std::vector<RegisterWrite> writes{{300, 4050}, {315, 4080}};
  ASSERT_FALSE(check_writes(image_of(words), writes).has_value());
  order_writes(image_of(words), writes);
  EXPECT_EQ(writes[0].number, 300);
}

}  // namespace
}  // namespace amphora::tinybms
