// SPDX-License-Identifier: Apache-2.0
// The contract of core/base/machine.hpp as a test that every machine runs.
//
// A machine is wrapped in a small adapter that knows how to feed it random input and how to drain it:
//
//   struct Adapter {
//     using Machine = …;
//     static Machine make(std::uint64_t seed);
//     static void feed(Machine&, TimePoint now, Rng&);                   // one random input or verb
//     static bool drain_one(Machine&, TimePoint now, Digest&);           // one poll; false when there is
//     nothing left
//   };
//   check_machine_contract<Adapter>();
#pragma once

#include <gtest/gtest.h>

#include <cstdint>

#include "core/base/crc.hpp"
#include "core/base/machine.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"

namespace amphora::contract {

inline constexpr int kPollsMax = 4096;  // a machine that still has something to say after this never ends

template <class Adapter>
void pump(typename Adapter::Machine& machine, TimePoint now, Digest& digest) {
  // handle_timeout may produce output whose pick-up arms the next timer, hence the bounded loop.
  for (int round = 0; round < 64; ++round) {
    machine.handle_timeout(now);
    int polls = 0;
    while (Adapter::drain_one(machine, now, digest)) {
      ASSERT_LT(++polls, kPollsMax) << "polling does not end";
    }
    if (machine.poll_timeout() > now) {
      return;
    }
  }
  FAIL() << "the next time-out stays in the past after a pump";
}

template <class Adapter>
std::uint64_t run_once(std::uint64_t seed, int steps, bool with_spurious_timeouts) {
  auto machine = Adapter::make(seed);
  Rng rng{seed};
  Digest digest;
  TimePoint now{std::chrono::seconds{1}};
  for (int step = 0; step < steps; ++step) {
    const bool jump_to_timer = rng.chance(500'000);
    const auto random_step = std::chrono::microseconds{rng.between(0, 400'000)};
    const TimePoint due = machine.poll_timeout();
    now = (jump_to_timer && due != kNever && due > now) ? due : now + random_step;
    if (with_spurious_timeouts && machine.poll_timeout() > now) {
      machine.handle_timeout(now);
      machine.handle_timeout(now);
    }
    pump<Adapter>(machine, now, digest);
    Adapter::feed(machine, now, rng);
    pump<Adapter>(machine, now, digest);
    if (::testing::Test::HasFatalFailure()) {
      return 0;
    }
  }
  return digest.value();
}

template <class Adapter>
void check_machine_contract(int runs = 20, int steps = 400) {
  static_assert(amphora::Machine<typename Adapter::Machine>);
  for (int run = 0; run < runs; ++run) {
    const auto seed = static_cast<std::uint64_t>(run) + 1;
    const std::uint64_t first = run_once<Adapter>(seed, steps, false);
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "seed " << seed;
    EXPECT_EQ(first, run_once<Adapter>(seed, steps, false))
        << "same inputs, different outputs; seed " << seed;
    EXPECT_EQ(first, run_once<Adapter>(seed, steps, true))
        << "a spurious time-out changed something; seed " << seed;
  }
}

}  // namespace amphora::contract
