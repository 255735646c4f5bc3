// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/section_share.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "core/packnet/bus_load.hpp"
#include "core/packnet/section_share_test_support.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::packnet {
namespace {

using namespace std::chrono_literals;
using Kind = SectionShareEvent::Kind;

ShareBus bus_of(std::size_t nodes, const RecordSeal& seal = test_seal()) {
  ShareBus bus{{}, 77};
  for (std::size_t i = 0; i < nodes; ++i) {
    ShareNodeSetup setup;
    setup.node = static_cast<Node>(i + 1);
    setup.seal = seal;
    bus.start(setup);
  }
  return bus;
}

// One node and frames made by hand.
struct Rig {
  explicit Rig(const RecordSeal& seal = test_seal(), std::optional<std::int64_t> wall_ms = kWallMs,
               state::Memory memory = state::Memory::kDurable)
      : node{at(0ms), ShareNodeSetup{10, wall_ms, memory, seal, 0ms}, 5}, seal{seal} {
    node.share.start(at(0ms), 10);
    (void)run(2s);
  }
  static TimePoint at(Duration since) { return TimePoint{1s} + since; }

  void hear(Node from, const ShareMessage& message) {
    const ShareFrame frame = encode_share(message);
    node.share.handle_frame(now, from, frame);
    node.pump_store(now);
  }
  std::vector<RecordSegment> segments(state::SectionId section, const state::Record& record,
                                      const RecordSeal& with) const {
    const RecordBytes bytes = encode_record(section, record, with);
    std::vector<RecordSegment> list;
    for (std::size_t i = 0; i < bytes.size(); i += kSegmentSize) {
      RecordSegment segment{section, with.is_sealed, static_cast<std::uint8_t>(i / kSegmentSize), {}};
      const std::size_t size = std::min(kSegmentSize, bytes.size() - i);
      std::ranges::copy(bytes.view().subspan(i, size), segment.data.begin());
      list.push_back(segment);
    }
    return list;
  }
  void hear_record(Node from, state::SectionId section, const state::Record& record, const RecordSeal& with) {
    for (const RecordSegment& segment : segments(section, record, with)) {
      hear(from, segment);
    }
  }
  void hear_record(Node from, state::SectionId section, const state::Record& record) {
    hear_record(from, section, record, seal);
  }
  void change(state::SectionId section, std::uint8_t value) {
    node.change(now, section, filled(value));
    node.pump_store(now);
  }
  // What goes out in this time.
  std::vector<ShareMessage> run(Duration duration) {
    std::vector<ShareMessage> sent;
    const TimePoint end = now + duration;
    while (true) {
      node.pump_store(now);
      node.share.handle_timeout(now);
      while (const auto frame = node.share.poll_transmit(now)) {
        EXPECT_EQ(frame->channel, Channel::kState);
        EXPECT_EQ(frame->node, 10);
        EXPECT_TRUE(!sent_at || now - *sent_at >= kFrameGap) << "frames leave room for others";
        sent_at = now;
        sent.push_back(*decode_share(ByteSpan{frame->data}.first(frame->size)));
      }
      while (const auto event = node.share.poll_event()) {
        ++node.events[event->kind];
      }
      if (node.next() >= end) {
        now = end;
        return sent;
      }
      EXPECT_GT(node.next(), now);
      now = node.next();
    }
  }
  static std::size_t records(const std::vector<ShareMessage>& sent) {
    return static_cast<std::size_t>(std::ranges::count_if(sent, [](const ShareMessage& message) {
      const auto* segment = std::get_if<RecordSegment>(&message);
      return segment != nullptr && segment->index == 0;
    }));
  }
  static std::size_t announcements(const std::vector<ShareMessage>& sent) {
    return static_cast<std::size_t>(std::ranges::count_if(
        sent, [](const ShareMessage& message) { return std::get_if<Announcement>(&message) != nullptr; }));
  }
  const SectionShareMetrics& metrics() const { return node.share.metrics(); }
  state::Record newer(std::uint8_t value, std::uint64_t seconds = 1000) const {
    return {
        5, {static_cast<std::uint64_t>(kWallMs) + seconds * 1000, 1}, ShareNode::id_of(20), filled(value)};
  }
  Announcement of(state::SectionId section, const state::Record& record) const {
    return {section, digest_of(record.payload), seconds_of(record.stamp)};
  }

  TimePoint now = at(0ms);
  std::optional<TimePoint> sent_at;
  ShareNode node;
  RecordSeal seal;
};

// ---- nodes together

TEST(SectionShare, AChangeReachesAllNodesWithinATenthOfASecond) {
  for (const bool is_sealed : {true, false}) {
    ShareBus bus = bus_of(8, test_seal(is_sealed));
    bus.run(3s);
    ASSERT_TRUE(bus.is_synchronised()) << "all defaults";
    for (int round = 0; round < 20; ++round) {
      bus.nodes[static_cast<std::size_t>(round % 8)]->change(
          bus.now, 9, filled(static_cast<std::uint8_t>(round + 1), 25));
      EXPECT_FALSE(bus.nodes[static_cast<std::size_t>(round % 8)]->share.is_synchronised(bus.now));
      const TimePoint changed_at = bus.now;
      ASSERT_TRUE(bus.run_until(100ms, [&bus] { return bus.is_equal(); })) << round;
      EXPECT_LT(bus.now - changed_at, 100ms);
      ASSERT_TRUE(bus.run_until(2s, [&bus] { return bus.is_synchronised(); }));
      bus.run(std::chrono::milliseconds{bus.rng.between(0, 1500)});
    }
    for (const auto& node : bus.nodes) {
      EXPECT_GE(node->events[Kind::kSynchronised], 2);
    }
    EXPECT_LE(bus.sum(&SectionShareMetrics::records_sent), 24U) << "one for each change, hardly more";
    EXPECT_LE(bus.sum(&SectionShareMetrics::questions), 40U) << "one asks, the others let it";
  }
}

TEST(SectionShare, ACommandThatAllCarryOutAtOnceSendsNoRecord) {
  ShareBus bus = bus_of(32);
  for (const auto& node : bus.nodes) {
    (void)node->clock.set_wall_time(bus.now, WallTime{kWallMs + bus.rng.between(-800, 800)});
  }
  bus.run(3s);
  const std::uint64_t before = bus.frames;
  for (std::uint8_t round = 0; round < 10; ++round) {
    for (const auto& node : bus.nodes) {
      node->change(bus.now, 9, filled(round));
    }
    bus.run(1s);
    ASSERT_TRUE(bus.is_equal());
  }
  EXPECT_EQ(bus.sum(&SectionShareMetrics::records_sent), 0U);
  EXPECT_EQ(bus.sum(&SectionShareMetrics::questions), 0U);
  EXPECT_LE(bus.frames - before, 32U * (10 * (1 + kAnnounceRepeats) + 3));
}

TEST(SectionShare, ANewcomerTakesWhatIsThere) {
  ShareBus bus = bus_of(5);
  bus.nodes[0]->change(bus.now, 9, filled(1, 200));
  bus.nodes[1]->change(bus.now, 12, filled(2, 40));
  bus.run(3s);
  const std::uint64_t before = bus.sum(&SectionShareMetrics::records_sent);
  bus.start({.node = 100, .wall_ms = std::nullopt});
  ASSERT_TRUE(bus.run_until(1500ms, [&bus] { return bus.is_equal(); }));
  EXPECT_LE(bus.sum(&SectionShareMetrics::records_sent), before + 2) << "of five who could answer one does";
}

TEST(SectionShare, TwoHalvesOfABusThatAreJoinedAgree) {
  ShareBus bus = bus_of(6);
  bus.run(2s);
  bus.parts = {0, 0, 0, 1, 1, 1};
  bus.nodes[0]->change(bus.now, 9, filled(1));
  bus.run(3s);
  bus.nodes[3]->change(bus.now, 9, filled(2));
  bus.nodes[3]->change(bus.now, 13, filled(3));
  bus.run(2s);
  EXPECT_FALSE(bus.is_synchronised()) << "the others may just be silent";
  bus.run(kPeerGone);
  EXPECT_TRUE(bus.is_synchronised()) << "each half by itself";
  EXPECT_FALSE(bus.is_equal());
  bus.parts = {0, 0, 0, 0, 0, 0};
  ASSERT_TRUE(bus.run_until(kAnnouncePeriod, [&bus] { return bus.is_equal(); }));
  EXPECT_EQ(bus.nodes[0]->replica.current(9).payload, filled(2));
  EXPECT_EQ(bus.nodes[0]->replica.current(13).payload, filled(3));
}

TEST(SectionShare, AChangeOnANodeWhoseClockIsBehindIsNotLost) {
  ShareBus bus{{}, 3};
  bus.start({.node = 1, .wall_ms = kWallMs + 3'600'000});
  bus.start({.node = 2, .wall_ms = kWallMs});
  bus.run(2s);
  for (const auto& node : bus.nodes) {
    node->change(bus.now, 9, filled(1));  // one hour apart
  }
  bus.run(2s);
  bus.nodes[1]->change(bus.now, 9, filled(2));
  bus.run(2s);
  EXPECT_TRUE(bus.is_equal());
  EXPECT_EQ(bus.nodes[0]->replica.current(9).payload, filled(2));
}

TEST(SectionShare, AnnouncementsOf32NodesTakeHardlyAnythingOfTheBus) {
  ShareBus bus = bus_of(32);
  bus.run(20s);
  const std::uint64_t before = bus.frames;
  bus.run(300s);
  const std::uint64_t bits = (bus.frames - before) * worst_case_bits(8, false);
  const double percent = static_cast<double>(bits) / 300.0 / kBitRate * 100.0;
  std::printf("32 nodes, 3 sections: %.3f %% of the bus\n", percent);
  RecordProperty("bus_percent", std::to_string(percent));
  EXPECT_LT(percent, 0.5);
  EXPECT_GT(percent, 0.1);
}

// ---- clocks

TEST(SectionShare, NodesWithoutTimeCountOnFromWhatTheyHaveSeen) {
  ShareBus bus{{}, 9};
  for (Node node = 1; node <= 3; ++node) {
    bus.start({.node = node, .wall_ms = std::nullopt});
  }
  bus.run(1s);
  bus.nodes[1]->change(bus.now, 9, filled(7));
  bus.run(20s);
  EXPECT_TRUE(bus.nodes[1]->replica.is_waiting_for_time(9)) << "a gateway might still bring the time";
  bus.run(30s);
  EXPECT_TRUE(bus.is_equal());
  EXPECT_EQ(bus.nodes[0]->replica.current(9).payload, filled(7));
}

TEST(SectionShare, ANodeThatLostItsMemoryMayChangeThingsOnceItAgrees) {
  ShareBus bus = bus_of(2);
  bus.nodes[0]->change(bus.now, 9, filled(1));
  bus.run(2s);
  bus.start({.node = 3, .memory = state::Memory::kVolatile});
  bus.run(3s);
  bus.nodes[2]->change(bus.now, 9, filled(2));
  bus.run(1s);
  EXPECT_TRUE(bus.is_equal());
  EXPECT_EQ(bus.nodes[0]->replica.current(9).payload, filled(2));
}

TEST(SectionShare, AChangeThatWaitsForTimeDoesNotKeepRecordsOut) {
  ShareBus bus{{}, 4};
  bus.start({.node = 1});
  bus.nodes[0]->change(bus.now, 9, filled(1));
  bus.run(2s);
  ShareNode& fresh = bus.start({.node = 2, .wall_ms = std::nullopt});
  fresh.change(bus.now, 9, filled(2));
  bus.run(40s);
  EXPECT_TRUE(bus.is_equal());
  EXPECT_EQ(fresh.replica.current(9).payload, filled(1)) << "there is nothing to order the change by";
  EXPECT_EQ(fresh.share.metrics().refused, 0U);
}

// ---- one node

TEST(SectionShare, OnlyWhatIsStoredIsTold) {
  Rig rig;
  (void)rig.node.replica.change(rig.now, 9, filled(4).bytes());
  rig.node.share.handle_timeout(rig.now);
  EXPECT_FALSE(rig.node.share.poll_transmit(rig.now)) << "not stored yet";
  EXPECT_FALSE(rig.node.share.is_synchronised(rig.now));
  rig.node.pump_store(rig.now);
  rig.node.pump_store(rig.now);
  const auto sent = rig.run(100ms);
  ASSERT_EQ(sent.size(), 1U);
  const auto* told = std::get_if<Announcement>(&sent[0]);
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->digest, digest_of(filled(4)));
  EXPECT_EQ(told->stamp_s, seconds_of(rig.node.replica.current(9).stamp));
}

TEST(SectionShare, ABurstOfChangesIsFewAnnouncements) {
  Rig rig;
  std::size_t announced = 0;
  for (std::uint8_t i = 0; i < 100; ++i) {
    rig.change(9, i);
    announced += Rig::announcements(rig.run(1ms));
  }
  announced += Rig::announcements(rig.run(100ms));
  EXPECT_GE(announced, 2U);
  EXPECT_LE(announced, 4U) << "one in 50 ms";
}

TEST(SectionShare, WhoHasSomethingOlderGetsTheWholeRecordOnce) {
  Rig rig;
  rig.change(9, 4);
  (void)rig.run(1s);
  for (Node from = 1; from <= 5; ++from) {
    rig.hear(from, Announcement{9, 0, 0});
  }
  const auto sent = rig.run(400ms);
  EXPECT_EQ(Rig::records(sent), 1U);
  std::vector<std::uint8_t> bytes;
  for (const ShareMessage& message : sent) {
    if (const auto* segment = std::get_if<RecordSegment>(&message)) {
      EXPECT_EQ(segment->index * kSegmentSize, bytes.size());
      bytes.insert(bytes.end(), segment->data.begin(), segment->data.end());
    }
  }
  ASSERT_GE(bytes.size(), kRecordHeaderSize);
  bytes.resize(bytes[0]);
  const auto record = decode_record(9, bytes, rig.seal);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(*record, rig.node.replica.current(9));
}

TEST(SectionShare, ARecordIsNotSentMoreOftenHoweverManyAsk) {
  Rig rig;
  rig.change(9, 4);
  (void)rig.run(1s);
  std::size_t records = 0;
  for (int i = 0; i < 1000; ++i) {
    rig.hear(static_cast<Node>(1 + i % 9), Announcement{9, static_cast<PayloadDigest>(i), 0});
    records += Rig::records(rig.run(10ms));
  }
  EXPECT_GE(records, 30U);
  EXPECT_LE(records, 41U) << "four times a second";
}

TEST(SectionShare, ADefaultRecordIsNeverSent) {
  Rig rig;
  rig.hear(1, Announcement{9, 0x1234, 0});
  const auto sent = rig.run(10s);
  EXPECT_EQ(Rig::records(sent), 0U);
  EXPECT_EQ(rig.metrics().questions, kAskTries) << "but asked for, even if its stamp is as low as can be";
}

TEST(SectionShare, AQuestionIsRepeatedWithBackOffAndThenLeftToTheNextAnnouncement) {
  Rig rig;
  const Announcement theirs = rig.of(9, rig.newer(3));
  rig.hear(1, theirs);
  const auto sent = rig.run(12s);
  EXPECT_EQ(rig.metrics().questions, kAskTries);
  EXPECT_FALSE(rig.node.share.is_synchronised(rig.now));
  EXPECT_GE(Rig::announcements(sent), kAskTries);
  rig.hear(1, theirs);
  (void)rig.run(50ms);
  EXPECT_EQ(rig.metrics().questions, kAskTries + 1U);
}

TEST(SectionShare, AQuestionThatAnotherAskedIsNotAsked) {
  Rig rig;
  rig.hear(1, rig.of(9, rig.newer(3)));
  rig.hear(2, Announcement{9, 0, 0});
  (void)rig.run(100ms);
  EXPECT_EQ(rig.metrics().questions, 0U);
  EXPECT_EQ(rig.metrics().suppressed, 1U);
  (void)rig.run(kAskPause);
  EXPECT_EQ(rig.metrics().questions, 1U) << "nobody was answered";
}

TEST(SectionShare, ARecordIsAdoptedStoredAndAnnounced) {
  for (const bool is_sealed : {true, false}) {
    Rig rig{test_seal(is_sealed)};
    EXPECT_EQ(rig.node.events[Kind::kSynchronised], 1);
    const state::Record theirs = rig.newer(3);
    rig.hear(1, rig.of(9, theirs));
    rig.hear_record(1, 9, theirs);
    EXPECT_EQ(rig.node.replica.current(9), theirs);
    const auto sent = rig.run(100ms);
    ASSERT_EQ(sent.size(), 1U) << "no question, the record is here";
    EXPECT_EQ(*std::get_if<Announcement>(&sent[0]), rig.of(9, theirs));
    EXPECT_FALSE(rig.node.share.is_synchronised(rig.now)) << "somebody may object";
    (void)rig.run(kObjectionTime);
    EXPECT_TRUE(rig.node.share.is_synchronised(rig.now));
    EXPECT_EQ(rig.node.events[Kind::kSynchronised], 2);
  }
}

TEST(SectionShare, AnOlderRecordHeardAgainChangesNothingAndIsAnswered) {
  Rig rig;
  const state::Record first = rig.newer(3, 1000);
  const state::Record second = rig.newer(4, 2000);
  rig.hear_record(1, 9, first);
  rig.hear_record(1, 9, second);
  (void)rig.run(1s);
  rig.hear_record(2, 9, first);  // genuine, and recorded by somebody
  EXPECT_EQ(rig.node.replica.current(9), second);
  EXPECT_EQ(Rig::records(rig.run(1s)), 1U);
  EXPECT_EQ(rig.node.replica.current(9), second);
}

TEST(SectionShare, ARecordWithoutTheKeyIsNeverMerged) {
  Rig rig;
  rig.change(9, 1);
  const state::Record before = rig.node.replica.current(9);
  for (int i = 0; i < 20; ++i) {
    rig.hear_record(1, 9, rig.newer(3), test_seal(true, 8));
    (void)rig.run(100ms);
  }
  EXPECT_EQ(rig.node.replica.current(9), before);
  EXPECT_EQ(rig.metrics().not_authentic, 20U);
  EXPECT_EQ(rig.metrics().records_received, 0U);
  EXPECT_EQ(rig.node.events[Kind::kNotAuthentic], 1) << "one event, or the journal would be full of it";
}

TEST(SectionShare, PlainAndSealedDoNotMix) {
  for (const bool is_sealed : {true, false}) {
    Rig rig{test_seal(is_sealed)};
    rig.hear_record(1, 9, rig.newer(3), test_seal(!is_sealed));
    (void)rig.run(100ms);
    EXPECT_TRUE(rig.node.replica.current(9).is_default());
    EXPECT_GT(rig.metrics().other_security, 0U);
    EXPECT_EQ(rig.node.events[Kind::kOtherSecurity], 1);
  }
}

TEST(SectionShare, ARecordThatTheReplicaRefusesIsCounted) {
  Rig rig;
  state::Record absurd = rig.newer(3);
  absurd.stamp.physical_ms = state::kStampPhysicalMax + 1;
  rig.hear_record(1, 9, absurd);
  (void)rig.run(10ms);
  EXPECT_TRUE(rig.node.replica.current(9).is_default());
  EXPECT_EQ(rig.metrics().refused, 1U);
  EXPECT_EQ(rig.node.events[Kind::kRefused], 1);
}

TEST(SectionShare, SegmentsLostDoubledOrLateMakeNoRecord) {
  Rig rig;
  const auto segments = rig.segments(9, rig.newer(3), rig.seal);
  ASSERT_GT(segments.size(), 5U);
  for (std::size_t missing = 0; missing < segments.size(); ++missing) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (i != missing) {
        rig.hear(1, segments[i]);
      }
    }
    (void)rig.run(300ms);
    ASSERT_TRUE(rig.node.replica.current(9).is_default()) << missing;
  }
  EXPECT_EQ(rig.metrics().incomplete, segments.size() - 1) << "of one the beginning was missed";
  for (const RecordSegment& segment : segments) {
    rig.hear(1, segment);
    (void)rig.run(&segment == &segments[3] ? kSegmentTimeout : 1ms);
  }
  EXPECT_TRUE(rig.node.replica.current(9).is_default()) << "too late";
  for (const RecordSegment& segment : segments) {
    rig.hear(1, segment);
    rig.hear(1, segment);
  }
  EXPECT_EQ(rig.node.replica.current(9).payload, filled(3)) << "doubled ones do no harm";
  EXPECT_EQ(rig.metrics().records_received, 1U);
  EXPECT_EQ(rig.metrics().not_authentic, 0U);
}

TEST(SectionShare, RecordsOfSoManySendersArriveAtOnceAndNoMore) {
  Rig rig;
  std::vector<std::vector<RecordSegment>> records;
  for (std::size_t i = 0; i <= kReassemblyMax; ++i) {
    records.push_back(rig.segments(9, rig.newer(static_cast<std::uint8_t>(i + 1), 1000 + i), rig.seal));
  }
  for (std::size_t k = 0; k < records[0].size(); ++k) {
    for (std::size_t i = 0; i <= kReassemblyMax; ++i) {
      rig.hear(static_cast<Node>(i + 1), records[i][k]);
    }
  }
  EXPECT_EQ(rig.metrics().records_received, kReassemblyMax);
  EXPECT_EQ(rig.metrics().reassembly_full, 1U);
  EXPECT_EQ(rig.node.replica.current(9).payload, filled(kReassemblyMax)) << "the last one had no room";
  rig.hear_record(kReassemblyMax + 1, 9, rig.newer(kReassemblyMax + 1, 1000 + kReassemblyMax));
  EXPECT_EQ(rig.node.replica.current(9).payload, filled(kReassemblyMax + 1)) << "it came again";
}

TEST(SectionShare, ItsRecordWaitsWhileAnotherSendsAnEqualOne) {
  Rig rig;
  rig.change(9, 4);
  (void)rig.run(1s);
  const state::Record mine = rig.node.replica.current(9);
  const auto segments = rig.segments(9, mine, rig.seal);
  rig.hear(1, Announcement{9, 0, 0});
  rig.hear(2, segments[0]);
  EXPECT_EQ(Rig::records(rig.run(50ms)), 0U);
  for (std::size_t i = 1; i < segments.size(); ++i) {
    rig.hear(2, segments[i]);
  }
  EXPECT_EQ(Rig::records(rig.run(1s)), 0U) << "given up";
  rig.hear(1, Announcement{9, 0, 0});
  rig.hear(2, segments[0]);
  EXPECT_EQ(Rig::records(rig.run(1s)), 1U) << "the other did not finish";
}

TEST(SectionShare, OfTwoThatBeginAtOnceTheLowerGoesOn) {
  for (const Node other : {Node{3}, Node{30}}) {
    Rig rig;
    rig.change(9, 4);
    (void)rig.run(1s);
    const state::Record mine = rig.node.replica.current(9);
    rig.hear(1, Announcement{9, 0, 0});
    for (int i = 0; i < 100 && rig.metrics().segments_sent == 0; ++i) {
      (void)rig.run(1ms);
    }
    ASSERT_GT(rig.metrics().segments_sent, 0U);
    rig.hear_record(other, 9, mine);
    (void)rig.run(1s);
    EXPECT_EQ(rig.metrics().records_sent, other < 10 ? 0U : 1U) << int{other};
  }
}

TEST(SectionShare, WithoutAnIdItIsSilentAndDeaf) {
  Rig rig;
  rig.change(9, 4);
  rig.hear(1, Announcement{9, 0, 0});
  rig.node.share.stop(rig.now);
  EXPECT_TRUE(rig.run(60s).empty());
  EXPECT_EQ(rig.node.share.poll_timeout(), kNever);
  rig.hear_record(1, 9, rig.newer(3));
  EXPECT_EQ(rig.node.replica.current(9).payload, filled(4));
  EXPECT_GT(rig.metrics().outside, 0U);
  EXPECT_FALSE(rig.node.share.is_synchronised(rig.now));
  rig.node.share.start(rig.now, 10);
  EXPECT_EQ(Rig::announcements(rig.run(kFirstAnnounceMax + 10ms)), 3U);
}

TEST(SectionShare, AnnouncesEverySectionInEveryPeriod) {
  Rig rig;
  const auto sent = rig.run(10 * kAnnouncePeriod);
  std::map<state::SectionId, int> count;
  for (const ShareMessage& message : sent) {
    ++count[std::get_if<Announcement>(&message)->section];
  }
  EXPECT_EQ(count.size(), 3U);
  for (const auto& [section, times] : count) {
    EXPECT_GE(times, 9) << int{section};
    EXPECT_LE(times, 11) << int{section};
  }
}

TEST(SectionShare, ANodeThatFellSilentNoLongerCounts) {
  Rig rig;
  rig.hear(1, rig.of(9, rig.newer(3)));
  EXPECT_EQ(rig.node.share.peer_count(rig.now), 1U);
  (void)rig.run(kPeerGone - 1s);
  EXPECT_FALSE(rig.node.share.is_synchronised(rig.now));
  (void)rig.run(2s);
  EXPECT_TRUE(rig.node.share.is_synchronised(rig.now));
  EXPECT_EQ(rig.node.share.peer_count(rig.now), 0U);
}

TEST(SectionShare, ForeignFramesAreCounted) {
  Rig rig;
  const std::vector<std::uint8_t> short_one{0x19, 1, 2};
  rig.node.share.handle_frame(rig.now, 1, short_one);
  rig.node.share.handle_frame(rig.now, 0, encode_share(Announcement{9, 1, 1}));
  rig.node.share.handle_frame(rig.now, 200, encode_share(Announcement{9, 1, 1}));
  rig.node.share.handle_frame(rig.now, 10, encode_share(Announcement{9, 1, 1}));
  rig.hear(1, RecordSegment{9, true, 0, {3}});
  EXPECT_EQ(rig.metrics().malformed, 5U);
  rig.hear(1, Announcement{3, 1, 1});
  rig.hear(1, RecordSegment{3, true, 0, {100}});
  EXPECT_EQ(rig.metrics().unknown_sections, 2U);
  EXPECT_TRUE(rig.run(1s).empty());
}

TEST(SectionShare, EventsThatNobodyTakesAreCounted) {
  Rig rig;
  for (std::size_t i = 0; i < kShareEventCapacity + 4; ++i) {
    rig.node.share.start(rig.now, 10);
    for (Duration step{}; step < 3s; step += 10ms) {
      rig.now += 10ms;
      rig.node.share.handle_timeout(rig.now);
      (void)rig.node.share.poll_transmit(rig.now);
    }
  }
  EXPECT_EQ(rig.node.share.dropped_event_count(), 4U);
  EXPECT_EQ(to_text(Kind::kOtherSecurity), "other_security");
}

// ---- contract

// With the replica that it keeps equal.
struct Whole {
  explicit Whole(std::uint64_t seed)
      : replica{clock, kShareSpecs, NodeId{seed}, NodeId{seed}}, share{replica, {seed, test_seal()}} {
    (void)clock.set_wall_time(TimePoint{}, WallTime{kWallMs});
    share.start(TimePoint{1s}, 10);
  }
  void handle_timeout(TimePoint now) { share.handle_timeout(now); }
  TimePoint poll_timeout() const { return share.poll_timeout(); }
  auto poll_event() { return share.poll_event(); }

  state::HybridClock clock;
  state::Replica replica;
  SectionShare share;
};

struct SectionShareAdapter {
  using Machine = Whole;
  static Machine make(std::uint64_t seed) { return Machine{seed}; }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    const std::uint32_t what = rng.below(12);
    const state::SectionId section = kShareSpecs[rng.below(3)].id;
    const auto from = static_cast<Node>(rng.below(20));
    if (what == 0) {
      (void)machine.replica.change(now, section, filled(static_cast<std::uint8_t>(rng.below(5))).bytes());
    } else if (what == 1) {
      machine.share.stop(now);
    } else if (what == 2) {
      machine.share.start(now, 10);
    } else if (what < 5) {
      const auto value = static_cast<std::uint8_t>(rng.below(5));
      const std::uint64_t ms = static_cast<std::uint64_t>(kWallMs) + rng.below(100'000);
      const state::Record record{1, {ms, 0}, NodeId{9}, filled(value)};
      const RecordBytes bytes = encode_record(section, record, test_seal());
      for (std::size_t i = 0; i < bytes.size(); i += kSegmentSize) {
        RecordSegment segment{section, true, static_cast<std::uint8_t>(i / kSegmentSize), {}};
        std::ranges::copy(bytes.view().subspan(i, std::min(kSegmentSize, bytes.size() - i)),
                          segment.data.begin());
        machine.share.handle_frame(now, from, encode_share(segment));
      }
    } else {
      ShareFrame frame{};
      for (std::uint8_t& byte : frame) {
        byte = static_cast<std::uint8_t>(rng.next());
      }
      frame[0] = static_cast<std::uint8_t>((1 + rng.below(3)) << 4U | section);
      machine.share.handle_frame(now, from, frame);
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    if (const auto request = machine.replica.poll_store(now)) {
      machine.replica.handle_stored(now, request->section, request->ticket);
      return true;
    }
    if (const auto frame = machine.share.poll_transmit(now)) {
      digest.add(frame->data);
      return true;
    }
    if (const auto event = machine.share.poll_event()) {
      digest.add_byte(static_cast<std::uint8_t>(event->kind));
      return true;
    }
    return false;
  }
};

TEST(SectionShare, KeepsTheContractOfMachines) {
  contract::check_machine_contract<SectionShareAdapter>();
}

}  // namespace
}  // namespace amphora::packnet
