// SPDX-License-Identifier: Apache-2.0
// Both ends of a transfer, alone and with a channel between them that loses, delays, overtakes and repeats,
// and boxes that restart in the middle.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "core/base/crc.hpp"
#include "core/base/rng.hpp"
#include "core/transfer/receiver.hpp"
#include "core/transfer/sender.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::transfer {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

std::uint64_t digest_of(ByteSpan bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.value();
}

Bytes random_bytes(std::size_t size, Rng& rng) {
  Bytes bytes(size);
  std::ranges::generate(bytes, [&rng] { return static_cast<std::uint8_t>(rng.next()); });
  return bytes;
}

Blob blob_of(ByteSpan bytes, std::uint16_t segment_size, std::uint32_t id = 5) {
  return {id, static_cast<std::uint32_t>(bytes.size()), segment_size, digest_of(bytes)};
}

struct Trouble {
  std::uint32_t loss_ppm = 0;
  std::uint32_t duplicate_ppm = 0;
  std::int64_t delay_ms_max = 3;
  std::uint32_t restart_ppm = 0;  // a step, of each end
};

class World {
 public:
  World(std::uint64_t seed, std::size_t size, std::uint16_t segment_size, const Trouble& trouble)
      : rng_{seed}, trouble_{trouble}, source{random_bytes(size, rng_)}, blob{blob_of(source, segment_size)} {
    target.resize(size);
    sender = std::make_unique<Sender>();
    receiver = std::make_unique<Receiver>();
    begin();
    EXPECT_TRUE(sender->offer(now, blob));
  }

  // Until the sender hears the end, or time is over.
  std::optional<SenderEvent> run(Duration duration) {
    const TimePoint end = now + duration;
    while (now < end) {
      now += 1ms;
      disturb();
      step();
      if (const auto event = sender->poll_event()) {
        return event;
      }
    }
    return std::nullopt;
  }

  Rng rng_;
  Trouble trouble_;
  Bytes source;
  Blob blob;
  Bytes target;
  std::unique_ptr<Sender> sender;
  std::unique_ptr<Receiver> receiver;
  TimePoint now{1s};
  std::optional<Progress> stored;
  std::vector<ReceiverEvent> events;
  int restarts = 0;
  int stores = 0;

 private:
  struct Frame {
    TimePoint at;
    int session;
    std::variant<SenderMessage, ReceiverMessage> message;
  };

  void begin() {
    ++session_;
    sender->begin_session(now);
    receiver->begin_session(now);
  }

  void disturb() {
    if (rng_.chance(trouble_.restart_ppm)) {
      receiver = std::make_unique<Receiver>();
      if (stored) {
        EXPECT_TRUE(receiver->restore(now, *stored));
      }
      ++restarts;
      begin();
    }
    if (rng_.chance(trouble_.restart_ppm)) {
      sender = std::make_unique<Sender>();
      EXPECT_TRUE(sender->offer(now, blob));
      ++restarts;
      begin();
    }
  }

  template <class Message>
  void put(const Message& message) {
    const int copies = rng_.chance(trouble_.loss_ppm) ? 0 : (rng_.chance(trouble_.duplicate_ppm) ? 2 : 1);
    for (int i = 0; i < copies; ++i) {
      const auto delay = std::chrono::milliseconds{rng_.between(1, trouble_.delay_ms_max)};
      channel_.push_back({now + delay, session_, {message}});
    }
  }

  void step() {
    std::vector<Frame> arrived;
    std::erase_if(channel_, [&](const Frame& frame) {
      if (frame.at <= now) {
        arrived.push_back(frame);
      }
      return frame.at <= now;
    });
    for (const Frame& frame : arrived) {
      if (frame.session == session_) {
        take(frame);
      }
    }
    serve_store();
    if (const auto wanted = sender->poll_wanted(now)) {
      EXPECT_TRUE(
          sender->provide(now, wanted->offset, ByteSpan{source}.subspan(wanted->offset, wanted->size)));
    }
    while (const auto message = sender->poll_transmit(now)) {
      put(*message);
    }
    while (const auto message = receiver->poll_transmit(now)) {
      put(*message);
    }
  }

  void take(const Frame& frame) {
    if (const auto* message = std::get_if<SenderMessage>(&frame.message)) {
      if (const auto* offer = std::get_if<Offer>(message)) {
        receiver->handle_offer(now, *offer);
      } else if (const auto* segment = std::get_if<Segment>(message)) {
        receiver->handle_segment(now, *segment);
      } else {
        receiver->handle_done(now, std::get<Done>(*message));
      }
      return;
    }
    const auto& message = std::get<ReceiverMessage>(frame.message);
    if (const auto* accept = std::get_if<Accept>(&message)) {
      sender->handle_accept(now, *accept);
    } else {
      sender->handle_done(now, std::get<Done>(message));
    }
  }

  void serve_store() {
    while (const auto write = receiver->poll_write()) {
      std::ranges::copy(write->bytes.view(), target.begin() + write->offset);
      receiver->handle_written(now, true);
    }
    if (const auto progress = receiver->poll_store()) {
      stored = *progress;
      ++stores;
      if (stored) {
        EXPECT_TRUE(std::equal(source.begin(), source.begin() + stored->next, target.begin()))
            << "progress is only ever behind what is written";
      }
      receiver->handle_stored(now, true);
    }
    if (const auto verify = receiver->poll_verify()) {
      receiver->handle_verified(now, digest_of(target) == verify->digest);
    }
    while (const auto event = receiver->poll_event()) {
      events.push_back(*event);
    }
  }

  std::vector<Frame> channel_;
  int session_ = 0;
};

TEST(Transfer, EverySizeAndSegmentSizeArrives) {
  std::uint64_t seed = 1;
  for (const std::size_t size : {1u, 2u, 63u, 64u, 65u, 64u * 33, 64u * 33 + 1, 64u * 64, 5000u}) {
    for (const std::uint16_t segment_size : {std::uint16_t{1}, std::uint16_t{64}, std::uint16_t{192}}) {
      World world{++seed, size, segment_size, Trouble{}};
      const auto event = world.run(60s);
      ASSERT_TRUE(event.has_value()) << size << " by " << segment_size;
      EXPECT_EQ(event->outcome, Outcome::kComplete);
      EXPECT_EQ(world.target, world.source);
      EXPECT_EQ(world.sender->metrics().segments, segment_count(world.blob)) << "none twice";
      EXPECT_FALSE(world.stored.has_value()) << "the progress of a finished transfer is forgotten";
    }
  }
}

TEST(Transfer, ArrivesOverALossyChannel) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    World world{seed, 20'000, 192, {400'000, 100'000, 50, 0}};
    const auto event = world.run(300s);
    ASSERT_TRUE(event.has_value()) << "seed " << seed;
    EXPECT_EQ(event->outcome, Outcome::kComplete);
    EXPECT_EQ(world.target, world.source);
    EXPECT_GT(world.sender->metrics().retried, 0u);
  }
}

TEST(Transfer, GoesOnAfterRestartsOfEitherEnd) {
  int restarts = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    World world{seed, 60'000, 192, {100'000, 50'000, 20, 500}};
    const auto event = world.run(600s);
    ASSERT_TRUE(event.has_value()) << "seed " << seed;
    EXPECT_EQ(event->outcome, Outcome::kComplete);
    EXPECT_EQ(world.target, world.source);
    restarts += world.restarts;
  }
  EXPECT_GT(restarts, 30);
}

TEST(Transfer, AResumedTransferSendsOnlyTheRest) {
  World world{1, 60'000, 192, Trouble{}};
  ASSERT_FALSE(world.run(1s).has_value());
  ASSERT_TRUE(world.stored.has_value());
  EXPECT_GE(world.stored->next, 16'384u);
  const std::uint32_t rest = world.blob.size - world.stored->next;
  world.receiver = std::make_unique<Receiver>();
  ASSERT_TRUE(world.receiver->restore(world.now, *world.stored));
  world.receiver->begin_session(world.now);
  world.sender = std::make_unique<Sender>();
  ASSERT_TRUE(world.sender->offer(world.now, world.blob));
  world.sender->begin_session(world.now);
  ASSERT_TRUE(world.run(60s).has_value());
  EXPECT_EQ(world.sender->metrics().segments, (rest + 191) / 192);
  EXPECT_LE(world.stores, 7) << "one each 16 KiB, the start, the end and the forgetting";
}

TEST(Transfer, AWrongDigestIsTold) {
  World world{1, 1000, 100, Trouble{}};
  world.source[500] ^= 1;
  const auto event = world.run(60s);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->outcome, Outcome::kBadDigest);
  EXPECT_EQ(world.events.back().outcome, Outcome::kBadDigest);
}

TEST(Transfer, TheReceiverAnswersAfterTheEnd) {
  World world{1, 1000, 100, Trouble{}};
  ASSERT_TRUE(world.run(60s).has_value());
  world.receiver->handle_offer(world.now, {world.blob});
  EXPECT_EQ(*world.receiver->poll_transmit(world.now), (ReceiverMessage{Done{5, Outcome::kComplete}}));
}

TEST(Transfer, TheReceiverRefusesWhatCannotBe) {
  ReceiverConfig config;
  config.size_max = 1000;
  Receiver receiver{config};
  const TimePoint now{1s};
  const auto outcome = [&](const Blob& blob) -> std::optional<Outcome> {
    receiver.handle_offer(now, {blob});
    const auto message = receiver.poll_transmit(now);
    return message && std::holds_alternative<Done>(*message) ? std::optional{std::get<Done>(*message).outcome}
                                                             : std::nullopt;
  };
  receiver.handle_offer(now, {Blob{1, 10, 10, 0}});
  EXPECT_EQ(receiver.metrics().refused, 1u) << "no session";
  receiver.begin_session(now);
  EXPECT_EQ(outcome({1, 0, 10, 0}), Outcome::kRefused);
  EXPECT_EQ(outcome({1, 1001, 10, 0}), Outcome::kRefused);
  EXPECT_EQ(outcome({1, 10, 0, 0}), Outcome::kRefused);
  EXPECT_EQ(outcome({1, 10, kSegmentSizeMax + 1, 0}), Outcome::kRefused);
  EXPECT_EQ(outcome({1, 1000, 10, 0}), std::nullopt);
  EXPECT_EQ(outcome({2, 1000, 10, 0}), Outcome::kBusy);
  EXPECT_EQ(outcome({1, 1000, 10, 1}), Outcome::kBusy) << "the same id is not the same blob";
  const std::uint64_t refused = receiver.metrics().refused;
  Segment segment;
  EXPECT_TRUE(segment.bytes.assign(Bytes(10)));
  const std::tuple<std::uint32_t, std::uint32_t> bad[] = {
      {2, 0}, {1, 5}, {1, 1000}, {1, 0xFFFF'FFF6}, {1, 330}};
  for (const auto& [id, offset] : bad) {
    segment.id = id;
    segment.offset = offset;
    receiver.handle_segment(now, segment);
  }
  EXPECT_EQ(receiver.metrics().refused, refused + 5);
  EXPECT_FALSE(receiver.poll_write().has_value());
  EXPECT_FALSE(receiver.restore(now, {Blob{1, 10, 3, 0}, 4})) << "between two segments";
  EXPECT_FALSE(receiver.restore(now, {Blob{1, 10, 3, 0}, 12}));
}

TEST(Transfer, AnAbandonedTransferMakesWay) {
  Receiver receiver;
  TimePoint now{1s};
  receiver.begin_session(now);
  receiver.handle_offer(now, {Blob{1, 1000, 10, 0}});
  ASSERT_TRUE(receiver.poll_store().has_value());
  now += 10min;
  receiver.handle_offer(now, {Blob{2, 1000, 10, 0}});
  EXPECT_EQ(receiver.blob()->id, 1u) << "the store has not answered yet";
  receiver.handle_stored(now, true);
  receiver.handle_offer(now, {Blob{2, 1000, 10, 0}});
  EXPECT_EQ(receiver.blob()->id, 2u);
}

TEST(Transfer, AStoreThatFailsEndsIt) {
  const TimePoint now{1s};
  for (const bool is_write : {true, false}) {
    Receiver receiver;
    receiver.begin_session(now);
    receiver.handle_offer(now, {Blob{1, 20, 10, 0}});
    Segment segment{1, 0, {}};
    ASSERT_TRUE(segment.bytes.assign(Bytes(10)));
    receiver.handle_segment(now, segment);
    ASSERT_TRUE(receiver.poll_write().has_value());
    ASSERT_TRUE(receiver.poll_store().has_value());
    receiver.handle_written(now, !is_write);
    receiver.handle_stored(now, is_write);
    EXPECT_FALSE(receiver.blob().has_value());
    EXPECT_EQ(*receiver.poll_transmit(now), (ReceiverMessage{Done{1, Outcome::kFailed}}));
    const auto forget = receiver.poll_store();
    ASSERT_TRUE(forget.has_value());
    EXPECT_FALSE(forget->has_value());
  }
}

TEST(Transfer, MoreSegmentsThanTheHostCanWriteAreDroppedAndCounted) {
  const TimePoint now{1s};
  Receiver receiver;
  receiver.begin_session(now);
  receiver.handle_offer(now, {Blob{1, 1000, 10, 0}});
  Segment segment{1, 0, {}};
  ASSERT_TRUE(segment.bytes.assign(Bytes(10)));
  for (std::uint32_t i = 0; i <= kWriteQueue; ++i) {
    segment.offset = i * 10;
    receiver.handle_segment(now, segment);
  }
  EXPECT_EQ(receiver.metrics().dropped, 1u);
  segment.offset = 0;
  receiver.handle_segment(now, segment);
  EXPECT_EQ(receiver.metrics().duplicates, 1u);
}

TEST(Transfer, ACancelledTransferEndsAtBothEnds) {
  World world{1, 60'000, 192, Trouble{}};
  ASSERT_FALSE(world.run(500ms).has_value());
  world.sender->cancel(world.now);
  EXPECT_EQ(world.run(100ms)->outcome, Outcome::kCancelled);
  EXPECT_FALSE(world.sender->is_busy());
  (void)world.run(100ms);
  EXPECT_FALSE(world.receiver->blob().has_value());
  EXPECT_EQ(world.events.back().outcome, Outcome::kCancelled);
}

TEST(Transfer, TheSenderRefusesWhatCannotBe) {
  Sender sender;
  const TimePoint now{1s};
  EXPECT_FALSE(sender.offer(now, {1, 0, 10, 0}));
  EXPECT_TRUE(sender.offer(now, {1, 1000, 10, 0}));
  EXPECT_FALSE(sender.offer(now, {2, 1000, 10, 0})) << "one at a time";
  sender.begin_session(now);
  for (const Accept& accept : {Accept{2, 0, 0}, Accept{1, 5, 0}, Accept{1, 1010, 0}}) {
    sender.handle_accept(now, accept);
  }
  sender.handle_done(now, {2, Outcome::kComplete});
  sender.handle_done(now, {1, static_cast<Outcome>(kOutcomeCount)});
  EXPECT_EQ(sender.metrics().refused, 5u);
  EXPECT_FALSE(sender.poll_wanted(now).has_value());
  sender.handle_accept(now, {1, 10, 1});
  EXPECT_EQ(*sender.poll_wanted(now), (Wanted{10, 10}));
  EXPECT_FALSE(sender.provide(now, 0, Bytes(10)));
  EXPECT_FALSE(sender.provide(now, 10, Bytes(9)));
  EXPECT_TRUE(sender.provide(now, 10, Bytes(10)));
  EXPECT_FALSE(sender.poll_wanted(now).has_value());
}

struct SenderAdapter {
  using Machine = Sender;
  static Machine make(std::uint64_t) {
    Sender sender;
    (void)sender.offer(TimePoint{1s}, {1, 5000, 100, 0});
    return sender;
  }
  static void feed(Machine& sender, TimePoint now, Rng& rng) {
    switch (rng.below(6)) {
      case 0:
        sender.begin_session(now);
        return;
      case 1:
        (void)sender.offer(now, {1, 5000, 100, 0});
        return;
      case 2:
        if (rng.chance(100'000)) {
          sender.handle_done(now, {1, static_cast<Outcome>(rng.below(7))});
        }
        return;
      default:
        sender.handle_accept(now, {1, sender.done_size() + rng.below(3) * 100, rng.below(0xFFFF'FFFF)});
        return;
    }
  }
  static bool drain_one(Machine& sender, TimePoint now, Digest& digest) {
    if (const auto wanted = sender.poll_wanted(now)) {
      digest.add_number(wanted->offset);
      return sender.provide(now, wanted->offset, Bytes(wanted->size));
    }
    if (const auto message = sender.poll_transmit(now)) {
      digest.add_number(static_cast<std::int64_t>(message->index()));
      return true;
    }
    return sender.poll_event().has_value();
  }
};

struct ReceiverAdapter {
  using Machine = Receiver;
  static Machine make(std::uint64_t) { return Receiver{}; }
  static void feed(Machine& receiver, TimePoint now, Rng& rng) {
    Segment segment{1, receiver.next() + rng.below(40) * 100, {}};
    EXPECT_TRUE(segment.bytes.assign(Bytes(rng.below(10) == 0 ? 50 : 100)));
    switch (rng.below(8)) {
      case 0:
        receiver.begin_session(now);
        return;
      case 1:
        receiver.handle_offer(now, {Blob{1, 5000, 100, 0}});
        return;
      case 2:
        receiver.handle_stored(now, rng.chance(900'000));
        return;
      case 3:
        receiver.handle_verified(now, rng.chance(500'000));
        return;
      case 4:
        receiver.handle_written(now, rng.chance(950'000));
        return;
      default:
        receiver.handle_segment(now, segment);
        return;
    }
  }
  static bool drain_one(Machine& receiver, TimePoint now, Digest& digest) {
    if (const auto message = receiver.poll_transmit(now)) {
      digest.add_number(static_cast<std::int64_t>(message->index()));
      return true;
    }
    if (const auto write = receiver.poll_write()) {
      digest.add_number(write->offset);
      return true;
    }
    return receiver.poll_store() || receiver.poll_verify() || receiver.poll_event();
  }
};

TEST(Transfer, BothEndsKeepTheContractOfMachines) {
  contract::check_machine_contract<SenderAdapter>();
  contract::check_machine_contract<ReceiverAdapter>();
}

}  // namespace
}  // namespace amphora::transfer
