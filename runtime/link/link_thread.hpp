// SPDX-License-Identifier: Apache-2.0
// The link thread: the one thread that owns a transmitter or a receiver and its radio.
//
// Its own loop, at a lower priority than everything else in the process: a busy radio never delays the
// control of the battery. The rest of the program sees it through three bounded queues:
//   reports()   how the link is, as immutable values; the consumer wants the newest
//   messages()  events, answers to orders, readings and cells of peers, in order
//   order()     what others want of it
// A full messages() queue drops the newest message and counts it.
//
// What must be durable goes straight to the store, which never makes anybody wait, and its answers come back
// as orders from the store's thread: a change of a setting is on its way to the peer as soon as the disk has
// it, whatever the I/O thread is doing. Readings are acknowledged when the disk has them. Without a store
// everything counts as kept at once, so that a box with a broken disk still shows its battery.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "core/node/receiver/receiver.hpp"
#include "core/node/transmitter/transmitter.hpp"
#include "runtime/link/link_messages.hpp"
#include "runtime/link/link_store.hpp"
#include "runtime/loop/bounded_queue.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/radio/radio_port.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::runtime {

struct LinkOptions {
  // Which role. `self`, peers, memory and what must be random or is stored are filled in here.
  std::variant<node::TransmitterConfig, node::ReceiverConfig> node;
  std::string radio;  // must parse (parse_radio_spec)
  RadioOptions radio_options;
  StoredLink stored;
  NodeId only_peer;  // plain mode: frames of others are not looked at; nobody: all are
  bool persists_queue = false;
  Duration report_interval = std::chrono::milliseconds{500};  // also at every event
};

class LinkThread {
 public:
  static constexpr std::size_t kReportCapacity = 16;
  static constexpr std::size_t kMessageCapacity = 2048;
  // Room for an answer of the store to everything that can wait for one: kReceiverPeersMax windows of
  // readings and all sections.
  static constexpr std::size_t kOrderCapacity = 4096;
  static constexpr int kNiceness = 5;

  // `store` may be null. It must outlive the running thread, and this object the store's last answers.
  LinkThread(LinkOptions options, Store* store);
  // Stops and joins.
  ~LinkThread();
  LinkThread(const LinkThread&) = delete;
  LinkThread& operator=(const LinkThread&) = delete;

  void start();
  void stop();

  // Any thread. False when the link has too much to do already.
  bool order(LinkOrder order) { return orders_.push(std::move(order)); }
  BoundedQueue<LinkReportPtr>& reports() { return reports_; }
  BoundedQueue<LinkMessage>& messages() { return messages_; }

 private:
  template <class Node>
  class NodeHost;
  class TransmitterHost;
  class ReceiverHost;
  void run();

  LinkOptions options_;
  Store* store_;
  BoundedQueue<LinkReportPtr> reports_{kReportCapacity};
  BoundedQueue<LinkMessage> messages_{kMessageCapacity};
  BoundedQueue<LinkOrder> orders_{kOrderCapacity};
  Loop loop_;
  std::thread thread_;
};

}  // namespace amphora::runtime
