// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/scenario.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>

#include "core/base/crc.hpp"
#include "sim/scenarios/gateway_world.hpp"
#include "sim/scenarios/link_world.hpp"
#include "sim/scenarios/pack_scenarios.hpp"
#include "sim/scenarios/packs_world.hpp"
#include "sim/scenarios/plan_builder.hpp"
#include "sim/scenarios/scenario_run.hpp"

namespace amphora::sim {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

void plan_day(GatewayPlan& plan, Rng& rng) {
  // Once in two hours the BMS falls silent, so that a day also tells how fast limits fall to zero.
  add_repeated(plan, rng, FaultKind::kBmsSilent, hours{2}, seconds{10}, seconds{50});
}

void plan_bms_silent(GatewayPlan& plan, Rng& rng) {
  add_repeated(plan, rng, FaultKind::kBmsSilent, minutes{5}, seconds{6}, seconds{200});
  add_repeated(plan, rng, FaultKind::kSerialCut, minutes{20}, seconds{6}, seconds{120});
  add_repeated(plan, rng, FaultKind::kSerialCutToNode, minutes{20}, seconds{6}, seconds{120});
  plan.is_sleepy = true;
}

void plan_noise(GatewayPlan& plan, Rng& rng) {
  add_repeated(plan, rng, FaultKind::kSerialFlip, minutes{5}, seconds{20}, seconds{120}, 2'000);
  add_repeated(plan, rng, FaultKind::kSerialDrop, minutes{5}, seconds{20}, seconds{120}, 2'000);
  add_repeated(plan, rng, FaultKind::kSerialInsert, minutes{5}, seconds{20}, seconds{120}, 2'000);
  add_repeated(plan, rng, FaultKind::kSerialChunks, minutes{5}, seconds{20}, seconds{120}, 16);
  add_repeated(plan, rng, FaultKind::kSerialBabble, minutes{10}, seconds{20}, seconds{60}, 60);
  add_repeated(plan, rng, FaultKind::kBmsBroadcast, minutes{10}, seconds{20}, seconds{200});
  add_repeated(plan, rng, FaultKind::kBmsCorrupt, minutes{15}, seconds{5}, seconds{30});
  add_repeated(plan, rng, FaultKind::kBmsTruncated, minutes{15}, seconds{5}, seconds{30});
  add_repeated(plan, rng, FaultKind::kBmsJoined, minutes{15}, seconds{5}, seconds{30});
  add_repeated(plan, rng, FaultKind::kBmsNack, minutes{15}, seconds{5}, seconds{30});
}

void plan_gx_vanishes(GatewayPlan& plan, Rng& rng) {
  add_repeated(plan, rng, FaultKind::kGxAbsent, minutes{10}, seconds{5}, seconds{300});
  add_repeated(plan, rng, FaultKind::kGxMute, minutes{15}, seconds{5}, seconds{200});
}

void plan_no_other_node(GatewayPlan& plan, Rng&) {
  // Nobody for the first half; then the GX is plugged in.
  add_fault(plan, FaultKind::kGxAbsent, Duration{}, plan.duration / 2);
}

void plan_can_battery(GatewayPlan& plan, Rng& rng) {
  plan.bms = node::BmsKind::kCan;
  add_repeated(plan, rng, FaultKind::kBmsSilent, minutes{10}, seconds{6}, seconds{120});
  add_repeated(plan, rng, FaultKind::kPackTrip, minutes{10}, seconds{20}, seconds{60}, 2);
}

void plan_bus_trouble(GatewayPlan& plan, Rng& rng) {
  add_repeated(plan, rng, FaultKind::kCanErrors, minutes{10}, seconds{5}, seconds{60}, 300'000);
  add_repeated(plan, rng, FaultKind::kCanGxErrors, minutes{10}, seconds{5}, seconds{60}, 300'000);
  add_repeated(plan, rng, FaultKind::kCanBabble, minutes{20}, seconds{1}, seconds{5});
  add_repeated(plan, rng, FaultKind::kCanLoss, minutes{10}, seconds{5}, seconds{60}, 300'000);
  add_repeated(plan, rng, FaultKind::kCanBurst, minutes{10}, seconds{5}, seconds{60}, 20'000);
  add_repeated(plan, rng, FaultKind::kCanJitter, minutes{10}, seconds{5}, seconds{60}, 200);
  add_repeated(plan, rng, FaultKind::kCanDuplicate, minutes{10}, seconds{5}, seconds{60}, 300'000);
}

void plan_pack_faults(GatewayPlan& plan, Rng& rng) {
  for (std::uint32_t trip = 0; trip < kProtectionFaultCount; ++trip) {
    add_repeated(plan, rng, FaultKind::kPackTrip, minutes{30}, seconds{5}, seconds{60}, trip);
  }
  add_repeated(plan, rng, FaultKind::kBmsWildCell, minutes{15}, seconds{5}, seconds{60}, 3);
  add_repeated(plan, rng, FaultKind::kBmsNanVoltage, minutes{15}, seconds{5}, seconds{60});
  add_repeated(plan, rng, FaultKind::kBmsCellCount, minutes{15}, seconds{5}, seconds{60});
  add_repeated(plan, rng, FaultKind::kBmsStatus, minutes{15}, seconds{5}, seconds{60});
  add_repeated(plan, rng, FaultKind::kBmsStuck, minutes{15}, seconds{5}, seconds{60});
  add_repeated(plan, rng, FaultKind::kPackFullCell, minutes{20}, seconds{1}, seconds{1}, 5);
  add_repeated(plan, rng, FaultKind::kPackEmptyCell, minutes{20}, seconds{1}, seconds{1}, 9);
  add_repeated(plan, rng, FaultKind::kPackCold, minutes{30}, seconds{1}, seconds{1});
  add_repeated(plan, rng, FaultKind::kPackHot, minutes{30}, seconds{1}, seconds{1});
}

void plan_host_trouble(GatewayPlan& plan, Rng& rng) {
  constexpr std::int64_t kWrapMs = std::int64_t{1} << 32U;
  plan.clock_offset = std::chrono::milliseconds{kWrapMs} - minutes{5};
  plan.clock_drift_ppm = 150;
  add_repeated(plan, rng, FaultKind::kHostStall, minutes{3}, std::chrono::milliseconds{50}, seconds{15});
  add_repeated(plan, rng, FaultKind::kNodeCrash, minutes{15}, std::chrono::milliseconds{500}, seconds{60});
}

struct Scenario {
  ScenarioInfo info;
  void (*plan)(GatewayPlan&, Rng&);
};

constexpr std::array kScenarios{
    Scenario{{WorldKind::kGateway, "bms-gateway",
              "a day of sun and load on a 16s LFP pack; the BMS falls silent now and then", hours{24}},
             plan_day},
    Scenario{{WorldKind::kGateway, "bms-silent", "the BMS stops answering, is unplugged, sleeps", hours{1}},
             plan_bms_silent},
    Scenario{{WorldKind::kGateway, "noise",
              "broken, lost and additional bytes, text and wrong answers on the line", hours{1}},
             plan_noise},
    Scenario{
        {WorldKind::kGateway, "gx-vanishes", "the GX is switched off or not heard, and returns", hours{1}},
        plan_gx_vanishes},
    Scenario{{WorldKind::kGateway, "no-other-node", "alone on the CAN bus; half way somebody is plugged in",
              hours{1}},
             plan_no_other_node},
    Scenario{
        {WorldKind::kGateway, "can-battery", "the battery itself speaks CAN, falls silent, trips", hours{1}},
        plan_can_battery},
    Scenario{{WorldKind::kGateway, "bus-trouble",
              "CAN errors up to bus-off, babbling, loss, delay, duplicates", hours{1}},
             plan_bus_trouble},
    Scenario{{WorldKind::kGateway, "pack-faults",
              "protection opens, cells too full and too empty, a lying BMS, cold and heat", hours{2}},
             plan_pack_faults},
    Scenario{{WorldKind::kGateway, "host-trouble",
              "the box stalls and crashes while its milliseconds pass 2^32", hours{1}},
             plan_host_trouble},
};

std::vector<ScenarioInfo> make_infos() {
  std::vector<ScenarioInfo> infos;
  for (const Scenario& scenario : kScenarios) {
    infos.push_back(scenario.info);
  }
  for (const LinkScenario& scenario : link_scenarios()) {
    infos.push_back(ScenarioInfo{WorldKind::kLink, scenario.name, scenario.summary, scenario.duration});
  }
  for (const PacksScenario& scenario : packs_scenarios()) {
    infos.push_back(ScenarioInfo{WorldKind::kPacks, scenario.name, scenario.summary, scenario.duration});
  }
  for (const HouseScenario& scenario : house_scenarios()) {
    infos.push_back(ScenarioInfo{WorldKind::kHouse, scenario.name, scenario.summary, scenario.duration});
  }
  for (const PackScenario& scenario : pack_scenarios()) {
    infos.push_back(ScenarioInfo{WorldKind::kPack, scenario.name, scenario.summary, scenario.duration});
  }
  return infos;
}

const Scenario* find(std::string_view name) {
  const auto found = std::find_if(kScenarios.begin(), kScenarios.end(),
                                  [name](const Scenario& scenario) { return scenario.info.name == name; });
  return found == kScenarios.end() ? nullptr : &*found;
}

// Of this thread, so that other work on the machine does not make the simulator look slow.
double processor_seconds() {
  std::timespec spec{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spec);
  return static_cast<double>(spec.tv_sec) + static_cast<double>(spec.tv_nsec) / 1e9;
}

// All return the virtual seconds.
double run_gateways(const Scenario& scenario, const Options& options, RunReport& report, Digest& digest) {
  Histogram gap_us;
  Histogram zero_ms;
  double virtual_seconds = 0;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const GatewayPlan plan = *make_plan(scenario.info.name, options.seed + i, options);
    report.duration = plan.duration;
    const auto world = std::make_unique<GatewayWorld>(plan);
    world->run();
    virtual_seconds += seconds_of(world->now());
    gap_us.merge(world->rhythm_checker().gap_us());
    zero_ms.merge(world->limits_checker().zero_after_silence_ms());
    take(report, digest, plan.seed, options, *world);
  }
  report.figures.push_back(Figure{"limit_gap_ms", gap_us, 1000});
  report.figures.push_back(Figure{"zero_limit_after_silence_ms", zero_ms, 1});
  return virtual_seconds;
}

double run_links(std::string_view name, const Options& options, RunReport& report, Digest& digest) {
  LinkFigures figures;
  double virtual_seconds = 0;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    LinkPlan plan = *make_link_plan(name, options.seed + i, options.duration, options.loss_ppm, options.link);
    plan.sabotage = options.link_sabotage;
    report.duration = plan.duration;
    const auto world = std::make_unique<LinkWorld>(plan);
    world->run();
    virtual_seconds += seconds_of(world->now());
    figures.merge(world->figures());
    take(report, digest, plan.seed, options, *world);
  }
  report.figures.push_back(Figure{"discovery_ms", figures.discovery_us, 1000});
  report.figures.push_back(Figure{"session_ms", figures.session_us, 1000});
  report.figures.push_back(Figure{"recovery_ms", figures.recovery_us, 1000});
  report.figures.push_back(Figure{"settings_ms", figures.settings_us, 1000});
  const auto number = [&report](std::string_view figure, std::uint64_t value) {
    report.figures.push_back(Figure{figure, static_cast<std::int64_t>(value), 1});
  };
  number("not_found", figures.not_found);
  number("not_recovered", figures.not_recovered);
  number("not_settled", figures.not_settled);
  number("produced", figures.produced);
  number("delivered", figures.delivered);
  number("lost", figures.lost);
  number("duplicated", figures.duplicated);
  number("dropped_counted", figures.dropped_counted);
  number("lost_with_power", figures.lost_with_power);
  number("live_cells", figures.live_cells);
  number("air_permille", static_cast<std::uint64_t>(figures.air_permille()));
  return virtual_seconds;
}

double run_packs(std::string_view name, const Options& options, RunReport& report, Digest& digest) {
  PacksFigures figures;
  double virtual_seconds = 0;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const PacksPlan plan =
        *make_packs_plan(name, options.seed + i, options.duration, options.loss_ppm, options.packs);
    report.duration = plan.duration;
    const auto world = std::make_unique<PacksWorld>(plan);
    world->run();
    virtual_seconds += seconds_of(world->now());
    figures.merge(world->figures());
    take(report, digest, plan.seed, options, *world);
  }
  report.figures.push_back(Figure{"claim_ms", figures.claim_us, 1000});
  report.figures.push_back(Figure{"election_ms", figures.election_us, 1000});
  report.figures.push_back(Figure{"failover_ms", figures.failover_us, 1000});
  report.figures.push_back(Figure{"merge_ms", figures.merge_us, 1000});
  report.figures.push_back(Figure{"bus_load_percent", figures.load_permille, 10});
  const auto number = [&report](std::string_view figure, std::uint64_t value) {
    report.figures.push_back(Figure{figure, static_cast<std::int64_t>(value), 1});
  };
  number("shared_id_max_ms", static_cast<std::uint64_t>(figures.shared_id_max_ms));
  number("not_claimed", figures.not_claimed);
  number("not_failed_over", figures.not_failed_over);
  number("not_merged", figures.not_merged);
  number("ids_changed", figures.ids_changed);
  number("duplicate_alarms", figures.duplicate_alarms);
  number("unseen", figures.unseen);
  number("frames", figures.frames);
  number("bus_offs", figures.bus_offs);
  return virtual_seconds;
}

}  // namespace

std::span<const ScenarioInfo> list() {
  static const std::vector<ScenarioInfo> kInfos = make_infos();
  return kInfos;
}

std::optional<GatewayPlan> make_plan(std::string_view name, std::uint64_t seed, const Options& options) {
  const Scenario* scenario = find(name);
  if (scenario == nullptr) {
    return std::nullopt;
  }
  GatewayPlan plan;
  plan.seed = seed;
  plan.duration = options.duration.value_or(scenario->info.duration);
  plan.loss_ppm = options.loss_ppm;
  plan.sabotage = options.sabotage;
  plan.house.start_minute = 8 * 60;
  Rng rng{~seed};
  scenario->plan(plan, rng);
  return plan;
}

std::optional<RunReport> run(std::string_view name, const Options& options) {
  const auto found = std::find_if(list().begin(), list().end(),
                                  [name](const ScenarioInfo& info) { return info.name == name; });
  if (found == list().end()) {
    return std::nullopt;
  }
  RunReport report;
  report.scenario = found->name;
  report.seed = options.seed;
  report.seeds = options.seeds;
  Digest digest;
  const double started = processor_seconds();
  double virtual_seconds = 0;
  switch (found->world) {
    case WorldKind::kGateway:
      virtual_seconds = run_gateways(*find(name), options, report, digest);
      break;
    case WorldKind::kLink:
      virtual_seconds = run_links(found->name, options, report, digest);
      break;
    case WorldKind::kPacks:
      virtual_seconds = run_packs(found->name, options, report, digest);
      break;
    case WorldKind::kHouse:
      virtual_seconds = run_houses(found->name, options, report, digest);
      break;
    case WorldKind::kPack:
      virtual_seconds = run_whole_packs(found->name, options, report, digest);
      break;
  }
  const double spent = processor_seconds() - started;
  report.speed = spent > 0 ? virtual_seconds / spent : 0;
  report.digest = digest.value();
  return report;
}

}  // namespace amphora::sim
