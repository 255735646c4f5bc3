// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/command.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/contract/machine_contract.hpp"

namespace amphora::packnet {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{100s};

crypto::Key key() {
  crypto::Key bus{};
  bus[0] = 7;
  return command_key(bus, 0x1234);
}

Command eco_limit(std::int32_t watts) {
  return Command{Opcode::kSetValue, {static_cast<std::int32_t>(ValueId::kEcoLimit), watts}};
}

struct Gate {
  explicit Gate(bool is_sealed, std::uint64_t floor = 0) : gate{GateConfig{is_sealed, key(), floor}} {}

  void send(TimePoint now, const CommandFrame& frame, std::uint64_t counter) {
    gate.handle_frame(now, frame);
    gate.handle_frame(now, make_seal(key(), counter, frame));
  }
  // Stores what wants to be stored, carries out what comes and gives all acknowledgements.
  std::vector<Acknowledgement> pump(TimePoint now) {
    if (const auto floor = gate.poll_store()) {
      ++writes;
      stored = *floor;
      gate.handle_stored(now, *floor);
    }
    while (const auto command = gate.poll_command()) {
      done.push_back(command->command);
      gate.finish(now, command->ticket, CommandResult::kDone);
    }
    std::vector<Acknowledgement> answers;
    while (const auto answer = gate.poll_transmit(now)) {
      answers.push_back(*answer);
    }
    return answers;
  }

  CommandGate gate;
  std::vector<Command> done;
  std::uint64_t stored = 0;
  int writes = 0;
};

TEST(PackCommand, EveryOpcodeSurvivesTheWireAtBothEndsOfItsRanges) {
  for (const OpcodeInfo& info : kOpcodes) {
    for (const bool is_high : {false, true}) {
      Command command{info.opcode, {}};
      for (std::size_t i = 0; i < kArgumentsMax; ++i) {
        command.arguments[i] = is_high ? info.arguments[i].max : info.arguments[i].min;
      }
      if (info.opcode == Opcode::kSetValue) {
        command.arguments[1] = is_high ? kValues.back().max : kValues.front().min;
      }
      ASSERT_FALSE(check(command)) << info.name;
      const CommandFrame frame = encode_command(5, 9, command);
      EXPECT_EQ(frame.size, info.size()) << info.name;
      EXPECT_EQ(decode_command(frame).command, command) << info.name;
    }
  }
}

TEST(PackCommand, BadOnesAreRefusedWithTheReason) {
  EXPECT_EQ(decode_command(CommandFrame{5, 0x77, 1, 0, {}}).error.result, CommandResult::kUnknownOpcode);
  EXPECT_EQ(decode_command(CommandFrame{5, 0x01, 1, 1, {}}).error.result, CommandResult::kBadLength);
  const DecodedCommand mode = decode_command(CommandFrame{5, 0x01, 1, 2, {0, 2}});
  EXPECT_EQ(mode.error.result, CommandResult::kOutOfRange);
  EXPECT_EQ(mode.error.argument, 1);
  EXPECT_EQ(check(eco_limit(99))->argument, 1);
  EXPECT_EQ(check(eco_limit(100'001))->argument, 1);
  EXPECT_EQ(check(Command{Opcode::kSetValue, {7, 5}})->argument, 0);
  EXPECT_EQ(check(Command{Opcode::kRestart, {1}})->argument, 0);
  EXPECT_EQ(check(Command{Opcode::kSetWindow, {0, 127, 20, 20}})->argument, 3);
  EXPECT_FALSE(check(Command{Opcode::kSetWindow, {0, 0, 0, 0}})) << "removes the window";
}

TEST(CommandGate, PlainCommandsCountAsTheyAre) {
  Gate gate{false};
  gate.gate.handle_frame(kNow, encode_command(5, 1, eco_limit(3000)));
  const auto answers = gate.pump(kNow);
  ASSERT_EQ(gate.done.size(), 1U);
  EXPECT_EQ(gate.done[0], eco_limit(3000));
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0], (Acknowledgement{0, 2, 1, CommandResult::kDone, 0}));
  gate.gate.handle_frame(kNow, CommandFrame{5, 0x01, 2, 2, {9, 0}});
  EXPECT_EQ(gate.pump(kNow), (std::vector{Acknowledgement{0, 1, 2, CommandResult::kOutOfRange, 0}}));
  EXPECT_EQ(gate.writes, 0);
}

TEST(CommandGate, ARepetitionIsAnsweredAgainAndNotCarriedOutAgain) {
  Gate gate{false};
  const CommandFrame frame = encode_command(5, 1, eco_limit(3000));
  gate.gate.handle_frame(kNow, frame);
  (void)gate.pump(kNow);
  gate.gate.handle_frame(kNow + 200ms, frame);
  EXPECT_EQ(gate.pump(kNow + 200ms).size(), 1U);
  EXPECT_EQ(gate.done.size(), 1U);
  gate.gate.handle_frame(kNow + 6s, frame);
  (void)gate.pump(kNow + 6s);
  EXPECT_EQ(gate.done.size(), 2U) << "sequences come round again";
}

TEST(CommandGate, ASealedCommandIsStoredFirstAndThenCarriedOut) {
  Gate gate{true};
  const CommandFrame frame = encode_command(kNodeAll, 1, eco_limit(3000));
  gate.send(kNow, frame, 10);
  EXPECT_EQ(gate.gate.poll_command(), std::nullopt) << "the floor is not yet durable";
  EXPECT_EQ(gate.pump(kNow).size(), 1U);
  EXPECT_EQ(gate.done.size(), 1U);
  EXPECT_EQ(gate.stored, 10U + kFloorStep);
  for (std::uint64_t counter = 11; counter < 10 + kFloorStep; ++counter) {
    gate.send(kNow, encode_command(5, static_cast<std::uint8_t>(counter), eco_limit(3000)), counter);
    (void)gate.pump(kNow);
  }
  EXPECT_EQ(gate.done.size(), kFloorStep);
  EXPECT_EQ(gate.writes, 1) << "one write for many commands";
}

TEST(CommandGate, UnsealedIsRefusedWhereSealsAreWanted) {
  Gate gate{true};
  gate.gate.handle_frame(kNow, encode_command(5, 1, eco_limit(3000)));
  EXPECT_TRUE(gate.pump(kNow).empty());
  gate.gate.handle_timeout(kNow + kSealWait);
  const auto answers = gate.pump(kNow + kSealWait);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].result, CommandResult::kNotAuthentic);
  EXPECT_TRUE(gate.done.empty());
}

TEST(CommandGate, EveryChangedBitOfCommandOrSealIsRefused) {
  const CommandFrame frame = encode_command(5, 1, eco_limit(3000));
  const CommandFrame seal = make_seal(key(), 10, frame);
  for (unsigned bit = 0; bit < 40; ++bit) {
    CommandFrame altered = frame;
    altered.arguments[bit / 8] = static_cast<std::uint8_t>(altered.arguments[bit / 8] ^ (1U << (bit % 8)));
    Gate gate{true};
    gate.gate.handle_frame(kNow, altered);
    gate.gate.handle_frame(kNow, seal);
    (void)gate.pump(kNow);
    EXPECT_TRUE(gate.done.empty()) << bit;
  }
  for (unsigned bit = 0; bit < 48; ++bit) {
    CommandFrame altered = seal;
    altered.arguments[bit / 8] = static_cast<std::uint8_t>(altered.arguments[bit / 8] ^ (1U << (bit % 8)));
    Gate gate{true};
    gate.gate.handle_frame(kNow, frame);
    gate.gate.handle_frame(kNow, altered);
    (void)gate.pump(kNow);
    EXPECT_TRUE(gate.done.empty()) << bit;
  }
  // For another node, or from another gateway.
  CommandFrame moved = frame;
  moved.to = 6;
  CommandFrame moved_seal = seal;
  moved_seal.to = 6;
  Gate gate{true};
  gate.gate.handle_frame(kNow, moved);
  gate.gate.handle_frame(kNow, moved_seal);
  gate.gate.handle_frame(kNow, frame);
  gate.gate.handle_frame(kNow, make_seal(command_key(crypto::Key{}, 0x1234), 10, frame));
  (void)gate.pump(kNow);
  EXPECT_TRUE(gate.done.empty());
  EXPECT_EQ(gate.gate.metrics().not_authentic, 2U);
}

TEST(CommandGate, AReplayIsRefusedAlsoAfterARestart) {
  Gate gate{true};
  const CommandFrame frame = encode_command(5, 1, eco_limit(3000));
  gate.send(kNow, frame, 70'000);
  (void)gate.pump(kNow);
  ASSERT_EQ(gate.done.size(), 0U) << "the gateway is too far ahead for sixteen bits";

  Gate near{true, 69'000};
  near.send(kNow, frame, 70'000);
  (void)near.pump(kNow);
  ASSERT_EQ(near.done.size(), 1U);
  near.send(kNow + 10s, frame, 70'000);
  auto answers = near.pump(kNow + 10s);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].result, CommandResult::kReplayed);
  EXPECT_EQ(answers[0].detail, 70'001U);

  Gate restarted{true, near.stored};
  restarted.send(kNow, frame, 70'000);
  answers = restarted.pump(kNow);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].result, CommandResult::kReplayed);
  EXPECT_EQ(answers[0].detail, 70'000U + kFloorStep) << "tells the gateway where to go on";
  restarted.send(kNow, encode_command(5, 2, eco_limit(3000)), answers[0].detail);
  (void)restarted.pump(kNow);
  EXPECT_EQ(restarted.done.size(), 1U);
}

TEST(CommandGate, AnEpochLetsAPackCatchUpThatIsFarBehind) {
  constexpr std::uint64_t kFar = 0x1234'5678'9ABCU;
  const CommandFrame frame = encode_command(5, 1, eco_limit(3000));
  Gate gate{true};
  gate.gate.handle_frame(kNow, make_epoch(kFar, encode_command(6, 1, eco_limit(3000))));
  gate.send(kNow, frame, kFar);
  EXPECT_EQ(gate.pump(kNow).at(0).result, CommandResult::kNotAuthentic) << "for another node";
  gate.gate.handle_frame(kNow, make_epoch(kFar + 0x1'0000, frame));
  gate.send(kNow, frame, kFar);
  EXPECT_EQ(gate.pump(kNow).at(0).result, CommandResult::kNotAuthentic) << "the seal covers all of it";
  gate.send(kNow, frame, kFar);
  EXPECT_EQ(gate.pump(kNow).at(0).result, CommandResult::kNotAuthentic) << "an epoch is for one seal";
  EXPECT_EQ(gate.gate.floor(), 0U);
  gate.gate.handle_frame(kNow, make_epoch(kFar, frame));
  gate.send(kNow, frame, kFar);
  EXPECT_EQ(gate.pump(kNow).at(0).result, CommandResult::kDone);
  EXPECT_EQ(gate.gate.floor(), kFar + 1);
  EXPECT_EQ(gate.stored, kFar + kFloorStep);
  // The same again, and an older counter that was never used: neither is carried out.
  gate.gate.handle_frame(kNow, make_epoch(kFar, frame));
  gate.send(kNow, frame, kFar);
  EXPECT_EQ(gate.pump(kNow).at(0).result, CommandResult::kDone);
  const CommandFrame other = encode_command(5, 2, eco_limit(3000));
  gate.gate.handle_frame(kNow, make_epoch(0x1'0000, other));
  gate.send(kNow, other, 0x1'0000);
  EXPECT_EQ(gate.pump(kNow).at(0).result, CommandResult::kReplayed);
  EXPECT_EQ(gate.done.size(), 1U);
}

TEST(CommandGate, GuessingClosesTheGate) {
  Gate gate{true};
  const CommandFrame frame = encode_command(5, 1, eco_limit(3000));
  for (int i = 0; i < kSealTriesMax; ++i) {
    CommandFrame seal = make_seal(key(), 10, frame);
    seal.arguments[4] = static_cast<std::uint8_t>(seal.arguments[4] + 1 + i);
    gate.gate.handle_frame(kNow, frame);
    gate.gate.handle_frame(kNow, seal);
  }
  EXPECT_EQ(gate.gate.poll_event()->kind, GateEvent::Kind::kClosed);
  gate.send(kNow + 1s, frame, 10);
  (void)gate.pump(kNow + 1s);
  EXPECT_TRUE(gate.done.empty()) << "even a good one";
  gate.gate.handle_timeout(kNow + kGateClosed);
  gate.send(kNow + kGateClosed, frame, 10);
  (void)gate.pump(kNow + kGateClosed);
  EXPECT_EQ(gate.done.size(), 1U);
}

TEST(CommandGate, AFullQueueSaysBusy) {
  Gate gate{false};
  for (std::uint8_t i = 0; i < kCommandQueue + 1; ++i) {
    gate.gate.handle_frame(kNow, encode_command(5, i, eco_limit(3000)));
  }
  const auto answer = gate.gate.poll_transmit(kNow);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->result, CommandResult::kBusy);
  EXPECT_EQ(gate.gate.metrics().dropped, 1U);
}

struct CommandAdapter {
  using Machine = CommandGate;
  static Machine make(std::uint64_t seed) { return CommandGate{GateConfig{seed % 2 == 0, key(), seed * 50}}; }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    CommandFrame frame = encode_command(5, static_cast<std::uint8_t>(rng.below(4)), eco_limit(3000));
    frame.opcode = static_cast<std::uint8_t>(rng.chance(300'000) ? rng.below(12) : frame.opcode);
    machine.handle_frame(now, frame);
    if (rng.chance(100'000)) {
      machine.handle_frame(now, make_epoch(rng.next() & kCounterMax, frame));
    }
    if (rng.chance(700'000)) {
      CommandFrame seal = make_seal(key(), machine.floor() + rng.below(3), frame);
      if (rng.chance(300'000)) {
        seal.arguments[3] ^= 1U;
      }
      machine.handle_frame(now, seal);
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    if (const auto floor = machine.poll_store()) {
      digest.add_number(static_cast<std::int64_t>(*floor));
      machine.handle_stored(now, *floor);
      return true;
    }
    if (const auto command = machine.poll_command()) {
      digest.add_number(command->ticket);
      machine.finish(now, command->ticket, CommandResult::kDone);
      return true;
    }
    if (const auto answer = machine.poll_transmit(now)) {
      digest.add_byte(static_cast<std::uint8_t>(answer->result));
      return true;
    }
    if (const auto event = machine.poll_event()) {
      digest.add_byte(static_cast<std::uint8_t>(event->kind));
      return true;
    }
    return false;
  }
};

TEST(CommandGate, KeepsTheContractOfMachines) {
  contract::check_machine_contract<CommandAdapter>();
}

}  // namespace
}  // namespace amphora::packnet
