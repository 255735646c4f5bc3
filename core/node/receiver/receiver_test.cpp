// SPDX-License-Identifier: Apache-2.0
// What the receiver does by itself; what it does together with transmitters is tested in sim/.
#include "core/node/receiver/receiver.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <vector>

#include "tests/contract/machine_contract.hpp"

namespace amphora::node {
namespace {

using namespace std::chrono_literals;
using Kind = link::RadioCommand::Kind;

constexpr NodeId kSelf{0x02'00'00'00'00'02};
constexpr NodeId kTransmitter{0x02'00'00'00'00'01};
constexpr NodeId kOther{0x02'00'00'00'00'03};
constexpr std::array kSections{state::SectionSpec{0, "metadata", false},
                               state::SectionSpec{1, "battery", true}};

ReceiverConfig config_of(link::Mode mode, std::uint64_t entropy = 1) {
  ReceiverConfig config;
  config.self = kSelf;
  config.mode = mode;
  config.channel = 6;
  config.own_sections = kSections;
  config.peer_sections = kSections;
  config.boot_epoch = 77;
  config.entropy = entropy;
  return config;
}

std::vector<std::uint8_t> encoded(const link::Message& message) {
  std::vector<std::uint8_t> bytes(link::kMessageSizeMax);
  bytes.resize(link::encode(message, bytes));
  return bytes;
}

// Runs the radio until it rests; the messages it sent in clear, by addressee.
std::vector<std::pair<NodeId, link::Message>> pump(ReceiverBase& receiver, TimePoint now) {
  std::vector<std::pair<NodeId, link::Message>> sent;
  std::array<std::uint8_t, link::kPayloadSizeMax> out{};
  while (const auto command = receiver.poll_radio(now, out)) {
    if (command->kind == Kind::kTune) {
      receiver.handle_tuned(now, true);
      continue;
    }
    receiver.handle_sent(now, link::SendStatus::kAcked);
    if (const auto message = link::decode(ByteSpan{out}.first(command->size)); message.ok()) {
      sent.emplace_back(command->to, *message);
    }
  }
  return sent;
}

TEST(Receiver, TunesToItsChannelAndListens) {
  Receiver<2> receiver{config_of(link::Mode::kSealed)};
  std::array<std::uint8_t, link::kPayloadSizeMax> out{};
  EXPECT_FALSE(receiver.poll_radio(TimePoint{1s}, out).has_value());
  receiver.handle_radio(TimePoint{1s}, true);
  const auto command = receiver.poll_radio(TimePoint{1s}, out);
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, Kind::kTune);
  EXPECT_EQ(command->channel, 6);
  receiver.handle_tuned(TimePoint{1s}, true);
  EXPECT_FALSE(receiver.poll_radio(TimePoint{1s}, out).has_value()) << "nobody is known";

  receiver.set_channel(TimePoint{2s}, 11);
  EXPECT_EQ(receiver.poll_radio(TimePoint{2s}, out)->channel, 11);
}

TEST(Receiver, AnswersTheProbesOfThoseItKnowsOnly) {
  Receiver<2> receiver{config_of(link::Mode::kSealed)};
  const TimePoint now{1s};
  receiver.handle_radio(now, true);
  ASSERT_TRUE(receiver.add_peer(now, {kTransmitter, {}}));
  EXPECT_FALSE(receiver.add_peer(now, {kTransmitter, {}})) << "known already";
  (void)pump(receiver, now);
  receiver.handle_frame(now, kOther, encoded(link::Probe{1}));
  EXPECT_TRUE(pump(receiver, now).empty());
  EXPECT_EQ(receiver.foreign_frame_count(), 1U);
  receiver.handle_frame(now, kTransmitter, encoded(link::Probe{42}));
  const auto sent = pump(receiver, now);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].first, kTransmitter);
  EXPECT_EQ(std::get<link::ProbeAck>(sent[0].second), (link::ProbeAck{42, 6, link::kProtocolVersion, 77}));
}

TEST(Receiver, InPlainModeTakesInWhoProbesWhileThereIsRoom) {
  Receiver<2> receiver{config_of(link::Mode::kPlain)};
  const TimePoint now{1s};
  receiver.handle_radio(now, true);
  for (std::uint64_t node = 1; node <= 3; ++node) {
    receiver.handle_frame(now, NodeId{node}, encoded(link::Probe{1}));
  }
  EXPECT_NE(receiver.peer(NodeId{1}), nullptr);
  EXPECT_NE(receiver.peer(NodeId{2}), nullptr);
  EXPECT_EQ(receiver.peer(NodeId{3}), nullptr);
  EXPECT_TRUE(receiver.remove_peer(now, NodeId{1}));
  EXPECT_FALSE(receiver.remove_peer(now, NodeId{1}));
  receiver.handle_frame(now, NodeId{3}, encoded(link::Probe{1}));
  EXPECT_NE(receiver.peer(NodeId{3}), nullptr);
}

TEST(Receiver, KeepsItsOwnSettingsApartFromThoseOfAPeer) {
  Receiver<2> receiver{config_of(link::Mode::kSealed)};
  const TimePoint now{1s};
  ASSERT_TRUE(receiver.set_wall_time(now, WallTime{1'700'000'000'000}));
  ASSERT_TRUE(receiver.add_peer(now, {kTransmitter, {}}));
  const std::array<std::uint8_t, 1> value{5};
  ASSERT_TRUE(receiver.replica(kSelf)->change(now, 1, value).ok());
  EXPECT_EQ(receiver.replica(kTransmitter)->current(1).version, 0U);
  const auto request = receiver.poll_store(now);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->owner, kSelf);
  EXPECT_EQ(receiver.replica(kOther), nullptr);
  // Metadata belongs to the transmitter alone.
  EXPECT_EQ(receiver.replica(kTransmitter)->change(now, 0, value).error(), state::Refusal::kReadOnly);
}

TEST(Receiver, OfOneTransmitterFitsAMicrocontroller) {
  std::printf("a receiver takes %zu bytes, each transmitter %zu more\n",
              sizeof(Receiver<1>) - sizeof(ReceiverBase::PeerSlot), sizeof(ReceiverBase::PeerSlot));
  EXPECT_LT(sizeof(Receiver<1>), 48U * 1024U);
}

struct Adapter {
  using Machine = Receiver<2>;
  static Machine make(std::uint64_t seed) {
    return Receiver<2>{config_of((seed & 1U) != 0 ? link::Mode::kSealed : link::Mode::kPlain, seed)};
  }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    std::array<std::uint8_t, 64> noise{};
    for (std::uint8_t& byte : noise) {
      byte = static_cast<std::uint8_t>(rng.next());
    }
    constexpr std::array<std::uint8_t, 8> kTypes{0x01, 0x02, 0x11, 0x13, 0x40, 0x41, 0x42, 0x11};
    noise[0] = kTypes[rng.below(kTypes.size())];
    const auto number = static_cast<std::uint32_t>(rng.next());
    const NodeId node = (number & 1U) != 0 ? kTransmitter : kOther;
    switch (rng.below(9)) {
      case 0:
        return machine.handle_radio(now, (number & 6U) != 0);
      case 1:
        return machine.handle_sent(now, static_cast<link::SendStatus>(number % 3));
      case 2:
        return machine.handle_tuned(now, (number & 2U) != 0);
      case 3:
        (void)machine.add_peer(now, {node, {}});
        return;
      case 4:
        if ((number & 14U) == 0) {
          (void)machine.remove_peer(now, node);
        }
        return;
      case 5:
        return machine.set_channel(now, static_cast<std::uint8_t>(number & 0xFU));
      case 6:
        (void)machine.replica(kSelf)->change(now, static_cast<state::SectionId>(number & 3U), noise);
        return machine.settle(now);
      case 7:
        return machine.handle_frame(now, node, encoded(link::Probe{number}));
      default:
        return machine.handle_frame(now, node, ByteSpan{noise}.first(1 + number % 64));
    }
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    std::array<std::uint8_t, link::kPayloadSizeMax> out{};
    if (const auto command = machine.poll_radio(now, out)) {
      digest.add(ByteSpan{out}.first(command->size));
      digest.add_byte(command->channel);
      command->kind == Kind::kTune ? machine.handle_tuned(now, true)
                                   : machine.handle_sent(now, link::SendStatus::kAcked);
      return true;
    }
    if (const auto request = machine.poll_store(now)) {
      machine.replica(request->owner)->handle_stored(now, request->request.section, request->request.ticket);
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
TEST(Receiver, KeepsTheMachineContract) {
  contract::check_machine_contract<Adapter>();
}

}  // namespace
}  // namespace amphora::node
