// SPDX-License-Identifier: Apache-2.0
// Repetition in tests, by how fast the build is.
//
// A build without optimisation or with sanitizers is some ten times slower, and looks for other mistakes: one
// path with a bad access is found by the first run over it, not by the thousandth. So what a test repeats
// with ever new seeds it repeats less often there. The optimised build, which judges behaviour, always runs
// all of it.
#pragma once

namespace amphora::contract {

#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define AMPHORA_SLOW_BUILD 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define AMPHORA_SLOW_BUILD 1
#endif
#endif
#ifdef AMPHORA_SLOW_BUILD
inline constexpr bool kIsSlowBuild = true;
#undef AMPHORA_SLOW_BUILD
#else
inline constexpr bool kIsSlowBuild = false;
#endif

inline constexpr int kSlowBuildDivisor = 10;

// How many of `count` repetitions this build makes: all, or in a slow build a tenth and never fewer than one.
template <class Count>
constexpr Count repetitions(Count count) {
  if constexpr (!kIsSlowBuild) {
    return count;
  }
  return count / Count{kSlowBuildDivisor} > 0 ? count / Count{kSlowBuildDivisor} : Count{1};
}

}  // namespace amphora::contract
