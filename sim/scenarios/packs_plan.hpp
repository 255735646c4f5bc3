// SPDX-License-Identifier: Apache-2.0
// Everything that determines one run of the packs' world: a run is a pure function of its plan.
//
// Boxes are numbered: packs first, then Linux gateways. Both sit on the first of two buses; while kSplit is
// in force some of them are on the second.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/packnet/frames.hpp"
#include "sim/world/fault_schedule.hpp"

namespace amphora::sim {

inline constexpr std::size_t kPacksMax = 32;
inline constexpr std::size_t kBusGatewaysMax = 2;
inline constexpr std::size_t kPackBoxCount = kPacksMax + kBusGatewaysMax;

// What can go wrong. Faults of a box have its number in the lowest byte of the parameter and their strength
// above; a box that the plan does not have stands for one that it has.
enum class PacksFaultKind : std::uint8_t {
  kLoss,        // ppm of frames, at each receiver by itself
  kDuplicate,   // ppm of frames that a receiver gets twice
  kSplit,       // bit n: box n (modulo 32) is on the second bus
  kBabble,      // identifier, and the share of the bus in percent above bit 16
  kKillMaster,  // whoever is master of the first bus loses its power; boots at the end
  kCrash,       // box: without power; boots at the end
  kCrashEmpty,  // box: the same, and has forgotten its node id
  kStall,       // box: the process does not run, frames wait
  kErrors,      // box: ppm of its transmissions end in an error
  kCount
};
std::string_view to_text(PacksFaultKind kind);

constexpr std::uint32_t babble_parameter(std::uint32_t id, std::uint32_t percent) {
  return id | (percent << 16U);
}

using PacksFault = Fault<PacksFaultKind>;

// Ways to break promises on purpose, between the nodes and the bus: every checker must notice.
enum class PacksSabotage : std::uint8_t {
  kNone,
  kHidesBeacons,  // the host of box 0 throws master beacons and answers away
  kHidesOwnId,    // hosts throw away whatever carries their own node id, claims included
  kAllocates,     // takes memory once a second
  kCount
};
std::string_view to_text(PacksSabotage sabotage);

struct PackBoxPlan {
  packnet::HardwareNumber hardware = 0;
  packnet::DeviceType type = packnet::DeviceType::kEnergyPack;
  packnet::Node stored_node = packnet::kNodeNone;  // of earlier days
  Duration boots_at{};
  Duration clock_offset = std::chrono::seconds{10};
  std::int32_t clock_drift_ppm = 0;
};

struct PacksPlan {
  std::uint64_t seed = 1;
  Duration duration = std::chrono::seconds{30};
  std::uint8_t pack_count = 8;
  std::uint8_t gateway_count = 1;
  std::array<PackBoxPlan, kPackBoxCount> boxes;
  std::uint8_t cell_count = 16;
  std::uint32_t loss_ppm = 0;  // all the time
  std::vector<PacksFault> faults;
  PacksSabotage sabotage = PacksSabotage::kNone;
  bool stops_at_violation = true;

  bool has_box(std::size_t box) const {
    return box < kPacksMax ? box < pack_count : box < kPacksMax + gateway_count;
  }
};

}  // namespace amphora::sim
