// SPDX-License-Identifier: Apache-2.0
// A bus of elections in memory, in virtual time: every message goes to every other node of the same part,
// with its own chance of loss and a delay of up to 2 ms. Presence goes round as in the pack network: each
// second for ten seconds after a start, then every ten.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/rng.hpp"
#include "core/election/election.hpp"

namespace amphora::election {

class Bus {
 public:
  Bus(std::uint64_t seed, std::uint32_t loss_ppm) : rng_{seed}, loss_ppm_{loss_ppm} {}

  // A node that starts now. Its number is its index.
  std::size_t add(const Candidate& candidate, const Config& config = Config{}) {
    nodes_.push_back(Node{Election{config}, config, candidate, true, 0, false, now_, now_});
    nodes_.back().election.start(now_, candidate);
    return nodes_.size() - 1;
  }
  void crash(std::size_t node) { nodes_[node].is_up = false; }
  void restart(std::size_t node) {
    nodes_[node].election = Election{nodes_[node].config};
    nodes_[node].is_up = true;
    nodes_[node].started_at = now_;
    nodes_[node].next_presence = now_;
    nodes_[node].election.start(now_, nodes_[node].candidate);
  }
  // Only nodes of the same part hear each other.
  void set_part(std::size_t node, int part) { nodes_[node].part = part; }
  void set_deaf(std::size_t node, bool is_deaf) { nodes_[node].is_deaf = is_deaf; }

  void run_until(TimePoint until) {
    pump();
    while (step_time() <= until) {
      now_ = step_time();
      while (!flights_.empty() && flights_.begin()->first <= now_) {
        const Flight flight = flights_.begin()->second;
        flights_.erase(flights_.begin());
        Node& to = nodes_[flight.to];
        if (to.is_up && to.part == nodes_[flight.from].part && !to.is_deaf) {
          if (flight.message) {
            to.election.handle_message(now_, *flight.message);
          } else if (nodes_[flight.from].config.is_candidate) {
            to.election.handle_candidate(now_, nodes_[flight.from].candidate);
          } else {
            to.election.handle_heard(now_, nodes_[flight.from].candidate.id);
          }
        }
      }
      pump();
    }
    now_ = until;
  }
  void run(Duration duration) { run_until(now_ + duration); }

  // The one master whom every node that is up in `part` takes for the master.
  std::optional<Id> agreed_master(int part = 0) const {
    std::optional<Id> agreed;
    for (const Node& node : nodes_) {
      if (!node.is_up || node.part != part) {
        continue;
      }
      const auto master = node.election.master();
      if (!master || (agreed && *agreed != master->id)) {
        return std::nullopt;
      }
      agreed = master->id;
    }
    return agreed;
  }
  int master_count(int part = 0) const {
    int count = 0;
    for (const Node& node : nodes_) {
      count += node.is_up && node.part == part && node.election.is_master() ? 1 : 0;
    }
    return count;
  }
  // One master, and all of the part know it.
  bool is_settled(int part = 0) const { return master_count(part) == 1 && agreed_master(part).has_value(); }

  TimePoint now() const { return now_; }
  std::size_t size() const { return nodes_.size(); }
  const Election& at(std::size_t node) const { return nodes_[node].election; }
  Election& at(std::size_t node) { return nodes_[node].election; }
  bool is_up(std::size_t node) const { return nodes_[node].is_up; }
  int part_of(std::size_t node) const { return nodes_[node].part; }
  std::size_t index_of(Id id) const {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].candidate.id == id) {
        return i;
      }
    }
    return nodes_.size();
  }
  std::uint64_t message_count() const { return message_count_; }
  Rng& rng() { return rng_; }

 private:
  struct Node {
    Election election;
    Config config;
    Candidate candidate;
    bool is_up = true;
    int part = 0;
    bool is_deaf = false;
    TimePoint started_at{};
    TimePoint next_presence{};
  };
  struct Flight {
    std::size_t from;
    std::size_t to;
    std::optional<Message> message;  // empty: presence
  };

  TimePoint step_time() const {
    TimePoint next = flights_.empty() ? kNever : flights_.begin()->first;
    for (const Node& node : nodes_) {
      if (node.is_up) {
        next = earliest(next, earliest(node.next_presence, node.election.poll_timeout()));
      }
    }
    return next;
  }
  void pump() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].is_up) {
        continue;
      }
      Node& node = nodes_[i];
      if (node.next_presence <= now_) {
        node.next_presence =
            now_ + (now_ - node.started_at < std::chrono::seconds{10} ? std::chrono::seconds{1}
                                                                      : std::chrono::seconds{10});
        broadcast(i, std::nullopt);
      }
      node.election.handle_timeout(now_);
      while (const auto message = nodes_[i].election.poll_transmit(now_)) {
        ++message_count_;
        broadcast(i, message);
      }
    }
  }
  void broadcast(std::size_t from, const std::optional<Message>& message) {
    for (std::size_t to = 0; to < nodes_.size(); ++to) {
      if (to != from && !rng_.chance(loss_ppm_)) {
        flights_.emplace(now_ + std::chrono::microseconds{rng_.between(100, 2000)},
                         Flight{from, to, message});
      }
    }
  }

  Rng rng_;
  std::uint32_t loss_ppm_;
  TimePoint now_{std::chrono::seconds{1}};
  std::vector<Node> nodes_;
  std::multimap<TimePoint, Flight> flights_;
  std::uint64_t message_count_ = 0;
};

}  // namespace amphora::election
