// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/swarm.hpp"

#include <ctime>
#include <memory>

#include "core/base/crc.hpp"
#include "sim/scenarios/gateway_world.hpp"
#include "sim/scenarios/house_world.hpp"
#include "sim/scenarios/link_world.hpp"
#include "sim/scenarios/pack_scenarios.hpp"
#include "sim/scenarios/pack_world.hpp"
#include "sim/scenarios/packs_world.hpp"
#include "sim/scenarios/plan_builder.hpp"

namespace amphora::sim {

namespace {

// What an excerpt leaves of a random plan.
template <class Plan>
void cut(Plan& plan, const Excerpt& excerpt) {
  auto kept = plan.faults;
  kept.clear();
  for (std::size_t i = 0; i < plan.faults.size(); ++i) {
    if ((excerpt.fault_mask >> i & 1U) != 0) {
      kept.push_back(plan.faults[i]);
    }
  }
  plan.faults = kept;
  plan.duration = excerpt.until.value_or(plan.duration);
}

template <class World, class Plan>
ReplayReport run_world(const Plan& plan) {
  const auto world = std::make_unique<World>(plan);
  world->run();
  ReplayReport report;
  report.violation_count = world->violations().count();
  if (!world->violations().is_empty()) {
    report.violation = world->violations().kept()[0];
  }
  report.digest = world->recorder().digest();
  report.duration = plan.duration;
  for (const auto& fault : plan.faults) {
    report.faults.push_back(FaultLine{to_text(fault.kind), fault.from, fault.until, fault.parameter});
  }
  report.trace = world->recorder().lines();
  return report;
}

std::size_t fault_count_of(WorldKind world, std::uint64_t seed) {
  switch (world) {
    case WorldKind::kGateway:
      return make_random_plan(seed).faults.size();
    case WorldKind::kLink:
      return make_random_link_plan(seed).faults.size();
    case WorldKind::kPacks:
      return make_random_packs_plan(seed).faults.size();
    case WorldKind::kHouse:
      return make_random_house_plan(seed).faults.size();
    case WorldKind::kPack:
      return make_random_pack_plan(seed).faults.size();
  }
  return 0;
}

double processor_seconds() {
  std::timespec spec{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spec);
  return static_cast<double>(spec.tv_sec) + static_cast<double>(spec.tv_nsec) / 1e9;
}

// Takes out one fault after the other while the same invariant still breaks, each time ending where it broke.
SwarmFailure shrink(WorldKind world, std::uint64_t seed, const Violation& violation,
                    const SwarmSabotage& sabotage) {
  SwarmFailure failure;
  failure.seed = seed;
  failure.violation = violation;
  Excerpt best{seed, ~std::uint64_t{0}, violation.at.time_since_epoch(), world};
  const std::size_t fault_count = fault_count_of(world, seed);
  best.fault_mask = (std::uint64_t{1} << fault_count) - 1;
  for (bool is_smaller = true; is_smaller;) {
    is_smaller = false;
    for (std::size_t i = 0; i < fault_count; ++i) {
      const std::uint64_t bit = std::uint64_t{1} << i;
      if ((best.fault_mask & bit) == 0) {
        continue;
      }
      Excerpt candidate = best;
      candidate.fault_mask &= ~bit;
      const ReplayReport tried = replay(candidate, sabotage);
      if (tried.violation && tried.violation->invariant == violation.invariant) {
        best = candidate;
        best.until = tried.violation->at.time_since_epoch();
        is_smaller = true;
      }
    }
  }
  const ReplayReport last = replay(best, sabotage);
  failure.shrunk = best;
  failure.faults = last.faults;
  failure.trace = last.trace;
  return failure;
}

}  // namespace

WorldKind world_of(std::uint64_t seed) {
  Rng rng{seed ^ 0x576F'726C'6400'0000U};
  const bool is_gateway = rng.chance(500'000);
  const bool is_packs = rng.chance(300'000);
  const bool is_house = rng.chance(200'000);
  const bool is_whole_pack = rng.chance(100'000);
  if (is_house || is_whole_pack) {
    return is_house ? WorldKind::kHouse : WorldKind::kPack;
  }
  return is_packs ? WorldKind::kPacks : is_gateway ? WorldKind::kGateway : WorldKind::kLink;
}

ReplayReport replay(const Excerpt& excerpt, const SwarmSabotage& sabotage) {
  const WorldKind world = excerpt.world.value_or(world_of(excerpt.seed));
  if (world == WorldKind::kPacks) {
    PacksPlan plan = make_random_packs_plan(excerpt.seed);
    cut(plan, excerpt);
    plan.sabotage = sabotage.packs;
    return run_world<PacksWorld>(plan);
  }
  if (world == WorldKind::kGateway) {
    GatewayPlan plan = make_random_plan(excerpt.seed);
    cut(plan, excerpt);
    plan.sabotage = sabotage.gateway;
    return run_world<GatewayWorld>(plan);
  }
  if (world == WorldKind::kHouse) {
    HousePlan plan = make_random_house_plan(excerpt.seed);
    cut(plan, excerpt);
    plan.sabotage = sabotage.house;
    return run_world<HouseWorld>(plan);
  }
  if (world == WorldKind::kPack) {
    PackPlan plan = make_random_pack_plan(excerpt.seed);
    const Duration whole = plan.duration;
    cut(plan, excerpt);
    plan.is_whole = plan.duration >= whole;
    plan.sabotage = sabotage.pack;
    return run_world<PackWorld>(plan);
  }
  LinkPlan plan = make_random_link_plan(excerpt.seed);
  const Duration whole = plan.duration;
  cut(plan, excerpt);
  if (plan.duration < whole) {
    plan.quiet = Duration{};  // nothing is demanded at an end that comes earlier
  }
  plan.sabotage = sabotage.link;
  return run_world<LinkWorld>(plan);
}

SwarmReport run_swarm(const SwarmOptions& options) {
  SwarmReport report;
  Digest digest;
  double virtual_seconds = 0;
  const double started = processor_seconds();
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const std::uint64_t seed = options.from + i;
    const WorldKind world = options.world.value_or(world_of(seed));
    const ReplayReport run = replay(Excerpt{seed, ~std::uint64_t{0}, std::nullopt, world}, options.sabotage);
    ++report.seeds;
    virtual_seconds += static_cast<double>(run.duration.count()) / 1e6;
    digest.add_number(static_cast<std::int64_t>(run.digest));
    if (options.progress != nullptr) {
      options.progress(report.seeds, options.seeds);
    }
    if (run.violation) {
      report.violation_count = run.violation_count;
      report.first_failure = shrink(world, seed, *run.violation, options.sabotage);
      break;
    }
  }
  const double spent = processor_seconds() - started;
  report.speed = spent > 0 ? virtual_seconds / spent : 0;
  report.digest = digest.value();
  return report;
}

}  // namespace amphora::sim
