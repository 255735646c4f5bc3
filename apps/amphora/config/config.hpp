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

namespace amphora::config {

// A bms-gateway reads a battery and serves an inverter; with a radio it is a transmitter as well. A
// transmitter reads a battery and sends it to receivers; with an inverter's interface it serves that too. A
// receiver shows the batteries of its transmitters.
enum class Role : std::uint8_t { kBmsGateway, kTransmitter, kReceiver };
constexpr std::string_view to_text(Role role) {
  constexpr std::string_view kNames[] = {"bms-gateway", "transmitter", "receiver"};
  return kNames[static_cast<std::size_t>(role)];
}
enum class BmsDriver : std::uint8_t { kTinyBms, kCan };
enum class InverterProtocol : std::uint8_t { kVictron };
enum class Login : std::uint8_t { kRequired, kNone };
enum class RadioMode : std::uint8_t { kSealed, kPlain };
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
  InverterSection inverter;
  MqttSection mqtt;
  RadioSection radio;
  WebSection web;
  StorageSection storage;
  LogSection log;

  // A box consists of a part that reads a battery, or a part that talks by radio, or both.
  bool has_battery_part() const { return box.role != Role::kReceiver; }
  bool has_link_part() const { return !radio.interface.empty(); }
};

}  // namespace amphora::config
