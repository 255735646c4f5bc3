// SPDX-License-Identifier: Apache-2.0
#include "sim/models/air.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/base/crc.hpp"
#include "sim/checkers/memory_checker.hpp"

namespace amphora::sim {
namespace {

constexpr Duration kMillisecond{1'000};
constexpr Duration kSecond{1'000'000};
constexpr NodeId kA{0x240A'C400'0001};
constexpr NodeId kB{0x240A'C400'0002};
constexpr NodeId kC{0x240A'C400'0003};

struct Bench {
  explicit Bench(const AirConfig& config = {}, std::size_t stations = 3, std::uint64_t seed = 7)
      : air{config, stations, Rng{seed}} {
    constexpr NodeId kAddresses[] = {kA, kB, kC};
    for (Air::Station i = 0; i < stations; ++i) {
      air.set_address(i, kAddresses[i]);
      air.set_power(now, i, true);
    }
    received.resize(stations);
    received_at.resize(stations);
    sent.resize(stations);
    sent_at.resize(stations);
    changed_at.resize(stations);
    received.reserve(64);
  }

  void run_until(TimePoint end) {
    for (;;) {
      TimePoint due = air.poll_timeout();
      for (Air::Station i = 0; i < air.station_count(); ++i) {
        due = earliest(due, air.receive_timeout(i));
      }
      if (due > end) {
        break;
      }
      now = std::max(now, due);
      air.handle_timeout(now);
      collect();
    }
    now = end;
    collect();
  }
  void run_for(Duration duration) { run_until(now + duration); }

  void collect() {
    for (Air::Station i = 0; i < air.station_count(); ++i) {
      while (const auto frame = air.poll_received(now, i)) {
        received[i].push_back(*frame);
        received_at[i].push_back(now);
      }
      while (const auto status = air.poll_sent(i)) {
        sent[i].push_back(*status);
        sent_at[i].push_back(now);
      }
      while (const auto done = air.poll_channel(i)) {
        channels.push_back(*done);
        changed_at[i].push_back(now);
      }
    }
    while (const auto heard = air.poll_heard()) {
      heards.push_back(*heard);
    }
  }

  bool send(Air::Station from, NodeId to, std::size_t size = 20, std::uint32_t token = 1) {
    std::vector<std::uint8_t> bytes(size, static_cast<std::uint8_t>(token));
    return air.send(now, from, to, bytes, token);
  }

  Air air;
  TimePoint now{};
  std::vector<std::vector<Air::Received>> received;
  std::vector<std::vector<TimePoint>> received_at;
  std::vector<std::vector<Air::Sent>> sent;
  std::vector<std::vector<TimePoint>> sent_at;
  std::vector<Air::ChannelDone> channels;
  std::vector<std::vector<TimePoint>> changed_at;
  std::vector<Air::Heard> heards;
};

TEST(Air, AirtimeIsThatOfOneMegabit) {
  EXPECT_EQ(frame_airtime(250), Duration{2'536});
  EXPECT_EQ(frame_airtime(250) + kAckSpace + kAckAirtime, Duration{2'850});
}

TEST(Air, AUnicastFrameArrivesOnceAndIsAcked) {
  Bench bench;
  ASSERT_TRUE(bench.send(0, kB, 250, 42));
  EXPECT_FALSE(bench.send(0, kB)) << "one in flight";
  bench.run_for(kSecond);
  ASSERT_EQ(bench.received[1].size(), 1U);
  EXPECT_TRUE(bench.received[2].empty());
  EXPECT_EQ(bench.received[1][0].from, kA);
  EXPECT_EQ(bench.received[1][0].size, 250);
  EXPECT_EQ(bench.received[1][0].bytes[249], 42);
  EXPECT_NEAR(bench.received[1][0].rssi_dbm, -40, 2);
  ASSERT_EQ(bench.sent[0].size(), 1U);
  EXPECT_EQ(bench.sent[0][0].token, 42U);
  EXPECT_EQ(bench.sent[0][0].status, SendStatus::kAcked);
  EXPECT_EQ(bench.sent_at[0][0] - bench.received_at[1][0], kAckSpace + kAckAirtime);
  EXPECT_EQ(bench.air.statistics(0).tries, 1U);
  EXPECT_EQ(bench.air.statistics(0).refused, 1U);
}

TEST(Air, ACycleOfTheLongestFrameTakesAboutThreeMilliseconds) {
  Bench bench;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(bench.send(0, kB, 250));
    while (bench.air.is_sending(0)) {
      bench.run_until(bench.air.poll_timeout());
    }
  }
  const std::int64_t cycle_us = to_microseconds(bench.now) / 1000;
  EXPECT_NEAR(static_cast<double>(cycle_us), 3'210, 40);
}

TEST(Air, ABroadcastHasOneTryReachesAllAndIsAlwaysAcked) {
  Bench bench;
  bench.air.set_all_faults(AirFaults{.loss_ppm = 1'000'000});
  ASSERT_TRUE(bench.send(0, kEverybody));
  bench.run_for(kSecond);
  EXPECT_TRUE(bench.received[1].empty());
  ASSERT_EQ(bench.sent[0].size(), 1U);
  EXPECT_EQ(bench.sent[0][0].status, SendStatus::kAcked);
  EXPECT_EQ(bench.air.statistics(0).tries, 1U);
  bench.air.set_all_faults({});
  ASSERT_TRUE(bench.send(0, kEverybody));
  bench.run_for(kSecond);
  EXPECT_EQ(bench.received[1].size(), 1U);
  EXPECT_EQ(bench.received[2].size(), 1U);
  EXPECT_EQ(bench.heards.back().got_mask, 0b110);
}

TEST(Air, WithoutAnAcknowledgementItTriesAgainForAboutTwentyMilliseconds) {
  std::int64_t total_us = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Bench bench{AirConfig{}, 1, seed};
    ASSERT_TRUE(bench.send(0, kB, 40));
    bench.run_for(kSecond);
    ASSERT_EQ(bench.sent[0].size(), 1U);
    EXPECT_EQ(bench.sent[0][0].status, SendStatus::kNoAck);
    EXPECT_EQ(bench.air.statistics(0).tries, 7U);
    total_us += to_microseconds(bench.sent_at[0][0]);
  }
  EXPECT_GT(total_us / 200, 15'000);
  EXPECT_LT(total_us / 200, 25'000);
}

TEST(Air, ALostAcknowledgementMakesADuplicateUnlessTheRadioDropsIt) {
  for (const bool drops_repeats : {false, true}) {
    Bench bench{AirConfig{.drops_repeats = drops_repeats}};
    bench.air.set_faults(1, 0, AirFaults{.loss_ppm = 1'000'000});
    ASSERT_TRUE(bench.send(0, kB));
    bench.run_for(kSecond);
    EXPECT_EQ(bench.received[1].size(), drops_repeats ? 1U : 7U);
    EXPECT_EQ(bench.sent[0][0].status, SendStatus::kNoAck);
  }
}

TEST(Air, LossIsPerTryAndPerAcknowledgement) {
  Bench bench{AirConfig{.tries_max = 1}};
  bench.air.set_all_faults(AirFaults{.loss_ppm = 400'000});
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(bench.send(0, kB));
    bench.run_for(10 * kMillisecond);
  }
  EXPECT_NEAR(static_cast<double>(bench.received[1].size()), 3'000, 150);
  EXPECT_NEAR(static_cast<double>(bench.air.statistics(0).acked), 1'800, 150);
}

TEST(Air, OtherChannelsAreNotHeardUnlessTheyLeak) {
  Bench bench;
  bench.air.force_channel(bench.now, 1, 2);
  ASSERT_TRUE(bench.send(0, kB));
  bench.run_for(kSecond);
  EXPECT_TRUE(bench.received[1].empty());

  Bench leaky{AirConfig{.leak_ppm = 500'000}};
  leaky.air.force_channel(leaky.now, 1, 2);
  leaky.air.force_channel(leaky.now, 2, 3);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(leaky.send(0, kEverybody));
    leaky.run_for(10 * kMillisecond);
  }
  EXPECT_NEAR(static_cast<double>(leaky.received[1].size()), 500, 60);
  EXPECT_TRUE(leaky.received[2].empty());
}

TEST(Air, AChannelChangeTakesItsTimeAndIsDeafMeanwhile) {
  Bench bench{AirConfig{.switch_min = 8 * kMillisecond, .switch_max = 8 * kMillisecond}};
  bench.air.force_channel(bench.now, 0, 6);
  bench.air.set_channel(bench.now, 1, 6);
  ASSERT_TRUE(bench.send(0, kEverybody));
  bench.run_for(7 * kMillisecond);
  EXPECT_TRUE(bench.received[1].empty());
  bench.run_for(2 * kMillisecond);
  ASSERT_EQ(bench.channels.size(), 1U);
  EXPECT_EQ(bench.channels[0].channel, 6);
  EXPECT_TRUE(bench.channels[0].is_set);
  EXPECT_EQ(to_microseconds(bench.changed_at[1][0]), 8'000);
  ASSERT_TRUE(bench.send(0, kEverybody));
  bench.run_for(kSecond);
  EXPECT_EQ(bench.received[1].size(), 1U);
}

TEST(Air, AChannelThatIsNotAllowedFailsAndAFrameInFlightIsNotSent) {
  Bench bench;
  ASSERT_TRUE(bench.send(0, kB, 20, 5));
  bench.air.set_channel(bench.now, 0, 14);
  bench.run_for(kSecond);
  ASSERT_EQ(bench.channels.size(), 1U);
  EXPECT_FALSE(bench.channels[0].is_set);
  EXPECT_EQ(bench.air.channel(0), 1);
  ASSERT_EQ(bench.sent[0].size(), 1U);
  EXPECT_EQ(bench.sent[0][0].status, SendStatus::kNotSent);
  EXPECT_TRUE(bench.received[1].empty());
}

TEST(Air, StationsThatHearEachOtherTakeTurns) {
  Bench bench;
  std::size_t delivered = 0;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(bench.send(0, kC, 250));
    ASSERT_TRUE(bench.send(1, kC, 250));
    bench.run_for(100 * kMillisecond);
    delivered += bench.sent[0].back().status == SendStatus::kAcked ? 1U : 0U;
    delivered += bench.sent[1].back().status == SendStatus::kAcked ? 1U : 0U;
  }
  EXPECT_EQ(delivered, 600U);
  // Only equal slots collide, one time in 32.
  EXPECT_LT(bench.air.statistics(2).lost, 60U);
}

TEST(Air, HiddenStationsCollide) {
  Bench bench{AirConfig{.tries_max = 1}};
  bench.air.set_attenuation(0, 1, 200);
  bench.air.set_attenuation(1, 0, 200);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(bench.send(0, kC, 250));
    ASSERT_TRUE(bench.send(1, kC, 250));
    bench.run_for(100 * kMillisecond);
  }
  EXPECT_TRUE(bench.received[2].empty()) << "250 bytes are longer than any difference of slots";
  EXPECT_EQ(bench.air.statistics(2).lost, 600U);
}

TEST(Air, AOneWayLinkDeliversButNeverAcks) {
  Bench bench;
  bench.air.set_faults(1, 0, AirFaults{.is_cut = true});
  ASSERT_TRUE(bench.send(0, kB));
  bench.run_for(kSecond);
  EXPECT_FALSE(bench.received[1].empty());
  EXPECT_EQ(bench.sent[0][0].status, SendStatus::kNoAck);
  ASSERT_TRUE(bench.send(1, kA));
  bench.run_for(kSecond);
  EXPECT_TRUE(bench.received[0].empty());
}

TEST(Air, BurstsLoseRunsOfFrames) {
  Bench bench{AirConfig{.tries_max = 1}};
  bench.air.set_faults(0, 1, AirFaults{.burst_every_mean = kSecond, .burst_length_mean = kSecond / 4});
  std::vector<bool> got;
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t before = bench.received[1].size();
    ASSERT_TRUE(bench.send(0, kB));
    bench.run_for(10 * kMillisecond);
    got.push_back(bench.received[1].size() > before);
  }
  std::size_t changes = 0;
  for (std::size_t i = 1; i < got.size(); ++i) {
    changes += got[i] != got[i - 1] ? 1U : 0U;
  }
  EXPECT_NEAR(static_cast<double>(bench.received[1].size()), 16'000, 1'500);
  EXPECT_LT(changes, 450U);
  EXPECT_GT(changes, 200U);
}

TEST(Air, AWeakSignalLosesSomeAndAnAbsentOneAll) {
  Bench bench{AirConfig{.tries_max = 1}};
  bench.air.set_attenuation(0, 1, 115);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(bench.send(0, kEverybody));
    bench.run_for(10 * kMillisecond);
  }
  EXPECT_NEAR(static_cast<double>(bench.received[1].size()), 500, 60);
  EXPECT_EQ(bench.received[2].size(), 1000U);
}

TEST(Air, StatusesCanLieOrStayAway) {
  struct Case {
    StatusMode mode;
    bool is_there;
    std::optional<SendStatus> told;
  };
  for (const Case& c : {Case{StatusMode::kAlwaysAcked, false, SendStatus::kAcked},
                        Case{StatusMode::kNeverAcked, true, SendStatus::kNoAck},
                        Case{StatusMode::kSilent, true, std::nullopt}}) {
    Bench bench;
    bench.air.set_status_mode(0, c.mode);
    bench.air.set_power(bench.now, 1, c.is_there);
    ASSERT_TRUE(bench.send(0, kB));
    bench.run_for(kSecond);
    ASSERT_EQ(bench.sent[0].size(), c.told ? 1U : 0U);
    if (c.told) {
      EXPECT_EQ(bench.sent[0][0].status, *c.told);
    }
    EXPECT_FALSE(bench.air.is_sending(0));
  }
}

TEST(Air, AHungHostsRadioGoesOnAcking) {
  Bench bench;
  bench.air.set_hung(1, true);
  ASSERT_TRUE(bench.send(0, kB));
  bench.run_for(kSecond);
  EXPECT_EQ(bench.sent[0][0].status, SendStatus::kAcked);
  EXPECT_TRUE(bench.received[1].empty());
  EXPECT_EQ(bench.air.statistics(1).swallowed, 1U);
}

TEST(Air, JitterReordersAndDuplicatesAreHandedOverTwice) {
  Bench bench;
  bench.air.set_faults(0, 1, AirFaults{.duplicate_ppm = 1'000'000, .jitter_max = 50 * kMillisecond});
  for (std::uint32_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(bench.send(0, kB, 20, i));
    bench.run_for(5 * kMillisecond);
  }
  bench.run_for(kSecond);
  ASSERT_EQ(bench.received[1].size(), 40U);
  bool is_ordered = true;
  for (std::size_t i = 1; i < 40; ++i) {
    is_ordered = is_ordered && bench.received[1][i - 1].bytes[0] <= bench.received[1][i].bytes[0];
  }
  EXPECT_FALSE(is_ordered);
}

TEST(Air, DetectedDamageIsALossAndUndetectedDamageChangesBits) {
  Bench bench{AirConfig{.tries_max = 1}};
  bench.air.set_faults(0, 1, AirFaults{.corrupt_ppm = 1'000'000});
  ASSERT_TRUE(bench.send(0, kB));
  bench.run_for(kSecond);
  EXPECT_TRUE(bench.received[1].empty());
  EXPECT_EQ(bench.sent[0][0].status, SendStatus::kNoAck);
  bench.air.set_faults(0, 1, AirFaults{.undetected_ppm = 1'000'000});
  int changed = 0;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(bench.send(0, kB));
    bench.run_for(kSecond);
    const auto bytes = bench.received[1].back().payload();
    changed += std::any_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b != 1; }) ? 1 : 0;
  }
  EXPECT_GT(changed, 90) << "a bit may flip back";
}

TEST(Air, TwoStationsOfOneAddressBothHear) {
  Bench bench;
  bench.air.set_address(2, kB);
  ASSERT_TRUE(bench.send(0, kB));
  bench.run_for(kSecond);
  EXPECT_EQ(bench.received[1].size(), 1U);
  EXPECT_EQ(bench.received[2].size(), 1U);
}

TEST(Air, FramesForAHostThatDoesNotPollWaitAndOverflowIsCounted) {
  Bench bench{AirConfig{}, 2};
  for (std::size_t i = 0; i < Air::kReceiveCapacity + 5; ++i) {
    ASSERT_TRUE(bench.send(0, kB));
    while (bench.air.poll_timeout() != kNever) {
      bench.now = bench.air.poll_timeout();
      bench.air.handle_timeout(bench.now);
    }
    (void)bench.air.poll_sent(0);
  }
  EXPECT_EQ(bench.air.waiting_count(1), Air::kReceiveCapacity);
  EXPECT_EQ(bench.air.statistics(1).overflowed, 5U);
}

TEST(Air, PowerCutEndsEverything) {
  Bench bench;
  ASSERT_TRUE(bench.send(0, kB));
  bench.air.set_power(bench.now, 0, false);
  EXPECT_EQ(bench.air.poll_timeout(), kNever);
  EXPECT_FALSE(bench.send(0, kB));
  bench.air.set_power(bench.now, 0, true);
  ASSERT_TRUE(bench.send(0, kB));
  bench.run_for(kSecond);
  EXPECT_EQ(bench.sent[0].size(), 1U);
}

// Random use of everything: statuses balance, nothing allocates, the same seed repeats.
std::uint64_t stir(std::uint64_t seed) {
  Air air{AirConfig{.leak_ppm = 50'000}, 4, Rng{seed}};
  Rng rng{seed ^ 1U};
  TimePoint now{};
  Digest digest;
  for (Air::Station i = 0; i < 4; ++i) {
    air.set_address(i, NodeId{i + 1U});
    air.set_power(now, i, true);
  }
  const auto allocations = allocation_counter();
  const std::uint64_t before = allocations != nullptr ? allocations() : 0;
  std::array<std::uint64_t, 4> told{};
  std::array<std::uint8_t, kAirPayloadMax> bytes{};
  for (int step = 0; step < 20'000; ++step) {
    const auto station = static_cast<Air::Station>(rng.below(4));
    const std::uint32_t action = rng.below(100);
    const std::uint32_t number = rng.below(1'000'000);
    if (action < 60) {
      const NodeId to = number % 3 == 0 ? kEverybody : NodeId{1 + number % 5};
      (void)air.send(now, station, to, ByteSpan{bytes}.first(number % 251), number);
    } else if (action < 65) {
      air.set_channel(now, station, static_cast<std::uint8_t>(number % 4));
    } else if (action < 67) {
      air.set_all_faults(AirFaults{.loss_ppm = number / 2,
                                   .burst_every_mean = Duration{number % 7 * 10'000},
                                   .burst_length_mean = Duration{5'000},
                                   .jitter_max = Duration{number % 1000}});
    }
    const TimePoint end = now + Duration{rng.between(0, 5'000)};
    while (air.poll_timeout() <= end) {
      EXPECT_GE(air.poll_timeout(), now);
      now = std::max(now, air.poll_timeout());
      air.handle_timeout(now);
      EXPECT_GT(air.poll_timeout(), now);
    }
    now = end;
    for (Air::Station i = 0; i < 4; ++i) {
      while (const auto frame = air.poll_received(now, i)) {
        digest.add(frame->payload());
        digest.add_number(frame->rssi_dbm);
      }
      while (const auto status = air.poll_sent(i)) {
        ++told[i];
        digest.add_number(static_cast<std::int64_t>(status->status) + to_microseconds(now));
      }
      while (const auto done = air.poll_channel(i)) {
        digest.add_number(done->channel);
      }
    }
    while (air.poll_heard()) {
    }
  }
  EXPECT_EQ(allocations != nullptr ? allocations() : 0, before);
  for (Air::Station i = 0; i < 4; ++i) {
    EXPECT_EQ(air.statistics(i).sent, told[i] + (air.is_sending(i) ? 1U : 0U));
  }
  return digest.value();
}

TEST(Air, RandomUseBalancesAllocatesNothingAndRepeats) {
  EXPECT_EQ(stir(3), stir(3));
  EXPECT_NE(stir(3), stir(4));
}

}  // namespace
}  // namespace amphora::sim
