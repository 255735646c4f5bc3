// SPDX-License-Identifier: Apache-2.0
// Any number of nodes, frames lost, doubled and late, the bus cut and joined, changes anywhere at any time:
// when it is quiet again, all hold the same, and it is the newest.
#include <gtest/gtest.h>

#include "core/packnet/section_share_test_support.hpp"

namespace amphora::packnet {
namespace {

// The newest that any node holds; the default record when nobody has changed anything.
state::Record newest_of(const ShareBus& bus, state::SectionId section) {
  state::Record newest;
  for (const auto& node : bus.nodes) {
    newest = state::merge(newest, node->replica.current(section));
  }
  return newest;
}

struct Run {
  std::size_t nodes;
  std::uint64_t seed;
};

void expect_convergence(const Run& run, const ShareBusSetup& setup) {
  ShareBus bus{setup, run.seed};
  Rng rng{run.seed ^ 0x5EEDU};
  for (std::size_t i = 0; i < run.nodes; ++i) {
    ShareNodeSetup node;
    node.node = static_cast<Node>(1 + i * 9);
    // Clocks are off by up to a minute, some have none.
    node.wall_ms = kWallMs + rng.between(-60'000, 60'000);
    if (i > 0 && rng.chance(150'000)) {
      node.wall_ms.reset();
    }
    node.store_delay = std::chrono::milliseconds{rng.between(1, 40)};
    bus.start(node);
  }
  for (int step = 0; step < 40; ++step) {
    bus.run(std::chrono::milliseconds{rng.between(0, 3000)});
    const std::uint32_t node = rng.below(static_cast<std::uint32_t>(run.nodes));
    const std::uint32_t action = rng.below(10);
    const state::SectionId section = kShareSpecs[rng.below(3)].id;
    const auto value = static_cast<std::uint8_t>(rng.below(4));
    const std::size_t size = 1 + rng.below(60);
    if (action < 6) {
      bus.nodes[node]->change(bus.now, section, filled(value, size));
    } else if (action == 6) {
      for (const auto& each : bus.nodes) {
        each->change(bus.now, section, filled(value, size));
      }
    } else if (action == 7) {
      bus.parts[node] = 1 - bus.parts[node];
    } else if (action == 8) {
      bus.nodes[node]->share.stop(bus.now);
      bus.run(std::chrono::milliseconds{rng.between(0, 500)});
      bus.nodes[node]->share.start(bus.now, bus.nodes[node]->node);
    }
  }
  std::ranges::fill(bus.parts, 0);
  // Quiet: the disturbances end, and clocks without time have started to count.
  bus.run(std::chrono::seconds{60});
  bus.setup = {};
  std::map<state::SectionId, state::Record> newest;
  for (const state::SectionSpec& spec : kShareSpecs) {
    newest[spec.id] = newest_of(bus, spec.id);
  }
  bus.run(std::chrono::seconds{60});
  ASSERT_TRUE(bus.is_equal()) << "nodes " << run.nodes << " seed " << run.seed;
  for (const auto& node : bus.nodes) {
    for (const state::SectionSpec& spec : kShareSpecs) {
      ASSERT_EQ(node->replica.current(spec.id).payload, newest[spec.id].payload)
          << "not the newest: nodes " << run.nodes << " seed " << run.seed;
      ASSERT_LE(seconds_of(newest[spec.id].stamp), seconds_of(node->replica.current(spec.id).stamp) + 2);
    }
    ASSERT_EQ(node->share.metrics().not_authentic, 0U);
    ASSERT_TRUE(node->share.is_synchronised(bus.now));
  }
}

TEST(SectionShareProperty, AQuietBusEndsEqualWithTheNewest) {
  for (std::size_t nodes = 2; nodes <= 6; ++nodes) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      expect_convergence({nodes, seed}, {});
      ASSERT_FALSE(::testing::Test::HasFatalFailure());
    }
  }
}

TEST(SectionShareProperty, LossDoublesAndDisorderDelayItAndNothingElse) {
  for (std::size_t nodes = 2; nodes <= 6; ++nodes) {
    for (std::uint64_t seed = 101; seed <= 110; ++seed) {
      expect_convergence({nodes, seed}, {100'000, 20'000, 10'000});
      ASSERT_FALSE(::testing::Test::HasFatalFailure());
    }
  }
}

// Whoever comes with empty memory takes what is there, whenever it comes.
TEST(SectionShareProperty, ADefaultNeverBeatsData) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    ShareBus bus{{50'000, 0, 0}, seed};
    ShareNodeSetup first;
    // Its change is as old as a stamp can be that is none of a default.
    first.wall_ms = seed % 2 == 0 ? 0 : kWallMs;
    first.node = 5;
    bus.start(first);
    bus.nodes[0]->change(bus.now, 9, filled(3));
    for (std::uint8_t i = 0; i < 4; ++i) {
      bus.run(std::chrono::milliseconds{bus.rng.between(0, 2000)});
      ShareNodeSetup fresh;
      fresh.node = static_cast<Node>(1 + i * 3);
      fresh.memory = i % 2 == 0 ? state::Memory::kVolatile : state::Memory::kDurable;
      bus.start(fresh);
    }
    bus.run(std::chrono::seconds{60});
    for (const auto& node : bus.nodes) {
      ASSERT_EQ(node->replica.current(9).payload, filled(3)) << seed;
      ASSERT_TRUE(node->replica.current(12).is_default());
    }
  }
}

}  // namespace
}  // namespace amphora::packnet
