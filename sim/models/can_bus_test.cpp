// SPDX-License-Identifier: Apache-2.0
#include "sim/models/can_bus.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace amphora::sim {
namespace {

using can::BusState;

can::Frame frame_of(std::uint32_t id, std::uint8_t size = 8) {
  can::Frame frame;
  frame.id = id;
  frame.size = size;
  return frame;
}

struct Bench {
  explicit Bench(std::size_t nodes = 3) : bus{nodes, 500'000, Rng{7}} {}

  void run_until(TimePoint end) {
    while (bus.poll_timeout() <= end) {
      now = bus.poll_timeout();
      bus.handle_timeout(now);
      while (const auto delivery = bus.poll_delivery()) {
        deliveries.push_back(*delivery);
        times.push_back(now);
      }
      while (const auto change = bus.poll_state_change()) {
        changes.push_back(*change);
      }
    }
    now = end;
  }
  void run_for(Duration duration) { run_until(now + duration); }

  CanBus bus;
  TimePoint now{};
  std::vector<CanBus::Delivery> deliveries;
  std::vector<TimePoint> times;
  std::vector<CanBus::StateChange> changes;
};

constexpr Duration kMillisecond{1'000};
constexpr Duration kSecond{1'000'000};

TEST(CanBus, AFrameTakesItsBitsAndReachesAllOthers) {
  Bench bench;
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  bench.run_for(kSecond);
  ASSERT_EQ(bench.deliveries.size(), 1U);
  EXPECT_EQ(bench.deliveries[0].to_mask, 0b110);
  // 98 bits that can be stuffed, 24 stuff bits, 10 more, 3 of interframe space: 135 bits of 2 us.
  EXPECT_EQ(frame_bits_max(frame_of(0x351)), 132);
  EXPECT_EQ(to_microseconds(bench.times[0]), 270);
  EXPECT_EQ(bench.bus.busy_time(bench.now), Duration{270});
}

TEST(CanBus, TheLowestIdentifierWinsAndStandardBeatsExtended) {
  Bench bench;
  can::Frame extended = frame_of(0x351U << 18U);
  extended.is_extended = true;
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, extended));
  ASSERT_TRUE(bench.bus.offer(bench.now, 1, frame_of(0x351)));
  ASSERT_TRUE(bench.bus.offer(bench.now, 2, frame_of(0x305)));
  bench.run_for(kSecond);
  ASSERT_EQ(bench.deliveries.size(), 3U);
  EXPECT_EQ(bench.deliveries[0].frame.id, 0x305U);
  EXPECT_EQ(bench.deliveries[1].frame.id, 0x351U);
  EXPECT_TRUE(bench.deliveries[2].frame.is_extended);
}

TEST(CanBus, AFullControllerRefusesAndCounts) {
  Bench bench;
  for (std::size_t i = 0; i < CanBus::kMailboxCount; ++i) {
    EXPECT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  }
  EXPECT_FALSE(bench.bus.can_accept(0));
  EXPECT_FALSE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  EXPECT_EQ(bench.bus.statistics(0).refused, 1U);
  bench.run_for(kSecond);
  EXPECT_EQ(bench.deliveries.size(), CanBus::kMailboxCount);
}

TEST(CanBus, AloneItBecomesErrorPassiveButNeverBusOff) {
  Bench bench{2};
  bench.bus.set_present(bench.now, 1, false);
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  bench.run_for(60 * kSecond);
  EXPECT_TRUE(bench.deliveries.empty());
  EXPECT_EQ(bench.bus.state(0), BusState::kErrorPassive);
  EXPECT_EQ(bench.bus.transmit_errors(0), 128U);
  EXPECT_EQ(bench.bus.statistics(0).bus_off_count, 0U);
  // Loud all the time.
  EXPECT_GT(bench.bus.busy_time(bench.now), 59 * kSecond);
}

TEST(CanBus, TheLoneFrameIsDeliveredAsSoonAsSomebodyListens) {
  Bench bench{2};
  bench.bus.set_present(bench.now, 1, false);
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  bench.run_for(10 * kSecond);
  bench.bus.set_present(bench.now, 1, true);
  bench.run_for(2 * kMillisecond);
  ASSERT_EQ(bench.deliveries.size(), 1U);
  EXPECT_EQ(bench.bus.transmit_errors(0), 127U);
  EXPECT_EQ(bench.bus.state(0), BusState::kActive);
  // About 3,000 attempts a second were made in between.
  EXPECT_GT(bench.bus.statistics(0).ack_errors, 25'000U);
  EXPECT_LT(bench.bus.statistics(0).ack_errors, 40'000U);
}

TEST(CanBus, AnAbortedFrameNeverArrives) {
  Bench bench{2};
  bench.bus.set_present(bench.now, 1, false);
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  bench.run_for(kSecond);
  bench.bus.abort_pending(bench.now, 0);
  bench.bus.set_present(bench.now, 1, true);
  bench.run_for(kSecond);
  EXPECT_TRUE(bench.deliveries.empty());
  EXPECT_EQ(bench.bus.statistics(0).aborted, 1U);
  EXPECT_EQ(bench.bus.poll_timeout(), kNever);
}

TEST(CanBus, AnAbortLetsTheFrameOnTheWireFinish) {
  Bench bench{2};
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x355)));
  bench.run_for(Duration{10});
  bench.bus.abort_pending(bench.now, 0);
  bench.run_for(kSecond);
  ASSERT_EQ(bench.deliveries.size(), 1U);
  EXPECT_EQ(bench.deliveries[0].frame.id, 0x351U);
  EXPECT_EQ(bench.bus.statistics(0).aborted, 1U);
}

TEST(CanBus, BrokenTransmissionsEndInBusOffAndOnlyARestartEndsIt) {
  Bench bench;
  bench.bus.set_error_rate(bench.now, 0, 1'000'000);
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  bench.run_for(kSecond);
  EXPECT_EQ(bench.bus.state(0), BusState::kBusOff);
  EXPECT_EQ(bench.bus.statistics(0).bus_errors, 32U);  // 32 * 8 = 256
  EXPECT_FALSE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  EXPECT_EQ(bench.bus.poll_timeout(), kNever);

  bench.bus.set_error_rate(bench.now, 0, 0);
  bench.bus.restart(bench.now, 0);
  const TimePoint restarted = bench.now;
  EXPECT_EQ(bench.bus.poll_timeout() - restarted, Duration{128 * 11 * 2});
  bench.run_for(kSecond);
  EXPECT_EQ(bench.bus.state(0), BusState::kActive);
  EXPECT_EQ(bench.bus.transmit_errors(0), 0U);
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  bench.run_for(kSecond);
  EXPECT_EQ(bench.deliveries.size(), 1U);
}

TEST(CanBus, OccasionalErrorsAreRepeatedUntilTheFrameIsThrough) {
  Bench bench;
  bench.bus.set_error_rate(bench.now, 0, 100'000);
  int sent = 0;
  for (int i = 0; i < 1000; ++i) {
    sent += bench.bus.offer(bench.now, 0, frame_of(0x351)) ? 1 : 0;
    bench.run_for(10 * kMillisecond);
  }
  EXPECT_EQ(sent, 1000);
  EXPECT_EQ(bench.deliveries.size(), 1000U);
  EXPECT_GT(bench.bus.statistics(0).bus_errors, 50U);
  EXPECT_EQ(bench.bus.statistics(0).bus_off_count, 0U);
}

TEST(CanBus, UnpluggedInTheMiddleOfAFrameNothingArrives) {
  Bench bench;
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  bench.run_for(Duration{100});
  bench.bus.set_present(bench.now, 0, false);
  bench.bus.set_present(bench.now, 0, true);
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x355)));
  bench.run_for(kSecond);
  ASSERT_EQ(bench.deliveries.size(), 1U);
  EXPECT_EQ(bench.deliveries[0].frame.id, 0x355U);
}

TEST(CanBus, ABabblingLowIdentifierStarvesTheOthers) {
  Bench bench;
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x351)));
  for (int i = 0; i < 100; ++i) {
    while (bench.bus.can_accept(1)) {
      ASSERT_TRUE(bench.bus.offer(bench.now, 1, frame_of(0x000)));
    }
    bench.run_for(Duration{270});
  }
  for (const CanBus::Delivery& delivery : bench.deliveries) {
    EXPECT_EQ(delivery.frame.id, 0U);
  }
  EXPECT_EQ(bench.bus.pending_count(0), 1U);
}

TEST(CanBus, EqualFramesAtOnceArePassedAsOne) {
  Bench bench{4};
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x100)));
  ASSERT_TRUE(bench.bus.offer(bench.now, 1, frame_of(0x100)));
  bench.run_for(kSecond);
  ASSERT_EQ(bench.deliveries.size(), 1U);
  EXPECT_EQ(bench.deliveries[0].to_mask, 0b1100U) << "neither sender hears the other";
  EXPECT_EQ(bench.bus.statistics(0).sent, 1U);
  EXPECT_EQ(bench.bus.statistics(1).sent, 1U);
}

TEST(CanBus, DifferentFramesWithOneIdentifierEndInBusOff) {
  Bench bench{4};
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x100, 8)));
  ASSERT_TRUE(bench.bus.offer(bench.now, 1, frame_of(0x100, 7)));
  bench.run_for(kSecond);
  EXPECT_TRUE(bench.deliveries.empty());
  EXPECT_EQ(bench.bus.state(0), BusState::kBusOff);
  EXPECT_EQ(bench.bus.state(1), BusState::kBusOff);
}

TEST(CanBus, ASingleShotFrameIsTriedOnce) {
  Bench bench{2};
  bench.bus.set_present(bench.now, 1, false);
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x100), true));
  bench.run_for(kSecond);
  EXPECT_EQ(bench.bus.poll_not_sent(), CanBus::Node{0});
  EXPECT_FALSE(bench.bus.poll_not_sent().has_value());
  EXPECT_EQ(bench.bus.pending_count(0), 0U);
  EXPECT_EQ(bench.bus.statistics(0).ack_errors, 1U);
  bench.bus.set_present(bench.now, 1, true);
  ASSERT_TRUE(bench.bus.offer(bench.now, 0, frame_of(0x100), true));
  bench.run_for(kSecond);
  EXPECT_EQ(bench.deliveries.size(), 1U);
  EXPECT_FALSE(bench.bus.poll_not_sent().has_value());
}

}  // namespace
}  // namespace amphora::sim
