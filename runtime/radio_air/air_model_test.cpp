// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio_air/air_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace amphora::runtime::air {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

constexpr NodeId mac(std::uint64_t number) {
  return NodeId{0x020000000000 + number};
}

struct Told {
  TimePoint at;
  ClientKey to = 0;
  Bytes bytes;
};

// An air with a clock; clients are named by numbers, and each has the address of its number.
class Bench {
 public:
  explicit Bench(AirConfig config = {}) : model{std::move(config)} {}

  void say(ClientKey from, const Datagram& datagram) {
    std::array<std::uint8_t, kDatagramSizeMax> buffer;
    model.handle_datagram(now, from, encode_datagram(datagram, buffer));
    collect();
  }
  void join(ClientKey key, std::uint8_t channel) { say(key, Hello{key, mac(key), channel, true}); }
  void run_for(Duration time) {
    const TimePoint end = now + time;
    while (model.poll_timeout() <= end) {
      now = std::max(now, model.poll_timeout());
      model.handle_timeout(now);
      collect();
    }
    now = end;
  }
  // All messages of a kind that a client was told.
  template <class Kind>
  std::vector<Kind> told_to(ClientKey key) const {
    std::vector<Kind> out;
    for (const Told& one : told) {
      const auto datagram = decode_datagram(one.bytes);
      if (one.to == key && std::holds_alternative<Kind>(*datagram)) {
        out.push_back(std::get<Kind>(*datagram));
      }
    }
    return out;
  }
  RadioSendResult result_of_send(ClientKey from, NodeId to, const Bytes& bytes) {
    told.clear();
    say(from, Send{1, to, bytes});
    run_for(1s);
    const auto results = told_to<Sent>(from);
    EXPECT_EQ(results.size(), 1U);
    return results.empty() ? RadioSendResult::kNotSent : results[0].result;
  }

  AirModel model;
  TimePoint now{};
  std::vector<Told> told;
  std::vector<AirEvent::Kind> events;

 private:
  void collect() {
    while (const auto output = model.poll_output(now)) {
      told.push_back({now, output->to, Bytes(output->bytes.begin(), output->bytes.begin() + output->size)});
    }
    while (const auto event = model.poll_event()) {
      events.push_back(event->kind);
    }
  }
};

TEST(AirModel, a_frame_takes_its_time_and_is_acked) {
  Bench bench;
  bench.join(1, 6);
  bench.join(2, 6);
  bench.told.clear();
  bench.say(1, Send{42, mac(2), Bytes(250, 0xAB)});
  EXPECT_TRUE(bench.told.empty());
  bench.run_for(3209us);
  EXPECT_TRUE(bench.told.empty());
  bench.run_for(1us);
  ASSERT_EQ(bench.told_to<Received>(2).size(), 1U);
  EXPECT_EQ(bench.told_to<Received>(2)[0].from, mac(1));
  EXPECT_EQ(bench.told_to<Received>(2)[0].bytes.size(), 250U);
  ASSERT_EQ(bench.told_to<Sent>(1).size(), 1U);
  EXPECT_EQ(bench.told_to<Sent>(1)[0].token, 42U);
  EXPECT_EQ(bench.told_to<Sent>(1)[0].result, RadioSendResult::kAcked);
}

TEST(AirModel, a_channel_carries_one_frame_at_a_time) {
  Bench bench;
  for (ClientKey key = 1; key <= 3; ++key) {
    bench.join(key, 1);
  }
  bench.join(4, 11);
  bench.told.clear();
  bench.say(1, Send{1, mac(2), Bytes(250)});
  bench.say(3, Send{1, mac(2), Bytes(250)});
  bench.say(4, Send{1, kEverybody, Bytes(250)});
  bench.run_for(1s);
  std::vector<TimePoint> ends;
  for (const Told& one : bench.told) {
    if (std::holds_alternative<Sent>(*decode_datagram(one.bytes))) {
      ends.push_back(one.at);
    }
  }
  // The broadcast on the other channel does not wait, and has no ack to wait for.
  EXPECT_THAT(ends, ::testing::ElementsAre(TimePoint{2896us}, TimePoint{3210us}, TimePoint{6420us}));
}

TEST(AirModel, nobody_there_means_repetitions_and_no_ack) {
  Bench bench;
  bench.join(1, 6);
  bench.join(2, 11);
  EXPECT_EQ(bench.result_of_send(1, mac(2), {1}), RadioSendResult::kNoAck);
  EXPECT_EQ(bench.model.counters().tries, 6U);
  EXPECT_TRUE(bench.told_to<Received>(2).empty());
  EXPECT_EQ(bench.result_of_send(1, mac(9), {1}), RadioSendResult::kNoAck);
  EXPECT_EQ(bench.result_of_send(1, mac(1), {1}), RadioSendResult::kNoAck);
  bench.say(2, SetChannel{5, 6});
  EXPECT_TRUE(bench.told_to<ChannelSet>(2)[0].is_done);
  EXPECT_EQ(bench.result_of_send(1, mac(2), {1}), RadioSendResult::kAcked);
}

TEST(AirModel, broadcast_reaches_all_others_on_the_channel) {
  Bench bench;
  for (ClientKey key = 1; key <= 3; ++key) {
    bench.join(key, 6);
  }
  bench.join(4, 7);
  EXPECT_EQ(bench.result_of_send(1, kEverybody, {7}), RadioSendResult::kAcked);
  EXPECT_TRUE(bench.told_to<Received>(1).empty());
  EXPECT_EQ(bench.told_to<Received>(2).size(), 1U);
  EXPECT_EQ(bench.told_to<Received>(3).size(), 1U);
  EXPECT_EQ(bench.told_to<Received>(3)[0].to, kEverybody);
  EXPECT_TRUE(bench.told_to<Received>(4).empty());
  bench = Bench{};
  bench.join(1, 6);
  EXPECT_EQ(bench.result_of_send(1, kEverybody, {7}), RadioSendResult::kAcked);
}

TEST(AirModel, loss_is_as_often_as_asked_and_repairs_itself) {
  AirConfig config;
  config.loss_ppm = 300'000;
  Bench bench{config};
  bench.join(1, 6);
  bench.join(2, 6);
  int acked = 0;
  std::size_t received = 0;
  for (int i = 0; i < 1000; ++i) {
    bench.say(1, Hello{1, mac(1), 6, false});
    bench.say(2, Hello{2, mac(2), 6, false});
    acked += bench.result_of_send(1, mac(2), {1}) == RadioSendResult::kAcked ? 1 : 0;
    const auto heard = bench.told_to<Received>(2).size();
    EXPECT_LE(heard, 1U);  // repetitions are not delivered again
    received += heard;
  }
  // A try works with 0.7 x 0.7; six of them fail with 0.51^6 = 1.8 %.
  EXPECT_NEAR(acked, 982, 20);
  EXPECT_GE(received, static_cast<std::size_t>(acked));
  EXPECT_GT(bench.model.counters().lost, 300U);
}

TEST(AirModel, the_same_seed_gives_the_same_air) {
  const auto run = [](std::uint64_t seed) {
    AirConfig config;
    config.loss_ppm = 500'000;
    config.seed = seed;
    Bench bench{config};
    bench.join(1, 6);
    bench.join(2, 6);
    std::vector<std::pair<TimePoint, Bytes>> all;
    for (int i = 0; i < 20; ++i) {
      (void)bench.result_of_send(1, mac(2), {static_cast<std::uint8_t>(i)});
      bench.say(1, Hello{1, mac(1), 6, false});
      bench.say(2, Hello{2, mac(2), 6, false});
      for (const Told& one : bench.told) {
        all.emplace_back(one.at, one.bytes);
      }
    }
    return all;
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

TEST(AirModel, delay_is_added_to_what_is_told) {
  AirConfig config;
  config.delay = 5ms;
  Bench bench{config};
  bench.join(1, 6);
  EXPECT_TRUE(bench.told.empty());
  bench.run_for(5ms);
  EXPECT_EQ(bench.told_to<Welcome>(1).size(), 1U);
  bench.say(1, Send{1, kEverybody, Bytes(250)});
  bench.run_for(7895us);
  EXPECT_TRUE(bench.told_to<Sent>(1).empty());
  bench.run_for(1us);
  EXPECT_EQ(bench.told_to<Sent>(1).size(), 1U);
}

TEST(AirModel, a_restarted_program_takes_its_address_back) {
  Bench bench;
  bench.join(1, 6);
  bench.say(10, Hello{777, mac(1), 3, true});
  EXPECT_EQ(bench.told_to<Welcome>(10).back().result, HelloResult::kWelcome);
  EXPECT_EQ(bench.model.client_count(), 1U);
  bench.say(1, Hello{1, mac(1), 6, false});  // the one before lives on
  EXPECT_EQ(bench.told_to<Welcome>(1).back().result, HelloResult::kReplaced);
  EXPECT_EQ(bench.model.client_count(), 1U);
  bench.say(10, Bye{});
  bench.say(1, Hello{1, mac(1), 6, false});
  EXPECT_EQ(bench.told_to<Welcome>(1).back().result, HelloResult::kWelcome);
  using Kind = AirEvent::Kind;
  EXPECT_THAT(bench.events, ::testing::ElementsAre(Kind::kJoined, Kind::kReplaced, Kind::kJoined, Kind::kLeft,
                                                   Kind::kJoined));
}

TEST(AirModel, the_silent_expire_and_strangers_are_refused) {
  Bench bench;
  bench.join(1, 6);
  bench.run_for(4999ms);
  EXPECT_EQ(bench.model.client_count(), 1U);
  bench.run_for(1ms);
  EXPECT_EQ(bench.model.client_count(), 0U);
  EXPECT_EQ(bench.events.back(), AirEvent::Kind::kExpired);
  bench.say(1, Send{8, kEverybody, Bytes{1}});
  ASSERT_EQ(bench.told_to<Sent>(1).size(), 1U);
  EXPECT_EQ(bench.told_to<Sent>(1)[0].result, RadioSendResult::kNotSent);
  bench.say(1, Sent{});
  EXPECT_EQ(bench.model.counters().malformed, 1U);
  EXPECT_EQ(bench.model.poll_timeout(), kNever);
}

TEST(AirModel, channels_and_places_are_limited) {
  AirConfig config;
  config.channels = {1, 6};
  config.client_max = 2;
  Bench bench{config};
  bench.join(1, 11);
  EXPECT_EQ(bench.told_to<Welcome>(1)[0].result, HelloResult::kBadChannel);
  EXPECT_EQ(bench.told_to<Welcome>(1)[0].channel, 1);
  bench.say(1, SetChannel{1, 11});
  EXPECT_FALSE(bench.told_to<ChannelSet>(1)[0].is_done);
  bench.join(2, 6);
  bench.join(3, 6);
  EXPECT_EQ(bench.told_to<Welcome>(3)[0].result, HelloResult::kFull);
  EXPECT_EQ(bench.model.client_count(), 2U);
}

TEST(AirModel, one_frame_in_flight_for_each_client) {
  Bench bench;
  bench.join(1, 6);
  bench.told.clear();
  bench.say(1, Send{1, kEverybody, Bytes{1}});
  bench.say(1, Send{2, kEverybody, Bytes{2}});
  bench.run_for(1s);
  const auto results = bench.told_to<Sent>(1);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].token, 2U);
  EXPECT_EQ(results[0].result, RadioSendResult::kNotSent);
  EXPECT_EQ(results[1].result, RadioSendResult::kAcked);
}

}  // namespace
}  // namespace amphora::runtime::air
