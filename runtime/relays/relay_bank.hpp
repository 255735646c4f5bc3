// SPDX-License-Identifier: Apache-2.0
// The relays of a pack, for the control thread.
//
// GPIO lines are not held by this program but by its guard: a second, tiny process that is the same
// executable started again with `guard_command` (the hidden subcommand calls run_relay_guard()). The two are
// joined by a socket pair. The guard applies what it is told, answers with what it reads back, and puts every
// relay into its safe position as soon as the socket closes (the program ended, crashed, was killed) or when
// nothing was heard for kGuardSilenceMax (the program hangs). See relay_guard.hpp.
//
// Why a program and not a fork: after exec nothing of this process is left in the guard (no threads' locks,
// no open files, no memory that a crash could have spoilt), and it can be started again at any time, also
// when threads run, should somebody kill the guard.
//
// The heartbeat is part of poll(), which the control thread calls; so a control thread that hangs is a
// program that hangs, whatever the other threads do.
//
// Nothing here blocks: the socket does not, and starting the guard takes as long as starting any process
// (about a millisecond), once, and again only after a guard was lost.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/energy/relay.hpp"
#include "runtime/loop/sys_error.hpp"
#include "runtime/relays/relay_spec.hpp"

namespace amphora::runtime {

inline constexpr Duration kGuardHeartbeat = std::chrono::seconds{1};
inline constexpr Duration kGuardRestartAfter = std::chrono::seconds{1};
// A guard that has not answered for so long hangs: it is killed and started again.
inline constexpr Duration kGuardAnswerMax = std::chrono::seconds{5};
// How long the destructor waits for the guard to end.
inline constexpr Duration kGuardEndMax = std::chrono::seconds{3};

inline constexpr std::size_t kRelayNoticesMax = 64;

struct RelayOptions {
  RelaySpecs specs{};
  // Program and arguments that end in run_relay_guard(kGuardSocket). /proc/self/exe is this program also
  // after its file was replaced by an update.
  std::vector<std::string> guard_command{"/proc/self/exe", "relay-guard"};
};

struct RelayCounters {
  std::uint64_t switches = 0;  // orders that changed a relay's position
  std::uint64_t failures = 0;  // times a relay began to fail
  std::uint64_t guard_starts = 0;
  std::uint64_t guard_losses = 0;  // it ended without being asked
};

// A relay began to fail, fails for another reason, or (error empty) works again.
struct RelayNotice {
  energy::Relay relay = energy::Relay::kGrid;
  TimePoint at{};
  std::optional<SysError> error;
};

class RelayBank {
 public:
  explicit RelayBank(RelayOptions options);
  // Closes the socket; the guard then puts the relays into their safe positions and ends.
  ~RelayBank();
  RelayBank(const RelayBank&) = delete;
  RelayBank& operator=(const RelayBank&) = delete;

  energy::PerRelay<bool> fitted() const;

  // The position wanted from now on; nothing for a relay that is not fitted. It leaves with the next poll().
  // A line is taken with its first position, so nothing moves before something is wanted.
  void set(energy::Relay relay, energy::Position position);

  // Sends what is wanted (on a change at once, else as heartbeat), takes the guard's answers, starts a lost
  // guard again. Call it after set(), when socket() is readable, and at poll_timeout().
  void poll(TimePoint now);
  TimePoint poll_timeout() const;
  // Readable when the guard has answered; -1 while there is none. Changes when a guard is started again:
  // ask after each poll().
  int socket() const { return socket_; }

  // What the guard has read back for the newest order it has answered; empty: not known (no answer yet, the
  // line failed, not fitted). Virtual relays are where they were put.
  energy::PerRelay<std::optional<energy::Position>> positions() const;
  // Why a relay cannot be moved; empty when it can.
  const std::optional<SysError>& error(energy::Relay relay) const;
  // At most kRelayNoticesMax wait; older ones go.
  std::optional<RelayNotice> poll_notice();
  const RelayCounters& counters() const { return counters_; }
  // Process id of the guard; empty while there is none (only virtual relays, or lost).
  std::optional<pid_t> guard() const;

 private:
  void start_guard(TimePoint now);
  void lose_guard(TimePoint now, SysError why);
  void reap();
  void receive(TimePoint now);
  void take_answer(TimePoint now, std::string_view packet);
  void send(TimePoint now);
  void set_error(TimePoint now, energy::Relay relay, std::optional<SysError> error);
  void set_all_errors(TimePoint now, const SysError& error);
  bool is_guarded(energy::Relay relay) const;

  RelayOptions options_;
  bool needs_guard_ = false;
  energy::PerRelay<std::optional<energy::Position>> wanted_{};
  energy::PerRelay<std::optional<energy::Position>> measured_{};
  energy::PerRelay<std::optional<SysError>> errors_{};
  std::deque<RelayNotice> notices_;
  RelayCounters counters_;
  int socket_ = -1;
  pid_t pid_ = -1;
  std::vector<pid_t> ended_;  // not yet collected
  bool is_changed_ = false;
  TimePoint send_at_ = kNever;
  TimePoint answer_due_ = kNever;
  TimePoint start_at_{};
};

}  // namespace amphora::runtime
