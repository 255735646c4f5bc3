// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/checks_pack.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/config/fields.hpp"
#include "core/bms/modbus/profiles.hpp"
#include "runtime/inputs/input_spec.hpp"
#include "runtime/relays/relay_spec.hpp"

namespace amphora::config {

namespace {

void add(std::vector<Problem>& to, std::string_view section, std::string_view key, std::string what,
         std::string allowed, std::initializer_list<std::string> based_on = {}) {
  to.push_back({.section = std::string{section},
                .key = std::string{key},
                .what = std::move(what),
                .allowed = std::move(allowed),
                .based_on = based_on});
}

constexpr std::array<std::uint32_t, 8> kBauds{1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200};

// Where a field of the core is set in the file.
struct Where {
  std::string_view field;
  std::string_view section;
  std::string_view key;
};
constexpr std::array kWhere{
    Where{"pack_max", "protection", "pack_max_v"}, Where{"pack_min", "protection", "pack_min_v"},
    Where{"cell_max", "protection", "cell_max_v"}, Where{"cell_min", "protection", "cell_min_v"},
    Where{"voltage_line", "battery", "soc_full_v"}};

void add_refused(const std::optional<energy::SettingsError>& error, std::vector<Problem>& errors) {
  if (!error) {
    return;
  }
  const auto found = std::find_if(kWhere.begin(), kWhere.end(),
                                  [&error](const Where& where) { return where.field == error->field; });
  const Where where = found != kWhere.end() ? *found : Where{error->field, "protection", ""};
  add(errors, where.section, where.key, "does not go with the other values",
      fmt::format("allowed: {}", error->allowed),
      {"protection.pack_max_v", "protection.pack_min_v", "protection.cell_max_v", "protection.cell_min_v",
       "battery.soc_empty_v", "battery.soc_full_v", "battery.series_cells"});
}

void check_bms(const Config& config, std::vector<Problem>& errors) {
  const BmsSection& bms = config.bms;
  if (bms.driver == BmsDriver::kCan) {
    add(errors, "bms", "driver", "\"can\" is for a bms-gateway; a pack reads its BMS on a serial line",
        "allowed: \"modbus\", \"tinybms\"");
    return;
  }
  if (bms.port.empty()) {
    add(errors, "bms", "port", "is missing; a pack reads its BMS on a serial line",
        "for example: port = \"/dev/ttyUSB0\"", {"bms.driver"});
  }
  if (bms.driver == BmsDriver::kModbus && bms.profile == "full" &&
      config.battery.series_cells > modbus::kFullCellCountMax) {
    add(errors, "battery", "series_cells",
        fmt::format("{} cells do not fit into one request of profile \"full\"", config.battery.series_cells),
        fmt::format("allowed: up to {}", modbus::kFullCellCountMax), {"bms.profile"});
  }
  if (bms.driver == BmsDriver::kModbus && std::ranges::find(kBauds, bms.baud) == kBauds.end()) {
    add(errors, "bms", "baud", fmt::format("{} is not a usual speed", bms.baud),
        fmt::format("allowed: {}", fmt::join(kBauds, ", ")));
  }
  if (bms.stale_after < 2 * bms.poll_interval) {
    add(errors, "bms", "stale_after_s",
        "is less than two poll intervals: one lost reply would open the loads",
        fmt::format("allowed: at least 2 x poll_interval_ms ({} ms)", to_milliseconds(2 * bms.poll_interval)),
        {"bms.poll_interval_ms"});
  }
}

void check_inputs(const Config& config, Findings& findings) {
  runtime::InputSpecs specs{};
  bool has_mqtt = false;
  for (std::size_t i = 0; i < runtime::kPlaceCount; ++i) {
    const auto place = static_cast<runtime::Place>(i);
    const std::string& text = i < energy::kRelayCount ? config.inputs.place[i] : config.inputs.ac_voltage;
    const auto parsed = runtime::parse_input_spec(text, place);
    const auto* const spec = std::get_if<runtime::InputSpec>(&parsed);
    if (spec == nullptr) {
      return;  // told with the field
    }
    if (std::holds_alternative<runtime::MqttSpec>(*spec) && !config.mqtt.is_enabled && !has_mqtt) {
      has_mqtt = true;
      add(findings.errors, "inputs", runtime::to_text(place), "comes by MQTT, which is switched off",
          "set mqtt.enabled = true, or measure it another way", {"mqtt.enabled"});
    }
    specs[i] = *spec;
  }
  if (const std::string fault = runtime::check_input_specs(specs); !fault.empty()) {
    add(findings.errors, "inputs", "", fault, "give each line one speed");
  }
  if (config.inputs.place[index_of(energy::Relay::kGrid)].empty() &&
      config.inputs.place[index_of(energy::Relay::kInverterOutput)].empty()) {
    add(findings.warnings, "inputs", "", "neither grid nor inverter output is measured",
        "eco and the import limit will have nothing to judge by");
  }
}

void check_relays(const Config& config, Findings& findings) {
  runtime::RelaySpecs specs{};
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    const auto parsed = runtime::parse_relay_spec(config.relays.place[i], energy::relay_at(i));
    const auto* const spec = std::get_if<runtime::RelaySpec>(&parsed);
    if (spec == nullptr) {
      return;
    }
    specs[i] = *spec;
  }
  if (const std::string fault = runtime::check_relay_specs(specs); !fault.empty()) {
    add(findings.errors, "relays", "", fault, "give each relay a line of its own");
  }
  if (std::ranges::none_of(specs, runtime::is_fitted)) {
    add(findings.warnings, "relays", "", "no relay is fitted", "modes will have nothing to work");
  }
}

void check_bus(const Config& config, Findings& findings) {
  const BusSection& bus = config.bus;
  if (bus.interface.empty()) {
    return;
  }
  if (bus.mode == BusMode::kPlain) {
    add(findings.warnings, "bus", "mode", "is \"plain\": every device on the bus can give commands",
        "for commissioning only; better: \"sealed\", with key_file and gateway");
    return;
  }
  if (bus.key_file.empty()) {
    add(findings.errors, "bus", "key_file", "is missing; a sealed bus has a key",
        "a file with 64 hexadecimal digits, the same for all packs, or mode = \"plain\"", {"bus.mode"});
  }
  if (bus.gateway.empty()) {
    add(findings.warnings, "bus", "gateway", "is not given: no command over the bus can count",
        "the hardware number of the gateway");
  }
}

}  // namespace

std::optional<std::array<std::uint8_t, 32>> parse_bus_key(std::string_view text) {
  std::array<std::uint8_t, 32> key{};
  if (text.size() != 2 * key.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char* const digits = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(digits, digits + 2, key[i], 16);
    if (error != std::errc{} || end != digits + 2) {
      return std::nullopt;
    }
  }
  return key;
}

energy::Protection to_protection(const Config& config) {
  const ProtectionSection& from = config.protection;
  energy::Protection to;
  to.cell_max = from.cell_max;
  to.cell_min = from.cell_min;
  to.pack_max = from.pack_max.count() != 0 ? from.pack_max : from.cell_max * config.battery.series_cells;
  to.pack_min = from.pack_min.count() != 0 ? from.pack_min : from.cell_min * config.battery.series_cells;
  to.temperature_max = from.temperature_max;
  to.bms_stale_after = config.bms.stale_after;
  return to;
}

energy::PerRelay<energy::RelayConfig> to_relays(const Config& config) {
  energy::PerRelay<energy::RelayConfig> relays{};
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    const bool is_load = energy::is_load(energy::relay_at(i));
    relays[i].is_fitted = !config.relays.place[i].empty();
    relays[i].on_min = is_load ? config.relays.load_on_min : config.relays.on_min;
    relays[i].off_min = is_load ? config.relays.load_off_min : config.relays.off_min;
    relays[i].switches_per_hour = config.relays.switches_per_hour;
    relays[i].rated = config.relays.rated;
  }
  return relays;
}

energy::BalanceConfig to_balance(const Config& config) {
  energy::BalanceConfig balance;
  balance.ac_nominal = config.inputs.ac_nominal;
  balance.grid.noise_floor = config.inputs.noise_floor;
  balance.inverter_output.noise_floor = config.inputs.noise_floor;
  for (energy::SensorConfig& load : balance.load) {
    load.noise_floor = config.inputs.noise_floor;
  }
  balance.loads_outside = parse_loads(config.inputs.outside).value_or(0);
  balance.voltage_line = {config.soc_line.cell_empty * config.battery.series_cells,
                          config.soc_line.cell_full * config.battery.series_cells};
  balance.ac_age_max = config.inputs.age_max;
  balance.battery_age_max = config.bms.stale_after;
  return balance;
}

void check_pack(const Config& config, Findings& findings) {
  check_bms(config, findings.errors);
  add_refused(energy::check_config(to_protection(config)), findings.errors);
  add_refused(energy::check_config(to_balance(config)), findings.errors);
  add_refused(energy::check_config(to_relays(config)), findings.errors);
  check_inputs(config, findings);
  check_relays(config, findings);
  check_bus(config, findings);
}

}  // namespace amphora::config
