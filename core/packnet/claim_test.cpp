// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/claim.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <vector>

#include "tests/contract/machine_contract.hpp"
#include "tests/contract/slow_build.hpp"

namespace amphora::packnet {
namespace {

using namespace std::chrono_literals;

// A bus of claims: what one sends all others hear, a millisecond later. Active nodes use their id each 100
// ms.
class ClaimBus {
 public:
  std::size_t add(HardwareNumber hardware, Node stored = kNodeNone) {
    ClaimConfig config;
    config.hardware = hardware;
    config.stored = stored;
    config.seed = nodes_.size() * 1000 + hardware + seed_;
    nodes_.push_back(Place{AddressClaim{config}, hardware, stored, 0});
    return nodes_.size() - 1;
  }
  void set_seed(std::uint64_t seed) { seed_ = seed; }
  void start(std::size_t node) { nodes_[node].claim.start(now_); }
  void set_part(std::size_t node, int part) { nodes_[node].part = part; }
  void run(Duration duration) {
    for (const TimePoint until = now_ + duration; now_ < until; now_ += 1ms) {
      step();
    }
  }
  const AddressClaim& at(std::size_t node) const { return nodes_[node].claim; }
  Node node(std::size_t node) const { return nodes_[node].claim.node(); }
  Node stored(std::size_t node) const { return nodes_[node].stored; }
  std::vector<ClaimEvent::Kind> events(std::size_t node) {
    std::vector<ClaimEvent::Kind> kinds;
    while (const auto event = nodes_[node].claim.poll_event()) {
      kinds.push_back(event->kind);
    }
    return kinds;
  }
  bool are_all_different() const {
    std::set<Node> used;
    for (const Place& place : nodes_) {
      if (place.claim.node() == kNodeNone || !used.insert(place.claim.node()).second) {
        return false;
      }
    }
    return true;
  }
  TimePoint now() const { return now_; }

 private:
  struct Place {
    AddressClaim claim;
    HardwareNumber hardware;
    Node stored;
    int part;
  };
  void step() {
    const bool is_use = to_milliseconds(now_.time_since_epoch()) % 100 == 0;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].claim.handle_timeout(now_);
      if (const auto node = nodes_[i].claim.poll_store()) {
        nodes_[i].stored = *node;
      }
      const auto claim = nodes_[i].claim.poll_transmit(now_);
      for (std::size_t j = 0; j < nodes_.size(); ++j) {
        if (i == j || nodes_[i].part != nodes_[j].part) {
          continue;
        }
        if (claim) {
          nodes_[j].claim.handle_claim(now_, *claim);
        }
        if (is_use && nodes_[i].claim.node() != kNodeNone &&
            nodes_[j].claim.node() == nodes_[i].claim.node()) {
          nodes_[j].claim.handle_foreign_use(now_);
        }
      }
    }
  }

  std::vector<Place> nodes_;
  std::uint64_t seed_ = 0;
  TimePoint now_{1s};
};

TEST(AddressClaim, TakesTheLowerSevenBitsAfterListening) {
  ClaimBus bus;
  (void)bus.add(0x1000 + 42);
  bus.start(0);
  bus.run(249ms);
  EXPECT_EQ(bus.node(0), kNodeNone);
  bus.run(160ms);
  EXPECT_EQ(bus.node(0), 42);
  EXPECT_EQ(bus.stored(0), 42);
  EXPECT_EQ(bus.events(0), std::vector{ClaimEvent::Kind::kClaimed});
}

TEST(AddressClaim, NumbersThatAreNoNodesAreMapped) {
  for (const auto& [hardware, node] : {std::pair{0x80, 1}, std::pair{0xFF, 126}}) {
    ClaimBus bus;
    (void)bus.add(static_cast<HardwareNumber>(hardware));
    bus.start(0);
    bus.run(500ms);
    EXPECT_EQ(bus.node(0), node);
  }
}

TEST(AddressClaim, OfTwoTheLowerNumberKeepsTheId) {
  for (std::uint64_t seed = 0; seed < contract::repetitions(50U); ++seed) {
    ClaimBus bus;
    bus.set_seed(seed);
    (void)bus.add(0x0500);
    (void)bus.add(0x0580 + 0x80);
    (void)bus.add(0x1000);
    for (std::size_t i = 0; i < 3; ++i) {
      bus.start(i);
    }
    bus.run(1200ms);
    ASSERT_TRUE(bus.are_all_different()) << "seed " << seed;
    EXPECT_EQ(bus.node(0), 1) << "seed " << seed;
  }
}

TEST(AddressClaim, ALaterClaimantMovesOnAndTheIdsOutliveRestarts) {
  ClaimBus bus;
  (void)bus.add(0x1005);
  (void)bus.add(0x1085);
  bus.start(0);
  bus.run(1s);
  bus.start(1);
  bus.run(600ms);
  EXPECT_EQ(bus.node(0), 5);
  EXPECT_EQ(bus.node(1), 6);
  // Again, in the other order.
  ClaimBus again;
  (void)again.add(0x1005, bus.stored(0));
  (void)again.add(0x1085, bus.stored(1));
  again.start(1);
  again.run(500ms);
  again.start(0);
  again.run(500ms);
  EXPECT_EQ(again.node(0), 5);
  EXPECT_EQ(again.node(1), 6);
}

TEST(AddressClaim, TheHigherNumberGivesWayEvenWhenItIsInUse) {
  ClaimBus bus;
  (void)bus.add(0x2005);
  (void)bus.add(0x1005);
  bus.start(0);
  bus.run(2s);
  EXPECT_EQ(bus.node(0), 5);
  (void)bus.events(0);
  bus.start(1);
  bus.run(1200ms);
  EXPECT_EQ(bus.node(1), 5);
  EXPECT_EQ(bus.node(0), 6);
  EXPECT_EQ(bus.events(0), (std::vector{ClaimEvent::Kind::kLost, ClaimEvent::Kind::kClaimed}));
  EXPECT_EQ(bus.at(0).ids_lost(), 1U);
}

TEST(AddressClaim, JoinedHalvesSortThemselvesOutWithinTheBound) {
  int slowest = 0;
  for (std::uint64_t seed = 0; seed < contract::repetitions(100u); ++seed) {
    ClaimBus bus;
    bus.set_seed(seed);
    for (std::size_t i = 0; i < 32; ++i) {
      // All thirty-two want one of three ids.
      (void)bus.add((i * 37 % 32) * 0x80 + i % 3 + 1);
      bus.set_part(i, static_cast<int>(i % 2));
      bus.start(i);
    }
    bus.run(3s);
    for (std::size_t i = 0; i < 32; ++i) {
      bus.set_part(i, 0);
    }
    int took = 0;
    while (!bus.are_all_different() && took < 5000) {
      bus.run(10ms);
      took += 10;
    }
    slowest = std::max(slowest, took);
    ASSERT_LE(took, 1200) << "seed " << seed;
  }
  std::printf("32 nodes, two halves joined: ids distinct after at most %d ms\n", slowest);
}

TEST(AddressClaim, ThirtyTwoThatWantOneIdGetThirtyTwo) {
  int slowest = 0;
  for (std::uint64_t seed = 0; seed < contract::repetitions(100U); ++seed) {
    ClaimBus bus;
    bus.set_seed(seed);
    for (std::size_t i = 0; i < 32; ++i) {
      (void)bus.add((i * 29 % 32) * 0x80 + 7);
      bus.start(i);
    }
    int took = 0;
    while (!bus.are_all_different() && took < 5000) {
      bus.run(10ms);
      took += 10;
    }
    slowest = std::max(slowest, took);
    ASSERT_LE(took, 1200) << "seed " << seed;
    bus.run(1s);
    EXPECT_TRUE(bus.are_all_different()) << "it stays so; seed " << seed;
    EXPECT_EQ(bus.node(0), 7) << "the lowest has what it wanted";
  }
  std::printf("32 nodes that want one id: distinct after at most %d ms\n", slowest);
}

TEST(AddressClaim, EqualNumbersBothLeaveRaiseTheAlarmAndEndApart) {
  int together = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    ClaimBus bus;
    bus.set_seed(seed);
    (void)bus.add(0x4242);
    bus.start(0);
    bus.run(1s);
    (void)bus.add(0x4242);
    bus.start(1);
    bus.run(400ms);
    EXPECT_EQ(bus.node(0) == kNodeNone || bus.node(0) != 0x42, true);
    bus.run(4s);
    EXPECT_TRUE(bus.at(0).is_duplicate());
    EXPECT_TRUE(bus.at(1).is_duplicate());
    together += bus.are_all_different() ? 0 : 1;
    EXPECT_NE(bus.node(0), kNodeNone);
    EXPECT_EQ(bus.stored(0), 0x42) << "an id that was taken for want of a better one is not kept";
    bus.run(121s);
    EXPECT_FALSE(bus.at(0).is_duplicate());
  }
  EXPECT_EQ(together, 0);
}

TEST(AddressClaim, AFullBusIsSaidSo) {
  ClaimConfig config;
  config.hardware = 0xFFFF'FF05;
  AddressClaim claim{config};
  const TimePoint now{1s};
  for (unsigned node = 1; node <= kNodeMax; ++node) {
    claim.handle_presence(now, static_cast<Node>(node), node);
  }
  claim.start(now);
  claim.handle_timeout(now + 200ms);
  ASSERT_TRUE(claim.poll_transmit(now + 200ms));
  claim.handle_claim(now + 201ms, Claim{5, 1});
  EXPECT_EQ(claim.state(), ClaimState::kNoFreeNode);
  EXPECT_EQ(claim.poll_event()->kind, ClaimEvent::Kind::kNoFreeNode);
  EXPECT_EQ(claim.node(), kNodeNone);
}

TEST(AddressClaim, AClaimThatWasNotSentIsTriedAgain) {
  ClaimConfig config;
  config.hardware = 5;
  AddressClaim claim{config};
  TimePoint now{1s};
  claim.start(now);
  now += 153ms;
  claim.handle_timeout(now);
  ASSERT_TRUE(claim.poll_transmit(now));
  claim.handle_not_sent(now);
  EXPECT_EQ(claim.state(), ClaimState::kWaiting);
  claim.handle_timeout(now + 153ms);
  EXPECT_TRUE(claim.poll_transmit(now + 153ms));
}

TEST(AddressClaim, AloneOnABusThatAcknowledgesNothingItGetsItsId) {
  ClaimConfig config;
  config.hardware = 5;
  AddressClaim claim{config};
  TimePoint now{1s};
  claim.start(now);
  for (int i = 0; i < kUnsentMax; ++i) {
    EXPECT_EQ(claim.node(), kNodeNone);
    now += 153ms;
    claim.handle_timeout(now);
    ASSERT_TRUE(claim.poll_transmit(now)) << i;
    claim.handle_not_sent(now);
  }
  claim.handle_timeout(now + 250ms);
  EXPECT_EQ(claim.node(), 5);
}

TEST(AddressClaim, WhileOthersAreHeardAClaimThatWasNotSentIsTriedForEver) {
  ClaimConfig config;
  config.hardware = 5;
  AddressClaim claim{config};
  TimePoint now{1s};
  claim.start(now);
  for (int i = 0; i < 20; ++i) {
    now += 153ms;
    claim.handle_timeout(now);
    ASSERT_TRUE(claim.poll_transmit(now)) << i;
    claim.handle_claim(now, Claim{9, 700});
    claim.handle_not_sent(now);
    EXPECT_EQ(claim.state(), ClaimState::kWaiting);
  }
}

TEST(AddressClaim, StoppedItIsSilentAndWithoutId) {
  ClaimBus bus;
  (void)bus.add(5);
  bus.start(0);
  bus.run(1s);
  ClaimConfig config;
  config.hardware = 5;
  AddressClaim claim{config};
  claim.start(bus.now());
  claim.stop(bus.now());
  claim.handle_timeout(bus.now() + 10s);
  EXPECT_EQ(claim.poll_transmit(bus.now() + 10s), std::nullopt);
  EXPECT_EQ(claim.node(), kNodeNone);
}

struct ClaimAdapter {
  using Machine = AddressClaim;
  static Machine make(std::uint64_t seed) {
    ClaimConfig config;
    config.hardware = 0x505;
    config.seed = seed;
    AddressClaim claim{config};
    claim.start(TimePoint{});
    return claim;
  }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    const auto node = static_cast<Node>(rng.chance(500'000) ? machine.node() : rng.below(130));
    const HardwareNumber hardware = rng.chance(100'000) ? 0x505 : rng.below(0x1000);
    switch (rng.below(8)) {
      case 0:
        machine.handle_foreign_use(now);
        break;
      case 1:
        machine.handle_not_sent(now);
        break;
      case 2:
        machine.handle_presence(now, node, hash_of(hardware));
        break;
      case 3:
        if (rng.chance(200'000)) {
          machine.stop(now);
        }
        break;
      case 4:
        machine.start(now);
        break;
      default:
        machine.handle_claim(now, Claim{node, hardware});
        break;
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    if (const auto claim = machine.poll_transmit(now)) {
      digest.add_byte(claim->node);
      return true;
    }
    if (const auto event = machine.poll_event()) {
      digest.add_byte(static_cast<std::uint8_t>(event->kind));
      digest.add_number(to_microseconds(event->at));
      return true;
    }
    if (const auto node = machine.poll_store()) {
      digest.add_byte(*node);
      return true;
    }
    return false;
  }
};

TEST(AddressClaim, KeepsTheContractOfMachines) {
  contract::check_machine_contract<ClaimAdapter>();
}

}  // namespace
}  // namespace amphora::packnet
