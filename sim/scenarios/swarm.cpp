// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/swarm.hpp"

#include <ctime>
#include <memory>

#include "core/base/crc.hpp"
#include "sim/scenarios/gateway_world.hpp"
#include "sim/scenarios/plan_builder.hpp"

namespace amphora::sim {

namespace {

GatewayPlan plan_of(const Excerpt& excerpt, Sabotage sabotage) {
  GatewayPlan plan = make_random_plan(excerpt.seed);
  std::vector<GatewayFault> kept;
  for (std::size_t i = 0; i < plan.faults.size(); ++i) {
    if ((excerpt.fault_mask >> i & 1U) != 0) {
      kept.push_back(plan.faults[i]);
    }
  }
  plan.faults = kept;
  plan.duration = excerpt.until.value_or(plan.duration);
  plan.sabotage = sabotage;
  return plan;
}

double processor_seconds() {
  std::timespec spec{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spec);
  return static_cast<double>(spec.tv_sec) + static_cast<double>(spec.tv_nsec) / 1e9;
}

// Takes out one fault after the other while the same invariant still breaks, each time ending where it broke.
SwarmFailure shrink(std::uint64_t seed, const Violation& violation, Sabotage sabotage) {
  SwarmFailure failure;
  failure.seed = seed;
  failure.violation = violation;
  Excerpt best{seed, ~std::uint64_t{0}, violation.at.time_since_epoch()};
  const std::size_t fault_count = make_random_plan(seed).faults.size();
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

ReplayReport replay(const Excerpt& excerpt, Sabotage sabotage) {
  const GatewayPlan plan = plan_of(excerpt, sabotage);
  const auto world = std::make_unique<GatewayWorld>(plan);
  world->run();
  ReplayReport report;
  report.violation_count = world->violations().count();
  if (!world->violations().is_empty()) {
    report.violation = world->violations().kept()[0];
  }
  report.digest = world->recorder().digest();
  report.duration = plan.duration;
  report.faults = plan.faults;
  report.trace = world->recorder().lines();
  return report;
}

SwarmReport run_swarm(const SwarmOptions& options) {
  SwarmReport report;
  Digest digest;
  double virtual_seconds = 0;
  const double started = processor_seconds();
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const std::uint64_t seed = options.from + i;
    const ReplayReport run = replay(Excerpt{seed, ~std::uint64_t{0}, std::nullopt}, options.sabotage);
    ++report.seeds;
    virtual_seconds += static_cast<double>(run.duration.count()) / 1e6;
    digest.add_number(static_cast<std::int64_t>(run.digest));
    if (options.progress != nullptr) {
      options.progress(report.seeds, options.seeds);
    }
    if (run.violation) {
      report.violation_count = run.violation_count;
      report.first_failure = shrink(seed, *run.violation, options.sabotage);
      break;
    }
  }
  const double spent = processor_seconds() - started;
  report.speed = spent > 0 ? virtual_seconds / spent : 0;
  report.digest = digest.value();
  return report;
}

}  // namespace amphora::sim
