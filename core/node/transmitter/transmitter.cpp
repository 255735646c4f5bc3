// SPDX-License-Identifier: Apache-2.0
#include "core/node/transmitter/transmitter.hpp"

#include <utility>

namespace amphora::node {

namespace {

using link::RadioCommand;

link::ConnectionConfig connection_config(const TransmitterConfig& config, Rng& rng) {
  link::ConnectionConfig connection;
  connection.envelope = {.mode = config.mode,
                         .self = config.self,
                         .peer = config.peer.node,
                         .link_key = config.peer.link_key,
                         .boot_nonce = rng.next()};
  connection.exchange.seed = rng.next();
  connection.liveness = config.liveness;
  connection.heartbeat_period = config.heartbeat_period;
  connection.session_entropy = rng.next();
  return connection;
}

}  // namespace

Transmitter::Transmitter(const TransmitterConfig& config)
    : config_{config},
      rng_{config.entropy},
      clock_{config.memory},
      replica_{clock_, config.sections, config.self, config.self},
      queue_{config.queue},
      discovery_{config.discovery, rng_.fork()},
      shower_{config.self},
      channel_{config.home_channel} {
  if (!config.peer.node.is_nobody()) {
    make_connection();
  }
}

void Transmitter::make_connection() {
  connection_.emplace(clock_, replica_, connection_config(config_, rng_));
}

// ---- the radio

void Transmitter::handle_radio(TimePoint now, bool is_up) {
  const bool was_up = phase_ != TransmitterPhase::kRadioDown;
  if (is_up == was_up) {
    return;
  }
  turn_.end();
  underway_ = Underway::kNothing;
  tuned_channel_ = 0;
  discovery_.stop();
  if (is_up) {
    search(now);
  } else {
    set_phase(now, TransmitterPhase::kRadioDown);
  }
}

bool Transmitter::is_expected(NodeId from) const {
  if (!config_.peer.node.is_nobody()) {
    return from == config_.peer.node;
  }
  return config_.mode == link::Mode::kPlain;
}

void Transmitter::search(TimePoint now) {
  failures_ = 0;
  verify_until_ = kNever;
  pairing_hold_until_ = kNever;
  if (shower_.code()) {
    set_phase(now, TransmitterPhase::kPairing);
    discovery_.start(now, channel_);
    return;
  }
  if (config_.peer.node.is_nobody() && config_.mode == link::Mode::kSealed) {
    set_phase(now, TransmitterPhase::kUnpaired);
    return;
  }
  set_phase(now, TransmitterPhase::kSearching);
  discovery_.start(now, channel_);
}

void Transmitter::handle_frame(TimePoint now, NodeId from, ByteSpan payload,
                               std::optional<std::int8_t> rssi_dbm) {
  if (handle_pairing_frame(now, from, payload)) {
    return;
  }
  if (payload.empty() || !is_expected(from)) {
    ++foreign_frame_count_;
    return;
  }
  if (payload[0] == static_cast<std::uint8_t>(link::Type::kProbeAck)) {
    const auto message = link::decode(payload);
    const auto* ack = message.ok() ? std::get_if<link::ProbeAck>(&*message) : nullptr;
    if (ack == nullptr) {
      ++foreign_frame_count_;
      return;
    }
    handle_probe_ack(now, from, *ack);
    return;
  }
  if (!connection_) {
    ++foreign_frame_count_;
    return;
  }
  const auto heard_before = connection_->last_heard();
  const auto message = connection_->handle_frame(now, payload);
  if (connection_->last_heard() != heard_before) {
    rssi_dbm_ = rssi_dbm;
  }
  if (message) {
    handle_message(now, *message);
  }
  follow_connection(now);
}

void Transmitter::handle_probe_ack(TimePoint now, NodeId from, const link::ProbeAck& ack) {
  if (!discovery_.handle_answer(now, ack.sequence, ack.channel)) {
    return;
  }
  if (config_.peer.node.is_nobody()) {
    config_.peer.node = from;  // plain mode: the first that answers
    make_connection();
    connection_->set_status(now, status_);
  }
  if (const auto found = discovery_.poll_event()) {
    handle_found(now, *found);
  }
}

// True for what belongs to pairing. A code that is not shown is answered as well, with a refusal, so that who
// entered it does not wait in vain.
bool Transmitter::handle_pairing_frame(TimePoint now, NodeId from, ByteSpan payload) {
  const auto message = link::decode(payload);
  if (!message.ok()) {
    return false;
  }
  if (const auto* start = std::get_if<link::PairStart>(&*message)) {
    shower_.handle_start(now, from, *start);
  } else if (const auto* confirm = std::get_if<link::PairConfirm>(&*message)) {
    shower_.handle_confirm(now, from, *confirm);
  } else {
    const auto* ack = std::get_if<link::ProbeAck>(&*message);
    if (ack == nullptr || phase_ != TransmitterPhase::kPairing) {
      return false;
    }
    // The receiver we have already answers as well; it is not the one whose owner stands there with a code.
    if (from != config_.peer.node && discovery_.handle_answer(now, ack->sequence, ack->channel)) {
      channel_ = discovery_.poll_event().value_or(link::Discovery::Found{ack->channel}).channel;
      hold_for_pairing(now);
    }
    return true;
  }
  if (phase_ == TransmitterPhase::kPairing) {
    channel_ = tuned_channel_;
    discovery_.stop();
    hold_for_pairing(now);
  }
  follow_pairing(now);
  return true;
}

void Transmitter::hold_for_pairing(TimePoint now) {
  pairing_hold_until_ = add_saturating(now, kPairingHold);
}

void Transmitter::show_code(TimePoint now, const link::PairingEntropy& entropy) {
  shower_.open(now, entropy);
  code_expires_at_ = add_saturating(now, link::kCodeLifetime);
  new_key_.reset();
  follow_pairing(now);
  if (phase_ != TransmitterPhase::kRadioDown) {
    discovery_.stop();
    search(now);
  }
}

void Transmitter::hide_code(TimePoint now) {
  shower_.close(now);
  follow_pairing(now);
}

std::optional<link::PairedKey> Transmitter::poll_key() {
  auto key = shower_.poll_store();
  if (key) {
    new_key_ = key;
  }
  return key;
}

void Transmitter::handle_key_stored(TimePoint now, bool is_durable) {
  shower_.handle_stored(now, is_durable);
  follow_pairing(now);
}

void Transmitter::follow_pairing(TimePoint now) {
  while (const auto event = shower_.poll_event()) {
    add_event(now, *event);
    if (event->kind == link::PairingEvent::Kind::kPaired && new_key_) {
      // Not at once: the result may have to be repeated.
      pairing_done_at_ = add_saturating(now, kPairingHold);
      pairing_hold_until_ = pairing_done_at_;
    }
  }
  const bool is_over = !shower_.code() && pairing_done_at_ == kNever;
  if (is_over && phase_ == TransmitterPhase::kPairing && pairing_hold_until_ == kNever) {
    discovery_.stop();
    search(now);
  }
}

void Transmitter::handle_pairing_timeout(TimePoint now) {
  shower_.handle_timeout(now);
  if (now >= pairing_done_at_) {
    pairing_done_at_ = kNever;
    const link::PairedKey key = *new_key_;
    new_key_.reset();
    set_peer(now, {key.peer, key.key});
  }
  if (now >= pairing_hold_until_) {
    pairing_hold_until_ = kNever;
    if (phase_ == TransmitterPhase::kPairing && shower_.code()) {
      discovery_.start(now, 0);
    }
  }
  follow_pairing(now);
}

void Transmitter::handle_found(TimePoint now, const link::Discovery::Found& found) {
  channel_ = found.channel;
  failures_ = 0;
  linked_at_ = now;
  verify_until_ = add_saturating(now, kVerifyPatience);
  set_phase(now, TransmitterPhase::kVerifying, found.took);
  connection_->check_link(now);
}

void Transmitter::handle_message(TimePoint now, const link::Message& message) {
  if (const auto* ack = std::get_if<telemetry::ReadingAck>(&message)) {
    queue_.handle_ack(now, *ack);
  } else if (const auto* gaps = std::get_if<telemetry::Gaps>(&message)) {
    queue_.handle_gaps(now, *gaps);
  } else {
    ++foreign_frame_count_;
  }
}

void Transmitter::handle_sent(TimePoint now, link::SendStatus status) {
  turn_.end();
  const Underway underway = std::exchange(underway_, Underway::kNothing);
  if (underway == Underway::kProbe) {
    discovery_.handle_sent(now);
    return;
  }
  if (underway != Underway::kUnicast) {
    return;
  }
  if (status == link::SendStatus::kAcked) {
    failures_ = 0;
    return;
  }
  connection_->handle_send_failed(now);
  ++failures_;
  const bool is_looking_already = phase_ == TransmitterPhase::kSearching;
  if (failures_ >= config_.failures_max && !is_looking_already) {
    connection_->handle_doubt(now);
    follow_connection(now);
    search(now);
  }
}

void Transmitter::handle_tuned(TimePoint now, bool is_done) {
  turn_.end();
  const Underway underway = std::exchange(underway_, Underway::kNothing);
  if (!is_done) {
    tuned_channel_ = 0;
  }
  if (underway == Underway::kSweepTune) {
    discovery_.handle_tuned(now, is_done);
  } else if (underway == Underway::kHomeTune && !is_done) {
    search(now);
  }
}

// ---- time

void Transmitter::handle_timeout(TimePoint now) {
  handled_until_ = now;
  if (turn_.give_up(now)) {
    const bool was_send =
        underway_ == Underway::kProbe || underway_ == Underway::kUnicast || underway_ == Underway::kPairing;
    was_send ? handle_sent(now, link::SendStatus::kNotSent) : handle_tuned(now, false);
  }
  queue_.handle_timeout(now);
  replica_.handle_timeout(now);
  handle_pairing_timeout(now);
  discovery_.handle_timeout(now);
  if (connection_) {
    connection_->handle_timeout(now);
    follow_connection(now);
  }
  if (phase_ == TransmitterPhase::kVerifying && now >= verify_until_) {
    // Somebody answered the probe who cannot or will not talk to us.
    verify_until_ = kNever;
    set_phase(now, TransmitterPhase::kSearching);
    discovery_.resume(now);
  }
  watch_silence(now);
  settle(now);
}

// A receiver whose radio acknowledges but that does not answer: it hangs, or it is gone and the driver's
// acknowledgements are not true. Looking for it costs a fraction of a second.
TimePoint Transmitter::silence_due() const {
  if (phase_ != TransmitterPhase::kLinked || !connection_->unanswered_since()) {
    return kNever;
  }
  return add_saturating(*connection_->unanswered_since(), config_.silence_max);
}

void Transmitter::watch_silence(TimePoint now) {
  if (now >= silence_due()) {
    connection_->handle_doubt(now);
    follow_connection(now);
    search(now);
  }
}

TimePoint Transmitter::poll_timeout() const {
  // What is due already only waits for its turn on the radio, whose report or search leads to the next poll.
  const bool can_transmit =
      turn_.is_free() && (phase_ == TransmitterPhase::kVerifying || phase_ == TransmitterPhase::kLinked);
  const auto unless_waiting = [&](TimePoint due) {
    return due <= handled_until_ && !can_transmit ? kNever : due;
  };
  TimePoint next = earliest(unless_waiting(queue_.poll_timeout()), replica_.poll_timeout());
  next = earliest(next, turn_.poll_timeout());
  next = earliest(next, discovery_.poll_timeout());
  next = earliest(next, earliest(shower_.poll_timeout(), earliest(pairing_done_at_, pairing_hold_until_)));
  if (connection_) {
    next = earliest(next, unless_waiting(connection_->poll_timeout()));
    next = earliest(next, silence_due());
  }
  return phase_ == TransmitterPhase::kVerifying ? earliest(next, verify_until_) : next;
}

void Transmitter::settle(TimePoint now) {
  while (const auto event = replica_.poll_event()) {
    add_event(now, *event);
  }
  while (const auto event = queue_.poll_event()) {
    add_event(now, *event);
  }
}

void Transmitter::follow_connection(TimePoint now) {
  while (const auto event = connection_->poll_event()) {
    if (event->kind == link::ConnectionEvent::Kind::kResumed) {
      queue_.begin_session(now);
    } else if (event->kind == link::ConnectionEvent::Kind::kSuspended) {
      queue_.end_session(now);
      cells_.clear();
    }
    add_event(now, *event);
  }
  while (const auto change = connection_->poll_liveness()) {
    add_event(now, *change);
    if (change->to == liveness::State::kDisconnected && phase_ == TransmitterPhase::kLinked) {
      search(now);
    }
  }
  while (const auto event = connection_->poll_exchange()) {
    add_event(now, *event);
  }
  if (phase_ == TransmitterPhase::kVerifying && connection_->last_heard() >= linked_at_) {
    verify_until_ = kNever;
    set_phase(now, TransmitterPhase::kLinked);
  }
  settle(now);
}

// ---- output

std::optional<RadioCommand> Transmitter::poll_radio(TimePoint now, MutableByteSpan out) {
  if (phase_ == TransmitterPhase::kRadioDown || !turn_.is_free()) {
    return std::nullopt;
  }
  if (const auto command = poll_pairing(now, out)) {
    return command;
  }
  if (phase_ == TransmitterPhase::kUnpaired) {
    return std::nullopt;
  }
  const bool is_held = phase_ == TransmitterPhase::kPairing && pairing_hold_until_ != kNever;
  if (phase_ == TransmitterPhase::kSearching || (phase_ == TransmitterPhase::kPairing && !is_held)) {
    return poll_discovery(now, out);
  }
  if (tuned_channel_ != channel_) {
    tuned_channel_ = channel_;
    underway_ = Underway::kHomeTune;
    turn_.begin(now);
    return RadioCommand{.kind = RadioCommand::Kind::kTune, .to = {}, .size = 0, .channel = channel_};
  }
  if (is_held) {
    return std::nullopt;
  }
  const std::size_t size = poll_unicast(now, out);
  if (size == 0) {
    return std::nullopt;
  }
  underway_ = Underway::kUnicast;
  turn_.begin(now);
  return RadioCommand{
      .kind = RadioCommand::Kind::kSend, .to = config_.peer.node, .size = size, .channel = channel_};
}

std::optional<RadioCommand> Transmitter::poll_pairing(TimePoint now, MutableByteSpan out) {
  const auto outgoing = shower_.poll_transmit(now);
  if (!outgoing) {
    return std::nullopt;
  }
  underway_ = Underway::kPairing;
  turn_.begin(now);
  const std::size_t size = link::encode(link::widen(outgoing->message), out);
  return RadioCommand{
      .kind = RadioCommand::Kind::kSend, .to = outgoing->to, .size = size, .channel = tuned_channel_};
}

std::optional<RadioCommand> Transmitter::poll_discovery(TimePoint now, MutableByteSpan out) {
  const auto action = discovery_.poll_transmit(now);
  if (!action) {
    return std::nullopt;
  }
  turn_.begin(now);
  if (action->kind == link::Discovery::Action::Kind::kTune) {
    underway_ = Underway::kSweepTune;
    tuned_channel_ = action->channel;
    return RadioCommand{.kind = RadioCommand::Kind::kTune, .to = {}, .size = 0, .channel = action->channel};
  }
  underway_ = Underway::kProbe;
  const std::size_t size = link::encode(link::Probe{action->sequence}, out);
  return RadioCommand{
      .kind = RadioCommand::Kind::kSend, .to = kEverybody, .size = size, .channel = action->channel};
}

// Settings and heartbeats first, then readings, which are paced, then live cells.
std::size_t Transmitter::poll_unicast(TimePoint now, MutableByteSpan out) {
  const std::size_t size = connection_->poll_transmit(now, out);
  if (size > 0 || !connection_->is_active()) {
    return size;
  }
  if (const auto message = queue_.poll_transmit(now)) {
    return connection_->wrap(now, link::widen(*message), out);
  }
  const auto chunk = cells_.poll_transmit();
  return chunk ? connection_->wrap(now, *chunk, out) : 0;
}

// ---- what the box knows

Result<std::uint32_t, telemetry::AddError> Transmitter::add_reading(TimePoint now, ByteSpan payload,
                                                                    std::uint16_t format_version) {
  return queue_.add(now, payload, format_version);
}

void Transmitter::set_cells(TimePoint now, telemetry::CellsKind kind, std::span<const std::uint16_t> values) {
  if (connection_ && connection_->is_active()) {
    (void)cells_.set(kind, static_cast<std::uint32_t>(to_milliseconds(now.time_since_epoch())), values);
  }
}

void Transmitter::set_status(TimePoint now, std::uint8_t status) {
  status_ = status;
  if (connection_) {
    connection_->set_status(now, status);
  }
}

bool Transmitter::set_wall_time(TimePoint now, WallTime wall) {
  return clock_.set_wall_time(now, wall);
}

void Transmitter::set_peer(TimePoint now, const PairedPeer& peer) {
  config_.peer = peer;
  queue_.end_session(now);
  cells_.clear();
  connection_.reset();
  if (!peer.node.is_nobody()) {
    make_connection();
    connection_->set_status(now, status_);
  }
  if (phase_ != TransmitterPhase::kRadioDown) {
    discovery_.stop();
    search(now);
  }
}

void Transmitter::set_phase(TimePoint now, TransmitterPhase phase, Duration took) {
  if (phase_ != phase) {
    phase_ = phase;
    add_event(now, PhaseChanged{phase, channel_, took});
  }
}

std::uint64_t Transmitter::dropped_event_count() const {
  const std::uint64_t of_connection = connection_ ? connection_->dropped_event_count() : 0;
  return of_connection + queue_.dropped_event_count() + replica_.dropped_event_count() +
         events_.dropped_count();
}

}  // namespace amphora::node
