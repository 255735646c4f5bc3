// SPDX-License-Identifier: Apache-2.0
#include "core/sections/field.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/base/rng.hpp"
#include "core/sections/tables.hpp"

namespace amphora::sections {
namespace {

using Reason = FieldError::Reason;

const SectionTable& table(state::SectionId id) {
  return *find_table(id);
}

std::string text(const SectionTable& section, const FieldError& error) {
  return std::string{describe(section, error).view()};
}

std::vector<const SectionTable*> all_tables() {
  std::vector<const SectionTable*> all;
  for (const auto list : {tables(), pack_tables()}) {
    for (const SectionTable& section : list) {
      all.push_back(&section);
    }
  }
  return all;
}

void expect_found(std::span<const SectionTable> list, std::span<const state::SectionSpec> of_list) {
  ASSERT_EQ(list.size(), of_list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const SectionTable& section = list[i];
    EXPECT_EQ(find_table(section.id), &section);
    EXPECT_EQ(find_table(section.name), &section);
    EXPECT_EQ(of_list[i].id, section.id);
    EXPECT_EQ(of_list[i].is_peer_editable, section.is_peer_editable);
    EXPECT_LE(encoded_size_max(section), state::kPayloadSizeMax);
    for (const FieldSpec& field : section.fields) {
      EXPECT_FALSE(field.help.empty()) << section.name << "." << field.name;
    }
  }
}

TEST(Sections, EveryTableIsFoundByIdAndByName) {
  expect_found(tables(), specs());
  expect_found(pack_tables(), pack_specs());
  EXPECT_EQ(tables().back().id, kDisplay) << "the link shares what it always did";
  EXPECT_EQ(all_tables().size(), 10U);
  EXPECT_EQ(find_table(std::string_view{"can"}), nullptr);
  EXPECT_EQ(find_table(state::SectionId{7}), nullptr);
}

void expect_rows(const char* path, std::span<const SectionTable> sections) {
  std::ifstream file{std::string{AMPHORA_SOURCE_DIR} + path};
  const std::string document{std::istreambuf_iterator<char>{file}, {}};
  for (const SectionTable& section : sections) {
    std::string row = "| " + std::to_string(section.id) + " | " + std::string{section.name} + " | " +
                      (section.is_peer_editable ? "both" : "owner") + " | ";
    for (const FieldSpec& field : section.fields) {
      row += std::string{&field == section.fields.data() ? "" : ", "} + std::string{field.name};
    }
    EXPECT_NE(document.find(row + " |"), std::string::npos) << row;
  }
}

TEST(Sections, TheDocumentsNameEverySectionAndField) {
  expect_rows("/docs/protocols/state.md", tables());
  expect_rows("/docs/protocols/packnet.md", pack_tables());
}

TEST(Sections, DefaultsAreValidAndSurviveTheBytes) {
  for (const SectionTable* table_of : all_tables()) {
    const SectionTable& section = *table_of;
    const Values values = default_values(section);
    const auto payload = encode(section, values);
    ASSERT_TRUE(payload.ok()) << section.name;
    EXPECT_LE(payload->size(), state::kPayloadSizeMax);
    EXPECT_EQ(*decode(section, payload->bytes()), values) << section.name;
    EXPECT_EQ(*decode(section, {}), values) << "an empty payload is the default";
  }
}

TEST(Sections, BytesAreAsDocumented) {
  Values values = default_values(table(kMqtt));
  values.fields[mqtt_field::kEnabled].number = 1;
  values.fields[mqtt_field::kHost].text = {"nas"};
  values.fields[mqtt_field::kPort].number = 0x1234;
  values.fields[mqtt_field::kClientId].text = {"a"};
  const std::vector<std::uint8_t> expected{1, 3, 'n', 'a', 's', 0x34, 0x12, 0, 0, 1, 'a'};
  EXPECT_EQ(*encode(table(kMqtt), values), state::Payload{expected});
  Values network = default_values(table(kNetwork));
  network.fields[network_field::kAddress] = *parse_value(table(kNetwork).fields[0], "192.168.1.10");
  EXPECT_EQ(encode(table(kNetwork), network)->bytes()[0], 192);
  EXPECT_EQ(encode(table(kNetwork), network)->bytes()[3], 10);
}

TEST(Sections, AnOlderVersionsBytesTakeDefaultsForTheRest) {
  const std::vector<std::uint8_t> bytes{1, 3, 'n', 'a', 's'};
  const auto values = decode(table(kMqtt), bytes);
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(values->fields[mqtt_field::kHost].text.view(), "nas");
  EXPECT_EQ(values->fields[mqtt_field::kPort].number, 1883);
}

TEST(Sections, ANewerVersionsBytesAreKept) {
  std::vector<std::uint8_t> bytes{2, 3, 'U', 'T', 'C', 1, 0xAA, 0xBB};
  auto values = decode(table(kDisplay), bytes);
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(values->extra.size(), 2U);
  values->fields[display_field::kTheme].number = 1;
  bytes[0] = 1;
  EXPECT_EQ(*encode(table(kDisplay), *values), state::Payload{bytes});
}

TEST(Sections, FieldsThatNoLongerFitBesideThoseOfANewerVersionAreRefused) {
  Values values = default_values(table(kDisplay));
  const std::vector<std::uint8_t> extra(state::kPayloadSizeMax - 5);
  values.extra = state::Payload{extra};
  const auto payload = encode(table(kDisplay), values);
  ASSERT_FALSE(payload.ok());
  EXPECT_EQ(payload.error().reason, Reason::kNoRoom);
}

TEST(Sections, ErrorsNameFieldReasonAndRange) {
  const SectionTable& battery = table(kBattery);
  Values values = default_values(battery);
  values.fields[battery_field::kCellFull].number = 5200;
  auto error = validate(battery, values);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(text(battery, *error), "cell_full_v: 5.2 V is out of range; allowed: 2 to 4.25 V");
  values.fields[battery_field::kCellFull].number = 2900;
  error = validate(battery, values);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(text(battery, *error), "cell_full_v: 2.9 V must be greater than cell_empty_v");
  EXPECT_EQ(encode(battery, values).error(), *error);

  const std::vector<std::uint8_t> truncated{1, 9, 'n'};
  EXPECT_EQ(text(table(kMqtt), decode(table(kMqtt), truncated).error()),
            "host: the data ends within this field");
  const std::vector<std::uint8_t> no_bool{7};
  EXPECT_EQ(text(table(kMqtt), decode(table(kMqtt), no_bool).error()),
            "enabled: neither true nor false; allowed: true, false");
  const std::vector<std::uint8_t> no_choice{9};
  EXPECT_EQ(text(table(kDisplay), decode(table(kDisplay), no_choice).error()),
            "theme: not one of the choices; allowed: auto, light, dark");
  const std::vector<std::uint8_t> control{1, 2, 'a', '\n'};
  EXPECT_EQ(text(table(kMqtt), decode(table(kMqtt), control).error()),
            "host: contains a character that cannot be shown; allowed: 1 to 64 bytes of printable text");
  const std::vector<std::uint8_t> empty_host{1, 0};
  EXPECT_EQ(decode(table(kMqtt), empty_host).error(), (FieldError{mqtt_field::kHost, Reason::kTooShort, 0}));
}

TEST(Sections, ValuesAreWrittenAndReadAsPeopleDo) {
  struct Case {
    state::SectionId section;
    std::size_t field;
    const char* text;
    std::int64_t number;
  };
  const Case cases[] = {{kBattery, battery_field::kCellFull, "3.45", 3450},
                        {kBattery, battery_field::kCapacity, "280", 280'000},
                        {kBattery, battery_field::kSocReserve, "7.05", 705},
                        {kBattery, battery_field::kChemistry, "nmc", 1},
                        {kMqtt, mqtt_field::kEnabled, "true", 1},
                        {kMqtt, mqtt_field::kPort, "8883", 8883},
                        {kNetwork, network_field::kMask, "255.255.255.0", 0xFFFF'FF00}};
  for (const Case& c : cases) {
    const FieldSpec& field = table(c.section).fields[c.field];
    const auto value = parse_value(field, c.text);
    ASSERT_TRUE(value.ok()) << c.text;
    EXPECT_EQ(value->number, c.number) << c.text;
    EXPECT_EQ(format_value(field, *value).view(), c.text);
  }
  EXPECT_EQ(parse_value(table(kBattery).fields[battery_field::kCellFull], "3.450")->number, 3450);
  EXPECT_EQ(parse_value(table(kSystem).fields[system_field::kName], "Keller ☀")->text.view(), "Keller ☀");
}

TEST(Sections, WhatIsNoValueIsRefusedWithItsReason) {
  struct Case {
    state::SectionId section;
    std::size_t field;
    std::string text;
    Reason reason;
  };
  const Case cases[] = {{kBattery, battery_field::kCellFull, "", Reason::kNotANumber},
                        {kBattery, battery_field::kCellFull, "-3", Reason::kNotANumber},
                        {kBattery, battery_field::kCellFull, "3.", Reason::kNotANumber},
                        {kBattery, battery_field::kCellFull, "3,4", Reason::kNotANumber},
                        {kBattery, battery_field::kCellFull, "0x3", Reason::kNotANumber},
                        {kBattery, battery_field::kCellFull, "3.4505", Reason::kTooPrecise},
                        {kBattery, battery_field::kCellFull, "99", Reason::kOutOfRange},
                        {kBattery, battery_field::kCellFull, "9999999999999999", Reason::kOutOfRange},
                        {kBattery, battery_field::kCellFull, "99999999999999999999999", Reason::kNotANumber},
                        {kBattery, battery_field::kChemistry, "lead", Reason::kUnknownChoice},
                        {kMqtt, mqtt_field::kEnabled, "yes", Reason::kNotBool},
                        {kMqtt, mqtt_field::kHost, std::string(65, 'a'), Reason::kTooLong},
                        {kMqtt, mqtt_field::kUsername, std::string(33, 'a'), Reason::kTooLong},
                        {kMqtt, mqtt_field::kHost, "", Reason::kTooShort},
                        {kMqtt, mqtt_field::kHost, "\xC3", Reason::kNotPrintable},
                        {kMqtt, mqtt_field::kHost, "\xED\xA0\x80", Reason::kNotPrintable},
                        {kMqtt, mqtt_field::kHost, "\xC0\xAF", Reason::kNotPrintable},
                        {kNetwork, network_field::kDns, "1.2.3", Reason::kNotAnAddress},
                        {kNetwork, network_field::kDns, "1.2.3.256", Reason::kNotAnAddress},
                        {kNetwork, network_field::kDns, "1.2.3.4.5", Reason::kNotAnAddress},
                        {kNetwork, network_field::kDns, "1..3.4", Reason::kNotAnAddress}};
  for (const Case& c : cases) {
    const auto value = parse_value(table(c.section).fields[c.field], c.text);
    ASSERT_FALSE(value.ok()) << c.text;
    EXPECT_EQ(value.error().reason, c.reason) << c.text;
    EXPECT_FALSE(text(table(c.section), {c.field, c.reason, value.error().found}).empty());
  }
}

TEST(SectionsProperty, AnyBytesAreDecodedOrRefusedAndWhatWasDecodedIsStable) {
  Rng rng{7};
  int accepted = 0;
  const auto all = all_tables();
  for (int run = 0; run < 200'000; ++run) {
    const SectionTable& section = *all[rng.below(static_cast<std::uint32_t>(all.size()))];
    const auto whole = *encode(section, default_values(section));
    std::vector<std::uint8_t> bytes{whole.bytes().begin(), whole.bytes().end()};
    bytes.resize(rng.below(static_cast<std::uint32_t>(bytes.size()) + 4));
    for (std::uint32_t i = rng.below(3); i > 0 && !bytes.empty(); --i) {
      bytes[rng.below(static_cast<std::uint32_t>(bytes.size()))] = static_cast<std::uint8_t>(rng.next());
    }
    const auto values = decode(section, bytes);
    if (!values) {
      ASSERT_LT(values.error().field, section.fields.size());
      ASSERT_GT(describe(section, values.error()).size(), section.fields[values.error().field].name.size());
      continue;
    }
    ++accepted;
    const auto again = encode(section, *values);
    ASSERT_TRUE(again.ok());
    ASSERT_EQ(*decode(section, again->bytes()), *values);
  }
  EXPECT_GT(accepted, 10'000);
}

// ---- windows

const FieldSpec& window_field() {
  return find_table(kSchedule)->fields[0];
}

TEST(Windows, AreWrittenAsPeopleDo) {
  struct Case {
    const char* text;
    WindowValue window;
    const char* written;
  };
  const Case cases[] = {{"22:00-06:00 1-5", {1320, 360, 0x1F}, "22:00-06:00 1-5"},
                        {"22:00-06:00", {1320, 360, 0x7F}, "22:00-06:00"},
                        {"22:00-06:00 1-7", {1320, 360, 0x7F}, "22:00-06:00"},
                        {"06:30-06:30 7", {390, 390, 0x40}, "06:30-06:30 7"},
                        {"00:00-23:59 1,3,6-7", {0, 1439, 0x65}, "00:00-23:59 1,3,6-7"},
                        {"12:00-13:00 7,6,3,1", {720, 780, 0x65}, "12:00-13:00 1,3,6-7"},
                        {" 6:05-24:00  2,3 ", {365, 0, 0x06}, "06:05-00:00 2-3"},
                        {"0:00-24:00", {0, 0, 0x7F}, "00:00-00:00"},
                        {"", {}, ""},
                        {"  ", {}, ""}};
  for (const Case& c : cases) {
    const auto value = parse_value(window_field(), c.text);
    ASSERT_TRUE(value.ok()) << c.text;
    EXPECT_EQ(to_window(value->number), c.window) << c.text;
    EXPECT_EQ(format_value(window_field(), *value).view(), c.written);
  }
}

TEST(Windows, AreRefusedWithWhatIsAllowed) {
  const char* const cases[] = {"22:00",           "22:00-",          "-06:00",          "24:00-06:00",
                               "22:60-06:00",     "22:00-24:01",     "22:0-06:00",      "022:00-06:00",
                               "22:00-06:00 0-5", "22:00-06:00 1-8", "22:00-06:00 5-1", "22:00-06:00 1,",
                               "22:00-06:00 ,1",  "22:00-06:00 1 3", "22:00-06:00 1--", "22:00-06:00 1-",
                               "22.00-06.00",     "always",          "22:00 - 06:00",   "-1:00-06:00",
                               "22:00-06:00 Mo",  "22:00-06:00\t1",  "2 :00-06:00",     ":00-06:00"};
  for (const char* const c : cases) {
    const auto value = parse_value(window_field(), c);
    ASSERT_FALSE(value.ok()) << c;
    EXPECT_EQ(value.error().reason, Reason::kNotAWindow) << c;
  }
  EXPECT_EQ(
      text(*find_table(kSchedule), {2, Reason::kNotAWindow, 0}),
      "window_3: not a time of the day; allowed: as in 22:00-06:00 or 22:00-06:00 1-5 (days 1 Monday to "
      "7 Sunday), or nothing");
}

TEST(Windows, BytesAreAsDocumented) {
  const SectionTable& schedule = *find_table(kSchedule);
  Values values = default_values(schedule);
  values.fields[1] = *parse_value(window_field(), "22:00-06:30 1-5");
  const auto payload = encode(schedule, values);
  ASSERT_TRUE(payload.ok());
  ASSERT_EQ(payload->size(), 40U);
  const std::vector<std::uint8_t> expected{0, 0, 0, 0, 0, 0x28, 0x05, 0x86, 0x01, 0x1F};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), payload->bytes().begin()));

  const std::vector<std::uint8_t> late{0xA0, 0x05, 0, 0, 1};  // begins at minute 1440
  EXPECT_EQ(decode(schedule, late).error(), (FieldError{0, Reason::kNotAWindow, -1}));
  const std::vector<std::uint8_t> eight_days{0, 0, 0, 0, 0xFF};
  EXPECT_EQ(decode(schedule, eight_days).error().reason, Reason::kNotAWindow);
  const std::vector<std::uint8_t> without_days{0xFF, 0xFF, 7, 0, 0};
  ASSERT_TRUE(decode(schedule, without_days).ok());
  EXPECT_EQ(decode(schedule, without_days)->fields[0].number, 0) << "unused, whatever its times";
  values.fields[0].number = 17;
  EXPECT_EQ(encode(schedule, values).error(), (FieldError{0, Reason::kNotAWindow, 17}));
}

TEST(WindowsProperty, EveryWindowSurvivesTextAndBytes) {
  const SectionTable& schedule = *find_table(kSchedule);
  Rng rng{11};
  for (int run = 0; run < 50'000; ++run) {
    Values values = default_values(schedule);
    for (std::size_t i = 0; i < schedule_field::kWindowCount; ++i) {
      WindowValue window;
      window.start_minute = static_cast<std::uint16_t>(rng.below(kMinutesPerDay));
      window.end_minute = static_cast<std::uint16_t>(rng.below(kMinutesPerDay));
      window.days = static_cast<std::uint8_t>(rng.below(0x80));
      values.fields[i].number = to_number(window);
      const ValueText written = format_value(schedule.fields[i], values.fields[i]);
      const auto read = parse_value(schedule.fields[i], written.view());
      ASSERT_TRUE(read.ok()) << written.view();
      ASSERT_EQ(*read, values.fields[i]) << written.view();
      ASSERT_EQ(format_value(schedule.fields[i], *read), written);
    }
    const auto payload = encode(schedule, values);
    ASSERT_TRUE(payload.ok());
    ASSERT_EQ(*decode(schedule, payload->bytes()), values);
  }
}

TEST(WindowsProperty, AnyTextIsReadOrRefused) {
  constexpr std::string_view kCharacters = "0123456789:-, ";
  Rng rng{12};
  int accepted = 0;
  for (int run = 0; run < 200'000; ++run) {
    std::string any{"22:00-06:00 1-5"};
    for (std::uint32_t i = rng.below(4); i > 0; --i) {
      const std::uint32_t at = rng.below(static_cast<std::uint32_t>(any.size()));
      any[at] = kCharacters[rng.below(static_cast<std::uint32_t>(kCharacters.size()))];
    }
    any.resize(rng.below(static_cast<std::uint32_t>(any.size()) + 1));
    const auto value = parse_value(window_field(), any);
    if (value) {
      ++accepted;
      ASSERT_TRUE(is_window(value->number)) << any;
    }
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace amphora::sections
