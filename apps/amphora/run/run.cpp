// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/run.hpp"

#include <spdlog/spdlog.h>
#include <csignal>

#include <utility>

#include "apps/amphora/command.hpp"
#include "apps/amphora/config/load.hpp"
#include "apps/amphora/run/box.hpp"

namespace amphora::run {
namespace {

void reload_file(Box& box, const std::string& config_file) {
  auto loaded = config::load_file(config_file);
  for (const auto& problem : loaded.errors) {
    spdlog::error("{}", config::to_text(problem, config_file));
  }
  if (loaded.config) {
    box.reload(std::move(*loaded.config));
  } else {
    spdlog::error("the configuration stays as it was");
  }
}

}  // namespace

int run_main(const config::Config& config, const std::string& config_file) {
  runtime::Loop loop;
  std::unique_ptr<runtime::Store> store;
  std::string storage_error;
  auto opened =
      runtime::Store::open({.directory = config.storage.path, .history_days = config.storage.history_days});
  if (opened.ok()) {
    store = std::move(opened.value());
  } else {
    storage_error = opened.error().text();
  }
  Box box{loop, config, std::move(store), std::move(storage_error)};
  const runtime::SignalWatch signals{loop, {SIGTERM, SIGINT, SIGHUP}, [&](int signal) {
                                       if (signal == SIGHUP) {
                                         reload_file(box, config_file);
                                       } else {
                                         loop.stop();
                                       }
                                     }};
  if (!box.start()) {
    return kExitFailed;
  }
  loop.run();
  box.stop();
  return kExitGood;
}

}  // namespace amphora::run
