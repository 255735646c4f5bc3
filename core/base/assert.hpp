// SPDX-License-Identifier: Apache-2.0
// An assertion that is always on.
//
// It guards invariants of our own code and nothing else: input from outside is answered with a Result and a
// counter, never with an assertion. The host supplies `assert_failed`: it writes a crash record, brings its
// outputs into their safe state and restarts. It is the one symbol the core archive expects from its host.
#pragma once

namespace amphora {

[[noreturn]] void assert_failed(const char* expression, const char* file, int line);

}  // namespace amphora

#define AMPHORA_ASSERT(expression)                               \
  do {                                                           \
    if (!(expression)) [[unlikely]] {                            \
      ::amphora::assert_failed(#expression, __FILE__, __LINE__); \
    }                                                            \
  } while (false)
