// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/packs_scenarios.hpp"

#include <algorithm>
#include <array>

#include "core/base/rng.hpp"
#include "sim/scenarios/draw.hpp"
#include "sim/world/wall_clock.hpp"

namespace amphora::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kHardwareBase = 0x02A0'0000'0000U;

// Hardware numbers are any; their lower seven bits, the first wish for an id, meet now and then.
void draw_boxes(PacksPlan& plan, Rng& rng) {
  for (std::size_t i = 0; i < kPackBoxCount; ++i) {
    PackBoxPlan& box = plan.boxes[i];
    box.hardware = kHardwareBase + (std::uint64_t{i} << 32U) + (rng.next() & 0xFFFF'FFFFU);
    box.type = i < kPacksMax ? packnet::DeviceType::kEnergyPack : packnet::DeviceType::kLinuxGateway;
    box.clock_offset = between(rng, seconds{1}, seconds{3'000});
    box.clock_drift_ppm = static_cast<std::int32_t>(rng.between(-50, 50));
    box.boots_at = between(rng, Duration{}, seconds{2});
  }
}

// Ids of earlier days, all different, in random order.
void draw_stored_nodes(PacksPlan& plan, Rng& rng) {
  std::array<packnet::Node, packnet::kNodeMax> ids{};
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<packnet::Node>(i + 1);
  }
  for (std::size_t i = 0; i < plan.pack_count; ++i) {
    const std::size_t other = i + rng.below(static_cast<std::uint32_t>(ids.size() - i));
    std::swap(ids[i], ids[other]);
    plan.boxes[i].stored_node = ids[i];
  }
}

// The low bits decide who sits on the second bus; at least one pack stays, at least one goes.
std::uint32_t draw_split(const PacksPlan& plan, Rng& rng) {
  const std::uint32_t all = plan.pack_count >= 32 ? ~0U : (1U << plan.pack_count) - 1U;
  auto mask = static_cast<std::uint32_t>(rng.next() & all);
  mask &= ~1U;
  return plan.pack_count > 1 ? mask | 2U : mask;
}

void plan_packs(PacksPlan& plan, Rng& rng) {
  add_fault(plan, PacksFaultKind::kKillMaster, between(rng, seconds{6}, seconds{7}), seconds{4});
  const Duration split = between(rng, seconds{18}, seconds{19});
  // One draw in a full expression: compilers evaluate arguments in different orders.
  const Duration length = between(rng, seconds{4}, seconds{5});
  add_fault(plan, PacksFaultKind::kSplit, split, length, draw_split(plan, rng));
  add_fault(plan, PacksFaultKind::kKillMaster, between(rng, seconds{26}, seconds{27}), seconds{2});
}

// All want the same id; half of the runs with two that hold it already and boot on different buses.
void plan_duplicate_ids(PacksPlan& plan, Rng& rng) {
  const auto low = static_cast<std::uint64_t>(rng.between(1, 126));
  const bool are_known = rng.chance(500'000);
  if (are_known) {
    draw_stored_nodes(plan, rng);
    // Bought second-hand: the stored id is that of another.
    const std::uint8_t last = static_cast<std::uint8_t>(plan.pack_count - 1);
    plan.boxes[last].stored_node = plan.boxes[0].stored_node;
    plan.boxes[last].boots_at = between(rng, seconds{4}, seconds{5});
    return;
  }
  // Two of them share the wish, and appear at the same time.
  const Duration boots_at = between(rng, seconds{3}, seconds{4});
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    plan.boxes[i].hardware = (plan.boxes[i].hardware & ~std::uint64_t{0x7F}) | low;
    plan.boxes[i].boots_at = boots_at + between(rng, Duration{}, milliseconds{300});
  }
}

// Two houses' worth of packs that have never met: each half took the ids it liked.
void plan_split_merge(PacksPlan& plan, Rng& rng) {
  const std::uint32_t mask = draw_split(plan, rng);
  add_fault(plan, PacksFaultKind::kSplit, Duration{}, between(rng, seconds{6}, seconds{8}), mask);
  const Duration again = between(rng, seconds{16}, seconds{17});
  add_fault(plan, PacksFaultKind::kSplit, again, seconds{5}, draw_split(plan, rng));
  for (std::size_t i = 1; i < plan.pack_count; i += 2) {
    // Neighbours want the same id, so that those on different buses get it.
    const std::uint64_t low = plan.boxes[i - 1].hardware & 0x7FU;
    plan.boxes[i].hardware = (plan.boxes[i].hardware & ~std::uint64_t{0x7F}) | low;
  }
}

void plan_master_killed(PacksPlan& plan, Rng& rng) {
  for (Duration from = seconds{8}; from + seconds{11} <= plan.duration; from += seconds{10}) {
    add_fault(plan, PacksFaultKind::kKillMaster, from + between(rng, Duration{}, milliseconds{500}),
              seconds{2});
  }
}

void plan_babbling(PacksPlan& plan, Rng& rng) {
  const auto low_id = static_cast<std::uint32_t>(rng.between(0x7F0, 0x7FE));
  const auto part = static_cast<std::uint32_t>(rng.between(20, 50));
  add_fault(plan, PacksFaultKind::kBabble, seconds{5}, seconds{5}, babble_parameter(0, part));
  add_fault(plan, PacksFaultKind::kBabble, seconds{12}, seconds{5}, babble_parameter(low_id, 100));
  // Nothing gets through: identifier 0 wins always.
  const Duration length = between(rng, milliseconds{500}, seconds{5});
  add_fault(plan, PacksFaultKind::kBabble, seconds{19}, length, babble_parameter(0, 100));
}

void plan_full_bus(PacksPlan& plan, Rng& rng) {
  draw_stored_nodes(plan, rng);
}

// The first half of the packs, then the other, then all again in another order; nobody may change its id.
void plan_halves(PacksPlan& plan, Rng& rng) {
  draw_stored_nodes(plan, rng);
  const bool is_first_half = rng.chance(500'000);
  for (std::uint8_t i = 0; i < plan.pack_count; ++i) {
    const bool comes_first = (i % 2 == 0) == is_first_half;
    plan.boxes[i].boots_at = between(rng, Duration{}, seconds{1}) + (comes_first ? Duration{} : seconds{6});
    const Duration off = between(rng, seconds{14}, seconds{16});
    const Duration on = between(rng, seconds{17}, seconds{22});
    add_fault(plan, PacksFaultKind::kCrash, off, on - off, i);
  }
}

// No gateway either: nobody acknowledges what the pack sends.
void plan_alone(PacksPlan& plan, Rng& rng) {
  plan.gateway_count = 0;
  for (std::size_t i = 1; i < plan.pack_count; ++i) {
    plan.boxes[i].boots_at = seconds{10} + between(rng, Duration{}, seconds{2});
  }
}

void plan_equal_hardware(PacksPlan& plan, Rng& rng) {
  plan.boxes[1].hardware = plan.boxes[0].hardware;
  const bool is_late = rng.chance(500'000);
  plan.boxes[1].boots_at = is_late ? between(rng, seconds{4}, seconds{6}) : plan.boxes[0].boots_at;
}

struct Entry {
  PacksScenario scenario;
  void (*plan)(PacksPlan&, Rng&);
};

constexpr std::array kEntries{
    Entry{
        {"packs", "packs boot in any order, masters are killed, the bus is split and joined", seconds{36}, 8},
        plan_packs},
    Entry{{"packs-duplicate-ids", "two packs want or hold the same node id", seconds{12}, 32},
          plan_duplicate_ids},
    Entry{{"packs-split-merge", "two buses with the same ids are joined, split and joined", seconds{28}, 8},
          plan_split_merge},
    Entry{{"packs-master-killed", "the master loses its power again and again", seconds{60}, 8},
          plan_master_killed},
    Entry{{"packs-babbling", "a node fills the bus, in part, with what comes last, and with what comes first",
           seconds{30}, 8},
          plan_babbling},
    Entry{{"packs-full-bus", "32 packs that send all they can", seconds{20}, 32}, plan_full_bus},
    Entry{{"packs-halves", "halves of the packs get power in any order, then all again", seconds{30}, 16},
          plan_halves},
    Entry{{"packs-alone", "a pack without anybody else on its bus; later a second one", seconds{20}, 2},
          plan_alone},
    Entry{{"packs-equal-hardware", "two packs have the same hardware number", seconds{20}, 4},
          plan_equal_hardware},
};

constexpr auto make_scenarios() {
  std::array<PacksScenario, kEntries.size()> scenarios{};
  for (std::size_t i = 0; i < kEntries.size(); ++i) {
    scenarios[i] = kEntries[i].scenario;
  }
  return scenarios;
}
constexpr auto kScenarios = make_scenarios();

void add_random_fault(PacksPlan& plan, Rng& rng) {
  const auto kind =
      static_cast<PacksFaultKind>(rng.below(static_cast<std::uint32_t>(PacksFaultKind::kCount)));
  const Duration until_max = plan.duration - seconds{8};
  const Duration from = between(rng, Duration{}, until_max - milliseconds{100});
  const Duration length = std::min(between(rng, milliseconds{50}, seconds{8}), until_max - from);
  const std::uint32_t box = rng.below(plan.pack_count);
  std::uint32_t parameter = 0;
  switch (kind) {
    case PacksFaultKind::kLoss:
      parameter = static_cast<std::uint32_t>(rng.between(1'000, 600'000));
      break;
    case PacksFaultKind::kDuplicate:
      parameter = static_cast<std::uint32_t>(rng.between(1'000, 500'000));
      break;
    case PacksFaultKind::kSplit:
      parameter = draw_split(plan, rng);
      break;
    case PacksFaultKind::kBabble: {
      const auto id = static_cast<std::uint32_t>(rng.chance(500'000) ? 0 : 0x7F0);
      parameter = babble_parameter(id, static_cast<std::uint32_t>(rng.between(5, 100)));
      break;
    }
    case PacksFaultKind::kKillMaster:
      break;
    case PacksFaultKind::kCrash:
    case PacksFaultKind::kCrashEmpty:
    case PacksFaultKind::kStall:
      parameter = box;
      break;
    case PacksFaultKind::kErrors:
      parameter = box | static_cast<std::uint32_t>(rng.between(1'000, 900'000)) << 8U;
      break;
    case PacksFaultKind::kCount:
      break;
  }
  add_fault(plan, kind, from, length, parameter);
}

}  // namespace

std::span<const PacksScenario> packs_scenarios() {
  return kScenarios;
}

void add_fault(PacksPlan& plan, PacksFaultKind kind, Duration from, Duration length,
               std::uint32_t parameter) {
  plan.faults.push_back(PacksFault{kind, TimePoint{from}, TimePoint{from + length}, parameter});
}

std::optional<PacksPlan> make_packs_plan(std::string_view name, std::uint64_t seed,
                                         std::optional<Duration> duration, std::uint32_t loss_ppm,
                                         const PacksScenarioOptions& options) {
  const auto found = std::find_if(kEntries.begin(), kEntries.end(),
                                  [name](const Entry& entry) { return entry.scenario.name == name; });
  if (found == kEntries.end()) {
    return std::nullopt;
  }
  PacksPlan plan;
  plan.seed = seed;
  plan.loss_ppm = loss_ppm;
  plan.duration = duration.value_or(found->scenario.duration);
  plan.sabotage = options.sabotage;
  const bool needs_two = found->plan == plan_duplicate_ids || found->plan == plan_equal_hardware;
  plan.pack_count = std::clamp<std::uint8_t>(options.count.value_or(found->scenario.count), needs_two ? 2 : 1,
                                             static_cast<std::uint8_t>(kPacksMax));
  Rng rng{seed ^ 0x5061'636B'7300'0000U};
  draw_boxes(plan, rng);
  found->plan(plan, rng);
  return plan;
}

PacksPlan make_random_packs_plan(std::uint64_t seed) {
  Rng rng{seed ^ 0x5377'5061'636B'7300U};
  PacksPlan plan;
  plan.seed = seed;
  plan.duration = between(rng, seconds{15}, seconds{40});
  const bool is_large = rng.chance(200'000);
  plan.pack_count = static_cast<std::uint8_t>(is_large ? rng.between(9, 32) : rng.between(1, 8));
  plan.gateway_count = static_cast<std::uint8_t>(rng.between(0, 2));
  draw_boxes(plan, rng);
  for (PackBoxPlan& box : plan.boxes) {
    const bool is_near_wrap = rng.chance(250'000);
    const Duration before_wrap = between(rng, Duration{}, plan.duration);
    box.clock_offset = is_near_wrap ? offset_before_wrap(before_wrap) : box.clock_offset;
    box.clock_drift_ppm = static_cast<std::int32_t>(rng.between(-200, 200));
  }
  const bool has_stored = rng.chance(300'000);
  if (has_stored) {
    draw_stored_nodes(plan, rng);
  }
  const bool has_leader = rng.chance(200'000);
  if (has_leader) {
    plan.boxes[rng.below(plan.pack_count)].type = packnet::DeviceType::kEnergyGateway;
  }
  const bool are_equal = plan.pack_count > 1 && rng.chance(100'000);
  if (are_equal) {
    plan.boxes[1].hardware = plan.boxes[0].hardware;
  }
  plan.cell_count = static_cast<std::uint8_t>(rng.between(0, 32));
  plan.loss_ppm = rng.chance(200'000) ? static_cast<std::uint32_t>(rng.between(1'000, 100'000)) : 0;
  const std::int64_t fault_count = rng.between(1, 10);
  for (std::int64_t i = 0; i < fault_count; ++i) {
    add_random_fault(plan, rng);
  }
  return plan;
}

}  // namespace amphora::sim
