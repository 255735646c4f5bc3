// SPDX-License-Identifier: Apache-2.0
// One peer: what both ends of the radio link have in common.
//
// A Connection owns the envelope, the session handshake, the exchange of sections, heartbeats and the
// peer's liveness, and turns them into frames and back. Its owner (the role) adds what differs: discovery or
// listening, readings or their reception. Frames of other sessions, replays and forgeries end here, counted.
//
//   radio frame -> envelope -> codec -+-> session handshake -> keys of the envelope, exchange begins
//                                     +-> exchange of sections
//                                     +-> heartbeat
//                                     +-> everything else: returned to the owner
//
// Signs of life are frames that opened in the session, so a radio that acknowledges for a hung application
// does not count. A heartbeat goes out every heartbeat_period, and already after link_check_after when
// nothing was heard, so that a lost link is noticed within seconds.
//
// Urgency: handshake, heartbeat answers, sections, heartbeats. The owner asks for its own messages last.
// While the peer is disconnected the exchange is suspended and nothing but the handshake is sent; any frame
// of the session resumes it.
//
// Plain mode carries no secrets: sections that hold any are kept out of the exchange by the owner, who gives
// it a replica without them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/link/envelope.hpp"
#include "core/link/messages.hpp"
#include "core/liveness/liveness.hpp"
#include "core/state/exchange.hpp"
#include "core/state/replica.hpp"
#include "core/state/session.hpp"

namespace amphora::link {

struct ConnectionConfig {
  EnvelopeConfig envelope;
  state::ExchangeConfig exchange;
  liveness::Config liveness;
  Duration heartbeat_period = std::chrono::seconds{10};
  Duration link_check_after = std::chrono::seconds{1};
  std::uint64_t session_entropy = 0;  // random at every boot
};

struct ConnectionEvent {
  enum class Kind : std::uint8_t {
    kSessionBegan,
    kSessionEnded,
    kResumed,    // reachable in a session: the owner begins its streams
    kSuspended,  // disconnected, or the session ended: the owner pauses them
  };
  TimePoint at{};
  Kind kind = Kind::kSessionBegan;
  friend constexpr bool operator==(const ConnectionEvent&, const ConnectionEvent&) = default;
};

struct ConnectionStatistics {
  std::uint64_t frames_opened = 0;
  std::uint64_t undecodable = 0;  // opened, but no message, or one that does not belong there
  std::uint64_t heartbeats_sent = 0;
  std::uint64_t heartbeats_answered = 0;
  Duration round_trip_last{};  // of a heartbeat
};

inline constexpr std::size_t kConnectionEventCapacity = 16;

// `SessionSide`: state::SessionGranter or state::SessionJoiner.
template <typename SessionSide>
class Connection {
 public:
  // `clock` and `replica` outlive the connection.
  Connection(state::HybridClock& clock, state::Replica& replica, const ConnectionConfig& config);

  // The owner's message if the frame brought one; everything else is dealt with here.
  std::optional<Message> handle_frame(TimePoint now, ByteSpan frame);
  // The radio lost the message that poll_transmit gave last.
  void handle_send_failed(TimePoint now);
  // The owner doubts that the peer still hears it.
  void handle_doubt(TimePoint now) { liveness_.handle_doubt(now); }
  // Contact was found again: ask for a sign of life at once. A suspended session waits for the handshake that
  // a joiner begins when it hears a probe.
  void check_link(TimePoint now);
  void handle_timeout(TimePoint now);
  // Begins a handshake (joiner), at once if none is going on.
  void request_session(TimePoint now);
  void set_status(TimePoint now, std::uint8_t status) { exchange_.set_status(now, status); }
  void set_services(std::uint8_t services) { services_ = services; }

  // The next frame, written to `out` (at least kPayloadSizeMax); its size, 0 for none.
  std::size_t poll_transmit(TimePoint now, MutableByteSpan out);
  // The owner's message as a frame of the session; 0 outside of one.
  std::size_t wrap(TimePoint now, const Message& message, MutableByteSpan out);
  std::optional<ConnectionEvent> poll_event() { return events_.pop(); }
  std::optional<liveness::Change> poll_liveness() { return liveness_.poll_event(); }
  std::optional<state::ExchangeEvent> poll_exchange() { return exchange_.poll_event(); }
  TimePoint poll_timeout() const;

  // In a session with a peer that is not disconnected.
  bool is_active() const { return is_active_; }
  bool has_session() const { return envelope_.has_session(); }
  NodeId peer() const { return envelope_.config().peer; }
  Mode mode() const { return envelope_.config().mode; }
  const liveness::Liveness& liveness() const { return liveness_; }
  const state::Exchange& exchange() const { return exchange_; }
  const Envelope& envelope() const { return envelope_; }
  const state::SessionStatistics& session_statistics() const { return session_.statistics(); }
  const ConnectionStatistics& statistics() const { return statistics_; }
  // When a frame of the session was opened last; empty before the first.
  std::optional<TimePoint> last_heard() const { return last_heard_; }
  // When the oldest message since then that the peer must answer was sent; empty if it owes nothing.
  std::optional<TimePoint> unanswered_since() const { return unanswered_since_; }
  // Of the peer's last heartbeat or answer.
  std::optional<std::uint8_t> peer_services() const { return peer_services_; }
  std::uint64_t dropped_event_count() const {
    return events_.dropped_count() + liveness_.dropped_event_count() + exchange_.dropped_event_count();
  }

 private:
  enum class Last : std::uint8_t { kNothing, kHandshake, kExchange, kHeartbeat };

  std::optional<Message> handle_handshake(TimePoint now, const Message& message);
  std::optional<Message> handle_session_message(TimePoint now, const Message& message);
  bool handle_heartbeat(TimePoint now, const Message& message);
  void handle_rejection(TimePoint now, Rejection reason);
  void note_sign_of_life(TimePoint now);
  void follow_session(TimePoint now);
  void follow_liveness(TimePoint now);
  void activate(TimePoint now);
  void suspend(TimePoint now);
  bool is_heartbeat_due(TimePoint now) const { return is_active_ && now >= heartbeat_due_; }
  std::size_t send(TimePoint now, Envelope::Kind kind, const Message& message, MutableByteSpan out);
  void add_event(TimePoint now, ConnectionEvent::Kind kind);

  state::HybridClock& clock_;
  ConnectionConfig config_;
  Envelope envelope_;
  SessionSide session_;
  state::Exchange exchange_;
  liveness::Liveness liveness_;
  bool is_active_ = false;
  std::uint8_t services_ = 0;
  std::optional<std::uint8_t> peer_services_;
  std::optional<TimePoint> last_heard_;
  std::optional<TimePoint> unanswered_since_;
  TimePoint heartbeat_due_ = kNever;
  TimePoint heartbeat_latest_ = kNever;  // the regular one, whatever is heard
  std::optional<std::uint32_t> heartbeat_to_answer_;
  Last last_ = Last::kNothing;
  Ring<ConnectionEvent, kConnectionEventCapacity> events_;
  ConnectionStatistics statistics_;
};

extern template class Connection<state::SessionGranter>;
extern template class Connection<state::SessionJoiner>;

static_assert(Machine<Connection<state::SessionGranter>>);
static_assert(Machine<Connection<state::SessionJoiner>>);

}  // namespace amphora::link
