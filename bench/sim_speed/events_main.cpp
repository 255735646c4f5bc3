// SPDX-License-Identifier: Apache-2.0
// The least a simulation of the same run could cost: as many events as the run recorded, through the bare
// event queue.
//
//   bench_sim_events HOURS
//
// Prints {"digest":…,"events":…,"run_s":…,"queue_s":…}, seconds of CPU. The run itself is made here once more
// to count what it recorded; its digest is printed so that it can be compared with the command's. The queue
// holds one waiting event for each of the world's actors, as the run's agenda does.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "bench/cpu_clock.hpp"
#include "core/base/rng.hpp"
#include "sim/scenarios/gateway_world.hpp"
#include "sim/scenarios/scenario.hpp"
#include "sim/world/event_queue.hpp"

namespace {

using namespace amphora;  // NOLINT(google-build-using-namespace): a program of one file

constexpr std::size_t kActorCount = 13;
constexpr std::int64_t kPauseMax_us = 200'000;

// False when an event came before its turn.
bool move_events(std::uint64_t count) {
  sim::EventQueue<std::uint64_t> queue{kActorCount};
  Rng rng{1};
  for (std::uint64_t i = 0; i < kActorCount; ++i) {
    (void)queue.push(TimePoint{} + Duration{rng.between(1, kPauseMax_us)}, i);
  }
  TimePoint last{};
  for (std::uint64_t i = 0; i < count; ++i) {
    const TimePoint now = queue.next_at();
    const auto who = queue.pop_due(now);
    if (!who || now < last) {
      return false;
    }
    last = now;
    (void)queue.push(now + Duration{rng.between(1, kPauseMax_us)}, *who);
  }
  return queue.size() == kActorCount && queue.dropped_count() == 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t hours = argc == 2 ? std::atoll(argv[1]) : 24;
  const auto plan = sim::make_plan("bms-gateway", 1, {.duration = Duration{hours * 3'600'000'000}});
  if (!plan) {
    return 1;
  }
  const auto world = std::make_unique<sim::GatewayWorld>(*plan);
  std::int64_t start = bench::cpu_ns();
  world->run();
  const double run_s = static_cast<double>(bench::cpu_ns() - start) / 1e9;
  const std::uint64_t events = world->recorder().record_count();
  Digest digest;
  digest.add_number(static_cast<std::int64_t>(world->recorder().digest()));
  start = bench::cpu_ns();
  const bool is_good = move_events(events);
  const double queue_s = static_cast<double>(bench::cpu_ns() - start) / 1e9;
  std::printf("{\"digest\":\"%016" PRIx64 "\",\"events\":%" PRIu64 ",\"run_s\":%.4f,\"queue_s\":%.4f}\n",
              digest.value(), events, run_s, queue_s);
  return is_good && world->violations().is_empty() ? 0 : 1;
}
