// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/pack_config.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "apps/amphora/build_info.hpp"
#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/config/checks_pack.hpp"

namespace amphora::run {
namespace {

// 64-bit FNV-1a.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325;
  for (const char character : text) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100'0000'01B3;
  }
  return hash;
}

// The spec of a text that has passed the checks; what has not is left out.
template <class Spec>
Spec spec_or_none(const std::variant<Spec, runtime::SpecError>& parsed) {
  const auto* spec = std::get_if<Spec>(&parsed);
  return spec != nullptr ? *spec : Spec{};
}

node::FirmwareVersion firmware_version() {
  node::FirmwareVersion version;
  std::array<unsigned, 3> numbers{};
  std::size_t index = 0;
  for (const char character : build_info().version) {
    if (character >= '0' && character <= '9') {
      numbers[index] = 10 * numbers[index] + static_cast<unsigned>(character - '0');
    } else if (character == '.' && index + 1 < numbers.size()) {
      ++index;
    } else {
      break;
    }
  }
  version.major = static_cast<std::uint8_t>(numbers[0]);
  version.minor = static_cast<std::uint8_t>(numbers[1]);
  version.patch = static_cast<std::uint8_t>(numbers[2]);
  return version;
}

void add_network(node::PackConfig& node, const config::Config& config, std::string_view machine_id,
                 std::string_view bus_key) {
  node.firmware = firmware_version();
  node.network.hardware = hardware_number(config, machine_id);
  node.network.firmware_major = node.firmware.major;
  node.network.firmware_minor = node.firmware.minor;
  const bool is_sealed = config.bus.mode == config::BusMode::kSealed && !config.bus.interface.empty();
  node.network.gate.is_sealed = is_sealed;
  node.share.seal.is_sealed = is_sealed;
  const auto key = config::parse_bus_key(bus_key);
  if (!is_sealed || !key) {
    return;
  }
  crypto::Key bus{};
  std::copy(key->begin(), key->end(), bus.begin());
  node.share.seal.key = packnet::section_key(bus);
  node.network.gate.key = packnet::command_key(bus, config::parse_hardware(config.bus.gateway).value_or(0));
}

runtime::HostTime to_host_time(config::ClockUse use) {
  switch (use) {
    case config::ClockUse::kSynchronised:
      return runtime::HostTime::kSynchronised;
    case config::ClockUse::kTrusted:
      return runtime::HostTime::kTrusted;
    case config::ClockUse::kNever:
      break;
  }
  return runtime::HostTime::kNever;
}

}  // namespace

runtime::PackOptions to_pack_options(const config::Config& config, std::string_view machine_id,
                                     std::string_view bus_key) {
  runtime::PackOptions options;
  node::PackConfig& node = options.node;
  node.bms = config.bms.driver == config::BmsDriver::kTinyBms ? node::PackBmsKind::kTinybms
                                                              : node::PackBmsKind::kModbus;
  node.modbus.profile = config.bms.registers;
  node.modbus.poll_interval = config.bms.poll_interval;
  node.tinybms.poll_interval = config.bms.poll_interval;
  node.tinybms.back_off_max = std::max(node.tinybms.back_off_max, config.bms.poll_interval);
  node.capacity = config.battery.capacity;
  node.control.balance = config::to_balance(config);
  node.control.protection = config::to_protection(config);
  node.control.relays = config::to_relays(config);
  node.has_bus = !config.bus.interface.empty();
  add_network(node, config, machine_id, bus_key);
  options.serial_path = config.bms.port;
  options.baud = node.bms == node::PackBmsKind::kModbus ? config.bms.baud : runtime::SerialOptions{}.baud;
  options.bus = config.bus.interface;
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    const energy::Relay relay = energy::relay_at(i);
    options.relays.specs[i] = spec_or_none(runtime::parse_relay_spec(config.relays.place[i], relay));
    options.sensors.specs[i] =
        spec_or_none(runtime::parse_input_spec(config.inputs.place[i], runtime::place_of(relay)));
  }
  options.sensors.specs[index_of(runtime::Place::kAcVoltage)] =
      spec_or_none(runtime::parse_input_spec(config.inputs.ac_voltage, runtime::Place::kAcVoltage));
  options.indicator.bar = spec_or_none(runtime::parse_bar_spec(config.indicator.bar));
  options.indicator.digits = spec_or_none(runtime::parse_digits_spec(config.indicator.digits));
  options.indicator.leds = spec_or_none(runtime::parse_leds_spec(config.indicator.leds));
  options.indicator.buzzer = spec_or_none(runtime::parse_buzzer_spec(config.indicator.buzzer));
  options.host_time = to_host_time(config.bus.host_clock);
  return options;
}

std::optional<std::string> check_pack_options(const runtime::PackOptions& options) {
  const auto sentence = [](std::string_view part, std::string_view field, std::string_view allowed) {
    return fmt::format("{}: {} cannot be worked with; allowed: {}", part, field, allowed);
  };
  if (options.node.bms == node::PackBmsKind::kTinybms) {
    if (const auto issue = tinybms::validate(options.node.tinybms)) {
      return sentence("bms", issue->field, issue->allowed);
    }
  } else if (const auto field = modbus::check_config(options.node.modbus); !field.empty()) {
    return sentence("bms", field, "see the documentation");
  }
  if (const auto error = energy::check_config(options.node.control)) {
    return sentence("protection, relays or inputs", error->field, error->allowed);
  }
  return std::nullopt;
}

packnet::HardwareNumber hardware_number(const config::Config& config, std::string_view machine_id) {
  if (const auto number = config::parse_hardware(config.bus.hardware)) {
    return *number;
  }
  const std::uint64_t hash = hash_of(fmt::format("{}/{}", machine_id, config.box.name));
  return hash != 0 ? hash : 1;
}

std::string hardware_text(packnet::HardwareNumber hardware) {
  return fmt::format("{:016x}", hardware);
}

std::string read_machine_id() {
  std::string id;
  std::ifstream file{"/etc/machine-id"};
  if (std::getline(file, id) && !id.empty()) {
    return id;
  }
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string{name.data()} : std::string{};
}

}  // namespace amphora::run
