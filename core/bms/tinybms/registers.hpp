// SPDX-License-Identifier: Apache-2.0
// The register table of the Enepaq TinyBMS: the one place that says what a register means.
//
// Range checks before a write, decoded JSON, forms of the web page, command line and the table in
// docs/protocols/tinybms.md are all derived from it; a test compares the document with this table.
//
// A register is a 16-bit word. A value of one word is u16 or i16; a value of two words (u32, float) lies at
// `number` and `number + 1`, the low word first. The maker's protocol document (Rev D, 2025-07) is the source
// of numbers, scales and ranges; rows marked `is_rev_d_only` do not exist in Rev B (2018), so older firmware
// answers them with zero.
//
// A RawValue is the integer on the wire, with the sign its type has. For a float it is the value in
// thousandths (millivolts, milliamperes), because nothing here calculates with floating point.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/text.hpp"

namespace amphora::tinybms {

using RawValue = std::int64_t;

enum class RegisterType : std::uint8_t {
  kU16,
  kI16,
  kU32,     // two words, low word first
  kFloat,   // IEEE 754 binary32 in two words, low word first
  kFields,  // one word made of several fields
};

enum class RegisterGroup : std::uint8_t { kLive, kStatistics, kSettings, kVersion };

constexpr std::string_view to_text(RegisterType type) {
  constexpr std::string_view kNames[] = {"u16", "i16", "u32", "float", "fields"};
  return kNames[static_cast<std::size_t>(type)];
}
constexpr std::string_view to_text(RegisterGroup group) {
  constexpr std::string_view kNames[] = {"live", "statistics", "settings", "version"};
  return kNames[static_cast<std::size_t>(group)];
}

// One value of an enumeration and what it means.
struct Choice {
  RawValue value = 0;
  std::string_view label;
};

// A part of a word: `bits` bits from bit `shift` upwards.
struct Field {
  std::string_view name;
  std::string_view title;
  std::string_view unit;
  std::uint8_t shift = 0;
  std::uint8_t bits = 8;
  bool is_signed = false;
  RawValue min = 0;
  RawValue max = 0;
  std::span<const Choice> choices;
};

inline constexpr RawValue kNoSentinel = std::numeric_limits<RawValue>::min();

struct Register {
  std::uint16_t number = 0;
  std::string_view name;   // snake_case, stable: used in JSON, MQTT and on the command line
  std::string_view title;  // for people
  std::string_view unit;   // empty: a plain number
  RegisterType type = RegisterType::kU16;
  RegisterGroup group = RegisterGroup::kLive;
  // Value in `unit` = raw * multiplier / 10^decimals.
  std::uint16_t multiplier = 1;
  std::uint8_t decimals = 0;
  // What may be written; for a register that is only read: what is plausible.
  RawValue min = 0;
  RawValue max = 0xFFFF;
  // This raw value means "no value" (no sensor, not supported, already taken over); it is outside of min..max
  // or not a measurement.
  RawValue sentinel = kNoSentinel;
  bool is_writable = false;
  bool is_low_byte_only = false;  // the upper byte is meaningless when read
  bool is_rev_d_only = false;
  bool is_sensor_dependent = false;  // the range printed by the maker depends on the current sensor
  std::span<const Choice> choices{};
  std::span<const Field> fields{};
};

// First register and number of registers of each block that is read at once.
struct Block {
  std::uint16_t address = 0;
  std::uint8_t count = 0;
  friend constexpr bool operator==(const Block&, const Block&) = default;
};
inline constexpr Block kLiveBlock{0, 57};
inline constexpr Block kStatisticsBlock{100, 18};
inline constexpr Block kSettingsBlock{300, 44};
inline constexpr Block kVersionBlock{500, 10};

// Registers that code refers to.
namespace reg {
inline constexpr std::uint16_t kCellFirst = 0;
inline constexpr std::uint16_t kLifetime = 32;
inline constexpr std::uint16_t kTimeLeft = 34;
inline constexpr std::uint16_t kPackVoltage = 36;
inline constexpr std::uint16_t kPackCurrent = 38;
inline constexpr std::uint16_t kCellMin = 40;
inline constexpr std::uint16_t kCellMax = 41;
inline constexpr std::uint16_t kExternalTemperature1 = 42;
inline constexpr std::uint16_t kExternalTemperature2 = 43;
inline constexpr std::uint16_t kSoh = 45;
inline constexpr std::uint16_t kSoc = 46;
inline constexpr std::uint16_t kInternalTemperature = 48;
inline constexpr std::uint16_t kStatus = 50;
inline constexpr std::uint16_t kBalancingDecision = 51;
inline constexpr std::uint16_t kBalancing = 52;
inline constexpr std::uint16_t kCellCount = 53;
inline constexpr std::uint16_t kFullChargeCount = 112;
inline constexpr std::uint16_t kStatisticsCleared = 116;
inline constexpr std::uint16_t kEventFirst = 200;
inline constexpr std::uint16_t kFullyCharged = 300;
inline constexpr std::uint16_t kFullyDischarged = 301;
inline constexpr std::uint16_t kPeakDischargeCurrent = 305;
inline constexpr std::uint16_t kCapacity = 306;
inline constexpr std::uint16_t kSeriesCells = 307;
inline constexpr std::uint16_t kOverVoltage = 315;
inline constexpr std::uint16_t kUnderVoltage = 316;
inline constexpr std::uint16_t kDischargeOverCurrent = 317;
inline constexpr std::uint16_t kChargeOverCurrent = 318;
inline constexpr std::uint16_t kSetSoh = 323;
inline constexpr std::uint16_t kSetSoc = 328;
inline constexpr std::uint16_t kBroadcastPeriod = 342;
inline constexpr std::uint16_t kBroadcastProtocol = 343;
inline constexpr std::uint16_t kHardware = 500;
inline constexpr std::uint16_t kPublicFirmware = 501;
inline constexpr std::uint16_t kInternalFirmware = 502;
inline constexpr std::uint16_t kSerialFirst = 504;
}  // namespace reg

// Every register of the table, by rising number.
std::span<const Register> registers();
// The register that begins at `number`; nullptr where the table has none (reserved, or the upper word of a
// value of two words).
const Register* find_register(std::uint16_t number);
// By its snake_case name; nullptr if there is none.
const Register* find_register(std::string_view name);

// One or two.
constexpr std::uint8_t word_count(const Register& entry) {
  return entry.type == RegisterType::kU32 || entry.type == RegisterType::kFloat ? 2 : 1;
}

// The value in `words` (word_count elements; fewer give no value). The meaningless upper byte is dropped.
// Empty for a float that is not a number, infinite or too large to have thousandths in 53 bits.
std::optional<RawValue> raw_value(const Register& entry, std::span<const std::uint16_t> words);
// The words of `value`, the reverse of raw_value. `words` has word_count elements.
void raw_words(const Register& entry, RawValue value, std::span<std::uint16_t> words);
RawValue field_value(const Field& field, std::uint16_t word);

// Inside min..max, one of the choices where there are any, every field likewise. The sentinel is not valid.
bool is_valid(const Register& entry, RawValue value);

// The label of an enumeration's value; empty if the value has none.
std::string_view label_of(std::span<const Choice> choices, RawValue value);

// "4.150", "-40", "83.554824": the scaled value without its unit; exact, by integer arithmetic.
using ValueText = FixedText<32>;
ValueText format_value(const Register& entry, RawValue value);

}  // namespace amphora::tinybms
