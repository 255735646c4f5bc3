// SPDX-License-Identifier: Apache-2.0
// What the hosts of transmitter and receiver have in common: the radio, the pump, orders, reports, sections.
// Private to the link thread; everything here runs on it.
//
// The node is made when the radio's address is known, because it is the node's name: from the radio itself,
// or from what the store remembers while the radio is not there. A radio with another address than remembered
// makes another node.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/sections/tables.hpp"
#include "runtime/link/link_thread.hpp"

namespace amphora::runtime {

// 64 bits of the system's randomness.
std::uint64_t random_bits();
link::PairingEntropy pairing_entropy();
link::SendStatus to_send_status(RadioSendResult result);

// How one section is, for a report.
LinkSection section_report(const state::Replica& replica, state::SectionId section,
                           const state::Exchange* exchange);
// All of a connection that both roles show.
template <class Connection>
LinkPeer peer_report(const Connection& connection) {
  LinkPeer peer;
  peer.node = connection.peer();
  peer.state = connection.liveness().state();
  peer.history = connection.liveness().history();
  peer.has_session = connection.has_session();
  peer.sessions = connection.session_statistics().began;
  peer.last_heard = connection.last_heard();
  peer.last_beacon = connection.exchange().last_beacon_at();
  peer.status = connection.exchange().peer_status();
  for (std::size_t i = 0; i < peer.rejected.size(); ++i) {
    peer.rejected[i] = connection.envelope().rejected_count(static_cast<link::Rejection>(i));
  }
  peer.undecodable = connection.statistics().undecodable;
  return peer;
}

// Applies an order to a replica.
ChangeAnswer change_section(TimePoint now, state::Replica& replica, const ChangeOrder& order);
void seed_section(TimePoint now, state::Replica& replica, const SeedOrder& order);
// Hands stored records to a new replica; `owner` as in StoredSection.
void restore_sections(TimePoint now, state::Replica& replica, NodeId owner,
                      const std::vector<StoredSection>& stored);

template <class Node>
class LinkThread::NodeHost {
 public:
  explicit NodeHost(LinkThread& owner)
      : owner_{owner},
        pump_{owner.loop_, [this](TimePoint now) { return step(now); }},
        order_watch_{owner.loop_, owner.orders_.wake_fd()} {}
  virtual ~NodeHost() = default;

  void open() {
    port_ = *make_radio_port(
        owner_.loop_, options().radio, options().radio_options,
        RadioHandlers{.on_received =
                          [this](NodeId from, ByteSpan bytes, std::optional<std::int8_t> rssi_dbm) {
                            handle_frame(from, bytes, rssi_dbm);
                          },
                      .on_sent =
                          [this](std::uint32_t, RadioSendResult result) {
                            if (node_) {
                              node_->handle_sent(now(), to_send_status(result));
                            }
                            pump_.request();
                          },
                      .on_channel =
                          [this](std::uint8_t, const std::optional<SysError>& error) {
                            if (node_) {
                              node_->handle_tuned(now(), !error);
                            }
                            pump_.request();
                          },
                      .on_state =
                          [this](RadioState) {
                            report_due_ = TimePoint{};
                            pump_.request();
                          }});
    order_watch_.on_readable([this] { take_orders(); });
    pump_.request();
  }

 protected:
  const LinkOptions& options() const { return owner_.options_; }
  TimePoint now() const { return owner_.loop_.now(); }
  void send(LinkMessage message) { (void)owner_.messages_.push(std::move(message)); }
  // Something that people should see at once.
  void report_soon() { report_due_ = TimePoint{}; }

  virtual void make_node(TimePoint now, NodeId self) = 0;
  // Events, deliveries, what is to be stored.
  virtual void deliver(TimePoint now) = 0;
  virtual void add_to_report(LinkReport& report) const = 0;
  virtual state::Replica* replica(NodeId owner) = 0;
  virtual void handle(TimePoint, const ReadingOrder&) {}
  virtual void handle(TimePoint, const CellsOrder&) {}
  virtual void handle(TimePoint, const DeliveredOrder&) {}
  virtual void handle(TimePoint, const QueueStoredOrder&) {}
  virtual void handle(TimePoint, const ShowCodeOrder& order) { refuse(order.token); }
  virtual void handle(TimePoint, const EnterCodeOrder& order) { refuse(order.token); }
  virtual void handle(TimePoint now, const CancelPairingOrder& order) = 0;
  // Takes the peer out; false when it is not one.
  virtual bool forget(TimePoint now, NodeId peer) = 0;
  virtual bool is_listened_to(NodeId from) const {
    return options().only_peer.is_nobody() || from == options().only_peer;
  }

  void store_section(NodeId owner, const state::StoreRequest& request);
  void store_key(const link::PairedKey& key);
  void refuse(std::uint64_t token) {
    send(PairingAnswer{now(), token, false, {}, {}});
    report_soon();
  }
  void accept(std::uint64_t token) {
    send(PairingAnswer{now(), token, true, {}, {}});
    report_soon();
  }

  LinkThread& owner_;
  std::optional<Node> node_;

 private:
  void handle_frame(NodeId from, ByteSpan bytes, std::optional<std::int8_t> rssi_dbm);
  TimePoint step(TimePoint now);
  void follow_radio(TimePoint now);
  void transmit(TimePoint now);
  void tell_time(TimePoint now);
  void report_if_due(TimePoint now);
  void take_orders();
  void refuse_early(const LinkOrder& order);
  void handle(TimePoint now, const StatusOrder& order);
  void handle(TimePoint now, const ChangeOrder& order);
  void handle(TimePoint now, const SeedOrder& order);
  void handle(TimePoint now, const SectionStoredOrder& order);
  void handle(TimePoint now, const ForgetOrder& order);
  void handle(TimePoint now, const KeyStoredOrder& order);

  Pump pump_;
  FdWatch order_watch_;
  std::shared_ptr<RadioPort> port_;
  bool is_radio_up_ = false;
  std::uint8_t status_ = 0;
  std::uint32_t token_ = 0;
  TimePoint refused_due_ = kNever;  // when a command that the port did not take is given up
  TimePoint time_due_{};
  TimePoint report_due_{};
};

}  // namespace amphora::runtime

#include "runtime/link/node_host.inl.hpp"
