// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/fields.hpp"

#include <array>
#include <type_traits>
#include <utility>

namespace amphora::config {

namespace {

template <class T>
std::int64_t to_inner(const T& value) {
  if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
    return static_cast<std::int64_t>(value);
  } else {
    return static_cast<std::int64_t>(value.count());
  }
}

template <class T>
T from_inner(std::int64_t value) {
  if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
    return static_cast<T>(value);
  } else if constexpr (std::is_integral_v<T>) {
    return clamp_to<T>(value);
  } else {
    return T{clamp_to<typename T::rep>(value)};
  }
}

template <auto Part, auto Member>
constexpr Access number() {
  return {.number = [](const Config& config) { return to_inner((config.*Part).*Member); },
          .set_number =
              [](Config& config, std::int64_t value) {
                auto& target = (config.*Part).*Member;
                target = from_inner<std::remove_reference_t<decltype(target)>>(value);
              }};
}

template <auto Part, auto Member>
constexpr Access text() {
  return {.text = [](const Config& config) -> const std::string& { return (config.*Part).*Member; },
          .set_text = [](Config& config, std::string value) { (config.*Part).*Member = std::move(value); }};
}

// Bounds in the outer unit, the step in inner units.
consteval Range in_units(std::int64_t scale, double min, double max, std::int64_t step) {
  const auto inner = [scale](double value) {
    const double scaled = value * static_cast<double>(scale);
    return static_cast<std::int64_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  };
  return {.scale = scale, .min = inner(min), .max = inner(max), .step = step};
}
consteval Range volts(double min, double max) {
  return in_units(1000, min, max, 1);
}
consteval Range amps(double min, double max) {
  return in_units(1000, min, max, 100);
}
consteval Range celsius(double min, double max) {
  return in_units(10, min, max, 1);
}
consteval Range milliseconds(double min, double max) {
  return in_units(1000, min, max, 1000);
}
consteval Range seconds(double min, double max) {
  return in_units(1'000'000, min, max, 1'000'000);
}
consteval Range whole(double min, double max) {
  return in_units(1, min, max, 1);
}

using battery::Chemistry;
using battery::Profile;

template <class Enum>
consteval Choice choice(std::string_view text, Enum value, std::string_view title) {
  return {.text = text, .value = static_cast<std::int64_t>(value), .title = title};
}

constexpr std::array kRoles{choice("bms-gateway", Role::kBmsGateway, "Battery to inverter")};
constexpr std::array kDrivers{choice("tinybms", BmsDriver::kTinyBms, "Enepaq TinyBMS on a serial port"),
                              choice("can", BmsDriver::kCan, "Battery that speaks the CAN-bus BMS protocol")};
constexpr std::array kChemistries{choice("lfp", Chemistry::kLfp, "LFP (lithium iron phosphate)"),
                                  choice("nmc", Chemistry::kNmc, "NMC (nickel manganese cobalt)")};
constexpr std::array kProtocols{choice("victron", InverterProtocol::kVictron, "CAN-bus BMS (Victron)")};
constexpr std::array kLogins{choice("required", Login::kRequired, "Password required"),
                             choice("none", Login::kNone, "No login, loopback only")};
constexpr std::array kLevels{
    choice("debug", LogLevel::kDebug, "Debug"), choice("info", LogLevel::kInfo, "Info"),
    choice("warning", LogLevel::kWarning, "Warning"), choice("error", LogLevel::kError, "Error")};

constexpr std::array kSections{
    Section{"", "Box", "What this box is and what it is called.", true},
    Section{"bms", "BMS", "Where the battery is read from.", true},
    Section{
        "battery", "Battery",
        "What the cells may do. Charge and discharge limits are computed from these bounds; take them from "
        "the data sheet of the cells.",
        false},
    Section{"inverter", "Inverter", "Where limits and values are sent, and what happens when nobody listens.",
            true},
    Section{"mqtt", "MQTT", "The broker that gets telemetry and Home Assistant discovery.", true},
    Section{"web", "Web", "The web page and HTTP interface.", true},
    Section{"storage", "Storage", "Where settings, events and history are kept.", true},
    Section{"log", "Log", "What is written to the log.", false}};

// Order is the order of the documentation and of the settings page; rows of a section stand together.
constexpr std::array kFields{
    Field{.section = "",
          .key = "role",
          .title = "Role",
          .unit = "",
          .kind = Kind::kChoice,
          .choices = kRoles,
          .is_required = true,
          .is_file_only = true,
          .help = "What this box does.",
          .access = number<&Config::box, &BoxSection::role>()},
    Field{.section = "",
          .key = "name",
          .title = "Name",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kTitle,
          .help = "What people call this battery: shown on the page and in Home Assistant.",
          .access = text<&Config::box, &BoxSection::name>()},
    Field{.section = "",
          .key = "site",
          .title = "Site",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kSlug,
          .is_file_only = true,
          .help = "Short name of the place: part of every MQTT topic and of the identifiers in Home "
                  "Assistant, so that changing it makes new entities there.",
          .access = text<&Config::box, &BoxSection::site>()},
    Field{.section = "bms",
          .key = "driver",
          .title = "Driver",
          .unit = "",
          .kind = Kind::kChoice,
          .choices = kDrivers,
          .is_file_only = true,
          .help = "Which kind of BMS is read.",
          .access = number<&Config::bms, &BmsSection::driver>()},
    Field{.section = "bms",
          .key = "port",
          .title = "Serial port",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kOptionalPath,
          .is_file_only = true,
          .help = "Serial device of the BMS. A path below /dev/serial/by-id stays the same when devices are "
                  "plugged in another order.",
          .access = text<&Config::bms, &BmsSection::port>()},
    Field{.section = "bms",
          .key = "interface",
          .title = "CAN interface",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kOptionalCan,
          .is_file_only = true,
          .help = "CAN interface of the battery; not the one of the inverter.",
          .access = text<&Config::bms, &BmsSection::interface>()},
    Field{.section = "bms",
          .key = "poll_interval_ms",
          .title = "Poll interval",
          .unit = "ms",
          .kind = Kind::kNumber,
          .range = milliseconds(100, 10000),
          .help = "How often live values are read.",
          .access = number<&Config::bms, &BmsSection::poll_interval>()},
    Field{.section = "bms",
          .key = "stale_after_s",
          .title = "Values are stale after",
          .unit = "s",
          .kind = Kind::kNumber,
          .range = seconds(1, 30),
          .help = "When the newest reading is older than this, charge and discharge limits become zero.",
          .access = number<&Config::bms, &BmsSection::stale_after>()},
    Field{.section = "battery",
          .key = "chemistry",
          .title = "Chemistry",
          .unit = "",
          .kind = Kind::kChoice,
          .choices = kChemistries,
          .is_required = true,
          .help = "Chemistry of the cells: decides which voltages can be right at all, and the defaults.",
          .access = number<&Config::battery, &Profile::chemistry>()},
    Field{.section = "battery",
          .key = "series_cells",
          .title = "Cells in series",
          .unit = "",
          .kind = Kind::kNumber,
          .range = whole(1, 192),
          .is_required = true,
          .help = "A BMS that reports another number of cells makes every limit zero.",
          .access = number<&Config::battery, &Profile::series_cells>()},
    Field{.section = "battery",
          .key = "capacity_ah",
          .title = "Capacity",
          .unit = "Ah",
          .kind = Kind::kNumber,
          .range = in_units(1000, 1, 10000, 10),
          .is_required = true,
          .help = "Installed capacity.",
          .access = number<&Config::battery, &Profile::capacity>()},
    Field{.section = "battery",
          .key = "charge_current_max_a",
          .title = "Largest charge current",
          .unit = "A",
          .kind = Kind::kNumber,
          .range = amps(0, 1000),
          .is_required = true,
          .help = "What cells, BMS, fuse and cable all bear for hours.",
          .access = number<&Config::battery, &Profile::charge_current_max>()},
    Field{.section = "battery",
          .key = "discharge_current_max_a",
          .title = "Largest discharge current",
          .unit = "A",
          .kind = Kind::kNumber,
          .range = amps(0, 1000),
          .is_required = true,
          .help = "What cells, BMS, fuse and cable all bear for hours.",
          .access = number<&Config::battery, &Profile::discharge_current_max>()},
    Field{.section = "battery",
          .key = "cell_full_v",
          .title = "Full cell",
          .unit = "V",
          .kind = Kind::kNumber,
          .range = volts(2, 4.25),
          .help = "Charging ends here: times the number of cells it is the charge voltage limit (CVL).",
          .access = number<&Config::battery, &Profile::cell_full>()},
    Field{.section = "battery",
          .key = "cell_max_v",
          .title = "Highest cell voltage",
          .unit = "V",
          .kind = Kind::kNumber,
          .range = volts(2, 4.25),
          .help = "No charging while any cell is at or above this. Stay below the cut-off of the BMS.",
          .access = number<&Config::battery, &Profile::cell_max>()},
    Field{.section = "battery",
          .key = "cell_empty_v",
          .title = "Empty cell",
          .unit = "V",
          .kind = Kind::kNumber,
          .range = volts(2, 4.25),
          .help = "Discharging ends here: times the number of cells it is the discharge voltage limit.",
          .access = number<&Config::battery, &Profile::cell_empty>()},
    Field{.section = "battery",
          .key = "cell_min_v",
          .title = "Lowest cell voltage",
          .unit = "V",
          .kind = Kind::kNumber,
          .range = volts(2, 4.25),
          .help = "No discharging while any cell is at or below this. Stay above the cut-off of the BMS.",
          .access = number<&Config::battery, &Profile::cell_min>()},
    Field{.section = "battery",
          .key = "charge_temperature_min_c",
          .title = "Charging from",
          .unit = "°C",
          .kind = Kind::kNumber,
          .range = celsius(-20, 30),
          .help = "No charging at or below this; full current from 10 °C above it.",
          .access = number<&Config::battery, &Profile::charge_temperature_min>()},
    Field{.section = "battery",
          .key = "charge_temperature_max_c",
          .title = "Charging up to",
          .unit = "°C",
          .kind = Kind::kNumber,
          .range = celsius(20, 70),
          .help = "No charging at or above this; full current up to 10 °C below it.",
          .access = number<&Config::battery, &Profile::charge_temperature_max>()},
    Field{.section = "battery",
          .key = "discharge_temperature_min_c",
          .title = "Discharging from",
          .unit = "°C",
          .kind = Kind::kNumber,
          .range = celsius(-40, 30),
          .help = "No discharging at or below this; full current from 15 °C above it.",
          .access = number<&Config::battery, &Profile::discharge_temperature_min>()},
    Field{.section = "battery",
          .key = "discharge_temperature_max_c",
          .title = "Discharging up to",
          .unit = "°C",
          .kind = Kind::kNumber,
          .range = celsius(20, 80),
          .help = "No discharging at or above this; full current up to 10 °C below it.",
          .access = number<&Config::battery, &Profile::discharge_temperature_max>()},
    Field{.section = "battery",
          .key = "soc_reserve_percent",
          .title = "Reserve",
          .unit = "%",
          .kind = Kind::kNumber,
          .range = in_units(100, 0, 90, 10),
          .help = "State of charge at which the discharge limit is zero; it falls over the 10 % above.",
          .access = number<&Config::battery, &Profile::soc_reserve_stop>()},
    Field{.section = "inverter",
          .key = "protocol",
          .title = "Protocol",
          .unit = "",
          .kind = Kind::kChoice,
          .choices = kProtocols,
          .is_file_only = true,
          .help = "What the inverter speaks.",
          .access = number<&Config::inverter, &InverterSection::protocol>()},
    Field{.section = "inverter",
          .key = "interface",
          .title = "CAN interface",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kCan,
          .is_file_only = true,
          .help = "A CAN interface of the system (can0), a virtual bus between programs "
                  "(udp://239.74.163.2:43113) or one inside this program (virtual:NAME).",
          .access = text<&Config::inverter, &InverterSection::interface>()},
    Field{
        .section = "inverter",
        .key = "limits_period_ms",
        .title = "Limits every",
        .unit = "ms",
        .kind = Kind::kNumber,
        .range = milliseconds(100, 1000),
        .help = "How often the limits are sent. Receivers stop when they miss them for about three seconds.",
        .access = number<&Config::inverter, &InverterSection::limits_period>()},
    Field{.section = "inverter",
          .key = "status_period_ms",
          .title = "All else every",
          .unit = "ms",
          .kind = Kind::kNumber,
          .range = milliseconds(1000, 10000),
          .help = "How often every other frame is sent.",
          .access = number<&Config::inverter, &InverterSection::status_period>()},
    Field{.section = "inverter",
          .key = "keepalive_timeout_s",
          .title = "Inverter is lost after",
          .unit = "s",
          .kind = Kind::kNumber,
          .range = seconds(0, 600),
          .help = "Without a keep-alive for this long the inverter counts as lost. 0 never waits for one: "
                  "for inverters that send none.",
          .access = number<&Config::inverter, &InverterSection::keepalive_timeout>()},
    Field{.section = "inverter",
          .key = "lost_hold_s",
          .title = "Hold after inverter is lost",
          .unit = "s",
          .kind = Kind::kNumber,
          .range = seconds(0, 600),
          .help = "How long limits of zero current are still sent to a lost inverter before sending stops.",
          .access = number<&Config::inverter, &InverterSection::lost_hold>()},
    Field{.section = "inverter",
          .key = "battery_lost_hold_s",
          .title = "Hold after battery is lost",
          .unit = "s",
          .kind = Kind::kNumber,
          .range = seconds(0, 600),
          .help = "How long limits of zero current are still sent after the battery stopped answering.",
          .access = number<&Config::inverter, &InverterSection::battery_lost_hold>()},
    Field{.section = "inverter",
          .key = "manufacturer",
          .title = "Manufacturer name",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kAscii8,
          .is_file_only = true,
          .help = "Sent to the inverter. Some names make it apply rules made for that brand: see the "
                  "warnings of amphora check.",
          .access = text<&Config::inverter, &InverterSection::manufacturer>()},
    Field{.section = "inverter",
          .key = "battery_name",
          .title = "Battery name",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kAscii16,
          .help = "The name that the inverter shows.",
          .access = text<&Config::inverter, &InverterSection::battery_name>()},
    Field{.section = "mqtt",
          .key = "enabled",
          .title = "Enabled",
          .unit = "",
          .kind = Kind::kBool,
          .help = "Whether this box talks to a broker.",
          .access = number<&Config::mqtt, &MqttSection::is_enabled>()},
    Field{.section = "mqtt",
          .key = "host",
          .title = "Broker",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kHost,
          .help = "Host name or address of the broker.",
          .access = text<&Config::mqtt, &MqttSection::host>()},
    Field{.section = "mqtt",
          .key = "port",
          .title = "Port",
          .unit = "",
          .kind = Kind::kNumber,
          .range = whole(1, 65535),
          .help = "1883 is usual, 8883 with TLS.",
          .access = number<&Config::mqtt, &MqttSection::port>()},
    Field{.section = "mqtt",
          .key = "username",
          .title = "User name",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kOptionalText,
          .help = "Empty for a broker that asks for none.",
          .access = text<&Config::mqtt, &MqttSection::username>()},
    Field{.section = "mqtt",
          .key = "password_file",
          .title = "Password file",
          .unit = "",
          .kind = Kind::kSecretFile,
          .rule = TextRule::kOptionalPath,
          .is_file_only = true,
          .help = "File that holds the password and nothing else, readable by its owner only (mode 0600).",
          .access = text<&Config::mqtt, &MqttSection::password_file>()},
    Field{
        .section = "mqtt",
        .key = "ca_file",
        .title = "CA certificates",
        .unit = "",
        .kind = Kind::kText,
        .rule = TextRule::kOptionalPath,
        .is_file_only = true,
        .help = "File with the certificate that signed the one of the broker; empty for those of the system.",
        .access = text<&Config::mqtt, &MqttSection::ca_file>()},
    Field{.section = "mqtt",
          .key = "tls",
          .title = "TLS",
          .unit = "",
          .kind = Kind::kBool,
          .help = "Encrypted connection: required for a broker on another machine unless allow_plain is set.",
          .access = number<&Config::mqtt, &MqttSection::use_tls>()},
    Field{.section = "mqtt",
          .key = "allow_plain",
          .title = "Allow plain text",
          .unit = "",
          .kind = Kind::kBool,
          .is_file_only = true,
          .help = "Permits an unencrypted connection to another machine: anybody on that network can read "
                  "and change what is sent, password included.",
          .access = number<&Config::mqtt, &MqttSection::allow_plain>()},
    Field{.section = "mqtt",
          .key = "base",
          .title = "Base topic",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kTopic,
          .help = "Topics begin with this and the site: amphora/home/….",
          .access = text<&Config::mqtt, &MqttSection::base>()},
    Field{.section = "mqtt",
          .key = "discovery",
          .title = "Home Assistant discovery",
          .unit = "",
          .kind = Kind::kBool,
          .help = "Whether Home Assistant is told about the battery.",
          .access = number<&Config::mqtt, &MqttSection::use_discovery>()},
    Field{.section = "mqtt",
          .key = "discovery_prefix",
          .title = "Discovery prefix",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kTopic,
          .help = "As set in Home Assistant.",
          .access = text<&Config::mqtt, &MqttSection::discovery_prefix>()},
    Field{.section = "mqtt",
          .key = "reading_interval_s",
          .title = "Stored readings every",
          .unit = "s",
          .kind = Kind::kNumber,
          .range = seconds(1, 3600),
          .help = "How often a reading is sent that is kept and sent later when the broker is away.",
          .access = number<&Config::mqtt, &MqttSection::reading_interval>()},
    Field{.section = "mqtt",
          .key = "state_interval_ms",
          .title = "State every",
          .unit = "ms",
          .kind = Kind::kNumber,
          .range = milliseconds(100, 60000),
          .help = "How often the live state is sent.",
          .access = number<&Config::mqtt, &MqttSection::state_interval>()},
    Field{.section = "web",
          .key = "enabled",
          .title = "Enabled",
          .unit = "",
          .kind = Kind::kBool,
          .is_file_only = true,
          .help = "Whether this box serves the web page and the HTTP interface.",
          .access = number<&Config::web, &WebSection::is_enabled>()},
    Field{.section = "web",
          .key = "listen",
          .title = "Listen on",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kListen,
          .is_file_only = true,
          .help = "Address and port: 127.0.0.1:8080 for this machine only, 0.0.0.0:8080 for the network.",
          .access = text<&Config::web, &WebSection::listen>()},
    Field{.section = "web",
          .key = "root",
          .title = "Files",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kPath,
          .is_file_only = true,
          .help = "Folder of the web page.",
          .access = text<&Config::web, &WebSection::root>()},
    Field{.section = "web",
          .key = "login",
          .title = "Login",
          .unit = "",
          .kind = Kind::kChoice,
          .choices = kLogins,
          .is_file_only = true,
          .help = "Whether a password is asked for; none is possible on loopback only.",
          .access = number<&Config::web, &WebSection::login>()},
    Field{.section = "web",
          .key = "certificate_file",
          .title = "Certificate",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kOptionalPath,
          .is_file_only = true,
          .help = "TLS certificate chain in PEM format; empty for plain HTTP, as behind a proxy.",
          .access = text<&Config::web, &WebSection::certificate_file>()},
    Field{.section = "web",
          .key = "key_file",
          .title = "Private key",
          .unit = "",
          .kind = Kind::kSecretFile,
          .rule = TextRule::kOptionalPath,
          .is_file_only = true,
          .help = "Private key of the certificate in PEM format, readable by its owner only (mode 0600).",
          .access = text<&Config::web, &WebSection::key_file>()},
    Field{.section = "storage",
          .key = "path",
          .title = "Folder",
          .unit = "",
          .kind = Kind::kText,
          .rule = TextRule::kPath,
          .is_file_only = true,
          .help = "Folder of the database.",
          .access = text<&Config::storage, &StorageSection::path>()},
    Field{.section = "storage",
          .key = "history_days",
          .title = "Keep history for",
          .unit = "d",
          .kind = Kind::kNumber,
          .range = whole(1, 3650),
          .help = "Older history is deleted.",
          .access = number<&Config::storage, &StorageSection::history_days>()},
    Field{.section = "log",
          .key = "level",
          .title = "Level",
          .unit = "",
          .kind = Kind::kChoice,
          .choices = kLevels,
          .help = "The least important message that is written.",
          .access = number<&Config::log, &LogSection::level>()}};

}  // namespace

std::span<const Section> sections() {
  return kSections;
}

std::span<const Field> fields() {
  return kFields;
}

}  // namespace amphora::config
