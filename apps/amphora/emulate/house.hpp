// SPDX-License-Identifier: Apache-2.0
// amphora emulate house: what the AC sensors of demo packs would measure, over MQTT, in real time.
//
// Every second it publishes for pack i (1 to N) whole watts in decimal to
//   BASE/pack-<i>/grid_w  inverter_output_w  pool_pump_w  water_heater_w  solar_w
// and listens to amphora/SITE/pack_<i>/pack for the positions of that pack's relays and the power of its
// battery: {"battery_w":500,"relays":{"grid":"closed","pool_pump":"open"}}. What a pack has not said for 30 s
// is not known: relays count as closed, its battery as idle. See living_house.hpp for how they belong
// together.
//
// Standard output gets a JSON line for each event: ready, disconnected, relays (a pack switched), bad_state.
//
// Commands on standard input, a line each:
//   time HH:MM    the clock in all houses goes on to it
//   status        a line for each house
//   quit
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "apps/amphora/emulate/living_house.hpp"

namespace amphora::emulate {

inline constexpr int kHouseCountMax = 32;

struct HouseOptions {
  std::string mqtt = "127.0.0.1:1883";
  int pack_count = 1;
  std::string base = "emulated";
  std::string site = "demo";
  std::int64_t day_seconds = 600;
  bool is_outside = false;
  std::uint64_t seed = 1;
};

// Empty: no JSON object, or a field with a value that it cannot have.
std::optional<PackState> parse_pack_state(std::string_view json);

// Returns an exit code.
int run_house(const HouseOptions& options);

}  // namespace amphora::emulate
