// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "apps/amphora/config/fields.hpp"
#include "apps/amphora/config/load_testing.hpp"
#include "apps/amphora/config/reference.hpp"
#include "apps/amphora/config/secret_file.hpp"
#include "apps/amphora/config/suggest.hpp"

namespace amphora::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kMinimal = R"(role = "bms-gateway"
[bms]
port = "/dev/ttyUSB0"
[battery]
chemistry = "nmc"
series_cells = 14
capacity_ah = 66
charge_current_max_a = 20
discharge_current_max_a = 60.5
)";

std::vector<std::string> errors_with(std::string_view extra) {
  return errors_of(std::string{kMinimal} + std::string{extra});
}

std::string content_of(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

TEST(Load, MinimalFileGivesThePresetsOfItsChemistry) {
  const LoadResult result = load_text(kMinimal);
  ASSERT_THAT(texts(result.errors), IsEmpty());
  ASSERT_TRUE(result.config);
  EXPECT_EQ(result.config->battery.cell_full, Millivolts{4100});
  EXPECT_EQ(result.config->battery.series_cells, 14);
  EXPECT_EQ(result.config->battery.capacity, MilliampHours{66'000});
  EXPECT_EQ(result.config->battery.discharge_current_max, Milliamps{60'500});
  EXPECT_EQ(result.config->inverter.limits_period, std::chrono::milliseconds{200});
  EXPECT_EQ(result.config->battery.soc_reserve_start, BasisPoints{1500});
}

TEST(Load, RampsFollowTheirBounds) {
  const LoadResult result =
      load_text(std::string{kMinimal} + "charge_temperature_min_c = 12.5\nsoc_reserve_percent = 20\n");
  ASSERT_TRUE(result.config);
  EXPECT_EQ(result.config->battery.charge_temperature_min, Decicelsius{125});
  EXPECT_EQ(result.config->battery.charge_temperature_full_min, Decicelsius{225});
  EXPECT_EQ(result.config->battery.soc_reserve_start, BasisPoints{3000});
}

TEST(Load, EveryErrorIsReportedAtOnceInTheOrderOfTheFile) {
  const auto errors = texts(load_text(R"(role = "gateway"
nmae = "x"
[bms]
port = 3
poll_interval_ms = 50
[battery]
chemistry = "lfp"
series_cells = 16.5
capacity_ah = "100"
charge_current_max_a = 50.05
[mqqt]
x = 1
)")
                                .errors);
  EXPECT_THAT(
      errors,
      ElementsAre(
          R"(f:1:8: role: "gateway" is not known; allowed: "bms-gateway", "transmitter", "receiver", "pack")",
          R"(f:2:1: nmae: is not a key of this section; did you mean "name"?)",
          R"(f:4:8: bms.port: is not a text in quotes; allowed: an absolute path, or "" for none)",
          "f:5:20: bms.poll_interval_ms: 50 is out of range; allowed: 100 to 10000 ms, whole numbers",
          "f:6:1: battery.discharge_current_max_a: is missing and has no default; allowed: 0 to 1000 A "
          "in "
          "steps of 0.1",
          "f:8:16: battery.series_cells: 16.5 is finer than the step; allowed: 1 to 192, whole numbers",
          "f:9:15: battery.capacity_ah: is a text: write the number without quotes; allowed: 1 to 10000 "
          "Ah in "
          "steps of 0.01",
          "f:10:24: battery.charge_current_max_a: 50.05 is finer than the step; allowed: 0 to 1000 A in "
          "steps "
          "of 0.1",
          "f:11:1: mqqt: is not a section of this role; did you mean [mqtt]?"));
}

TEST(Load, BrokenSyntaxNamesItsPlace) {
  const auto errors = texts(load_text("role = \"bms-gateway\"\n[bms\n").errors);
  ASSERT_THAT(errors, SizeIs(1));
  EXPECT_THAT(errors[0], HasSubstr("f:2:"));
}

TEST(Load, KeyInTheWrongSectionIsSentToItsOwn) {
  EXPECT_THAT(
      errors_with("[log]\nhistory_days = 3\n"),
      ElementsAre(HasSubstr("log.history_days: is not a key of this section; it belongs in [storage]")));
}

TEST(Load, NumbersThatAreNoNumbersAreRefused) {
  for (const std::string value : {"nan", "inf", "-inf", "1e300", "-1", "true", "[1]", "{}", "1979-05-27"}) {
    EXPECT_THAT(errors_with("[storage]\nhistory_days = " + value + "\n"), SizeIs(1)) << value;
  }
}

TEST(Load, CellVoltagesMustRise) {
  EXPECT_THAT(errors_with("cell_full_v = 4.18\ncell_max_v = 4.18\n"),
              ElementsAre(HasSubstr("battery.cell_max_v: 4.18 V is not above cell_full_v (4.18 V)")));
  EXPECT_THAT(errors_with("cell_min_v = 3.3\n"),
              ElementsAre(HasSubstr("battery.cell_empty_v: 3.3 V is not above")));
}

TEST(Load, VoltagesOfTheOtherChemistryAreRefused) {
  std::string text{kMinimal};
  text.replace(text.find("nmc"), 3, "lfp");
  const auto errors = texts(load_text(text + "cell_max_v = 4.1\n").errors);
  EXPECT_THAT(errors,
              ElementsAre(HasSubstr("4.1 V is not possible for lfp cells; allowed for lfp: 2 to 3.65 V")));
}

TEST(Load, TemperaturesMustLeaveRoom) {
  EXPECT_THAT(errors_with("charge_temperature_min_c = 25\ncharge_temperature_max_c = 44\n"),
              ElementsAre(HasSubstr("charge_temperature_max_c: leaves no range")));
  EXPECT_THAT(errors_with("charge_temperature_min_c = 25\ncharge_temperature_max_c = 45\n"), IsEmpty());
  EXPECT_THAT(errors_with("discharge_temperature_min_c = 30\n"), IsEmpty());
  EXPECT_THAT(errors_with("discharge_temperature_min_c = 30\ndischarge_temperature_max_c = 54.9\n"),
              ElementsAre(HasSubstr("discharge_temperature_max_c: leaves no range")));
}

TEST(Load, DriverAndItsConnectionBelongTogether) {
  const auto without_port = [](std::string_view driver) {
    std::string text{kMinimal};
    const std::string port = "port = \"/dev/ttyUSB0\"";
    return texts(load_text(text.replace(text.find(port), port.size(), driver)).errors);
  };
  EXPECT_THAT(without_port(""), ElementsAre(HasSubstr("f:2:1: bms.port: is missing")));
  EXPECT_THAT(without_port("driver = \"can\""), ElementsAre(HasSubstr("bms.interface: is missing")));
  EXPECT_THAT(
      without_port("driver = \"can\"\ninterface = \"can0\""),
      ElementsAre(HasSubstr("f:4:13: bms.interface: \"can0\" is also the interface of the inverter")));
  EXPECT_THAT(without_port("driver = \"can\"\ninterface = \"can1\""), IsEmpty());
  EXPECT_THAT(errors_with("[log]\n"), IsEmpty());
}

TEST(Load, TinyBmsHasFourToSixteenCells) {
  std::string text{kMinimal};
  text.replace(text.find("= 14"), 4, "= 17");
  EXPECT_THAT(texts(load_text(text).errors), ElementsAre(HasSubstr("17 cells cannot hang on a TinyBMS")));
}

TEST(Load, StaleAfterCoversTwoPolls) {
  std::string text{kMinimal};
  text.insert(text.find("port ="), "poll_interval_ms = 2600\n");
  EXPECT_THAT(texts(load_text(text).errors),
              ElementsAre(HasSubstr("bms.stale_after_s: is less than two poll")));
}

TEST(Load, BrokerOnAnotherMachineNeedsTls) {
  EXPECT_THAT(errors_with("[mqtt]\nhost = \"192.168.1.2\"\n"), ElementsAre(HasSubstr("mqtt.tls: is needed")));
  EXPECT_THAT(errors_with("[mqtt]\nhost = \"192.168.1.2\"\ntls = true\n"), IsEmpty());
  EXPECT_THAT(errors_with("[mqtt]\nhost = \"192.168.1.2\"\nenabled = false\n"), IsEmpty());
  const LoadResult plain =
      load_text(std::string{kMinimal} + "[mqtt]\nhost = \"192.168.1.2\"\nallow_plain = true\n");
  EXPECT_TRUE(plain.config);
  EXPECT_THAT(plain.warnings, SizeIs(1));
  for (const std::string host : {"127.0.0.1", "127.3.2.1", "localhost", "::1"}) {
    EXPECT_THAT(errors_with("[mqtt]\nhost = \"" + host + "\"\n"), IsEmpty()) << host;
  }
}

TEST(Load, NoLoginOnlyOnLoopback) {
  EXPECT_THAT(errors_with("[web]\nlisten = \"0.0.0.0:80\"\nlogin = \"none\"\n"),
              ElementsAre(HasSubstr("web.login")));
  EXPECT_THAT(errors_with("[web]\nlisten = \"[::]:80\"\nlogin = \"none\"\n"),
              ElementsAre(HasSubstr("web.login")));
  EXPECT_THAT(errors_with("[web]\nlisten = \"[::1]:80\"\nlogin = \"none\"\n"), IsEmpty());
  EXPECT_THAT(errors_with("[web]\nlisten = \"localhost:80\"\n"), ElementsAre(HasSubstr("numeric address")));
  EXPECT_THAT(errors_with("[web]\nlisten = \"127.0.0.1:0\"\n"), SizeIs(1));
  EXPECT_THAT(errors_with("[web]\nlisten = \"127.0.0.1:65536\"\n"), SizeIs(1));
}

TEST(Load, CanInterfaces) {
  const auto errors = [](const std::string& name) {
    return errors_with("[inverter]\ninterface = \"" + name + "\"\n");
  };
  for (const std::string good : {"can0", "slcan-1", "udp://239.74.163.2:43113", "virtual:x"}) {
    EXPECT_THAT(errors(good), IsEmpty()) << good;
  }
  for (const std::string bad : {"", "can 0", "averylonginterface", "udp://239.74.163.2", "udp://10.0.0.1:4",
                                "udp://239.74.163.2:99999", "virtual:", "can0;reboot"}) {
    EXPECT_THAT(errors(bad), SizeIs(1)) << bad;
  }
}

TEST(Load, BrandNamesThatChangeTheInverterAreWarnedOf) {
  const LoadResult result = load_text(std::string{kMinimal} + "[inverter]\nmanufacturer = \"PYLON\"\n");
  ASSERT_TRUE(result.config);
  EXPECT_THAT(texts(result.warnings), ElementsAre(HasSubstr("f:11:16: inverter.manufacturer: \"PYLON\"")));
}

TEST(Load, TooLongAndUnprintableTextsAreRefused) {
  EXPECT_THAT(errors_with("[inverter]\nmanufacturer = \"NINECHARS\"\n"),
              ElementsAre(HasSubstr("is 9 bytes long")));
  EXPECT_THAT(errors_with("[inverter]\nbattery_name = \"B\u00e4r\"\n"),
              ElementsAre(HasSubstr("has the byte 0xC3")));
  EXPECT_THAT(errors_with("[mqtt]\nbase = \"a/#\"\n"), ElementsAre(HasSubstr("has the character '#'")));
  EXPECT_THAT(errors_with("[mqtt]\nbase = \"/a\"\n"), ElementsAre(HasSubstr("starts or ends with /")));
  EXPECT_THAT(errors_with("[storage]\npath = \"var/lib\"\n"),
              ElementsAre(HasSubstr("\"var/lib\" is not absolute")));
}

TEST(Load, HugeInputIsRefused) {
  EXPECT_THAT(texts(load_text(std::string(1024 * 1024 + 1, '#')).errors),
              ElementsAre(HasSubstr("larger than a configuration can be")));
}

TEST(Load, SecretsMustBePrivate) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("amphora_config_test_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string secret = folder / "secret";
  const std::string file = folder / "box.toml";
  std::ofstream{file} << kMinimal << "[mqtt]\nusername = \"u\"\npassword_file = \"" << secret << "\"\n";
  EXPECT_THAT(texts(load_file(file).errors), ElementsAre(HasSubstr("No such file")));
  std::ofstream{secret} << "hunter2\nnot this\n";
  ASSERT_EQ(chmod(secret.c_str(), 0640), 0);
  EXPECT_THAT(texts(load_file(file).errors), ElementsAre(HasSubstr("has mode 0640")));
  EXPECT_FALSE(read_secret(secret));
  ASSERT_EQ(chmod(secret.c_str(), 0600), 0);
  EXPECT_TRUE(load_file(file).config);
  EXPECT_EQ(read_secret(secret), "hunter2");
  std::filesystem::remove_all(folder);
}

TEST(Load, UnreadableFileIsAnError) {
  EXPECT_THAT(texts(load_file("/nonexistent.toml").errors), ElementsAre(HasSubstr("No such file")));
  EXPECT_THAT(texts(load_file("/").errors), ElementsAre(HasSubstr("cannot be read")));
}

// What an example says must be the default, except for what a file must give and what names this machine.
void expect_defaults_only(const std::string& file, std::initializer_list<std::string_view> but) {
  const LoadResult result = load_file(AMPHORA_SOURCE_DIR "/examples/" + file);
  EXPECT_THAT(texts(result.errors), IsEmpty());
  EXPECT_THAT(texts(result.warnings), IsEmpty());
  ASSERT_TRUE(result.config);
  const Role role = result.config->box.role;
  const Config defaults = default_config(battery::Chemistry::kLfp, role);
  for (const Field& field : fields()) {
    const bool is_excepted = std::find(but.begin(), but.end(), full_key(field)) != but.end();
    if (!has_role(field.required_for, role) && !is_excepted) {
      EXPECT_EQ(format_value(field, *result.config), format_value(field, defaults)) << full_key(field);
    }
  }
}

TEST(Load, TheExamplesAreGoodAndSayNothingButDefaultsAndTheRequired) {
  expect_defaults_only("bms-gateway.toml", {"name", "bms.port"});
  expect_defaults_only("transmitter.toml", {"name", "bms.port"});
  expect_defaults_only("receiver.toml", {"name"});
  expect_defaults_only("pack.toml",
                       {"name", "bms.port", "inputs.grid", "inputs.inverter_output", "inputs.pool_pump",
                        "inputs.water_heater", "relays.grid", "relays.inverter_output", "relays.pool_pump",
                        "relays.water_heater", "indicator.bar", "indicator.digits", "indicator.leds"});
}

TEST(Load, TheDocumentationPageIsTheOneOfThisTable) {
  EXPECT_EQ(content_of(AMPHORA_SOURCE_DIR "/docs/CONFIGURATION.md"), configuration_page())
      << "regenerate it: amphora check --reference > docs/CONFIGURATION.md";
}

TEST(Fields, RolesOfAFieldAreWithinThoseOfItsSection) {
  for (const Field& field : fields()) {
    EXPECT_NE(find_section(field.section)->roles & field.roles, kNoRole) << full_key(field);
    EXPECT_EQ(field.required_for & ~(find_section(field.section)->roles & field.roles), 0) << full_key(field);
  }
}

TEST(Fields, DefaultsAreWithinTheirOwnRanges) {
  for (const auto chemistry : {battery::Chemistry::kLfp, battery::Chemistry::kNmc}) {
    const Config config = default_config(chemistry);
    for (const Field& field : fields()) {
      ASSERT_NE(find_section(field.section), nullptr) << field.section;
      if (field.kind == Kind::kNumber) {
        const std::int64_t value = field.access.number(config);
        EXPECT_GE(value, field.range.min) << full_key(field);
        EXPECT_LE(value, field.range.max) << full_key(field);
        EXPECT_EQ(value % field.range.step, 0) << full_key(field);
      }
      EXPECT_FALSE(field.help.empty()) << full_key(field);
    }
  }
}

TEST(Fields, DerivedRampsMatchThePresets) {
  battery::Profile profile;
  const battery::Profile preset;
  derive_ramps(profile);
  EXPECT_EQ(profile.charge_temperature_full_min, preset.charge_temperature_full_min);
  EXPECT_EQ(profile.charge_temperature_full_max, preset.charge_temperature_full_max);
  EXPECT_EQ(profile.discharge_temperature_full_min, preset.discharge_temperature_full_min);
  EXPECT_EQ(profile.discharge_temperature_full_max, preset.discharge_temperature_full_max);
  EXPECT_EQ(profile.soc_reserve_start, preset.soc_reserve_start);
}

TEST(Suggest, NearestWithinAThird) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(nearest("prt", {"driver", "port"}), "port");
  EXPECT_EQ(nearest("zzzzzz", {"driver", "port"}), std::nullopt);
}

TEST(Load, ATableHeaderWithoutANameIsAnErrorWithItsPlace) {
  const LoadResult result = load_text("role = \"bms-gateway\"\n  [=]\n");
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_EQ(result.errors[0].line, 2);
  EXPECT_EQ(result.errors[0].column, 3);
  EXPECT_FALSE(result.config);
}

TEST(Load, CharactersBeyondAsciiBelongIntoQuotesAndComments) {
  const LoadResult stray = load_text("role = \"bms-gateway\"\n  \xD0\x95nv = 1\n");
  ASSERT_EQ(stray.errors.size(), 1U);
  EXPECT_EQ(stray.errors[0].line, 2);
  EXPECT_EQ(stray.errors[0].column, 3);
  for (const char* good : {"name = \"H\xC3\xA4uschen\"# gr\xC3\xBC\xC3\x9F\n", "name = 'H\xC3\xA4'\n",
                           "name = \"\"\"H\xC3\xA4\n\xC3\xA4\"\"\"\n", "name = \"a\\\"\xC3\xA4\"\n",
                           "\xEF\xBB\xBFname = \"a\"\n"}) {
    for (const Problem& problem : load_text(good).errors) {
      EXPECT_EQ(problem.what.find("beyond ASCII"), std::string::npos) << good;
    }
  }
}

}  // namespace
}  // namespace amphora::config
