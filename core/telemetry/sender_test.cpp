// SPDX-License-Identifier: Apache-2.0
#include "core/telemetry/sender.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "tests/contract/machine_contract.hpp"

namespace amphora::telemetry {
namespace {

using namespace std::chrono_literals;
using Kind = SenderEvent::Kind;

Payload numbered(std::uint32_t number) {
  std::array<std::uint8_t, 4> bytes{};
  store(bytes.data(), number, Endian::kLittle);
  Payload payload;
  EXPECT_TRUE(payload.assign(bytes));
  return payload;
}

void expect_account(const SenderBase& sender) {
  const SenderMetrics& m = sender.metrics();
  EXPECT_EQ(m.added, m.acked + m.dropped + m.expired + sender.waiting_count());
}

template <std::size_t Capacity = 8>
class Bench {
 public:
  explicit Bench(const SenderConfig& config = {}) : sender{config} {}

  void add(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      ASSERT_TRUE(sender.add(now, numbered(++produced).view()).ok());
    }
  }
  // All that may go at this moment.
  std::vector<SenderMessage> take() {
    std::vector<SenderMessage> messages;
    while (const auto message = sender.poll_transmit(now)) {
      messages.push_back(*message);
    }
    return messages;
  }
  // The sequences sent until `duration` is over, each at its time; manifests are left out.
  std::vector<std::uint32_t> run(Duration duration) {
    std::vector<std::uint32_t> sequences;
    const TimePoint end = now + duration;
    while (true) {
      sender.handle_timeout(now);
      for (const SenderMessage& message : take()) {
        if (const auto* reading = std::get_if<Reading>(&message)) {
          sequences.push_back(reading->entry.sequence);
          sent_at.push_back(now);
        } else {
          manifests.push_back(std::get<Manifest>(message));
        }
      }
      const TimePoint next = sender.poll_timeout();
      EXPECT_GT(next, now);
      if (next > end) {
        now = end;
        return sequences;
      }
      now = next;
    }
  }
  void answer(std::uint32_t last_in_order) {
    Gaps gaps;
    gaps.last_in_order = last_in_order;
    sender.handle_gaps(now, gaps);
  }
  void begin(std::uint32_t last_in_order) {
    sender.begin_session(now);
    (void)take();
    answer(last_in_order);
  }
  std::vector<SenderEvent> events() {
    std::vector<SenderEvent> all;
    while (const auto event = sender.poll_event()) {
      all.push_back(*event);
    }
    return all;
  }

  Sender<Capacity> sender;
  TimePoint now{100s};
  std::uint32_t produced = 0;
  std::vector<TimePoint> sent_at;
  std::vector<Manifest> manifests;
};

TEST(TelemetrySender, BeginsASessionWithAManifestUntilItIsAnswered) {
  SenderConfig config;
  config.epoch = 77;
  Bench<> bench{config};
  bench.add(3);
  EXPECT_TRUE(bench.take().empty()) << "without a session nothing is sent";
  bench.sender.begin_session(bench.now);
  EXPECT_TRUE(bench.run(900ms).empty());
  ASSERT_EQ(bench.manifests.size(), 3u) << "at once, after 200 ms, after 600 ms";
  EXPECT_TRUE(bench.run(3s).empty());
  EXPECT_EQ(bench.manifests.size(), 6u) << "then at 1.4 s, 2.4 s, 3.4 s";
  EXPECT_EQ(bench.manifests[0].epoch, 77u);
  EXPECT_EQ(bench.manifests[0].first, 1u);
  EXPECT_EQ(bench.manifests[0].last, 3u);
  EXPECT_EQ(bench.manifests[0].count, 3u);
  EXPECT_EQ(bench.manifests[0].digest, manifest_digest(bench.manifests[0]));
  bench.answer(0);
  EXPECT_EQ(bench.run(1ms), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(bench.run(100ms), (std::vector<std::uint32_t>{2, 3}));
}

TEST(TelemetrySender, KeepsReadingsUntilTheyAreDurableAtTheReceiver) {
  Bench<> bench;
  bench.add(3);
  bench.begin(0);
  (void)bench.run(100ms);
  bench.sender.handle_ack(bench.now, {3, 0, 20});
  EXPECT_EQ(bench.sender.waiting_count(), 3u) << "3 has arrived, but only in RAM";
  bench.sender.handle_ack(bench.now, {2, 2, 20});
  EXPECT_EQ(bench.sender.waiting_count(), 1u);
  EXPECT_EQ(bench.sender.metrics().acked, 2u);
  EXPECT_EQ(bench.sender.find(2), nullptr);
  EXPECT_EQ(bench.sender.find(3)->payload, numbered(3));
  bench.sender.handle_ack(bench.now, {1, 1, 20});
  EXPECT_EQ(bench.sender.first_sequence(), 3u) << "an ack that came late changes nothing";
  EXPECT_EQ(bench.sender.metrics().ack_time_max, 100ms);
  EXPECT_EQ(bench.sender.metrics().ack_time_mean_us(), 100'000u);
  expect_account(bench.sender);
}

TEST(TelemetrySender, AReceiverThatSaysMoreThanWasSentIsNotBelieved) {
  Bench<> bench;
  bench.add(3);
  bench.begin(0);
  ASSERT_EQ(bench.run(10ms).size(), 2u);
  bench.sender.handle_ack(bench.now, {3, 3, 20});
  bench.sender.handle_ack(bench.now, {4, 5, 20});
  EXPECT_EQ(bench.sender.waiting_count(), 3u);
  EXPECT_EQ(bench.sender.metrics().refused, 2u);
  EXPECT_EQ(bench.events(), (std::vector<SenderEvent>{{bench.now, Kind::kAckRefused, 3}}));
  Gaps gaps;
  gaps.count = 255;
  gaps.missing.fill(0xFFFF'FFFF);
  bench.sender.handle_gaps(bench.now, gaps);
  EXPECT_EQ(bench.sender.waiting_count(), 3u);
  bench.sender.end_session(bench.now);
  bench.sender.handle_ack(bench.now, {3, 3, 20});
  bench.answer(3);
  EXPECT_EQ(bench.sender.metrics().ignored, 2u);
  EXPECT_EQ(bench.sender.waiting_count(), 3u);
}

TEST(TelemetrySender, AFullQueueKeepsTheNewestAndCountsTheOthers) {
  Bench<kQueueCapacity> bench;
  bench.add(1000);
  EXPECT_EQ(bench.sender.waiting_count(), 250u);
  EXPECT_EQ(bench.sender.metrics().dropped, 750u);
  EXPECT_EQ(bench.sender.metrics().overflow_events, 1u) << "one spell";
  EXPECT_EQ(bench.sender.metrics().high_water, 250u);
  for (std::uint32_t sequence = 751; sequence <= 1000; ++sequence) {
    ASSERT_NE(bench.sender.find(sequence), nullptr);
    EXPECT_EQ(bench.sender.find(sequence)->payload, numbered(sequence));
  }
  EXPECT_EQ(bench.sender.find(750), nullptr);
  EXPECT_EQ(bench.sender.find(1001), nullptr);
  EXPECT_EQ(bench.events(), (std::vector<SenderEvent>{{bench.now, Kind::kOverflow, 1}}));
  expect_account(bench.sender);
  bench.begin(750);
  EXPECT_EQ(bench.run(95ms).size(), 10u);
  bench.answer(760);
  bench.add(11);
  EXPECT_EQ(bench.sender.metrics().overflow_events, 2u) << "there was room in between";
  expect_account(bench.sender);
}

TEST(TelemetrySender, ACapacityOfOneWorks) {
  SenderConfig config;
  config.window = 4;
  Bench<1> bench{config};
  bench.add(5);
  bench.begin(0);
  EXPECT_EQ(bench.run(10ms).size(), 0u) << "a wide hole: the receiver must hear of it first";
  bench.answer(4);
  EXPECT_EQ(bench.run(10ms), (std::vector<std::uint32_t>{5}));
  bench.sender.handle_ack(bench.now, {5, 5, 1});
  EXPECT_EQ(bench.sender.waiting_count(), 0u);
  expect_account(bench.sender);
}

TEST(TelemetrySender, SaysAtOnceWhatWillNeverCome) {
  Bench<4> bench;
  bench.add(4);
  bench.begin(0);
  (void)bench.run(10ms);
  bench.manifests.clear();
  bench.add(2);
  (void)bench.run(1s);
  ASSERT_GE(bench.manifests.size(), 3u) << "repeated until the receiver has gone on";
  EXPECT_EQ(bench.manifests.front().first, 3u);
  bench.sender.handle_ack(bench.now, {6, 6, 20});
  bench.manifests.clear();
  (void)bench.run(59s);
  EXPECT_LE(bench.manifests.size(), 1u);
}

TEST(TelemetrySender, ReadingsExpireInOrder) {
  Bench<> bench;
  bench.add(2);
  bench.now += 1min;
  bench.add(1);
  (void)bench.run(4min - 1ms);
  EXPECT_EQ(bench.sender.waiting_count(), 3u);
  (void)bench.run(1ms);
  EXPECT_EQ(bench.sender.waiting_count(), 1u);
  EXPECT_EQ(bench.sender.metrics().expired, 2u);
  EXPECT_EQ(bench.events(), (std::vector<SenderEvent>{{bench.now, Kind::kExpired, 2}}));
  expect_account(bench.sender);
  SenderConfig config;
  config.expire_after = Duration::zero();
  Bench<> forever{config};
  forever.add(1);
  EXPECT_EQ(forever.sender.poll_timeout(), kNever);
  forever.sender.handle_timeout(forever.now + 24h * 365);
  EXPECT_EQ(forever.sender.waiting_count(), 1u);
}

TEST(TelemetrySender, PacesTheBacklogFasterThanTheSteadyState) {
  Bench<> bench;
  bench.add(4);
  bench.begin(0);
  (void)bench.run(30ms);
  EXPECT_EQ(bench.sent_at, (std::vector<TimePoint>{TimePoint{100s}, TimePoint{100s + 10ms},
                                                   TimePoint{100s + 20ms}, TimePoint{100s + 30ms}}));
  bench.sender.handle_ack(bench.now, {4, 4, 20});
  bench.sent_at.clear();
  bench.add(3);
  const TimePoint start = bench.now;
  (void)bench.run(200ms);
  EXPECT_EQ(bench.sent_at, (std::vector<TimePoint>{start + 50ms, start + 100ms, start + 150ms}));
}

TEST(TelemetrySender, SlowsDownForAReceiverShortOfRoomAndProbesAFullOne) {
  Bench<> bench;
  bench.begin(0);
  bench.sender.handle_ack(bench.now, {0, 0, kFreeSlotsLow - 1});
  bench.add(8);
  EXPECT_EQ(bench.run(999ms), (std::vector<std::uint32_t>{1, 2, 1, 2, 3})) << "one in 200 ms";
  bench.sender.handle_ack(bench.now, {3, 3, 0});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(bench.run(1s), (std::vector<std::uint32_t>{4}));
    bench.sender.handle_ack(bench.now, {4, 3, 0});
  }
  EXPECT_EQ(bench.sender.metrics().probes, 3u);
  EXPECT_EQ(*bench.sender.receiver_free_slots(), 0u);
  bench.sender.handle_ack(bench.now, {4, 4, kFreeSlotsLow});
  EXPECT_EQ(bench.run(120ms).size(), 3u);
}

TEST(TelemetrySender, RepeatsWithGrowingPauses) {
  Bench<> bench;
  bench.add(1);
  bench.begin(0);
  for (int i = 0; i < 26; ++i) {
    (void)bench.run(500ms);
    bench.answer(0);
  }
  std::vector<Duration> at;
  for (const TimePoint sent : bench.sent_at) {
    at.push_back(sent - TimePoint{100s});
  }
  EXPECT_EQ(at, (std::vector<Duration>{0ms, 250ms, 750ms, 1750ms, 3750ms, 7750ms, 11750ms}));
  EXPECT_EQ(bench.sender.metrics().retried, 6u);
  EXPECT_EQ(bench.sender.metrics().sent, 7u);
  EXPECT_EQ(*bench.sender.retry_count(1), 6u);
  EXPECT_FALSE(bench.sender.retry_count(2).has_value());
}

TEST(TelemetrySender, SendsWhatIsMissingAtOnceAndHoldsBackWhatHasArrived) {
  Bench<> bench;
  bench.add(3);
  bench.begin(0);
  (void)bench.run(40ms);
  bench.sender.handle_ack(bench.now, {2, 0, 20});
  bench.sender.handle_ack(bench.now, {3, 0, 20});
  Gaps gaps;
  gaps.last_in_order = 0;
  gaps.count = 1;
  gaps.missing[0] = 1;
  bench.sender.handle_gaps(bench.now, gaps);
  EXPECT_TRUE(bench.run(5ms).empty()) << "sent 40 ms ago, it may still be on its way";
  bench.now += 10ms;
  bench.sender.handle_gaps(bench.now, gaps);
  EXPECT_EQ(bench.run(1ms), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(bench.run(900ms), (std::vector<std::uint32_t>{1})) << "2 and 3 are held";
}

TEST(TelemetrySender, SendsNoMoreThanTheWindowUnacknowledged) {
  SenderConfig config;
  config.window = 2;
  Bench<> bench{config};
  bench.add(8);
  bench.begin(0);
  EXPECT_EQ(bench.run(200ms), (std::vector<std::uint32_t>{1, 2}));
  bench.sender.handle_ack(bench.now, {2, 1, 20});
  EXPECT_EQ(bench.run(20ms), (std::vector<std::uint32_t>{3}));
}

TEST(TelemetrySender, TheWatchdogStartsTheSendingAnew) {
  Bench<> bench;
  bench.add(2);
  bench.begin(0);
  (void)bench.run(60s);
  EXPECT_EQ(bench.sender.metrics().watchdog_restarts, 1u);
  EXPECT_EQ(bench.events(), (std::vector<SenderEvent>{{bench.now, Kind::kWatchdogRestart, 2}}));
  bench.sent_at.clear();
  EXPECT_TRUE(bench.run(100ms).empty()) << "the manifest comes first";
  bench.answer(0);
  EXPECT_EQ(bench.run(60ms), (std::vector<std::uint32_t>{1, 2}));
  // An empty queue needs no watching, and time without a session does not count.
  bench.answer(2);
  (void)bench.run(10min);
  bench.sender.end_session(bench.now);
  bench.add(1);
  (void)bench.run(2min);
  EXPECT_EQ(bench.sender.metrics().watchdog_restarts, 1u);
}

TEST(TelemetrySender, ASilentReceiverIsAskedAgainFirst) {
  Bench<> bench;
  bench.add(8);
  bench.begin(0);
  EXPECT_EQ(bench.run(999ms).size(), 24u) << "each repeated after 250 ms and 750 ms";
  bench.sent_at.clear();
  bench.manifests.clear();
  EXPECT_TRUE(bench.run(10s).empty());
  EXPECT_EQ(bench.sender.metrics().silences, 1u);
  EXPECT_GE(bench.manifests.size(), 10u);
  bench.answer(8);
  EXPECT_EQ(bench.sender.waiting_count(), 0u);
  (void)bench.run(50s);
  EXPECT_EQ(bench.sender.metrics().silences, 1u) << "nothing was asked";
}

TEST(TelemetrySender, SkipsUnchangedReadingsForAWhile) {
  SenderConfig config;
  config.skip_unchanged_for = 10s;
  Bench<> bench{config};
  const Payload payload = numbered(5);
  EXPECT_TRUE(bench.sender.add(bench.now, payload.view()).ok());
  EXPECT_EQ(bench.sender.add(bench.now + 9s, payload.view()).error(), AddError::kUnchanged);
  EXPECT_TRUE(bench.sender.add(bench.now + 9s, payload.view(), 2).ok())
      << "another format is another reading";
  EXPECT_TRUE(bench.sender.add(bench.now + 19s, payload.view(), 2).ok());
  EXPECT_TRUE(bench.sender.add(bench.now + 20s, numbered(6).view(), 2).ok());
  EXPECT_EQ(bench.sender.metrics().skipped, 1u);
  EXPECT_EQ(bench.sender.metrics().added, 4u);
}

TEST(TelemetrySender, RefusesAPayloadThatIsTooLarge) {
  Bench<> bench;
  const std::array<std::uint8_t, kReadingSizeMax + 1> large{};
  EXPECT_EQ(bench.sender.add(bench.now, large).error(), AddError::kTooLarge);
  EXPECT_TRUE(bench.sender.add(bench.now, ByteSpan{large}.first(kReadingSizeMax)).ok());
  EXPECT_TRUE(bench.sender.add(bench.now, {}).ok());
  EXPECT_EQ(bench.sender.metrics().too_large, 1u);
  EXPECT_EQ(bench.sender.metrics().added, 2u);
}

TEST(TelemetrySender, SequencesWrap) {
  SenderConfig config;
  config.first_sequence = 0xFFFF'FFFE;
  Bench<> bench{config};
  bench.add(5);
  bench.begin(0xFFFF'FFFD);
  EXPECT_EQ(bench.run(50ms), (std::vector<std::uint32_t>{0xFFFF'FFFE, 0xFFFF'FFFF, 0, 1, 2}));
  bench.sender.handle_ack(bench.now, {0, 0, 20});
  EXPECT_EQ(bench.sender.waiting_count(), 2u);
  EXPECT_EQ(bench.sender.first_sequence(), 1u);
  bench.add(8);
  EXPECT_EQ(bench.sender.metrics().dropped, 2u);
  expect_account(bench.sender);
}

TEST(TelemetrySender, WithPersistenceNothingIsSentBeforeItIsStored) {
  SenderConfig config;
  config.persist = true;
  config.epoch = 9;
  Bench<> bench{config};
  bench.add(2);
  bench.begin(0);
  EXPECT_TRUE(bench.run(10ms).empty());
  const auto request = bench.sender.poll_store(bench.now);
  ASSERT_TRUE(request && std::holds_alternative<StoreAppend>(*request));
  EXPECT_EQ(std::get<StoreAppend>(*request).entry, *bench.sender.find(1));
  EXPECT_EQ(std::get<StoreAppend>(*request).epoch, 9u);
  EXPECT_FALSE(bench.sender.poll_store(bench.now).has_value()) << "one at a time";
  EXPECT_TRUE(bench.run(10ms).empty());
  bench.sender.handle_stored(bench.now, false);
  EXPECT_FALSE(bench.sender.poll_store(bench.now).has_value());
  EXPECT_EQ(bench.sender.metrics().store_failures, 1u);
  EXPECT_TRUE(bench.run(kStoreRetryAfter).empty());
  ASSERT_TRUE(bench.sender.poll_store(bench.now).has_value());
  bench.sender.handle_stored(bench.now, true);
  bench.sender.handle_stored(bench.now, true);
  EXPECT_EQ(bench.run(10ms), (std::vector<std::uint32_t>{1}));
  bench.answer(1);
  ASSERT_TRUE(std::holds_alternative<StoreAppend>(*bench.sender.poll_store(bench.now)));
  bench.sender.handle_stored(bench.now, true);
  const auto forget = bench.sender.poll_store(bench.now);
  ASSERT_TRUE(forget && std::holds_alternative<StoreForget>(*forget));
  EXPECT_EQ(std::get<StoreForget>(*forget).up_to, 1u);
  bench.sender.handle_stored(bench.now, true);
  EXPECT_FALSE(bench.sender.poll_store(bench.now).has_value());
}

TEST(TelemetrySender, SequencesDroppedBeforeTheyWereStoredStayKnown) {
  SenderConfig config;
  config.persist = true;
  Bench<2> bench{config};
  bench.begin(0);
  bench.add(4);
  bench.manifests.clear();
  (void)bench.run(1s);
  EXPECT_TRUE(bench.manifests.empty()) << "a restart would use 1 and 2 again";
  const auto forget = bench.sender.poll_store(bench.now);
  ASSERT_TRUE(forget && std::holds_alternative<StoreForget>(*forget));
  EXPECT_EQ(std::get<StoreForget>(*forget).up_to, 2u);
  bench.sender.handle_stored(bench.now, true);
  (void)bench.run(1s);
  ASSERT_FALSE(bench.manifests.empty());
  EXPECT_EQ(bench.manifests[0].first, 3u);
}

TEST(TelemetrySender, GoesOnAfterARestart) {
  std::vector<Entry> entries;
  for (std::uint32_t sequence = 10; sequence < 14; ++sequence) {
    entries.push_back({sequence, 1, 1, numbered(sequence)});
  }
  SenderConfig config;
  config.persist = true;
  Bench<8> bench{config};
  bench.sender.restore(bench.now, 5, 14, entries);
  EXPECT_EQ(bench.sender.epoch(), 5u);
  EXPECT_EQ(bench.sender.waiting_count(), 4u);
  EXPECT_EQ(bench.sender.next_sequence(), 14u);
  EXPECT_EQ(*bench.sender.find(12), entries[2]);
  EXPECT_FALSE(bench.sender.poll_store(bench.now).has_value());
  expect_account(bench.sender);

  entries.erase(entries.begin() + 1);
  Bench<8> holed{config};
  holed.sender.restore(holed.now, 5, 14, entries);
  EXPECT_EQ(holed.sender.first_sequence(), 12u);
  EXPECT_EQ(holed.sender.metrics().dropped, 1u);
  EXPECT_TRUE(std::holds_alternative<StoreForget>(*holed.sender.poll_store(holed.now)));
  expect_account(holed.sender);

  Bench<1> small{config};
  small.sender.restore(small.now, 5, 14, entries);
  EXPECT_EQ(small.sender.first_sequence(), 13u);
  Bench<8> late{config};
  late.sender.restore(late.now, 5, 20, entries);
  EXPECT_EQ(late.sender.waiting_count(), 0u);
  EXPECT_EQ(late.sender.next_sequence(), 20u);
  EXPECT_EQ(late.sender.metrics().dropped, 3u);
}

TEST(TelemetrySender, ChecksItsConfiguration) {
  EXPECT_FALSE(check_config({}).has_value());
  SenderConfig config;
  config.window = 0;
  EXPECT_EQ(check_config(config), "window");
  config.window = kWindowMax + 1;
  EXPECT_EQ(check_config(config), "window");
  config = {};
  config.period = 0ms;
  EXPECT_EQ(check_config(config), "period");
  config = {};
  config.retry_after_max = config.retry_after - 1ms;
  EXPECT_EQ(check_config(config), "retry_after_max");
  config = {};
  config.expire_after = 2h;
  EXPECT_EQ(check_config(config), "expire_after");
  EXPECT_EQ(to_text(Kind::kStoreFailed), "store_failed");
}

TEST(TelemetrySender, EventsAreBounded) {
  Bench<> bench;
  for (int i = 0; i < 20; ++i) {
    bench.add(1);
    bench.now += 5min;
    bench.sender.handle_timeout(bench.now);
  }
  EXPECT_EQ(bench.events().size(), kSenderEventCapacity);
  EXPECT_EQ(bench.sender.dropped_event_count(), 4u);
}

struct ContractAdapter {
  using Machine = Sender<20>;
  static Machine make(std::uint64_t seed) {
    SenderConfig config;
    config.persist = seed % 2 == 0;
    config.first_sequence = seed % 3 == 0 ? 0xFFFF'FFF0 : 1;
    config.expire_after = 20s;
    config.watchdog_after = 5s;
    return Machine{config};
  }
  static void feed(Machine& sender, TimePoint now, Rng& rng) {
    std::array<std::uint8_t, 100> bytes{};
    const std::uint32_t near = sender.first_sequence() + rng.below(24) - 4;
    switch (rng.below(8)) {
      case 0:
        sender.begin_session(now);
        return;
      case 1:
        if (rng.chance(100'000)) {
          sender.end_session(now);
        }
        return;
      case 2: {
        const std::uint32_t last = sender.first_sequence() + rng.below(5) - 2;
        sender.handle_ack(now, {near, last, static_cast<std::uint16_t>(rng.below(20))});
        return;
      }
      case 3: {
        Gaps gaps;
        gaps.last_in_order = static_cast<std::uint32_t>(rng.next());
        gaps.count = static_cast<std::uint8_t>(rng.next());
        gaps.missing.fill(near);
        sender.handle_gaps(now, gaps);
        gaps.last_in_order = sender.first_sequence() - 1;
        sender.handle_gaps(now, gaps);
        return;
      }
      case 4:
        sender.handle_stored(now, rng.chance(800'000));
        return;
      default:
        (void)sender.add(now, ByteSpan{bytes}.first(rng.below(100)));
        return;
    }
  }
  static bool drain_one(Machine& sender, TimePoint now, Digest& digest) {
    if (const auto message = sender.poll_transmit(now)) {
      digest.add_number(static_cast<std::int64_t>(message->index()));
      if (const auto* reading = std::get_if<Reading>(&*message)) {
        digest.add_number(reading->entry.sequence);
      }
      return true;
    }
    if (const auto event = sender.poll_event()) {
      digest.add_number(static_cast<std::int64_t>(event->kind));
      digest.add_number(event->detail);
      return true;
    }
    if (const auto request = sender.poll_store(now)) {
      digest.add_number(static_cast<std::int64_t>(request->index()));
      return true;
    }
    return false;
  }
};

TEST(TelemetrySender, KeepsTheContractOfMachines) {
  contract::check_machine_contract<ContractAdapter>();
}

TEST(TelemetryMessages, TheDigestIsFnv1aOf128Bits) {
  Manifest manifest{0x1122'3344, 0xFFFF'FFFE, 3, 6, {}};
  EXPECT_EQ(manifest_digest(manifest),
            (std::array<std::uint8_t, kManifestDigestSize>{0x95, 0x6F, 0xAE, 0x1C, 0x73, 0x3A, 0x32, 0xDC,
                                                           0xB6, 0x29, 0xEF, 0x73, 0x4A, 0xCC, 0xCA, 0x1B}));
  ++manifest.count;
  EXPECT_NE(manifest_digest(manifest), manifest_digest(Manifest{0x1122'3344, 0xFFFF'FFFE, 3, 6, {}}));
}

}  // namespace
}  // namespace amphora::telemetry
