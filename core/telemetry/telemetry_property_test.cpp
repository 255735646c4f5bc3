// SPDX-License-Identifier: Apache-2.0
// A sender and a receiver over a channel that loses, delays, overtakes and repeats, between boxes that lose
// their sessions and restart, some with a queue that survives it. After every step, for every seed:
//   - what was just acknowledged lies in the receiver's store;
//   - the store holds each reading once, in order, with the payload that was added;
//   - both accounts are exact.
// And in the end, when the trouble stops, everything waiting arrives; what is not in the store was counted as
// dropped or expired, or was lost with the RAM of a box that restarted.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "core/base/rng.hpp"
#include "core/telemetry/receiver.hpp"
#include "core/telemetry/sender.hpp"
#include "tests/contract/slow_build.hpp"

namespace amphora::telemetry {
namespace {

using namespace std::chrono_literals;

struct Trouble {
  std::uint32_t loss_ppm = 0;
  std::uint32_t duplicate_ppm = 0;
  std::int64_t delay_ms_max = 5;
  std::uint32_t disconnect_ppm = 0;        // a step
  std::uint32_t restart_sender_ppm = 0;    // a step
  std::uint32_t restart_receiver_ppm = 0;  // a step
  std::uint32_t store_failure_ppm = 0;
};

template <std::size_t Capacity, std::size_t Window>
class World {
 public:
  World(std::uint64_t seed, const SenderConfig& config, const Trouble& trouble)
      : rng_{seed}, config_{config}, trouble_{trouble} {
    config_.epoch = 1;
    store_.epoch = 1;
    store_.next_sequence = config_.first_sequence;
    sender_ = std::make_unique<Sender<Capacity>>(config_);
    receiver_ = std::make_unique<Receiver<Window>>();
  }

  void run(Duration duration, Duration period) {
    const TimePoint end = now_ + duration;
    TimePoint next_reading = now_;
    while (now_ < end) {
      now_ += std::chrono::milliseconds{rng_.between(1, 20)};
      if (now_ >= next_reading) {
        produce();
        next_reading = now_ + period;
      }
      disturb();
      step();
      if (::testing::Test::HasFailure()) {
        return;
      }
    }
  }
  void calm() { trouble_ = Trouble{}; }
  void finish() {
    run(120s, 1h);
    EXPECT_EQ(sender_->waiting_count(), 0u);
    EXPECT_LE(produced_count_ - database_.size(), excused_count() + lost_count_)
        << produced_count_ << " produced, " << database_.size() << " stored, " << excused_count()
        << " dropped or expired, " << lost_count_ << " lost";
  }

  std::size_t stored_count() const { return database_.size(); }
  std::uint64_t excused_count() const {
    return excused_count_ + sender_->metrics().dropped + sender_->metrics().expired;
  }
  std::uint64_t lost_count() const { return lost_count_; }
  std::uint64_t produced_count() const { return produced_count_; }
  std::uint64_t watchdog_restarts() const { return sender_->metrics().watchdog_restarts; }

 private:
  using Key = std::pair<std::uint32_t, std::uint32_t>;  // epoch, sequence
  struct Frame {
    TimePoint at;
    std::uint64_t session;
    std::variant<SenderMessage, ReceiverMessage> message;
  };
  // What survives a restart of the sender.
  struct Store {
    std::uint32_t epoch = 0;
    std::uint32_t next_sequence = 0;
    std::vector<Entry> entries;
  };

  void produce() {
    std::array<std::uint8_t, 8> bytes{};
    amphora::store(bytes.data(), ++produced_count_, Endian::kLittle);
    const auto sequence = sender_->add(now_, bytes);
    ASSERT_TRUE(sequence.ok());
    produced_[{sender_->epoch(), *sequence}] = produced_count_;
  }

  void disturb() {
    if (session_ != 0 && rng_.chance(trouble_.disconnect_ppm)) {
      if (rng_.chance(300'000)) {
        // The receiver pauses and begins anew, and the sender knows nothing of it.
        receiver_->begin_session(now_);
        return;
      }
      // One end may notice later than the other.
      (rng_.chance(500'000) ? sender_session_ : receiver_session_) = 0;
      session_ = 0;
    }
    if (rng_.chance(trouble_.restart_sender_ppm)) {
      restart_sender();
    }
    if (rng_.chance(trouble_.restart_receiver_ppm)) {
      receiver_ = std::make_unique<Receiver<Window>>();
      pending_.clear();
      if (!database_.empty()) {
        receiver_->restore(database_.back().first, database_.back().second);
      }
      session_ = receiver_session_ = 0;
    }
    if (session_ == 0 && (trouble_.disconnect_ppm == 0 || rng_.chance(20'000))) {
      session_ = sender_session_ = receiver_session_ = rng_.next();
      sender_->begin_session(now_);
      receiver_->begin_session(now_);
    }
    if (sender_session_ == 0) {
      sender_->end_session(now_);
    }
    if (receiver_session_ == 0) {
      receiver_->end_session(now_);
    }
  }

  void restart_sender() {
    excused_count_ += sender_->metrics().dropped + sender_->metrics().expired;
    const std::uint32_t end = sender_->next_sequence();
    if (config_.persist) {
      // The restored ones may have been acknowledged already; what was not stored is lost and its number used
      // again, so it must never have left the box.
      for (std::uint32_t sequence = store_.next_sequence; sequence != end; ++sequence) {
        produced_.erase({store_.epoch, sequence});
        ++lost_count_;
      }
      config_.epoch = store_.epoch;
      sender_ = std::make_unique<Sender<Capacity>>(config_);
      sender_->restore(now_, store_.epoch, store_.next_sequence, store_.entries);
    } else {
      lost_count_ += sender_->waiting_count();
      ++config_.epoch;
      sender_ = std::make_unique<Sender<Capacity>>(config_);
    }
    session_ = sender_session_ = 0;
  }

  template <class Message>
  void put(std::uint64_t session, const Message& message) {
    if (rng_.chance(trouble_.loss_ppm)) {
      return;
    }
    const int copies = rng_.chance(trouble_.duplicate_ppm) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      const auto delay = std::chrono::milliseconds{rng_.between(1, trouble_.delay_ms_max)};
      channel_.push_back({now_ + delay, session, {message}});
    }
  }

  void step() {
    for (std::size_t i = 0; i < channel_.size();) {
      if (channel_[i].at > now_) {
        ++i;
        continue;
      }
      const Frame frame = channel_[i];
      channel_[i] = channel_.back();
      channel_.pop_back();
      take(frame);
    }
    sender_->handle_timeout(now_);
    receiver_->handle_timeout(now_);
    serve_queue_store();
    serve_database();
    while (const auto message = sender_->poll_transmit(now_)) {
      put(sender_session_, *message);
    }
    while (const auto message = receiver_->poll_transmit(now_)) {
      put(receiver_session_, *message);
    }
    while (sender_->poll_event()) {
    }
    while (receiver_->poll_event()) {
    }
    check_accounts();
  }

  void take(const Frame& frame) {
    if (const auto* message = std::get_if<SenderMessage>(&frame.message)) {
      if (frame.session != receiver_session_) {
        return;
      }
      if (const auto* reading = std::get_if<Reading>(message)) {
        receiver_->handle_reading(now_, *reading);
      } else {
        receiver_->handle_manifest(now_, std::get<Manifest>(*message));
      }
      return;
    }
    if (frame.session != sender_session_) {
      return;
    }
    const std::uint32_t first = sender_->first_sequence();
    const std::uint64_t acked = sender_->metrics().acked;
    const auto& message = std::get<ReceiverMessage>(frame.message);
    if (const auto* ack = std::get_if<ReadingAck>(&message)) {
      sender_->handle_ack(now_, *ack);
    } else {
      sender_->handle_gaps(now_, std::get<Gaps>(message));
    }
    for (std::uint64_t i = 0; i < sender_->metrics().acked - acked; ++i) {
      ASSERT_TRUE(stored_.contains({sender_->epoch(), first + static_cast<std::uint32_t>(i)}))
          << "acknowledged, but not stored";
    }
    ASSERT_EQ(sender_->metrics().refused, 0u);
  }

  void serve_queue_store() {
    const auto request = sender_->poll_store(now_);
    if (!request) {
      return;
    }
    if (rng_.chance(trouble_.store_failure_ppm)) {
      sender_->handle_stored(now_, false);
      return;
    }
    if (const auto* append = std::get_if<StoreAppend>(&*request)) {
      store_.entries.push_back(append->entry);
      store_.next_sequence = append->entry.sequence + 1;
    } else {
      const std::uint32_t up_to = std::get<StoreForget>(*request).up_to;
      std::erase_if(store_.entries, [up_to](const Entry& e) { return !is_before(up_to, e.sequence); });
      if (is_before(store_.next_sequence, up_to + 1)) {
        store_.next_sequence = up_to + 1;
      }
    }
    sender_->handle_stored(now_, true);
  }

  // Now and then the host lets readings wait, so that several are handed out and lost in a restart.
  void serve_database() {
    while (const auto delivery = receiver_->poll_delivery(now_)) {
      pending_.push_back(*delivery);
    }
    if (pending_.empty() || rng_.chance(300'000)) {
      return;
    }
    if (rng_.chance(trouble_.store_failure_ppm)) {
      pending_.clear();
      receiver_->handle_delivery_failed(now_);
      return;
    }
    for (const Delivery& delivery : pending_) {
      commit(delivery);
    }
    pending_.clear();
  }

  void commit(const Delivery& delivery) {
    const Key key{delivery.epoch, delivery.entry.sequence};
    const std::uint64_t before = receiver_->metrics().delivered;
    receiver_->handle_delivered(now_, delivery.entry.sequence);
    ASSERT_EQ(receiver_->metrics().delivered, before + 1);
    ASSERT_TRUE(stored_.emplace(key, true).second) << "delivered twice: " << key.second;
    if (!database_.empty()) {
      ASSERT_TRUE(database_.back().first < key.first ||
                  (database_.back().first == key.first && is_before(database_.back().second, key.second)))
          << "out of order: " << key.second;
    }
    database_.push_back(key);
    const auto produced = produced_.find(key);
    ASSERT_NE(produced, produced_.end()) << "never produced: " << key.second;
    ASSERT_EQ(load<std::uint64_t>(delivery.entry.payload.view().data(), Endian::kLittle), produced->second);
  }

  void check_accounts() {
    const SenderMetrics& s = sender_->metrics();
    ASSERT_EQ(s.added, s.acked + s.dropped + s.expired + sender_->waiting_count());
    ASSERT_LE(sender_->waiting_count(), Capacity);
    ASSERT_LE(s.high_water, Capacity);
    const ReceiverMetrics& r = receiver_->metrics();
    if (receiver_->epoch() == account_epoch_ && receiver_.get() == account_receiver_) {
      ASSERT_EQ(r.delivered + r.missing - account_before_, receiver_->last_in_order() - receiver_->base());
    } else {
      account_epoch_ = receiver_->epoch();
      account_receiver_ = receiver_.get();
      account_before_ = r.delivered + r.missing - (receiver_->last_in_order() - receiver_->base());
    }
  }

  Rng rng_;
  SenderConfig config_;
  Trouble trouble_;
  TimePoint now_{1s};
  std::unique_ptr<Sender<Capacity>> sender_;
  std::unique_ptr<Receiver<Window>> receiver_;
  std::vector<Frame> channel_;
  std::uint64_t session_ = 0;
  std::uint64_t sender_session_ = 0;
  std::uint64_t receiver_session_ = 0;
  Store store_;
  std::vector<Delivery> pending_;
  std::vector<Key> database_;
  std::map<Key, bool> stored_;
  std::map<Key, std::uint64_t> produced_;
  std::uint64_t produced_count_ = 0;
  std::uint64_t lost_count_ = 0;
  std::uint64_t excused_count_ = 0;
  std::optional<std::uint32_t> account_epoch_;
  const void* account_receiver_ = nullptr;
  std::uint64_t account_before_ = 0;
};

SenderConfig config_for(std::uint64_t seed) {
  SenderConfig config;
  config.persist = seed % 2 == 1;
  config.first_sequence = seed % 3 == 0 ? 0xFFFF'FFC0 : 1;
  config.expire_after = seed % 5 == 0 ? Duration{3s} : Duration{5min};
  return config;
}

template <std::size_t Capacity, std::size_t Window>
void run_seeds(std::uint64_t first, std::uint64_t count, const Trouble& trouble) {
  for (std::uint64_t seed = first; seed < first + contract::repetitions(count); ++seed) {
    World<Capacity, Window> world{seed, config_for(seed), trouble};
    world.run(60s, seed % 7 == 0 ? 20ms : 150ms);
    world.calm();
    world.finish();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
  }
}

TEST(TelemetryProperty, AQuietChannelLosesNothing) {
  SenderConfig config;
  World<kQueueCapacity, kReceiverWindow> world{1, config, Trouble{}};
  world.run(60s, 100ms);
  world.finish();
  EXPECT_EQ(world.stored_count(), world.produced_count());
  EXPECT_EQ(world.excused_count() + world.lost_count(), 0u);
  EXPECT_EQ(world.watchdog_restarts(), 0u);
}

TEST(TelemetryProperty, ALossyChannelLosesNothing) {
  Trouble trouble;
  trouble.loss_ppm = 400'000;
  trouble.duplicate_ppm = 100'000;
  trouble.delay_ms_max = 150;
  SenderConfig config;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World<kQueueCapacity, kReceiverWindow> world{seed, config, trouble};
    world.run(60s, 1s);
    world.calm();
    world.finish();
    EXPECT_EQ(world.stored_count(), world.produced_count()) << "seed " << seed;
    EXPECT_EQ(world.excused_count(), 0u);
  }
}

TEST(TelemetryProperty, WithSessionsThatBreak) {
  run_seeds<kQueueCapacity, kReceiverWindow>(1, 200, {200'000, 50'000, 80, 3'000, 0, 0, 0});
}

TEST(TelemetryProperty, WithRestartsOfBothBoxesAndStoresThatFail) {
  run_seeds<kQueueCapacity, kReceiverWindow>(1000, 400, {200'000, 50'000, 80, 1'000, 2'000, 2'000, 30'000});
}

TEST(TelemetryProperty, WithTinyCapacities) {
  run_seeds<1, 16>(2000, 100, {200'000, 50'000, 60, 1'000, 1'000, 1'000, 30'000});
  run_seeds<3, 1>(3000, 100, {200'000, 50'000, 60, 1'000, 1'000, 1'000, 30'000});
  run_seeds<7, 4>(4000, 100, {200'000, 50'000, 60, 1'000, 1'000, 1'000, 30'000});
}

// Apart for five minutes at one reading a second: the newest 250 arrive, the others are counted.
TEST(TelemetryProperty, AloneTooLongKeepsTheNewest) {
  Sender<> sender{SenderConfig{}};
  Receiver<> receiver;
  TimePoint now{1s};
  for (std::uint32_t i = 0; i < 299; ++i) {
    const std::array<std::uint8_t, 4> bytes{};
    (void)sender.add(now, bytes);
    now += 1s;
  }
  sender.begin_session(now);
  receiver.begin_session(now);
  const TimePoint start = now;
  std::uint32_t next = 50;
  while (sender.waiting_count() > 0 && now - start < 10s) {
    while (const auto message = sender.poll_transmit(now)) {
      if (const auto* reading = std::get_if<Reading>(&*message)) {
        receiver.handle_reading(now, *reading);
      } else {
        receiver.handle_manifest(now, std::get<Manifest>(*message));
      }
      while (const auto delivery = receiver.poll_delivery(now)) {
        EXPECT_EQ(delivery->entry.sequence, next++);
        receiver.handle_delivered(now, delivery->entry.sequence);
      }
      while (const auto answer = receiver.poll_transmit(now)) {
        if (const auto* ack = std::get_if<ReadingAck>(&*answer)) {
          sender.handle_ack(now, *ack);
        } else {
          sender.handle_gaps(now, std::get<Gaps>(*answer));
        }
      }
    }
    now += 1ms;
  }
  EXPECT_EQ(next, 300u);
  EXPECT_EQ(sender.metrics().dropped, 49u);
  EXPECT_EQ(sender.metrics().acked, 250u);
  EXPECT_LE(now - start, 2500ms) << "the backlog goes at the faster pace";
}

}  // namespace
}  // namespace amphora::telemetry
