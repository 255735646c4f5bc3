// SPDX-License-Identifier: Apache-2.0
// A Linux gateway on the pack network for the time of one command: a CAN port, the network's machine in the
// gateway's role, and the sender of commands.
//
// One that only listens sends nothing at all: a gateway that is there must not fall silent because somebody
// looks at the bus. One that commands announces itself, so that of two gateways only one is active.
#pragma once

#include <bitset>
#include <functional>
#include <memory>
#include <string>

#include "core/packnet/commander.hpp"
#include "core/packnet/network.hpp"
#include "runtime/can/can_port.hpp"
#include "runtime/loop/loop.hpp"

namespace amphora::packs_command {

class Gateway {
 public:
  struct Options {
    std::string can;
    packnet::HardwareNumber hardware = 1;
    bool is_listening_only = true;
    packnet::CommanderConfig commander{};
  };
  struct Handlers {
    std::function<void(const can::Frame&)> on_frame{};
    std::function<void(const packnet::NetworkEvent&)> on_event{};
    std::function<void(const packnet::CommanderEvent&)> on_outcome{};
    std::function<bool(std::uint64_t counter)> store{};  // true: it is durable
  };

  // Throws std::runtime_error with a sentence when `can` names no bus.
  Gateway(const Options& options, Handlers handlers);

  // Serves until finish(), a signal to end (SIGINT, SIGTERM) or until `limit` has passed.
  void run(Duration limit);
  void finish() { is_finished_ = true; }
  bool was_told_to_end() const { return was_told_to_end_; }
  // What was ordered from outside of a handler goes out.
  void pump() { pump_.request(); }

  const packnet::PackNetwork& network() const { return network_; }
  packnet::Commander& commander() { return commander_; }
  TimePoint now() const { return loop_.now(); }
  // Nodes that any frame came from, whether they have told what they are or not.
  const std::bitset<packnet::kNodeAll>& heard() const { return heard_; }
  // Why nothing can come; empty while the bus is up.
  std::string bus_fault() const;

 private:
  void handle_frame(const can::Frame& frame);
  TimePoint step(TimePoint now);
  void send(TimePoint now);

  Options options_;
  Handlers handlers_;
  runtime::Loop loop_;
  packnet::PackNetwork network_;
  packnet::Commander commander_;
  std::bitset<packnet::kNodeAll> heard_;
  bool is_finished_ = false;
  bool was_told_to_end_ = false;
  runtime::SignalWatch signals_;
  runtime::Pump pump_;
  std::shared_ptr<runtime::CanPort> port_;
};

}  // namespace amphora::packs_command
