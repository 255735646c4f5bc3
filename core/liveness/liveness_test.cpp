// SPDX-License-Identifier: Apache-2.0
#include "core/liveness/liveness.hpp"

#include <gtest/gtest.h>

#include "tests/contract/machine_contract.hpp"

namespace amphora::liveness {
namespace {

using namespace std::chrono_literals;

constexpr Config kConfig{3s, 5s, 10s};
TimePoint at(Duration d) {
  return TimePoint{d};
}

TEST(Liveness, FallsThroughItsStatesWithSilence) {
  Liveness peer{kConfig};
  EXPECT_EQ(peer.state(), State::kDisconnected);
  EXPECT_EQ(peer.poll_timeout(), kNever);
  peer.handle_sign_of_life(at(1s));
  EXPECT_EQ(peer.state(), State::kConnected);
  EXPECT_EQ(peer.poll_timeout(), at(4s));
  peer.handle_timeout(at(4s));
  EXPECT_EQ(peer.state(), State::kDegraded);
  peer.handle_timeout(at(6s));
  EXPECT_EQ(peer.state(), State::kFailing);
  peer.handle_timeout(at(11s));
  EXPECT_EQ(peer.state(), State::kDisconnected);
  EXPECT_EQ(peer.poll_timeout(), kNever);
  EXPECT_EQ(peer.history().size(), 4U);
  EXPECT_EQ(peer.poll_event(),
            (Change{at(1s), State::kDisconnected, State::kConnected, Reason::kSignOfLife}));
}

TEST(Liveness, ALateTimeoutSkipsStatesAndASignRestoresAtOnce) {
  Liveness peer{kConfig};
  peer.handle_sign_of_life(at(0s));
  peer.handle_timeout(at(1h));
  EXPECT_EQ(peer.state(), State::kDisconnected);
  peer.handle_sign_of_life(at(1h));
  EXPECT_TRUE(peer.is_connected());
}

TEST(Liveness, ZeroSwitchesATimeoutOff) {
  Liveness never_lost{Config{}};
  never_lost.handle_sign_of_life(at(0s));
  never_lost.handle_timeout(at(100h));
  EXPECT_TRUE(never_lost.is_connected());

  Liveness only_lost{Config{0s, 0s, 10s}};
  only_lost.handle_sign_of_life(at(0s));
  only_lost.handle_timeout(at(9s));
  EXPECT_TRUE(only_lost.is_connected());
  only_lost.handle_timeout(at(10s));
  EXPECT_EQ(only_lost.state(), State::kDisconnected);
}

TEST(Liveness, ReportedLossIsImmediate) {
  Liveness peer{kConfig};
  peer.handle_sign_of_life(at(0s));
  peer.handle_loss(at(1s));
  EXPECT_EQ(peer.state(), State::kDisconnected);
  EXPECT_EQ(peer.history()[1].reason, Reason::kReported);
}

TEST(Liveness, DoubtDegradesUntilTheNextSign) {
  Liveness peer{kConfig};
  peer.handle_doubt(at(0s));
  EXPECT_EQ(peer.state(), State::kDisconnected) << "doubt is no sign of life";
  peer.handle_sign_of_life(at(1s));
  const TimePoint next = peer.poll_timeout();
  peer.handle_doubt(at(2s));
  EXPECT_EQ(peer.state(), State::kDegraded);
  EXPECT_EQ(peer.history()[1].reason, Reason::kReported);
  EXPECT_EQ(peer.poll_timeout(), next) << "silence is counted from the last sign";
  peer.handle_sign_of_life(at(3s));
  EXPECT_TRUE(peer.is_connected());
}

TEST(Liveness, OldEventsAreDroppedAndCounted) {
  Liveness peer{kConfig};
  for (std::size_t i = 0; i < kEventCapacity; ++i) {
    peer.handle_sign_of_life(at(0s));
    peer.handle_loss(at(0s));
  }
  EXPECT_EQ(peer.dropped_event_count(), kEventCapacity);
  EXPECT_EQ(peer.history().size(), kHistoryCapacity);
}

struct Adapter {
  using Machine = Liveness;
  static Machine make(std::uint64_t) { return Liveness{kConfig}; }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    switch (rng.below(4)) {
      case 0:
        return machine.handle_loss(now);
      case 1:
        return machine.handle_doubt(now);
      default:
        return machine.handle_sign_of_life(now);
    }
  }
  static bool drain_one(Machine& machine, TimePoint, Digest& digest) {
    const auto event = machine.poll_event();
    if (event) {
      digest.add_number(to_microseconds(event->at));
      digest.add_byte(static_cast<std::uint8_t>(event->to));
    }
    return event.has_value();
  }
};
TEST(Liveness, KeepsTheMachineContract) {
  contract::check_machine_contract<Adapter>();
}

}  // namespace
}  // namespace amphora::liveness
