// SPDX-License-Identifier: Apache-2.0
#include "core/node/receiver/receiver.hpp"

#include <algorithm>
#include <utility>

#include "core/base/assert.hpp"

namespace amphora::node {

namespace {

using link::RadioCommand;

// Somebody else's transmitter that only searches does not stay to answer: do not wait long for it.
constexpr Duration kPairingAnswerTimeout = std::chrono::seconds{3};

link::ConnectionConfig connection_config(const ReceiverConfig& config, const PairedPeer& peer, Rng& rng) {
  link::ConnectionConfig connection;
  connection.envelope = {.mode = config.mode,
                         .self = config.self,
                         .peer = peer.node,
                         .link_key = peer.link_key,
                         .boot_nonce = rng.next()};
  connection.exchange.seed = rng.next();
  connection.liveness = config.liveness;
  connection.heartbeat_period = config.heartbeat_period;
  connection.session_entropy = rng.next();
  return connection;
}

}  // namespace

ReceiverPeer::ReceiverPeer(state::HybridClock& clock, const ReceiverConfig& config, const PairedPeer& peer,
                           Rng& rng)
    : replica_{clock, config.peer_sections, config.self, peer.node},
      connection_{clock, replica_, connection_config(config, peer, rng)},
      readings_{config.readings} {}

ReceiverBase::ReceiverBase(const ReceiverConfig& config, std::span<PeerSlot> peers)
    : config_{config},
      rng_{config.entropy},
      clock_{config.memory},
      own_{clock_, config.own_sections, config.self, config.self},
      peers_{peers},
      enterer_{config.self, {.answer_timeout = kPairingAnswerTimeout}} {
  AMPHORA_ASSERT(config.channel >= 1 && !peers.empty());
}

// ---- peers

bool ReceiverBase::add_peer(TimePoint now, const PairedPeer& peer) {
  if (peer.node.is_nobody() || peer.node == config_.self || this->peer(peer.node) != nullptr) {
    return false;
  }
  const auto room = std::ranges::find_if(peers_, [](const PeerSlot& slot) { return !slot.has_value(); });
  if (room == peers_.end()) {
    return false;
  }
  room->emplace(clock_, config_, peer, rng_);
  (*room)->connection_.set_status(now, status_);
  (*room)->connection_.request_session(now);
  return true;
}

bool ReceiverBase::remove_peer(TimePoint now, NodeId node) {
  for (PeerSlot& slot : peers_) {
    if (slot && slot->node() == node) {
      follow(now, *slot);
      slot.reset();
      return true;
    }
  }
  return false;
}

const ReceiverPeer* ReceiverBase::peer(NodeId node) const {
  for (const PeerSlot& slot : peers_) {
    if (slot && slot->node() == node) {
      return &*slot;
    }
  }
  return nullptr;
}

ReceiverPeer* ReceiverBase::peer(NodeId node) {
  return const_cast<ReceiverPeer*>(std::as_const(*this).peer(node));
}

state::Replica* ReceiverBase::replica(NodeId owner) {
  if (owner == config_.self) {
    return &own_;
  }
  ReceiverPeer* const found = peer(owner);
  return found != nullptr ? &found->replica_ : nullptr;
}

// ---- the radio

void ReceiverBase::handle_radio(TimePoint now, bool is_up) {
  if (is_up == is_up_) {
    return;
  }
  is_up_ = is_up;
  is_tuned_ = false;
  is_tuning_ = false;
  turn_.end();
  sent_to_.reset();
  if (is_up) {
    greet(now);
  }
}

void ReceiverBase::set_channel(TimePoint now, std::uint8_t channel) {
  if (channel < 1 || channel > link::kChannelMax || channel == config_.channel) {
    return;
  }
  config_.channel = channel;
  is_tuned_ = false;
  greet(now);
}

// A transmitter that still sends on this channel, but in a session we have lost, learns of it at once.
void ReceiverBase::greet(TimePoint now) {
  for (PeerSlot& slot : peers_) {
    if (slot) {
      slot->connection_.request_session(now);
    }
  }
}

void ReceiverBase::handle_frame(TimePoint now, NodeId from, ByteSpan payload,
                                std::optional<std::int8_t> rssi_dbm) {
  if (payload.empty()) {
    ++foreign_frame_count_;
    return;
  }
  if (payload[0] == static_cast<std::uint8_t>(link::Type::kProbe)) {
    const auto message = link::decode(payload);
    const auto* probe = message.ok() ? std::get_if<link::Probe>(&*message) : nullptr;
    if (probe == nullptr) {
      ++foreign_frame_count_;
      return;
    }
    handle_probe(now, from, *probe);
    return;
  }
  if (handle_pairing_frame(now, from, payload)) {
    return;
  }
  ReceiverPeer* const sender = peer(from);
  if (sender == nullptr) {
    ++foreign_frame_count_;
    return;
  }
  const auto heard_before = sender->connection_.last_heard();
  const auto message = sender->connection_.handle_frame(now, payload);
  if (sender->connection_.last_heard() != heard_before) {
    sender->rssi_dbm_ = rssi_dbm;
  }
  // Resumed streams must be ready for the message that came with them.
  follow(now, *sender);
  if (message) {
    handle_message(now, *sender, *message);
    follow(now, *sender);
  }
}

void ReceiverBase::handle_probe(TimePoint now, NodeId from, const link::Probe& probe) {
  if (config_.mode == link::Mode::kPlain) {
    (void)add_peer(now, PairedPeer{from, {}});
  }
  ReceiverPeer* const prober = peer(from);
  const bool is_asked = ask_for_pairing(now, from);
  if (prober == nullptr && !is_asked) {
    ++foreign_frame_count_;
    return;
  }
  // The newest probe of a transmitter replaces an older one that was not answered yet.
  (void)answers_.push_overwrite(Answer{from, probe.sequence});
  // Who probes has lost us, or has started anew: a session is needed, or will be confirmed.
  if (prober != nullptr) {
    prober->connection_.request_session(now);
  }
}

// ---- pairing

bool ReceiverBase::enter_code(TimePoint now, std::string_view code, const link::PairingEntropy& entropy) {
  const bool is_code = code.size() == link::kCodeSize &&
                       std::ranges::all_of(code, [](char c) { return c >= '0' && c <= '9'; });
  if (!is_code) {
    return false;
  }
  enterer_.cancel(now);
  follow_pairing(now);
  std::ranges::copy(code, code_.begin());
  pairing_secret_ = crypto::derive_key(entropy, "amphora pairing attempts", {});
  refused_.clear();
  new_key_.reset();
  pairing_ = {.phase = PairingPhase::kWaiting,
              .reason = link::PairingEvent::Reason::kNone,
              .expires_at = add_saturating(now, kEnteredCodeLifetime),
              .peer = {}};
  return true;
}

void ReceiverBase::cancel_pairing(TimePoint now) {
  enterer_.cancel(now);
  follow_pairing(now);
  end_pairing(PairingPhase::kIdle, link::PairingEvent::Reason::kCancelled);
}

void ReceiverBase::end_pairing(PairingPhase phase, link::PairingEvent::Reason reason) {
  pairing_.phase = phase;
  pairing_.reason = reason;
  pairing_.expires_at = kNever;
  code_ = {};
  pairing_secret_ = {};
}

// True when this transmitter is being asked whether it shows our code.
bool ReceiverBase::ask_for_pairing(TimePoint now, NodeId from) {
  if (pairing_.phase == PairingPhase::kExchanging) {
    return from == asked_;
  }
  if (pairing_.phase != PairingPhase::kWaiting) {
    return false;
  }
  for (std::size_t i = 0; i < refused_.size(); ++i) {
    if (refused_[i] == from) {
      return false;
    }
  }
  std::array<std::uint8_t, 4> number{};
  store(number.data(), ++exchanges_, Endian::kLittle);
  const crypto::Key entropy = crypto::derive_key(pairing_secret_, "amphora pairing attempt", number);
  if (!enterer_.enter(now, from, {code_.data(), code_.size()}, entropy)) {
    return false;
  }
  asked_ = from;
  pairing_.phase = PairingPhase::kExchanging;
  return true;
}

bool ReceiverBase::handle_pairing_frame(TimePoint now, NodeId from, ByteSpan payload) {
  const auto message = link::decode(payload);
  if (!message.ok()) {
    return false;
  }
  if (const auto* reply = std::get_if<link::PairReply>(&*message)) {
    enterer_.handle_reply(now, from, *reply);
  } else if (const auto* result = std::get_if<link::PairResult>(&*message)) {
    enterer_.handle_result(now, from, *result);
  } else {
    return false;
  }
  follow_pairing(now);
  return true;
}

std::optional<link::PairedKey> ReceiverBase::poll_key() {
  auto key = enterer_.poll_store();
  if (key) {
    new_key_ = key;
  }
  return key;
}

void ReceiverBase::handle_key_stored(TimePoint now, bool is_durable) {
  enterer_.handle_stored(now, is_durable);
  follow_pairing(now);
}

void ReceiverBase::follow_pairing(TimePoint now) {
  using Kind = link::PairingEvent::Kind;
  using Reason = link::PairingEvent::Reason;
  while (const auto event = enterer_.poll_event()) {
    add_event(now, event->peer, *event);
    if (event->kind == Kind::kPaired && new_key_) {
      (void)remove_peer(now, new_key_->peer);
      (void)add_peer(now, {new_key_->peer, new_key_->key});
      pairing_.peer = new_key_->peer;
      new_key_.reset();
      end_pairing(PairingPhase::kDone, Reason::kNone);
    } else if (event->kind == Kind::kClosed && pairing_.phase == PairingPhase::kExchanging) {
      const bool is_other_box = event->reason == Reason::kRefused || event->reason == Reason::kBusy ||
                                event->reason == Reason::kNoAnswer;
      if (is_other_box) {
        (void)refused_.push_overwrite(event->peer);
        pairing_.phase = PairingPhase::kWaiting;
      } else {
        end_pairing(PairingPhase::kFailed, event->reason);
      }
    }
  }
}

void ReceiverBase::handle_message(TimePoint now, ReceiverPeer& peer, const link::Message& message) {
  if (const auto* reading = std::get_if<telemetry::Reading>(&message)) {
    peer.readings_.handle_reading(now, *reading);
  } else if (const auto* manifest = std::get_if<telemetry::Manifest>(&message)) {
    peer.readings_.handle_manifest(now, *manifest);
  } else if (const auto* chunk = std::get_if<telemetry::CellsChunk>(&message)) {
    peer.cells_.handle_chunk(*chunk);
  } else {
    ++foreign_frame_count_;
  }
}

void ReceiverBase::handle_sent(TimePoint now, link::SendStatus status) {
  turn_.end();
  const auto to = std::exchange(sent_to_, std::nullopt);
  ReceiverPeer* const addressee = to ? peer(*to) : nullptr;
  if (addressee != nullptr && status != link::SendStatus::kAcked) {
    addressee->connection_.handle_send_failed(now);
  }
}

void ReceiverBase::handle_tuned(TimePoint, bool is_done) {
  turn_.end();
  if (std::exchange(is_tuning_, false)) {
    is_tuned_ = is_done;
  }
}

std::optional<RadioCommand> ReceiverBase::poll_radio(TimePoint now, MutableByteSpan out) {
  if (!is_up_ || !turn_.is_free()) {
    return std::nullopt;
  }
  RadioCommand command{.kind = RadioCommand::Kind::kSend, .to = {}, .size = 0, .channel = config_.channel};
  if (!is_tuned_) {
    command.kind = RadioCommand::Kind::kTune;
    // Answers for the old channel would mislead.
    answers_.clear();
    is_tuning_ = true;
    is_tuned_ = true;
    turn_.begin(now);
    return command;
  }
  if (const auto answer = answers_.pop()) {
    const link::ProbeAck ack{answer->sequence, config_.channel, link::kProtocolVersion, config_.boot_epoch};
    command.to = answer->to;
    command.size = link::encode(ack, out);
    ++probes_answered_count_;
    turn_.begin(now);
    return command;
  }
  if (const auto outgoing = enterer_.poll_transmit(now)) {
    command.to = outgoing->to;
    command.size = link::encode(link::widen(outgoing->message), out);
    turn_.begin(now);
    return command;
  }
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    PeerSlot& slot = peers_[(next_peer_ + i) % peers_.size()];
    command.size = slot ? poll_peer(now, *slot, out) : 0;
    if (command.size > 0) {
      next_peer_ = (next_peer_ + i + 1) % peers_.size();
      command.to = slot->node();
      sent_to_ = command.to;
      turn_.begin(now);
      return command;
    }
  }
  return std::nullopt;
}

std::size_t ReceiverBase::poll_peer(TimePoint now, ReceiverPeer& peer, MutableByteSpan out) {
  const std::size_t size = peer.connection_.poll_transmit(now, out);
  if (size > 0 || !peer.connection_.is_active()) {
    return size;
  }
  const auto message = peer.readings_.poll_transmit(now);
  return message ? peer.connection_.wrap(now, link::widen(*message), out) : 0;
}

// ---- time

void ReceiverBase::handle_timeout(TimePoint now) {
  handled_until_ = now;
  if (turn_.give_up(now)) {
    is_tuning_ ? handle_tuned(now, false) : handle_sent(now, link::SendStatus::kNotSent);
  }
  own_.handle_timeout(now);
  enterer_.handle_timeout(now);
  follow_pairing(now);
  if (pairing_.phase == PairingPhase::kWaiting && now >= pairing_.expires_at) {
    const bool nobody_shows = refused_.size() > 0;
    end_pairing(PairingPhase::kFailed,
                nobody_shows ? link::PairingEvent::Reason::kRefused : link::PairingEvent::Reason::kNoAnswer);
  }
  for (PeerSlot& slot : peers_) {
    if (slot) {
      slot->replica_.handle_timeout(now);
      slot->readings_.handle_timeout(now);
      slot->connection_.handle_timeout(now);
      follow(now, *slot);
    }
  }
  settle(now);
}

TimePoint ReceiverBase::poll_timeout() const {
  // What is due already only waits for its turn on the radio, whose report leads to the next poll.
  const bool can_transmit = is_up_ && turn_.is_free();
  const auto unless_waiting = [&](TimePoint due) {
    return due <= handled_until_ && !can_transmit ? kNever : due;
  };
  TimePoint next = earliest(own_.poll_timeout(), turn_.poll_timeout());
  next = earliest(next, unless_waiting(enterer_.poll_timeout()));
  if (pairing_.phase == PairingPhase::kWaiting) {
    next = earliest(next, pairing_.expires_at);
  }
  for (const PeerSlot& slot : peers_) {
    if (slot) {
      next = earliest(next, slot->replica_.poll_timeout());
      next = earliest(next, unless_waiting(slot->readings_.poll_timeout()));
      next = earliest(next, unless_waiting(slot->connection_.poll_timeout()));
    }
  }
  return next;
}

void ReceiverBase::follow(TimePoint now, ReceiverPeer& peer) {
  const NodeId node = peer.node();
  while (const auto event = peer.connection_.poll_event()) {
    if (event->kind == link::ConnectionEvent::Kind::kResumed) {
      peer.readings_.begin_session(now);
      peer.cells_.begin_session();
    } else if (event->kind == link::ConnectionEvent::Kind::kSuspended) {
      peer.readings_.end_session(now);
    }
    add_event(now, node, *event);
  }
  while (const auto change = peer.connection_.poll_liveness()) {
    add_event(now, node, *change);
  }
  while (const auto event = peer.connection_.poll_exchange()) {
    add_event(now, node, *event);
  }
  while (const auto event = peer.replica_.poll_event()) {
    add_event(now, node, *event);
  }
  while (const auto event = peer.readings_.poll_event()) {
    add_event(now, node, *event);
  }
}

void ReceiverBase::settle(TimePoint now) {
  while (const auto event = own_.poll_event()) {
    add_event(now, config_.self, *event);
  }
  for (PeerSlot& slot : peers_) {
    if (slot) {
      follow(now, *slot);
    }
  }
}

// ---- what has arrived

std::optional<PeerDelivery> ReceiverBase::poll_delivery(TimePoint now) {
  for (PeerSlot& slot : peers_) {
    if (!slot) {
      continue;
    }
    if (const auto delivery = slot->readings_.poll_delivery(now)) {
      return PeerDelivery{slot->node(), *delivery};
    }
  }
  return std::nullopt;
}

void ReceiverBase::handle_delivered(TimePoint now, NodeId node, std::uint32_t sequence) {
  if (ReceiverPeer* const found = peer(node)) {
    found->readings_.handle_delivered(now, sequence);
  }
}

void ReceiverBase::handle_delivery_failed(TimePoint now, NodeId node) {
  if (ReceiverPeer* const found = peer(node)) {
    found->readings_.handle_delivery_failed(now);
  }
}

std::optional<PeerCells> ReceiverBase::poll_cells() {
  for (PeerSlot& slot : peers_) {
    if (!slot) {
      continue;
    }
    if (const auto cells = slot->cells_.poll_reading()) {
      return PeerCells{slot->node(), *cells};
    }
  }
  return std::nullopt;
}

std::optional<OwnedStoreRequest> ReceiverBase::poll_store(TimePoint now) {
  if (const auto request = own_.poll_store(now)) {
    return OwnedStoreRequest{config_.self, *request};
  }
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const std::size_t index = (next_store_ + i) % peers_.size();
    if (!peers_[index]) {
      continue;
    }
    if (const auto request = peers_[index]->replica_.poll_store(now)) {
      next_store_ = (index + 1) % peers_.size();
      return OwnedStoreRequest{peers_[index]->node(), *request};
    }
  }
  return std::nullopt;
}

void ReceiverBase::set_status(TimePoint now, std::uint8_t status) {
  status_ = status;
  for (PeerSlot& slot : peers_) {
    if (slot) {
      slot->connection_.set_status(now, status);
    }
  }
}

bool ReceiverBase::set_wall_time(TimePoint now, WallTime wall) {
  return clock_.set_wall_time(now, wall);
}

std::uint64_t ReceiverBase::dropped_event_count() const {
  std::uint64_t count = own_.dropped_event_count() + events_.dropped_count();
  for (const PeerSlot& slot : peers_) {
    if (slot) {
      count += slot->connection_.dropped_event_count() + slot->replica_.dropped_event_count() +
               slot->readings_.dropped_event_count();
    }
  }
  return count;
}

}  // namespace amphora::node
