// SPDX-License-Identifier: Apache-2.0
// The one place that decides the position of every relay.
//
// Each relay has its list of holders (precedence.hpp). The first that asks for anything holds it and its ask
// is the requested position. Between requested and commanded stand:
//   veto            what an exhausted import limit opens nobody closes, whoever holds the relay
//   minimum times   a relay stays closed and open for its minimum times; only holders that override them
//                   (safety, exhausted import limit) switch earlier
//   wear limit      switches within the last hour. It is never passed, by nobody. So that an opening which
//                   protects is nevertheless always possible, the limit is spent unevenly: ordinary asks may
//                   use all but two switches of an hour, an overriding closing all but one, an overriding
//                   opening all. When a relay is closed there is therefore always one switch left to open it.
// Whatever keeps a relay from its requested position is told with it.
//
// A relay is commanded in every cycle, not only when it changes, and what it really does is compared: a
// contact that differs for kMismatchAfter is reported. At the start the position that is read back is taken
// over as the commanded one without a switch; where nothing is read back, the first decision sets it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/energy/modes.hpp"
#include "core/energy/precedence.hpp"
#include "core/energy/relay.hpp"
#include "core/energy/settings.hpp"

namespace amphora::energy {

// What keeps a relay from its requested position.
enum class Hindrance : std::uint8_t { kNone, kImportExhausted, kMinimumOn, kMinimumOff, kWear, kCount };

constexpr std::string_view to_text(Hindrance hindrance) {
  constexpr std::string_view kNames[] = {"none", "import_exhausted", "minimum_on", "minimum_off", "wear"};
  return kNames[static_cast<std::size_t>(hindrance)];
}

struct RelayState {
  bool is_fitted = false;
  Position requested = Position::kClosed;
  std::optional<Position> commanded;  // empty until the first decision
  std::optional<Position> measured;   // empty where nothing is read back
  Holder holder = Holder::kDefault;
  Reason reason = Reason::kNothingAsked;
  Hindrance hindrance = Hindrance::kNone;
  TimePoint hindered_until = kNever;
  TimePoint switched_at{};
  std::uint8_t switches_last_hour = 0;
  bool is_mismatched = false;
};

class Arbiter {
 public:
  static constexpr Duration kWearWindow = std::chrono::hours{1};
  static constexpr Duration kMismatchAfter = std::chrono::seconds{5};
  // Kept back from the wear limit of an hour for whoever overrides.
  static constexpr std::uint8_t kReserve = 2;

  // Needs !check_config(relays).
  explicit Arbiter(const PerRelay<RelayConfig>& relays);

  // The times must not run backwards.
  void decide(TimePoint now, const Asks& asks, const PerRelay<std::optional<Position>>& measured);
  const RelayState& relay(Relay relay) const { return states_[index_of(relay)]; }

 private:
  struct Decision {
    Position position = Position::kClosed;
    Holder holder = Holder::kDefault;
    Reason reason = Reason::kNothingAsked;
    bool is_overriding = false;
    bool is_vetoed = false;
  };
  static Decision choose(const Asks& asks, Relay relay, std::optional<Position> commanded);
  void apply(TimePoint now, std::size_t index, const Decision& decision);
  void compare(TimePoint now, std::size_t index, std::optional<Position> measured);
  void forget_old_switches(TimePoint now, std::size_t index);

  PerRelay<RelayConfig> config_;
  PerRelay<RelayState> states_{};
  PerRelay<Ring<TimePoint, kSwitchesPerHourMax>> switches_{};
  PerRelay<std::optional<TimePoint>> mismatched_since_{};
};

}  // namespace amphora::energy
