// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/program.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>
#include <string_view>

#include "apps/amphora/bms/bms.hpp"
#include "apps/amphora/build_info.hpp"
#include "apps/amphora/check/check.hpp"
#include "apps/amphora/completion/completion.hpp"
#include "apps/amphora/decode/decode.hpp"
#include "apps/amphora/demo/demo.hpp"
#include "apps/amphora/emulate/emulate.hpp"
#include "apps/amphora/lights/lights.hpp"
#include "apps/amphora/packs/packs.hpp"
#include "apps/amphora/pair/pair.hpp"
#include "apps/amphora/run/run_command.hpp"
#include "apps/amphora/sim/sim_command.hpp"
#include "apps/amphora/version/version.hpp"
#include "runtime/relays/relay_guard.hpp"

namespace amphora {

namespace {

void set_up_log() {
  if (spdlog::get("amphora") != nullptr) {
    return;
  }
  auto logger = spdlog::stderr_color_mt("amphora");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_default_logger(std::move(logger));
}

// CLI11 has an exit code for each kind of mistake; a shell needs to know only that the usage was wrong.
int report(const CLI::App& program, const CLI::ParseError& error) {
  const int code = program.exit(error);
  return code == 0 ? kExitGood : kExitUsage;
}

}  // namespace

std::unique_ptr<CLI::App> make_program(Action& chosen) {
  auto program = std::make_unique<CLI::App>("The open controller for home batteries.", "amphora");
  program->require_subcommand(1);
  program->set_version_flag("--version", fmt::format("amphora {}", build_info().version));
  program->footer(
      "Every command has --help with examples. Exit codes: 0 good, 1 failed, 2 wrong usage or "
      "configuration.");
  add_bms(*program, chosen);
  add_check(*program, chosen);
  add_run(*program, chosen);
  add_packs(*program, chosen);
  add_lights(*program, chosen);
  add_pair(*program, chosen);
  add_demo(*program, chosen);
  add_sim(*program, chosen);
  add_decode(*program, chosen);
  add_emulate(*program, chosen);
  add_completion(*program, chosen);
  add_version(*program, chosen);
  return program;
}

int run_program(int argc, const char* const* argv) {
  // The process that holds a pack's relays (runtime/relays/relay_guard.hpp). It is started by the program
  // only, so it is no command for people, and it does nothing but this.
  if (argc == 2 && std::string_view{argv[1]} == "relay-guard") {
    return runtime::run_relay_guard(runtime::kGuardSocket);
  }
  set_up_log();
  Action chosen;
  const auto program = make_program(chosen);
  try {
    program->parse(argc, argv);
    const int code = chosen();
    return std::fflush(stdout) == 0 ? code : kExitFailed;
  } catch (const CLI::ParseError& error) {
    return report(*program, error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "amphora: {}\n", error.what());
    return kExitFailed;
  }
}

}  // namespace amphora
