// SPDX-License-Identifier: Apache-2.0
#include "core/link/connection.hpp"

#include <type_traits>

namespace amphora::link {

namespace {

std::optional<state::SessionMessage> to_session_message(const Message& message) {
  return narrow_to<state::SessionMessage, state::Hello, state::Challenge, state::Confirm, state::Grant>(
      message);
}

std::optional<state::ExchangeMessage> to_exchange_message(const Message& message) {
  return narrow_to<state::ExchangeMessage, state::Beacon, state::Request, state::SectionData,
                   state::SectionAck>(message);
}

// Milliseconds of uptime as the wire has them: modulo 2^32.
std::uint32_t to_wire_ms(TimePoint now) {
  return static_cast<std::uint32_t>(to_milliseconds(now.time_since_epoch()));
}

bool is_pairing(const Message& message) {
  return std::get_if<PairStart>(&message) != nullptr || std::get_if<PairReply>(&message) != nullptr ||
         std::get_if<PairConfirm>(&message) != nullptr || std::get_if<PairResult>(&message) != nullptr;
}

// A session in which something was heard so recently is not doubted because of frames that do not open.
// Longer than link_check_after, after which a silent peer is asked.
constexpr Duration kSessionTrust = std::chrono::seconds{2};

// A message that the peer answers when it is alive.
bool wants_answer(const Message& message) {
  return std::get_if<Heartbeat>(&message) != nullptr ||
         std::get_if<state::SectionData>(&message) != nullptr ||
         std::get_if<state::Request>(&message) != nullptr ||
         std::get_if<telemetry::Reading>(&message) != nullptr ||
         std::get_if<telemetry::Manifest>(&message) != nullptr;
}

}  // namespace

template <typename SessionSide>
Connection<SessionSide>::Connection(state::HybridClock& clock, state::Replica& replica,
                                    const ConnectionConfig& config)
    : clock_{clock},
      config_{config},
      envelope_{config.envelope},
      session_{config.session_entropy},
      exchange_{replica, config.exchange},
      liveness_{config.liveness} {}

template <typename SessionSide>
std::optional<Message> Connection<SessionSide>::handle_frame(TimePoint now, ByteSpan frame) {
  std::array<std::uint8_t, kPayloadSizeMax> bytes{};
  const auto opened = envelope_.open(frame, bytes);
  if (!opened.ok()) {
    handle_rejection(now, opened.error());
    return std::nullopt;
  }
  ++statistics_.frames_opened;
  if (opened->kind == Envelope::Kind::kSession) {
    note_sign_of_life(now);
  }
  const auto message = decode(ByteSpan{bytes}.first(opened->size));
  if (!message.ok()) {
    ++statistics_.undecodable;
    return std::nullopt;
  }
  return opened->kind == Envelope::Kind::kHandshake ? handle_handshake(now, *message)
                                                    : handle_session_message(now, *message);
}

template <typename SessionSide>
std::optional<Message> Connection<SessionSide>::handle_handshake(TimePoint now, const Message& message) {
  const auto handshake = to_session_message(message);
  if (!handshake) {
    ++statistics_.undecodable;
    return std::nullopt;
  }
  session_.handle_message(now, clock_, *handshake);
  follow_session(now);
  return std::nullopt;
}

template <typename SessionSide>
std::optional<Message> Connection<SessionSide>::handle_session_message(TimePoint now,
                                                                       const Message& message) {
  if (const auto exchange = to_exchange_message(message)) {
    exchange_.handle_message(now, *exchange);
    return std::nullopt;
  }
  if (handle_heartbeat(now, message)) {
    return std::nullopt;
  }
  const bool is_out_of_place = to_session_message(message).has_value() ||
                               std::get_if<Probe>(&message) != nullptr ||
                               std::get_if<ProbeAck>(&message) != nullptr ||
                               std::get_if<LegacyBeacon>(&message) != nullptr || is_pairing(message);
  if (is_out_of_place) {
    ++statistics_.undecodable;
    return std::nullopt;
  }
  return message;
}

template <typename SessionSide>
bool Connection<SessionSide>::handle_heartbeat(TimePoint now, const Message& message) {
  if (const auto* heartbeat = std::get_if<Heartbeat>(&message)) {
    peer_services_ = heartbeat->services;
    heartbeat_to_answer_ = heartbeat->time_ms;
    return true;
  }
  if (const auto* answer = std::get_if<HeartbeatAck>(&message)) {
    peer_services_ = answer->services;
    ++statistics_.heartbeats_answered;
    statistics_.round_trip_last = std::chrono::milliseconds{to_wire_ms(now) - answer->echoed_ms};
    return true;
  }
  return false;
}

// A frame that cannot be opened may be of a session that only the peer still has: a joiner asks for a new
// one, a granter invites it to. Not while the session is alive: then it is somebody else's frame, and whoever
// sends such frames must not be able to end sessions. Without one both are rate limited.
template <typename SessionSide>
void Connection<SessionSide>::handle_rejection(TimePoint now, Rejection reason) {
  const bool is_alive = is_active_ && last_heard_ && now - *last_heard_ < kSessionTrust;
  if (is_alive || (reason != Rejection::kOtherSession && reason != Rejection::kAltered)) {
    return;
  }
  if constexpr (std::is_same_v<SessionSide, state::SessionGranter>) {
    session_.invite(now);
  } else {
    session_.request(now);
  }
}

template <typename SessionSide>
void Connection<SessionSide>::request_session(TimePoint now) {
  if constexpr (std::is_same_v<SessionSide, state::SessionJoiner>) {
    session_.request(now);
  }
}

template <typename SessionSide>
void Connection<SessionSide>::note_sign_of_life(TimePoint now) {
  last_heard_ = now;
  unanswered_since_.reset();
  liveness_.handle_sign_of_life(now);
  heartbeat_due_ = earliest(heartbeat_latest_, add_saturating(now, config_.link_check_after));
  if (!is_active_) {
    activate(now);
  }
}

template <typename SessionSide>
void Connection<SessionSide>::activate(TimePoint now) {
  is_active_ = true;
  heartbeat_latest_ = add_saturating(now, config_.heartbeat_period);
  heartbeat_due_ = add_saturating(now, config_.link_check_after);
  exchange_.begin_session(now);
  add_event(now, ConnectionEvent::Kind::kResumed);
}

template <typename SessionSide>
void Connection<SessionSide>::suspend(TimePoint now) {
  if (!is_active_) {
    return;
  }
  is_active_ = false;
  heartbeat_due_ = kNever;
  heartbeat_latest_ = kNever;
  heartbeat_to_answer_.reset();
  unanswered_since_.reset();
  peer_services_.reset();
  exchange_.end_session(now);
  add_event(now, ConnectionEvent::Kind::kSuspended);
}

template <typename SessionSide>
void Connection<SessionSide>::follow_session(TimePoint now) {
  while (const auto event = session_.poll_event()) {
    suspend(now);
    if (event->kind == state::SessionEvent::Kind::kEnded) {
      envelope_.end_session();
      add_event(now, ConnectionEvent::Kind::kSessionEnded);
      continue;
    }
    envelope_.begin_session(event->session.id, event->session.joiner_nonce, event->session.granter_nonce);
    add_event(now, ConnectionEvent::Kind::kSessionBegan);
    note_sign_of_life(now);
  }
}

template <typename SessionSide>
void Connection<SessionSide>::follow_liveness(TimePoint now) {
  if (liveness_.state() == liveness::State::kDisconnected) {
    suspend(now);
  }
}

template <typename SessionSide>
void Connection<SessionSide>::handle_send_failed(TimePoint now) {
  if (last_ == Last::kExchange) {
    exchange_.handle_send_failed(now);
  }
}

template <typename SessionSide>
void Connection<SessionSide>::check_link(TimePoint now) {
  if (is_active_) {
    heartbeat_due_ = now;
  }
}

template <typename SessionSide>
void Connection<SessionSide>::handle_timeout(TimePoint now) {
  session_.handle_timeout(now);
  follow_session(now);
  exchange_.handle_timeout(now);
  liveness_.handle_timeout(now);
  follow_liveness(now);
}

template <typename SessionSide>
std::size_t Connection<SessionSide>::poll_transmit(TimePoint now, MutableByteSpan out) {
  last_ = Last::kNothing;
  if (const auto handshake = session_.poll_transmit(now, clock_)) {
    last_ = Last::kHandshake;
    return send(now, Envelope::Kind::kHandshake, widen(*handshake), out);
  }
  if (!is_active_) {
    return 0;
  }
  if (heartbeat_to_answer_) {
    const HeartbeatAck answer{*heartbeat_to_answer_, services_};
    heartbeat_to_answer_.reset();
    last_ = Last::kHeartbeat;
    return send(now, Envelope::Kind::kSession, answer, out);
  }
  if (const auto exchange = exchange_.poll_transmit(now)) {
    last_ = Last::kExchange;
    return send(now, Envelope::Kind::kSession, widen(*exchange), out);
  }
  if (is_heartbeat_due(now)) {
    heartbeat_latest_ = add_saturating(now, config_.heartbeat_period);
    heartbeat_due_ = add_saturating(now, config_.link_check_after);
    ++statistics_.heartbeats_sent;
    last_ = Last::kHeartbeat;
    return send(now, Envelope::Kind::kSession, Heartbeat{to_wire_ms(now), services_}, out);
  }
  return 0;
}

template <typename SessionSide>
std::size_t Connection<SessionSide>::send(TimePoint now, Envelope::Kind kind, const Message& message,
                                          MutableByteSpan out) {
  std::array<std::uint8_t, kMessageSizeMax> bytes{};
  const std::size_t size = encode(message, bytes);
  const auto wrapped = envelope_.wrap(kind, ByteSpan{bytes}.first(size), out);
  if (wrapped && kind == Envelope::Kind::kSession && wants_answer(message) && !unanswered_since_) {
    unanswered_since_ = now;
  }
  return wrapped.value_or(0);
}

template <typename SessionSide>
std::size_t Connection<SessionSide>::wrap(TimePoint now, const Message& message, MutableByteSpan out) {
  last_ = Last::kNothing;
  return send(now, Envelope::Kind::kSession, message, out);
}

template <typename SessionSide>
TimePoint Connection<SessionSide>::poll_timeout() const {
  TimePoint next = earliest(session_.poll_timeout(), liveness_.poll_timeout());
  if (is_active_) {
    next = earliest(next, earliest(exchange_.poll_timeout(), heartbeat_due_));
  }
  return next;
}

template <typename SessionSide>
void Connection<SessionSide>::add_event(TimePoint now, ConnectionEvent::Kind kind) {
  (void)events_.push_overwrite(ConnectionEvent{now, kind});
}

template class Connection<state::SessionGranter>;
template class Connection<state::SessionJoiner>;

}  // namespace amphora::link
