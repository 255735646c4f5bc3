// SPDX-License-Identifier: Apache-2.0
#include "core/energy/arbiter.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::energy {

Arbiter::Arbiter(const PerRelay<RelayConfig>& relays) : config_{relays} {
  AMPHORA_ASSERT(!check_config(relays));
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    states_[i].is_fitted = relays[i].is_fitted;
  }
}

Arbiter::Decision Arbiter::choose(const Asks& asks, Relay relay, std::optional<Position> commanded) {
  Decision decision;
  bool is_held = false;
  for (const Holder holder : precedence_of(relay)) {
    const Ask& ask = asks[static_cast<std::size_t>(holder)][index_of(relay)];
    if (ask.kind == Ask::Kind::kNone) {
      continue;
    }
    const HolderRow& row = row_of(holder);
    decision.is_vetoed = decision.is_vetoed || (row.is_veto && ask.kind == Ask::Kind::kOpen);
    if (is_held) {
      continue;
    }
    is_held = true;
    decision.holder = holder;
    decision.reason = ask.reason;
    decision.is_overriding = row.overrides_minimum_times;
    decision.position = ask.kind == Ask::Kind::kOpen    ? Position::kOpen
                        : ask.kind == Ask::Kind::kClose ? Position::kClosed
                                                        : commanded.value_or(Position::kClosed);
  }
  return decision;
}

void Arbiter::forget_old_switches(TimePoint now, std::size_t index) {
  auto& switches = switches_[index];
  while (!switches.is_empty() && now - switches.front() >= kWearWindow) {
    (void)switches.pop();
  }
  states_[index].switches_last_hour = static_cast<std::uint8_t>(switches.size());
}

void Arbiter::apply(TimePoint now, std::size_t index, const Decision& decision) {
  RelayState& state = states_[index];
  const RelayConfig& config = config_[index];
  state.requested = decision.position;
  state.holder = decision.holder;
  state.reason = decision.reason;
  state.hindrance = Hindrance::kNone;
  state.hindered_until = kNever;

  Position target = decision.position;
  bool is_overriding = decision.is_overriding;
  if (decision.is_vetoed) {
    // The veto opens with the same right, also where another holder comes first.
    state.hindrance = target == Position::kClosed ? Hindrance::kImportExhausted : Hindrance::kNone;
    target = Position::kOpen;
    is_overriding = true;
  }
  if (!state.commanded) {
    state.commanded = target;
    state.switched_at = now;
    return;
  }
  if (*state.commanded == target) {
    return;
  }
  const bool is_closed = *state.commanded == Position::kClosed;
  const TimePoint free_at = state.switched_at + (is_closed ? config.on_min : config.off_min);
  if (!is_overriding && now < free_at) {
    state.hindrance = is_closed ? Hindrance::kMinimumOn : Hindrance::kMinimumOff;
    state.hindered_until = free_at;
    return;
  }
  const std::size_t reserve = !is_overriding ? kReserve : (is_closed ? 0U : 1U);
  auto& switches = switches_[index];
  const std::size_t allowed = config.switches_per_hour - reserve;
  if (switches.size() >= allowed) {
    state.hindrance = Hindrance::kWear;
    // The switch that has to fall out of the window first.
    state.hindered_until = switches[switches.size() - allowed] + kWearWindow;
    return;
  }
  (void)switches.push(now);
  state.switches_last_hour = static_cast<std::uint8_t>(switches.size());
  state.commanded = target;
  state.switched_at = now;
}

void Arbiter::compare(TimePoint now, std::size_t index, std::optional<Position> measured) {
  RelayState& state = states_[index];
  state.measured = measured;
  auto& since = mismatched_since_[index];
  if (!measured || !state.commanded || *measured == *state.commanded) {
    since.reset();
  } else {
    // Counted from the switch at the earliest: the contact needs its time.
    since = std::max(since.value_or(now), state.switched_at);
  }
  state.is_mismatched = since && now - *since >= kMismatchAfter;
}

void Arbiter::decide(TimePoint now, const Asks& asks, const PerRelay<std::optional<Position>>& measured) {
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    RelayState& state = states_[i];
    if (!state.is_fitted) {
      continue;
    }
    if (!state.commanded && measured[i]) {
      // Taken over from whoever commanded it before; nobody knows for how long, so the minimum times start.
      state.commanded = measured[i];
      state.switched_at = now;
    }
    forget_old_switches(now, i);
    apply(now, i, choose(asks, relay_at(i), state.commanded));
    compare(now, i, measured[i]);
  }
}

}  // namespace amphora::energy
