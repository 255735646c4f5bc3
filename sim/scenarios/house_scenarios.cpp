// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/house_scenarios.hpp"

#include <algorithm>
#include <array>

#include "core/base/rng.hpp"
#include "sim/scenarios/draw.hpp"

namespace amphora::sim {

using energy::Mode;
using energy::Position;
using energy::Relay;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr std::int64_t kNewYear = 1'767'225'600;  // 2026-01-01T00:00:00Z
constexpr Duration kDay = hours{24};

constexpr std::int64_t day_of_2026(std::int64_t day) {
  return kNewYear + day * kSecondsPerDay;
}

constexpr EnumSet<Mode> modes(std::initializer_list<Mode> list) {
  EnumSet<Mode> set;
  for (const Mode mode : list) {
    set.set(mode);
  }
  return set;
}

// A power cut about every six weeks, a power-off of the controller about every ten: what a year brings.
void plan_year(HousePlan& plan, Rng& rng) {
  plan.settings.enabled = modes({Mode::kSelfConsumption, Mode::kEco, Mode::kImportLimit});
  plan.inverter.feeds_in = true;
  for (Duration at = seconds_between(rng, kDay, kDay * 42); at < plan.duration;
       at += seconds_between(rng, kDay, kDay * 84)) {
    const Duration length = seconds_between(rng, minutes{1}, hours{6});
    plan.outages.push_back({TimePoint{at}, TimePoint{at + length}});
    at += length;
  }
  for (Duration at = seconds_between(rng, kDay, kDay * 70); at < plan.duration;
       at += seconds_between(rng, kDay, kDay * 140)) {
    const Duration length = seconds_between(rng, seconds{10}, minutes{10});
    plan.faults.push_back({HouseFaultKind::kControllerOff, TimePoint{at}, TimePoint{at + length}, 0});
    at += length;
  }
}

void plan_outage(HousePlan& plan, Rng& rng) {
  plan.start_unix_s = day_of_2026(40);
  plan.settings.enabled = modes({Mode::kBackup, Mode::kEco});
  for (Duration night = hours{22}; night < plan.duration; night += kDay) {
    const Duration from = night + seconds_between(rng, Duration{}, hours{3});
    plan.outages.push_back({TimePoint{from}, TimePoint{from + seconds_between(rng, hours{3}, hours{8})}});
  }
}

// Winter: the limit of 4 kWh is used up every day. The controller loses its power while the limit is
// exhausted, and boots without knowing the date for a quarter of an hour.
void plan_import_limit(HousePlan& plan, Rng& rng) {
  plan.start_unix_s = day_of_2026(10);
  plan.settings.enabled = modes({Mode::kImportLimit});
  plan.settings.import_limit = WattHours{4'000};
  plan.battery.soc_start = BasisPoints{2'500};
  plan.time_known_after = minutes{15};
  for (Duration evening = hours{20}; evening < plan.duration; evening += kDay) {
    const Duration from = evening + seconds_between(rng, Duration{}, hours{7});
    plan.faults.push_back({HouseFaultKind::kControllerOff, TimePoint{from},
                           TimePoint{from + seconds_between(rng, seconds{4}, minutes{5})}, 0});
  }
}

void plan_eco(HousePlan& plan, Rng& rng) {
  plan.start_unix_s = day_of_2026(rng.between(0, 300));
  plan.settings.enabled = modes({Mode::kEco});
  plan.settings.eco_limit = Watts{3'500};
  plan.settings.eco_order.relay = {Relay::kHeater, Relay::kLoad3, Relay::kPump};
  plan.settings.eco_order.count = 3;
  plan.settings.eco_falls_back = rng.chance(500'000);
}

// Two windows, one of them across midnight and around both changes of the clock.
void set_windows(energy::ModeSettings& settings) {
  settings.windows.window[0] = {22 * 60, 2 * 60 + 30, 0x7F};
  settings.windows.window[1] = {7 * 60, 19 * 60, 0x7F};
  settings.windows.count = 2;
}

void plan_windows(HousePlan& plan) {
  plan.settings.enabled = modes({Mode::kTimeOfUse});
  set_windows(plan.settings);
}

void plan_spring(HousePlan& plan, Rng&) {
  plan.start_unix_s = day_of_2026(86);  // 2026-03-28; the clock moves on the 29th
  plan_windows(plan);
}

void plan_autumn(HousePlan& plan, Rng&) {
  plan.start_unix_s = day_of_2026(296);  // 2026-10-24; the clock moves on the 25th
  plan_windows(plan);
}

void plan_time_unknown(HousePlan& plan, Rng& rng) {
  plan.start_unix_s = day_of_2026(rng.between(0, 40));
  plan_windows(plan);
  plan.settings.enabled.set(Mode::kImportLimit);
  plan.settings.import_limit = WattHours{2'000};
  plan.battery.soc_start = BasisPoints{1'800};
  plan.time_known_after = hours{30};
}

energy::ModeSettings random_settings(Rng& rng) {
  energy::ModeSettings settings;
  for (std::size_t i = 0; i < energy::kModeCount; ++i) {
    settings.enabled.set(static_cast<Mode>(i), rng.chance(400'000));
  }
  settings.eco_limit = Watts{rng.between(1'000, 6'000)};
  settings.eco_falls_back = rng.chance(300'000);
  const std::int64_t turn = rng.between(0, 2);
  constexpr auto kLoads = std::array{Relay::kHeater, Relay::kLoad3, Relay::kPump};
  for (std::size_t i = 0; i < kLoads.size(); ++i) {
    settings.eco_order.relay[i] = kLoads[(i + static_cast<std::size_t>(turn)) % kLoads.size()];
  }
  settings.eco_order.relay[3] = Relay::kInverterOutput;
  settings.eco_order.count = static_cast<std::uint8_t>(rng.between(1, 4));
  settings.self_low = BasisPoints{rng.between(1'000, 3'000)};
  settings.self_high = BasisPoints{rng.between(3'500, 9'000)};
  settings.import_limit = WattHours{rng.between(2'000, 8'000)};
  settings.windows.count = static_cast<std::uint8_t>(rng.between(0, 3));
  for (std::size_t i = 0; i < settings.windows.count; ++i) {
    energy::Window& window = settings.windows.window[i];
    window.start_minute = static_cast<std::uint16_t>(rng.between(0, 1'439));
    window.end_minute = static_cast<std::uint16_t>(rng.between(0, 1'439));
    window.days = static_cast<std::uint8_t>(rng.between(1, 0x7F));
  }
  return settings;
}

void add_orders(HousePlan& plan, Rng& rng) {
  for (Duration at = seconds_between(rng, minutes{5}, hours{6}); at < plan.duration;
       at += seconds_between(rng, minutes{1}, hours{8})) {
    const auto relay = energy::relay_at(static_cast<std::size_t>(rng.between(0, 4)));
    const Position position = rng.chance(700'000) ? Position::kOpen : Position::kClosed;
    plan.orders.push_back({TimePoint{at}, relay, position, seconds_between(rng, seconds{10}, hours{5})});
  }
}

HouseFault random_fault(Rng& rng, Duration whole) {
  HouseFault fault;
  fault.kind = static_cast<HouseFaultKind>(rng.below(static_cast<std::uint32_t>(HouseFaultKind::kCount)));
  const bool is_long = rng.chance(400'000);
  Duration longest = is_long ? hours{2} : minutes{3};
  switch (fault.kind) {
    case HouseFaultKind::kGridOutage:
      longest = hours{8};
      break;
    case HouseFaultKind::kClockWrong: {
      const bool is_little = rng.chance(500'000);
      const std::int64_t most = is_little ? 3'600 : 3 * kSecondsPerDay;
      fault.parameter = static_cast<std::uint32_t>(rng.between(-most, most));
      longest = hours{10};
      break;
    }
    case HouseFaultKind::kStuckRelay:
      fault.parameter = rng.below(5);
      break;
    case HouseFaultKind::kPowerCut:
      fault.parameter = static_cast<std::uint32_t>(rng.between(2, 600));
      longest = hours{8};
      break;
    default:
      break;
  }
  const Duration from = seconds_between(rng, seconds{10}, whole);
  fault.from = TimePoint{from};
  fault.until = fault.from + seconds_between(rng, seconds{2}, longest);
  return fault;
}

// Faults without a parameter: all before the grid's outage, which plan_trouble() draws by itself.
constexpr auto kTroubleKinds = static_cast<std::uint32_t>(HouseFaultKind::kGridOutage);

// Everything at once, for as many seeds as one likes.
void plan_trouble(HousePlan& plan, Rng& rng) {
  plan.start_unix_s = day_of_2026(rng.between(0, 360));
  plan.settings = random_settings(rng);
  plan.battery.soc_start = BasisPoints{rng.between(300, 9'800)};
  plan.inverter.feeds_in = rng.chance(500'000);
  plan.inverter.cheap_target = BasisPoints{rng.chance(500'000) ? 8'000 : 0};
  plan.time_known_after = rng.chance(500'000) ? Duration{} : seconds_between(rng, seconds{10}, hours{30});
  for (Duration at = seconds_between(rng, hours{1}, kDay); at < plan.duration;
       at += seconds_between(rng, hours{1}, kDay)) {
    const Duration length = seconds_between(rng, seconds{2}, hours{8});
    plan.outages.push_back({TimePoint{at}, TimePoint{at + length}});
    at += length;
  }
  for (Duration at = seconds_between(rng, minutes{5}, hours{8}); at < plan.duration;
       at += seconds_between(rng, minutes{5}, hours{12})) {
    const auto kind = static_cast<HouseFaultKind>(rng.below(kTroubleKinds));
    const Duration length = seconds_between(rng, seconds{4}, minutes{rng.chance(300'000) ? 90 : 2});
    plan.faults.push_back({kind, TimePoint{at}, TimePoint{at + length}, 0});
    at += length;
  }
  add_orders(plan, rng);
  for (Duration at = seconds_between(rng, hours{6}, kDay * 2); at < plan.duration;
       at += seconds_between(rng, hours{6}, kDay * 2)) {
    plan.changes.push_back({TimePoint{at}, random_settings(rng)});
  }
}

// Everything that is stored changes: the limit of 2 kWh is exhausted each day, eco gives up, people order.
void plan_power_cut(HousePlan& plan, Rng& rng) {
  plan.start_unix_s = day_of_2026(rng.between(0, 40));
  plan.settings.enabled = modes({Mode::kEco, Mode::kImportLimit});
  plan.settings.eco_limit = Watts{2'000};
  plan.settings.eco_falls_back = true;
  plan.settings.eco_order.relay = {Relay::kPump};
  plan.settings.eco_order.count = 1;
  plan.settings.import_limit = WattHours{2'000};
  plan.battery.soc_start = BasisPoints{2'500};
  plan.time_known_after = seconds_between(rng, Duration{}, minutes{2});
  for (Duration at = seconds_between(rng, minutes{10}, hours{2}); at < plan.duration;
       at += seconds_between(rng, hours{1}, hours{5})) {
    const auto relay = rng.chance(500'000) ? Relay::kHeater : Relay::kInverterOutput;
    const Position position = rng.chance(700'000) ? Position::kOpen : Position::kClosed;
    plan.orders.push_back({TimePoint{at}, relay, position, seconds_between(rng, minutes{5}, hours{4})});
  }
}

struct Entry {
  HouseScenario info;
  void (*plan)(HousePlan&, Rng&);
};

constexpr auto kEntries = std::array{
    Entry{{kHouseYear, "a house with sun, battery and grid; seasons, weather, power cuts", kDay * 365},
          plan_year},
    Entry{{"house-outage", "the grid fails at night", kDay * 4}, plan_outage},
    Entry{
        {"house-import-limit", "the import limit is used up, the controller reboots, 05:00 comes", kDay * 4},
        plan_import_limit},
    Entry{{"house-eco", "eco keeps three loads under a limit", kDay * 4}, plan_eco},
    Entry{{"house-spring", "windows across midnight and the day of 23 hours", kDay * 3}, plan_spring},
    Entry{{"house-autumn", "windows across midnight and the day of 25 hours", kDay * 3}, plan_autumn},
    Entry{{"house-time-unknown", "nobody tells the date for thirty hours", kDay * 3}, plan_time_unknown},
    Entry{{"house-trouble", "random modes, orders, power cuts, silent BMS, dead controller", kDay * 7},
          plan_trouble},
    Entry{{kHousePowerCut, "the power goes at every write to the store, one after the other", kDay * 2},
          plan_power_cut},
};

constexpr auto kInfos = [] {
  std::array<HouseScenario, kEntries.size()> infos{};
  for (std::size_t i = 0; i < kEntries.size(); ++i) {
    infos[i] = kEntries[i].info;
  }
  return infos;
}();

bool is_named(Mode mode, std::string_view text) {
  const std::string_view name = energy::to_text(mode);
  return std::equal(name.begin(), name.end(), text.begin(), text.end(),
                    [](char a, char b) { return a == (b == '-' ? '_' : b); });
}

}  // namespace

std::optional<EnumSet<Mode>> parse_modes(std::string_view text) {
  EnumSet<Mode> set;
  if (text == "none") {
    return set;
  }
  for (bool is_last = false; !is_last;) {
    const std::size_t end = std::min(text.find('+'), text.size());
    is_last = end == text.size();
    const std::string_view name = text.substr(0, end);
    bool is_found = false;
    for (std::size_t i = 0; i < energy::kModeCount; ++i) {
      if (is_named(static_cast<Mode>(i), name)) {
        set.set(static_cast<Mode>(i));
        is_found = true;
      }
    }
    if (!is_found) {
      return std::nullopt;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return set;
}

std::string modes_text(EnumSet<Mode> modes) {
  std::string text;
  for (std::size_t i = 0; i < energy::kModeCount; ++i) {
    if (modes.has(static_cast<Mode>(i))) {
      text += (text.empty() ? "" : "+") + std::string{energy::to_text(static_cast<Mode>(i))};
    }
  }
  return text.empty() ? "none" : text;
}

std::span<const HouseScenario> house_scenarios() {
  return kInfos;
}

HousePlan make_random_house_plan(std::uint64_t seed) {
  Rng rng{seed ^ 0x5377'486F'7573'6500U};
  HousePlan plan;
  plan.seed = seed;
  plan.duration = seconds_between(rng, hours{6}, hours{72});
  plan.start_unix_s = day_of_2026(rng.between(0, 364));
  plan.settings = random_settings(rng);
  plan.battery.soc_start = BasisPoints{rng.between(300, 9'800)};
  plan.inverter.feeds_in = rng.chance(500'000);
  plan.inverter.cheap_target = BasisPoints{rng.chance(500'000) ? 8'000 : 0};
  plan.time_known_after = rng.chance(500'000) ? Duration{} : seconds_between(rng, seconds{10}, hours{10});
  const std::int64_t fault_count = rng.between(1, 12);
  bool has_wrong_date = false;
  for (std::int64_t i = 0; i < fault_count; ++i) {
    const HouseFault fault = random_fault(rng, plan.duration);
    has_wrong_date = has_wrong_date || fault.kind == HouseFaultKind::kClockWrong;
    plan.faults.push_back(fault);
  }
  std::stable_sort(plan.faults.begin(), plan.faults.end(),
                   [](const HouseFault& a, const HouseFault& b) { return a.from < b.from; });
  // When an order ends by a wrong date is nobody's promise.
  if (!has_wrong_date) {
    add_orders(plan, rng);
  }
  const bool has_changes = rng.chance(500'000);
  for (Duration at = seconds_between(rng, hours{3}, kDay); has_changes && at < plan.duration;
       at += seconds_between(rng, hours{3}, kDay)) {
    plan.changes.push_back({TimePoint{at}, random_settings(rng)});
  }
  return plan;
}

std::optional<HousePlan> make_house_plan(std::string_view name, std::uint64_t seed,
                                         std::optional<Duration> duration,
                                         const HouseScenarioOptions& options) {
  const auto entry = std::find_if(kEntries.begin(), kEntries.end(),
                                  [name](const Entry& known) { return known.info.name == name; });
  if (entry == kEntries.end()) {
    return std::nullopt;
  }
  HousePlan plan;
  plan.seed = seed;
  plan.duration = duration.value_or(entry->info.duration);
  Rng rng{~seed};
  entry->plan(plan, rng);
  if (options.modes) {
    plan.settings.enabled = *options.modes;
  }
  if (plan.settings.enabled.has(Mode::kTimeOfUse) && plan.settings.windows.count == 0 &&
      plan.changes.empty()) {
    set_windows(plan.settings);
  }
  return plan;
}

}  // namespace amphora::sim
