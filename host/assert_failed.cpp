// SPDX-License-Identifier: Apache-2.0
// What a hosted program does when an invariant of the core is broken: say where, then end at once. systemd
// restarts the box; relays and inverters fall back by their own watchdogs because frames stop.
#include "core/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace amphora {

void assert_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "amphora: broken invariant: %s at %s:%d\n", expression, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace amphora
