// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/registers.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include "core/bms/tinybms/events.hpp"

namespace amphora::tinybms {
namespace {

ValueText formatted(std::uint16_t number, RawValue value) {
  return format_value(*find_register(number), value);
}

TEST(TinyBmsRegisters, AreFoundByNumberAndName) {
  ASSERT_NE(find_register(315), nullptr);
  EXPECT_EQ(find_register(315)->name, "over_voltage_cutoff");
  EXPECT_EQ(find_register("over_voltage_cutoff"), find_register(315));
  EXPECT_EQ(find_register(313), nullptr) << "the upper word of 312";
  EXPECT_EQ(find_register(302), nullptr) << "reserved";
  EXPECT_EQ(find_register(65535), nullptr);
  EXPECT_EQ(find_register("nonsense"), nullptr);
}

TEST(TinyBmsRegisters, NamesAreUnique) {
  std::set<std::string_view> names;
  for (const Register& entry : registers()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    for (const Field& field : entry.fields) {
      EXPECT_TRUE(names.insert(field.name).second || field.name == entry.name) << field.name;
    }
    if (entry.group == RegisterGroup::kSettings) {
      EXPECT_TRUE(entry.is_writable) << entry.name;
      EXPECT_GE(entry.number, kSettingsBlock.address);
      EXPECT_LE(entry.number + word_count(entry), kSettingsBlock.address + kSettingsBlock.count);
    } else {
      EXPECT_FALSE(entry.is_writable) << entry.name;
    }
  }
}

TEST(TinyBmsRegisters, ValuesAreFormattedExactly) {
  EXPECT_EQ(formatted(315, 4200).view(), "4.200");
  EXPECT_EQ(formatted(306, 6600).view(), "66.00");
  EXPECT_EQ(formatted(320, -40).view(), "-40");
  EXPECT_EQ(formatted(46, 83'554'824).view(), "83.554824");
  EXPECT_EQ(formatted(45, 49550).view(), "99.100");
  EXPECT_EQ(formatted(42, -5).view(), "-0.5");
  EXPECT_EQ(formatted(2, 0).view(), "0.0000");
  EXPECT_EQ(formatted(307, 14).view(), "14");
}

TEST(TinyBmsRegisters, RangesHoldAtTheirEnds) {
  for (const Register& entry : registers()) {
    EXPECT_FALSE(is_valid(entry, entry.min - 1)) << entry.name;
    EXPECT_FALSE(is_valid(entry, entry.max + 1)) << entry.name;
    EXPECT_TRUE(is_valid(entry, entry.min)) << entry.name;
    EXPECT_TRUE(is_valid(entry, entry.max)) << entry.name;
  }
}

TEST(TinyBmsRegisters, FieldsAndChoicesAreJudged) {
  const Register& charger = *find_register(330);
  EXPECT_TRUE(is_valid(charger, 0x1E01));
  EXPECT_FALSE(is_valid(charger, 0x0003)) << "charger type 3 does not exist";
  EXPECT_FALSE(is_valid(charger, 0x1F01)) << "31 s";
  EXPECT_TRUE(is_valid(*find_register(329), 7));
  EXPECT_FALSE(is_valid(*find_register(337), 1)) << "a gap in the enumeration";
  EXPECT_TRUE(is_valid(*find_register(337), 0x10));
  EXPECT_EQ(label_of(find_register(50)->choices, 0x97), "idle");
  EXPECT_TRUE(label_of(find_register(50)->choices, 0x98).empty());
  // From a real device: 8 °C in the low byte, 25 °C in the high byte, woken by UART.
  EXPECT_EQ(field_value(find_register(113)->fields[0], 0x1908), 8);
  EXPECT_EQ(field_value(find_register(113)->fields[1], 0x1908), 25);
  EXPECT_EQ(field_value(find_register(113)->fields[0], 0x00FB), -5);
  EXPECT_EQ(field_value(find_register(114)->fields[1], 0x0300), 3);
}

TEST(TinyBmsRegisters, TypesAreReadFromWords) {
  const std::uint16_t voltage[] = {0x1EB8, 0x425F};
  EXPECT_EQ(raw_value(*find_register(36), voltage), 55'780);
  const std::uint16_t negative[] = {0xFFD8};
  EXPECT_EQ(raw_value(*find_register(320), negative), -40);
  const std::uint16_t upper_byte_noise[] = {0xAB04};
  EXPECT_EQ(raw_value(*find_register(342), upper_byte_noise), 4);
  const std::uint16_t not_a_number[] = {0x0000, 0x7FC0};
  EXPECT_EQ(raw_value(*find_register(36), not_a_number), std::nullopt);
  EXPECT_EQ(raw_value(*find_register(36), std::span{voltage}.first(1)), std::nullopt);
}

RC_GTEST_PROP(TinyBmsRegisters, RawValuesSurviveTheirWords, ()) {
  const auto index = *rc::gen::inRange<std::size_t>(0, registers().size());
  const Register& entry = registers()[index];
  const RawValue value = *rc::gen::inRange<RawValue>(entry.min, entry.max + 1);
  RC_PRE(entry.type != RegisterType::kFloat || value < 16'000'000);  // 24 bits of mantissa
  std::array<std::uint16_t, 2> words{};
  raw_words(entry, value, words);
  RC_ASSERT(raw_value(entry, words) == value);
}

// The register and event tables of docs/protocols/tinybms.md, made from the code.
std::string range_of(const Register& entry) {
  std::ostringstream text;
  if (!entry.choices.empty()) {
    for (const Choice& choice : entry.choices) {
      text << (choice.value == entry.choices.front().value ? "" : "; ");
      if (entry.number == 50) {
        text << "0x" << std::hex << std::uppercase << choice.value << std::dec;
      } else {
        text << choice.value;
      }
      text << " " << choice.label;
    }
  } else if (!entry.fields.empty()) {
    for (const Field& field : entry.fields) {
      text << (&field == &entry.fields.front() ? "" : "; ") << "bits " << int{field.shift} << "-"
           << field.shift + field.bits - 1 << " " << field.name << " " << field.min << ".." << field.max
           << (field.unit.empty() ? "" : " ") << field.unit;
      for (const Choice& choice : field.choices) {
        text << (&choice == &field.choices.front() ? " (" : ", ") << choice.value << " " << choice.label;
      }
      text << (field.choices.empty() ? "" : ")");
    }
  } else {
    text << entry.min << ".." << entry.max;
  }
  return text.str();
}

std::string remarks_of(const Register& entry) {
  std::string text;
  const auto add = [&text](bool is_wanted, std::string_view remark) {
    if (is_wanted) {
      text += (text.empty() ? "" : ", ") + std::string{remark};
    }
  };
  add(entry.is_rev_d_only, "Rev D");
  add(entry.is_low_byte_only, "low byte only");
  add(entry.is_sensor_dependent, "range depends on the current sensor");
  if (entry.sentinel != kNoSentinel) {
    add(true, "none: " + std::to_string(entry.sentinel));
  }
  return text;
}

std::string register_table() {
  std::ostringstream text;
  text << "| Register | Name | Meaning | Type | Unit | Scale | Raw range or meaning | R/W | Remarks |\n"
       << "|---|---|---|---|---|---|---|---|---|\n";
  for (const Register& entry : registers()) {
    text << "| " << entry.number;
    if (word_count(entry) == 2) {
      text << "-" << entry.number + 1;
    }
    text << " | `" << entry.name << "` | " << entry.title << " | " << to_text(entry.type) << " | "
         << entry.unit << " | " << format_value(entry, 1).view() << " | " << range_of(entry) << " | "
         << (entry.is_writable ? "R/W" : "R") << " | " << remarks_of(entry) << " |\n";
  }
  return text.str();
}

std::string event_table() {
  std::ostringstream text;
  text << "| Event | Severity | Name | Meaning | Alarm | Ends |\n|---|---|---|---|---|---|\n"
       << std::hex << std::uppercase;
  for (const EventKind& kind : event_kinds()) {
    text << "| 0x" << (kind.id < 16 ? "0" : "") << int{kind.id} << " | " << to_text(*severity_of(kind.id))
         << " | `" << kind.name << "` | " << kind.text << " | "
         << (kind.alarm ? battery::to_text(*kind.alarm) : "") << " | ";
    if (kind.recovers != 0) {
      text << "0x" << (kind.recovers < 16 ? "0" : "") << int{kind.recovers};
    }
    text << " |\n";
  }
  return text.str();
}

std::filesystem::path document_path() {
  return std::filesystem::path{AMPHORA_SOURCE_DIR} / "docs/protocols/tinybms.md";
}

// Replaces what stands between the two marks.
std::string with_section(const std::string& document, const std::string& name, const std::string& content) {
  const std::string begin = "<!-- begin " + name + ": made from the code -->\n";
  const std::string end = "<!-- end " + name + " -->";
  const auto from = document.find(begin);
  const auto to = document.find(end);
  if (from == std::string::npos || to == std::string::npos) {
    return document + "\nthe marks of " + name + " are missing\n";
  }
  return document.substr(0, from + begin.size()) + "\n" + content + "\n" + document.substr(to);
}

// With AMPHORA_UPDATE_DOCS=1 in the environment the document is brought up to date first.
TEST(TinyBmsRegisters, TheDocumentSaysWhatTheCodeSays) {
  const auto path = document_path();
  std::ifstream file{path};
  ASSERT_TRUE(file.good()) << path;
  const std::string document{std::istreambuf_iterator<char>{file}, {}};
  const std::string wanted =
      with_section(with_section(document, "registers", register_table()), "events", event_table());
  if (std::getenv("AMPHORA_UPDATE_DOCS") != nullptr) {
    std::ofstream{path} << wanted;
    return;
  }
  EXPECT_TRUE(document == wanted) << path << " differs from the tables of the code; run this test once with "
                                  << "AMPHORA_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace amphora::tinybms
