// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/version/version.hpp"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "apps/amphora/build_info.hpp"

namespace amphora {

namespace {

int print_version(bool is_json) {
  const BuildInfo& info = build_info();
  if (is_json) {
    const nlohmann::ordered_json out{{"name", info.name},
                                     {"version", info.version},
                                     {"commit", info.commit},
                                     {"build", {{"compiler", info.compiler}, {"type", info.build_type}}}};
    fmt::print("{}\n", out.dump());
  } else {
    fmt::print("{} {} ({}, {}, {})\n", info.name, info.version, info.commit, info.compiler, info.build_type);
  }
  return kExitGood;
}

}  // namespace

void add_version(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(parent, "version", "Print name, version, commit and build.",
                                  "  amphora version\n  amphora version --json");
  auto is_json = std::make_shared<bool>(false);
  command->add_flag("--json", *is_json, "One JSON object");
  command->callback([&chosen, is_json] { chosen = [is_json] { return print_version(*is_json); }; });
}

}  // namespace amphora
