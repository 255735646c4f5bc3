// SPDX-License-Identifier: Apache-2.0
// Two nodes and the air between them, for the tests of this folder: everything real but radio and store.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "core/base/rng.hpp"
#include "core/state/exchange.hpp"
#include "core/state/session.hpp"

namespace amphora::state {

inline constexpr SectionSpec kTestSpecs[] = {
    {0, "facts", false}, {1, "alpha", true}, {2, "beta", true}, {5, "gamma", true}};
inline constexpr NodeId kOwnerId{0x0A};
inline constexpr NodeId kPeerId{0x0B};

constexpr TimePoint at_ms(std::int64_t ms) {
  return TimePoint{std::chrono::milliseconds{ms}};
}

inline Payload payload_of(std::uint8_t value, std::size_t size = 4) {
  const std::vector<std::uint8_t> bytes(size, value);
  return Payload{bytes};
}

inline Record record_of(std::uint32_t version, Stamp stamp, NodeId origin, std::uint8_t value) {
  return {version, stamp, origin, payload_of(value)};
}

// What survives a crash, and how long a write takes.
struct TestStore {
  std::map<SectionId, Record> records;
  Duration delay = std::chrono::milliseconds{2};
  bool is_failing = false;
};

using AnyMessage = std::variant<SessionMessage, ExchangeMessage>;

// As on the wire: data frames carry the session they belong to, 0 for the handshake.
struct Frame {
  bool is_to_owner = false;
  SessionId session = 0;
  AnyMessage message;
};

struct NodeSetup {
  bool is_owner = true;
  Memory memory = Memory::kDurable;
  std::optional<std::int64_t> wall_ms{};
  std::size_t part_size_max = kPayloadSizeMax;
  std::span<const SectionSpec> specs = kTestSpecs;
};

// One life of a node, from boot to crash.
class TestNode {
 public:
  TestNode(TimePoint now, const NodeSetup& setup, TestStore* store, std::uint64_t seed)
      : clock{setup.memory},
        replica{clock, setup.specs, setup.is_owner ? kOwnerId : kPeerId, kOwnerId},
        exchange{replica, ExchangeConfig{.seed = seed, .part_size_max = setup.part_size_max}},
        granter{seed},
        joiner{seed},
        is_owner{setup.is_owner},
        store_{store} {
    if (setup.wall_ms) {
      (void)clock.set_wall_time(now, WallTime{*setup.wall_ms});
    }
    if (store_ != nullptr) {
      for (const auto& [section, record] : store_->records) {
        (void)replica.restore(section, record);
      }
    }
    if (!is_owner) {
      joiner.request(now);
    }
  }

  void receive(TimePoint now, const Frame& frame) {
    if (const auto* handshake = std::get_if<SessionMessage>(&frame.message)) {
      if (is_owner) {
        granter.handle_message(now, clock, *handshake);
      } else {
        joiner.handle_message(now, clock, *handshake);
      }
      follow_session(now);
    } else if (session() && session()->id == frame.session) {
      exchange.handle_message(now, std::get<ExchangeMessage>(frame.message));
    } else if (is_owner) {
      granter.invite(now);
    } else {
      joiner.request(now);
    }
  }

  std::optional<Frame> transmit(TimePoint now) {
    pump_store(now);
    std::optional<SessionMessage> handshake =
        is_owner ? granter.poll_transmit(now, clock) : joiner.poll_transmit(now, clock);
    if (handshake) {
      return Frame{!is_owner, 0, *handshake};
    }
    if (auto message = exchange.poll_transmit(now)) {
      return Frame{!is_owner, session()->id, *message};
    }
    return std::nullopt;
  }

  void pump_store(TimePoint now) {
    while (const auto request = replica.poll_store(now)) {
      writes_.push_back({now + (store_ == nullptr ? Duration{} : store_->delay), *request});
    }
    for (std::size_t i = 0; i < writes_.size();) {
      if (writes_[i].due > now) {
        ++i;
        continue;
      }
      const StoreRequest request = writes_[i].request;
      writes_.erase(writes_.begin() + static_cast<std::ptrdiff_t>(i));
      if (store_ != nullptr && store_->is_failing) {
        replica.handle_store_failed(now, request.section, request.ticket);
        continue;
      }
      if (store_ != nullptr) {
        store_->records[request.section] = request.record;
      }
      replica.handle_stored(now, request.section, request.ticket);
    }
  }

  TimePoint next(TimePoint now) {
    TimePoint next = earliest(earliest(replica.poll_timeout(), exchange.poll_timeout()),
                              is_owner ? granter.poll_timeout() : joiner.poll_timeout());
    for (const auto& write : writes_) {
      next = earliest(next, write.due);
    }
    return std::max(next, now);
  }

  const std::optional<Session>& session() const { return is_owner ? granter.session() : joiner.session(); }

  HybridClock clock;
  Replica replica;
  Exchange exchange;
  SessionGranter granter;
  SessionJoiner joiner;
  bool is_owner;

 private:
  struct Write {
    TimePoint due;
    StoreRequest request;
  };
  void follow_session(TimePoint now) {
    while (const auto event = is_owner ? granter.poll_event() : joiner.poll_event()) {
      if (event->kind == SessionEvent::Kind::kBegan) {
        exchange.begin_session(now);
      } else {
        exchange.end_session(now);
      }
    }
  }

  TestStore* store_;
  std::vector<Write> writes_;
};

struct AirSetup {
  std::uint32_t loss_ppm = 0;
  std::uint32_t duplicate_ppm = 0;
  std::uint32_t late_ppm = 0;   // frames that arrive up to 300 ms late, so after others
  bool is_status_known = true;  // the radio tells when a frame was not received
  Duration frame_time = std::chrono::microseconds{3200};
  Duration processing_max = std::chrono::milliseconds{2};
};

// A half-duplex channel: one frame at a time, whoever begins first.
class TestWorld {
 public:
  TestWorld(const AirSetup& air, std::uint64_t seed) : air{air}, rng{seed} {}

  std::unique_ptr<TestNode>& node(bool is_owner) { return is_owner ? owner : peer; }
  void boot(const NodeSetup& setup) {
    node(setup.is_owner) =
        std::make_unique<TestNode>(now, setup, setup.is_owner ? &owner_store : &peer_store, rng.next());
  }

  // Runs until `until` holds or the time is over; true if it held.
  template <class Condition>
  bool run_until(TimePoint end, Condition until) {
    while (!until()) {
      pump();
      TimePoint next = end;
      for (const auto& arrival : arrivals_) {
        next = earliest(next, arrival.at);
      }
      for (const auto* n : {&owner, &peer}) {
        if (*n) {
          TimePoint due = (*n)->next(now);
          next = earliest(next, due <= now && busy_until_ > now ? busy_until_ : due);
        }
      }
      next = earliest(next, busy_until_ > now ? busy_until_ : end);
      if (next >= end) {
        now = end;
        pump();
        return until();
      }
      now = std::max(next, now + std::chrono::microseconds{1});
    }
    return true;
  }
  void run(Duration duration) {
    (void)run_until(now + duration, [] { return false; });
  }

  bool is_equal() const {
    if (!owner || !peer || !owner->replica.is_settled() || !peer->replica.is_settled()) {
      return false;
    }
    for (const SectionSpec& spec : owner->replica.specs()) {
      if (!(owner->replica.current(spec.id) == peer->replica.current(spec.id))) {
        return false;
      }
    }
    return owner->replica.digest() == peer->replica.digest();
  }

  AirSetup air;
  Rng rng;
  TimePoint now = at_ms(1000);
  TestStore owner_store;
  TestStore peer_store;
  std::unique_ptr<TestNode> owner;
  std::unique_ptr<TestNode> peer;
  std::uint64_t frames = 0;
  std::vector<Frame> heard;  // everything ever sent, for replays

 private:
  struct Arrival {
    TimePoint at;
    Frame frame;
  };
  void pump() {
    for (std::size_t i = 0; i < arrivals_.size();) {
      if (arrivals_[i].at > now) {
        ++i;
        continue;
      }
      const Frame frame = arrivals_[i].frame;
      arrivals_.erase(arrivals_.begin() + static_cast<std::ptrdiff_t>(i));
      if (auto& receiver = node(frame.is_to_owner)) {
        receiver->receive(now, frame);
      }
    }
    for (auto* n : {&owner, &peer}) {
      if (*n) {
        (*n)->pump_store(now);
      }
    }
    while (busy_until_ <= now && send_one()) {
    }
  }
  bool send_one() {
    const bool is_owner_first = rng.chance(500'000);
    for (const bool is_owner : {is_owner_first, !is_owner_first}) {
      auto& sender = node(is_owner);
      const auto frame = sender ? sender->transmit(now) : std::nullopt;
      if (!frame) {
        continue;
      }
      ++frames;
      heard.push_back(*frame);
      busy_until_ = now + air.frame_time;
      if (!rng.chance(air.loss_ppm)) {
        deliver(*frame);
      } else if (air.is_status_known) {
        sender->exchange.handle_send_failed(busy_until_);
      }
      return true;
    }
    return false;
  }
  void deliver(const Frame& frame) {
    const Duration processing{rng.between(0, air.processing_max.count())};
    arrivals_.push_back({busy_until_ + processing, frame});
    if (rng.chance(air.late_ppm)) {
      arrivals_.back().at += std::chrono::milliseconds{rng.between(1, 300)};
    }
    if (rng.chance(air.duplicate_ppm)) {
      arrivals_.push_back({arrivals_.back().at + std::chrono::milliseconds{rng.between(1, 500)}, frame});
    }
  }

  TimePoint busy_until_{};
  std::vector<Arrival> arrivals_;
};

}  // namespace amphora::state
