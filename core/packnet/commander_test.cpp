// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/commander.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "tests/contract/machine_contract.hpp"
#include "tests/contract/slow_build.hpp"

namespace amphora::packnet {
namespace {

using namespace std::chrono_literals;

crypto::Key key() {
  crypto::Key bus{};
  bus[0] = 7;
  return command_key(bus, 0x1234);
}

Command eco_limit(std::int32_t watts) {
  return Command{Opcode::kSetValue, {static_cast<std::int32_t>(ValueId::kEcoLimit), watts}};
}

// A pack with a real gate; what it carried out, and a floor that survives restarts.
struct Pack {
  Pack(Node id, bool sealed, std::uint64_t floor) : node{id}, is_sealed{sealed}, stored{floor} { restart(); }
  void restart() { gate = std::make_unique<CommandGate>(GateConfig{is_sealed, key(), stored}); }

  std::vector<Acknowledgement> pump(TimePoint now) {
    gate->handle_timeout(now);
    if (const auto floor = gate->poll_store()) {
      stored = *floor;
      gate->handle_stored(now, *floor);
    }
    while (!is_busy) {
      const auto command = gate->poll_command();
      if (!command) {
        break;
      }
      done.push_back(command->command.arguments[1]);
      gate->finish(now, command->ticket, result, 77);
    }
    std::vector<Acknowledgement> answers;
    while (auto answer = gate->poll_transmit(now)) {
      answer->node = node;
      answers.push_back(*answer);
    }
    return answers;
  }

  Node node;
  bool is_sealed;
  bool is_on = true;
  bool is_busy = false;  // carries nothing out
  CommandResult result = CommandResult::kDone;
  std::uint64_t stored;
  std::unique_ptr<CommandGate> gate;
  std::vector<std::int32_t> done;
};

// A commander and packs on a bus, in steps of a millisecond.
struct Bus {
  explicit Bus(std::size_t pack_count, bool sealed = true, std::uint64_t counter = 0)
      : is_sealed{sealed}, commander{config(counter)} {
    for (std::size_t i = 0; i < pack_count; ++i) {
      packs.emplace_back(static_cast<Node>(i + 1), sealed, 0U);
      nodes.push_back(static_cast<Node>(i + 1));
    }
    commander.set_active(now, true);
  }
  CommanderConfig config(std::uint64_t counter) const { return {is_sealed, key(), counter}; }

  OrderTicket give(Node to, std::int32_t watts) {
    const auto ticket = commander.order(now, to, eco_limit(watts), nodes);
    EXPECT_TRUE(ticket.ok());
    return ticket.ok() ? *ticket : 0;
  }
  void step() {
    commander.handle_timeout(now);
    if (const auto counter = commander.poll_store(); counter && can_store) {
      stored = *counter;
      commander.handle_stored(now, *counter);
    }
    while (const auto frame = commander.poll_transmit(now)) {
      sent.push_back(*frame);
      for (Pack& pack : packs) {
        const bool is_for_it = frame->to == pack.node || frame->to == kNodeAll;
        if (is_for_it && pack.is_on && !(is_lost && is_lost(pack, &*frame))) {
          pack.gate->handle_frame(now, *frame);
        }
      }
    }
    for (Pack& pack : packs) {
      for (const Acknowledgement& answer : pack.pump(now)) {
        if (pack.is_on && !(is_lost && is_lost(pack, nullptr))) {
          commander.handle_acknowledgement(now, answer);
        }
      }
    }
    while (const auto event = commander.poll_event()) {
      events.push_back(*event);
    }
    now += 1ms;
  }
  // Until nothing is under way; an order that never ends is a failure.
  void run() {
    const TimePoint until = now + 60s;
    do {
      step();
    } while (commander.orders_under_way() > 0 && now < until);
    EXPECT_EQ(commander.orders_under_way(), 0U);
  }
  CommanderEvent outcome(OrderTicket ticket, Node node) const {
    const auto found = std::ranges::find_if(events, [&](const CommanderEvent& event) {
      return event.kind == CommanderEvent::Kind::kNode && event.ticket == ticket && event.node == node;
    });
    EXPECT_NE(found, events.end());
    return found != events.end() ? *found : CommanderEvent{};
  }
  OrderCounts counts(OrderTicket ticket) const {
    const auto found = std::ranges::find_if(events, [&](const CommanderEvent& event) {
      return event.kind == CommanderEvent::Kind::kOver && event.ticket == ticket;
    });
    EXPECT_NE(found, events.end());
    return found != events.end() ? found->counts : OrderCounts{};
  }
  std::size_t commands_sent() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(sent, [](const CommandFrame& frame) { return frame.opcode < 0x80; }));
  }

  bool is_sealed;
  Commander commander;
  std::vector<Pack> packs;
  std::vector<Node> nodes;
  bool can_store = true;
  std::uint64_t stored = 0;
  // A frame on its way to this pack, or (without frame) its answer.
  std::function<bool(const Pack&, const CommandFrame*)> is_lost;
  std::vector<CommandFrame> sent;
  std::vector<CommanderEvent> events;
  TimePoint now{100s};
};

using Values = std::vector<std::int32_t>;

TEST(Commander, AnOrderToAllIsCarriedOutOnceByEachAndToldOnceForEach) {
  for (const bool is_sealed : {false, true}) {
    Bus bus{4, is_sealed};
    const OrderTicket ticket = bus.give(kNodeAll, 3000);
    bus.run();
    for (const Pack& pack : bus.packs) {
      EXPECT_EQ(pack.done, Values{3000});
      const CommanderEvent told = bus.outcome(ticket, pack.node);
      EXPECT_EQ(told.outcome, Outcome::kDone);
      EXPECT_EQ(told.detail, 77U);
    }
    EXPECT_EQ(bus.events.size(), 5U);
    EXPECT_EQ(bus.events.back().kind, CommanderEvent::Kind::kOver);
    EXPECT_EQ(bus.counts(ticket), (OrderCounts{4, 0, 0}));
    EXPECT_EQ(bus.sent.size(), is_sealed ? 2U : 1U) << "the seal directly behind the command, no repetition";
  }
}

TEST(Commander, RefusesWhatItCannotDo) {
  using Reason = OrderRefusal::Reason;
  Bus bus{2};
  const auto reason = [&](Node to, const Command& command) {
    const auto ticket = bus.commander.order(bus.now, to, command, bus.nodes);
    return ticket.ok() ? std::optional<OrderRefusal>{} : std::optional{ticket.error()};
  };
  bus.commander.set_active(bus.now, false);
  EXPECT_EQ(reason(1, eco_limit(3000))->reason, Reason::kNotActive);
  bus.commander.set_active(bus.now, true);
  EXPECT_EQ(reason(0, eco_limit(3000))->reason, Reason::kBadNode);
  EXPECT_EQ(reason(128, eco_limit(3000))->reason, Reason::kBadNode);
  const auto bad = reason(1, eco_limit(99));
  EXPECT_EQ(bad->reason, Reason::kBadCommand);
  EXPECT_EQ(bad->error.result, CommandResult::kOutOfRange);
  EXPECT_EQ(bad->error.argument, 1);
  bus.nodes.clear();
  EXPECT_EQ(reason(kNodeAll, eco_limit(3000))->reason, Reason::kNobody);
  Bus used_up{1, true, kCounterMax};
  const auto refused = used_up.commander.order(used_up.now, 1, eco_limit(3000), used_up.nodes);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kCounterUsedUp);
  EXPECT_EQ(bus.commander.metrics().refused, 5U);
  bus.step();
  EXPECT_TRUE(bus.sent.empty());
  EXPECT_TRUE(bus.events.empty());
}

TEST(Commander, TakesAsManyOrdersAsItSaysAndNoMore) {
  Bus bus{1};
  for (std::size_t i = 0; i < kOrdersMax; ++i) {
    (void)bus.give(1, 1000 + static_cast<std::int32_t>(i));
  }
  const auto refused = bus.commander.order(bus.now, 1, eco_limit(3000), bus.nodes);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, OrderRefusal::Reason::kFull);
  bus.run();
  EXPECT_EQ(bus.packs[0].done, (Values{1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007})) << "oldest first";
  (void)bus.give(1, 2000);
  bus.run();
  EXPECT_EQ(bus.packs[0].done.back(), 2000);
}

TEST(Commander, TheTableSaysWhoIsExpected) {
  NodeTable nodes;
  const TimePoint now{100s};
  (void)nodes.handle_presence(now, Presence{1, DeviceType::kEnergyPack, 0, 1, 0, 1});
  (void)nodes.handle_presence(now, Presence{2, DeviceType::kEnergyGateway, 0, 1, 0, 2});
  (void)nodes.handle_old_presence(now, 3);
  Commander commander{CommanderConfig{false, {}, 0}};
  commander.set_active(now, true);
  ASSERT_TRUE(commander.order(now, kNodeAll, eco_limit(3000), nodes).ok());
  commander.set_active(now, false);
  std::set<Node> told;
  while (const auto event = commander.poll_event()) {
    if (event->kind == CommanderEvent::Kind::kNode) {
      told.insert(event->node);
      EXPECT_EQ(event->outcome, Outcome::kGivenUp);
    }
  }
  EXPECT_EQ(told, (std::set<Node>{1, 2})) << "one that only has the old presence knows no commands";
}

TEST(Commander, ASilentPackIsTriedWithBackOffAndThenToldOf) {
  Bus bus{2};
  bus.packs[1].is_on = false;
  const TimePoint begin = bus.now;
  const OrderTicket ticket = bus.give(kNodeAll, 3000);
  bus.run();
  EXPECT_EQ(bus.outcome(ticket, 1).outcome, Outcome::kDone);
  EXPECT_EQ(bus.outcome(ticket, 2).outcome, Outcome::kSilent);
  EXPECT_EQ(bus.counts(ticket), (OrderCounts{1, 0, 1}));
  EXPECT_EQ(bus.commands_sent(), kTryWaits.size());
  EXPECT_EQ(bus.now - begin, 3101ms);
  EXPECT_EQ(bus.packs[0].done, Values{3000}) << "repetitions are for the other one";
  EXPECT_EQ(bus.commander.metrics().repeated, kTryWaits.size() - 1);
}

TEST(Commander, LostFramesAreRepeated) {
  // Each of the first four frames in turn: command, seal, answer of one, answer of the other.
  for (int lost = 0; lost < 4; ++lost) {
    Bus bus{2};
    int frames = 0;
    bus.is_lost = [&](const Pack& pack, const CommandFrame* frame) {
      const int number = frame == nullptr ? 1 + pack.node : frame->opcode < 0x80 ? 0 : 1;
      return number == lost && ++frames == 1;
    };
    const OrderTicket ticket = bus.give(kNodeAll, 3000);
    bus.run();
    EXPECT_EQ(bus.counts(ticket), (OrderCounts{2, 0, 0})) << lost;
    EXPECT_EQ(bus.packs[0].done, Values{3000}) << lost;
    EXPECT_EQ(bus.packs[1].done, Values{3000}) << lost;
    EXPECT_EQ(bus.commands_sent(), 2U) << lost;
  }
}

TEST(Commander, WhatThePackRefusesIsToldWithItsReasonAndNotRepeated) {
  Bus bus{2};
  bus.packs[0].result = CommandResult::kNotAllowed;
  const OrderTicket ticket = bus.give(kNodeAll, 3000);
  bus.run();
  const CommanderEvent told = bus.outcome(ticket, 1);
  EXPECT_EQ(told.outcome, Outcome::kRefused);
  EXPECT_EQ(told.result, CommandResult::kNotAllowed);
  EXPECT_EQ(told.detail, 77U);
  EXPECT_EQ(bus.counts(ticket), (OrderCounts{1, 1, 0}));
  EXPECT_EQ(bus.commands_sent(), 1U);
}

TEST(Commander, ARestartedPackRaisesTheCounterAndGetsTheCommandOnce) {
  Bus bus{3};
  (void)bus.give(kNodeAll, 1000);
  bus.run();
  bus.packs[1].restart();
  bus.sent.clear();
  const OrderTicket ticket = bus.give(kNodeAll, 2000);
  bus.run();
  EXPECT_EQ(bus.counts(ticket), (OrderCounts{3, 0, 0}));
  for (const Pack& pack : bus.packs) {
    EXPECT_EQ(pack.done, (Values{1000, 2000}));
  }
  ASSERT_EQ(bus.sent.size(), 4U);
  EXPECT_EQ(bus.sent[2].to, 2) << "only to the one that refused it";
  EXPECT_NE(bus.sent[2].sequence, bus.sent[0].sequence);
  EXPECT_EQ(bus.commander.metrics().raised, 1U);
  EXPECT_EQ(bus.commander.metrics().renumbered, 1U);
  // From here on the counter is above.
  (void)bus.give(kNodeAll, 3000);
  bus.run();
  EXPECT_EQ(bus.commander.metrics().renumbered, 1U);
}

TEST(Commander, WhatMayHaveBeenCarriedOutIsNotGivenAgain) {
  Bus bus{1};
  bus.is_lost = [](const Pack&, const CommandFrame* frame) { return frame == nullptr; };
  const OrderTicket ticket = bus.give(1, 3000);
  bus.step();
  EXPECT_EQ(bus.packs[0].done, Values{3000});
  bus.packs[0].restart();  // and forgot that it did
  bus.is_lost = {};
  bus.run();
  EXPECT_EQ(bus.outcome(ticket, 1).outcome, Outcome::kRefused);
  EXPECT_EQ(bus.outcome(ticket, 1).result, CommandResult::kReplayed);
  EXPECT_EQ(bus.packs[0].done, Values{3000});
  (void)bus.give(1, 4000);
  bus.run();
  EXPECT_EQ(bus.packs[0].done, (Values{3000, 4000})) << "the counter was raised all the same";
}

TEST(Commander, APackFarBehindIsBroughtUpByTheEpoch) {
  Bus bus{2, true, 0x1234'5678'9ABCU};
  const OrderTicket ticket = bus.give(kNodeAll, 3000);
  bus.run();
  EXPECT_EQ(bus.counts(ticket), (OrderCounts{2, 0, 0}));
  EXPECT_EQ(bus.packs[0].done, Values{3000});
  EXPECT_EQ(bus.sent.size(), 5U);
  EXPECT_EQ(bus.sent[2].opcode, static_cast<std::uint8_t>(Opcode::kEpoch));
  (void)bus.give(kNodeAll, 4000);
  bus.run();
  EXPECT_EQ(bus.sent.size(), 7U) << "needed once";
}

TEST(Commander, AGatewayFarBehindFindsItsWayBack) {
  Bus bus{1, true, 5};
  bus.packs[0].stored = 5'000'000;
  bus.packs[0].restart();
  const OrderTicket ticket = bus.give(1, 3000);
  bus.run();
  EXPECT_EQ(bus.outcome(ticket, 1).outcome, Outcome::kDone);
  EXPECT_EQ(bus.packs[0].done, Values{3000});
  EXPECT_EQ(bus.stored, 5'000'000 + kCounterStep);
}

TEST(Commander, AWrongKeyIsToldAfterTwoTries) {
  Bus bus{1};
  bus.commander = Commander{CommanderConfig{true, crypto::Key{}, 0}};
  bus.commander.set_active(bus.now, true);
  const OrderTicket ticket = bus.give(1, 3000);
  bus.run();
  EXPECT_EQ(bus.outcome(ticket, 1).outcome, Outcome::kRefused);
  EXPECT_EQ(bus.outcome(ticket, 1).result, CommandResult::kNotAuthentic);
  EXPECT_EQ(bus.commands_sent(), 2U) << "wrong seals close the gate for everybody";
  EXPECT_TRUE(bus.packs[0].done.empty());
}

TEST(Commander, ABusyPackIsAskedAgain) {
  for (const bool is_sealed : {false, true}) {
    Bus bus{1, is_sealed};
    bus.packs[0].is_busy = true;
    for (std::size_t i = 0; i < kCommandQueue; ++i) {
      const CommandFrame frame = encode_command(1, static_cast<std::uint8_t>(0x80 + i), eco_limit(500));
      bus.packs[0].gate->handle_frame(bus.now, frame);
      bus.packs[0].gate->handle_frame(bus.now, make_seal(key(), i, frame));
    }
    bus.commander = Commander{bus.config(kCommandQueue)};
    bus.commander.set_active(bus.now, true);
    const OrderTicket ticket = bus.give(1, 3000);
    bus.step();
    bus.packs[0].is_busy = false;
    bus.run();
    EXPECT_EQ(bus.outcome(ticket, 1).outcome, Outcome::kDone) << is_sealed;
    EXPECT_EQ(std::ranges::count(bus.packs[0].done, 3000), 1) << is_sealed;
  }
}

TEST(Commander, ForgedAnswersCannotUseUpTheCounter) {
  Bus bus{1};
  (void)bus.give(1, 3000);
  bus.packs[0].is_on = false;
  bus.step();
  const std::uint8_t sequence = bus.sent.back().sequence;
  bus.commander.handle_acknowledgement(
      bus.now, Acknowledgement{1, 2, sequence, CommandResult::kReplayed, 0xFFFF'FFFF});
  bus.run();
  EXPECT_LT(bus.stored, 1000U) << "that is behind, not ahead";
  // One of a node that was not asked, and one of a command that nobody gave.
  bus.commander.handle_acknowledgement(bus.now, Acknowledgement{9, 2, 3, CommandResult::kDone, 0});
  bus.commander.handle_acknowledgement(bus.now, Acknowledgement{1, 7, sequence, CommandResult::kDone, 0});
  EXPECT_EQ(bus.commander.metrics().unexpected, 2U);
}

TEST(Commander, NothingIsSentBeforeItsNumberIsDurable) {
  Bus bus{1, true, 100};
  bus.can_store = false;
  (void)bus.give(1, 3000);
  bus.step();
  EXPECT_TRUE(bus.sent.empty());
  EXPECT_EQ(bus.commander.poll_store(), std::nullopt) << "asked for once";
  bus.commander.handle_stored(bus.now, 100 + kCounterStep);
  bus.run();
  EXPECT_EQ(bus.packs[0].done, Values{3000});
  // One write for many orders.
  for (int i = 1; i < static_cast<int>(kCounterStep); ++i) {
    (void)bus.give(1, 3000 + i);
    bus.run();
  }
  EXPECT_EQ(bus.packs[0].done.size(), kCounterStep);
  (void)bus.give(1, 2000);
  bus.step();
  EXPECT_EQ(bus.packs[0].done.size(), kCounterStep);
  bus.commander.set_active(bus.now, false);
  bus.run();
  EXPECT_EQ(bus.events.back().counts, (OrderCounts{0, 0, 1})) << "how a host ends what it cannot store for";
}

TEST(Commander, OrdersToDifferentPacksDoNotWaitForEachOther) {
  Bus bus{3};
  bus.packs[0].is_on = false;
  const OrderTicket slow = bus.give(1, 1000);
  const OrderTicket fast = bus.give(2, 1001);
  const OrderTicket second = bus.give(1, 1002);
  const OrderTicket all = bus.give(kNodeAll, 1003);
  const OrderTicket last = bus.give(3, 1004);
  bus.step();
  EXPECT_EQ(bus.packs[1].done, Values{1001});
  EXPECT_TRUE(bus.packs[2].done.empty()) << "an order to all is before it";
  bus.run();
  EXPECT_EQ(bus.packs[1].done, (Values{1001, 1003}));
  EXPECT_EQ(bus.packs[2].done, (Values{1003, 1004}));
  for (const OrderTicket ticket : {slow, second}) {
    EXPECT_EQ(bus.counts(ticket), (OrderCounts{0, 0, 1}));
  }
  EXPECT_EQ(bus.counts(fast), (OrderCounts{1, 0, 0}));
  EXPECT_EQ(bus.counts(all), (OrderCounts{2, 0, 1}));
  EXPECT_EQ(bus.counts(last), (OrderCounts{1, 0, 0}));
}

TEST(Commander, APackThatNobodyExpectedIsTakenUp) {
  Bus bus{3};
  bus.nodes = {1, 2};
  bus.packs[1].is_on = false;  // keeps the order open
  const OrderTicket ticket = bus.give(kNodeAll, 3000);
  bus.run();
  EXPECT_EQ(bus.counts(ticket), (OrderCounts{2, 0, 1}));
  EXPECT_EQ(bus.outcome(ticket, 3).outcome, Outcome::kDone);
}

TEST(Commander, ThirtyTwoPacksAreAllTold) {
  Bus bus{kNodesMax + 1};
  const OrderTicket ticket = bus.give(kNodeAll, 3000);
  bus.run();
  EXPECT_EQ(bus.counts(ticket), (OrderCounts{kNodesMax, 0, 0}));
}

// Random loss, restarts and orders. Whatever happens: every order ends, each pack is told of once, nobody
// carries an order out twice or after a later one, and what is told as done was done.
void check_random_run(std::uint64_t seed, bool is_sealed) {
  Rng rng{seed};
  const std::size_t pack_count = 1 + rng.below(5);
  Bus bus{pack_count, is_sealed, rng.below(100'000)};
  const std::uint32_t loss = rng.below(400'000);
  bus.is_lost = [&](const Pack&, const CommandFrame*) { return rng.chance(loss); };
  std::map<OrderTicket, std::int32_t> values;
  std::int32_t value = 1000;
  for (int i = 0; i < 400; ++i) {
    if (rng.chance(60'000)) {
      const Node to = rng.chance(500'000) ? kNodeAll : static_cast<Node>(1 + rng.below(5));
      if (const auto ticket = bus.commander.order(bus.now, to, eco_limit(++value), bus.nodes); ticket.ok()) {
        values[*ticket] = value;
      }
    }
    if (is_sealed && rng.chance(80'000)) {
      bus.packs[rng.below(static_cast<std::uint32_t>(pack_count))].restart();
    }
    for (int step = rng.chance(500'000) ? 1 : 40; step > 0; --step) {
      bus.step();
    }
  }
  bus.run();
  std::map<OrderTicket, std::map<Node, Outcome>> told;
  std::set<OrderTicket> over;
  for (const CommanderEvent& event : bus.events) {
    ASSERT_FALSE(over.contains(event.ticket));
    if (event.kind == CommanderEvent::Kind::kOver) {
      over.insert(event.ticket);
    } else {
      ASSERT_TRUE(told[event.ticket].emplace(event.node, event.outcome).second);
    }
  }
  ASSERT_EQ(over.size(), values.size());
  for (const Pack& pack : bus.packs) {
    ASSERT_TRUE(std::ranges::is_sorted(pack.done)) << "an older order after a newer one";
    for (const auto& [ticket, wanted] : values) {
      const auto count = std::ranges::count(pack.done, wanted);
      ASSERT_LE(count, 1) << "twice";
      const auto outcome = told[ticket].find(pack.node);
      if (outcome != told[ticket].end() && outcome->second == Outcome::kDone) {
        ASSERT_EQ(count, 1) << "told as done, and was not";
      }
    }
  }
}

TEST(Commander, EndsEveryOrderAndDoesNothingTwiceWhateverIsLost) {
  for (std::uint64_t seed = 1; seed <= contract::repetitions(200U); ++seed) {
    check_random_run(seed, seed % 4 != 0);
    if (::testing::Test::HasFatalFailure()) {
      FAIL() << "seed " << seed;
    }
  }
}

struct CommanderAdapter {
  using Machine = Commander;
  static Machine make(std::uint64_t seed) {
    Commander commander{CommanderConfig{seed % 2 == 0, key(), seed * 50}};
    commander.set_active(TimePoint{}, true);
    return commander;
  }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    const std::array<Node, 3> nodes{1, 2, 3};
    const Node to = rng.chance(300'000) ? kNodeAll : static_cast<Node>(rng.below(5));
    const auto watts = static_cast<std::int32_t>(rng.below(200'000));
    (void)machine.order(now, to, eco_limit(watts), nodes);
    if (rng.chance(50'000)) {
      machine.set_active(now, rng.chance(700'000));
    }
    Acknowledgement answer;
    answer.node = static_cast<Node>(1 + rng.below(4));
    answer.opcode = static_cast<std::uint8_t>(Opcode::kSetValue);
    answer.sequence = static_cast<std::uint8_t>(rng.next());
    answer.result = static_cast<CommandResult>(rng.below(kCommandResultMax + 1));
    answer.detail = static_cast<std::uint32_t>(rng.next());
    machine.handle_acknowledgement(now, answer);
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    if (const auto counter = machine.poll_store()) {
      digest.add_number(static_cast<std::int64_t>(*counter));
      machine.handle_stored(now, *counter);
      return true;
    }
    if (const auto frame = machine.poll_transmit(now)) {
      digest.add_byte(frame->opcode);
      digest.add_byte(frame->sequence);
      return true;
    }
    if (const auto event = machine.poll_event()) {
      digest.add_number(event->ticket);
      digest.add_byte(static_cast<std::uint8_t>(event->outcome));
      return true;
    }
    return false;
  }
};

TEST(Commander, KeepsTheContractOfMachines) {
  contract::check_machine_contract<CommanderAdapter>();
}

}  // namespace
}  // namespace amphora::packnet
