// SPDX-License-Identifier: Apache-2.0
// What an emulator tells on standard output: a JSON line for each event, at once, so that a script can wait
// for it.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "apps/amphora/json_line.hpp"

namespace amphora::emulate {

// {"event":"…", and what `fill` adds to the JsonLine}
template <class Fill>
void print_event(std::string_view event, Fill fill) {
  std::string line;
  JsonLine json{line};
  json.text("event", event);
  fill(json);
  json.end();
  (void)std::fwrite(line.data(), 1, line.size(), stdout);
  (void)std::fflush(stdout);
}

}  // namespace amphora::emulate
