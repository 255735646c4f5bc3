// SPDX-License-Identifier: Apache-2.0
// Is the other side still there? One engine for radio links, inverters, BMSs, CAN nodes and sockets.
//
// The owner reports every sign of life. From its age follow four states:
//   connected -> degraded (silent for degraded_after) -> failing (failing_after) -> disconnected
//   (disconnected_after)
// A sign of life brings any state back to connected at once. Before the first sign the state is disconnected
// with reason kNeverSeen. The last changes are kept with time and reason, for the person who asks what
// happened at night. Time-outs of zero switch a state off; all zero: the peer is never declared lost (for
// peers that never speak).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/ring.hpp"
#include "core/base/time.hpp"

namespace amphora::liveness {

enum class State : std::uint8_t { kDisconnected, kConnected, kDegraded, kFailing };
enum class Reason : std::uint8_t { kNeverSeen, kSignOfLife, kSilence, kReported };

constexpr std::string_view to_text(State state) {
  constexpr std::string_view kNames[] = {"disconnected", "connected", "degraded", "failing"};
  return kNames[static_cast<std::size_t>(state)];
}
constexpr std::string_view to_text(Reason reason) {
  constexpr std::string_view kNames[] = {"never_seen", "sign_of_life", "silence", "reported"};
  return kNames[static_cast<std::size_t>(reason)];
}

struct Config {
  Duration degraded_after{};
  Duration failing_after{};
  Duration disconnected_after{};
};

struct Change {
  TimePoint at{};
  State from = State::kDisconnected;
  State to = State::kDisconnected;
  Reason reason = Reason::kNeverSeen;
  friend constexpr bool operator==(const Change&, const Change&) = default;
};

// Changes kept for people, and changes waiting for poll_event(). The oldest are dropped and counted.
inline constexpr std::size_t kHistoryCapacity = 16;
inline constexpr std::size_t kEventCapacity = 8;

class Liveness {
 public:
  explicit Liveness(const Config& config) : config_{config} {}

  void handle_sign_of_life(TimePoint now);
  // The owner knows better, for example because a cable was pulled: disconnected at once.
  void handle_loss(TimePoint now);
  // The owner has a reason to doubt, for example frames that nobody acknowledged: a connected peer is
  // degraded until its next sign of life. The times of silence go on as they were.
  void handle_doubt(TimePoint now);
  void handle_timeout(TimePoint now);

  TimePoint poll_timeout() const { return next_; }
  std::optional<Change> poll_event() { return events_.pop(); }

  State state() const { return state_; }
  bool is_connected() const { return state_ == State::kConnected; }
  // Empty before the first sign of life.
  std::optional<TimePoint> last_sign() const { return last_sign_; }
  const Ring<Change, kHistoryCapacity>& history() const { return history_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 private:
  struct Target {
    State state;
    TimePoint next;  // when the state after this one begins
  };
  Target target_at(TimePoint now) const;
  void change(TimePoint now, State to, Reason reason);

  Config config_;
  State state_ = State::kDisconnected;
  std::optional<TimePoint> last_sign_;
  TimePoint next_ = kNever;
  Ring<Change, kHistoryCapacity> history_;
  Ring<Change, kEventCapacity> events_;
};

}  // namespace amphora::liveness
