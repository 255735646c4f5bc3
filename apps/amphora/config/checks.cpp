// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/checks.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/config/checks_pack.hpp"
#include "apps/amphora/config/fields.hpp"
#include "apps/amphora/config/secret_file.hpp"

namespace amphora::config {

namespace {

constexpr Decicelsius kRamp{100};
constexpr Decicelsius kColdDischargeRamp{150};
constexpr BasisPoints kReserveRamp{1000};

// Voltages that cell makers permit at most; beyond them a figure belongs to the other chemistry or to a
// typing error.
struct ChemistryBounds {
  Millivolts lowest;
  Millivolts highest;
};
constexpr ChemistryBounds bounds_of(battery::Chemistry chemistry) {
  return chemistry == battery::Chemistry::kLfp ? ChemistryBounds{Millivolts{2000}, Millivolts{3650}}
                                               : ChemistryBounds{Millivolts{2500}, Millivolts{4250}};
}

// TinyBMS is made for 4 to 16 cells (register 307 of its protocol document).
constexpr std::uint16_t kTinyBmsCellsMin = 4;
constexpr std::uint16_t kTinyBmsCellsMax = 16;

void add(std::vector<Problem>& to, std::string_view section, std::string_view key, std::string what,
         std::string allowed, std::initializer_list<std::string> based_on = {}) {
  to.push_back({.section = std::string{section},
                .key = std::string{key},
                .what = std::move(what),
                .allowed = std::move(allowed),
                .based_on = based_on});
}

void check_cells(const Config& config, std::vector<Problem>& errors) {
  struct Bound {
    std::string_view key;
    Millivolts value;
  };
  const battery::Profile& profile = config.battery;
  const std::array<Bound, 4> rising{
      Bound{"cell_min_v", profile.cell_min}, Bound{"cell_empty_v", profile.cell_empty},
      Bound{"cell_full_v", profile.cell_full}, Bound{"cell_max_v", profile.cell_max}};
  const ChemistryBounds bounds = bounds_of(profile.chemistry);
  const auto volts = [](Millivolts value) {
    return format_number(*find_field("battery", "cell_max_v"), value.count());
  };
  for (std::size_t i = 0; i < rising.size(); ++i) {
    if (rising[i].value < bounds.lowest || rising[i].value > bounds.highest) {
      add(errors, "battery", rising[i].key,
          fmt::format("{} V is not possible for {} cells", volts(rising[i].value),
                      battery::to_text(profile.chemistry)),
          fmt::format("allowed for {}: {} to {} V", battery::to_text(profile.chemistry), volts(bounds.lowest),
                      volts(bounds.highest)),
          {"battery.chemistry"});
    }
    if (i > 0 && rising[i].value <= rising[i - 1].value) {
      add(errors, "battery", rising[i].key,
          fmt::format("{} V is not above {} ({} V)", volts(rising[i].value), rising[i - 1].key,
                      volts(rising[i - 1].value)),
          "allowed: cell_min_v < cell_empty_v < cell_full_v < cell_max_v",
          {fmt::format("battery.{}", rising[i - 1].key)});
    }
  }
}

void check_temperatures(const Config& config, std::vector<Problem>& errors) {
  const battery::Profile& profile = config.battery;
  if (profile.charge_temperature_full_min > profile.charge_temperature_full_max) {
    add(errors, "battery", "charge_temperature_max_c", "leaves no range with full charge current",
        "allowed: at least 20 °C above charge_temperature_min_c", {"battery.charge_temperature_min_c"});
  }
  if (profile.discharge_temperature_full_min > profile.discharge_temperature_full_max) {
    add(errors, "battery", "discharge_temperature_max_c", "leaves no range with full discharge current",
        "allowed: at least 25 °C above discharge_temperature_min_c", {"battery.discharge_temperature_min_c"});
  }
}

void check_bms(const Config& config, std::vector<Problem>& errors) {
  const BmsSection& bms = config.bms;
  if (bms.driver == BmsDriver::kModbus) {
    add(errors, "bms", "driver",
        fmt::format("\"modbus\" is for a pack, not for a {}", to_text(config.box.role)),
        "allowed: \"tinybms\", \"can\"", {"role"});
    return;
  }
  if (bms.driver == BmsDriver::kTinyBms) {
    if (bms.port.empty()) {
      add(errors, "bms", "port", "is missing; driver \"tinybms\" reads a serial port",
          "for example: port = \"/dev/ttyUSB0\"", {"bms.driver"});
    }
    if (!bms.interface.empty()) {
      add(errors, "bms", "interface", "is for driver \"can\"; driver \"tinybms\" reads a serial port",
          "leave it out, or set driver = \"can\"", {"bms.driver"});
    }
    if (config.battery.series_cells < kTinyBmsCellsMin || config.battery.series_cells > kTinyBmsCellsMax) {
      add(errors, "battery", "series_cells",
          fmt::format("{} cells cannot hang on a TinyBMS", config.battery.series_cells),
          fmt::format("allowed with this driver: {} to {}", kTinyBmsCellsMin, kTinyBmsCellsMax),
          {"bms.driver"});
    }
  } else {
    if (bms.interface.empty()) {
      add(errors, "bms", "interface", "is missing; driver \"can\" reads a CAN interface",
          "for example: interface = \"can1\"", {"bms.driver"});
    } else if (bms.interface == config.inverter.interface) {
      add(errors, "bms", "interface",
          fmt::format("\"{}\" is also the interface of the inverter", bms.interface),
          "battery and inverter use the same frame numbers: give each a bus of its own",
          {"bms.driver", "inverter.interface"});
    }
    if (!bms.port.empty()) {
      add(errors, "bms", "port", "is for driver \"tinybms\"; driver \"can\" reads a CAN interface",
          "leave it out, or set driver = \"tinybms\"", {"bms.driver"});
    }
  }
  if (bms.stale_after < 2 * bms.poll_interval) {
    add(errors, "bms", "stale_after_s",
        "is less than two poll intervals: one lost reply would stop the inverter",
        fmt::format("allowed: at least 2 x poll_interval_ms ({} ms)", to_milliseconds(2 * bms.poll_interval)),
        {"bms.poll_interval_ms"});
  }
}

void check_mqtt(const Config& config, Findings& findings) {
  const MqttSection& mqtt = config.mqtt;
  if (!mqtt.is_enabled) {
    return;
  }
  if (!mqtt.use_tls && !is_loopback(mqtt.host)) {
    if (!mqtt.allow_plain) {
      add(findings.errors, "mqtt", "tls",
          fmt::format("is needed for a broker on another machine ({})", mqtt.host),
          "set tls = true, or allow_plain = true if that network is trusted",
          {"mqtt.host", "mqtt.enabled", "mqtt.allow_plain"});
    } else {
      add(findings.warnings, "mqtt", "allow_plain",
          fmt::format("readings and password travel unencrypted to {}", mqtt.host), "better: tls = true");
    }
  }
  if (!mqtt.password_file.empty() && mqtt.username.empty()) {
    add(findings.errors, "mqtt", "password_file", "is given without a username", "set username as well",
        {"mqtt.username"});
  }
  if (!mqtt.username.empty() && mqtt.password_file.empty() && mqtt.password.empty()) {
    add(findings.errors, "mqtt", "username", "is given without a password_file", "set password_file as well",
        {"mqtt.password_file"});
  }
  if (!mqtt.ca_file.empty() && !mqtt.use_tls) {
    add(findings.errors, "mqtt", "ca_file", "has no effect without TLS", "set tls = true or leave it out",
        {"mqtt.tls"});
  }
}

void check_web(const Config& config, Findings& findings) {
  const WebSection& web = config.web;
  const auto listen = parse_listen(web.listen);
  if (!web.is_enabled || !listen) {
    return;
  }
  if (!is_loopback(listen->address)) {
    if (web.login == Login::kNone) {
      add(findings.errors, "web", "login",
          fmt::format("\"none\" would let everybody who reaches {} change settings", web.listen),
          "allowed: \"required\", or listen on 127.0.0.1", {"web.listen"});
    }
    if (web.certificate_file.empty()) {
      add(findings.warnings, "web", "listen", fmt::format("passwords travel unencrypted to {}", web.listen),
          "better: certificate_file and key_file, or a proxy with TLS in front of 127.0.0.1");
    }
  }
  if (web.certificate_file.empty() != web.key_file.empty()) {
    const bool lacks_key = web.key_file.empty();
    add(findings.errors, "web", lacks_key ? "certificate_file" : "key_file",
        lacks_key ? "is given without key_file" : "is given without certificate_file", "give both or none",
        {"web.certificate_file", "web.key_file"});
  }
}

void check_inverter(const Config& config, Findings& findings) {
  if (config.inverter.interface.empty() && config.box.role == Role::kBmsGateway) {
    add(findings.errors, "inverter", "interface", "is empty; a bms-gateway serves an inverter",
        "for example: interface = \"can0\", or role = \"transmitter\"", {"role"});
  }
  // A GX device applies rules of its own to batteries whose name it takes for one of these.
  for (const std::string_view brand : {"PYLON", "BYD", "LG"}) {
    if (config.inverter.manufacturer.starts_with(brand)) {
      add(findings.warnings, "inverter", "manufacturer",
          fmt::format("\"{}\" makes the inverter apply limits made for that brand",
                      config.inverter.manufacturer),
          "better: leave it out");
    }
  }
  if (config.inverter.interface.starts_with("virtual:")) {
    add(findings.warnings, "inverter", "interface", "is a bus inside this program: no inverter is connected",
        "for an inverter: an interface of the system, such as \"can0\"");
  }
}

void check_radio(const Config& config, Findings& findings) {
  const RadioSection& radio = config.radio;
  if (radio.interface.empty()) {
    if (config.box.role != Role::kBmsGateway) {
      add(findings.errors, "radio", "interface",
          fmt::format("is empty; a {} needs a radio", to_text(config.box.role)),
          "for example: interface = \"wlan1\"", {"role"});
    }
    return;
  }
  if (radio.mode == RadioMode::kPlain) {
    add(findings.warnings, "radio", "mode",
        "is \"plain\": everybody in reach can read the battery and change settings",
        "for commissioning only; better: \"sealed\", and pair both boxes");
  } else if (!radio.peer.empty()) {
    add(findings.errors, "radio", "peer",
        "has no meaning for a sealed link, which knows its peers by pairing",
        "leave it out, or set mode = \"plain\"", {"radio.mode"});
  }
}

}  // namespace

void derive_ramps(battery::Profile& profile) {
  profile.charge_temperature_full_min = profile.charge_temperature_min + kRamp;
  profile.charge_temperature_full_max = profile.charge_temperature_max - kRamp;
  profile.discharge_temperature_full_min = profile.discharge_temperature_min + kColdDischargeRamp;
  profile.discharge_temperature_full_max = profile.discharge_temperature_max - kRamp;
  profile.soc_reserve_start = profile.soc_reserve_stop + kReserveRamp;
}

Findings check_between_fields(const Config& config) {
  Findings findings;
  if (config.has_battery_part()) {
    check_bms(config, findings.errors);
    check_cells(config, findings.errors);
    check_temperatures(config, findings.errors);
    check_inverter(config, findings);
    check_mqtt(config, findings);
  }
  if (config.has_pack_part()) {
    check_pack(config, findings);
    check_mqtt(config, findings);
  } else {
    check_radio(config, findings);
  }
  check_web(config, findings);
  return findings;
}

Findings check_files(const Config& config) {
  Findings findings;
  for (const Field& field : fields()) {
    if (field.kind != Kind::kSecretFile || field.access.text(config).empty()) {
      continue;
    }
    if (const auto fault = secret_file_fault(field.access.text(config))) {
      add(findings.errors, field.section, field.key, *fault,
          "allowed: a plain file that only its owner may read (chmod 600)");
    }
  }
  if (findings.errors.empty() && !config.bus.key_file.empty()) {
    const auto secret = read_secret(config.bus.key_file);
    if (!secret || !parse_bus_key(*secret)) {
      add(findings.errors, "bus", "key_file", "holds no key",
          "allowed: 64 hexadecimal digits on the first line, as from: openssl rand -hex 32");
    }
  }
  return findings;
}

}  // namespace amphora::config
