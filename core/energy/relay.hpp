// SPDX-License-Identifier: Apache-2.0
// The relays of an energy pack, and what may be asked of them.
//
// A relay is named by what it switches. Grid and inverter output exist once; everything else is a load: the
// pool pump, the water heater and up to four more that the owner wires. Which of them are fitted is
// configuration. `closed` conducts, whatever the contact does without current in its coil: the adapter knows
// whether a contact is normally open or normally closed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace amphora::energy {

enum class Relay : std::uint8_t {
  kGrid,
  kInverterOutput,
  kPump,
  kHeater,
  kLoad3,
  kLoad4,
  kLoad5,
  kLoad6,
  kCount
};

inline constexpr std::size_t kRelayCount = static_cast<std::size_t>(Relay::kCount);
inline constexpr std::size_t kFirstLoad = static_cast<std::size_t>(Relay::kPump);
inline constexpr std::size_t kLoadCount = kRelayCount - kFirstLoad;

constexpr std::size_t index_of(Relay relay) {
  return static_cast<std::size_t>(relay);
}
constexpr Relay relay_at(std::size_t index) {
  return static_cast<Relay>(index);
}
constexpr bool is_load(Relay relay) {
  return index_of(relay) >= kFirstLoad;
}
// Which load a relay switches, from 0. Needs is_load().
constexpr std::size_t load_index(Relay relay) {
  return index_of(relay) - kFirstLoad;
}

// The stable name used in JSON, logs and documentation.
constexpr std::string_view to_text(Relay relay) {
  constexpr std::string_view kNames[kRelayCount] = {"grid",   "inverter_output", "pool_pump", "water_heater",
                                                    "load_3", "load_4",          "load_5",    "load_6"};
  return kNames[index_of(relay)];
}

enum class Position : std::uint8_t { kOpen, kClosed };

constexpr std::string_view to_text(Position position) {
  return position == Position::kClosed ? "closed" : "open";
}

template <class T>
using PerRelay = std::array<T, kRelayCount>;
template <class T>
using PerLoad = std::array<T, kLoadCount>;

}  // namespace amphora::energy
