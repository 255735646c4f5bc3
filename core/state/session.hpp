// SPDX-License-Identifier: Apache-2.0
// Sessions: how two nodes agree that both are alive now, and on what time it is.
//
//   joiner                                  granter (the side that owns the sections and persists them)
//   Hello{J}                        ──►     draws G for a J it has not seen
//                                   ◄──     Challenge{J, G}
//   Confirm{J, G, clock}            ──►     the new session is valid; the old one ends here, not before
//                                   ◄──     Grant{J, G, id, clock}
//   the new session is valid
//
// Why. A node that has lost its memory could issue a stamp it has issued before, for another value, and a
// frame of its earlier life could still be on the way. With sessions, frames of any other session are
// dropped, and nobody edits in a session before having merged the other's clock, which lies above every stamp
// the other has accepted. core/state/session_search_test.cpp searches all interleavings of a small model.
//
// Nonces are drawn fresh for each handshake from the seed that the host draws at each start from a source of
// true randomness. Everything is idempotent: a message that comes twice is answered twice with the same
// content (but for the clock, which is read when the answer is sent). A message that matches no handshake of
// this life is counted and dropped.
//
// A granter that has restarted has no session, and the joiner does not know. When it hears frames of a
// session it does not have, the owner calls invite(): a Challenge{0, 0}, which says "begin anew" and nothing
// else.
//
// The joiner repeats: Hello and Confirm first after kHandshakeRetryMin, then with growing, jittered pauses up
// to kHandshakeRetryMax. After kConfirmTries without a Grant it starts over with a new nonce. It never gives
// up by itself; reset() ends it. The granter only answers.
//
// Both machines are plain values without pointers, so that a search can copy them. The clock is a parameter;
// it is merged inside handle_message(), before SessionBegan is reported.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/crc.hpp"
#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/state/stamp.hpp"

namespace amphora::state {

using SessionId = std::uint32_t;
using Nonce = std::uint64_t;

struct Hello {
  Nonce joiner_nonce = 0;
  friend constexpr bool operator==(const Hello&, const Hello&) = default;
};
struct Challenge {
  Nonce joiner_nonce = 0;
  Nonce granter_nonce = 0;
  friend constexpr bool operator==(const Challenge&, const Challenge&) = default;
};
struct Confirm {
  Nonce joiner_nonce = 0;
  Nonce granter_nonce = 0;
  ClockReading clock;
  friend constexpr bool operator==(const Confirm&, const Confirm&) = default;
};
struct Grant {
  Nonce joiner_nonce = 0;
  Nonce granter_nonce = 0;
  SessionId session = 0;
  ClockReading clock;
  friend constexpr bool operator==(const Grant&, const Grant&) = default;
};
using SessionMessage = std::variant<Hello, Challenge, Confirm, Grant>;

inline constexpr Duration kHandshakeRetryMin = std::chrono::milliseconds{30};
// A peer that is heard while Hello is being repeated gets one so soon: it listens now.
inline constexpr Duration kHelloAfterRequest = std::chrono::milliseconds{3};
inline constexpr Duration kHandshakeRetryMax = std::chrono::seconds{2};
inline constexpr unsigned kConfirmTries = 8;
// Handshakes asked for with request() begin at least this far apart, and so are invitations.
inline constexpr Duration kRequestSpacing = std::chrono::milliseconds{250};
// Handshakes the granter has answered and waits for the Confirm of; the oldest gives way. More than one, so
// that a delayed Hello does not disturb the handshake that is going on.
inline constexpr std::size_t kPendingHandshakesMax = 4;
inline constexpr std::size_t kSessionEventCapacity = 4;

struct Session {
  SessionId id = 0;  // never 0
  Nonce joiner_nonce = 0;
  Nonce granter_nonce = 0;
  friend constexpr bool operator==(const Session&, const Session&) = default;
};

struct SessionEvent {
  enum class Kind : std::uint8_t { kBegan, kEnded };
  TimePoint at{};
  Kind kind = Kind::kBegan;
  Session session;
  friend constexpr bool operator==(const SessionEvent&, const SessionEvent&) = default;
};

struct SessionStatistics {
  std::uint64_t began = 0;
  std::uint64_t hellos = 0;      // sent or received
  std::uint64_t retries = 0;     // of the joiner
  std::uint64_t restarts = 0;    // of the joiner: kConfirmTries without a Grant
  std::uint64_t stale = 0;       // messages that match no handshake going on
  std::uint64_t unexpected = 0;  // messages only the other role sends
  std::uint64_t limited = 0;     // requests that had to wait, invitations left out: kRequestSpacing
};

// The side that answers.
class SessionGranter {
 public:
  // `entropy`: 64 random bits, new at each start.
  explicit SessionGranter(std::uint64_t entropy) : rng_{entropy} {}

  void handle_message(TimePoint now, HybridClock& clock, const SessionMessage& message);
  void handle_timeout(TimePoint) {}
  // Asks the joiner for a new handshake: it talks in a session that does not exist here.
  void invite(TimePoint now);
  // The peer is gone for good (unpaired): ends the session and forgets handshakes. Not for a mere loss of
  // contact, after which the same session simply goes on.
  void reset(TimePoint now);

  std::optional<SessionMessage> poll_transmit(TimePoint now, const HybridClock& clock);
  std::optional<SessionEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const { return kNever; }

  const std::optional<Session>& session() const { return session_; }
  const SessionStatistics& statistics() const { return statistics_; }
  void add_to(Digest& digest) const;

 private:
  struct Pending {
    Nonce joiner_nonce = 0;
    Nonce granter_nonce = 0;
    bool is_answer_due = false;
  };
  void handle_hello(const Hello& hello);
  void handle_confirm(TimePoint now, HybridClock& clock, const Confirm& confirm);
  void end_session(TimePoint now);

  Rng rng_;
  std::optional<Session> session_;
  bool is_grant_due_ = false;
  bool is_invitation_due_ = false;
  std::optional<TimePoint> invited_at_{};
  std::array<Pending, kPendingHandshakesMax> pending_{};  // oldest first
  std::size_t pending_count_ = 0;
  Ring<SessionEvent, kSessionEventCapacity> events_;
  SessionStatistics statistics_;
};

// The side that asks.
class SessionJoiner {
 public:
  enum class Phase : std::uint8_t { kIdle, kHello, kConfirm, kJoined };

  explicit SessionJoiner(std::uint64_t entropy) : rng_{entropy} {}

  // Begins a handshake, at once or when kRequestSpacing allows. The session that exists stays until the new
  // one is granted. While the peer has not answered a Hello yet, the next repetition is hurried, because
  // whoever asks has just heard of the peer; a handshake that got further but is older than kRequestSpacing
  // begins anew.
  void request(TimePoint now);
  void handle_message(TimePoint now, HybridClock& clock, const SessionMessage& message);
  void handle_timeout(TimePoint now);
  // Ends session and handshake, for example because the peer is out of reach; request() begins anew.
  void reset(TimePoint now);

  std::optional<SessionMessage> poll_transmit(TimePoint now, const HybridClock& clock);
  std::optional<SessionEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  Phase phase() const { return phase_; }
  bool is_handshaking() const { return phase_ == Phase::kHello || phase_ == Phase::kConfirm; }
  const std::optional<Session>& session() const { return session_; }
  const SessionStatistics& statistics() const { return statistics_; }
  void add_to(Digest& digest) const;

 private:
  void start(TimePoint now);
  void handle_challenge(TimePoint now, const Challenge& challenge);
  void handle_grant(TimePoint now, HybridClock& clock, const Grant& grant);
  void end_session(TimePoint now);

  Rng rng_;
  Phase phase_ = Phase::kIdle;
  std::optional<Session> session_;
  Nonce joiner_nonce_ = 0;
  Nonce granter_nonce_ = 0;
  unsigned tries_ = 0;           // messages sent in this phase
  TimePoint due_ = kNever;       // when the message of this phase is sent (again)
  TimePoint start_at_ = kNever;  // a request waits until then
  std::optional<TimePoint> started_at_;
  Ring<SessionEvent, kSessionEventCapacity> events_;
  SessionStatistics statistics_;
};

}  // namespace amphora::state
