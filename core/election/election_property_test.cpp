// SPDX-License-Identifier: Apache-2.0
// Many elections on a lossy bus: exactly one master in every stable connected group, and soon.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "core/election/election_test_support.hpp"
#include "tests/contract/slow_build.hpp"

namespace amphora::election {
namespace {

using namespace std::chrono_literals;

// The time until every group is settled, sampled each 5 ms; empty when that takes longer than `limit`.
std::optional<Duration> time_to_settle(Bus& bus, Duration limit, bool has_two_parts) {
  const TimePoint begin = bus.now();
  while (bus.now() - begin <= limit) {
    if (bus.is_settled(0) && (!has_two_parts || bus.is_settled(1))) {
      return bus.now() - begin;
    }
    bus.run(5ms);
  }
  return std::nullopt;
}

struct LossCase {
  std::uint32_t loss_ppm;
  int samples_settled_permille;  // of the samples in a quiet time
};

class ElectionOnABus : public ::testing::TestWithParam<LossCase> {};

Bus random_bus(std::uint64_t seed, std::uint32_t loss_ppm) {
  Bus bus{seed, loss_ppm};
  const auto count = 2 + bus.rng().below(15);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto rank = static_cast<std::uint8_t>(bus.rng().chance(150'000) ? 1 : 0);
    (void)bus.add({i * 7 % 126 + 1, rank});
    bus.run(std::chrono::milliseconds{bus.rng().below(400)});
  }
  return bus;
}

// One random fault or repair; true when there are two parts afterwards.
bool disturb(Bus& bus, bool has_two_parts) {
  const auto node = bus.rng().below(static_cast<std::uint32_t>(bus.size()));
  switch (bus.rng().below(4)) {
    case 0: {
      int up = 0;
      for (std::size_t i = 0; i < bus.size(); ++i) {
        up += bus.is_up(i) && bus.part_of(i) == bus.part_of(node) ? 1 : 0;
      }
      if (up > 1) {
        bus.crash(node);
      }
      return has_two_parts;
    }
    case 1:
      for (std::size_t i = 0; i < bus.size(); ++i) {
        if (!bus.is_up(i)) {
          bus.restart(i);
          break;
        }
      }
      return has_two_parts;
    case 2: {
      int part_sizes[2] = {0, 0};
      for (std::size_t i = 0; i < bus.size(); ++i) {
        const int part = bus.rng().chance(500'000) ? 1 : 0;
        bus.set_part(i, part);
        part_sizes[part] += bus.is_up(i) ? 1 : 0;
      }
      if (part_sizes[0] > 0 && part_sizes[1] > 0) {
        return true;
      }
      break;
    }
    default:
      break;
  }
  for (std::size_t i = 0; i < bus.size(); ++i) {
    bus.set_part(i, 0);
  }
  return false;
}

TEST_P(ElectionOnABus, OneMasterInEveryConnectedGroupWithinASecond) {
  const LossCase& param = GetParam();
  for (std::uint64_t seed = 1; seed <= contract::repetitions(40u); ++seed) {
    Bus bus = random_bus(seed, param.loss_ppm);
    bool has_two_parts = false;
    int samples = 0;
    int settled = 0;
    for (int round = 0; round < 12; ++round) {
      has_two_parts = disturb(bus, has_two_parts);
      bus.run(5ms);
      ASSERT_TRUE(time_to_settle(bus, 1s, has_two_parts))
          << "seed " << seed << " round " << round << " " << (has_two_parts ? "split" : "whole");
      bus.run(500ms);
      for (int i = 0; i < 100; ++i, bus.run(20ms)) {
        ++samples;
        settled += bus.is_settled(0) && (!has_two_parts || bus.is_settled(1)) ? 1 : 0;
      }
    }
    EXPECT_GE(settled * 1000, samples * param.samples_settled_permille) << "seed " << seed;
  }
}

TEST_P(ElectionOnABus, TheBestLeadsInTheEnd) {
  const LossCase& param = GetParam();
  for (std::uint64_t seed = 1; seed <= contract::repetitions(30u); ++seed) {
    Bus bus = random_bus(seed, param.loss_ppm);
    bus.run(7s);
    ASSERT_TRUE(time_to_settle(bus, 1s, false)) << "seed " << seed;
    Candidate best = bus.at(0).self();
    for (std::size_t i = 1; i < bus.size(); ++i) {
      best = is_better(bus.at(i).self(), best) ? bus.at(i).self() : best;
    }
    if (param.loss_ppm <= 50'000) {
      EXPECT_EQ(bus.agreed_master(), best.id) << "seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Loss, ElectionOnABus,
                         ::testing::Values(LossCase{0, 998}, LossCase{50'000, 985}, LossCase{200'000, 900}),
                         [](const auto& info) {
                           return std::to_string(info.param.loss_ppm / 10'000) + "percent";
                         });

// From the crash of the master until all others agree on its successor, in virtual time.
std::vector<Duration> failovers(std::size_t nodes, std::uint32_t loss_ppm, int crashes) {
  std::vector<Duration> times;
  Bus bus{nodes * 1000 + loss_ppm, loss_ppm};
  for (std::size_t i = 0; i < nodes; ++i) {
    (void)bus.add({i + 1, 0});
  }
  bus.run(3s);
  for (int i = 0; i < crashes; ++i) {
    while (!bus.is_settled()) {
      bus.run(5ms);
    }
    const std::size_t master = bus.index_of(*bus.agreed_master());
    const Id id = master + 1;
    bus.crash(master);
    const TimePoint begin = bus.now();
    while (!bus.is_settled() || *bus.agreed_master() == id) {
      bus.run(1ms);
    }
    times.push_back(bus.now() - begin);
    bus.run(std::chrono::milliseconds{300 + bus.rng().below(400)});
    bus.restart(master);
    bus.run(std::chrono::milliseconds{6000 + bus.rng().below(400)});
  }
  std::ranges::sort(times);
  return times;
}

TEST(ElectionFailover, P99IsUnderHalfASecondAtFivePercentLoss) {
  for (const std::size_t nodes : {3U, 8U, 32U}) {
    for (const std::uint32_t loss_ppm : {0U, 50'000U, 200'000U}) {
      const int crashes = contract::repetitions(nodes == 32 ? 100 : 300);
      const std::vector<Duration> times = failovers(nodes, loss_ppm, crashes);
      const auto at = [&](std::size_t percent) {
        return to_milliseconds(times[(times.size() * percent + 99) / 100 - 1]);
      };
      std::printf("failover, %2zu nodes, %2u %% loss: p50 %lld ms, p99 %lld ms, max %lld ms\n", nodes,
                  loss_ppm / 10'000, static_cast<long long>(at(50)), static_cast<long long>(at(99)),
                  static_cast<long long>(at(100)));
      if (loss_ppm <= 50'000) {
        EXPECT_LE(at(99), 500) << nodes << " nodes";
      }
    }
  }
}

}  // namespace
}  // namespace amphora::election
