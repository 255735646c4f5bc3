// SPDX-License-Identifier: Apache-2.0
// Who leads a group of equals on a shared medium: the packs on a CAN bus, the boxes of one light show.
//
// Every node runs one Election. It takes and gives message structs; how they look on a wire is the owner's
// business. There is no configuration of who is master and nothing is stored: the best candidate leads, by
// rank, then by the highest id.
//
//   the master sends a Beacon every beacon_period, with its term
//   candidates that hear it send an Answer, each in its own slot of `slot` by rank; whoever has heard
//     answers_wanted answers in the meantime stays silent, so that a large group costs no more than a small
//     one
//   missed_beacons beacons missed: the term is over. Every candidate waits its slot (the best one none at
//   all)
//     and takes the role in the next term unless it hears a beacon before. An answer to the master's beacon
//     counts like the beacon itself: it proves that the master lives although this node missed the beacon. So
//     that the slots are right, the owner reports candidates by their presence as well (handle_candidate)
//   a candidate better than the master waits newcomer_wait before it takes over, so that a box that restarts
//     again and again does not take the group with it
//   a master that has heard nothing at all for hear_timeout gives the role up: it remains the master of
//   itself
//     (a lone node is its own master) and says so in its beacons (is_alone), which nobody follows. The first
//     thing it hears makes it a full master again
//   two masters that hear each other (a split group has been joined): the better stays and raises its term,
//   the
//     other follows. One that was alone follows at once, as a newcomer. One that nobody has answered for
//     hear_timeout follows too, whatever its rank: others do not hear it
//
// A node that is no candidate (a gateway) runs the same machine, follows, and never sends.
//
// Terms are 32-bit serial numbers: newer is a signed difference, so wrapping is harmless. What one node
// missed can give two masters for a moment; both see it with the next beacon that arrives.
//
// Limits: kCandidatesMax candidates; the least recently heard makes room and is counted. All nodes of a group
// use the same configuration. It does not know whom it hears: a forged beacon is believed, so actions that
// matter must not depend on who is master.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/base/timers.hpp"

namespace amphora::election {

inline constexpr std::size_t kCandidatesMax = 126;
inline constexpr std::size_t kEventCapacity = 16;
// Later slots than this share the last one when they answer, so that an answer always comes in time.
inline constexpr std::uint32_t kAnswerSlotMax = 14;

// A node id on a CAN bus, the first half of a UUID elsewhere: unique in the group.
using Id = std::uint64_t;

struct Candidate {
  Id id = 0;
  std::uint8_t rank = 0;  // higher is better
  friend constexpr bool operator==(const Candidate&, const Candidate&) = default;
};
constexpr bool is_better(const Candidate& a, const Candidate& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.id > b.id;
}

using Term = std::uint32_t;
constexpr bool is_newer(Term a, Term b) {
  return static_cast<std::int32_t>(a - b) > 0;
}

// From a master.
struct Beacon {
  Candidate from;
  Term term = 0;
  bool is_alone = false;  // it hears nobody
  friend constexpr bool operator==(const Beacon&, const Beacon&) = default;
};
// From a candidate that has just heard the beacon of `master`.
struct Answer {
  Candidate from;
  Id master = 0;
  Term term = 0;
  bool is_to_alone = false;  // that beacon was a lone one; copied from it
  friend constexpr bool operator==(const Answer&, const Answer&) = default;
};
using Message = std::variant<Beacon, Answer>;

struct Config {
  bool is_candidate = true;
  Duration beacon_period = std::chrono::milliseconds{100};
  std::uint8_t missed_beacons = 3;
  Duration slot = std::chrono::milliseconds{20};
  // Added to the beacons that are waited for, for delays on the way.
  Duration tolerance = std::chrono::milliseconds{20};
  // The first beacon of a term is repeated after this: half a slot, so that the next slot hears one of two.
  Duration repeat_after = std::chrono::milliseconds{10};
  Duration newcomer_wait = std::chrono::seconds{5};
  Duration hear_timeout = std::chrono::milliseconds{500};
  Duration time_to_live = std::chrono::seconds{120};  // of a candidate that is not heard
  std::uint8_t answers_wanted = 2;
};
std::string_view check_config(const Config& config);  // the first wrong field; empty when all is well

enum class Role : std::uint8_t {
  kStopped,
  kListening,  // no master is known; about to take the role, or no candidate
  kFollower,
  kMaster
};
std::string_view to_text(Role role);

struct Event {
  enum class Kind : std::uint8_t {
    kBecameMaster,  // of a group, or of oneself: see is_alone()
    kFollows,       // `master` is the new master
    kMasterLost,    // its beacons are missing
    kYielded,       // was master, now follows `master`
    kAlone,         // a master that hears nobody: gave the group up
    kNotAlone       // hears someone again
  };
  TimePoint at{};
  Kind kind = Kind::kBecameMaster;
  Id master = 0;
  Term term = 0;
  friend constexpr bool operator==(const Event&, const Event&) = default;
};
std::string_view to_text(Event::Kind kind);

// All start at zero and only grow.
struct Metrics {
  std::uint64_t beacons_sent = 0;
  std::uint64_t answers_sent = 0;
  std::uint64_t terms_started = 0;  // by this node
  std::uint64_t masters_lost = 0;
  std::uint64_t conflicts = 0;           // beacons of another master heard while master
  std::uint64_t own_id_heard = 0;        // messages that carry this node's id: ignored
  std::uint64_t candidates_dropped = 0;  // no room in the table
};

class Election {
 public:
  // Needs check_config(config).empty().
  explicit Election(const Config& config);

  // Takes part as `self` from now on; again with another id or rank at any time, which starts anew.
  void start(TimePoint now, const Candidate& self);
  // Says and follows nothing any more; candidates are kept.
  void stop(TimePoint now);

  void handle_message(TimePoint now, const Message& message);
  // A candidate is there, for example by its presence frame.
  void handle_candidate(TimePoint now, const Candidate& candidate);
  // A sign of life of any other node, candidate or not: "the bus is not silent".
  void handle_heard(TimePoint now, Id id);
  // It said goodbye, or its id belongs to another node now.
  void remove(TimePoint now, Id id);
  void handle_timeout(TimePoint now);

  std::optional<Message> poll_transmit(TimePoint now);
  std::optional<Event> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  Role role() const { return role_; }
  // Leads a group or itself.
  bool is_master() const { return role_ == Role::kMaster; }
  // Master that hears nobody: it leads itself only.
  bool is_alone() const { return is_master() && is_alone_; }
  // This node, if it is the master, else whom it follows; empty while none is known.
  std::optional<Candidate> master() const;
  Term term() const { return term_; }
  const Candidate& self() const { return self_; }
  // Candidates heard within time_to_live, this node not counted.
  std::size_t candidate_count() const { return count_; }
  const Metrics& metrics() const { return metrics_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 private:
  enum class Timer : std::uint8_t {
    kMasterLost,
    kClaim,
    kBeacon,
    kAnswer,
    kNewcomer,
    kHear,
    kExpiry,
    kCount
  };
  struct Known {
    Candidate candidate;
    TimePoint heard_at{};
    bool is_lost = false;  // the master that fell silent: has no slot until it is heard again
  };

  void handle_beacon(TimePoint now, const Beacon& beacon);
  void handle_answer(TimePoint now, const Answer& answer);
  void handle_lone_beacon(TimePoint now, const Beacon& beacon);
  void handle_rival(TimePoint now, const Beacon& beacon);
  void listen(TimePoint now);
  void follow(TimePoint now, const Candidate& master, Term term);
  void refresh_master(TimePoint beacon_at);
  void take_role(TimePoint now);
  void note_heard(TimePoint now);
  void note_candidate(TimePoint now, const Candidate& candidate);
  void schedule_answer(TimePoint now, bool is_to_alone);
  void expire(TimePoint now);
  void schedule_expiry();
  // How many known candidates other than the master are better: the number of the slot.
  std::uint32_t better_count(const Candidate& than) const;
  Duration answer_delay(const Candidate& of) const;
  Known* find(Id id);
  void emit(TimePoint now, Event::Kind kind, Id master);

  Config config_;
  Candidate self_;
  Role role_ = Role::kStopped;
  Candidate master_;
  Term term_ = 0;
  bool is_alone_ = false;
  bool is_beacon_due_ = false;
  bool is_answer_due_ = false;
  bool is_repeat_pending_ = false;
  std::uint8_t answers_heard_ = 0;  // since the own answer was scheduled
  std::optional<TimePoint> heard_at_;
  TimePoint beacon_at_{};  // follower: the master's last beacon, by itself or shown by an answer
  bool is_answer_to_alone_ = false;
  TimePoint answered_at_{};  // master: when someone last answered, or when it took the role
  TimerTable<Timer> timers_;
  std::array<Known, kCandidatesMax> known_{};
  std::size_t count_ = 0;
  Ring<Event, kEventCapacity> events_;
  Metrics metrics_;
};

static_assert(Machine<Election>);

}  // namespace amphora::election
