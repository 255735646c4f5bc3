// SPDX-License-Identifier: Apache-2.0
// The typed configuration of one box.
//
// It is what remains of a configuration file after every key was found in the table of fields (fields.hpp),
// checked for type and range, and after the checks between keys (checks.hpp) have passed: a Config in hand is
// a valid one. The defaults below are the only place where a default is written; the documentation and the
// web's settings page read them from a default Config through the same table.
//
// Quantities carry their unit in their type; durations are amphora::Duration (microseconds).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/time.hpp"
#include "core/battery/profile.hpp"
#include "core/bms/modbus/poller.hpp"
#include "core/energy/relay.hpp"

namespace amphora::config {

// A bms-gateway reads a battery and serves an inverter; with a radio it is a transmitter as well. A
// transmitter reads a battery and sends it to receivers; with an inverter's interface it serves that too. A
// receiver shows the batteries of its transmitters. A pack reads a battery, works the relays of a house and
// shares its settings with the other packs on its bus.
enum class Role : std::uint8_t { kBmsGateway, kTransmitter, kReceiver, kPack };
constexpr std::string_view to_text(Role role) {
  constexpr std::string_view kNames[] = {"bms-gateway", "transmitter", "receiver", "pack"};
  return kNames[static_cast<std::size_t>(role)];
}
enum class BmsDriver : std::uint8_t { kTinyBms, kCan, kModbus };
constexpr std::string_view to_text(BmsDriver driver) {
  constexpr std::string_view kNames[] = {"tinybms", "can", "modbus"};
  return kNames[static_cast<std::size_t>(driver)];
}
enum class InverterProtocol : std::uint8_t { kVictron };
enum class Login : std::uint8_t { kRequired, kNone };
enum class RadioMode : std::uint8_t { kSealed, kPlain };
enum class BusMode : std::uint8_t { kSealed, kPlain };
enum class ClockUse : std::uint8_t { kSynchronised, kTrusted, kNever };
enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

struct BoxSection {
  Role role = Role::kBmsGateway;
  std::string name = "Battery";
  std::string site = "home";
  friend bool operator==(const BoxSection&, const BoxSection&) = default;
};

struct BmsSection {
  BmsDriver driver = BmsDriver::kTinyBms;
  std::string port;       // serial drivers
  std::string interface;  // CAN drivers
  Duration poll_interval = std::chrono::milliseconds{1000};
  Duration stale_after = std::chrono::seconds{5};
  // Modbus only.
  std::string profile = "default";
  std::uint8_t address = 1;
  std::uint32_t baud = 9600;
  // No key of the file: what `profile` names, with its address. A profile file is read by load_file().
  modbus::Profile registers;
};

// Where a BMS tells no state of charge: the cell voltages at 0 and 100 %.
struct SocLine {
  Millivolts cell_empty{2900};
  Millivolts cell_full{3900};
};

// Texts stand in the order of energy::Relay.
struct InputsSection {
  energy::PerRelay<std::string> place;
  std::string ac_voltage;
  Millivolts ac_nominal{220'000};
  Duration age_max = std::chrono::seconds{6};
  Milliamps noise_floor{100};
  std::string outside;  // loads that are not behind the inverter output
};

struct RelaysSection {
  energy::PerRelay<std::string> place;
  Duration on_min = std::chrono::seconds{30};
  Duration off_min = std::chrono::seconds{30};
  Duration load_on_min = std::chrono::seconds{60};
  Duration load_off_min = std::chrono::seconds{60};
  std::uint8_t switches_per_hour = 20;
  Watts rated{2000};
};

struct ProtectionSection {
  Millivolts pack_max{0};  // 0: what all cells make
  Millivolts pack_min{0};
  Millivolts cell_max{3650};
  Millivolts cell_min{2800};
  Decicelsius temperature_max{550};
};

struct BusSection {
  std::string interface;  // empty: a pack alone
  BusMode mode = BusMode::kSealed;
  ClockUse host_clock = ClockUse::kSynchronised;
  std::string key_file;
  std::string gateway;
  std::string hardware;
};

struct IndicatorSection {
  std::string bar;
  std::string digits;
  std::string leds;
  std::string buzzer;
};

struct InverterSection {
  InverterProtocol protocol = InverterProtocol::kVictron;
  std::string interface = "can0";
  Duration limits_period = std::chrono::milliseconds{200};
  Duration status_period = std::chrono::milliseconds{1000};
  Duration keepalive_timeout = std::chrono::seconds{10};  // zero: never, for inverters that send none
  Duration lost_hold = std::chrono::seconds{30};
  Duration battery_lost_hold = std::chrono::seconds{60};
  std::string manufacturer = "AMPHORA";
  std::string battery_name = "Amphora";
};

struct MqttSection {
  bool is_enabled = true;
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  std::string username;
  std::string password_file;
  std::string ca_file;
  bool use_tls = false;
  bool allow_plain = false;
  std::string base = "amphora";
  bool use_discovery = true;
  std::string discovery_prefix = "homeassistant";
  Duration reading_interval = std::chrono::seconds{10};
  Duration state_interval = std::chrono::milliseconds{1000};
  // No keys of the file: what the shared settings of a radio link say. The password is never shown.
  std::string password;
  std::string client_id;
  friend bool operator==(const MqttSection&, const MqttSection&) = default;
};

struct RadioSection {
  std::string interface;  // empty: this box has no radio
  RadioMode mode = RadioMode::kSealed;
  std::uint8_t channel = 1;       // where a receiver listens
  std::string channels = "1-13";  // where a transmitter looks for its receiver
  std::string country;            // two letters; empty: as the system has it
  std::uint16_t cells_decihertz = 20;
  Duration reading_interval = std::chrono::milliseconds{1000};
  bool persists_queue = false;
  std::string peer;  // plain mode: the only node that is listened to; empty: any
};

struct WebSection {
  bool is_enabled = true;
  std::string listen = "127.0.0.1:8080";
  std::string root = "/usr/share/amphora/web";
  Login login = Login::kRequired;
  std::string certificate_file;
  std::string key_file;
};

struct StorageSection {
  std::string path = "/var/lib/amphora";
  std::uint16_t history_days = 730;
};

struct LogSection {
  LogLevel level = LogLevel::kInfo;
};

struct Config {
  BoxSection box;
  BmsSection bms;
  battery::Profile battery;
  SocLine soc_line;
  InverterSection inverter;
  InputsSection inputs;
  RelaysSection relays;
  ProtectionSection protection;
  BusSection bus;
  IndicatorSection indicator;
  MqttSection mqtt;
  RadioSection radio;
  WebSection web;
  StorageSection storage;
  LogSection log;

  // A box consists of a part that reads a battery, or a part that talks by radio, or both; or of a pack.
  bool has_battery_part() const { return box.role == Role::kBmsGateway || box.role == Role::kTransmitter; }
  bool has_pack_part() const { return box.role == Role::kPack; }
  bool has_link_part() const { return !radio.interface.empty(); }
};

}  // namespace amphora::config
