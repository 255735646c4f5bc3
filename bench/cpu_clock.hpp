// SPDX-License-Identifier: Apache-2.0
// CPU time of this process, and a way to keep the compiler from leaving out what is measured.
#pragma once

#include <cstdint>
#include <ctime>

namespace amphora::bench {

// Nanoseconds of user and system time that all threads of the process have had.
inline std::int64_t cpu_ns() {
  timespec time{};
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// The value counts as used.
template <class Value>
void keep(const Value& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

}  // namespace amphora::bench
