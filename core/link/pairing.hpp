// SPDX-License-Identifier: Apache-2.0
// Pairing: two boxes that share nothing but a code of six digits, shown at one and typed at the other, agree
// on the key of their link. docs/protocols/pairing.md has the formulas.
//
// It is a password-authenticated key exchange after the ideas of CPace (draft-irtf-cfrg-cpace) over
// ristretto255: both ends derive a group generator from the code, exchange Diffie-Hellman values on it, and
// prove to each other that they have the same key. Who listens learns nothing that could be tried against the
// million codes off line; who takes part can try one code for each exchange, and the code dies after
// kTriesMax of them or after five minutes. An altered message never yields a key at the end that receives it.
//
//   enterer                                             shower
//   enter(code)   -- PairStart{attempt, element} ------>  counts a try
//                 <- PairReply{element, confirmation} --
//   right? else kWrongCode
//                 -- PairConfirm{confirmation} --------->  right? stores the key
//   stores the key <- PairResult{kPaired, confirmation} -  the code is used up
//
// The shower counts a try when it replies, not when a confirmation is wrong: the reply's own confirmation is
// what an attacker can test one guess with, and he would not send the third message. A repeated PairStart
// gets the same reply and counts once. The enterer repeats what is unanswered, so loss and repetition do no
// harm. Each end gives its key to poll_store() and says kPaired only when handle_stored() says that it is
// durable; the shower answers PairConfirm only then. If the very last message never arrives, the shower has a
// key that the enterer has not; pairing again replaces it.
//
// While an exchange runs others are answered with kBusy, for attempt_timeout at most.
//
// Entropy comes from the host, 32 bytes from the operating system, new for each open() and enter(). Codes and
// keys are overwritten when they are no longer needed. Messages travel unsealed; their bytes are in
// messages.hpp. Limits: one code and one exchange at a time; events are a ring of 8, the oldest dropped and
// counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/machine.hpp"
#include "core/base/node_id.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/crypto/crypto.hpp"

namespace amphora::link {

inline constexpr std::size_t kCodeSize = 6;
inline constexpr std::uint8_t kTriesMax = 5;
inline constexpr Duration kCodeLifetime = std::chrono::minutes{5};
inline constexpr std::size_t kConfirmationSize = 16;
inline constexpr std::size_t kPairingEntropySize = 32;

using Code = std::array<char, kCodeSize>;  // digits
using Confirmation = std::array<std::uint8_t, kConfirmationSize>;
using PairingEntropy = std::array<std::uint8_t, kPairingEntropySize>;

struct PairStart {
  std::uint64_t attempt = 0;  // random, names the exchange
  crypto::Element element{};
  friend constexpr bool operator==(const PairStart&, const PairStart&) = default;
};
struct PairReply {
  std::uint64_t attempt = 0;
  crypto::Element element{};
  Confirmation confirmation{};
  friend constexpr bool operator==(const PairReply&, const PairReply&) = default;
};
struct PairConfirm {
  std::uint64_t attempt = 0;
  Confirmation confirmation{};
  friend constexpr bool operator==(const PairConfirm&, const PairConfirm&) = default;
};
enum class PairOutcome : std::uint8_t {
  kPaired = 0,
  kWrongCode = 1,  // the confirmation was wrong
  kClosed = 2,     // no code is shown
  kBusy = 3,       // another exchange is running
};
inline constexpr std::uint8_t kPairOutcomeCount = 4;
struct PairResult {
  std::uint64_t attempt = 0;
  PairOutcome outcome = PairOutcome::kPaired;
  Confirmation confirmation{};  // of kPaired; zeros else
  friend constexpr bool operator==(const PairResult&, const PairResult&) = default;
};

using ShowerMessage = std::variant<PairReply, PairResult>;
using EntererMessage = std::variant<PairStart, PairConfirm>;

// The key to be stored for `peer`, in place of any older one.
struct PairedKey {
  NodeId peer;
  crypto::Key key{};
};

struct PairingEvent {
  enum class Kind : std::uint8_t { kOpened, kTry, kPaired, kClosed };
  // Why it ended; kNone for the other kinds.
  enum class Reason : std::uint8_t {
    kNone,
    kExpired,       // shower: the code is older than kCodeLifetime
    kTooManyTries,  // shower
    kCancelled,     // by the owner
    kWrongCode,     // enterer: the shower has another code, or a message was altered
    kRefused,       // enterer: the shower shows no code
    kBusy,          // enterer: it talks to somebody else
    kNoAnswer,      // enterer: answer_timeout has passed
    kStoreFailed    // the key could not be stored
  };
  TimePoint at{};
  Kind kind = Kind::kOpened;
  NodeId peer;
  Reason reason = Reason::kNone;
  friend constexpr bool operator==(const PairingEvent&, const PairingEvent&) = default;
};
std::string_view to_text(PairingEvent::Kind kind);
std::string_view to_text(PairingEvent::Reason reason);

inline constexpr std::size_t kPairingEventCapacity = 8;

struct PairingConfig {
  Duration retry_period = std::chrono::milliseconds{300};  // enterer
  Duration answer_timeout = std::chrono::seconds{15};      // enterer, for the whole exchange
  Duration attempt_timeout = std::chrono::seconds{5};      // shower: an exchange without news makes way
};

struct PairingMetrics {
  std::uint64_t exchanges = 0;  // shower: tries; enterer: codes entered
  std::uint64_t repeated = 0;   // messages answered again
  std::uint64_t refused = 0;    // messages that fit no exchange, from somebody else, or altered
};

// What both ends compute alike, if they have the same code and nothing was altered.
struct PairingSecrets {
  crypto::Key key{};  // from which all else follows
  Confirmation shower{};
  Confirmation enterer{};
  Confirmation result{};
  crypto::Key link{};
};

class PairingShower {
 public:
  PairingShower(NodeId self, const PairingConfig& config = {}) : self_{self}, config_{config} {}

  // Shows a new code, in place of any older one.
  void open(TimePoint now, const PairingEntropy& entropy);
  void close(TimePoint now);
  // What people read; empty when none is shown.
  std::optional<Code> code() const { return is_open_ ? std::optional{code_} : std::nullopt; }

  void handle_start(TimePoint now, NodeId from, const PairStart& start);
  void handle_confirm(TimePoint now, NodeId from, const PairConfirm& confirm);
  void handle_stored(TimePoint now, bool is_durable);
  void handle_timeout(TimePoint now);

  // To whom, and what.
  struct Outgoing {
    NodeId to;
    ShowerMessage message;
  };
  std::optional<Outgoing> poll_transmit(TimePoint now);
  std::optional<PairedKey> poll_store();
  std::optional<PairingEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  std::uint8_t tries_left() const {
    return is_open_ ? static_cast<std::uint8_t>(kTriesMax - tries_) : std::uint8_t{0};
  }
  const PairingMetrics& metrics() const { return metrics_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 private:
  enum class Phase : std::uint8_t { kIdle, kReplied, kToStore, kStoring, kPaired };

  void reply(TimePoint now, NodeId from, const PairStart& start);
  void end(TimePoint now, PairingEvent::Reason reason);
  void fail_attempt(TimePoint now);
  void add_event(TimePoint now, PairingEvent::Kind kind, PairingEvent::Reason reason);

  NodeId self_;
  PairingConfig config_;
  bool is_open_ = false;
  Code code_{};
  PairingEntropy entropy_{};
  TimePoint expires_at_ = kNever;
  std::uint8_t tries_ = 0;

  Phase phase_ = Phase::kIdle;  // kPaired outlives the code, to repeat the result
  NodeId peer_;
  PairStart start_;
  PairReply reply_;
  PairingSecrets secrets_;
  TimePoint attempt_until_ = kNever;

  std::optional<Outgoing> outgoing_;
  Ring<PairingEvent, kPairingEventCapacity> events_;
  PairingMetrics metrics_;
};

class PairingEnterer {
 public:
  PairingEnterer(NodeId self, const PairingConfig& config = {}) : self_{self}, config_{config} {}

  // Begins an exchange with the box that shows the code, in place of a running one. False, and nothing
  // changed, unless `code` is kCodeSize digits and `shower` one node.
  bool enter(TimePoint now, NodeId shower, std::string_view code, const PairingEntropy& entropy);
  void cancel(TimePoint now);

  void handle_reply(TimePoint now, NodeId from, const PairReply& reply);
  void handle_result(TimePoint now, NodeId from, const PairResult& result);
  void handle_stored(TimePoint now, bool is_durable);
  void handle_timeout(TimePoint now);

  struct Outgoing {
    NodeId to;
    EntererMessage message;
  };
  std::optional<Outgoing> poll_transmit(TimePoint now);
  std::optional<PairedKey> poll_store();
  std::optional<PairingEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  bool is_busy() const { return phase_ != Phase::kIdle; }
  const PairingMetrics& metrics() const { return metrics_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 private:
  enum class Phase : std::uint8_t { kIdle, kStarted, kConfirming, kToStore, kStoring };

  void end(TimePoint now, PairingEvent::Kind kind, PairingEvent::Reason reason);

  NodeId self_;
  PairingConfig config_;
  Phase phase_ = Phase::kIdle;
  NodeId peer_;
  crypto::Scalar scalar_{};
  PairStart start_;
  PairingSecrets secrets_;
  TimePoint send_at_ = kNever;
  TimePoint gives_up_at_ = kNever;

  Ring<PairingEvent, kPairingEventCapacity> events_;
  PairingMetrics metrics_;
};

}  // namespace amphora::link
