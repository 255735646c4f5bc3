// SPDX-License-Identifier: Apache-2.0
// The house's scenarios and their figures.
#include <algorithm>
#include <array>

#include "sim/scenarios/house_world.hpp"
#include "sim/scenarios/scenario_run.hpp"

namespace amphora::sim {

namespace {

using energy::Mode;

constexpr std::int64_t kMicrojoulesPerWattHour = 3'600'000'000;
constexpr std::int64_t kPerKilo = 1'000;
constexpr std::int64_t kDaysPerYear = 365;

// What `house` compares, beside its own modes: none, each alone, all together.
constexpr Duration kComparisonStep = std::chrono::seconds{4};

std::vector<EnumSet<Mode>> compared_modes() {
  std::vector<EnumSet<Mode>> list(1);
  EnumSet<Mode> all;
  for (std::size_t i = 0; i < energy::kModeCount; ++i) {
    EnumSet<Mode> one;
    one.set(static_cast<Mode>(i));
    all.set(static_cast<Mode>(i));
    list.push_back(one);
  }
  list.push_back(all);
  return list;
}

Breakdown energy_table(const HouseFigures& figures) {
  const auto wh = [](std::int64_t microjoules) { return microjoules / kMicrojoulesPerWattHour; };
  const EnergyTotals& energy = figures.energy;
  return {{"sun", wh(energy.sun_uj)},
          {"import", wh(energy.import_uj)},
          {"discharged", wh(energy.discharged_uj)},
          {"loads", wh(energy.load_uj)},
          {"export", wh(energy.export_uj)},
          {"charged", wh(energy.charged_uj)},
          {"curtailed", wh(energy.curtailed_uj)},
          {"inverter_loss", wh(energy.inverter_loss_uj)},
          {"battery_loss", wh(energy.battery_loss_uj)},
          {"unserved", wh(energy.unserved_uj)},
          {"switched_off", wh(figures.switched_off_uj)},
          {"car_missed", figures.car_missed_mj / 3'600'000}};
}

// In thousandths.
std::int64_t per_day(const HouseFigures& figures, std::uint64_t count) {
  const auto seconds = std::max<std::int64_t>(figures.virtual_time.count() / 1'000'000, 1);
  return static_cast<std::int64_t>(count) * kSecondsPerDay * kPerKilo / seconds;
}

Breakdown wear_table(const HouseFigures& figures) {
  const std::int64_t a_year = per_day(figures, figures.state_writes) * kDaysPerYear;
  const auto budget = static_cast<std::int64_t>(StateWear::kWritesPerYear);
  const std::int64_t some = std::max<std::int64_t>(a_year, 1);
  const auto years = [some](std::uint64_t writes) {
    return static_cast<std::int64_t>(writes) * kPerKilo / some * kPerKilo;
  };
  return {{"writes_per_year", a_year},
          {"budget_writes_per_year", budget * kPerKilo},
          {"budget_used_percent", a_year * 100 / budget},
          {"budget_years", StateWear::kLifeYears * kPerKilo},
          {"erase_endurance", StateWear::kEraseEndurance * kPerKilo},
          {"sector_bytes", StateWear::kSectorBytes * kPerKilo},
          {"record_bytes", StateWear::kRecordBytes * kPerKilo},
          {"years_until_worn", years(StateWear::kEraseEndurance)},
          {"years_until_worn_as_log", years(StateWear::kLogWrites)}};
}

void add_house_figures(RunReport& report, const HouseFigures& figures) {
  report.figures.push_back(Figure{"energy_kwh", energy_table(figures), kPerKilo});
  Breakdown operations;
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    if (house_controller_config().relays[i].is_fitted) {
      operations.push_back(Part{energy::to_text(energy::relay_at(i)), per_day(figures, figures.switches[i])});
    }
  }
  report.figures.push_back(Figure{"relay_operations_per_day", operations, kPerKilo});
  report.figures.push_back(Figure{"energy_error_percent", figures.error_ppm_max, 10'000});
  report.figures.push_back(
      Figure{"state_writes_per_year", per_day(figures, figures.state_writes) * kDaysPerYear, kPerKilo});
  report.figures.push_back(Figure{"state_wear", wear_table(figures), kPerKilo});
  report.figures.push_back(Figure{"time_to_limit", figures.time_to_limit_min, 60});
  Breakdown warnings;
  for (std::size_t i = 0; i < figures.warnings.size(); ++i) {
    warnings.push_back(Part{energy::to_text(static_cast<energy::Warning>(i)),
                            static_cast<std::int64_t>(figures.warnings[i])});
  }
  report.figures.push_back(Figure{"warnings", warnings, 1});
  report.figures.push_back(
      Figure{"cost", figures.import_cost / 100'000'000 - figures.export_income / 100'000'000, 100});
  report.figures.push_back(Figure{"output_trips", static_cast<std::int64_t>(figures.trips), 1});
  report.figures.push_back(Figure{"evaluations", static_cast<std::int64_t>(figures.evaluations), 1});
}

// Runs all seeds of one choice of modes; nothing chosen: the scenario's own.
HouseFigures run_with(std::string_view name, const Options& options,
                      const std::optional<EnumSet<Mode>>& modes, RunReport& report, Digest& digest) {
  HouseFigures figures;
  HouseScenarioOptions house = options.house;
  house.modes = modes ? modes : house.modes;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    HousePlan plan = *make_house_plan(name, options.seed + i, options.duration, house);
    plan.sabotage = options.house_sabotage;
    plan.step = modes ? kComparisonStep : plan.step;
    report.duration = plan.duration;
    HouseWorld world{plan};
    world.run();
    figures.merge(world.figures());
    take(report, digest, plan.seed, options, world);
  }
  return figures;
}

struct CutTally {
  std::uint64_t writes = 0;  // of the runs without a cut
  std::uint64_t cuts = 0;
  std::uint64_t not_booted = 0;
  std::uint64_t found_old = 0;
  std::uint64_t found_new = 0;
  Duration virtual_time{};
};

// How long a run goes on after its cut: past the next reset of the import limit.
constexpr Duration kAfterCut = std::chrono::hours{26};
constexpr Duration kOffMin = std::chrono::seconds{4};
constexpr Duration kOffMax = std::chrono::minutes{10};

// Once more up to the write and a day beyond, with the power gone there.
void run_cut(const HousePlan& whole, const StoreCut& cut, const Options& options, RunReport& report,
             Digest& digest, CutTally& tally) {
  HousePlan plan = whole;
  plan.cut = cut;
  HouseWorld world{plan};
  std::optional<TimePoint> cut_at;
  while ((!cut_at || world.now() - *cut_at < kAfterCut) && world.step()) {
    if (!cut_at && world.write_count() == cut.at_write) {
      cut_at = world.now();
    }
  }
  const HouseFigures figures = world.figures();
  ++tally.cuts;
  tally.not_booted += world.controller() == nullptr || figures.boots < 2 ? 1U : 0U;
  tally.found_old += figures.found_old;
  tally.found_new += figures.found_new;
  tally.virtual_time += figures.virtual_time;
  take(report, digest, plan.seed, options, world);
}

double run_power_cuts(std::string_view name, const Options& options, RunReport& report, Digest& digest) {
  CutTally tally;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    HousePlan plan = *make_house_plan(name, options.seed + i, options.duration, options.house);
    plan.sabotage = options.house_sabotage;
    report.duration = plan.duration;
    HouseWorld whole{plan};
    whole.run();
    take(report, digest, plan.seed, options, whole);
    tally.writes += whole.write_count();
    tally.virtual_time += plan.duration;
    Rng rng{plan.seed};
    for (std::uint64_t write = 1; write <= whole.write_count(); ++write) {
      for (const WriteFate fate : {WriteFate::kLost, WriteFate::kTorn, WriteFate::kDone}) {
        const Duration off{rng.between(kOffMin.count(), kOffMax.count())};
        run_cut(plan, StoreCut{write, fate, off}, options, report, digest, tally);
      }
    }
  }
  const auto number = [&report](std::string_view figure, std::uint64_t value) {
    report.figures.push_back(Figure{figure, static_cast<std::int64_t>(value), 1});
  };
  number("store_writes", tally.writes);
  number("power_cuts", tally.cuts);
  number("not_booted", tally.not_booted);
  number("found_old", tally.found_old);
  number("found_new", tally.found_new);
  number("found_neither", tally.cuts - tally.found_old - tally.found_new);
  return seconds_of(TimePoint{tally.virtual_time});
}

}  // namespace

double run_houses(std::string_view name, const Options& options, RunReport& report, Digest& digest) {
  if (name == kHousePowerCut) {
    return run_power_cuts(name, options, report, digest);
  }
  const HouseFigures figures = run_with(name, options, std::nullopt, report, digest);
  add_house_figures(report, figures);
  double virtual_seconds = seconds_of(TimePoint{figures.virtual_time});
  if (name != kHouseYear || options.house.modes) {
    return virtual_seconds;
  }
  const HousePlan own = *make_house_plan(name, options.seed, options.duration, options.house);
  Table table{Row{modes_text(own.settings.enabled), energy_table(figures)}};
  for (const EnumSet<Mode>& modes : compared_modes()) {
    const HouseFigures compared = run_with(name, options, modes, report, digest);
    virtual_seconds += seconds_of(TimePoint{compared.virtual_time});
    table.push_back(Row{modes_text(modes), energy_table(compared)});
  }
  report.figures.push_back(Figure{"energy_kwh_by_modes", table, kPerKilo});
  return virtual_seconds;
}

}  // namespace amphora::sim
