// SPDX-License-Identifier: Apache-2.0
#include "core/link/envelope.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/base/rng.hpp"

namespace amphora::link {
namespace {

constexpr NodeId kTransmitter{0x24'0A'C4'01'02'03};
constexpr NodeId kReceiver{0x24'0A'C4'01'02'04};
using Kind = Envelope::Kind;
using Frame = std::vector<std::uint8_t>;

EnvelopeConfig config_of(NodeId self, NodeId peer, Mode mode = Mode::kSealed) {
  EnvelopeConfig config{.mode = mode, .self = self, .peer = peer, .boot_nonce = self.value * 7};
  config.link_key.fill(0x42);
  return config;
}

struct Pair {
  explicit Pair(Mode mode = Mode::kSealed)
      : a{config_of(kTransmitter, kReceiver, mode)}, b{config_of(kReceiver, kTransmitter, mode)} {
    begin(7, 1, 2);
  }
  void begin(std::uint32_t session, std::uint64_t joiner, std::uint64_t granter) {
    a.begin_session(session, joiner, granter);
    b.begin_session(session, joiner, granter);
  }
  Envelope a;
  Envelope b;
};

Frame wrap(Envelope& envelope, Kind kind, const Frame& message) {
  Frame out(kPayloadSizeMax);
  out.resize(envelope.wrap(kind, message, out).value());
  return out;
}

Result<Frame, Rejection> open(Envelope& envelope, const Frame& frame) {
  Frame out(kPayloadSizeMax);
  const auto opened = envelope.open(frame, out);
  if (!opened.ok()) {
    return opened.error();
  }
  out.resize(opened->size);
  return out;
}

Rejection rejection(Envelope& envelope, const Frame& frame) {
  const auto result = open(envelope, frame);
  EXPECT_FALSE(result.ok());
  return result.ok() ? Rejection::kCount : result.error();
}

TEST(Envelope, CarriesMessagesBothWays) {
  for (const Mode mode : {Mode::kSealed, Mode::kPlain}) {
    Pair pair{mode};
    for (std::size_t size = 1; size <= kMessageSizeMax; ++size) {
      Frame message(size, 0x20);
      message.back() = static_cast<std::uint8_t>(size);
      const Frame there = wrap(pair.a, Kind::kSession, message);
      EXPECT_EQ(there.size(), size + (mode == Mode::kSealed ? kSealedOverhead : kPlainOverhead));
      EXPECT_LE(there.size(), kPayloadSizeMax);
      EXPECT_EQ(open(pair.b, there).value(), message);
      EXPECT_EQ(open(pair.a, wrap(pair.b, Kind::kSession, message)).value(), message);
    }
  }
}

TEST(Envelope, HidesWhatItSeals) {
  Pair pair;
  const Frame message{'p', 'a', 's', 's', 'w', 'o', 'r', 'd'};
  for (const Kind kind : {Kind::kSession, Kind::kHandshake}) {
    const Frame frame = wrap(pair.a, kind, message);
    EXPECT_TRUE(std::search(frame.begin(), frame.end(), message.begin(), message.end()) == frame.end());
    EXPECT_NE(frame, wrap(pair.a, kind, message)) << "the same message twice must not look the same";
  }
}

TEST(Envelope, RefusesEveryAlteredBit) {
  Pair pair;
  for (const Kind kind : {Kind::kSession, Kind::kHandshake}) {
    const Frame frame = wrap(pair.a, kind, {0x31, 2, 3, 4, 5, 6});
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      Frame altered = frame;
      altered[bit / 8] = static_cast<std::uint8_t>(altered[bit / 8] ^ (1U << (bit % 8)));
      EXPECT_FALSE(open(pair.b, altered).ok()) << "bit " << bit;
    }
    EXPECT_TRUE(open(pair.b, frame).ok());
  }
  EXPECT_GT(pair.b.rejected_count(Rejection::kAltered), 0U);
}

TEST(Envelope, RefusesAReflectedFrame) {
  Pair pair;
  EXPECT_EQ(rejection(pair.a, wrap(pair.a, Kind::kSession, {1})), Rejection::kAltered);
  EXPECT_EQ(rejection(pair.a, wrap(pair.a, Kind::kHandshake, {1})), Rejection::kAltered);
}

TEST(Envelope, RefusesReplays) {
  Pair pair;
  const Frame frame = wrap(pair.a, Kind::kSession, {1, 2});
  EXPECT_TRUE(open(pair.b, frame).ok());
  EXPECT_EQ(rejection(pair.b, frame), Rejection::kReplayed);
  EXPECT_EQ(pair.b.rejected_count(Rejection::kReplayed), 1U);
}

TEST(Envelope, AcceptsReorderedFramesOnceWithinTheWindow) {
  Pair pair;
  std::vector<Frame> frames;
  for (std::uint64_t i = 0; i < kReplayWindow + 1; ++i) {
    frames.push_back(wrap(pair.a, Kind::kSession, {static_cast<std::uint8_t>(i)}));
  }
  EXPECT_TRUE(open(pair.b, frames.back()).ok());
  EXPECT_EQ(rejection(pair.b, frames.front()), Rejection::kReplayed) << "too old to tell";
  for (std::size_t i = frames.size() - 2; i >= 1; --i) {
    EXPECT_TRUE(open(pair.b, frames[i]).ok()) << i;
    EXPECT_EQ(rejection(pair.b, frames[i]), Rejection::kReplayed) << i;
  }
}

TEST(Envelope, FramesOfAnotherSessionAreDropped) {
  Pair pair;
  const Frame old = wrap(pair.a, Kind::kSession, {1});
  pair.begin(8, 3, 4);
  EXPECT_EQ(rejection(pair.b, old), Rejection::kOtherSession);
  pair.begin(7 + 256, 5, 6);  // the same tag, but other nonces: other keys
  EXPECT_EQ(rejection(pair.b, old), Rejection::kAltered);
  pair.b.end_session();
  EXPECT_EQ(rejection(pair.b, wrap(pair.a, Kind::kSession, {1})), Rejection::kOtherSession);

  Pair plain{Mode::kPlain};
  const Frame old_plain = wrap(plain.a, Kind::kSession, {1});
  plain.begin(9, 0, 0);
  EXPECT_EQ(rejection(plain.b, old_plain), Rejection::kOtherSession);
}

TEST(Envelope, NothingPlainPassesASealedLink) {
  Pair sealed;
  Pair plain{Mode::kPlain};
  EXPECT_EQ(rejection(sealed.b, wrap(plain.a, Kind::kSession, {0x22, 1})), Rejection::kUnsealed);
  EXPECT_EQ(rejection(sealed.b, {0x10, 1, 2, 3}), Rejection::kUnsealed);
  EXPECT_EQ(rejection(sealed.b, {}), Rejection::kMalformed);
  EXPECT_EQ(rejection(sealed.b, Frame(kSealedOverhead, kSealedType)), Rejection::kMalformed);
  EXPECT_EQ(rejection(sealed.b, Frame(kHandshakeOverhead, kSealedHandshakeType)), Rejection::kMalformed);
  EXPECT_EQ(rejection(sealed.b, Frame(kPayloadSizeMax + 1, kSealedType)), Rejection::kMalformed);
}

TEST(Envelope, AnotherLinkKeyOpensNothing) {
  Pair pair;
  EnvelopeConfig config = config_of(kReceiver, kTransmitter);
  config.link_key.fill(0x43);
  Envelope stranger{config};
  stranger.begin_session(7, 1, 2);
  EXPECT_EQ(rejection(stranger, wrap(pair.a, Kind::kSession, {1})), Rejection::kAltered);
  EXPECT_EQ(rejection(stranger, wrap(pair.a, Kind::kHandshake, {1})), Rejection::kAltered);
}

TEST(Envelope, WithoutSessionThereIsOnlyTheHandshake) {
  Envelope envelope{config_of(kTransmitter, kReceiver)};
  Frame out(kPayloadSizeMax);
  EXPECT_FALSE(envelope.wrap(Kind::kSession, Frame{1}, out).has_value());
  EXPECT_TRUE(envelope.wrap(Kind::kHandshake, Frame{1}, out).has_value());
}

// Against a set of all counters seen: the window never lets one pass twice, and within its width it is exact.
TEST(ReplayWindow, AgreesWithAPerfectMemory) {
  Rng rng{5};
  ReplayWindow window;
  std::vector<bool> seen(4000);
  std::uint64_t highest = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t low = highest > 100 ? highest - 100 : 0;
    const std::uint64_t counter = low + rng.below(110);
    if (counter >= seen.size()) {
      break;
    }
    const bool is_in_window = counter > highest || highest - counter < kReplayWindow;
    EXPECT_EQ(window.is_new(counter), counter != 0 && is_in_window && !seen[counter]) << counter;
    if (window.is_new(counter)) {
      window.mark(counter);
      seen[counter] = true;
      highest = std::max(highest, counter);
    }
  }
  EXPECT_GT(highest, 1000U);
}

}  // namespace
}  // namespace amphora::link
