// SPDX-License-Identifier: Apache-2.0
// The scenarios of whole packs and their figures.
#include <array>
#include <memory>

#include "sim/scenarios/pack_scenarios.hpp"
#include "sim/scenarios/pack_world.hpp"
#include "sim/scenarios/scenario_run.hpp"

namespace amphora::sim {

namespace {

PackFigures run_plan(const PackPlan& plan, const Options& options, RunReport& report, Digest& digest,
                     std::uint64_t* writes) {
  const auto world = std::make_unique<PackWorld>(plan);
  world->run();
  if (writes != nullptr) {
    *writes = world->write_count(0);
  }
  take(report, digest, plan.seed, options, *world);
  return world->figures();
}

// The same run once for each write of pack 0 and each fate of it. Returns how many.
std::uint64_t run_cuts(const PackPlan& whole, std::uint64_t writes, const Options& options, RunReport& report,
                       Digest& digest, PackFigures& figures) {
  std::uint64_t runs = 0;
  for (std::uint64_t write = 1; write <= writes; ++write) {
    for (const WriteFate fate : {WriteFate::kLost, WriteFate::kTorn, WriteFate::kDone}) {
      PackPlan plan = whole;
      plan.cut = PackCut{0, StoreCut{write, fate, std::chrono::seconds{3}}};
      figures.merge(run_plan(plan, options, report, digest, nullptr));
      ++runs;
    }
  }
  return runs;
}

}  // namespace

double run_whole_packs(std::string_view name, const Options& options, RunReport& report, Digest& digest) {
  PackFigures figures;
  std::uint64_t runs = 0;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    PackPlan plan =
        *make_pack_plan(name, options.seed + i, options.duration, options.loss_ppm, options.packs.count);
    plan.sabotage = options.pack_sabotage;
    report.duration = plan.duration;
    std::uint64_t writes = 0;
    figures.merge(run_plan(plan, options, report, digest, &writes));
    ++runs;
    if (name == kPackPowerCut) {
      runs += run_cuts(plan, writes, options, report, digest, figures);
    }
  }
  report.figures.push_back(Figure{"settings_ms", figures.settings_us, 1000});
  report.figures.push_back(Figure{"claim_ms", figures.claim_us, 1000});
  report.figures.push_back(Figure{"bus_load_percent", figures.load_permille, 10});
  const auto number = [&report](std::string_view figure, std::uint64_t value) {
    report.figures.push_back(Figure{figure, static_cast<std::int64_t>(value), 1});
  };
  number("not_settled", figures.not_settled);
  number("changes", figures.changes);
  number("refused", figures.refused);
  number("boots", figures.boots);
  number("power_cuts", figures.power_cuts);
  number("store_writes", figures.store_writes);
  number("relay_operations", figures.relay_operations);
  number("frames", figures.frames);
  report.figures.push_back(Figure{"energy_error_percent", figures.error_ppm_max, 10'000});
  return seconds_of(TimePoint{report.duration}) * static_cast<double>(runs);
}

}  // namespace amphora::sim
