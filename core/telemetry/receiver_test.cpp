// SPDX-License-Identifier: Apache-2.0
#include "core/telemetry/receiver.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/contract/machine_contract.hpp"

namespace amphora::telemetry {
namespace {

using namespace std::chrono_literals;
using Kind = ReceiverEvent::Kind;
using Sequences = std::vector<std::uint32_t>;

constexpr std::uint32_t kEpoch = 7;

Manifest manifest_of(std::uint32_t epoch, std::uint32_t first, std::uint32_t last) {
  Manifest manifest{epoch, first, last, static_cast<std::uint16_t>(last - first + 1), {}};
  manifest.digest = manifest_digest(manifest);
  return manifest;
}

template <std::size_t Window = 8>
class Bench {
 public:
  void open(std::uint32_t first, std::uint32_t last, std::uint32_t epoch = kEpoch) {
    receiver.begin_session(now);
    receiver.handle_manifest(now, manifest_of(epoch, first, last));
  }
  void hear(std::uint32_t sequence) { receiver.handle_reading(now, Reading{{sequence, 5, 1, {}}}); }
  // Hands out all there is; delivers it if the host has a store that works.
  Sequences take(bool is_durable = true) {
    Sequences sequences;
    while (const auto delivery = receiver.poll_delivery(now)) {
      sequences.push_back(delivery->entry.sequence);
      if (is_durable) {
        receiver.handle_delivered(now, delivery->entry.sequence);
      }
    }
    return sequences;
  }
  std::vector<ReceiverMessage> messages() {
    std::vector<ReceiverMessage> all;
    receiver.handle_timeout(now);
    while (const auto message = receiver.poll_transmit(now)) {
      all.push_back(*message);
    }
    return all;
  }
  std::vector<ReceiverEvent> events() {
    std::vector<ReceiverEvent> all;
    while (const auto event = receiver.poll_event()) {
      all.push_back(*event);
    }
    return all;
  }
  void expect_account() {
    const ReceiverMetrics& m = receiver.metrics();
    EXPECT_EQ(m.delivered + m.missing, receiver.last_in_order() - receiver.base());
  }

  Receiver<Window> receiver;
  TimePoint now{50s};
};

TEST(TelemetryReceiver, TakesNothingBeforeTheManifest) {
  Bench<> bench;
  bench.hear(1);
  bench.receiver.begin_session(bench.now);
  bench.hear(1);
  EXPECT_EQ(bench.receiver.metrics().ignored, 2u);
  EXPECT_TRUE(bench.messages().empty());
  bench.receiver.handle_manifest(bench.now, manifest_of(kEpoch, 1, 3));
  EXPECT_EQ(bench.messages(), (std::vector<ReceiverMessage>{Gaps{}})) << "the answer";
  EXPECT_EQ(bench.events(), (std::vector<ReceiverEvent>{{bench.now, Kind::kNewEpoch, kEpoch}}));
  bench.hear(1);
  EXPECT_EQ(bench.take(), (Sequences{1}));
  EXPECT_EQ(bench.messages(), (std::vector<ReceiverMessage>{ReadingAck{1, 1, 8}}));
}

TEST(TelemetryReceiver, DeliversInOrderAndOnce) {
  Bench<> bench;
  bench.open(1, 0);
  bench.hear(3);
  bench.hear(2);
  EXPECT_TRUE(bench.take().empty());
  bench.hear(1);
  EXPECT_EQ(bench.take(), (Sequences{1, 2, 3}));
  for (const std::uint32_t again : {1u, 2u, 3u, 0u}) {
    bench.hear(again);
  }
  EXPECT_TRUE(bench.take().empty());
  EXPECT_EQ(bench.receiver.metrics().duplicates, 4u);
  EXPECT_EQ(bench.receiver.metrics().delivered, 3u);
  bench.expect_account();
}

TEST(TelemetryReceiver, AcknowledgesAsDeliveredOnlyWhatIsDurable) {
  Bench<> bench;
  bench.open(1, 0);
  (void)bench.messages();
  bench.hear(1);
  EXPECT_EQ(bench.take(false), (Sequences{1}));
  EXPECT_TRUE(bench.messages().empty()) << "the store gets 20 ms";
  bench.now += 20ms;
  EXPECT_EQ(bench.receiver.poll_timeout(), bench.now);
  EXPECT_EQ(bench.messages(), (std::vector<ReceiverMessage>{ReadingAck{1, 0, 7}})) << "heard, not durable";
  bench.hear(1);
  EXPECT_EQ(bench.receiver.metrics().duplicates, 1u);
  bench.receiver.handle_delivered(bench.now, 1);
  EXPECT_EQ(bench.messages(), (std::vector<ReceiverMessage>{ReadingAck{1, 1, 8}}));
  bench.receiver.handle_delivered(bench.now, 1);
  bench.receiver.handle_delivered(bench.now, 2);
  EXPECT_EQ(bench.receiver.last_in_order(), 1u) << "2 was never handed out";
  EXPECT_TRUE(bench.messages().empty());
}

TEST(TelemetryReceiver, AFailedDeliveryIsHandedOutAgain) {
  Bench<> bench;
  bench.open(1, 0);
  bench.hear(1);
  bench.hear(2);
  EXPECT_EQ(bench.take(false), (Sequences{1, 2}));
  bench.receiver.handle_delivered(bench.now, 1);
  bench.receiver.handle_delivery_failed(bench.now);
  EXPECT_TRUE(bench.take().empty());
  bench.now += 1s;
  EXPECT_EQ(bench.receiver.poll_timeout() <= bench.now, true);
  bench.receiver.handle_timeout(bench.now);
  EXPECT_EQ(bench.take(), (Sequences{2}));
  EXPECT_EQ(bench.receiver.metrics().delivery_failures, 1u);
  bench.receiver.handle_delivery_failed(bench.now);
  EXPECT_EQ(bench.receiver.metrics().delivery_failures, 1u) << "nothing is handed out";
  bench.expect_account();
}

TEST(TelemetryReceiver, CountsWhatIsOutsideOfItsWindow) {
  Bench<8> bench;
  bench.open(1, 0);
  (void)bench.messages();
  bench.hear(9);
  EXPECT_EQ(bench.receiver.metrics().out_of_window, 1u);
  EXPECT_EQ(bench.messages(), (std::vector<ReceiverMessage>{ReadingAck{0, 0, 8}}))
      << "the sender must not believe that 9 is held";
  bench.hear(8);
  EXPECT_EQ(bench.receiver.free_slots(), 7u);
  bench.hear(0x7FFF'FFFF);
  EXPECT_EQ(bench.receiver.metrics().out_of_window, 2u);
  bench.hear(0x8000'0000);
  EXPECT_EQ(bench.receiver.metrics().duplicates, 1u) << "2^31 and more away is behind";
}

TEST(TelemetryReceiver, AsksForWhatWasOvertakenWithGrowingPauses) {
  Bench<> bench;
  bench.open(1, 0);
  (void)bench.messages();
  bench.hear(3);
  bench.hear(5);
  (void)bench.messages();
  Gaps asked;
  asked.count = 3;
  asked.missing = {1, 2, 4};
  for (const Duration pause : {100ms, 200ms, 400ms, 800ms, 1600ms, 3000ms, 3000ms}) {
    bench.now += pause - 1ms;
    EXPECT_TRUE(bench.messages().empty()) << pause.count();
    bench.now += 1ms;
    EXPECT_EQ(bench.receiver.poll_timeout(), bench.now);
    EXPECT_EQ(bench.messages(), (std::vector<ReceiverMessage>{asked})) << pause.count();
  }
  EXPECT_EQ(bench.receiver.metrics().gaps_asked, 21u);
  bench.hear(1);
  bench.hear(2);
  bench.hear(4);
  EXPECT_EQ(bench.take(), (Sequences{1, 2, 3, 4, 5}));
  (void)bench.messages();
  EXPECT_EQ(bench.receiver.poll_timeout(), kNever);
}

TEST(TelemetryReceiver, NamesAtMostTwentyGapsAtOnce) {
  Bench<32> bench;
  bench.open(1, 0);
  bench.hear(30);
  bench.now += 1s;
  for (const ReceiverMessage& message : bench.messages()) {
    if (const auto* gaps = std::get_if<Gaps>(&message)) {
      EXPECT_EQ(gaps->count, kGapsMax);
      EXPECT_EQ(gaps->missing[19], 20u);
      return;
    }
  }
  FAIL() << "nothing asked";
}

TEST(TelemetryReceiver, GoesOnBehindWhatWillNeverCome) {
  Bench<> bench;
  bench.open(1, 6);
  bench.hear(3);
  bench.hear(6);
  bench.receiver.handle_manifest(bench.now, manifest_of(kEpoch, 5, 6));
  EXPECT_EQ(bench.receiver.metrics().missing, 2u) << "1 and 2; 4 is behind 3, which is not delivered yet";
  EXPECT_EQ(bench.take(), (Sequences{3})) << "5 may still come";
  EXPECT_EQ(bench.receiver.metrics().missing, 3u);
  EXPECT_EQ(bench.receiver.last_in_order(), 4u);
  bench.hear(5);
  EXPECT_EQ(bench.take(), (Sequences{5, 6}));
  // An old manifest says nothing new, a far one jumps.
  bench.receiver.handle_manifest(bench.now, manifest_of(kEpoch, 1, 6));
  EXPECT_EQ(bench.receiver.last_in_order(), 6u);
  bench.receiver.handle_manifest(bench.now, manifest_of(kEpoch, 1'000'000, 1'000'010));
  EXPECT_EQ(bench.receiver.last_in_order(), 999'999u);
  EXPECT_EQ(bench.receiver.metrics().missing, 999'996u);
  bench.expect_account();
}

TEST(TelemetryReceiver, HolesBetweenHandedOutReadingsAreCountedOnce) {
  Bench<> bench;
  bench.open(1, 6);
  bench.hear(1);
  bench.hear(3);
  bench.receiver.handle_manifest(bench.now, manifest_of(kEpoch, 5, 6));
  EXPECT_EQ(bench.take(false), (Sequences{1, 3}));
  EXPECT_EQ(bench.receiver.last_in_order(), 0u);
  bench.receiver.handle_delivery_failed(bench.now);
  bench.now += 1s;
  bench.receiver.handle_timeout(bench.now);
  EXPECT_EQ(bench.take(false), (Sequences{1, 3}));
  bench.receiver.handle_delivered(bench.now, 3);
  EXPECT_EQ(bench.receiver.metrics().missing, 2u);
  EXPECT_EQ(bench.receiver.metrics().delivered, 2u);
  EXPECT_EQ(bench.receiver.last_in_order(), 4u);
  bench.expect_account();
}

TEST(TelemetryReceiver, RefusesManifestsThatContradictThemselves) {
  Bench<> bench;
  bench.open(1, 0);
  Manifest broken = manifest_of(kEpoch, 100, 200);
  broken.first = 150;
  bench.receiver.handle_manifest(bench.now, broken);
  broken.digest = manifest_digest(broken);
  bench.receiver.handle_manifest(bench.now, broken);
  bench.receiver.handle_manifest(bench.now, manifest_of(kEpoch + 1, 1, 0));
  EXPECT_EQ(bench.receiver.metrics().refused, 3u);
  EXPECT_EQ(bench.receiver.last_in_order(), 0u);
  EXPECT_EQ(bench.receiver.metrics().missing, 0u);
}

TEST(TelemetryReceiver, ANewEpochWaitsUntilTheOldOneIsDelivered) {
  Bench<> bench;
  bench.open(1, 4);
  bench.hear(2);
  bench.hear(3);
  bench.open(50, 51, kEpoch + 1);
  EXPECT_TRUE(bench.messages().empty()) << "2 and 3 have to be delivered first";
  bench.hear(50);
  EXPECT_EQ(bench.receiver.metrics().ignored, 1u);
  EXPECT_EQ(bench.take(), (Sequences{2, 3}));
  EXPECT_EQ(bench.receiver.metrics().missing, 1u);
  EXPECT_EQ(*bench.receiver.epoch(), kEpoch + 1);
  Gaps answer;
  answer.last_in_order = 49;
  EXPECT_EQ(bench.messages(), (std::vector<ReceiverMessage>{answer}));
  bench.hear(50);
  const auto delivery = bench.receiver.poll_delivery(bench.now);
  ASSERT_TRUE(delivery.has_value());
  EXPECT_EQ(delivery->epoch, kEpoch + 1);
  EXPECT_EQ(delivery->entry.sequence, 50u);
}

TEST(TelemetryReceiver, ARestartNeverDeliversTwice) {
  Bench<> bench;
  bench.receiver.restore(kEpoch, 20);
  bench.open(15, 25);
  Gaps answer;
  answer.last_in_order = 20;
  EXPECT_EQ(bench.messages(), (std::vector<ReceiverMessage>{answer}));
  bench.hear(20);
  bench.hear(21);
  EXPECT_EQ(bench.take(), (Sequences{21}));
  EXPECT_EQ(bench.receiver.base(), 20u);
  bench.expect_account();
}

TEST(TelemetryReceiver, ASenderThatCountsAgainIsRefused) {
  Bench<> bench;
  bench.receiver.restore(kEpoch, 20);
  bench.open(3, 19);
  bench.receiver.handle_manifest(bench.now, manifest_of(kEpoch, 3, 18));
  bench.hear(3);
  EXPECT_TRUE(bench.messages().empty());
  EXPECT_EQ(bench.receiver.metrics().refused, 2u);
  EXPECT_EQ(bench.receiver.metrics().ignored, 1u);
  EXPECT_EQ(bench.events(), (std::vector<ReceiverEvent>{{bench.now, Kind::kRewound, 19}}))
      << "once a session";
  bench.receiver.handle_manifest(bench.now, manifest_of(kEpoch, 21, 20));
  EXPECT_EQ(bench.messages().size(), 1u) << "an empty queue that ends where we are is right";
}

TEST(TelemetryReceiver, SequencesWrap) {
  Bench<> bench;
  bench.open(0xFFFF'FFFE, 2);
  for (const std::uint32_t sequence : {1u, 0xFFFF'FFFFu, 0u, 0xFFFF'FFFEu}) {
    bench.hear(sequence);
  }
  EXPECT_EQ(bench.take(), (Sequences{0xFFFF'FFFE, 0xFFFF'FFFF, 0, 1}));
  bench.receiver.handle_manifest(bench.now, manifest_of(kEpoch, 4, 6));
  EXPECT_EQ(bench.receiver.metrics().missing, 2u);
  bench.expect_account();
}

TEST(TelemetryReceiver, TellsTheSenderOfRoomBehindItsStore) {
  Bench<> bench;
  bench.open(1, 0);
  (void)bench.messages();
  bench.receiver.set_room(bench.now, 3);
  EXPECT_EQ(bench.receiver.free_slots(), 3u);
  EXPECT_TRUE(bench.messages().empty());
  bench.receiver.set_room(bench.now, 0);
  EXPECT_EQ(bench.messages(), (std::vector<ReceiverMessage>{ReadingAck{0, 0, 0}}));
  bench.receiver.set_room(bench.now, 100);
  EXPECT_EQ(bench.messages(), (std::vector<ReceiverMessage>{ReadingAck{0, 0, 8}}));
}

TEST(TelemetryReceiver, AWindowOfOneWorks) {
  Bench<1> bench;
  bench.open(1, 0);
  bench.hear(2);
  EXPECT_EQ(bench.receiver.metrics().out_of_window, 1u);
  bench.hear(1);
  EXPECT_EQ(bench.take(), (Sequences{1}));
  bench.hear(2);
  EXPECT_EQ(bench.take(), (Sequences{2}));
}

TEST(TelemetryReceiver, EventsAreBounded) {
  Bench<> bench;
  for (std::uint32_t i = 0; i < 20; ++i) {
    bench.open(1, 0, i);
  }
  EXPECT_EQ(bench.events().size(), kReceiverEventCapacity);
  EXPECT_EQ(bench.receiver.dropped_event_count(), 4u);
  EXPECT_EQ(to_text(Kind::kDeliveryFailed), "delivery_failed");
}

struct ContractAdapter {
  using Machine = Receiver<8>;
  static Machine make(std::uint64_t seed) {
    (void)seed;
    return Machine{};
  }
  static void feed(Machine& receiver, TimePoint now, Rng& rng) {
    const std::uint32_t near = receiver.last_in_order() + rng.below(12) - 1;
    switch (rng.below(8)) {
      case 0:
        receiver.begin_session(now);
        return;
      case 1:
      case 2:
        receiver.handle_manifest(
            now, manifest_of(rng.below(10) == 0 ? rng.below(3) : receiver.epoch().value_or(0), near,
                             near + rng.below(20)));
        return;
      case 3:
        receiver.handle_delivered(now, near);
        return;
      case 4:
        if (rng.chance(200'000)) {
          receiver.handle_delivery_failed(now);
        }
        return;
      default:
        receiver.handle_reading(now, Reading{{near, 0, 1, {}}});
        return;
    }
  }
  static bool drain_one(Machine& receiver, TimePoint now, Digest& digest) {
    if (const auto message = receiver.poll_transmit(now)) {
      digest.add_number(static_cast<std::int64_t>(message->index()));
      return true;
    }
    if (const auto delivery = receiver.poll_delivery(now)) {
      digest.add_number(delivery->entry.sequence);
      return true;
    }
    if (const auto event = receiver.poll_event()) {
      digest.add_number(static_cast<std::int64_t>(event->kind));
      digest.add_number(event->detail);
      return true;
    }
    return false;
  }
};

TEST(TelemetryReceiver, KeepsTheContractOfMachines) {
  contract::check_machine_contract<ContractAdapter>();
}

}  // namespace
}  // namespace amphora::telemetry
