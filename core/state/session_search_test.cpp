// SPDX-License-Identifier: Apache-2.0
// Searches every interleaving of a small world: the real session machines and clocks on both sides, one
// section, a channel that loses, repeats and reorders, and crashes.
//
//   granter  persists: a crash loses its clock, its session and what is not yet durable; its wall clock steps
//            backwards at each start
//   joiner   has no store and no wall time: a crash loses everything
//
// Abstracted: a node in session may send its value at any moment (no beacons, requests, acknowledgements, so
// every schedule of them is covered), messages leave a machine as soon as it has them, and of a section only
// (content, version, stamp, origin) is left. Numbers of edits, crashes, repetitions, retries and frames in
// flight are bounded, see Bounds.
//
// Looked for: two nodes that hold the same stamp and origin with different contents, and a stamp or version
// that runs backwards at a living node. With sessions in force there must be none. To show that the search
// can find it, sessions are taken away, wholly and in parts: each time it must come back with the steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/crc.hpp"
#include "core/state/session.hpp"
#include "core/state/stamp.hpp"
#include "tests/contract/slow_build.hpp"

namespace amphora::state {
namespace {

struct Mode {
  bool has_sessions = true;          // false: no handshake at all, everybody stamps and sends from the start
  bool drops_other_sessions = true;  // false: data of any session is taken
  bool merges_clocks = true;         // false: the handshake leaves the clocks alone
};

struct Bounds {
  int granter_edits = 0;
  int joiner_edits = 0;
  int granter_crashes = 0;
  int joiner_crashes = 0;
  int retries = 0;     // of the joiner
  int requests = 0;    // handshakes begun anew without a crash
  int duplicates = 0;  // frames delivered and left in flight
};

constexpr std::size_t kFramesMax = 3;  // in flight
constexpr std::int64_t kWallMs = 100;

struct Value {
  std::uint8_t content = 0;
  std::uint8_t version = 0;
  std::uint8_t origin = 0;
  Stamp stamp;
  friend bool operator==(const Value&, const Value&) = default;
};

Value merge(const Value& a, const Value& b) {
  const auto age = [](const Value& v) { return std::tuple{v.stamp, v.origin, v.content}; };
  Value merged = age(a) >= age(b) ? a : b;
  merged.version = std::max(a.version, b.version);
  return merged;
}

struct Frame {
  bool is_to_granter = false;
  bool is_data = false;
  SessionId session = 0;
  SessionMessage handshake;
  Value value;
  // Index into kFrameNames.
  std::uint8_t kind() const { return is_data ? 4 : static_cast<std::uint8_t>(handshake.index()); }
};
constexpr const char* kFrameNames[] = {"Hello", "Challenge", "Confirm", "Grant", "data"};

std::uint64_t hash_of(const Value& value) {
  return (std::uint64_t{value.content} << 56) ^ (std::uint64_t{value.version} << 48) ^
         (std::uint64_t{value.origin} << 40) ^ (value.stamp.physical_ms << 16) ^ value.stamp.logical;
}

std::uint64_t hash_of(const Frame& frame) {
  Digest digest;
  digest.add_byte(static_cast<std::uint8_t>((frame.is_to_granter ? 1 : 0) | (frame.is_data ? 2 : 0)));
  if (frame.is_data) {
    digest.add_number(frame.session);
    digest.add_number(static_cast<std::int64_t>(hash_of(frame.value)));
    return digest.value();
  }
  digest.add_byte(static_cast<std::uint8_t>(frame.handshake.index()));
  std::visit(
      [&digest](const auto& message) {
        digest.add_number(static_cast<std::int64_t>(message.joiner_nonce));
        if constexpr (requires { message.granter_nonce; }) {
          digest.add_number(static_cast<std::int64_t>(message.granter_nonce));
        }
        if constexpr (requires { message.clock; }) {
          digest.add_number(static_cast<std::int64_t>((message.clock.stamp.physical_ms << 17) ^
                                                      (std::uint64_t{message.clock.stamp.logical} << 1)) |
                            (message.clock.has_time ? 1 : 0));
        }
        if constexpr (requires { message.session; }) {
          digest.add_number(message.session);
        }
      },
      frame.handshake);
  return digest.value();
}

enum class Step : std::uint8_t {
  kStart,
  kDeliver,
  kDuplicate,
  kDrop,
  kGranterEdits,
  kJoinerEdits,
  kGranterPersists,
  kGranterSends,
  kJoinerSends,
  kGranterCrashes,
  kJoinerCrashes,
  kJoinerRetries,
  kJoinerRequests
};

constexpr const char* kStepNames[] = {"start",
                                      "a frame arrives",
                                      "a frame arrives, a copy stays",
                                      "a frame is lost",
                                      "the granter edits",
                                      "the joiner edits",
                                      "the granter's value is durable",
                                      "the granter sends its value",
                                      "the joiner sends its value",
                                      "the granter crashes and starts",
                                      "the joiner crashes and starts",
                                      "the joiner retries",
                                      "the joiner asks for a new session"};

class World {
 public:
  World(const Mode& mode, const Bounds& bounds) : mode_{mode}, left_{bounds} {
    start_granter();
    start_joiner();
  }

  // Calls `visit(next, step, what)` for every world one step away; `what` is the frame of the step.
  template <class Visit>
  void for_each_next(Visit visit) const {
    const auto try_step = [this, &visit](bool is_possible, Step step, std::size_t frame = 0) {
      if (is_possible) {
        World next = *this;
        next.apply(step, frame);
        visit(next, step, frames_[frame].frame.kind());
      }
    };
    for (std::size_t i = 0; i < frame_count_; ++i) {
      try_step(true, Step::kDeliver, i);
      try_step(left_.duplicates > 0, Step::kDuplicate, i);
      // Elsewhere a frame that never arrives is as good as lost.
      try_step(frame_count_ == kFramesMax, Step::kDrop, i);
    }
    try_step(left_.granter_edits > 0, Step::kGranterEdits);
    try_step(left_.joiner_edits > 0 && joiner_clock_.can_stamp(), Step::kJoinerEdits);
    try_step(!(granter_value_ == granter_durable_), Step::kGranterPersists);
    try_step(can_send(granter_durable_, granter_session(), true), Step::kGranterSends);
    try_step(can_send(joiner_value_, joiner_session(), false), Step::kJoinerSends);
    try_step(left_.granter_crashes > 0, Step::kGranterCrashes);
    try_step(left_.joiner_crashes > 0, Step::kJoinerCrashes);
    if (mode_.has_sessions) {
      try_step(left_.retries > 0 && joiner_.is_handshaking(), Step::kJoinerRetries);
      try_step(left_.requests > 0 && joiner_.phase() == SessionJoiner::Phase::kJoined, Step::kJoinerRequests);
    }
  }

  std::uint64_t hash() const {
    Digest digest;
    granter_clock_.add_to(digest);
    granter_.add_to(digest);
    joiner_clock_.add_to(digest);
    joiner_.add_to(digest);
    for (const Value& value : {granter_value_, granter_durable_, joiner_value_}) {
      digest.add_number(static_cast<std::int64_t>(hash_of(value)));
    }
    for (const int count : {left_.granter_edits, left_.joiner_edits, left_.granter_crashes,
                            left_.joiner_crashes, left_.retries, left_.requests, left_.duplicates}) {
      digest.add_byte(static_cast<std::uint8_t>(count));
    }
    // Frames in flight have no order.
    std::uint64_t frames = 0;
    for (std::size_t i = 0; i < frame_count_; ++i) {
      frames += frames_[i].hash * 0x9E3779B97F4A7C15U;
    }
    digest.add_number(static_cast<std::int64_t>(frames));
    return digest.value();
  }

  bool is_divergent() const {
    const auto differs = [](const Value& a, const Value& b) {
      return a.stamp == b.stamp && a.origin == b.origin && a.content != b.content;
    };
    return differs(granter_value_, joiner_value_) || differs(granter_durable_, joiner_value_) ||
           differs(granter_value_, granter_durable_);
  }
  bool has_run_backwards() const { return has_run_backwards_; }

  std::string describe() const {
    const auto text = [](const char* name, const Value& v) {
      return std::string{name} + " content " + std::to_string(v.content) + " version " +
             std::to_string(v.version) + " stamp " + std::to_string(v.stamp.physical_ms) + "." +
             std::to_string(v.stamp.logical) + " origin " + std::to_string(v.origin);
    };
    return text("granter:", granter_value_) + "; " + text("joiner:", joiner_value_);
  }

 private:
  struct HashedFrame {
    Frame frame;
    std::uint64_t hash = 0;
  };

  std::optional<SessionId> granter_session() const {
    return granter_.session() ? std::optional{granter_.session()->id} : std::nullopt;
  }
  std::optional<SessionId> joiner_session() const {
    return joiner_.session() ? std::optional{joiner_.session()->id} : std::nullopt;
  }
  bool can_send(const Value& value, const std::optional<SessionId>& session, bool is_from_granter) const {
    if (value.version == 0 || (mode_.has_sessions && !session)) {
      return false;
    }
    const std::uint64_t hash = hash_of(data_frame(value, session, is_from_granter));
    return std::none_of(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(frame_count_),
                        [hash](const HashedFrame& frame) { return frame.hash == hash; });
  }
  static Frame data_frame(const Value& value, const std::optional<SessionId>& session, bool is_from_granter) {
    return {!is_from_granter, true, session.value_or(0), {}, value};
  }

  void start_granter() {
    granter_ = SessionGranter{100 + static_cast<std::uint64_t>(granter_starts_)};
    granter_clock_ = HybridClock{Memory::kDurable};
    (void)granter_clock_.set_wall_time(kNow, WallTime{kWallMs - 50 * granter_starts_});
    granter_value_ = granter_durable_;
    (void)granter_clock_.merge(granter_durable_.stamp);
    ++granter_starts_;
  }
  void start_joiner() {
    joiner_ = SessionJoiner{200 + static_cast<std::uint64_t>(joiner_starts_)};
    joiner_clock_ =
        HybridClock{mode_.has_sessions && mode_.merges_clocks ? Memory::kVolatile : Memory::kDurable};
    joiner_value_ = {};
    joiner_now_ = kNow;
    ++joiner_starts_;
    if (mode_.has_sessions) {
      joiner_.request(joiner_now_);
    } else {
      joiner_clock_.start_without_wall_time(joiner_now_);
    }
    pump();
  }

  void add_frame(const Frame& frame) {
    if (frame_count_ < kFramesMax) {
      frames_[frame_count_++] = {frame, hash_of(frame)};
    }
  }
  void remove_frame(std::size_t index) { frames_[index] = frames_[--frame_count_]; }

  void pump() {
    while (const auto message = granter_.poll_transmit(kNow, granter_clock_)) {
      add_frame({false, false, 0, *message, {}});
    }
    while (const auto message = joiner_.poll_transmit(joiner_now_, joiner_clock_)) {
      add_frame({true, false, 0, *message, {}});
    }
    while (granter_.poll_event()) {
    }
    while (joiner_.poll_event()) {
    }
  }

  void take(Value& mine, HybridClock& clock, const Value& theirs) {
    (void)clock.merge(theirs.stamp);
    const Value merged = merge(mine, theirs);
    has_run_backwards_ = has_run_backwards_ || merged.stamp < mine.stamp || merged.version < mine.version;
    mine = merged;
  }

  void deliver(const Frame& frame) {
    if (frame.is_data) {
      const auto session = frame.is_to_granter ? granter_session() : joiner_session();
      const bool is_ours = session && *session == frame.session;
      if (!mode_.has_sessions || is_ours || (session && !mode_.drops_other_sessions)) {
        take(frame.is_to_granter ? granter_value_ : joiner_value_,
             frame.is_to_granter ? granter_clock_ : joiner_clock_, frame.value);
      }
      return;
    }
    HybridClock unused{Memory::kVolatile};
    if (frame.is_to_granter) {
      granter_.handle_message(kNow, mode_.merges_clocks ? granter_clock_ : unused, frame.handshake);
    } else {
      joiner_.handle_message(joiner_now_, mode_.merges_clocks ? joiner_clock_ : unused, frame.handshake);
      if (!mode_.merges_clocks && joiner_.session()) {
        joiner_clock_.start_without_wall_time(joiner_now_);
      }
    }
    pump();
  }

  void edit(Value& value, HybridClock& clock, TimePoint now, std::uint8_t origin) {
    const auto stamp = clock.stamp(now);
    ASSERT_TRUE(stamp.has_value());
    has_run_backwards_ = has_run_backwards_ || *stamp <= value.stamp;
    value = {++last_content_, static_cast<std::uint8_t>(value.version + 1), origin, *stamp};
  }

  void apply(Step step, std::size_t index) {
    switch (step) {
      case Step::kStart:
        return;
      case Step::kDeliver: {
        const Frame frame = frames_[index].frame;
        remove_frame(index);
        deliver(frame);
        return;
      }
      case Step::kDuplicate: {
        --left_.duplicates;
        const Frame frame = frames_[index].frame;
        deliver(frame);
        return;
      }
      case Step::kDrop:
        remove_frame(index);
        return;
      case Step::kGranterEdits:
        --left_.granter_edits;
        edit(granter_value_, granter_clock_, kNow, 1);
        return;
      case Step::kJoinerEdits:
        --left_.joiner_edits;
        edit(joiner_value_, joiner_clock_, joiner_now_, 2);
        return;
      case Step::kGranterPersists:
        granter_durable_ = granter_value_;
        return;
      case Step::kGranterSends:
        add_frame(data_frame(granter_durable_, granter_session(), true));
        return;
      case Step::kJoinerSends:
        add_frame(data_frame(joiner_value_, joiner_session(), false));
        return;
      case Step::kGranterCrashes:
        --left_.granter_crashes;
        start_granter();
        return;
      case Step::kJoinerCrashes:
        --left_.joiner_crashes;
        start_joiner();
        return;
      case Step::kJoinerRetries:
        --left_.retries;
        joiner_now_ = std::max(joiner_now_, joiner_.poll_timeout());
        pump();
        return;
      case Step::kJoinerRequests:
        --left_.requests;
        joiner_now_ += kRequestSpacing;
        joiner_.request(joiner_now_);
        pump();
        return;
    }
  }

  static constexpr TimePoint kNow{std::chrono::seconds{1}};

  Mode mode_;
  Bounds left_;
  SessionGranter granter_{0};
  HybridClock granter_clock_;
  Value granter_value_;
  Value granter_durable_;
  SessionJoiner joiner_{0};
  HybridClock joiner_clock_;
  Value joiner_value_;
  TimePoint joiner_now_ = kNow;
  std::array<HashedFrame, kFramesMax> frames_{};
  std::size_t frame_count_ = 0;
  std::uint8_t last_content_ = 0;
  int granter_starts_ = 0;
  int joiner_starts_ = 0;
  bool has_run_backwards_ = false;
};

struct Found {
  std::uint64_t from = 0;
  Step step = Step::kStart;
  std::uint8_t frame = 0;
};

struct Outcome {
  std::size_t states = 0;
  std::vector<Found> steps;  // to the violation; empty when there is none
  std::string found;
};

// Breadth first finds the shortest way to a violation, depth first needs no memory for the front.
Outcome search(const Mode& mode, const Bounds& bounds, bool is_breadth_first) {
  std::unordered_map<std::uint64_t, Found> seen;
  std::deque<World> open{World{mode, bounds}};
  seen.emplace(open.front().hash(), Found{});
  Outcome outcome;
  std::uint64_t violation = 0;
  while (!open.empty() && violation == 0) {
    const World world = is_breadth_first ? open.front() : open.back();
    if (is_breadth_first) {
      open.pop_front();
    } else {
      open.pop_back();
    }
    const std::uint64_t from = world.hash();
    world.for_each_next([&](const World& next, Step step, std::uint8_t frame) {
      const std::uint64_t hash = next.hash();
      if (violation != 0 || !seen.emplace(hash, Found{from, step, frame}).second) {
        return;
      }
      if (next.is_divergent() || next.has_run_backwards()) {
        violation = hash;
        outcome.found = next.describe();
      }
      open.push_back(next);
    });
  }
  outcome.states = seen.size();
  for (std::uint64_t at = violation; at != 0; at = seen.at(at).from) {
    outcome.steps.insert(outcome.steps.begin(), seen.at(at));
  }
  return outcome;
}

void print(const char* title, const Outcome& outcome) {
  std::printf("%s: %zu states\n", title, outcome.states);
  for (std::size_t i = 1; i < outcome.steps.size(); ++i) {
    const Found& at = outcome.steps[i];
    const bool has_frame = at.step == Step::kDeliver || at.step == Step::kDuplicate || at.step == Step::kDrop;
    std::printf("  %zu. %s%s%s\n", i, kStepNames[static_cast<std::size_t>(at.step)], has_frame ? ": " : "",
                has_frame ? kFrameNames[at.frame] : "");
  }
  if (!outcome.steps.empty()) {
    std::printf("  %s\n", outcome.found.c_str());
  }
}

// A build without optimisation, or with sanitizers, searches only the first and smallest.
using contract::kIsSlowBuild;

// One crash of each side and two edits of the joiner in every one; each kind of disorder with it, because all
// of them together would be too many.
TEST(SessionSearch, NoInterleavingDiverges) {
  struct Part {
    const char* title;
    Bounds bounds;
  };
  const std::vector<Part> parts{
      {"sessions in force, both crash",
       {.granter_edits = 1, .joiner_edits = 2, .granter_crashes = 1, .joiner_crashes = 1}},
      {"sessions in force, the joiner crashes twice", {.joiner_edits = 3, .joiner_crashes = 2}},
      {"sessions in force, a frame comes twice",
       {.granter_edits = 1, .joiner_edits = 2, .granter_crashes = 1, .joiner_crashes = 1, .duplicates = 1}},
      {"sessions in force, a handshake is repeated",
       {.granter_edits = 1, .joiner_edits = 2, .joiner_crashes = 1, .retries = 1}},
      {"sessions in force, a session is replaced",
       {.granter_edits = 1, .joiner_edits = 2, .joiner_crashes = 1, .requests = 1}}};
  std::size_t total = 0;
  for (const Part& part : parts) {
    const Outcome outcome = search({}, part.bounds, false);
    print(part.title, outcome);
    EXPECT_TRUE(outcome.steps.empty());
    total += outcome.states;
    if (kIsSlowBuild) {
      break;
    }
  }
  std::printf("states in all: %zu\n", total);
  EXPECT_GT(total, kIsSlowBuild ? 50'000U : 1'000'000U) << "the search has become too small to mean anything";
}

constexpr Bounds kCounterexampleBounds{.joiner_edits = 2, .joiner_crashes = 1};

TEST(SessionSearch, WithoutSessionsTheCounterexampleIsFound) {
  const Outcome outcome = search({.has_sessions = false}, kCounterexampleBounds, true);
  print("without sessions", outcome);
  EXPECT_FALSE(outcome.steps.empty());
}

TEST(SessionSearch, WithoutMergedClocksTheCounterexampleIsFound) {
  const Outcome outcome = search({.merges_clocks = false}, kCounterexampleBounds, true);
  print("clocks not merged", outcome);
  EXPECT_FALSE(outcome.steps.empty());
}

TEST(SessionSearch, WithFramesOfEarlierSessionsTheCounterexampleIsFound) {
  const Outcome outcome = search({.drops_other_sessions = false}, kCounterexampleBounds, true);
  print("frames of earlier sessions taken", outcome);
  EXPECT_FALSE(outcome.steps.empty());
}

}  // namespace
}  // namespace amphora::state
