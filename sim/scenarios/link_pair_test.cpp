// SPDX-License-Identifier: Apache-2.0
// A transmitter and a receiver with nothing between them but a few lines of air: every frame arrives a
// millisecond later, on the right channel only. What the machines promise together, without any fault; the
// faults are the link world's business.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/rng.hpp"
#include "core/node/receiver/receiver.hpp"
#include "core/node/transmitter/transmitter.hpp"

namespace amphora::node {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

constexpr NodeId kBatterySide{0x02'00'00'00'00'01};
constexpr NodeId kHouseSide{0x02'00'00'00'00'02};
constexpr std::array kSections{state::SectionSpec{0, "metadata", false},
                               state::SectionSpec{1, "battery", true},
                               state::SectionSpec{2, "display", true}};
constexpr Duration kAirtime = 1ms;

class Air {
 public:
  explicit Air(link::Mode mode = link::Mode::kSealed, std::uint8_t channel = 6) {
    crypto::Key key{};
    key.fill(9);
    transmitter_config.self = kBatterySide;
    transmitter_config.mode = mode;
    transmitter_config.sections = kSections;
    transmitter_config.entropy = 11;
    transmitter_config.queue.epoch = 5;
    receiver_config.self = kHouseSide;
    receiver_config.mode = mode;
    receiver_config.channel = channel;
    receiver_config.own_sections = kSections;
    receiver_config.peer_sections = kSections;
    receiver_config.entropy = 22;
    if (mode == link::Mode::kSealed) {
      transmitter_config.peer = {kHouseSide, key};
    }
    boot_transmitter();
    boot_receiver();
  }

  void boot_transmitter() {
    ++transmitter_config.entropy;
    ++transmitter_config.queue.epoch;
    transmitter = std::make_unique<Transmitter>(transmitter_config);
    for (const auto& [section, record] : stored[kBatterySide]) {
      EXPECT_TRUE(transmitter->replica().restore(section, record).ok());
    }
    EXPECT_TRUE(transmitter->set_wall_time(now, WallTime{1'700'000'000'000}));
    transmitter->handle_radio(now, true);
    transmitter_report = kNever;
  }
  void boot_receiver() {
    ++receiver_config.entropy;
    receiver = std::make_unique<Receiver<2>>(receiver_config);
    if (receiver_config.mode == link::Mode::kSealed) {
      EXPECT_TRUE(receiver->add_peer(now, {kBatterySide, transmitter_config.peer.link_key}));
      for (const auto& [section, record] : stored[kHouseSide]) {
        EXPECT_TRUE(receiver->peer(kBatterySide)->replica().restore(section, record).ok());
      }
      if (!delivered.empty()) {
        receiver->peer(kBatterySide)
            ->readings()
            .restore(delivered.back().epoch, delivered.back().entry.sequence);
      }
    }
    receiver->handle_radio(now, true);
    receiver_report = kNever;
  }

  // Until `done()` or the time is over; true when done.
  template <typename Done>
  bool run_until(Duration limit, Done done) {
    const TimePoint end = now + limit;
    while (now <= end) {
      step();
      if (done()) {
        return true;
      }
      now = earliest(next_due(), end + 1us);
    }
    return false;
  }
  void run(Duration length) {
    (void)run_until(length, [] { return false; });
  }

  bool is_linked() const {
    const ReceiverPeer* peer = receiver->peer(kBatterySide);
    return transmitter->phase() == TransmitterPhase::kLinked && peer != nullptr &&
           peer->connection().is_active();
  }
  bool is_synchronised() const {
    return is_linked() && transmitter->connection()->exchange().is_synchronised() &&
           receiver->peer(kBatterySide)->connection().exchange().is_synchronised();
  }

  TimePoint now{1s};
  TransmitterConfig transmitter_config;
  ReceiverConfig receiver_config;
  std::unique_ptr<Transmitter> transmitter;
  std::unique_ptr<Receiver<2>> receiver;
  bool is_receiver_deaf = false;
  std::map<NodeId, std::map<state::SectionId, state::Record>> stored;
  std::vector<telemetry::Delivery> delivered;
  std::vector<telemetry::LiveCells> cells;
  std::vector<Bytes> heard;  // everything on the air
  std::size_t frame_count = 0;

 private:
  struct Flight {
    TimePoint at;
    NodeId from;
    NodeId to;
    std::uint8_t channel;
    Bytes bytes;
  };

  TimePoint next_due() const {
    TimePoint next = earliest(transmitter->poll_timeout(), receiver->poll_timeout());
    next = earliest(next, earliest(transmitter_report, receiver_report));
    return flights.empty() ? next : earliest(next, flights.front().at);
  }

  void step() {
    for (int round = 0; round < 100; ++round) {
      deliver();
      report();
      transmitter->handle_timeout(now);
      receiver->handle_timeout(now);
      store();
      const bool any_sent = transmit();
      if (!any_sent && next_due() > now) {
        return;
      }
    }
    FAIL() << "the nodes never come to rest";
  }

  void deliver() {
    while (!flights.empty() && flights.front().at <= now) {
      const Flight flight = flights.front();
      flights.pop_front();
      if (flight.from == kBatterySide && flight.channel == receiver_config.channel && !is_receiver_deaf) {
        receiver->handle_frame(now, flight.from, flight.bytes, -40);
      }
      if (flight.from == kHouseSide && flight.channel == transmitter_channel) {
        transmitter->handle_frame(now, flight.from, flight.bytes, -41);
      }
    }
  }

  void report() {
    if (transmitter_report <= now) {
      transmitter_report = kNever;
      if (transmitter_tunes) {
        transmitter->handle_tuned(now, true);
      } else {
        const bool is_heard = transmitter_channel == receiver_config.channel && !is_receiver_deaf;
        transmitter->handle_sent(
            now, is_heard || was_broadcast ? link::SendStatus::kAcked : link::SendStatus::kNoAck);
      }
    }
    if (receiver_report <= now) {
      receiver_report = kNever;
      if (receiver_tunes) {
        receiver->handle_tuned(now, true);
      } else {
        receiver->handle_sent(now, transmitter_channel == receiver_config.channel ? link::SendStatus::kAcked
                                                                                  : link::SendStatus::kNoAck);
      }
    }
  }

  void store() {
    while (const auto request = transmitter->replica().poll_store(now)) {
      stored[kBatterySide][request->section] = request->record;
      transmitter->replica().handle_stored(now, request->section, request->ticket);
      transmitter->settle(now);
    }
    while (const auto request = receiver->poll_store(now)) {
      if (request->owner == kBatterySide) {
        stored[kHouseSide][request->request.section] = request->request.record;
      }
      receiver->replica(request->owner)
          ->handle_stored(now, request->request.section, request->request.ticket);
      receiver->settle(now);
    }
    while (const auto delivery = receiver->poll_delivery(now)) {
      delivered.push_back(delivery->delivery);
      receiver->handle_delivered(now, delivery->peer, delivery->delivery.entry.sequence);
    }
    while (const auto reading = receiver->poll_cells()) {
      cells.push_back(reading->cells);
    }
    if (transmitter->poll_key()) {
      transmitter->handle_key_stored(now, true);
    }
    if (receiver->poll_key()) {
      receiver->handle_key_stored(now, true);
    }
    while (transmitter->poll_event()) {
    }
    while (receiver->poll_event()) {
    }
  }

  bool transmit() {
    Bytes buffer(link::kPayloadSizeMax);
    bool any = false;
    if (const auto command = transmitter->poll_radio(now, buffer)) {
      any = true;
      transmitter_report = now + kAirtime;
      transmitter_tunes = command->kind == link::RadioCommand::Kind::kTune;
      was_broadcast = command->to == kEverybody;
      if (transmitter_tunes) {
        transmitter_channel = command->channel;
      } else {
        send(kBatterySide, *command, transmitter_channel, buffer);
      }
    }
    if (const auto command = receiver->poll_radio(now, buffer)) {
      any = true;
      receiver_report = now + kAirtime;
      receiver_tunes = command->kind == link::RadioCommand::Kind::kTune;
      if (!receiver_tunes) {
        send(kHouseSide, *command, receiver_config.channel, buffer);
      }
    }
    return any;
  }

  void send(NodeId from, const link::RadioCommand& command, std::uint8_t channel, const Bytes& buffer) {
    const auto end = buffer.begin() + static_cast<std::ptrdiff_t>(command.size);
    flights.push_back({now + kAirtime, from, command.to, channel, Bytes(buffer.begin(), end)});
    heard.push_back(flights.back().bytes);
    ++frame_count;
  }

  std::deque<Flight> flights;
  std::uint8_t transmitter_channel = 0;
  TimePoint transmitter_report = kNever;
  TimePoint receiver_report = kNever;
  bool transmitter_tunes = false;
  bool receiver_tunes = false;
  bool was_broadcast = false;
};

Bytes bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

TEST(LinkPair, FindsItsReceiverOnEveryChannelInAFractionOfASecond) {
  for (const link::Mode mode : {link::Mode::kSealed, link::Mode::kPlain}) {
    for (std::uint8_t channel = 1; channel <= 13; ++channel) {
      Air air{mode, channel};
      ASSERT_TRUE(air.run_until(1s, [&] { return air.is_linked(); })) << int{channel};
      EXPECT_EQ(air.transmitter->channel(), channel);
      ASSERT_TRUE(air.run_until(1s, [&] { return air.is_synchronised(); })) << int{channel};
    }
  }
}

TEST(LinkPair, AChangeOnEitherSideReachesTheOther) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_synchronised(); }));
  const TimePoint changed_at = air.now;
  ASSERT_TRUE(air.transmitter->replica().change(air.now, 1, bytes_of("60 A")).ok());
  air.transmitter->settle(air.now);
  const auto& copy = air.receiver->peer(kBatterySide)->replica();
  ASSERT_TRUE(air.run_until(1s, [&] { return copy.current(1).payload == state::Payload{bytes_of("60 A")}; }));
  EXPECT_LT(air.now - changed_at, 20ms);

  ASSERT_TRUE(air.receiver->replica(kBatterySide)->change(air.now, 2, bytes_of("dark")).ok());
  air.receiver->settle(air.now);
  const auto& own = air.transmitter->replica();
  ASSERT_TRUE(air.run_until(1s, [&] { return own.current(2).payload == state::Payload{bytes_of("dark")}; }));
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_synchronised(); }));
  EXPECT_EQ(own.current(2).origin, kHouseSide);
  // The receiver's own settings are another matter.
  EXPECT_TRUE(air.receiver->replica(kHouseSide)->current(2).is_default());
}

TEST(LinkPair, ReadingsArriveOnceAndInOrder) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_linked(); }));
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(air.transmitter->add_reading(air.now, bytes_of("reading " + std::to_string(i)), 1).ok());
    air.run(100ms);
  }
  air.run(1s);
  ASSERT_EQ(air.delivered.size(), 50U);
  for (std::size_t i = 0; i < air.delivered.size(); ++i) {
    const Bytes expected = bytes_of("reading " + std::to_string(i));
    EXPECT_TRUE(std::ranges::equal(air.delivered[i].entry.payload.view(), expected));
  }
  EXPECT_EQ(air.transmitter->queue().metrics().acked, 50U);
  EXPECT_EQ(air.transmitter->queue().waiting_count(), 0U);
}

TEST(LinkPair, LiveCellsOfTwoBatteriesArriveWhole) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_linked(); }));
  std::array<std::uint16_t, telemetry::kLiveCellsMax> values{};
  for (int reading = 1; reading <= 10; ++reading) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<std::uint16_t>(3000 + 10 * reading + static_cast<int>(i));
    }
    air.transmitter->set_cells(air.now, telemetry::CellsKind::kVoltage, values);
    air.run(100ms);
  }
  ASSERT_EQ(air.cells.size(), 10U);
  EXPECT_EQ(air.cells.back().count, 192);
  EXPECT_EQ(air.cells.back().values[191], 3000 + 100 + 191);
}

TEST(LinkPair, AReceiverThatStartsAnewIsServedAtOnceAndNothingComesTwice) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_synchronised(); }));
  ASSERT_TRUE(air.transmitter->replica().change(air.now, 1, bytes_of("60 A")).ok());
  ASSERT_TRUE(air.transmitter->add_reading(air.now, bytes_of("one"), 1).ok());
  air.run(1s);
  ASSERT_EQ(air.delivered.size(), 1U);
  const TimePoint booted_at = air.now;
  air.boot_receiver();
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_linked(); }));
  EXPECT_LT(air.now - booted_at, 200ms);
  ASSERT_TRUE(air.transmitter->add_reading(air.now, bytes_of("two"), 1).ok());
  ASSERT_TRUE(air.run_until(1s, [&] { return air.delivered.size() == 2; }));
  EXPECT_TRUE(std::ranges::equal(air.delivered[1].entry.payload.view(), bytes_of("two")));
}

TEST(LinkPair, ATransmitterThatStartsAnewIsServedAtOnce) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_synchronised(); }));
  air.run(5s);
  const TimePoint booted_at = air.now;
  air.boot_transmitter();
  ASSERT_TRUE(air.run_until(2s, [&] { return air.is_linked(); }));
  EXPECT_LT(air.now - booted_at, 500ms);
}

TEST(LinkPair, FollowsTheRouterToAnotherChannel) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_synchronised(); }));
  air.run(5s);
  const TimePoint moved_at = air.now;
  air.receiver_config.channel = 11;
  air.receiver->set_channel(air.now, 11);
  ASSERT_TRUE(air.run_until(5s, [&] { return air.transmitter->phase() != TransmitterPhase::kLinked; }));
  ASSERT_TRUE(air.run_until(5s, [&] { return air.is_linked() && air.transmitter->channel() == 11; }));
  EXPECT_LT(air.now - moved_at, 3s);
}

TEST(LinkPair, ReadingsWaitForAReceiverThatIsAway) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_linked(); }));
  air.is_receiver_deaf = true;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(air.transmitter->add_reading(air.now, bytes_of(std::to_string(i)), 1).ok());
    air.run(1s);
  }
  EXPECT_EQ(air.transmitter->queue().waiting_count(), 250U);
  EXPECT_EQ(air.transmitter->queue().metrics().dropped, 50U);
  air.is_receiver_deaf = false;
  ASSERT_TRUE(air.run_until(10s, [&] { return air.delivered.size() == 250; }));
  EXPECT_TRUE(std::ranges::equal(air.delivered.front().entry.payload.view(), bytes_of("50")));
  const auto& metrics = air.transmitter->queue().metrics();
  EXPECT_EQ(metrics.added,
            metrics.acked + metrics.dropped + metrics.expired + air.transmitter->queue().waiting_count());
}

TEST(LinkPair, NothingReadableIsOnASealedAir) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_synchronised(); }));
  const Bytes secret = bytes_of("swordfish");
  ASSERT_TRUE(air.transmitter->replica().change(air.now, 1, secret).ok());
  ASSERT_TRUE(air.transmitter->add_reading(air.now, secret, 1).ok());
  air.run(1s);
  ASSERT_EQ(air.delivered.size(), 1U);
  for (const Bytes& frame : air.heard) {
    EXPECT_EQ(std::search(frame.begin(), frame.end(), secret.begin(), secret.end()), frame.end());
  }
}

TEST(LinkPair, ReplayedAndAlteredFramesChangeNothingAndAreCounted) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_synchronised(); }));
  ASSERT_TRUE(air.transmitter->replica().change(air.now, 1, bytes_of("60 A")).ok());
  air.run(1s);
  const std::vector<Bytes> captured = air.heard;
  ASSERT_TRUE(air.transmitter->replica().change(air.now, 1, bytes_of("70 A")).ok());
  air.run(1s);
  const auto digest_before = air.receiver->peer(kBatterySide)->replica().digest();
  const std::size_t delivered_before = air.delivered.size();
  Rng rng{3};
  for (const Bytes& frame : captured) {
    air.receiver->handle_frame(air.now, kBatterySide, frame, -40);
    Bytes altered = frame;
    altered[rng.below(static_cast<std::uint32_t>(altered.size()))] ^= 0x10;
    air.receiver->handle_frame(air.now, kBatterySide, altered, -40);
    air.transmitter->handle_frame(air.now, kHouseSide, frame, -40);
    air.transmitter->handle_frame(air.now, kHouseSide, altered, -40);
  }
  const auto& envelope = air.receiver->peer(kBatterySide)->connection().envelope();
  EXPECT_GT(envelope.rejected_count(link::Rejection::kReplayed), 0U);
  EXPECT_GT(envelope.rejected_count(link::Rejection::kAltered), 0U);
  air.run(5s);
  EXPECT_EQ(air.receiver->peer(kBatterySide)->replica().digest(), digest_before);
  EXPECT_EQ(air.delivered.size(), delivered_before);
  EXPECT_TRUE(air.is_synchronised());
}

// Two boxes fresh from the shelf: sealed, and without a key.
struct Unpaired : Air {
  Unpaired() {
    transmitter_config.peer = {};
    transmitter = std::make_unique<Transmitter>(transmitter_config);
    EXPECT_TRUE(transmitter->set_wall_time(now, WallTime{1'700'000'000'000}));
    transmitter->handle_radio(now, true);
    receiver = std::make_unique<Receiver<2>>(receiver_config);
    receiver->handle_radio(now, true);
    entropy.fill(7);
  }
  std::string shown() const {
    const auto code = transmitter->pairing().code();
    return code ? std::string{code->begin(), code->end()} : std::string{};
  }
  link::PairingEntropy entropy{};
};

TEST(LinkPair, AreStrangersUntilACodeIsEntered) {
  Unpaired air;
  air.run(5s);
  EXPECT_EQ(air.transmitter->phase(), TransmitterPhase::kUnpaired);
  EXPECT_EQ(air.frame_count, 0U);
  air.transmitter->show_code(air.now, air.entropy);
  air.run(5s);
  EXPECT_EQ(air.transmitter->phase(), TransmitterPhase::kPairing);
  const std::string code = air.shown();
  ASSERT_EQ(code.size(), link::kCodeSize);
  air.entropy.fill(8);
  ASSERT_TRUE(air.receiver->enter_code(air.now, code, air.entropy));
  ASSERT_TRUE(air.run_until(10s, [&] { return air.is_synchronised(); }));
  EXPECT_EQ(air.receiver->pairing().phase, PairingPhase::kDone);
  EXPECT_EQ(air.receiver->pairing().peer, kBatterySide);
  EXPECT_FALSE(air.transmitter->pairing().code().has_value()) << "a code is good for one pairing";
  ASSERT_TRUE(air.transmitter->add_reading(air.now, bytes_of("hello"), 1).ok());
  ASSERT_TRUE(air.run_until(1s, [&] { return air.delivered.size() == 1; }));
}

TEST(LinkPair, AWrongCodePairsNobody) {
  Unpaired air;
  air.transmitter->show_code(air.now, air.entropy);
  std::string wrong = air.shown();
  wrong[0] = wrong[0] == '9' ? '0' : static_cast<char>(wrong[0] + 1);
  ASSERT_TRUE(air.receiver->enter_code(air.now, wrong, air.entropy));
  ASSERT_TRUE(air.run_until(10s, [&] { return air.receiver->pairing().phase == PairingPhase::kFailed; }));
  EXPECT_EQ(air.receiver->pairing().reason, link::PairingEvent::Reason::kWrongCode);
  EXPECT_EQ(air.receiver->peer(kBatterySide), nullptr);
  EXPECT_EQ(air.transmitter->pairing().tries_left(), link::kTriesMax - 1);
  EXPECT_FALSE(air.receiver->enter_code(air.now, "12345", air.entropy));
  EXPECT_FALSE(air.receiver->enter_code(air.now, "12345x", air.entropy));
  // The right one still works.
  ASSERT_TRUE(air.receiver->enter_code(air.now, air.shown(), air.entropy));
  EXPECT_TRUE(air.run_until(10s, [&] { return air.is_synchronised(); }));
}

TEST(LinkPair, ACodeThatIsNotShownAnywhereFails) {
  Unpaired air;
  ASSERT_TRUE(air.receiver->enter_code(air.now, "123456", air.entropy));
  ASSERT_TRUE(air.run_until(130s, [&] { return air.receiver->pairing().phase == PairingPhase::kFailed; }));
  EXPECT_EQ(air.receiver->pairing().reason, link::PairingEvent::Reason::kNoAnswer);
}

TEST(LinkPair, ShowingACodeThatNobodyEntersOnlyPausesTheLink) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_synchronised(); }));
  air.transmitter->show_code(air.now, {});
  air.run(10s);
  EXPECT_EQ(air.transmitter->phase(), TransmitterPhase::kPairing);
  air.transmitter->hide_code(air.now);
  ASSERT_TRUE(air.run_until(3s, [&] { return air.is_synchronised(); }));
  air.transmitter->show_code(air.now, {});
  air.run(link::kCodeLifetime + 1s);
  ASSERT_TRUE(air.run_until(3s, [&] { return air.is_synchronised(); })) << "the code has expired";
}

TEST(LinkPair, AnIdleLinkIsQuiet) {
  Air air;
  ASSERT_TRUE(air.run_until(1s, [&] { return air.is_synchronised(); }));
  air.run(10s);
  const std::size_t before = air.frame_count;
  air.run(60s);
  EXPECT_LT(air.frame_count - before, 300U) << "heartbeats once a second and their answers, beacons";
}

}  // namespace
}  // namespace amphora::node
