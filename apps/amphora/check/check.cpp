// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/check/check.hpp"

#include <fmt/format.h>

#include <memory>

#include "apps/amphora/config/load.hpp"
#include "apps/amphora/config/reference.hpp"

namespace amphora {

namespace {

struct CheckOptions {
  std::string file;
  bool is_reference = false;
};

int check(const CheckOptions& options) {
  if (options.is_reference) {
    fmt::print("{}", config::configuration_page());
    return kExitGood;
  }
  if (options.file.empty()) {
    fmt::print(stderr, "FILE is required\nRun with --help for more information.\n");
    return kExitUsage;
  }
  const config::LoadResult result = config::load_file(options.file);
  for (const config::Problem& problem : result.errors) {
    fmt::print("{}\n", config::to_text(problem, options.file));
  }
  for (const config::Problem& problem : result.warnings) {
    fmt::print(stderr, "{} (warning)\n", config::to_text(problem, options.file));
  }
  if (!result.config) {
    return kExitUsage;
  }
  fmt::print("{}: good\n", options.file);
  return kExitGood;
}

}  // namespace

void add_check(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(
      parent, "check", "Validate a configuration file; list everything that is wrong.",
      "  amphora check /etc/amphora/amphora.toml\n  amphora check --reference > docs/CONFIGURATION.md");
  auto options = std::make_shared<CheckOptions>();
  command->add_option("file", options->file, "Configuration file")->type_name("FILE");
  command->add_flag("--reference", options->is_reference, "Print the documentation of every key (Markdown)");
  command->callback([&chosen, options] { chosen = [options] { return check(*options); }; });
}

}  // namespace amphora
