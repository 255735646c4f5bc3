// SPDX-License-Identifier: Apache-2.0
// amphora run: one box by its configuration, until it is told to stop.
#pragma once

#include <string>

#include "apps/amphora/config/config.hpp"

namespace amphora::run {

// Serves until SIGTERM or SIGINT; SIGHUP reads `config_file` again and applies what can be applied while
// running. Tells systemd when it is ready, alive and stopping. Returns an exit code; why it is not 0 has been
// logged.
int run_main(const config::Config& config, const std::string& config_file);

}  // namespace amphora::run
