// SPDX-License-Identifier: Apache-2.0
// The one shape of every state machine of the core.
//
//   handle_…(now, …)       an input: bytes, a frame, a changed line, or nothing but time (handle_timeout)
//   verbs                  what the application asks for; they take `now` as well
//   poll_transmit(now, …)  the most urgent output, encoded into the caller's buffer; nothing when there is
//   none poll_event()           what the owner must know, oldest first poll_timeout()         when
//   handle_timeout wants to be called next, kNever if never
//
// Rules that tests/contract/machine_contract.hpp holds every machine to:
//   - a spurious or late handle_timeout is harmless;
//   - after a pump the next time-out lies in the future;
//   - polling ends: a finite number of poll_… calls empties the machine;
//   - any bytes may come in at any time and never assert;
//   - the same inputs give the same outputs;
//   - no allocation.
// A machine keeps intents, not encoded frames: there is no frame queue to size, and no stale frame to send.
#pragma once

#include <concepts>

#include "core/base/time.hpp"

namespace amphora {

template <class M>
concept Machine = requires(M machine, const M& observed, TimePoint now) {
  { machine.handle_timeout(now) } -> std::same_as<void>;
  { observed.poll_timeout() } -> std::same_as<TimePoint>;
  machine.poll_event();
};

}  // namespace amphora
