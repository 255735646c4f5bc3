// SPDX-License-Identifier: Apache-2.0
// How a node gets its id and keeps it, after the address claim of SAE J1939-81.
//
// It wants its stored id or, without one, the lower seven bits of its hardware number. It waits a random 0 to
// 153 ms, claims, and listens for 250 ms; silence means that the id is its own. Of two that want one id the
// lower hardware number keeps it and says so again; the other stops at once, takes the next free id, has it
// stored, and claims that. Any frame that only the own id may send, heard from outside, starts the same at
// run time: two halves of a bus were joined.
//
// Two devices with the same hardware number cannot be told apart: both leave the id, wait a random 0 to 2 s
// and go on with some free id that they do not store; the alarm stays while the other is heard.
//
// Ids stay reserved to the hardware number last seen with them, also while that node is off; only when no
// other is free the one unheard for longest is taken.
//
// A claim that could not be sent is repeated after another random wait. One that failed kUnsentMax times in a
// row while no claim or presence was heard counts as sent: on a bus with nobody else on it there is no
// acknowledgement, and nobody to ask.
//
// Inputs: claims and presences heard, foreign use of the own id, time. Outputs: claims to send (single shot:
// the host does not repeat one that failed on the bus, but reports it), ids to store, events.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/base/timers.hpp"
#include "core/packnet/frames.hpp"

namespace amphora::packnet {

inline constexpr std::uint8_t kUnsentMax = 3;

struct ClaimConfig {
  HardwareNumber hardware = 0;
  Node stored = kNodeNone;  // kNodeNone: never had one
  std::uint64_t seed = 0;   // of the random waits; different on every device and start
  Duration start_wait_max = std::chrono::milliseconds{153};
  Duration listen = std::chrono::milliseconds{250};
  Duration duplicate_wait_max = std::chrono::seconds{2};
  Duration duplicate_alarm =
      std::chrono::seconds{120};  // after the other was last heard; also the wait when no id is free
};

enum class ClaimState : std::uint8_t { kOff, kWaiting, kListening, kClaimed, kDuplicate, kNoFreeNode };
std::string_view to_text(ClaimState state);

struct ClaimEvent {
  enum class Kind : std::uint8_t {
    kClaimed,         // `node` is ours from now on
    kLost,            // stop using `node` at once
    kDuplicateBegan,  // another device has our hardware number
    kDuplicateEnded,
    kNoFreeNode  // all ids are taken; tried again after duplicate_alarm
  };
  TimePoint at{};
  Kind kind = Kind::kClaimed;
  Node node = kNodeNone;
  friend constexpr bool operator==(const ClaimEvent&, const ClaimEvent&) = default;
};

class AddressClaim {
 public:
  explicit AddressClaim(const ClaimConfig& config);

  // The bus is up, or down.
  void start(TimePoint now);
  void stop(TimePoint now);

  void handle_claim(TimePoint now, const Claim& claim);
  // Presence of another node: reserves its id, and disputes ours when it is the same with another hash.
  void handle_presence(TimePoint now, Node node, std::uint32_t hash);
  // A frame that only our id may send came from outside.
  void handle_foreign_use(TimePoint now);
  // The claim was not sent, for example because two were sent at once.
  void handle_not_sent(TimePoint now);
  void handle_timeout(TimePoint now);

  std::optional<Claim> poll_transmit(TimePoint now);
  std::optional<ClaimEvent> poll_event() { return events_.pop(); }
  // The id to keep over a restart. Nothing waits for it.
  std::optional<Node> poll_store();
  TimePoint poll_timeout() const { return timers_.next(); }

  ClaimState state() const { return state_; }
  // The id to be used; kNodeNone while there is none.
  Node node() const { return state_ == ClaimState::kClaimed ? node_ : kNodeNone; }
  bool is_duplicate() const { return is_duplicate_; }
  std::uint64_t claims_sent() const { return claims_sent_; }
  std::uint64_t ids_lost() const { return ids_lost_; }

 private:
  enum class Timer : std::uint8_t { kClaim, kListened, kDuplicateWait, kDuplicateAlarm, kCount };
  struct Lease {
    std::uint32_t hash = 0;
    bool is_taken = false;
    TimePoint heard_at{};
  };

  Duration random(Duration max);
  void want(TimePoint now, Node node, Duration wait);
  void give_up_node(TimePoint now);
  void move_on(TimePoint now);
  void handle_duplicate(TimePoint now, const Claim& claim);
  void remember(TimePoint now, Node node, std::uint32_t hash);
  Node next_free(Node after) const;

  ClaimConfig config_;
  std::uint32_t hash_ = 0;
  Rng rng_;
  ClaimState state_ = ClaimState::kOff;
  Node node_ = kNodeNone;
  Node stored_ = kNodeNone;
  bool is_duplicate_ = false;
  std::uint8_t unsent_ = 0;  // claims in a row, without hearing anybody
  bool is_claim_due_ = false;
  bool is_defence_ = false;  // the due claim does not begin the listening anew
  std::optional<Node> to_store_;
  TimerTable<Timer> timers_;
  std::array<Lease, kNodeAll> leases_{};
  Ring<ClaimEvent, 16> events_;
  std::uint64_t claims_sent_ = 0;
  std::uint64_t ids_lost_ = 0;
};

static_assert(Machine<AddressClaim>);

}  // namespace amphora::packnet
