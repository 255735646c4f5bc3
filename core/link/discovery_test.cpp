// SPDX-License-Identifier: Apache-2.0
#include "core/link/discovery.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/contract/machine_contract.hpp"

namespace amphora::link {
namespace {

using namespace std::chrono_literals;
using Kind = Discovery::Action::Kind;

// A radio that obeys at once; `receiver` hears probes on its channel and answers.
class Bench {
 public:
  explicit Bench(const DiscoveryConfig& config = {}, std::uint64_t seed = 1) : machine{config, Rng{seed}} {}

  // Runs until found or `until`. Returns the channels visited.
  std::vector<std::uint8_t> run(Duration until, std::uint8_t receiver = 0) {
    std::vector<std::uint8_t> visited;
    while (now < TimePoint{until}) {
      machine.handle_timeout(now);
      while (const auto action = machine.poll_transmit(now)) {
        if (action->kind == Kind::kTune) {
          visited.push_back(action->channel);
          now += 1ms;
          machine.handle_tuned(now, true);
        } else {
          probes.push_back(action->sequence);
          now += 1ms;
          machine.handle_sent(now);
          if (action->channel == receiver) {
            now += 2ms;
            EXPECT_TRUE(machine.handle_answer(now, action->sequence, receiver));
          }
        }
      }
      if ((found = machine.poll_event())) {
        return visited;
      }
      now = std::max(now, machine.poll_timeout());
      if (machine.poll_timeout() == kNever) {
        break;
      }
    }
    return visited;
  }

  Discovery machine;
  TimePoint now{};
  std::vector<std::uint32_t> probes;
  std::optional<Discovery::Found> found;
};

TEST(Discovery, VisitsEveryChannelTheUsualOnesFirst) {
  Bench bench;
  bench.machine.start(bench.now, 0);
  const auto visited = bench.run(250ms);
  ASSERT_GE(visited.size(), 13U);
  EXPECT_EQ(std::vector<std::uint8_t>(visited.begin(), visited.begin() + 13),
            (std::vector<std::uint8_t>{1, 6, 11, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13}));
}

TEST(Discovery, TheHomeChannelComesFirstAndLast) {
  Bench bench;
  bench.machine.start(bench.now, 9);
  const auto visited = bench.run(300ms);
  ASSERT_GE(visited.size(), 14U);
  EXPECT_EQ(visited[0], 9);
  EXPECT_EQ(visited[1], 1);
  EXPECT_EQ(visited[13], 9);
  EXPECT_EQ(std::count(visited.begin(), visited.begin() + 13, 9), 1);
}

TEST(Discovery, TheHomeChannelIsAskedMoreOften) {
  Bench bench;
  bench.machine.start(bench.now, 9);
  const auto visited = bench.run(40ms);
  EXPECT_EQ(visited, (std::vector<std::uint8_t>{9, 1}));
  EXPECT_EQ(bench.probes.size(), 5U) << "four at home, then the first on channel 1";
}

TEST(Discovery, FindsAReceiverOnAnyChannel) {
  for (std::uint8_t channel = 1; channel <= 13; ++channel) {
    Bench bench;
    bench.machine.start(bench.now, 0);
    (void)bench.run(1s, channel);
    ASSERT_TRUE(bench.found.has_value()) << int{channel};
    EXPECT_EQ(bench.found->channel, channel);
    EXPECT_FALSE(bench.machine.is_searching());
  }
}

TEST(Discovery, KeepsToTheChannelsThatAreAllowed) {
  DiscoveryConfig config;
  config.channels = 0x0FFE;  // 1 to 11
  Bench bench{config};
  bench.machine.start(bench.now, 13);
  for (const std::uint8_t channel : bench.run(2s)) {
    EXPECT_LE(channel, 11);
  }
  config.channels = 0;
  Bench none{config};
  none.machine.start(none.now, 1);
  EXPECT_FALSE(none.machine.is_searching());
}

TEST(Discovery, PausesGrowUpToTheirLimit) {
  DiscoveryConfig config;
  config.channels = 1U << 6U;
  Bench bench{config};
  bench.machine.start(bench.now, 0);
  const auto visited = bench.run(60s);
  EXPECT_LT(visited.size(), 60U) << "a lone transmitter must not burn air time";
  EXPECT_GT(visited.size(), 25U) << "and must still look every two seconds";
  EXPECT_GE(bench.machine.statistics().sweeps + 1, visited.size());
}

TEST(Discovery, AnswersOfOtherSearchesAreCountedAndDropped) {
  Bench bench;
  bench.machine.start(bench.now, 0);
  (void)bench.run(50ms);
  const std::uint32_t last = bench.probes.back();
  EXPECT_FALSE(bench.machine.handle_answer(bench.now, last + 1, 6));
  EXPECT_FALSE(bench.machine.handle_answer(bench.now, bench.probes.front() - 1, 6));
  EXPECT_FALSE(bench.machine.handle_answer(bench.now, last, 0));
  EXPECT_FALSE(bench.machine.handle_answer(bench.now, last, 15));
  EXPECT_EQ(bench.machine.statistics().bad_answers, 4U);
  EXPECT_TRUE(bench.machine.handle_answer(bench.now, bench.probes.front(), 6)) << "late, but ours";
  EXPECT_FALSE(bench.machine.handle_answer(bench.now, last, 6)) << "found already";
}

TEST(Discovery, GoesOnAfterAFalseFind) {
  Bench bench;
  bench.machine.start(bench.now, 0);
  (void)bench.run(1s, 6);
  ASSERT_TRUE(bench.found.has_value());
  bench.machine.resume(bench.now);
  const auto visited = bench.run(bench.now.time_since_epoch() + 30ms);
  ASSERT_FALSE(visited.empty());
  EXPECT_EQ(visited.front(), 11) << "the one after 6";
}

TEST(Discovery, ARadioThatFailsOrSaysNothingDoesNotStopTheSweep) {
  Discovery machine{DiscoveryConfig{}, Rng{1}};
  TimePoint now{};
  machine.start(now, 0);
  EXPECT_EQ(machine.poll_transmit(now)->channel, 1);
  machine.handle_tuned(now, false);
  EXPECT_EQ(machine.poll_transmit(now)->channel, 6);
  now = machine.poll_timeout();  // tuning is never reported
  machine.handle_timeout(now);
  EXPECT_EQ(machine.poll_transmit(now)->channel, 11);
}

struct Adapter {
  using Machine = Discovery;
  static Machine make(std::uint64_t seed) { return Discovery{DiscoveryConfig{}, Rng{seed}}; }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    const auto number = static_cast<std::uint32_t>(rng.next());
    switch (rng.below(7)) {
      case 0:
        return machine.start(now, static_cast<std::uint8_t>(number & 0xFFU));
      case 1:
        return machine.resume(now);
      case 2:
        return machine.stop();
      case 3:
        return machine.handle_tuned(now, (number & 1U) != 0);
      case 4:
        return machine.handle_sent(now);
      default:
        (void)machine.handle_answer(now, number, static_cast<std::uint8_t>(number & 0xFU));
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    if (const auto action = machine.poll_transmit(now)) {
      digest.add_byte(action->channel);
      digest.add_number(action->sequence);
      return true;
    }
    const auto found = machine.poll_event();
    if (found) {
      digest.add_byte(found->channel);
    }
    return found.has_value();
  }
};
TEST(Discovery, KeepsTheMachineContract) {
  contract::check_machine_contract<Adapter>();
}

}  // namespace
}  // namespace amphora::link
