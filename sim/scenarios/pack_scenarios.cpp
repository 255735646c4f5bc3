// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/pack_scenarios.hpp"

#include <algorithm>
#include <array>

#include "core/base/rng.hpp"
#include "core/sections/tables.hpp"
#include "sim/scenarios/draw.hpp"

namespace amphora::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kHardwareBase = 0x02A0'0000'0000U;
// Before the first there is an id, a date and a master.
constexpr Duration kFirstChange = seconds{15};

void draw_packs(PackPlan& plan, Rng& rng) {
  for (std::size_t i = 0; i <= kWholePacksMax; ++i) {
    plan.hardware[i] = kHardwareBase + (std::uint64_t{i} << 32U) + (rng.next() & 0xFFFF'FFFFU);
    plan.clock_offset[i] = between(rng, seconds{1}, seconds{3'000});
  }
  for (Duration& boots_at : plan.boots_at) {
    boots_at = between(rng, Duration{}, seconds{2});
  }
  plan.start_unix_s += rng.between(0, 364) * 86'400 + rng.between(0, 86'399);
}

// Fields that people change in all packs, with values that any combination allows.
struct ChangedField {
  state::SectionId section;
  std::uint8_t field;
  std::int64_t low;
  std::int64_t high;
};
constexpr auto kChangedFields =
    std::array{ChangedField{sections::kModes, sections::modes_field::kSelfConsumption, 0, 1},
               ChangedField{sections::kModes, sections::modes_field::kEco, 0, 1},
               ChangedField{sections::kModes, sections::modes_field::kBackup, 0, 1},
               ChangedField{sections::kModes, sections::modes_field::kImportLimited, 0, 1},
               ChangedField{sections::kModes, sections::modes_field::kEcoLimit, 1'000, 6'000},
               ChangedField{sections::kModes, sections::modes_field::kEcoFallsBack, 0, 1},
               ChangedField{sections::kModes, sections::modes_field::kImportLimit, 2'000, 30'000},
               ChangedField{sections::kLoads, sections::loads_field::kPoolPump, 0, 3},
               ChangedField{sections::kLoads, sections::loads_field::kWaterHeater, 0, 3},
               ChangedField{sections::kLoads, sections::loads_field::kLoad3, 0, 3}};

void add_changes(PackPlan& plan, Rng& rng, Duration low, Duration high) {
  const Duration end = plan.duration - plan.quiet;
  for (Duration at = kFirstChange + between(rng, Duration{}, high); at < end; at += between(rng, low, high)) {
    PackChange change;
    change.at = TimePoint{at};
    change.pack = static_cast<std::uint8_t>(rng.below(plan.pack_count));
    const ChangedField& field = kChangedFields[rng.below(static_cast<std::uint32_t>(kChangedFields.size()))];
    change.section = field.section;
    change.field = field.field;
    change.number = rng.between(field.low, field.high);
    plan.changes.push_back(change);
  }
}

void add_fault(PackPlan& plan, PackFaultKind kind, Duration from, Duration length, std::uint32_t parameter) {
  const Duration until = std::min(from + length, plan.duration - plan.quiet);
  if (from < until) {
    plan.faults.push_back(PackFault{kind, TimePoint{from}, TimePoint{until}, parameter});
  }
}

// At least one pack stays, at least one goes, if there are two.
std::uint32_t draw_split(const PackPlan& plan, Rng& rng) {
  const std::uint32_t all = (1U << plan.pack_count) - 1U;
  const auto mask = static_cast<std::uint32_t>(rng.next() & all) & ~1U;
  return plan.pack_count > 1 ? mask | 2U : mask;
}

void add_random_fault(PackPlan& plan, Rng& rng) {
  const auto kind = static_cast<PackFaultKind>(rng.below(static_cast<std::uint32_t>(PackFaultKind::kCount)));
  const Duration from = between(rng, Duration{}, plan.duration - plan.quiet);
  const Duration length = between(rng, milliseconds{50}, seconds{40});
  std::uint32_t parameter = rng.below(plan.pack_count);
  if (kind == PackFaultKind::kLoss) {
    parameter = static_cast<std::uint32_t>(rng.between(1'000, 400'000));
  } else if (kind == PackFaultKind::kSplit) {
    parameter = draw_split(plan, rng);
  }
  add_fault(plan, kind, from, length, parameter);
}

// A while of everything, one after the other; people change settings all the time.
void plan_houses(PackPlan& plan, Rng& rng) {
  add_changes(plan, rng, seconds{5}, seconds{15});
  constexpr auto kKinds =
      std::array{PackFaultKind::kCrash,     PackFaultKind::kSplit,      PackFaultKind::kPowerCut,
                 PackFaultKind::kBmsSilent, PackFaultKind::kStoreFails, PackFaultKind::kGridOutage};
  std::size_t next = 0;
  for (Duration at = seconds{40}; at < plan.duration - plan.quiet; at += seconds{60}) {
    const PackFaultKind kind = kKinds[next++ % kKinds.size()];
    const Duration length = between(rng, seconds{2}, seconds{30});
    const std::uint32_t parameter =
        kind == PackFaultKind::kSplit ? draw_split(plan, rng) : rng.below(plan.pack_count);
    add_fault(plan, kind, at + between(rng, Duration{}, seconds{10}), length, parameter);
  }
}

void plan_power_cut(PackPlan& plan, Rng& rng) {
  add_changes(plan, rng, seconds{3}, seconds{10});
}

struct Entry {
  PackScenario scenario;
  std::uint8_t count;
  void (*plan)(PackPlan&, Rng&);
};
constexpr std::array kEntries{
    Entry{{"packs-houses",
           "whole packs with BMS, relays and houses; settings change, packs fail, the bus is split",
           minutes{10}},
          4,
          plan_houses},
    Entry{{kPackPowerCut, "the power of a pack goes at every write to its store, one after the other",
           minutes{2}},
          3,
          plan_power_cut},
};

constexpr auto kScenarios = [] {
  std::array<PackScenario, kEntries.size()> scenarios{};
  for (std::size_t i = 0; i < kEntries.size(); ++i) {
    scenarios[i] = kEntries[i].scenario;
  }
  return scenarios;
}();

}  // namespace

std::span<const PackScenario> pack_scenarios() {
  return kScenarios;
}

std::optional<PackPlan> make_pack_plan(std::string_view name, std::uint64_t seed,
                                       std::optional<Duration> duration, std::uint32_t loss_ppm,
                                       std::optional<std::uint8_t> count) {
  const auto found = std::find_if(kEntries.begin(), kEntries.end(),
                                  [name](const Entry& entry) { return entry.scenario.name == name; });
  if (found == kEntries.end()) {
    return std::nullopt;
  }
  PackPlan plan;
  plan.seed = seed;
  plan.loss_ppm = loss_ppm;
  plan.duration = duration.value_or(found->scenario.duration);
  plan.pack_count = std::clamp<std::uint8_t>(count.value_or(found->count), 1, kWholePacksMax);
  Rng rng{seed ^ 0x5768'6F6C'6500'0000U};
  draw_packs(plan, rng);
  found->plan(plan, rng);
  return plan;
}

PackPlan make_random_pack_plan(std::uint64_t seed) {
  Rng rng{seed ^ 0x5377'5768'6F6C'6500U};
  PackPlan plan;
  plan.seed = seed;
  plan.duration = between(rng, seconds{80}, seconds{300});
  plan.pack_count = static_cast<std::uint8_t>(rng.between(1, 6));
  draw_packs(plan, rng);
  plan.loss_ppm = rng.chance(200'000) ? static_cast<std::uint32_t>(rng.between(1'000, 100'000)) : 0;
  add_changes(plan, rng, seconds{2}, seconds{30});
  const std::int64_t fault_count = rng.between(1, 10);
  for (std::int64_t i = 0; i < fault_count; ++i) {
    add_random_fault(plan, rng);
  }
  return plan;
}

}  // namespace amphora::sim
