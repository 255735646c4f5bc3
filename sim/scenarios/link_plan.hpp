// SPDX-License-Identifier: Apache-2.0
// Everything that determines one run of the radio link's world: a run is a pure function of its plan.
//
// Boxes are numbered: transmitters first, then the receiver, then the twin (a second transmitter with the
// address of the first, which only runs while a fault switches it on).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "sim/models/air.hpp"
#include "sim/models/flash_store.hpp"
#include "sim/world/fault_schedule.hpp"

namespace amphora::sim {

inline constexpr std::size_t kTransmittersMax = 3;
inline constexpr std::size_t kLinkBoxCount = kTransmittersMax + 2;
inline constexpr std::uint8_t kReceiverBox = kTransmittersMax;
inline constexpr std::uint8_t kTwinBox = kTransmittersMax + 1;

// What can go wrong; the parameter's meaning behind each. Faults of a box have its number in the lowest byte
// of the parameter and their strength in the upper three (box_of, strength_of); a transmitter the plan does
// not have stands for the first one.
enum class LinkFaultKind : std::uint8_t {
  kAirLoss,             // ppm of frames, of each try and of each acknowledgement
  kAirBursts,           // mean length in ms; nine times as long is good
  kAirCut,              // nobody hears anybody
  kAirDeafReceiver,     // what transmitters send does not arrive
  kAirDeafTransmitter,  // what the receiver sends does not arrive
  kAirWeak,             // dB more attenuation than usual
  kAirDelay,            // ms between the air and the host
  kAirJitter,           // up to this many ms more: reorders
  kAirDuplicate,        // ppm handed over twice
  kAirCorrupt,          // ppm with a bad FCS
  kAirUndetected,       // ppm with flipped bits that the FCS did not notice
  kAirSwallow,          // ppm acknowledged by the radio that the host never sees
  kRouterChannel,  // the router goes to this channel, the receiver is off the air until the end, and stays
  kAlwaysAcked,    // box: its radio always reports success
  kNeverAcked,     // box: its radio always reports failure
  kSilentStatus,   // box: its radio reports nothing
  kHung,           // box: the radio acknowledges, the application does nothing
  kStall,          // box: the process does not run, frames wait
  kCrash,          // box: without power; boots afterwards
  kCrashEmpty,     // box: the same, and its store is empty afterwards
  kStoreSlow,      // box: writes take up to this many ms
  kStoreFails,     // box: writes fail
  kStoreTorn,      // box: a power cut may destroy a record for good
  kClockStep,      // box: its date jumps by this many seconds minus 2^23
  kTwin,           // a second transmitter with the address of the first, but not its pairing
  kAttacker,       // somebody sends recorded frames again, as they were and altered
  kCount
};
std::string_view to_text(LinkFaultKind kind);

constexpr std::uint32_t box_parameter(std::uint8_t box, std::uint32_t strength = 0) {
  return box | (strength << 8U);
}
constexpr std::uint32_t strength_of(std::uint32_t parameter) {
  return parameter >> 8U;
}
bool is_fault_of_box(LinkFaultKind kind);

using LinkFault = Fault<LinkFaultKind>;

// Ways to break promises on purpose, between the nodes and the world: every checker must notice.
enum class LinkSabotage : std::uint8_t {
  kNone,
  kConfirmsTooEarly,  // the host says `durable` as soon as a write begins
  kNeverConfirms,     // the receiver's host never says it
  kForgetsPosition,   // the consumer's database does not tell a booting receiver what it has
  kLosesReadings,     // one reading in ten never reaches the database, but is confirmed
  kMixesRecords,      // a boot finds half of an old and half of a new record, and believes it
  kForgetsSettings,   // a boot does not restore one section
  kAllocates,         // takes memory once a second
  kCount
};
std::string_view to_text(LinkSabotage sabotage);

// Somebody changes a setting. `number` stands for the new value.
struct LinkEdit {
  TimePoint at{};
  std::uint8_t box = 0;          // where
  std::uint8_t transmitter = 0;  // whose section
  std::uint8_t section = 0;      // index into the list of sections that the world edits
  std::uint32_t number = 0;
};

struct LinkBoxPlan {
  Duration boots_at{};
  Duration clock_offset = std::chrono::seconds{10};
  std::int32_t clock_drift_ppm = 0;
  std::optional<Duration> date_known_after;  // after each boot; empty: never
  Duration date_error{};                     // of the date it is told
};

struct LinkPlan {
  std::uint64_t seed = 1;
  Duration duration = std::chrono::minutes{2};
  std::uint8_t transmitter_count = 1;
  std::uint16_t cell_count = 16;
  Duration reading_period = std::chrono::seconds{1};
  Duration cells_period = std::chrono::milliseconds{500};
  std::uint8_t receiver_channel = 6;
  std::uint8_t last_channel = 0;  // what transmitters remember of earlier days; 0: nothing
  std::array<LinkBoxPlan, kLinkBoxCount> boxes;
  AirConfig air;
  FlashStoreConfig store;
  std::uint32_t loss_ppm = 0;  // of frames on the air, acknowledgements included, all the time
  bool is_sealed = true;
  bool is_paired = true;  // false, in plain mode: transmitters take the first receiver that answers
  std::uint32_t first_sequence = 1;  // of readings, at the first boot
  bool is_queue_persistent = false;  // transmitters keep their readings through a power cut
  std::vector<LinkEdit> edits;       // in the order of their times
  std::vector<LinkFault> faults;
  // No fault and no edit touches the last part of a run; at its end all boxes must agree. 0: not demanded.
  Duration quiet{};
  // Recovery is measured from this moment, when the receiver listens again. Empty: not measured.
  std::optional<TimePoint> recovers_from;
  LinkSabotage sabotage = LinkSabotage::kNone;
  bool stops_at_violation = true;
};

}  // namespace amphora::sim
