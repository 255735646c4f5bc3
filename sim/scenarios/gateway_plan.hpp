// SPDX-License-Identifier: Apache-2.0
// Everything that determines one run of the bms-gateway world: a run is a pure function of its plan.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/node/bms_gateway/bms_gateway.hpp"
#include "sim/models/battery_pack.hpp"
#include "sim/models/solar_house.hpp"
#include "sim/world/fault_schedule.hpp"

namespace amphora::sim {

// What can go wrong; the parameter's meaning behind each. ppm counts per byte, write or frame.
enum class FaultKind : std::uint8_t {
  kSerialFlip,       // ppm of bytes with a flipped bit
  kSerialDrop,       // ppm of bytes lost
  kSerialInsert,     // ppm of bytes with noise in front
  kSerialLoss,       // ppm of whole writes lost
  kSerialChunks,     // largest piece in bytes
  kSerialBabble,     // a burst of this many bytes of noise each 100 ms
  kSerialCutToBms,   // the node's wire is broken
  kSerialCutToNode,  // the BMS's wire is broken
  kSerialCut,        // both: unplugged
  kBmsSilent,        // answers nothing
  kBmsCorrupt,       // every answer has a wrong byte
  kBmsNack,          // refuses everything
  kBmsStuck,         // measured values freeze
  kBmsTruncated,     // answers lack their end
  kBmsJoined,        // answers come in pairs
  kBmsBroadcast,     // text between the answers (register 342)
  kBmsWildCell,      // this cell reads 6.5 V
  kBmsNanVoltage,    // pack voltage reads NaN
  kBmsCellCount,     // reports one cell less
  kBmsStatus,        // reports a status that does not exist
  kPackTrip,         // protection opens: the number of its ProtectionFault
  kPackFullCell,     // this cell is nearly full when the fault begins
  kPackEmptyCell,    // this cell is nearly empty when the fault begins
  kPackCold,         // -15 °C
  kPackHot,          // 52 °C
  kCanErrors,        // ppm of the node's frames that end in an error
  kCanGxErrors,      // ppm of the GX's frames that end in an error
  kCanLoss,          // ppm of frames that the receivers lose
  kCanBurst,         // ppm of messages that begin a burst of losses
  kCanDelay,         // ms each frame is late
  kCanJitter,        // up to this many ms more: reorders
  kCanDuplicate,     // ppm of frames received twice
  kCanBabble,        // a node that sends id 0 without end
  kGxAbsent,         // switched off: it acknowledges nothing
  kGxMute,           // acknowledges, but its frames never reach the node
  kNodeCrash,        // without power for the duration; boots afterwards
  kHostStall,        // the node's process does not run
  kCount
};
std::string_view to_text(FaultKind kind);

// Ways to break the node's promises on purpose, between the node and the wire: every checker must notice.
enum class Sabotage : std::uint8_t {
  kNone,
  kKeepsOldLimits,     // repeats the last limits that allowed a current
  kChargeVoltageZero,  // sends CVL 0 together with zero currents
  kSpeaksTooEarly,     // sends a frame at boot
  kDropsLimits,        // some limit frames never reach the bus
  kLosesFrames,        // takes frames from the node and throws them away uncounted
  kAllocates,          // takes memory once a minute
  kAllowsTooMuch,      // adds 20 A to the charge current
  kCount
};
std::string_view to_text(Sabotage sabotage);

using GatewayFault = Fault<FaultKind>;

struct GatewayPlan {
  std::uint64_t seed = 1;
  Duration duration = std::chrono::hours{1};
  node::BmsKind bms = node::BmsKind::kTinybms;
  PackConfig pack;
  HouseConfig house;
  Duration poll_interval = std::chrono::seconds{1};
  Duration limits_period = std::chrono::milliseconds{200};
  Duration clock_offset = std::chrono::seconds{10};  // of the node, at its first boot
  std::int32_t clock_drift_ppm = 0;
  bool is_sleepy = false;       // the BMS is asleep at the start and sleeps when left alone
  bool has_other_nodes = true;  // false: nothing but the box on the inverter's bus, ever
  std::uint32_t loss_ppm = 0;   // of serial writes and received CAN frames, all the time
  Sabotage sabotage = Sabotage::kNone;
  bool stops_at_violation = true;
  std::vector<GatewayFault> faults;
};

}  // namespace amphora::sim
