// SPDX-License-Identifier: Apache-2.0
// The one table of configuration fields.
//
// Each row names section, key, title, unit, range, rule and help of a field and knows how to read and write
// it in a Config. The parser of the file, `amphora check`, the page docs/CONFIGURATION.md, and the box
// settings of the web and their validation are all derived from it, so that they cannot disagree.
//
// A numeric field is a decimal number in its unit outside, and an integer count of smaller units inside
// (volts outside, millivolts inside): `scale` inner units make one outer unit. Choices and booleans are
// numbers too (the enumerator; 0 or 1).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "apps/amphora/config/config.hpp"

namespace amphora::config {

enum class Kind : std::uint8_t { kNumber, kBool, kChoice, kText, kSecretFile };

// What a text may look like; text_fault() in assign.hpp judges it.
enum class TextRule : std::uint8_t {
  kTitle,            // 1–64 bytes of printable UTF-8
  kSlug,             // 1–32 of a–z 0–9 _ -: becomes part of topics and of identifiers
  kTopic,            // MQTT topic without wildcards, not starting or ending with '/'
  kAscii8,           // 1–8 printable ASCII characters: one CAN frame
  kAscii16,          // 1–16 printable ASCII characters: two CAN frames
  kPath,             // absolute path
  kOptionalPath,     // absolute path, or empty for none
  kHost,             // host name or address
  kListen,           // ADDRESS:PORT or [ADDRESS]:PORT
  kCan,              // NAME, udp://ADDRESS:PORT, virtual:NAME
  kOptionalCan,      // likewise, or empty
  kOptionalText,     // up to 64 printable bytes, may be empty
  kOptionalRadio,    // NAME or air://ADDRESS:PORT?mac=MAC, or empty
  kChannels,         // Wi-Fi channels: "1-13", "1,6,11"
  kOptionalMac,      // 02:00:00:00:00:01, or empty
  kOptionalCountry,  // two capital letters, or empty
  kBmsProfile,       // the name of a profile, or an absolute path
  kOptionalInput,    // where power or current is measured (runtime/inputs), or empty
  kOptionalVoltage,  // where AC voltage is measured, or empty
  kOptionalRelay,    // what works a contact (runtime/relays), or empty
  kOptionalBar,      // runtime/indicator, or empty; so the next three
  kOptionalDigits,
  kOptionalLeds,
  kOptionalBuzzer,
  kLoads,            // names of loads, separated by commas, or empty
  kOptionalHardware  // hardware number: 16 hexadecimal digits, not zero, or empty
};

// A set of roles: which boxes have a field.
using RoleSet = std::uint8_t;
constexpr RoleSet only(Role role) {
  return static_cast<RoleSet>(1U << static_cast<unsigned>(role));
}
inline constexpr RoleSet kNoRole = 0;
inline constexpr RoleSet kBatteryRoles = only(Role::kBmsGateway) | only(Role::kTransmitter);
inline constexpr RoleSet kPackRole = only(Role::kPack);
inline constexpr RoleSet kAnyRole = kBatteryRoles | kPackRole | only(Role::kReceiver);
constexpr bool has_role(RoleSet roles, Role role) {
  return (roles & only(role)) != 0;
}

struct Range {
  std::int64_t scale = 1;
  std::int64_t min = 0;  // in inner units, like max and step
  std::int64_t max = 0;
  std::int64_t step = 1;
};

struct Choice {
  std::string_view text;  // as in the file
  std::int64_t value;
  std::string_view title;
};

// Only one of the two pairs is set.
struct Access {
  std::int64_t (*number)(const Config&) = nullptr;
  void (*set_number)(Config&, std::int64_t) = nullptr;
  const std::string& (*text)(const Config&) = nullptr;
  void (*set_text)(Config&, std::string) = nullptr;
};

struct Field {
  std::string_view section;  // empty for keys before the first section
  std::string_view key;
  std::string_view title;
  std::string_view unit;
  Kind kind;
  Range range{};
  std::span<const Choice> choices{};
  TextRule rule = TextRule::kTitle;
  RoleSet roles = kAnyRole;        // whose boxes have it; within the roles of its section
  RoleSet required_for = kNoRole;  // whose files must give it
  bool is_file_only = false;       // cannot be changed from the web
  std::string_view help;
  Access access;
};

struct Section {
  std::string_view name;  // empty: the keys before the first section
  std::string_view title;
  std::string_view help;
  RoleSet restart_for;  // whose boxes put a change from the web in force only after a restart
  RoleSet roles = kAnyRole;
};

std::span<const Section> sections();
std::span<const Field> fields();

// Whether a box of this role has the field, and its section.
bool is_for(const Field& field, Role role);

const Field* find_field(std::string_view section, std::string_view key);
const Section* find_section(std::string_view name);

// "battery.cell_full_v", or "name" for a key before the first section.
std::string full_key(const Field& field);

// A number of inner units as text in the field's unit: "3.45". Without trailing zeros.
std::string format_number(const Field& field, std::int64_t inner);
// The field's value as one writes it in the file: 3.45, "home", true.
std::string format_value(const Field& field, const Config& config);
// What is allowed, as the second half of an error message: "allowed: 100 to 10000 ms".
std::string allowed_text(const Field& field);

// The default Config for a chemistry and a role: what a file with nothing but the required keys starts from.
Config default_config(battery::Chemistry chemistry, Role role = Role::kBmsGateway);

}  // namespace amphora::config
