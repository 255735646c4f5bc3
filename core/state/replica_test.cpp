// SPDX-License-Identifier: Apache-2.0
#include "core/state/replica.hpp"

#include <gtest/gtest.h>

#include "core/state/state_test_support.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::state {
namespace {

constexpr std::int64_t kWall = 1'700'000'000'000;

struct Rig {
  explicit Rig(bool has_time = true, NodeId self = kOwnerId, Memory memory = Memory::kDurable)
      : clock{memory}, replica{clock, kTestSpecs, self, kOwnerId} {
    if (has_time) {
      (void)clock.set_wall_time(at_ms(0), WallTime{kWall});
    }
  }
  void store_all(TimePoint now) {
    while (const auto request = replica.poll_store(now)) {
      replica.handle_stored(now, request->section, request->ticket);
    }
  }
  bool has_event(ReplicaEvent::Kind kind) {
    bool found = false;
    while (const auto event = replica.poll_event()) {
      found = found || event->kind == kind;
    }
    return found;
  }
  HybridClock clock;
  Replica replica;
};

TEST(Replica, AChangeGetsTheNextVersionAndIsOfferedWhenDurable) {
  Rig rig;
  EXPECT_EQ(*rig.replica.change(at_ms(5), 1, payload_of(7).bytes()), ChangeOutcome::kStamped);
  const Record expected{1, {kWall + 5, 0}, kOwnerId, payload_of(7)};
  EXPECT_EQ(rig.replica.current(1), expected);
  EXPECT_EQ(rig.replica.durable(1), nullptr);
  EXPECT_EQ(rig.replica.durable_mark(1).version, 0U);
  const auto request = rig.replica.poll_store(at_ms(5));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->record, expected);
  EXPECT_FALSE(rig.replica.poll_store(at_ms(5)).has_value());
  EXPECT_EQ(rig.replica.durable(1), nullptr);
  rig.replica.handle_stored(at_ms(6), 1, request->ticket);
  ASSERT_NE(rig.replica.durable(1), nullptr);
  EXPECT_EQ(*rig.replica.durable(1), expected);
  EXPECT_EQ(rig.replica.durable_mark(1).version, 1U);
  EXPECT_TRUE(rig.replica.is_settled());
}

TEST(Replica, RefusalsNameTheReasonAndChangeNothing) {
  Rig rig{true, kPeerId};
  const std::vector<std::uint8_t> large(kPayloadSizeMax + 1);
  EXPECT_EQ(rig.replica.change(at_ms(0), 9, payload_of(1).bytes()).error(), Refusal::kUnknownSection);
  EXPECT_EQ(rig.replica.change(at_ms(0), 1, large).error(), Refusal::kTooLarge);
  EXPECT_EQ(rig.replica.change(at_ms(0), 0, payload_of(1).bytes()).error(), Refusal::kReadOnly);
  EXPECT_EQ(rig.replica.merge(at_ms(0), 200, {}).error(), Refusal::kUnknownSection);
  EXPECT_EQ(rig.replica.merge(at_ms(0), 1, record_of(1, {kStampPhysicalMax + 1, 0}, kOwnerId, 1)).error(),
            Refusal::kStampAbsurd);
  EXPECT_EQ(rig.replica.merge(at_ms(0), 0, record_of(1, {kWall, 0}, kPeerId, 1)).error(), Refusal::kReadOnly);
  EXPECT_EQ(rig.replica.restore(3, {}).error(), Refusal::kUnknownSection);
  EXPECT_EQ(rig.replica.statistics().refused, 7U);
  EXPECT_EQ(rig.replica.digest(), Rig{}.replica.digest());
  EXPECT_EQ(to_text(Refusal::kReadOnly), "read_only");
}

TEST(Replica, AnEqualPayloadIsNoChange) {
  Rig rig;
  (void)rig.replica.change(at_ms(5), 1, payload_of(7).bytes());
  EXPECT_EQ(*rig.replica.change(at_ms(6), 1, payload_of(7).bytes()), ChangeOutcome::kUnchanged);
  EXPECT_EQ(rig.replica.current(1).version, 1U);
}

TEST(Replica, ABurstWhileAWriteIsPendingIsOneWrite) {
  Rig rig;
  (void)rig.replica.change(at_ms(0), 1, payload_of(1).bytes());
  const auto first = rig.replica.poll_store(at_ms(0));
  for (std::uint8_t i = 2; i <= 50; ++i) {
    (void)rig.replica.change(at_ms(i), 1, payload_of(i).bytes());
    EXPECT_FALSE(rig.replica.poll_store(at_ms(i)).has_value());
  }
  rig.replica.handle_stored(at_ms(60), 1, first->ticket);
  EXPECT_EQ(rig.replica.durable_mark(1).version, 1U);
  EXPECT_EQ(rig.replica.durable(1), nullptr) << "something newer is on its way";
  const auto second = rig.replica.poll_store(at_ms(60));
  EXPECT_EQ(second->record.payload, payload_of(50));
  rig.replica.handle_stored(at_ms(61), 1, second->ticket);
  EXPECT_FALSE(rig.replica.poll_store(at_ms(61)).has_value());
  EXPECT_EQ(rig.replica.statistics().store_requests, 2U);
  EXPECT_EQ(rig.replica.statistics().coalesced, 48U);
}

TEST(Replica, AFailedWriteIsReportedOnceAndRepeatedWithGrowingPauses) {
  Rig rig;
  (void)rig.replica.change(at_ms(0), 1, payload_of(1).bytes());
  TimePoint now = at_ms(0);
  Duration last{};
  for (int i = 0; i < 12; ++i) {
    const auto request = rig.replica.poll_store(now);
    ASSERT_TRUE(request.has_value());
    rig.replica.handle_store_failed(now, 1, request->ticket);
    EXPECT_EQ(rig.has_event(ReplicaEvent::Kind::kStoreFailed), i == 0);
    EXPECT_TRUE(rig.replica.is_store_failing(1));
    EXPECT_FALSE(rig.replica.poll_store(now).has_value());
    const Duration pause = rig.replica.poll_timeout() - now;
    EXPECT_GE(pause, last);
    EXPECT_LE(pause, kStoreRetryMax);
    last = pause;
    now = rig.replica.poll_timeout();
  }
  EXPECT_EQ(last, kStoreRetryMax);
  const auto request = rig.replica.poll_store(now);
  rig.replica.handle_stored(now, 1, request->ticket);
  EXPECT_FALSE(rig.replica.is_store_failing(1));
  EXPECT_EQ(rig.replica.poll_timeout(), kNever);
  EXPECT_TRUE(rig.replica.is_settled());
}

TEST(Replica, AnswersToNoRequestAreCounted) {
  Rig rig;
  (void)rig.replica.change(at_ms(0), 1, payload_of(1).bytes());
  const auto request = rig.replica.poll_store(at_ms(0));
  rig.replica.handle_stored(at_ms(0), 1, request->ticket + 1);
  rig.replica.handle_stored(at_ms(0), 2, request->ticket);
  rig.replica.handle_store_failed(at_ms(0), 77, request->ticket);
  EXPECT_EQ(rig.replica.statistics().stale_stores, 3U);
  EXPECT_EQ(rig.replica.durable_mark(1).version, 0U);
}

TEST(Replica, AdoptsWhatIsNewerAndKeepsWhatIsNot) {
  Rig rig;
  const Record theirs = record_of(4, {kWall + 100, 0}, kPeerId, 3);
  EXPECT_EQ(*rig.replica.merge(at_ms(0), 1, theirs), MergeOutcome::kAdopted);
  EXPECT_TRUE(rig.has_event(ReplicaEvent::Kind::kAdopted));
  EXPECT_EQ(*rig.replica.merge(at_ms(0), 1, theirs), MergeOutcome::kUnchanged);
  EXPECT_EQ(*rig.replica.merge(at_ms(0), 1, record_of(2, {kWall, 0}, kPeerId, 1)), MergeOutcome::kKept);
  EXPECT_EQ(rig.replica.current(1), theirs) << "adopted values are not stamped again";
  (void)rig.replica.change(at_ms(0), 1, payload_of(9).bytes());
  EXPECT_GT(rig.replica.current(1).stamp, theirs.stamp) << "whoever changes it has seen it";
  EXPECT_EQ(rig.replica.current(1).version, 5U);
}

TEST(Replica, AConflictIsAChangeThePeerHadNotSeen) {
  Rig rig;
  (void)rig.replica.change(at_ms(0), 1, payload_of(1).bytes());
  rig.store_all(at_ms(0));
  rig.replica.handle_seen_by_peer(1, rig.replica.current(1).stamp);
  (void)rig.replica.merge(at_ms(1), 1, record_of(2, {kWall + 10, 0}, kPeerId, 2));
  EXPECT_FALSE(rig.replica.conflict_at(1).has_value()) << "they had seen ours";
  (void)rig.replica.change(at_ms(20), 1, payload_of(3).bytes());
  (void)rig.replica.merge(at_ms(30), 1, record_of(7, {kWall + 30, 0}, kPeerId, 4));
  EXPECT_EQ(rig.replica.conflict_at(1), at_ms(30));
  EXPECT_TRUE(rig.has_event(ReplicaEvent::Kind::kConflictTheirs));
  EXPECT_EQ(rig.replica.statistics().conflicts, 1U);
  (void)rig.replica.change(at_ms(40), 1, payload_of(5).bytes());
  EXPECT_FALSE(rig.replica.conflict_at(1).has_value()) << "over with the next change";
}

TEST(Replica, AConflictIsSeenAcrossARestart) {
  Rig rig;
  // Version 5 was made here before the restart; theirs is a version 5 as well, so they had not seen it.
  (void)rig.replica.restore(1, record_of(5, {kWall, 0}, kOwnerId, 1));
  (void)rig.replica.merge(at_ms(7), 1, record_of(5, {kWall + 1, 0}, kPeerId, 2));
  EXPECT_EQ(rig.replica.conflict_at(1), at_ms(7));
  (void)rig.replica.restore(2, record_of(5, {kWall, 0}, kOwnerId, 1));
  (void)rig.replica.merge(at_ms(7), 2, record_of(6, {kWall + 1, 0}, kPeerId, 2));
  EXPECT_FALSE(rig.replica.conflict_at(2).has_value());
}

TEST(Replica, RestoredRecordsAreDurableAndTheClockIsAboveThem) {
  Rig rig;
  const Record stored = record_of(6, {kWall + 86'400'000, 3}, kOwnerId, 3);
  EXPECT_EQ(*rig.replica.restore(1, stored), MergeOutcome::kAdopted);
  EXPECT_EQ(*rig.replica.durable(1), stored);
  EXPECT_FALSE(rig.replica.poll_store(at_ms(0)).has_value());
  (void)rig.replica.change(at_ms(0), 2, payload_of(1).bytes());
  EXPECT_EQ(rig.replica.current(2).stamp, successor(stored.stamp));
}

TEST(Replica, CorruptRecordsAreReportedAndStopNothing) {
  Rig rig;
  rig.replica.report_corrupt(at_ms(0), 1);
  EXPECT_TRUE(rig.has_event(ReplicaEvent::Kind::kCorrupt));
  EXPECT_TRUE(rig.replica.current(1).is_default());
  EXPECT_EQ(*rig.replica.merge(at_ms(1), 1, record_of(3, {kWall, 0}, kPeerId, 1)), MergeOutcome::kAdopted);
}

TEST(Replica, AnEditWithoutTimeWaitsAndIsDatedBack) {
  Rig rig{false};
  EXPECT_EQ(*rig.replica.change(at_ms(1000), 1, payload_of(1).bytes()), ChangeOutcome::kWaitsForTime);
  EXPECT_TRUE(rig.replica.is_waiting_for_time(1));
  EXPECT_FALSE(rig.replica.poll_store(at_ms(2000)).has_value());
  EXPECT_EQ(rig.replica.durable(1), nullptr);
  EXPECT_FALSE(rig.replica.is_settled());
  EXPECT_EQ(rig.replica.merge(at_ms(2000), 1, record_of(1, {kWall, 0}, kPeerId, 2)).error(),
            Refusal::kNotDuringEdit);
  (void)rig.clock.set_wall_time(at_ms(4000), WallTime{kWall});
  const auto request = rig.replica.poll_store(at_ms(4000));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->record, (Record{1, {kWall - 3000, 0}, kOwnerId, payload_of(1)}));
}

TEST(Replica, AnEditIsAboveWhatItReplacedWhateverItsAge) {
  Rig rig{false};
  const Record stored = record_of(6, {kWall + 86'400'000, 3}, kPeerId, 3);
  (void)rig.replica.restore(1, stored);
  (void)rig.replica.change(at_ms(0), 1, payload_of(1).bytes());
  (void)rig.clock.set_wall_time(at_ms(1), WallTime{kWall});
  rig.replica.handle_timeout(at_ms(1));
  EXPECT_EQ(rig.replica.current(1), (Record{7, successor(stored.stamp), kOwnerId, payload_of(1)}));
}

TEST(Replica, WithoutMemoryAnEditWaitsUntilThePeersValueIsKnown) {
  Rig rig{true, kPeerId, Memory::kVolatile};
  (void)rig.replica.change(at_ms(1000), 1, payload_of(1).bytes());
  (void)rig.clock.take_peer_reading(at_ms(5000), {true, {kWall + 5000, 0}});
  EXPECT_FALSE(rig.replica.poll_store(at_ms(5000)).has_value());
  // A value of an earlier life of this node: the edit is newer whatever the clocks say.
  EXPECT_EQ(*rig.replica.merge(at_ms(5000), 1, record_of(4, {kWall + 1000, 0}, kPeerId, 2)),
            MergeOutcome::kKept);
  EXPECT_EQ(rig.replica.current(1), (Record{5, {kWall + 1000, 1}, kPeerId, payload_of(1)}));
  EXPECT_TRUE(rig.replica.poll_store(at_ms(5000)).has_value());
}

TEST(Replica, AWaitingEditGivesWayToANewerValueAndThatIsAConflict) {
  Rig rig{true, kPeerId, Memory::kVolatile};
  (void)rig.replica.change(at_ms(1000), 1, payload_of(1).bytes());
  (void)rig.clock.take_peer_reading(at_ms(5000), {true, {kWall + 5000, 0}});
  const Record theirs = record_of(2, {kWall + 2000, 0}, kOwnerId, 2);
  EXPECT_EQ(*rig.replica.merge(at_ms(5000), 1, theirs), MergeOutcome::kAdopted);
  EXPECT_EQ(rig.replica.current(1), theirs);
  EXPECT_TRUE(rig.has_event(ReplicaEvent::Kind::kConflictTheirs));
  EXPECT_FALSE(rig.replica.is_waiting_for_time(1));
}

TEST(Replica, VersionsStopAtTheEndOfTheirRange) {
  Rig rig;
  (void)rig.replica.restore(1, record_of(0xFFFF'FFFF, {kWall, 0}, kOwnerId, 3));
  (void)rig.replica.change(at_ms(9), 1, payload_of(1).bytes());
  EXPECT_EQ(rig.replica.current(1).version, 0xFFFF'FFFFU);
}

TEST(Replica, EventsBeyondTheRingAreCounted) {
  Rig rig;
  for (std::uint8_t i = 0; i < kReplicaEventCapacity + 5; ++i) {
    (void)rig.replica.change(at_ms(i), 1, payload_of(i).bytes());
  }
  EXPECT_EQ(rig.replica.dropped_event_count(), 5U);
}

struct ReplicaContract {
  struct Machine : Rig {
    explicit Machine(std::uint64_t seed)
        : Rig{seed % 2 == 0, seed % 3 == 0 ? kOwnerId : kPeerId,
              seed % 5 == 0 ? Memory::kVolatile : Memory::kDurable} {}
    void handle_timeout(TimePoint now) { replica.handle_timeout(now); }
    TimePoint poll_timeout() const { return replica.poll_timeout(); }
    std::optional<ReplicaEvent> poll_event() { return replica.poll_event(); }
    std::vector<StoreRequest> pending;
  };
  static Machine make(std::uint64_t seed) { return Machine{seed}; }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    const auto section = static_cast<SectionId>(rng.below(7));
    const Payload payload = payload_of(static_cast<std::uint8_t>(rng.next()), rng.below(kPayloadSizeMax + 1));
    switch (rng.below(6)) {
      case 0:
        (void)machine.replica.change(now, section, payload.bytes());
        return;
      case 1:
        (void)machine.replica.merge(now, section,
                                    {rng.below(20),
                                     {static_cast<std::uint64_t>(kWall + rng.between(-500, 500'000)), 0},
                                     rng.chance(500'000) ? kOwnerId : kPeerId,
                                     payload});
        return;
      case 2:
        (void)machine.clock.take_peer_reading(now,
                                              {rng.chance(500'000), {static_cast<std::uint64_t>(kWall), 1}});
        return;
      case 3:
        machine.replica.settle_edit(now, section);
        machine.replica.handle_seen_by_peer(section, {rng.next() >> 20U, 0});
        return;
      default:
        if (!machine.pending.empty()) {
          const StoreRequest request = machine.pending.front();
          machine.pending.erase(machine.pending.begin());
          if (rng.chance(500'000)) {
            machine.replica.handle_stored(now, request.section, request.ticket);
          } else {
            machine.replica.handle_store_failed(now, request.section, request.ticket);
          }
        }
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    if (const auto request = machine.replica.poll_store(now)) {
      machine.pending.push_back(*request);
      digest.add_number(static_cast<std::int64_t>(digest_of(request->section, request->record)));
      return true;
    }
    if (const auto event = machine.replica.poll_event()) {
      digest.add_number(static_cast<std::int64_t>(event->kind) * 100 + event->section);
      return true;
    }
    return false;
  }
};

TEST(Replica, KeepsTheMachineContract) {
  contract::check_machine_contract<ReplicaContract>();
}

}  // namespace
}  // namespace amphora::state
