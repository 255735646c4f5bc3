// SPDX-License-Identifier: Apache-2.0
// What a pack tells the others, from what its parts know.
#pragma once

#include <cstdint>

#include "core/battery/snapshot.hpp"
#include "core/energy/controller.hpp"
#include "core/node/pack/aggregate.hpp"
#include "core/packnet/telemetry.hpp"

namespace amphora::node {

// Values of the battery older than this are told as unknown: as long as the BMS is not stale.
inline constexpr Duration kToldAgeMax = std::chrono::seconds{10};

struct FirmwareVersion {
  std::uint8_t major = 0;
  std::uint8_t minor = 0;
  std::uint8_t patch = 0;
};

struct PackFacts {
  packnet::BmsState bms = packnet::BmsState::kNever;
  MilliampHours capacity;  // where the BMS tells none
  Duration uptime{};
  std::uint8_t transmit_errors = 0;
  std::uint8_t receive_errors = 0;
  can::BusState bus = can::BusState::kDown;
  std::uint32_t bus_off_count = 0;
  std::uint32_t store_count = 0;
  FirmwareVersion firmware;
};

// Everything but the aggregate.
void fill_telemetry(packnet::Telemetry& telemetry, TimePoint now, const battery::Snapshot& snapshot,
                    const energy::Controller& control, const PackFacts& facts);
// Of the master; nullptr takes the aggregate's pages away.
void fill_aggregate(packnet::Telemetry& telemetry, const Aggregate* aggregate);

// Who keeps a relay where it is, as one number: a hindrance before the holder.
packnet::RelayHolder holder_of(const energy::RelayState& relay);

}  // namespace amphora::node
