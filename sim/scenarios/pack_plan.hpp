// SPDX-License-Identifier: Apache-2.0
// Everything that determines one run of the world of whole packs: a run is a pure function of its plan.
//
// Packs are numbered from 0; the Linux gateway that tells the time comes after them and stays on the first of
// two buses.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/packnet/frames.hpp"
#include "core/state/section.hpp"
#include "sim/scenarios/house_plan.hpp"
#include "sim/world/fault_schedule.hpp"

namespace amphora::sim {

inline constexpr std::size_t kWholePacksMax = 8;

// Faults of one pack have its number in the lowest byte of the parameter, modulo the number of packs.
enum class PackFaultKind : std::uint8_t {
  kLoss,        // ppm of frames, at each receiver by itself
  kSplit,       // bit n: pack n is on the second bus
  kCrash,       // pack: without power; boots at the end
  kCrashEmpty,  // pack: the same, and its store is empty
  kPowerCut,    // pack: the power goes at its first write to the store, once; boots at the end
  kStoreFails,  // pack: writes are refused
  kBmsSilent,   // pack
  kGridOutage,  // all houses
  kCount
};
constexpr std::string_view to_text(PackFaultKind kind) {
  constexpr std::string_view kNames[] = {"loss",      "split",       "crash",      "crash_empty",
                                         "power_cut", "store_fails", "bms_silent", "grid_outage"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(PackFaultKind::kCount));
  return kNames[static_cast<std::size_t>(kind)];
}
using PackFault = Fault<PackFaultKind>;

// Ways to break promises on purpose: every checker must notice.
enum class PackSabotage : std::uint8_t {
  kNone,
  kForgetsSections,  // a boot finds no sections
  kHidesSections,    // the host of pack 0 throws frames of the state channel away
  kChatters,         // the pump's contact of pack 0 moves every two seconds
  kAllocates,        // takes memory once a second
  kCount
};
constexpr std::string_view to_text(PackSabotage sabotage) {
  constexpr std::string_view kNames[] = {"none", "forgets_sections", "hides_sections", "chatters",
                                         "allocates"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(PackSabotage::kCount));
  return kNames[static_cast<std::size_t>(sabotage)];
}

// Somebody changes a field of a shared section at one pack's own page.
struct PackChange {
  TimePoint at{};
  std::uint8_t pack = 0;
  state::SectionId section = 0;
  std::uint8_t field = 0;
  std::int64_t number = 0;
};

struct PackCut {
  std::uint8_t pack = 0;
  StoreCut cut;
};

struct PackPlan {
  std::uint64_t seed = 1;
  Duration duration = std::chrono::minutes{10};
  Duration quiet = std::chrono::seconds{40};  // at the end, without faults and changes
  bool is_whole = true;  // false: it ends before its quiet time, and nothing is demanded there
  std::uint8_t pack_count = 4;
  std::array<packnet::HardwareNumber, kWholePacksMax + 1> hardware{};
  std::array<Duration, kWholePacksMax> boots_at{};
  std::array<Duration, kWholePacksMax + 1> clock_offset{};
  std::int64_t start_unix_s = 1'767'225'600;
  std::uint32_t loss_ppm = 0;
  std::vector<PackFault> faults;
  std::vector<PackChange> changes;  // in the order of their times
  std::optional<PackCut> cut;
  PackSabotage sabotage = PackSabotage::kNone;
};

}  // namespace amphora::sim
