// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/run_command.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "apps/amphora/config/load.hpp"
#include "apps/amphora/run/run.hpp"

namespace amphora {

namespace {

spdlog::level::level_enum to_spdlog(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::kDebug:
      return spdlog::level::debug;
    case config::LogLevel::kInfo:
      return spdlog::level::info;
    case config::LogLevel::kWarning:
      return spdlog::level::warn;
    case config::LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

int run_file(const std::string& file) {
  const config::LoadResult loaded = config::load_file(file);
  for (const config::Problem& problem : loaded.errors) {
    fmt::print(stderr, "{}\n", config::to_text(problem, file));
  }
  if (!loaded.config) {
    return kExitUsage;
  }
  spdlog::set_level(to_spdlog(loaded.config->log.level));
  for (const config::Problem& problem : loaded.warnings) {
    spdlog::warn("{}", config::to_text(problem, file));
  }
  return run::run_main(*loaded.config, file);
}

}  // namespace

void add_run(CLI::App& parent, Action& chosen) {
  CLI::App* command = add_command(parent, "run", "Run one box by its configuration.",
                                  "  amphora run /etc/amphora/amphora.toml\n"
                                  "SIGTERM ends it cleanly, SIGHUP reads the file again.");
  auto file = std::make_shared<std::string>();
  command->add_option("file", *file, "Configuration file")->required()->type_name("FILE");
  command->callback([&chosen, file] { chosen = [file] { return run_file(*file); }; });
}

}  // namespace amphora
