// SPDX-License-Identifier: Apache-2.0
// Nodes on one bus that share sections, for the tests of section_share: everything real but bus and store.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/rng.hpp"
#include "core/packnet/section_share.hpp"
#include "core/state/replica.hpp"

namespace amphora::packnet {

inline constexpr state::SectionSpec kShareSpecs[] = {
    {9, "modes", true}, {12, "schedule", true}, {13, "loads", true}};
inline constexpr std::int64_t kWallMs = 1'700'000'000'000;

inline state::Payload filled(std::uint8_t value, std::size_t size = 30) {
  const std::vector<std::uint8_t> bytes(size, value);
  return state::Payload{bytes};
}

inline RecordSeal test_seal(bool is_sealed = true, std::uint8_t secret = 7) {
  crypto::Key bus_key{};
  bus_key.fill(secret);
  return {is_sealed, section_key(bus_key)};
}

struct ShareNodeSetup {
  Node node = 1;
  std::optional<std::int64_t> wall_ms = kWallMs;  // when the bus begins
  state::Memory memory = state::Memory::kDurable;
  RecordSeal seal = test_seal();
  Duration store_delay = std::chrono::milliseconds{3};
};

class ShareNode {
 public:
  explicit ShareNode(TimePoint now, const ShareNodeSetup& setup, std::uint64_t seed)
      : clock{setup.memory},
        replica{clock, kShareSpecs, id_of(setup.node), id_of(setup.node)},
        share{replica, SectionShareConfig{seed, setup.seal}},
        node{setup.node},
        store_delay_{setup.store_delay} {
    if (setup.wall_ms) {
      (void)clock.set_wall_time(now, WallTime{*setup.wall_ms + to_milliseconds(now.time_since_epoch())});
    }
  }
  static NodeId id_of(Node node) { return NodeId{0x0200'0000'0000U + node}; }

  void change(TimePoint now, state::SectionId section, const state::Payload& payload) {
    (void)replica.change(now, section, payload.bytes());
    pump_store(now);
  }
  void pump_store(TimePoint now) {
    replica.handle_timeout(now);
    while (const auto request = replica.poll_store(now)) {
      writes_.push_back({now + store_delay_, *request});
    }
    for (std::size_t i = 0; i < writes_.size();) {
      if (writes_[i].due > now) {
        ++i;
        continue;
      }
      replica.handle_stored(now, writes_[i].request.section, writes_[i].request.ticket);
      writes_.erase(writes_.begin() + static_cast<std::ptrdiff_t>(i));
      while (const auto request = replica.poll_store(now)) {
        writes_.push_back({now + store_delay_, *request});
      }
    }
    while (replica.poll_event()) {
    }
  }
  TimePoint next() const {
    TimePoint next = earliest(share.poll_timeout(), replica.poll_timeout());
    for (const auto& write : writes_) {
      next = earliest(next, write.due);
    }
    return next;
  }

  state::HybridClock clock;
  state::Replica replica;
  SectionShare share;
  Node node;
  std::map<SectionShareEvent::Kind, int> events;

 private:
  struct Write {
    TimePoint due;
    state::StoreRequest request;
  };
  Duration store_delay_;
  std::vector<Write> writes_;
};

struct ShareBusSetup {
  std::uint32_t loss_ppm = 0;       // of each receiver for itself, which a real bus hardly knows
  std::uint32_t duplicate_ppm = 0;  // a frame repeated by its sender
  std::uint32_t late_ppm = 0;       // handed over up to 30 ms late, so after others
};

// One frame at a time, the lowest id first, as on a wire of 500 kbit/s.
class ShareBus {
 public:
  explicit ShareBus(const ShareBusSetup& setup, std::uint64_t seed) : setup{setup}, rng{seed} {}

  ShareNode& add(const ShareNodeSetup& node) {
    nodes.push_back(std::make_unique<ShareNode>(now, node, rng.next()));
    parts.push_back(0);
    return *nodes.back();
  }
  ShareNode& start(const ShareNodeSetup& node) {
    ShareNode& added = add(node);
    added.share.start(now, node.node);
    return added;
  }

  void run(Duration duration) {
    const TimePoint end = now + duration;
    while (true) {
      pump();
      TimePoint next = end;
      for (const Arrival& arrival : arrivals_) {
        next = earliest(next, arrival.at);
      }
      for (const auto& node : nodes) {
        next = earliest(next, std::max(node->next(), busy_until_));
      }
      if (next >= end) {
        now = end;
        pump();
        return;
      }
      now = std::max(next, now + std::chrono::microseconds{1});
    }
  }
  template <class Condition>
  bool run_until(Duration limit, Condition until) {
    const TimePoint end = now + limit;
    while (now < end && !until()) {
      run(std::chrono::milliseconds{1});
    }
    return until();
  }

  bool is_equal() const {
    return std::ranges::all_of(nodes, [this](const auto& node) {
      return std::ranges::all_of(kShareSpecs, [&](const state::SectionSpec& spec) {
        return node->replica.durable(spec.id) != nullptr &&
               node->replica.durable(spec.id)->payload == nodes.front()->replica.current(spec.id).payload;
      });
    });
  }
  bool is_synchronised() const {
    return std::ranges::all_of(nodes, [this](const auto& node) { return node->share.is_synchronised(now); });
  }
  std::uint64_t sum(std::uint64_t SectionShareMetrics::*metric) const {
    std::uint64_t sum = 0;
    for (const auto& node : nodes) {
      sum += node->share.metrics().*metric;
    }
    return sum;
  }

  ShareBusSetup setup;
  Rng rng;
  TimePoint now{std::chrono::seconds{1}};
  std::vector<std::unique_ptr<ShareNode>> nodes;
  std::vector<int> parts;  // of the bus, when it is cut: who hears whom
  std::uint64_t frames = 0;
  std::vector<Opaque> heard;  // everything ever sent

 private:
  struct Arrival {
    TimePoint at;
    std::size_t to;
    Opaque frame;
  };

  void pump() {
    for (std::size_t i = 0; i < arrivals_.size();) {
      if (arrivals_[i].at > now) {
        ++i;
        continue;
      }
      const Arrival arrival = arrivals_[i];
      arrivals_.erase(arrivals_.begin() + static_cast<std::ptrdiff_t>(i));
      nodes[arrival.to]->share.handle_frame(now, arrival.frame.node,
                                            ByteSpan{arrival.frame.data}.first(arrival.frame.size));
    }
    for (const auto& node : nodes) {
      node->pump_store(now);
      node->share.handle_timeout(now);
      while (const auto event = node->share.poll_event()) {
        ++node->events[event->kind];
      }
    }
    if (busy_until_ <= now) {
      send_one();
    }
  }
  void send_one() {
    std::vector<std::size_t> order(nodes.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      order[i] = i;
    }
    std::ranges::sort(order, {}, [this](std::size_t i) { return nodes[i]->node; });
    for (const std::size_t from : order) {
      const auto frame = nodes[from]->share.poll_transmit(now);
      if (!frame) {
        continue;
      }
      ++frames;
      heard.push_back(*frame);
      busy_until_ = now + std::chrono::microseconds{270};
      for (std::size_t to = 0; to < nodes.size(); ++to) {
        if (to != from && parts[to] == parts[from]) {
          deliver(to, *frame);
        }
      }
      return;
    }
  }
  void deliver(std::size_t to, const Opaque& frame) {
    if (rng.chance(setup.loss_ppm)) {
      return;
    }
    TimePoint at = busy_until_;
    if (rng.chance(setup.late_ppm)) {
      at += std::chrono::milliseconds{rng.between(1, 30)};
    }
    arrivals_.push_back({at, to, frame});
    if (rng.chance(setup.duplicate_ppm)) {
      arrivals_.push_back({at + std::chrono::microseconds{rng.between(1, 2000)}, to, frame});
    }
  }

  TimePoint busy_until_{};
  std::vector<Arrival> arrivals_;
};

}  // namespace amphora::packnet
