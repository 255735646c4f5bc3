// SPDX-License-Identifier: Apache-2.0
#include "core/election/election.hpp"

#include <gtest/gtest.h>

#include "core/election/election_test_support.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::election {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1s};

Bus bus_of(std::initializer_list<Candidate> candidates) {
  Bus bus{1, 0};
  for (const Candidate& candidate : candidates) {
    (void)bus.add(candidate);
  }
  return bus;
}

std::vector<Event::Kind> events_of(Election& election) {
  std::vector<Event::Kind> kinds;
  while (const auto event = election.poll_event()) {
    kinds.push_back(event->kind);
  }
  return kinds;
}

TEST(Election, ALoneNodeIsItsOwnMaster) {
  Bus bus = bus_of({{5, 0}});
  bus.run(310ms);
  EXPECT_FALSE(bus.at(0).is_master());
  bus.run(20ms);
  EXPECT_TRUE(bus.at(0).is_master());
  EXPECT_TRUE(bus.at(0).is_alone());
  EXPECT_EQ(bus.at(0).master(), (Candidate{5, 0}));
}

TEST(Election, TheHighestIdOfTheHighestRankLeads) {
  Bus bus = bus_of({{5, 0}, {90, 0}, {7, 1}, {3, 1}});
  bus.run(600ms);
  EXPECT_TRUE(bus.is_settled());
  EXPECT_EQ(bus.agreed_master(), 7U);
  EXPECT_FALSE(bus.at(2).is_alone());
}

TEST(Election, TheNextBestFollowsACrashAfterThreeBeacons) {
  Bus bus = bus_of({{1, 0}, {2, 0}, {3, 0}, {4, 0}});
  bus.run(2s);
  ASSERT_EQ(bus.agreed_master(), 4U);
  const Term before = bus.at(0).term();
  bus.crash(3);
  bus.run(190ms);
  EXPECT_EQ(bus.agreed_master(), 4U) << "less than three beacons are missing";
  bus.run(200ms);
  EXPECT_EQ(bus.agreed_master(), 3U);
  EXPECT_EQ(bus.at(0).term(), before + 1);
  EXPECT_EQ(bus.at(0).metrics().terms_started, 0U) << "the slots keep the others silent";
  EXPECT_EQ(bus.at(1).metrics().terms_started, 0U);
  EXPECT_EQ(bus.at(2).metrics().terms_started, 1U);
}

TEST(Election, ABetterNewcomerWaitsFiveSeconds) {
  Bus bus = bus_of({{1, 0}, {2, 0}});
  bus.run(2s);
  ASSERT_EQ(bus.agreed_master(), 2U);
  const std::size_t newcomer = bus.add({9, 0});
  bus.run(4900ms);
  EXPECT_EQ(bus.agreed_master(), 2U);
  EXPECT_EQ(bus.at(newcomer).role(), Role::kFollower);
  bus.run(300ms);
  EXPECT_EQ(bus.agreed_master(), 9U);
  EXPECT_EQ(events_of(bus.at(1)).back(), Event::Kind::kYielded);
}

TEST(Election, AWorseNewcomerChangesNothing) {
  Bus bus = bus_of({{8, 0}, {9, 0}});
  bus.run(2s);
  const Term term = bus.at(0).term();
  (void)bus.add({3, 0});
  bus.run(10s);
  EXPECT_EQ(bus.agreed_master(), 9U);
  EXPECT_EQ(bus.at(0).term(), term);
}

TEST(Election, AMasterThatHearsNobodyGivesUpAndComesBack) {
  Bus bus = bus_of({{1, 0}, {2, 0}, {3, 0}});
  bus.run(2s);
  ASSERT_EQ(bus.agreed_master(), 3U);
  (void)events_of(bus.at(2));
  bus.set_deaf(2, true);
  bus.run(380ms);
  EXPECT_FALSE(bus.at(2).is_alone());
  bus.run(700ms);
  EXPECT_TRUE(bus.at(2).is_alone());
  EXPECT_EQ(bus.at(0).master()->id, 2U) << "nobody follows a deaf master";
  EXPECT_EQ(bus.at(1).master()->id, 2U);
  EXPECT_EQ(events_of(bus.at(2)), std::vector{Event::Kind::kAlone});
  bus.set_deaf(2, false);
  bus.run(300ms);
  EXPECT_EQ(bus.agreed_master(), 2U) << "it returns as a newcomer";
  bus.run(5s);
  EXPECT_EQ(bus.agreed_master(), 3U);
}

TEST(Election, SplitAndMerge) {
  Bus bus = bus_of({{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}, {6, 0}});
  bus.run(2s);
  for (const std::size_t node : {0U, 1U, 5U}) {
    bus.set_part(node, 1);
  }
  bus.run(1s);
  EXPECT_TRUE(bus.is_settled(0));
  EXPECT_TRUE(bus.is_settled(1));
  EXPECT_EQ(bus.agreed_master(0), 5U);
  EXPECT_EQ(bus.agreed_master(1), 6U);
  for (const std::size_t node : {0U, 1U, 5U}) {
    bus.set_part(node, 0);
  }
  bus.run(500ms);
  EXPECT_TRUE(bus.is_settled());
  EXPECT_EQ(bus.agreed_master(), 6U);
}

TEST(Election, TwoThatWereAloneFindOneMaster) {
  Bus bus = bus_of({{1, 0}, {2, 0}});
  bus.set_part(1, 1);
  bus.run(2s);
  ASSERT_TRUE(bus.at(0).is_alone());
  ASSERT_TRUE(bus.at(1).is_alone());
  bus.set_part(1, 0);
  bus.run(300ms);
  EXPECT_TRUE(bus.is_settled());
}

TEST(Election, AMasterThatNobodyHearsStopsClaimingIt) {
  // Node 1 is better, hears all and is heard by nobody.
  Election mute{Config{}};
  mute.start(kStart, {9, 0});
  TimePoint now = kStart;
  bool was_master = false;
  int masters_in_a_row = 0;
  for (int i = 0; i < 200; ++i, now += 100ms) {
    mute.handle_message(now, Beacon{{2, 0}, 7, false});
    for (TimePoint t = now; t < now + 100ms; t += 10ms) {
      mute.handle_timeout(t);
      while (mute.poll_transmit(t)) {
      }
    }
    was_master = was_master || mute.is_master();
    masters_in_a_row = mute.is_master() ? masters_in_a_row + 1 : 0;
    ASSERT_LE(masters_in_a_row, 6) << "half a second without an answer is enough";
  }
  EXPECT_TRUE(was_master);
}

TEST(Election, AGatewayFollowsAndNeverSends) {
  Bus bus = bus_of({{5, 0}});
  Config config;
  config.is_candidate = false;
  const std::size_t gateway = bus.add({120, 9}, config);
  bus.run(1s);
  EXPECT_EQ(bus.at(gateway).master(), (Candidate{5, 0})) << "even a lone pack";
  (void)bus.add({6, 0});
  bus.run(7s);
  EXPECT_EQ(bus.agreed_master(), 6U);
  EXPECT_EQ(bus.at(gateway).metrics().beacons_sent, 0U);
  EXPECT_EQ(bus.at(gateway).metrics().answers_sent, 0U);
}

TEST(Election, ALargeGroupAnswersNoMoreThanASmallOne) {
  Bus bus{3, 0};
  for (Id id = 1; id <= 32; ++id) {
    (void)bus.add({id, 0});
  }
  bus.run(3s);
  const std::uint64_t before = bus.message_count();
  bus.run(10s);
  EXPECT_LE(bus.message_count() - before, 10U * 10U * 3U + 3U) << "one beacon and two answers";
  EXPECT_GE(bus.message_count() - before, 10U * 10U * 3U - 6U);
}

TEST(Election, TermsWrap) {
  EXPECT_TRUE(is_newer(1, 0xFFFF'FFFFU));
  EXPECT_FALSE(is_newer(0xFFFF'FFFFU, 1));
  Election election{Config{}};
  election.start(kStart, {1, 0});
  election.handle_message(kStart, Beacon{{2, 0}, 0xFFFF'FFFFU, false});
  election.handle_message(kStart + 1ms, Beacon{{3, 0}, 0, false});
  EXPECT_EQ(election.master()->id, 3U);
  election.handle_message(kStart + 2ms, Beacon{{2, 0}, 0xFFFF'FFFFU, false});
  EXPECT_EQ(election.master()->id, 3U);
}

TEST(Election, AnAnswerShowsThatTheMasterLives) {
  Election election{Config{}};
  election.start(kStart, {1, 0});
  election.handle_message(kStart, Beacon{{3, 0}, 4, false});
  TimePoint now = kStart;
  for (int i = 0; i < 20; ++i) {
    now += 100ms;
    election.handle_message(now, Answer{{2, 0}, 3, 4});
    election.handle_timeout(now);
  }
  EXPECT_EQ(election.role(), Role::kFollower);
  // Not so one that follows another, or another term.
  election.handle_message(now + 300ms, Answer{{2, 0}, 3, 5});
  election.handle_message(now + 310ms, Answer{{2, 0}, 7, 4});
  election.handle_timeout(now + 330ms);
  EXPECT_EQ(election.role(), Role::kListening);
}

TEST(Election, CandidatesExpireAndAreBounded) {
  Election election{Config{}};
  election.start(kStart, {1, 0});
  for (Id id = 2; id < 2 + kCandidatesMax + 3; ++id) {
    election.handle_candidate(kStart + std::chrono::microseconds{static_cast<std::int64_t>(id)}, {id, 0});
  }
  EXPECT_EQ(election.candidate_count(), kCandidatesMax);
  EXPECT_EQ(election.metrics().candidates_dropped, 3U);
  election.handle_heard(kStart + 60s, 100);
  election.handle_timeout(kStart + 121s);
  EXPECT_EQ(election.candidate_count(), 1U);
  election.remove(kStart + 121s, 100);
  EXPECT_EQ(election.candidate_count(), 0U);
}

TEST(Election, ItsOwnIdFromTheBusIsIgnored) {
  Election election{Config{}};
  election.start(kStart, {1, 0});
  election.handle_message(kStart, Beacon{{1, 0}, 99, false});
  EXPECT_EQ(election.role(), Role::kListening);
  EXPECT_EQ(election.metrics().own_id_heard, 1U);
  EXPECT_EQ(election.term(), 0U);
}

TEST(Election, StoppedItSaysNothing) {
  Bus bus = bus_of({{1, 0}, {2, 0}});
  bus.run(1s);
  bus.at(1).stop(bus.now());
  bus.run(1s);
  EXPECT_EQ(bus.at(1).role(), Role::kStopped);
  EXPECT_EQ(bus.at(1).master(), std::nullopt);
  EXPECT_TRUE(bus.at(0).is_master());
}

TEST(Election, ConfigIsChecked) {
  EXPECT_EQ(check_config(Config{}), "");
  Config config;
  config.repeat_after = config.beacon_period;
  EXPECT_EQ(check_config(config), "repeat_after");
  config = Config{};
  config.missed_beacons = 0;
  EXPECT_EQ(check_config(config), "missed_beacons");
  config = Config{};
  config.hear_timeout = config.beacon_period;
  EXPECT_EQ(check_config(config), "hear_timeout");
}

struct Adapter {
  using Machine = Election;
  static Machine make(std::uint64_t seed) {
    Config config;
    config.is_candidate = seed % 5 != 0;
    Election election{config};
    election.start(TimePoint{}, {4, 0});
    return election;
  }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    const Candidate from{rng.below(8), static_cast<std::uint8_t>(rng.below(2))};
    const Term term = rng.below(20);
    const Id id = rng.below(8);
    const std::uint32_t choice = rng.below(20);
    if (choice < 8) {
      machine.handle_message(now, Beacon{from, term, rng.chance(200'000)});
    } else if (choice < 13) {
      machine.handle_message(now, Answer{from, id, term});
    } else if (choice < 15) {
      machine.handle_candidate(now, from);
    } else if (choice < 16) {
      machine.handle_heard(now, id);
    } else if (choice < 17) {
      machine.remove(now, id);
    } else if (choice < 18) {
      machine.start(now, from);
    } else if (choice < 19 && rng.chance(200'000)) {
      machine.stop(now);
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    if (const auto message = machine.poll_transmit(now)) {
      if (const auto* beacon = std::get_if<Beacon>(&*message)) {
        digest.add_number(static_cast<std::int64_t>(beacon->term) * 2 + (beacon->is_alone ? 1 : 0));
      } else if (const auto* answer = std::get_if<Answer>(&*message)) {
        digest.add_number(static_cast<std::int64_t>(answer->master));
      }
      return true;
    }
    if (const auto event = machine.poll_event()) {
      digest.add_byte(static_cast<std::uint8_t>(event->kind));
      digest.add_number(to_microseconds(event->at));
      return true;
    }
    return false;
  }
};

TEST(Election, KeepsTheContractOfMachines) {
  contract::check_machine_contract<Adapter>();
}

}  // namespace
}  // namespace amphora::election
