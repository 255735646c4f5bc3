// SPDX-License-Identifier: Apache-2.0
#include "core/energy/settings.hpp"

#include <algorithm>

namespace amphora::energy {

namespace {

constexpr BasisPoints kAll{10'000};

struct Rule {
  bool holds;
  SettingsError error;
};

template <std::size_t Count>
std::optional<SettingsError> first_broken(const std::array<Rule, Count>& rules) {
  const auto broken = std::ranges::find(rules, false, &Rule::holds);
  return broken == rules.end() ? std::nullopt : std::optional{broken->error};
}

bool is_window(const Window& window) {
  return window.start_minute < kMinutesPerDay && window.end_minute < kMinutesPerDay &&
         (window.days & 0x7FU) != 0 && window.days <= 0x7F;
}

bool is_order(const EcoOrder& order) {
  if (order.count > kRelayCount) {
    return false;
  }
  std::uint32_t seen = 1U << index_of(Relay::kGrid);
  for (std::size_t i = 0; i < order.count; ++i) {
    const std::size_t index = index_of(order.relay[i]);
    if (index >= kRelayCount || ((seen >> index) & 1U) != 0) {
      return false;
    }
    seen |= 1U << index;
  }
  return true;
}

bool is_within(Duration value, Duration low, Duration high) {
  return value >= low && value <= high;
}

}  // namespace

std::optional<SettingsError> check_settings(const ModeSettings& s) {
  const auto windows_end = s.windows.window.begin() + std::min<std::size_t>(s.windows.count, kWindowCountMax);
  const auto rules = std::array{
      Rule{s.enabled.bits() < (1U << kModeCount), {"enabled", "modes of this version"}},
      Rule{s.self_low >= BasisPoints{0} && s.self_low <= kAll, {"self_low", "0 to 100 %"}},
      Rule{s.self_high > s.self_low && s.self_high <= kAll, {"self_high", "above self_low, at most 100 %"}},
      Rule{s.eco_limit >= kEcoLimitMin && s.eco_limit <= kEcoLimitMax, {"eco_limit", "100 to 100000 W"}},
      Rule{is_order(s.eco_order), {"eco_order", "each relay but the grid, at most once"}},
      Rule{
          s.windows.count <= kWindowCountMax && std::all_of(s.windows.window.begin(), windows_end, is_window),
          {"windows", "at most 8, each from 00:00 to 23:59 on at least one day"}},
      Rule{s.import_limit >= kImportLimitMin && s.import_limit <= kImportLimitMax,
           {"import_limit", "2 to 30 kWh"}},
      Rule{s.import_reset_minute < kMinutesPerDay, {"import_reset_minute", "00:00 to 23:59"}},
      Rule{s.soc_minimum >= BasisPoints{0} && s.soc_minimum <= BasisPoints{9000},
           {"soc_minimum", "0 to 90 %"}},
      Rule{s.soc_minimum_release > s.soc_minimum && s.soc_minimum_release <= kAll,
           {"soc_minimum_release", "above soc_minimum, at most 100 %"}}};
  return first_broken(rules);
}

std::optional<SettingsError> check_config(const Protection& p) {
  const auto rules = std::array{
      Rule{p.pack_min >= Millivolts{0} && p.pack_max <= Millivolts{1'500'000}, {"pack_max", "0 to 1500 V"}},
      Rule{p.pack_hysteresis >= Millivolts{0} && p.pack_hysteresis <= Millivolts{100'000} &&
               p.pack_min + p.pack_hysteresis < p.pack_max - p.pack_hysteresis,
           {"pack_min", "below pack_max by more than twice the hysteresis"}},
      Rule{p.cell_min >= Millivolts{0} && p.cell_max <= Millivolts{5000}, {"cell_max", "0 to 5 V"}},
      Rule{p.cell_hysteresis >= Millivolts{0} && p.cell_hysteresis <= Millivolts{1000} &&
               p.cell_min + p.cell_hysteresis < p.cell_max - p.cell_hysteresis,
           {"cell_min", "below cell_max by more than twice the hysteresis"}},
      Rule{p.temperature_max >= Decicelsius{0} && p.temperature_max <= Decicelsius{1000},
           {"temperature_max", "0 to 100 degrees Celsius"}},
      Rule{p.temperature_hysteresis >= Decicelsius{0} && p.temperature_hysteresis <= Decicelsius{500},
           {"temperature_hysteresis", "0 to 50 degrees"}},
      Rule{is_within(p.hold, Duration::zero(), std::chrono::hours{1}), {"hold", "0 to 1 h"}},
      Rule{is_within(p.bms_stale_after, std::chrono::seconds{1}, std::chrono::seconds{60}),
           {"bms_stale_after", "1 to 60 s"}}};
  return first_broken(rules);
}

std::optional<SettingsError> check_config(const PerRelay<RelayConfig>& relays) {
  for (const RelayConfig& relay : relays) {
    const auto rules = std::array{
        Rule{is_within(relay.on_min, Duration::zero(), std::chrono::hours{1}), {"on_min", "0 to 1 h"}},
        Rule{is_within(relay.off_min, Duration::zero(), std::chrono::hours{1}), {"off_min", "0 to 1 h"}},
        Rule{relay.switches_per_hour >= kSwitchesPerHourMin && relay.switches_per_hour <= kSwitchesPerHourMax,
             {"switches_per_hour", "4 to 60"}},
        Rule{relay.rated >= Watts{0} && relay.rated <= kEcoLimitMax, {"rated", "0 to 100000 W"}}};
    if (const auto error = first_broken(rules)) {
      return error;
    }
  }
  return std::nullopt;
}

std::optional<SettingsError> check_config(const BalanceConfig& b) {
  const auto is_sensor = [](const SensorConfig& sensor) {
    return sensor.gain >= Permille{1} && sensor.gain <= Permille{100'000} &&
           sensor.noise_floor >= Milliamps{0} && sensor.noise_floor <= Milliamps{100'000};
  };
  const auto rules = std::array{
      Rule{b.ac_nominal >= Millivolts{50'000} && b.ac_nominal <= Millivolts{500'000},
           {"ac_nominal", "50 to 500 V"}},
      Rule{is_sensor(b.grid) && is_sensor(b.inverter_output) && std::ranges::all_of(b.load, is_sensor),
           {"sensor", "gain 0.001 to 100, noise floor 0 to 100 A"}},
      Rule{(b.loads_outside >> kLoadCount) == 0, {"loads_outside", "loads 0 to 5"}},
      Rule{b.voltage_line.empty >= Millivolts{0} && b.voltage_line.empty < b.voltage_line.full &&
               b.voltage_line.full <= Millivolts{1'500'000},
           {"voltage_line", "empty below full, at most 1500 V"}},
      Rule{is_within(b.ac_age_max, std::chrono::seconds{1}, std::chrono::minutes{1}),
           {"ac_age_max", "1 to 60 s"}},
      Rule{is_within(b.battery_age_max, std::chrono::seconds{1}, std::chrono::minutes{1}),
           {"battery_age_max", "1 to 60 s"}}};
  return first_broken(rules);
}

}  // namespace amphora::energy
