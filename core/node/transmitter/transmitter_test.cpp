// SPDX-License-Identifier: Apache-2.0
// What the transmitter does by itself; what it does together with a receiver is tested in sim/.
#include "core/node/transmitter/transmitter.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <set>
#include <vector>

#include "tests/contract/machine_contract.hpp"

namespace amphora::node {
namespace {

using namespace std::chrono_literals;
using Kind = link::RadioCommand::Kind;

constexpr NodeId kThisNode{0x02'00'00'00'00'01};
constexpr NodeId kPeer{0x02'00'00'00'00'02};
constexpr std::array kSentSections{state::SectionSpec{0, "metadata", false},
                                   state::SectionSpec{1, "battery", true}};

TransmitterConfig config_of(link::Mode mode, NodeId peer, std::uint64_t entropy = 1) {
  TransmitterConfig config;
  config.self = kThisNode;
  config.mode = mode;
  config.peer.node = peer;
  config.sections = kSentSections;
  config.entropy = entropy;
  return config;
}

std::vector<std::uint8_t> encoded_message(const link::Message& message) {
  std::vector<std::uint8_t> bytes(link::kMessageSizeMax);
  bytes.resize(link::encode(message, bytes));
  return bytes;
}

TEST(Transmitter, IsSilentWithoutARadioOrAPeer) {
  std::array<std::uint8_t, link::kPayloadSizeMax> out{};
  Transmitter down{config_of(link::Mode::kPlain, kPeer)};
  EXPECT_EQ(down.phase(), TransmitterPhase::kRadioDown);
  EXPECT_FALSE(down.poll_radio(TimePoint{1s}, out).has_value());

  Transmitter unpaired{config_of(link::Mode::kSealed, NodeId{})};
  unpaired.handle_radio(TimePoint{1s}, true);
  EXPECT_EQ(unpaired.phase(), TransmitterPhase::kUnpaired);
  EXPECT_FALSE(unpaired.poll_radio(TimePoint{1s}, out).has_value());
}

TEST(Transmitter, HasOneRadioCommandUnderWay) {
  std::array<std::uint8_t, link::kPayloadSizeMax> out{};
  Transmitter transmitter{config_of(link::Mode::kSealed, kPeer)};
  transmitter.handle_radio(TimePoint{1s}, true);
  const auto tune = transmitter.poll_radio(TimePoint{1s}, out);
  ASSERT_TRUE(tune.has_value());
  EXPECT_EQ(tune->kind, Kind::kTune);
  EXPECT_FALSE(transmitter.poll_radio(TimePoint{1s}, out).has_value());
  transmitter.handle_tuned(TimePoint{1s}, true);
  const auto probe = transmitter.poll_radio(TimePoint{1s}, out);
  ASSERT_TRUE(probe.has_value());
  EXPECT_EQ(probe->kind, Kind::kSend);
  EXPECT_EQ(probe->to, kEverybody);
}

TEST(Transmitter, ARadioThatNeverReportsIsAskedAgain) {
  std::array<std::uint8_t, link::kPayloadSizeMax> out{};
  Transmitter transmitter{config_of(link::Mode::kSealed, kPeer)};
  TimePoint now{1s};
  transmitter.handle_radio(now, true);
  std::size_t commands = 0;
  for (int i = 0; i < 1000 && commands < 10; ++i) {
    transmitter.handle_timeout(now);
    while (transmitter.poll_radio(now, out)) {
      ++commands;
    }
    ASSERT_NE(transmitter.poll_timeout(), kNever);
    now = std::max(now + 1us, transmitter.poll_timeout());
  }
  EXPECT_EQ(commands, 10U);
  EXPECT_GE(transmitter.unreported_count(), 9U);
}

TEST(Transmitter, AnswersOfStrangersAreCountedAndDropped) {
  std::array<std::uint8_t, link::kPayloadSizeMax> out{};
  Transmitter transmitter{config_of(link::Mode::kSealed, kPeer)};
  const TimePoint now{1s};
  transmitter.handle_radio(now, true);
  (void)transmitter.poll_radio(now, out);
  transmitter.handle_tuned(now, true);
  const auto probe = transmitter.poll_radio(now, out);
  ASSERT_TRUE(probe.has_value());
  transmitter.handle_sent(now, link::SendStatus::kAcked);
  const auto message = link::decode(ByteSpan{out}.first(probe->size));
  const std::uint32_t sequence = std::get<link::Probe>(*message).sequence;
  const auto ack = encoded_message(link::ProbeAck{sequence, 1, link::kProtocolVersion, 1});
  transmitter.handle_frame(now, NodeId{0x99}, ack);
  EXPECT_EQ(transmitter.phase(), TransmitterPhase::kSearching);
  EXPECT_EQ(transmitter.foreign_frame_count(), 1U);
  transmitter.handle_frame(now, kPeer, ack);
  EXPECT_EQ(transmitter.phase(), TransmitterPhase::kVerifying);
}

// Somebody with our peer's address answers probes, but cannot speak: the search goes on.
TEST(Transmitter, AnAnswerAloneIsNoLink) {
  std::array<std::uint8_t, link::kPayloadSizeMax> out{};
  Transmitter transmitter{config_of(link::Mode::kSealed, kPeer)};
  TimePoint now{1s};
  transmitter.handle_radio(now, true);
  std::set<std::uint8_t> channels;
  const TimePoint end = now + 20s;
  while (now < end) {
    transmitter.handle_timeout(now);
    while (const auto command = transmitter.poll_radio(now, out)) {
      if (command->kind == Kind::kTune) {
        channels.insert(command->channel);
        transmitter.handle_tuned(now, true);
        continue;
      }
      transmitter.handle_sent(now, link::SendStatus::kAcked);
      const auto message = link::decode(ByteSpan{out}.first(command->size));
      if (const auto* probe = message.ok() ? std::get_if<link::Probe>(&*message) : nullptr) {
        transmitter.handle_frame(
            now, kPeer,
            encoded_message(link::ProbeAck{probe->sequence, command->channel, link::kProtocolVersion, 1}));
      }
    }
    EXPECT_NE(transmitter.phase(), TransmitterPhase::kLinked);
    now = std::max(now + 1us, transmitter.poll_timeout());
  }
  EXPECT_EQ(channels.size(), 13U);
}

// All of its memory is inside the object. An ESP32-class chip has 320 KB, of which Wi-Fi takes the larger
// half.
TEST(Transmitter, FitsAMicrocontroller) {
  std::printf("a transmitter takes %zu bytes, its queue %zu of them\n", sizeof(Transmitter),
              sizeof(telemetry::Sender<>));
  EXPECT_LT(sizeof(Transmitter), 64U * 1024U);
}

struct TransmitterAdapter {
  using Machine = Transmitter;
  static Machine make(std::uint64_t seed) {
    return Transmitter{config_of((seed & 1U) != 0 ? link::Mode::kSealed : link::Mode::kPlain,
                                 (seed & 2U) != 0 ? kPeer : NodeId{}, seed)};
  }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    std::array<std::uint8_t, 64> noise{};
    for (std::uint8_t& byte : noise) {
      byte = static_cast<std::uint8_t>(rng.next());
    }
    constexpr std::array<std::uint8_t, 8> kTypes{0x01, 0x02, 0x10, 0x12, 0x40, 0x41, 0x42, 0x13};
    noise[0] = kTypes[rng.below(kTypes.size())];
    const auto number = static_cast<std::uint32_t>(rng.next());
    switch (rng.below(10)) {
      case 0:
        return machine.handle_radio(now, (number & 3U) != 0);
      case 1:
        return machine.handle_sent(now, static_cast<link::SendStatus>(number % 3));
      case 2:
        return machine.handle_tuned(now, (number & 1U) != 0);
      case 3:
        (void)machine.add_reading(now, noise, 1);
        return;
      case 4:
        return machine.set_status(now, static_cast<std::uint8_t>(number));
      case 5:
        (void)machine.set_wall_time(now, WallTime{1'700'000'000'000 + number});
        return;
      case 6: {
        (void)machine.replica().change(now, static_cast<state::SectionId>(number & 3U), noise);
        return machine.settle(now);
      }
      case 7:
        return machine.set_peer(now, {(number & 1U) != 0 ? kPeer : NodeId{}, {}});
      case 8: {
        const auto ack = encoded_message(link::ProbeAck{number, 6, {}, {}});
        return machine.handle_frame(now, kPeer, ack);
      }
      default:
        return machine.handle_frame(now, kPeer, ByteSpan{noise}.first(1 + number % 64));
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    std::array<std::uint8_t, link::kPayloadSizeMax> out{};
    if (const auto command = machine.poll_radio(now, out)) {
      digest.add(ByteSpan{out}.first(command->size));
      digest.add_byte(command->channel);
      // Half of the commands are reported at once, the others by feed() or never.
      if (command->kind == Kind::kTune) {
        machine.handle_tuned(now, true);
      } else if (command->size % 2 == 0) {
        machine.handle_sent(now, link::SendStatus::kAcked);
      }
      return true;
    }
    if (const auto request = machine.replica().poll_store(now)) {
      machine.replica().handle_stored(now, request->section, request->ticket);
      machine.settle(now);
      return true;
    }
    const auto event = machine.poll_event();
    if (event) {
      digest.add_number(to_microseconds(event->at));
      digest.add_byte(static_cast<std::uint8_t>(event->what.index()));
    }
    return event.has_value();
  }
};
TEST(Transmitter, KeepsTheMachineContract) {
  contract::check_machine_contract<TransmitterAdapter>();
}

}  // namespace
}  // namespace amphora::node
