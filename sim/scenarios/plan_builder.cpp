// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/plan_builder.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "sim/scenarios/draw.hpp"

namespace amphora::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// The strength of a random fault lies between the two; see FaultKind for the meaning.
struct Strength {
  std::uint32_t min;
  std::uint32_t max;
};

constexpr Strength kStrengths[] = {
    {10, 20'000},       // kSerialFlip
    {10, 20'000},       // kSerialDrop
    {10, 20'000},       // kSerialInsert
    {10'000, 700'000},  // kSerialLoss
    {2, 40},            // kSerialChunks
    {1, 120},           // kSerialBabble
    {0, 0},             // kSerialCutToBms
    {0, 0},             // kSerialCutToNode
    {0, 0},             // kSerialCut
    {0, 0},             // kBmsSilent
    {0, 0},             // kBmsCorrupt
    {0, 0},             // kBmsNack
    {0, 0},             // kBmsStuck
    {0, 0},             // kBmsTruncated
    {0, 0},             // kBmsJoined
    {0, 0},             // kBmsBroadcast
    {0, 15},            // kBmsWildCell
    {0, 0},             // kBmsNanVoltage
    {0, 0},             // kBmsCellCount
    {0, 255},           // kBmsStatus
    {0, 5},             // kPackTrip
    {0, 15},            // kPackFullCell
    {0, 15},            // kPackEmptyCell
    {0, 0},             // kPackCold
    {0, 0},             // kPackHot
    {1'000, 400'000},   // kCanErrors
    {1'000, 400'000},   // kCanGxErrors
    {1'000, 500'000},   // kCanLoss
    {1'000, 50'000},    // kCanBurst
    {1, 500},           // kCanDelay
    {1, 500},           // kCanJitter
    {1'000, 500'000},   // kCanDuplicate
    {0, 0},             // kCanBabble
    {0, 0},             // kGxAbsent
    {0, 0},             // kGxMute
    {0, 0},             // kNodeCrash
    {0, 0},             // kHostStall
};
static_assert(std::size(kStrengths) == static_cast<std::size_t>(FaultKind::kCount));

// A babbling node is 4,000 events a second; a stall of minutes is a crash.
Duration length_max_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::kCanBabble:
      return seconds{10};
    case FaultKind::kHostStall:
      return seconds{20};
    default:
      return minutes{4};
  }
}

}  // namespace

void add_fault(GatewayPlan& plan, FaultKind kind, Duration from, Duration length, std::uint32_t parameter) {
  plan.faults.push_back(GatewayFault{kind, TimePoint{from}, TimePoint{from + length}, parameter});
}

void add_repeated(GatewayPlan& plan, Rng& rng, FaultKind kind, Duration period, Duration length_min,
                  Duration length_max, std::uint32_t parameter) {
  for (Duration begin = minutes{1}; begin + period <= plan.duration; begin += period) {
    const Duration length = milliseconds_between(rng, length_min, length_max);
    const Duration from = begin + milliseconds_between(rng, Duration{}, period - length);
    add_fault(plan, kind, from, length, parameter);
  }
}

void add_random(GatewayPlan& plan, Rng& rng) {
  const auto kind = static_cast<FaultKind>(rng.below(static_cast<std::uint32_t>(FaultKind::kCount)));
  const Strength strength = kStrengths[static_cast<std::size_t>(kind)];
  const Duration longest = std::min(length_max_of(kind), plan.duration);
  const Duration from = milliseconds_between(rng, Duration{}, plan.duration);
  const Duration length = milliseconds_between(rng, milliseconds{10}, longest);
  const auto parameter = static_cast<std::uint32_t>(rng.between(strength.min, strength.max));
  add_fault(plan, kind, from, length, parameter);
}

GatewayPlan make_random_plan(std::uint64_t seed) {
  // The plan's own generator is another than the world's, which starts from the seed itself.
  Rng rng{seed ^ 0x5377'6172'6D00'0000U};
  GatewayPlan plan;
  plan.seed = seed;
  plan.duration = milliseconds_between(rng, minutes{3}, minutes{20});
  plan.bms = rng.chance(150'000) ? node::BmsKind::kCan : node::BmsKind::kTinybms;
  plan.pack.cell_count = static_cast<std::uint16_t>(rng.between(4, 16));
  plan.pack.capacity = MilliampHours{rng.between(20'000, 300'000)};
  plan.pack.soc_start = BasisPoints{rng.between(100, 9'950)};
  plan.pack.soc_spread = BasisPoints{rng.between(0, 300)};
  plan.pack.ambient = Decicelsius{rng.between(-100, 450)};
  plan.house.sun_peak = Watts{rng.between(0, 10'000)};
  plan.house.start_minute = static_cast<std::int32_t>(rng.between(0, 1439));
  constexpr std::array<std::int64_t, 4> kPollMs{100, 500, 1'000, 2'000};
  plan.poll_interval = milliseconds{kPollMs[rng.below(kPollMs.size())]};
  constexpr std::array<std::int64_t, 4> kLimitsMs{100, 200, 500, 1'000};
  plan.limits_period = milliseconds{kLimitsMs[rng.below(kLimitsMs.size())]};
  plan.is_sleepy = rng.chance(300'000);
  plan.has_other_nodes = !rng.chance(50'000);
  plan.loss_ppm = rng.chance(300'000) ? static_cast<std::uint32_t>(rng.between(1'000, 200'000)) : 0;
  plan.clock_drift_ppm = static_cast<std::int32_t>(rng.between(-200, 200));
  // One box in four boots shortly before its milliseconds pass 2^32.
  constexpr std::int64_t kWrapMs = std::int64_t{1} << 32U;
  const bool is_near_wrap = rng.chance(250'000);
  const std::int64_t before_wrap_ms = rng.between(0, 600'000);
  plan.clock_offset = milliseconds{is_near_wrap ? kWrapMs - before_wrap_ms : 1'000 + before_wrap_ms};
  const std::int64_t fault_count = rng.between(1, 8);
  for (std::int64_t i = 0; i < fault_count; ++i) {
    add_random(plan, rng);
  }
  return plan;
}

}  // namespace amphora::sim
