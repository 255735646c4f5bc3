// SPDX-License-Identifier: Apache-2.0
#include "core/state/exchange.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "core/state/state_test_support.hpp"
#include "tests/contract/machine_contract.hpp"
#include "tests/contract/slow_build.hpp"

namespace amphora::state {
namespace {

constexpr std::int64_t kWall = 1'700'000'000'000;
constexpr NodeSetup kOwner{.is_owner = true, .wall_ms = kWall};
constexpr NodeSetup kPeer{.is_owner = false, .wall_ms = std::nullopt};

void edit(TestWorld& world, bool is_owner, SectionId section, std::uint8_t value, std::size_t size = 4) {
  const Payload payload = payload_of(value, size);
  ASSERT_TRUE(world.node(is_owner)->replica.change(world.now, section, payload.bytes()).ok());
}

void connect(TestWorld& world, const NodeSetup& owner = kOwner, const NodeSetup& peer = kPeer) {
  world.boot(owner);
  world.boot(peer);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{60}, [&world] {
    return world.owner->exchange.is_synchronised() && world.peer->exchange.is_synchronised();
  }));
}

TEST(Exchange, AChangeArrivesInBothDirections) {
  TestWorld world{{}, 1};
  connect(world);
  edit(world, true, 1, 7);
  edit(world, false, 2, 9, kPayloadSizeMax);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{1}, [&] { return world.is_equal(); }));
  EXPECT_EQ(world.peer->replica.current(1).payload, payload_of(7));
  EXPECT_EQ(world.peer->replica.current(1).origin, kOwnerId);
  EXPECT_EQ(world.owner->replica.current(2).payload, payload_of(9, kPayloadSizeMax));
  EXPECT_EQ(world.owner->replica.current(2).origin, kPeerId);
  EXPECT_EQ(world.owner_store.records.at(2), world.peer_store.records.at(2));
  world.run(std::chrono::seconds{1});
  for (const bool is_owner : {true, false}) {
    EXPECT_EQ(world.node(is_owner)->exchange.sync_state(1), SyncState::kSynchronised);
    EXPECT_TRUE(world.node(is_owner)->exchange.is_synchronised());
  }
}

TEST(Exchange, AChangeNeedsOneFrameAndItsAcknowledgementAndBeacons) {
  TestWorld world{{}, 2};
  connect(world);
  world.run(std::chrono::seconds{1});
  const std::uint64_t before = world.frames;
  edit(world, true, 1, 7);
  world.run(std::chrono::seconds{2});
  EXPECT_EQ(world.owner->exchange.statistics().repeated, 0U);
  EXPECT_EQ(world.peer->exchange.statistics().requests_sent, 0U);
  EXPECT_LE(world.frames - before, 5U);
}

TEST(Exchange, QuietPeersSendBeaconsOnly) {
  TestWorld world{{}, 3};
  connect(world);
  world.run(std::chrono::seconds{20});
  const std::uint64_t before = world.frames;
  world.run(std::chrono::seconds{150});
  EXPECT_GE(world.frames - before, 18U);
  EXPECT_LE(world.frames - before, 24U);
}

TEST(Exchange, StatusComesWithTheBeaconAndIsUnknownAfterTheSession) {
  TestWorld world{{}, 4};
  connect(world);
  world.owner->exchange.set_status(world.now, 3);
  world.run(std::chrono::milliseconds{200});
  EXPECT_EQ(world.peer->exchange.peer_status(), 3);
  EXPECT_TRUE(world.peer->exchange.last_beacon_at().has_value());
  world.peer->exchange.end_session(world.now);
  EXPECT_FALSE(world.peer->exchange.peer_status().has_value());
  EXPECT_TRUE(world.peer->exchange.last_beacon_at().has_value());
}

TEST(Exchange, NothingOutsideOfASession) {
  TestWorld world{{}, 5};
  world.boot(kOwner);
  edit(world, true, 1, 7);
  world.owner->pump_store(world.now);
  world.owner->exchange.handle_message(world.now, Request{1, 0});
  EXPECT_EQ(world.owner->exchange.statistics().outside_session, 1U);
  EXPECT_FALSE(world.owner->exchange.poll_transmit(world.now).has_value());
  EXPECT_EQ(world.owner->exchange.poll_timeout(), kNever);
  EXPECT_EQ(world.owner->exchange.sync_state(1), SyncState::kLocal);
}

TEST(Exchange, ReadOnlySectionsComeFromTheOwnerAlone) {
  TestWorld world{{}, 6};
  connect(world);
  EXPECT_EQ(world.peer->replica.change(world.now, 0, payload_of(1).bytes()).error(), Refusal::kReadOnly);
  edit(world, true, 0, 4);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{1}, [&] { return world.is_equal(); }));
  // A forged record of a fact is refused, and told so.
  SectionData forged{0, record_of(9, {kWall + 99'999, 0}, kPeerId, 6), 0, 1};
  world.owner->exchange.handle_message(world.now, forged);
  std::optional<AckResult> result;
  while (const auto message = world.owner->exchange.poll_transmit(world.now)) {
    if (const auto* ack = std::get_if<SectionAck>(&*message)) {
      result = ack->result;
    }
  }
  EXPECT_EQ(result, AckResult::kRefused);
  EXPECT_EQ(world.owner->replica.current(0).payload, payload_of(4));
}

TEST(Exchange, AnEditBeforeTheFirstSessionIsStampedWithItsAge) {
  TestWorld world{{}, 7};
  world.boot({.is_owner = false, .memory = Memory::kVolatile});
  EXPECT_EQ(*world.peer->replica.change(world.now, 1, payload_of(5).bytes()), ChangeOutcome::kWaitsForTime);
  EXPECT_EQ(world.peer->replica.current(1).payload, payload_of(5));
  world.run(std::chrono::seconds{10});
  EXPECT_TRUE(world.peer->replica.is_waiting_for_time(1));
  world.boot(kOwner);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{5}, [&] { return world.is_equal(); }));
  const Record& record = world.owner->replica.current(1);
  EXPECT_EQ(record.payload, payload_of(5));
  EXPECT_EQ(record.origin, kPeerId);
  EXPECT_LT(record.stamp.physical_ms, static_cast<std::uint64_t>(kWall));
  EXPECT_GT(record.stamp.physical_ms, static_cast<std::uint64_t>(kWall) - 11'000);
}

TEST(Exchange, AnOlderEditGivesWayToANewerOneOfThePeer) {
  TestWorld world{{}, 8};
  world.boot({.is_owner = false, .memory = Memory::kVolatile});
  (void)world.peer->replica.change(world.now, 1, payload_of(5).bytes());
  world.run(std::chrono::seconds{10});
  world.boot(kOwner);
  edit(world, true, 1, 6);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{5},
                              [&] { return world.is_equal() && world.peer->exchange.is_synchronised(); }));
  EXPECT_EQ(world.owner->replica.current(1).payload, payload_of(6));
  EXPECT_EQ(world.peer->replica.statistics().conflicts, 1U);
  EXPECT_EQ(world.peer->exchange.sync_state(1), SyncState::kConflictResolved);
  EXPECT_TRUE(world.peer->replica.conflict_at(1).has_value());
}

TEST(Exchange, EditsWhileApartEndWithTheNewerAndTheLoserIsTold) {
  TestWorld world{{}, 9};
  connect(world);
  edit(world, true, 1, 1);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{1}, [&] { return world.is_equal(); }));
  world.air.loss_ppm = 1'000'000;
  edit(world, false, 1, 2);
  world.run(std::chrono::seconds{3});
  edit(world, true, 1, 3);
  world.run(std::chrono::seconds{3});
  world.air.loss_ppm = 0;
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{5}, [&] { return world.is_equal(); }));
  EXPECT_EQ(world.peer->replica.current(1).payload, payload_of(3));
  EXPECT_EQ(world.peer->replica.statistics().conflicts, 1U);
  EXPECT_EQ(world.owner->replica.statistics().conflicts, 0U);
}

TEST(Exchange, ABoxWithEmptyMemoryNeverWins) {
  TestWorld world{{}, 10};
  connect(world);
  edit(world, true, 1, 1);
  edit(world, false, 2, 2);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{1}, [&] { return world.is_equal(); }));
  world.peer_store.records.clear();
  world.boot({.is_owner = false, .memory = Memory::kVolatile});
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{2}, [&] { return world.is_equal(); }));
  EXPECT_EQ(world.peer->replica.current(2).payload, payload_of(2));
  world.owner_store.records.clear();
  world.boot({.is_owner = true, .memory = Memory::kVolatile, .wall_ms = kWall + 5000});
  world.boot(kPeer);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{2}, [&] { return world.is_equal(); }));
  EXPECT_EQ(world.owner->replica.current(1).payload, payload_of(1));
}

TEST(Exchange, AcknowledgesOnlyWhatIsDurable) {
  TestWorld world{{}, 11};
  connect(world);
  world.peer_store.is_failing = true;
  edit(world, true, 1, 7);
  world.run(std::chrono::seconds{3});
  EXPECT_EQ(world.peer->replica.current(1).payload, payload_of(7)) << "shown at once";
  EXPECT_EQ(world.owner->exchange.sync_state(1), SyncState::kWaitingForPeer);
  bool is_reported = false;
  while (const auto event = world.owner->exchange.poll_event()) {
    is_reported = is_reported || event->kind == ExchangeEvent::Kind::kPeerStoreFailed;
    EXPECT_NE(event->kind, ExchangeEvent::Kind::kAcknowledged);
  }
  EXPECT_TRUE(is_reported);
  world.peer_store.is_failing = false;
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{20}, [&] {
    return world.owner->exchange.sync_state(1) == SyncState::kSynchronised;
  }));
  EXPECT_EQ(world.peer_store.records.at(1).payload, payload_of(7));
}

TEST(Exchange, ATieOfOneStampWithTwoValuesConverges) {
  TestWorld world{{}, 12};
  world.owner_store.records[1] = record_of(3, {kWall, 4}, kPeerId, 1);
  world.peer_store.records[1] = record_of(3, {kWall, 4}, kPeerId, 2);
  world.boot(kOwner);
  world.boot(kPeer);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{5}, [&] { return world.is_equal(); }));
  EXPECT_EQ(world.owner->replica.current(1).payload, payload_of(2));
  EXPECT_GE(world.owner->exchange.statistics().ties + world.peer->exchange.statistics().ties, 1U);
}

TEST(Exchange, EqualStampsOfDifferentOriginsConverge) {
  TestWorld world{{}, 13};
  world.owner_store.records[1] = record_of(3, {kWall, 4}, kOwnerId, 9);
  world.peer_store.records[1] = record_of(3, {kWall, 4}, kPeerId, 2);
  world.boot(kOwner);
  world.boot(kPeer);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{5}, [&] { return world.is_equal(); }));
  EXPECT_EQ(world.owner->replica.current(1).origin, kPeerId);
}

TEST(Exchange, TheHigherVersionAndTheNewerStampAreBothKept) {
  TestWorld world{{}, 14};
  world.owner_store.records[1] = record_of(9, {kWall, 1}, kOwnerId, 1);
  world.peer_store.records[1] = record_of(3, {kWall, 4}, kPeerId, 2);
  world.boot(kOwner);
  world.boot(kPeer);
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{5}, [&] { return world.is_equal(); }));
  EXPECT_EQ(world.owner->replica.current(1), record_of(9, {kWall, 4}, kPeerId, 2));
}

TEST(Exchange, PayloadsInPartsArrive) {
  NodeSetup owner = kOwner;
  NodeSetup peer = kPeer;
  owner.part_size_max = 25;
  peer.part_size_max = 60;
  TestWorld world{{.loss_ppm = 100'000, .duplicate_ppm = 100'000}, 15};
  connect(world, owner, peer);
  std::array<std::uint8_t, kPayloadSizeMax> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(i);
  }
  ASSERT_TRUE(world.owner->replica.change(world.now, 1, bytes).ok());
  ASSERT_TRUE(world.peer->replica.change(world.now, 2, ByteSpan{bytes}.first(61)).ok());
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{60}, [&] { return world.is_equal(); }));
  EXPECT_EQ(world.peer->replica.current(1).payload, Payload{bytes});
}

TEST(Exchange, PartsThatDoNotFitAreRefused) {
  TestWorld world{{}, 16};
  connect(world);
  Exchange& exchange = world.owner->exchange;
  const Record record = record_of(1, {kWall + 5000, 0}, kPeerId, 3);
  const std::uint64_t before = exchange.statistics().refused;
  exchange.handle_message(world.now, SectionData{1, record, 0, 0});
  exchange.handle_message(world.now, SectionData{1, record, 3, 3});
  exchange.handle_message(world.now, SectionData{1, record, 1, 2});
  exchange.handle_message(world.now, SectionData{1, record, 0, 200});
  exchange.handle_message(world.now, SectionData{99, record, 0, 1});
  exchange.handle_message(world.now, Request{99, 0});
  exchange.handle_message(world.now, SectionAck{99, 0, {}, AckResult::kDurable});
  EXPECT_EQ(exchange.statistics().refused - before, 7U);
  EXPECT_TRUE(world.owner->replica.current(1).is_default());
}

TEST(Exchange, APeerWithoutASectionStopsNothing) {
  TestWorld world{{}, 17};
  NodeSetup peer = kPeer;
  peer.specs = std::span{kTestSpecs}.first(2);
  world.boot(kOwner);
  world.boot(peer);
  world.run(std::chrono::seconds{1});
  edit(world, true, 5, 1);
  edit(world, true, 2, 1);
  edit(world, true, 1, 2);
  world.run(std::chrono::seconds{10});
  EXPECT_EQ(world.peer->replica.current(1).payload, payload_of(2));
  const std::uint64_t before = world.owner->exchange.statistics().data_sent;
  world.run(std::chrono::seconds{60});
  EXPECT_EQ(world.owner->exchange.statistics().data_sent, before) << "a refusal is not argued with";
  EXPECT_EQ(world.owner->exchange.sync_state(5), SyncState::kWaitingForPeer);
}

TEST(Exchange, AHangingStoreDelaysNothingElse) {
  TestWorld world{{}, 18};
  connect(world);
  world.peer_store.delay = std::chrono::seconds{5};
  edit(world, true, 1, 1);
  world.run(std::chrono::milliseconds{500});
  const std::uint64_t before = world.frames;
  world.run(std::chrono::seconds{4});
  EXPECT_LE(world.frames - before, 12U) << "waiting must not fill the air";
}

// One side alone, its peer played by the test.
struct Side {
  Side() : replica{clock, kTestSpecs, kPeerId, kOwnerId}, exchange{replica, {.seed = 1}} {
    (void)clock.set_wall_time(at_ms(0), WallTime{kWall});
  }
  // All messages of one kind that are due.
  template <class Message>
  std::vector<Message> poll(TimePoint now) {
    std::vector<Message> found;
    for (bool is_more = true; is_more;) {
      is_more = false;
      while (const auto request = replica.poll_store(now)) {
        replica.handle_stored(now, request->section, request->ticket);
      }
      while (const auto message = exchange.poll_transmit(now)) {
        is_more = true;
        if (const auto* wanted = std::get_if<Message>(&*message)) {
          found.push_back(*wanted);
        }
      }
    }
    return found;
  }
  // What a peer with exactly this section and nothing else would say.
  static Beacon beacon_of(SectionId section, const Record& record) {
    Beacon beacon;
    beacon.count = 6;
    beacon.versions[section] = record.version;
    beacon.stamps[section] = record.stamp;
    Digest digest;
    digest.add_number(static_cast<std::int64_t>(digest_of(section, record)));
    beacon.digest = digest.value();
    return beacon;
  }
  HybridClock clock;
  Replica replica;
  Exchange exchange;
};

TEST(Exchange, WhoIsBehindAsksOnceAtATimeUntilTheDataComes) {
  Side side;
  const Record theirs = record_of(3, {kWall + 50, 0}, kOwnerId, 7);
  side.exchange.begin_session(at_ms(0));
  (void)side.poll<Beacon>(at_ms(0));
  side.exchange.handle_message(at_ms(0), Side::beacon_of(1, theirs));
  EXPECT_TRUE(side.poll<Request>(at_ms(0)).empty()) << "the data is usually on its way";
  TimePoint now = at_ms(0) + kRequestDelay;
  EXPECT_EQ(side.poll<Request>(now), (std::vector{Request{1, 0}}));
  // The same beacon again does not make a second request.
  side.exchange.handle_message(now, Side::beacon_of(1, theirs));
  EXPECT_TRUE(side.poll<Request>(now + kRequestDelay).empty());
  std::size_t repeats = 0;
  for (; now < at_ms(20'000); now += std::chrono::milliseconds{1}) {
    repeats += side.poll<Request>(now).size();
  }
  EXPECT_GE(repeats, 12U);
  EXPECT_LE(repeats, 16U) << "pauses grow to two seconds";
  side.exchange.handle_message(now, SectionData{1, theirs, 0, 1});
  EXPECT_EQ(side.replica.current(1), theirs);
  EXPECT_EQ(side.poll<SectionAck>(now), (std::vector{SectionAck{1, 3, theirs.stamp, AckResult::kDurable}}));
  EXPECT_TRUE(side.poll<Request>(now + std::chrono::seconds{5}).empty());
}

TEST(Exchange, ARequestIsAnsweredWithTheData) {
  Side side;
  const Record mine = record_of(3, {kWall + 50, 0}, kOwnerId, 7);
  (void)side.replica.restore(1, mine);
  side.exchange.begin_session(at_ms(0));
  EXPECT_TRUE(side.poll<SectionData>(at_ms(0)).empty()) << "what the peer holds is not known";
  side.exchange.handle_message(at_ms(0), Request{1, 0});
  side.exchange.handle_message(at_ms(0), Request{1, 0});
  EXPECT_EQ(side.poll<SectionData>(at_ms(0)), (std::vector{SectionData{1, mine, 0, 1}}));
  side.exchange.handle_message(at_ms(3), SectionAck{1, 3, mine.stamp, AckResult::kDurable});
  EXPECT_TRUE(side.poll<SectionData>(at_ms(5000)).empty());
  side.exchange.handle_message(at_ms(5000), Request{2, 0});
  EXPECT_TRUE(side.poll<SectionData>(at_ms(5000)).empty())
      << "there is nothing to send of a section never set";
}

TEST(Exchange, ALateBeaconDoesNotMakeThePeerSeemBehind) {
  Side side;
  const Record mine = record_of(3, {kWall + 50, 0}, kOwnerId, 7);
  (void)side.replica.restore(1, mine);
  side.exchange.begin_session(at_ms(0));
  side.exchange.handle_message(at_ms(0), Side::beacon_of(1, mine));
  side.exchange.handle_message(at_ms(1), Side::beacon_of(1, record_of(2, {kWall, 0}, kOwnerId, 6)));
  EXPECT_TRUE(side.poll<SectionData>(at_ms(1)).empty());
  EXPECT_EQ(side.exchange.sync_state(1), SyncState::kSynchronised);
}

TEST(Exchange, WhoKnowsBothToBeEqualAnswersABeaconThatAsks) {
  Side side;
  const Record mine = record_of(3, {kWall + 50, 0}, kOwnerId, 7);
  (void)side.replica.restore(1, mine);
  side.exchange.begin_session(at_ms(0));
  EXPECT_TRUE(side.poll<Beacon>(at_ms(0)).at(0).wants_answer);
  Beacon theirs = Side::beacon_of(1, mine);
  side.exchange.handle_message(at_ms(10), theirs);
  EXPECT_TRUE(side.exchange.is_synchronised());
  (void)side.poll<Beacon>(at_ms(200));
  EXPECT_TRUE(side.poll<Beacon>(at_ms(1000)).empty());
  side.exchange.handle_message(at_ms(1000), theirs);
  EXPECT_TRUE(side.poll<Beacon>(at_ms(1000)).empty());
  theirs.wants_answer = true;
  side.exchange.handle_message(at_ms(1000), theirs);
  const auto answers = side.poll<Beacon>(at_ms(1000));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_FALSE(answers[0].wants_answer);
}

TEST(Exchange, OnlyAWindowIsSentAheadOfItsAcknowledgements) {
  static constexpr SectionSpec kSix[] = {{0, "a", true}, {1, "b", true}, {2, "c", true},
                                         {3, "d", true}, {4, "e", true}, {5, "f", true}};
  HybridClock clock;
  Replica replica{clock, kSix, kOwnerId, kOwnerId};
  Exchange exchange{replica, {.seed = 1}};
  for (SectionId id = 0; id < 6; ++id) {
    (void)replica.restore(id, record_of(1, {kWall, id}, kOwnerId, id));
  }
  const auto poll_data = [&exchange](TimePoint now) {
    std::size_t count = 0;
    while (const auto message = exchange.poll_transmit(now)) {
      count += std::holds_alternative<SectionData>(*message) ? 1 : 0;
    }
    return count;
  };
  exchange.begin_session(at_ms(0));
  Beacon empty;
  empty.count = 6;
  exchange.handle_message(at_ms(0), empty);
  EXPECT_EQ(poll_data(at_ms(0)), kPushWindow);
  EXPECT_EQ(poll_data(at_ms(5)), 0U);
  exchange.handle_message(at_ms(5), SectionAck{0, 1, {kWall, 0}, AckResult::kDurable});
  EXPECT_EQ(poll_data(at_ms(5)), 1U);
  // Sections that stay without an answer do not hold up the others for ever.
  std::uint64_t sent = 0;
  for (std::int64_t ms = 6; ms < 2000; ++ms) {
    sent += poll_data(at_ms(ms));
  }
  EXPECT_GE(exchange.statistics().data_sent, 6U + 5U * 4U);
  EXPECT_LE(sent, 40U);
}

// A transmitter with two receivers: what one of them changes reaches the other through the owner.
TEST(Exchange, AChangeOfOnePeerReachesTheOtherThroughTheOwner) {
  struct Box {
    explicit Box(NodeId self) : replica{clock, kTestSpecs, self, kOwnerId} {
      (void)clock.set_wall_time(at_ms(0), WallTime{kWall});
    }
    HybridClock clock;
    Replica replica;
  };
  Box owner{kOwnerId};
  Box first{kPeerId};
  Box second{NodeId{0x0C}};
  Exchange to_first{owner.replica, {.seed = 1}};
  Exchange to_second{owner.replica, {.seed = 2}};
  Exchange of_first{first.replica, {.seed = 3}};
  Exchange of_second{second.replica, {.seed = 4}};
  const std::pair<Exchange*, Exchange*> lines[] = {
      {&to_first, &of_first}, {&of_first, &to_first}, {&to_second, &of_second}, {&of_second, &to_second}};
  for (const auto& [from, to] : lines) {
    from->begin_session(at_ms(0));
  }
  const auto run = [&](std::int64_t until_ms) {
    for (TimePoint now = at_ms(0); now < at_ms(until_ms); now += std::chrono::milliseconds{1}) {
      for (Box* box : {&owner, &first, &second}) {
        while (const auto request = box->replica.poll_store(now)) {
          box->replica.handle_stored(now, request->section, request->ticket);
        }
      }
      for (const auto& [from, to] : lines) {
        while (const auto message = from->poll_transmit(now)) {
          to->handle_message(now, *message);
        }
      }
    }
  };
  run(100);
  ASSERT_TRUE(first.replica.change(at_ms(100), 1, payload_of(1).bytes()).ok());
  run(300);
  EXPECT_EQ(second.replica.current(1), first.replica.current(1));
  EXPECT_EQ(second.replica.current(1).origin, kPeerId);
  EXPECT_TRUE(to_first.is_synchronised() && to_second.is_synchronised());
  EXPECT_EQ(to_second.statistics().data_sent, 1U);
  EXPECT_EQ(to_first.statistics().data_sent, 0U) << "what came from a peer is not sent back to it";
}

struct ExchangeContract {
  struct Machine {
    explicit Machine(std::uint64_t seed)
        : replica{clock, kTestSpecs, seed % 2 == 0 ? kOwnerId : kPeerId, kOwnerId},
          exchange{replica,
                   ExchangeConfig{.seed = seed, .part_size_max = seed % 3 == 0 ? 25 : kPayloadSizeMax}} {
      (void)clock.set_wall_time(at_ms(0), WallTime{kWall});
    }
    void handle_timeout(TimePoint now) {
      replica.handle_timeout(now);
      exchange.handle_timeout(now);
    }
    TimePoint poll_timeout() const { return earliest(replica.poll_timeout(), exchange.poll_timeout()); }
    std::optional<ExchangeEvent> poll_event() { return exchange.poll_event(); }
    HybridClock clock;
    Replica replica;
    Exchange exchange;
    bool is_store_failing = false;
  };
  static Machine make(std::uint64_t seed) { return Machine{seed}; }
  static Record any_record(Rng& rng) {
    return {rng.below(6),
            {static_cast<std::uint64_t>(kWall) + rng.below(2000), 0},
            rng.chance(500'000) ? kOwnerId : kPeerId,
            payload_of(static_cast<std::uint8_t>(rng.next()), rng.below(kPayloadSizeMax + 1))};
  }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    const auto section = static_cast<SectionId>(rng.below(7));
    const Record record = any_record(rng);
    switch (rng.below(10)) {
      case 0:
        return machine.exchange.begin_session(now);
      case 1:
        return rng.chance(200'000) ? machine.exchange.end_session(now)
                                   : machine.exchange.set_status(now, static_cast<std::uint8_t>(rng.next()));
      case 2: {
        Beacon beacon;
        beacon.count = static_cast<std::uint8_t>(rng.below(18));
        for (std::size_t i = 0; i < kSectionCountMax; ++i) {
          beacon.versions[i] = rng.below(5);
          beacon.stamps[i] = {static_cast<std::uint64_t>(kWall) + rng.below(2000), 0};
        }
        beacon.digest = rng.next();
        beacon.wants_answer = rng.chance(500'000);
        return machine.exchange.handle_message(now, beacon);
      }
      case 3:
        return machine.exchange.handle_message(now, Request{section, rng.below(5)});
      case 4:
        return machine.exchange.handle_message(
            now, SectionData{section, record, static_cast<std::uint8_t>(rng.below(3)),
                             static_cast<std::uint8_t>(rng.below(4))});
      case 5:
        return machine.exchange.handle_message(
            now, SectionAck{section, record.version, record.stamp, static_cast<AckResult>(rng.below(3))});
      case 6:
        machine.is_store_failing = rng.chance(300'000);
        return machine.exchange.handle_send_failed(now);
      default:
        (void)machine.replica.change(now, section, record.payload.bytes());
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    if (const auto request = machine.replica.poll_store(now)) {
      if (machine.is_store_failing) {
        machine.replica.handle_store_failed(now, request->section, request->ticket);
      } else {
        machine.replica.handle_stored(now, request->section, request->ticket);
      }
      return true;
    }
    if (const auto message = machine.exchange.poll_transmit(now)) {
      digest.add_number(static_cast<std::int64_t>(message->index()));
      if (const auto* data = std::get_if<SectionData>(&*message)) {
        digest.add_number(static_cast<std::int64_t>(digest_of(data->section, data->record)));
      }
      return true;
    }
    const auto event = machine.exchange.poll_event();
    digest.add_number(event ? static_cast<std::int64_t>(event->kind) : 99);
    return event.has_value();
  }
};

TEST(Exchange, KeepsTheMachineContract) {
  contract::check_machine_contract<ExchangeContract>();
}

// ---- properties

struct Latencies {
  std::vector<std::int64_t> us;
  std::int64_t at(double quantile) {
    std::ranges::sort(us);
    return us[static_cast<std::size_t>(quantile * static_cast<double>(us.size() - 1))];
  }
};

Latencies measure_change(std::uint32_t loss_ppm, bool is_status_known, std::uint64_t seeds) {
  Latencies latencies;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    TestWorld world{{.loss_ppm = loss_ppm, .is_status_known = is_status_known}, seed};
    connect(world);
    world.run(std::chrono::milliseconds{world.rng.between(0, 20'000)});
    for (std::uint8_t i = 1; i <= 5; ++i) {
      const bool is_owner = world.rng.chance(500'000);
      const TimePoint begun = world.now;
      edit(world, is_owner, 1, i, 120);
      EXPECT_TRUE(world.run_until(world.now + std::chrono::seconds{60}, [&] {
        return world.node(!is_owner)->replica.current(1).payload == payload_of(i, 120);
      }));
      latencies.us.push_back((world.now - begun).count());
      world.run(std::chrono::seconds{1});
    }
  }
  return latencies;
}

TEST(ExchangeProperty, AChangeIsVisibleAtThePeerSoon) {
  struct Target {
    std::uint32_t loss_percent;
    std::int64_t p99_us;
  };
  for (const Target target :
       {Target{0, 50'000}, Target{10, 400'000}, Target{20, 400'000}, Target{40, 2'000'000}}) {
    for (const bool is_status_known : {true, false}) {
      Latencies latencies = measure_change(target.loss_percent * 10'000, is_status_known, 200);
      std::printf("change to visible at %2u %% loss, %s send status: p50 %lld us, p99 %lld us, max %lld us\n",
                  target.loss_percent, is_status_known ? "with" : "without",
                  static_cast<long long>(latencies.at(0.5)), static_cast<long long>(latencies.at(0.99)),
                  static_cast<long long>(latencies.at(1.0)));
      EXPECT_LE(latencies.at(0.99), target.p99_us);
    }
  }
}

// Edits, crashes with and without memory, loss, repetition and disorder; then peace: both are equal within
// bounded time, and nothing ever ran backwards at a node while it lived.
void run_chaos(std::uint64_t seed) {
  SCOPED_TRACE(seed);
  Rng rng{seed};
  TestWorld world{{.loss_ppm = 300'000, .duplicate_ppm = 200'000, .late_ppm = 300'000}, seed};
  const bool has_peer_memory = rng.chance(500'000);
  const auto boot = [&](bool is_owner) {
    if (!is_owner && !has_peer_memory) {
      world.peer_store.records.clear();
    }
    NodeSetup setup{.is_owner = is_owner,
                    .memory = is_owner || has_peer_memory ? Memory::kDurable : Memory::kVolatile,
                    .part_size_max = rng.chance(500'000) ? kPayloadSizeMax : 25};
    if (is_owner || rng.chance(500'000)) {
      // The wall clock steps at each start, backwards as well.
      setup.wall_ms = kWall + rng.between(-5000, 5000);
    }
    world.boot(setup);
  };
  boot(true);
  boot(false);
  std::array<std::array<Record, kSectionCountMax>, 2> last{};
  const auto check_forward = [&] {
    for (const bool is_owner : {true, false}) {
      for (const SectionSpec& spec : kTestSpecs) {
        const Record& is = world.node(is_owner)->replica.current(spec.id);
        Record& was = last[is_owner ? 1 : 0][spec.id];
        ASSERT_GE(is.version, was.version);
        ASSERT_GE(is.stamp, was.stamp);
        was = is;
      }
    }
  };
  for (int step = 0; step < 60; ++step) {
    world.run(std::chrono::milliseconds{rng.between(0, 400)});
    const bool is_owner = rng.chance(500'000);
    if (rng.chance(60'000)) {
      last[is_owner ? 1 : 0] = {};
      boot(is_owner);
    } else if (rng.chance(100'000)) {
      (is_owner ? world.owner_store : world.peer_store).is_failing = rng.chance(500'000);
    } else if (!world.heard.empty() && rng.chance(300'000)) {
      // A frame of any earlier time, of any earlier life.
      const Frame frame = world.heard[rng.below(static_cast<std::uint32_t>(world.heard.size()))];
      world.node(frame.is_to_owner)->receive(world.now, frame);
    } else {
      const SectionId section = kTestSpecs[1 + rng.below(3)].id;
      const Payload payload = payload_of(static_cast<std::uint8_t>(rng.next()), 1 + rng.below(200));
      (void)world.node(is_owner)->replica.change(world.now, section, payload.bytes());
    }
    check_forward();
    if (::testing::Test::HasFatalFailure()) {
      return;
    }
  }
  world.air = {};
  world.owner_store.is_failing = false;
  world.peer_store.is_failing = false;
  const TimePoint peace = world.now;
  ASSERT_TRUE(world.run_until(world.now + std::chrono::seconds{60}, [&] {
    return world.is_equal() && world.owner->exchange.is_synchronised() &&
           world.peer->exchange.is_synchronised();
  })) << "not equal after a minute of peace";
  EXPECT_LE(world.now - peace, std::chrono::seconds{30});
  for (const SectionSpec& spec : kTestSpecs) {
    EXPECT_EQ(world.owner->replica.current(spec.id), world.peer->replica.current(spec.id));
  }
}

TEST(ExchangeProperty, AllDisturbancesEndInEquality) {
  for (std::uint64_t seed = 1; seed <= contract::repetitions(1000u); ++seed) {
    run_chaos(seed);
    if (HasFatalFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace amphora::state
