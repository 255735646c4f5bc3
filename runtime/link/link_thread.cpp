// SPDX-License-Identifier: Apache-2.0
#include "runtime/link/link_thread.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/link/node_host.hpp"

namespace amphora::runtime {
namespace {

state::Memory memory_of(const StoredLink& stored, const Store* store) {
  const bool is_whole = std::all_of(stored.sections.begin(), stored.sections.end(),
                                    [](const StoredSection& section) { return section.record.has_value(); });
  return store != nullptr && is_whole ? state::Memory::kDurable : state::Memory::kVolatile;
}

telemetry::Payload payload_of(const std::string& hex) {
  telemetry::Payload payload;
  if (const auto bytes = bytes_from_hex(hex)) {
    (void)payload.assign(*bytes);
  }
  return payload;
}

}  // namespace

class LinkThread::TransmitterHost final : public NodeHost<node::Transmitter> {
 public:
  using NodeHost::NodeHost;

 private:
  void make_node(TimePoint now, NodeId self) override {
    const StoredLink& stored = options().stored;
    node::TransmitterConfig config = std::get<node::TransmitterConfig>(options().node);
    config.self = self;
    config.memory = memory_of(stored, owner_.store_);
    config.home_channel = stored.channel;
    config.entropy = random_bits();
    config.queue.epoch = static_cast<std::uint32_t>(random_bits());
    config.queue.persist = options().persists_queue && owner_.store_ != nullptr;
    if (!stored.peers.empty()) {
      config.peer = stored.peers.front();
    }
    if (config.mode == link::Mode::kPlain) {
      config.peer = {options().only_peer, {}};
    }
    node_.emplace(config);
    restore_sections(now, node_->replica(), NodeId{}, stored.sections);
    if (config.queue.persist && stored.queue_epoch) {
      std::vector<telemetry::Entry> entries;
      for (const LinkQueueEntry& entry : stored.queue) {
        entries.push_back({entry.sequence, entry.time_ms, entry.format, payload_of(entry.payload)});
      }
      node_->queue().restore(now, *stored.queue_epoch, stored.queue_next, entries);
    }
    node_->settle(now);
  }

  state::Replica* replica(NodeId owner) override {
    return owner.is_nobody() || owner == node_->config().self ? &node_->replica() : nullptr;
  }

  void deliver(TimePoint now) override {
    while (const auto request = node_->replica().poll_store(now)) {
      store_section(NodeId{}, *request);
    }
    store_queue(now);
    if (const auto key = node_->poll_key()) {
      store_key(*key);
    }
    while (const auto event = node_->poll_event()) {
      follow(*event);
      send(*event);
      report_soon();
    }
  }

  void follow(const node::TransmitterEvent& event) {
    if (const auto* pairing = std::get_if<link::PairingEvent>(&event.what)) {
      follow(*pairing);
    }
    const auto* change = std::get_if<node::PhaseChanged>(&event.what);
    if (change == nullptr) {
      return;
    }
    if (change->phase == node::TransmitterPhase::kVerifying) {
      found_after_ = change->took;
    } else if (change->phase == node::TransmitterPhase::kLinked && owner_.store_ != nullptr) {
      owner_.store_->put_counter(kChannelCounter, change->channel);
    }
  }

  void follow(const link::PairingEvent& event) {
    using enum link::PairingEvent::Kind;
    if (event.kind == kOpened) {
      pairing_ = {.state = LinkPairing::State::kShowing};
    } else if (event.kind == kPaired) {
      pairing_ = {.state = LinkPairing::State::kDone, .peer = event.peer};
    } else if (event.kind == kClosed && pairing_.state != LinkPairing::State::kDone) {
      const bool was_cancelled = event.reason == link::PairingEvent::Reason::kCancelled;
      pairing_ = was_cancelled ? LinkPairing{}
                               : LinkPairing{.state = LinkPairing::State::kFailed,
                                             .reason = link::to_text(event.reason)};
    }
  }

  void handle(TimePoint now, const ShowCodeOrder& order) override {
    if (node_->config().mode == link::Mode::kPlain) {
      refuse(order.token);
      return;
    }
    node_->show_code(now, pairing_entropy());
    PairingAnswer answer{now, order.token, false, {}, node_->code_expires_at()};
    if (const auto code = node_->pairing().code()) {
      answer.is_accepted = true;
      answer.code.assign(code->begin(), code->end());
    }
    send(std::move(answer));
    report_soon();
  }
  void handle(TimePoint now, const CancelPairingOrder& order) override {
    node_->hide_code(now);
    accept(order.token);
    report_soon();
  }
  bool forget(TimePoint now, NodeId peer) override {
    if (node_->config().peer.node != peer) {
      return false;
    }
    node_->set_peer(now, {});
    return true;
  }

  void store_queue(TimePoint now) {
    const auto request = node_->queue().poll_store(now);
    if (!request) {
      return;
    }
    const auto done = [&owner = owner_](const std::optional<SysError>& error) {
      (void)owner.order(QueueStoredOrder{!error});
    };
    if (const auto* append = std::get_if<telemetry::StoreAppend>(&*request)) {
      const telemetry::Entry& entry = append->entry;
      owner_.store_->append_link_queue(
          {append->epoch, entry.sequence, entry.time_ms, entry.format_version, to_hex(entry.payload.view())},
          done);
    } else {
      const auto& forget = std::get<telemetry::StoreForget>(*request);
      owner_.store_->forget_link_queue(forget.epoch, forget.up_to, done);
    }
  }

  void add_to_report(LinkReport& report) const override {
    const auto* connection = node_->connection();
    const state::Exchange* exchange = connection != nullptr ? &connection->exchange() : nullptr;
    for (const state::SectionSpec& spec : node_->replica().specs()) {
      report.own.push_back(section_report(node_->replica(), spec.id, exchange));
    }
    if (connection != nullptr) {
      report.peers.push_back(peer_report(*connection));
      report.peers.back().rssi_dbm = node_->rssi_dbm();
    }
    report.phase = to_text(node_->phase());
    report.is_searching = node_->discovery().is_searching();
    report.discovery = node_->discovery().statistics();
    report.found_after = found_after_;
    report.pairing = pairing_;
    if (pairing_.state == LinkPairing::State::kShowing) {
      report.pairing.expires_at = node_->code_expires_at();
      report.pairing.tries_left = node_->pairing().tries_left();
    }
    const telemetry::SenderBase& queue = node_->queue();
    report.queue = LinkQueueReport{queue.metrics(), queue.waiting_count(), queue.capacity()};
  }

  void handle(TimePoint now, const ReadingOrder& order) override {
    (void)node_->add_reading(now, order.payload, order.format);
  }
  void handle(TimePoint now, const CellsOrder& order) override {
    node_->set_cells(now, order.kind, order.values);
  }
  void handle(TimePoint now, const QueueStoredOrder& order) override {
    node_->queue().handle_stored(now, order.is_durable);
  }

  std::optional<Duration> found_after_;
  LinkPairing pairing_;
};

class LinkThread::ReceiverHost final : public NodeHost<node::Receiver<>> {
 public:
  using NodeHost::NodeHost;

 private:
  void make_node(TimePoint now, NodeId self) override {
    const StoredLink& stored = options().stored;
    node::ReceiverConfig config = std::get<node::ReceiverConfig>(options().node);
    config.self = self;
    config.memory = memory_of(stored, owner_.store_);
    config.entropy = random_bits();
    config.boot_epoch = static_cast<std::uint32_t>(random_bits());
    node_.emplace(config);
    restore_sections(now, *node_->replica(self), NodeId{}, stored.sections);
    for (const node::PairedPeer& peer : stored.peers) {
      (void)node_->add_peer(now, peer);
    }
    if (config.mode == link::Mode::kPlain) {
      // Known from earlier: their settings are shown before they are heard.
      for (const StoredSection& section : stored.sections) {
        (void)node_->add_peer(now, {section.owner, {}});
      }
    }
    for (const auto& slot : node_->peers()) {
      if (slot) {
        restore_peer(now, slot->node());
      }
    }
    node_->settle(now);
  }

  void restore_peer(TimePoint now, NodeId node) {
    node::ReceiverPeer& peer = *node_->peer(node);
    restore_sections(now, peer.replica(), node, options().stored.sections);
    for (const LinkPosition& position : options().stored.positions) {
      if (position.peer == node.value) {
        peer.readings().restore(position.epoch, position.sequence);
      }
    }
  }

  state::Replica* replica(NodeId owner) override {
    return node_->replica(owner.is_nobody() ? node_->config().self : owner);
  }

  void deliver(TimePoint now) override {
    while (const auto request = node_->poll_store(now)) {
      const bool is_own = request->owner == node_->config().self;
      store_section(is_own ? NodeId{} : request->owner, request->request);
    }
    while (const auto delivery = node_->poll_delivery(now)) {
      store_reading(*delivery);
      send(ReadingArrived{now, *delivery});
    }
    if (const auto key = node_->poll_key()) {
      store_key(*key);
    }
    while (const auto cells = node_->poll_cells()) {
      send(CellsArrived{now, *cells});
    }
    while (const auto event = node_->poll_event()) {
      send(*event);
      report_soon();
    }
  }

  void handle(TimePoint now, const EnterCodeOrder& order) override {
    const bool is_possible = node_->config().mode == link::Mode::kSealed;
    if (!is_possible || !node_->enter_code(now, order.code, pairing_entropy())) {
      refuse(order.token);
      return;
    }
    accept(order.token);
    report_soon();
  }
  void handle(TimePoint now, const CancelPairingOrder& order) override {
    node_->cancel_pairing(now);
    accept(order.token);
    report_soon();
  }
  bool forget(TimePoint now, NodeId peer) override { return node_->remove_peer(now, peer); }

  static LinkPairing pairing_report(const node::PairingStatus& status) {
    LinkPairing report;
    switch (status.phase) {
      case node::PairingPhase::kIdle:
        break;
      case node::PairingPhase::kWaiting:
        report.state = LinkPairing::State::kWaiting;
        report.expires_at = status.expires_at;
        break;
      case node::PairingPhase::kExchanging:
        report.state = LinkPairing::State::kExchanging;
        break;
      case node::PairingPhase::kDone:
        report.state = LinkPairing::State::kDone;
        report.peer = status.peer;
        break;
      case node::PairingPhase::kFailed:
        report.state = LinkPairing::State::kFailed;
        report.reason = link::to_text(status.reason);
        break;
    }
    return report;
  }

  void store_reading(const node::PeerDelivery& delivered) {
    const telemetry::Entry& entry = delivered.delivery.entry;
    const DeliveredOrder answer{delivered.peer, entry.sequence, true};
    if (owner_.store_ == nullptr) {
      (void)owner_.order(answer);
      return;
    }
    LinkReading reading;
    reading.peer = delivered.peer.value;
    reading.epoch = delivered.delivery.epoch;
    reading.sequence = entry.sequence;
    reading.time_ms = entry.time_ms;
    reading.received_ms = wall_now().unix_ms;
    reading.format = entry.format_version;
    reading.payload = to_hex(entry.payload.view());
    owner_.store_->put_link_reading(std::move(reading),
                                    [&owner = owner_, answer](const std::optional<SysError>& error) {
                                      DeliveredOrder outcome = answer;
                                      outcome.is_durable = !error;
                                      (void)owner.order(outcome);
                                    });
  }

  void add_to_report(LinkReport& report) const override {
    const node::ReceiverBase& node = *node_;
    report.pairing = pairing_report(node.pairing());
    const state::Replica& own = *const_cast<node::ReceiverBase&>(node).replica(node.config().self);
    for (const state::SectionSpec& spec : own.specs()) {
      report.own.push_back(section_report(own, spec.id, nullptr));
    }
    for (const auto& slot : node.peers()) {
      if (!slot) {
        continue;
      }
      LinkPeer peer = peer_report(slot->connection());
      peer.rssi_dbm = slot->rssi_dbm();
      peer.readings = LinkReadingsReport{slot->readings().metrics(), slot->readings().epoch(),
                                         slot->readings().last_in_order()};
      peer.cells = slot->cells_metrics();
      for (const state::SectionSpec& spec : slot->replica().specs()) {
        peer.sections.push_back(section_report(slot->replica(), spec.id, &slot->connection().exchange()));
      }
      report.peers.push_back(std::move(peer));
    }
  }

  void handle(TimePoint now, const DeliveredOrder& order) override {
    if (order.is_durable) {
      node_->handle_delivered(now, order.peer, order.sequence);
    } else {
      node_->handle_delivery_failed(now, order.peer);
    }
  }
};

LinkThread::LinkThread(LinkOptions options, Store* store) : options_{std::move(options)}, store_{store} {}

LinkThread::~LinkThread() {
  stop();
}

void LinkThread::start() {
  thread_ = std::thread{[this] { run(); }};
}

void LinkThread::run() {
  (void)pthread_setname_np(pthread_self(), "link");
  // On Linux a thread has a niceness of its own. Where that is not allowed, all threads are equal.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNiceness);
  if (std::holds_alternative<node::TransmitterConfig>(options_.node)) {
    TransmitterHost host{*this};
    host.open();
    loop_.run();
  } else {
    ReceiverHost host{*this};
    host.open();
    loop_.run();
  }
}

void LinkThread::stop() {
  if (thread_.joinable()) {
    loop_.stop();
    thread_.join();
  }
}

}  // namespace amphora::runtime
