// SPDX-License-Identifier: Apache-2.0
// The guard: the process that alone holds the GPIO lines of the relays.
//
// It does little, so that little can go wrong: it waits for orders on one socket and moves lines. It knows
// three reasons to put all relays into their safe positions:
//   - the socket closes: the program ended, crashed or was killed; then the guard ends as well, so that a
//     restarted program's guard can take the lines;
//   - nothing was heard for kGuardSilenceMax: the program hangs; the guard stays and obeys again when the
//     program speaks again;
//   - a packet that it does not understand, which only a defect can cause: as if the socket had closed.
// A safe position `keep` leaves the line as it is.
//
// It ignores SIGINT, SIGTERM, SIGHUP and SIGQUIT, which a terminal or service manager sends to all processes
// of a group: it ends when its program has ended. Nothing protects the lines when the guard itself is killed
// with -9; the program then starts a new one within kGuardRestartAfter. When the power fails, the wiring
// decides.
//
// A line that is busy (the old guard still holds it) or whose chip is missing is tried again each
// kGuardRetry.
//
// Packets (SOCK_SEQPACKET, text):
//   to the guard    "lines\n" and a line "grid gpio:gpiochip0/26?active=low&safe=closed" for each relay:
//   once,
//                   first; then "set" with " grid=closed" for each relay whose position is wanted: an order
//                   and a heartbeat
//   from the guard  "read" with " grid=closed", or " grid!ERRNO" with the number of the error: after each
//   order
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.hpp"
#include "core/energy/relay.hpp"
#include "runtime/relays/relay_spec.hpp"

namespace amphora::runtime {

// The descriptor on which a guard finds its end of the socket pair.
inline constexpr int kGuardSocket = 3;
inline constexpr Duration kGuardSilenceMax = std::chrono::seconds{10};
inline constexpr Duration kGuardRetry = std::chrono::milliseconds{200};
inline constexpr std::size_t kGuardPacketMax = 4096;

// Serves until the other end of the socket is closed. Returns the exit code of the process: 0, or 1 when it
// was not given a socket or heard what it does not understand.
int run_relay_guard(int socket_fd);

using WantedPositions = energy::PerRelay<std::optional<energy::Position>>;
// What a guard says about one relay.
struct GuardedRelay {
  std::optional<energy::Position> measured;
  int error = 0;  // errno
  friend bool operator==(const GuardedRelay&, const GuardedRelay&) = default;
};
using GuardedRelays = energy::PerRelay<GuardedRelay>;

std::string encode_lines(const RelaySpecs& specs);
std::optional<RelaySpecs> decode_lines(std::string_view packet);
std::string encode_wanted(const WantedPositions& wanted);
std::optional<WantedPositions> decode_wanted(std::string_view packet);
std::string encode_guarded(const GuardedRelays& relays);
std::optional<GuardedRelays> decode_guarded(std::string_view packet);

}  // namespace amphora::runtime
