// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/program.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "apps/amphora/completion/completion.hpp"

namespace amphora {
namespace {

std::string content_of(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

template <class Visit>
void for_each_command(const CLI::App& command, const std::string& path, Visit visit) {
  visit(command, path);
  for (const CLI::App* child : command.get_subcommands(nullptr)) {
    for_each_command(*child, path + " " + child->get_name(), visit);
  }
}

// The manual writes a hyphen that is typed as \-.
std::string as_in_manual(const std::string& text) {
  std::string out;
  for (const char character : text) {
    out += character == '-' ? "\\-" : std::string(1, character);
  }
  return out;
}

int run(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "amphora");
  return run_program(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Program, TheManualHasEveryCommandAndOption) {
  const std::string manual = content_of(AMPHORA_SOURCE_DIR "/docs/man/amphora.1");
  ASSERT_FALSE(manual.empty());
  Action chosen;
  const auto program = make_program(chosen);
  for_each_command(*program, "amphora", [&](const CLI::App& command, const std::string& path) {
    if (!path.ends_with("amphora")) {
      EXPECT_NE(manual.find(".B " + path + "\n"), std::string::npos) << path;
    }
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        EXPECT_NE(manual.find(as_in_manual("--" + name)), std::string::npos) << path << " --" << name;
      }
    }
  });
}

TEST(Program, EveryCommandHasADescriptionAndExamples) {
  Action chosen;
  const auto program = make_program(chosen);
  for_each_command(*program, "amphora", [&](const CLI::App& command, const std::string& path) {
    EXPECT_FALSE(command.get_description().empty()) << path;
    if (path != "amphora") {
      EXPECT_NE(command.get_footer().find("amphora "), std::string::npos) << path;
    }
  });
}

TEST(Program, TheCompletionKnowsEveryCommand) {
  Action chosen;
  const auto program = make_program(chosen);
  const std::string script = bash_completion(*program);
  for_each_command(*program, "amphora", [&](const CLI::App&, const std::string& path) {
    EXPECT_NE(script.find("\"" + path + "\")"), std::string::npos) << path;
  });
  EXPECT_NE(script.find("victron tinybms"), std::string::npos);
  EXPECT_EQ(script.find(":{"), std::string::npos);  // no validator's text among the words
}

TEST(Program, ExitCodes) {
  EXPECT_EQ(run({"version"}), kExitGood);
  EXPECT_EQ(run({"--help"}), kExitGood);
  EXPECT_EQ(run({"completion", "bash"}), kExitGood);
  EXPECT_EQ(run({"completion", "tcsh"}), kExitUsage);
  EXPECT_EQ(run({"decode", "--help"}), kExitGood);
  EXPECT_EQ(run({}), kExitUsage);
  EXPECT_EQ(run({"nonsense"}), kExitUsage);
  EXPECT_EQ(run({"decode", "morse"}), kExitUsage);
  EXPECT_EQ(run({"decode", "victron", "/nonexistent"}), kExitFailed);
  EXPECT_EQ(run({"check", "/nonexistent"}), kExitUsage);
  EXPECT_EQ(run({"run", "/nonexistent"}), kExitUsage);
  EXPECT_EQ(run({"check", AMPHORA_SOURCE_DIR "/examples/bms-gateway.toml"}), kExitGood);
  EXPECT_EQ(run({"bms", "write", "--port", "/nonexistent", "315=9"}), kExitUsage);
}

}  // namespace
}  // namespace amphora
