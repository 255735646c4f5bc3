// SPDX-License-Identifier: Apache-2.0
#include "core/link/pairing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/rng.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::link {
namespace {

using namespace std::chrono_literals;
using Reason = PairingEvent::Reason;

constexpr NodeId kShower{0x0200'0000'0001};
constexpr NodeId kEnterer{0x0200'0000'0002};
constexpr NodeId kStranger{0x0200'0000'0003};

PairingEntropy entropy_of(Rng& rng) {
  PairingEntropy entropy{};
  for (std::uint8_t& byte : entropy) {
    byte = static_cast<std::uint8_t>(rng.next());
  }
  return entropy;
}

std::string other_code(const Code& code) {
  std::string text{code.begin(), code.end()};
  text[3] = text[3] == '9' ? '0' : static_cast<char>(text[3] + 1);
  return text;
}

template <class Machine>
std::vector<PairingEvent> events_of(Machine& machine) {
  std::vector<PairingEvent> events;
  while (const auto event = machine.poll_event()) {
    events.push_back(*event);
  }
  return events;
}

// Flips one bit of a message, counted over all its fields.
template <class Bytes>
void flip(Bytes& bytes, std::size_t bit) {
  bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
}

struct Channel {
  std::uint32_t loss_ppm = 0;
  std::uint32_t duplicate_ppm = 0;
};

class Bench {
 public:
  explicit Bench(std::uint64_t seed = 1) : rng{seed} { shower.open(now, entropy_of(rng)); }
  void enter(std::string_view code) { ASSERT_TRUE(enterer.enter(now, kShower, code, entropy_of(rng))); }
  void enter_right() {
    const Code code = *shower.code();
    enter({code.data(), code.size()});
  }
  void enter_wrong() { enter(other_code(*shower.code())); }

  void give(const EntererMessage& message, NodeId from = kEnterer) {
    if (const auto* start = std::get_if<PairStart>(&message)) {
      shower.handle_start(now, from, *start);
    } else {
      shower.handle_confirm(now, from, std::get<PairConfirm>(message));
    }
  }
  void give(const ShowerMessage& message, NodeId from = kShower) {
    if (const auto* reply = std::get_if<PairReply>(&message)) {
      enterer.handle_reply(now, from, *reply);
    } else {
      enterer.handle_result(now, from, std::get<PairResult>(message));
    }
  }
  void store(bool is_durable = true) {
    if (const auto key = shower.poll_store()) {
      shower_key = key;
      shower.handle_stored(now, is_durable);
    }
    if (const auto key = enterer.poll_store()) {
      enterer_key = key;
      enterer.handle_stored(now, is_durable);
    }
  }
  void run(Duration duration, const Channel& channel = {}) {
    const TimePoint end = now + duration;
    while (now < end) {
      shower.handle_timeout(now);
      enterer.handle_timeout(now);
      const auto copies = [&] {
        return rng.chance(channel.loss_ppm) ? 0 : (rng.chance(channel.duplicate_ppm) ? 2 : 1);
      };
      while (const auto outgoing = enterer.poll_transmit(now)) {
        EXPECT_EQ(outgoing->to, kShower);
        for (int i = copies(); i > 0; --i) {
          give(outgoing->message);
        }
      }
      while (const auto outgoing = shower.poll_transmit(now)) {
        for (int i = outgoing->to == kEnterer ? copies() : 0; i > 0; --i) {
          give(outgoing->message);
        }
      }
      store();
      now += 10ms;
    }
  }
  EntererMessage from_enterer() { return enterer.poll_transmit(now).value().message; }
  ShowerMessage from_shower() { return shower.poll_transmit(now).value().message; }
  bool is_paired() const {
    return shower_key && enterer_key && shower_key->key == enterer_key->key && shower_key->peer == kEnterer &&
           enterer_key->peer == kShower;
  }

  Rng rng;
  TimePoint now{1s};
  PairingShower shower{kShower};
  PairingEnterer enterer{kEnterer};
  std::optional<PairedKey> shower_key;
  std::optional<PairedKey> enterer_key;
};

TEST(Pairing, TheRightCodeGivesBothTheSameKey) {
  Bench bench;
  bench.enter_right();
  bench.run(100ms);
  EXPECT_TRUE(bench.is_paired());
  EXPECT_NE(bench.shower_key->key, crypto::Key{});
  EXPECT_FALSE(bench.shower.code().has_value()) << "the code is used up";
  EXPECT_FALSE(bench.enterer.is_busy());
  const auto shower_events = events_of(bench.shower);
  ASSERT_EQ(shower_events.size(), 3u);
  EXPECT_EQ(shower_events[1].kind, PairingEvent::Kind::kTry);
  EXPECT_EQ(shower_events[2].kind, PairingEvent::Kind::kPaired);
  EXPECT_EQ(shower_events[2].peer, kEnterer);
  EXPECT_EQ(events_of(bench.enterer).back().kind, PairingEvent::Kind::kPaired);
}

std::string hex_of(ByteSpan bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

// The vector of docs/protocols/pairing.md.
TEST(Pairing, Vector) {
  const TimePoint now{1s};
  PairingEntropy entropy{};
  PairingShower shower{kShower};
  PairingEnterer enterer{kEnterer};
  entropy.fill(1);
  shower.open(now, entropy);
  const Code code = *shower.code();
  EXPECT_EQ((std::string{code.data(), code.size()}), "975458");
  entropy.fill(2);
  ASSERT_TRUE(enterer.enter(now, kShower, "975458", entropy));
  const auto start = std::get<PairStart>(enterer.poll_transmit(now)->message);
  EXPECT_EQ(start.attempt, 0x8338bf3d5ef29b0dU);
  EXPECT_EQ(hex_of(start.element), "4407be631a487e3bf022efdbf775b48e6447528ae9b6fb7f37727508edd8cf2c");
  shower.handle_start(now, kEnterer, start);
  const auto reply = std::get<PairReply>(shower.poll_transmit(now)->message);
  EXPECT_EQ(hex_of(reply.element), "2c5898b6a9af08c5d4f3c7284329aade0205e4d833c3301a56cbbc0d8cc9bf5a");
  EXPECT_EQ(hex_of(reply.confirmation), "acccf8476366414d227b2d11a8656013");
  enterer.handle_reply(now, kShower, reply);
  const auto confirm = std::get<PairConfirm>(enterer.poll_transmit(now)->message);
  EXPECT_EQ(hex_of(confirm.confirmation), "58723ef4fd95dd4392c8f0ec567baa04");
  shower.handle_confirm(now, kEnterer, confirm);
  EXPECT_EQ(hex_of(shower.poll_store()->key),
            "6c34d84705e615a36d950ecb79cd8db12ea6ea57af6b11e58391b34fdbf68226");
  shower.handle_stored(now, true);
  const auto result = std::get<PairResult>(shower.poll_transmit(now)->message);
  EXPECT_EQ(hex_of(result.confirmation), "2467788d8797cb0a85b17b466050969a");
}

TEST(Pairing, EveryExchangeGivesAnotherKeyAndCode) {
  std::vector<crypto::Key> keys;
  std::vector<std::string> codes;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Bench bench{seed};
    const Code code = *bench.shower.code();
    codes.emplace_back(code.begin(), code.end());
    EXPECT_TRUE(std::ranges::all_of(codes.back(), [](char c) { return c >= '0' && c <= '9'; }));
    bench.enter_right();
    bench.run(50ms);
    ASSERT_TRUE(bench.is_paired());
    keys.push_back(bench.shower_key->key);
  }
  std::ranges::sort(keys);
  EXPECT_EQ(std::ranges::adjacent_find(keys), keys.end());
  std::ranges::sort(codes);
  codes.erase(std::unique(codes.begin(), codes.end()), codes.end());
  EXPECT_GE(codes.size(), 45u);
}

TEST(Pairing, AWrongCodeGivesNobodyAKeyAndFiveKillTheCode) {
  Bench bench;
  for (int i = 0; i < kTriesMax; ++i) {
    EXPECT_EQ(bench.shower.tries_left(), kTriesMax - i);
    bench.enter_wrong();
    bench.run(100ms);
    EXPECT_EQ(events_of(bench.enterer).back().reason, Reason::kWrongCode);
  }
  const Code code = *bench.shower.code();
  EXPECT_EQ(bench.shower.tries_left(), 0);
  bench.enter({code.data(), code.size()});
  bench.run(100ms);
  EXPECT_FALSE(bench.shower_key || bench.enterer_key);
  EXPECT_FALSE(bench.shower.code().has_value());
  EXPECT_EQ(events_of(bench.enterer).back().reason, Reason::kRefused) << "even the right one";
  const auto events = events_of(bench.shower);
  EXPECT_EQ(events.back().kind, PairingEvent::Kind::kClosed);
  EXPECT_EQ(events.back().reason, Reason::kTooManyTries);
}

TEST(Pairing, TheFifthTryMaySucceed) {
  Bench bench;
  for (int i = 0; i + 1 < kTriesMax; ++i) {
    bench.enter_wrong();
    bench.run(100ms);
  }
  bench.enter_right();
  bench.run(100ms);
  EXPECT_TRUE(bench.is_paired());
}

TEST(Pairing, TheFifthTryThatIsNeverConfirmedKillsTheCode) {
  Bench bench;
  for (int i = 0; i < kTriesMax; ++i) {
    bench.enter_wrong();
    bench.run(100ms);
  }
  bench.run(5s);
  EXPECT_FALSE(bench.shower.code().has_value());
  EXPECT_EQ(events_of(bench.shower).back().reason, Reason::kTooManyTries);
}

// The third message is the one an attacker would leave out.
TEST(Pairing, ATryCountsAlsoWhenItIsNotConfirmed) {
  Bench bench;
  PairingEnterer attacker{kStranger};
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(attacker.enter(bench.now, kShower, "123456", entropy_of(bench.rng)));
    bench.give(attacker.poll_transmit(bench.now)->message, kStranger);
    (void)bench.shower.poll_transmit(bench.now);
  }
  EXPECT_FALSE(bench.shower.code().has_value());
  EXPECT_EQ(bench.shower.metrics().exchanges, kTriesMax);
}

TEST(Pairing, TheCodeDiesAfterFiveMinutes) {
  Bench bench;
  bench.now += kCodeLifetime - 1ms;
  EXPECT_EQ(bench.shower.poll_timeout(), bench.now + 1ms);
  bench.shower.handle_timeout(bench.now);
  EXPECT_TRUE(bench.shower.code().has_value());
  bench.enter_right();
  bench.now += 1ms;
  bench.run(100ms);
  EXPECT_FALSE(bench.shower_key || bench.enterer_key);
  EXPECT_EQ(events_of(bench.shower).back().reason, Reason::kExpired);
}

TEST(Pairing, LossAndRepetitionDoNoHarm) {
  int paired = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Bench bench{seed};
    const bool is_right = seed % 4 != 0;
    is_right ? bench.enter_right() : bench.enter_wrong();
    bench.run(40s, {300'000, 300'000});
    if (is_right) {
      EXPECT_EQ(bench.enterer_key.has_value() && !bench.is_paired(), false) << "seed " << seed;
      paired += bench.is_paired() ? 1 : 0;
      EXPECT_EQ(bench.shower.metrics().exchanges, 1u) << "a repetition is no try";
    } else {
      EXPECT_FALSE(bench.shower_key || bench.enterer_key) << "seed " << seed;
    }
    EXPECT_FALSE(bench.enterer.is_busy());
  }
  EXPECT_EQ(paired, 150);
}

// Every bit of every message, one at a time: the end that gets it never has a key from it.
TEST(Pairing, AnAlteredMessageFailsClosed) {
  constexpr std::size_t kElementBits = 256;
  constexpr std::size_t kConfirmationBits = 128;
  for (std::size_t bit = 0; bit < kElementBits; ++bit) {
    Bench bench{bit};
    bench.enter_right();
    auto start = std::get<PairStart>(bench.from_enterer());
    flip(start.element, bit);
    bench.give(EntererMessage{start});
    if (const auto outgoing = bench.shower.poll_transmit(bench.now)) {
      bench.give(outgoing->message);
      EXPECT_FALSE(bench.enterer.is_busy()) << "start " << bit;
    }
    bench.store();
    EXPECT_FALSE(bench.shower_key || bench.enterer_key);
  }
  for (std::size_t bit = 0; bit < kElementBits + kConfirmationBits; ++bit) {
    Bench bench{bit};
    bench.enter_right();
    bench.give(bench.from_enterer());
    auto reply = std::get<PairReply>(bench.from_shower());
    bit < kElementBits ? flip(reply.element, bit) : flip(reply.confirmation, bit - kElementBits);
    bench.give(ShowerMessage{reply});
    EXPECT_FALSE(bench.enterer.is_busy()) << "reply " << bit;
    bench.store();
    EXPECT_FALSE(bench.shower_key || bench.enterer_key);
  }
  for (std::size_t bit = 0; bit < kConfirmationBits; ++bit) {
    Bench bench{bit};
    bench.enter_right();
    bench.give(bench.from_enterer());
    bench.give(bench.from_shower());
    auto confirm = std::get<PairConfirm>(bench.from_enterer());
    flip(confirm.confirmation, bit);
    bench.give(EntererMessage{confirm});
    bench.store();
    EXPECT_FALSE(bench.shower_key.has_value()) << "confirm " << bit;
    bench.give(bench.from_shower());
    EXPECT_EQ(events_of(bench.enterer).back().reason, Reason::kWrongCode);
  }
  for (std::size_t bit = 0; bit < kConfirmationBits; ++bit) {
    Bench bench{bit};
    bench.enter_right();
    bench.give(bench.from_enterer());
    bench.give(bench.from_shower());
    bench.give(bench.from_enterer());
    bench.store();
    auto result = std::get<PairResult>(bench.from_shower());
    flip(result.confirmation, bit);
    bench.give(ShowerMessage{result});
    bench.store();
    EXPECT_FALSE(bench.enterer_key.has_value()) << "result " << bit;
  }
}

TEST(Pairing, NobodyElseMayAnswerOrConfirm) {
  Bench bench;
  bench.enter_right();
  bench.give(bench.from_enterer());
  const ShowerMessage reply = bench.from_shower();
  bench.give(reply, kStranger);
  EXPECT_TRUE(bench.enterer.is_busy());
  bench.give(ShowerMessage{PairResult{0, PairOutcome::kClosed, {}}});
  EXPECT_TRUE(bench.enterer.is_busy()) << "of another exchange";
  bench.give(reply);
  const EntererMessage confirm = bench.from_enterer();
  bench.give(confirm, kStranger);
  bench.store();
  EXPECT_FALSE(bench.shower_key.has_value());
  EXPECT_EQ(bench.shower.metrics().refused, 1u);
  bench.give(confirm);
  bench.store();
  bench.give(bench.from_shower());
  bench.store();
  EXPECT_TRUE(bench.is_paired());
}

TEST(Pairing, AMessageOfOneEndIsNoneOfTheOther) {
  Bench bench;
  bench.enter_right();
  const auto start = std::get<PairStart>(bench.from_enterer());
  bench.enterer.handle_reply(bench.now, kShower, {start.attempt, start.element, {}});
  EXPECT_FALSE(bench.enterer.is_busy()) << "its own element sent back";
  bench.enter_right();
  bench.give(bench.from_enterer());
  const auto reply = std::get<PairReply>(bench.from_shower());
  bench.shower.handle_confirm(bench.now, kEnterer, {reply.attempt, reply.confirmation});
  bench.store();
  EXPECT_FALSE(bench.shower_key.has_value()) << "its own confirmation sent back";
}

TEST(Pairing, OthersWaitWhileAnExchangeRuns) {
  Bench bench;
  bench.enter_right();
  bench.give(bench.from_enterer());
  (void)bench.from_shower();
  bench.shower.handle_start(bench.now, kStranger, {1, {}});
  EXPECT_EQ(std::get<PairResult>(bench.from_shower()).outcome, PairOutcome::kBusy);
  EXPECT_EQ(bench.shower.tries_left(), kTriesMax - 1);
  bench.now += 5s;
  bench.shower.handle_start(bench.now, kStranger, {1, {}});
  EXPECT_EQ(bench.shower.metrics().refused, 2u) << "the zero element is none";
  EXPECT_EQ(bench.shower.tries_left(), kTriesMax - 1);
  PairingEnterer other{kStranger};
  const Code code = *bench.shower.code();
  ASSERT_TRUE(other.enter(bench.now, kShower, {code.data(), code.size()}, entropy_of(bench.rng)));
  bench.give(other.poll_transmit(bench.now)->message, kStranger);
  const auto outgoing = bench.shower.poll_transmit(bench.now);
  EXPECT_EQ(outgoing->to, kStranger);
  EXPECT_TRUE(std::holds_alternative<PairReply>(outgoing->message));
}

TEST(Pairing, TheResultComesOnlyWhenTheKeyIsDurable) {
  Bench bench;
  bench.enter_right();
  bench.give(bench.from_enterer());
  bench.give(bench.from_shower());
  const EntererMessage confirm = bench.from_enterer();
  bench.give(confirm);
  EXPECT_FALSE(bench.shower.poll_transmit(bench.now).has_value());
  ASSERT_TRUE(bench.shower.poll_store().has_value());
  EXPECT_FALSE(bench.shower.poll_store().has_value());
  bench.give(confirm);
  bench.now += 1h;
  EXPECT_FALSE(bench.shower.poll_transmit(bench.now).has_value()) << "also not late, or asked again";
  bench.shower.handle_stored(bench.now, false);
  EXPECT_EQ(events_of(bench.shower).back().reason, Reason::kStoreFailed);
  EXPECT_EQ(std::get<PairResult>(bench.from_shower()).outcome, PairOutcome::kClosed);
}

TEST(Pairing, ALostResultIsRepeatedForAWhile) {
  Bench bench;
  bench.enter_right();
  bench.give(bench.from_enterer());
  bench.give(bench.from_shower());
  const EntererMessage confirm = bench.from_enterer();
  bench.give(confirm);
  bench.store();
  (void)bench.from_shower();
  bench.now += 10s;
  bench.give(confirm);
  bench.give(bench.from_shower());
  bench.store();
  EXPECT_TRUE(bench.is_paired());
  bench.now += 10s;
  bench.give(confirm);
  EXPECT_FALSE(bench.shower.poll_transmit(bench.now).has_value());
}

TEST(Pairing, NobodyThere) {
  Bench bench;
  bench.shower.close(bench.now);
  EXPECT_EQ(events_of(bench.shower).back().reason, Reason::kCancelled);
  PairingEnterer& enterer = bench.enterer;
  const PairingEntropy entropy = entropy_of(bench.rng);
  EXPECT_FALSE(enterer.enter(bench.now, kShower, "12345", entropy));
  EXPECT_FALSE(enterer.enter(bench.now, kShower, "12345a", entropy));
  EXPECT_FALSE(enterer.enter(bench.now, kEverybody, "123456", entropy));
  EXPECT_FALSE(enterer.enter(bench.now, NodeId{}, "123456", entropy));
  ASSERT_TRUE(enterer.enter(bench.now, kShower, "123456", entropy));
  int sent = 0;
  while (enterer.is_busy()) {
    sent += enterer.poll_transmit(bench.now) ? 1 : 0;
    bench.now = std::max(bench.now, enterer.poll_timeout());
    enterer.handle_timeout(bench.now);
  }
  EXPECT_EQ(sent, 50) << "each 300 ms for 15 s";
  EXPECT_EQ(events_of(enterer).back().reason, Reason::kNoAnswer);
  EXPECT_EQ(to_text(Reason::kStoreFailed), "store_failed");
  EXPECT_EQ(to_text(PairingEvent::Kind::kClosed), "closed");
}

struct ShowerAdapter {
  using Machine = PairingShower;
  static Machine make(std::uint64_t seed) {
    Rng rng{seed};
    Machine shower{kShower};
    shower.open(TimePoint{1s}, entropy_of(rng));
    return shower;
  }
  static void feed(Machine& shower, TimePoint now, Rng& rng) {
    PairingEnterer enterer{kEnterer};
    const auto code = shower.code();
    switch (rng.below(6)) {
      case 0:
        shower.open(now, entropy_of(rng));
        return;
      case 1:
        shower.handle_confirm(now, kEnterer, {rng.next(), {}});
        return;
      case 2:
        shower.handle_stored(now, rng.chance(500'000));
        return;
      default:
        if (code && enterer.enter(now, kShower, {code->data(), code->size()}, entropy_of(rng))) {
          const auto start = std::get<PairStart>(enterer.poll_transmit(now)->message);
          shower.handle_start(now, kEnterer, start);
          const auto reply = shower.poll_transmit(now);
          if (reply && std::holds_alternative<PairReply>(reply->message) && rng.chance(500'000)) {
            enterer.handle_reply(now, kShower, std::get<PairReply>(reply->message));
            shower.handle_confirm(now, kEnterer, std::get<PairConfirm>(enterer.poll_transmit(now)->message));
          }
        }
        return;
    }
  }
  static bool drain_one(Machine& shower, TimePoint now, Digest& digest) {
    if (const auto outgoing = shower.poll_transmit(now)) {
      digest.add_number(static_cast<std::int64_t>(outgoing->message.index()));
      return true;
    }
    if (const auto key = shower.poll_store()) {
      digest.add(key->key);
      return true;
    }
    return shower.poll_event().has_value();
  }
};

struct EntererAdapter {
  using Machine = PairingEnterer;
  static Machine make(std::uint64_t) { return Machine{kEnterer}; }
  static void feed(Machine& enterer, TimePoint now, Rng& rng) {
    switch (rng.below(4)) {
      case 0:
        (void)enterer.enter(now, kShower, "123456", entropy_of(rng));
        return;
      case 1:
        enterer.handle_reply(now, kShower, {rng.next(), {}, {}});
        return;
      case 2:
        enterer.handle_result(now, kShower, {rng.next(), PairOutcome::kBusy, {}});
        return;
      default:
        enterer.handle_stored(now, true);
        return;
    }
  }
  static bool drain_one(Machine& enterer, TimePoint now, Digest& digest) {
    if (const auto outgoing = enterer.poll_transmit(now)) {
      digest.add_number(static_cast<std::int64_t>(outgoing->message.index()));
      return true;
    }
    return enterer.poll_store() || enterer.poll_event();
  }
};

TEST(Pairing, BothEndsKeepTheContractOfMachines) {
  contract::check_machine_contract<ShowerAdapter>(5, 200);
  contract::check_machine_contract<EntererAdapter>(5, 200);
}

}  // namespace
}  // namespace amphora::link
