// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/packs/command_text.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace amphora::packs_command {
namespace {

using packnet::Command;
using packnet::Opcode;

std::variant<Command, std::string> parse(const std::vector<std::string>& words) {
  return parse_command(words);
}

TEST(PacksCommandText, EveryCommandAsPeopleWriteIt) {
  const auto expect = [](const std::vector<std::string>& words, const Command& wanted) {
    const auto parsed = parse(words);
    ASSERT_TRUE(std::holds_alternative<Command>(parsed)) << std::get<std::string>(parsed);
    EXPECT_EQ(std::get<Command>(parsed), wanted) << words[0] << " " << std::get<Command>(parsed).arguments[1];
  };
  expect({"set_mode", "backup", "on"}, {Opcode::kSetMode, {3, 1}});
  expect({"set_mode", "self_consumption", "off"}, {Opcode::kSetMode, {0, 0}});
  expect({"set_value", "eco_limit", "3000"}, {Opcode::kSetValue, {1, 3000}});
  expect({"set_value", "soc_low", "12.5"}, {Opcode::kSetValue, {3, 1250}});
  expect({"set_value", "mains_voltage", "230"}, {Opcode::kSetValue, {6, 2300}});
  expect({"set_window", "1", "22:00-06:00", "1-5"}, {Opcode::kSetWindow, {0, 0x1F, 88, 24}});
  expect({"set_window", "8", "06:15-07:30"}, {Opcode::kSetWindow, {7, 0x7F, 25, 30}});
  expect({"set_window", "2", "none"}, {Opcode::kSetWindow, {1, 0, 0, 0}});
  expect({"set_relay", "pool_pump", "on", "30"}, {Opcode::kSetRelay, {2, 1, 30}});
  expect({"set_relay", "grid", "auto"}, {Opcode::kSetRelay, {0, 2, 0}});
  expect({"reset_grid_energy"}, {Opcode::kResetGridEnergy, {}});
  expect({"request_section", "10"}, {Opcode::kRequestSection, {10}});
  expect({"identify"}, {Opcode::kIdentify, {10}});
  expect({"identify", "0"}, {Opcode::kIdentify, {0}});
  expect({"restart"}, {Opcode::kRestart, {packnet::kRestartWord}});
  expect({"update_control", "status", "7"}, {Opcode::kUpdateControl, {3, 7}});
}

TEST(PacksCommandText, WhatIsWrongIsSaidWithWhatIsAllowed) {
  const auto fault = [](const std::vector<std::string>& words) {
    const auto parsed = parse(words);
    EXPECT_TRUE(std::holds_alternative<std::string>(parsed)) << words[0];
    return std::holds_alternative<std::string>(parsed) ? std::get<std::string>(parsed) : std::string{};
  };
  const auto has = [](const std::string& text, std::string_view part) {
    EXPECT_NE(text.find(part), std::string::npos) << text << "\nhas no: " << part;
  };
  has(fault({}), "set_relay RELAY on|off|auto");
  has(fault({"dance"}), "dance is no command");
  has(fault({"set_mode", "backup"}), "needs: set_mode MODE on|off");
  has(fault({"set_mode", "backup", "on", "now"}), "needs");
  has(fault({"set_mode", "party", "on"}), "self_consumption, eco, time_of_use, backup, import_limit");
  has(fault({"set_mode", "backup", "yes"}), "off, on");
  has(fault({"set_value", "volume", "11"}), "eco_limit, import_limit");
  has(fault({"set_value", "eco_limit", "99"}), "100 to 100000 W");
  has(fault({"set_value", "soc_low", "100.01"}), "0 to 100 %");
  has(fault({"set_value", "soc_low", "1.234"}), "soc_low");
  has(fault({"set_value", "eco_limit", "many"}), "eco_limit");
  has(fault({"set_window", "9", "none"}), "1 to 8");
  has(fault({"set_window", "1", "22:07-06:00"}), "quarters of an hour");
  has(fault({"set_window", "1", "22:00-22:00"}), "");
  has(fault({"set_window", "1", "22:00-06:00", "8"}), "days 1 (Monday) to 7");
  has(fault({"set_relay", "grid", "open"}), "off, on, auto");
  has(fault({"set_relay", "load_6", "on"}), "load_5");
  has(fault({"set_relay", "grid", "on", "65536"}), "0 to 65535");
  has(fault({"identify", "256"}), "0 to 255");
  has(fault({"restart", "now"}), "needs: restart");
}

TEST(PacksCommandText, AnswersAreSentences) {
  const Command command{Opcode::kSetValue, {1, 3000}};
  for (std::uint8_t i = 0; i <= packnet::kCommandResultMax; ++i) {
    EXPECT_FALSE(answer_text(command, static_cast<packnet::CommandResult>(i), 0).empty());
  }
  EXPECT_NE(answer_text(command, packnet::CommandResult::kOutOfRange, 1).find("value"), std::string::npos);
  EXPECT_NE(answer_text(command, packnet::CommandResult::kOutOfRange, 99).find("settings"),
            std::string::npos);
}

}  // namespace
}  // namespace amphora::packs_command
