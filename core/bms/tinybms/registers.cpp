// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/registers.hpp"

#include <array>

#include "core/base/assert.hpp"
#include "core/bms/tinybms/decode.hpp"

namespace amphora::tinybms {

namespace {

using Type = RegisterType;
using Group = RegisterGroup;

constexpr auto kStatusChoices =
    std::array{Choice{0x91, "charging"},     Choice{0x92, "fully charged"}, Choice{0x93, "discharging"},
               Choice{0x96, "regeneration"}, Choice{0x97, "idle"},          Choice{0x9B, "fault"}};
constexpr auto kDistanceUnitChoices = std::array{Choice{1, "metre"}, Choice{2, "kilometre"},
                                                 Choice{3, "foot"}, Choice{4, "mile"}, Choice{5, "yard"}};
constexpr auto kLoadSwitchChoices = std::array{Choice{0, "discharge FET"},
                                               Choice{1, "AIDO1"},
                                               Choice{2, "AIDO2"},
                                               Choice{3, "DIDO1"},
                                               Choice{4, "DIDO2"},
                                               Choice{5, "AIHO1 active low"},
                                               Choice{6, "AIHO1 active high"},
                                               Choice{7, "AIHO2 active low"},
                                               Choice{8, "AIHO2 active high"}};
constexpr auto kChargerSwitchChoices = std::array{Choice{1, "charge FET"},
                                                  Choice{2, "AIDO1"},
                                                  Choice{3, "AIDO2"},
                                                  Choice{4, "DIDO1"},
                                                  Choice{5, "DIDO2"},
                                                  Choice{6, "AIHO1 active low"},
                                                  Choice{7, "AIHO1 active high"},
                                                  Choice{8, "AIHO2 active low"},
                                                  Choice{9, "AIHO2 active high"}};
constexpr auto kIgnitionChoices =
    std::array{Choice{0, "off"},   Choice{1, "AIDO1"}, Choice{2, "AIDO2"}, Choice{3, "DIDO1"},
               Choice{4, "DIDO2"}, Choice{5, "AIHO1"}, Choice{6, "AIHO2"}};
constexpr auto kChargerDetectionChoices =
    std::array{Choice{1, "internal"}, Choice{2, "AIDO1"}, Choice{3, "AIDO2"}, Choice{4, "DIDO1"},
               Choice{5, "DIDO2"},    Choice{6, "AIHO1"}, Choice{7, "AIHO2"}};
constexpr auto kSpeedSensorChoices = std::array{Choice{0, "off"}, Choice{1, "DIDO1"}, Choice{2, "DIDO2"}};
// The last value is printed as 0x10 by the maker, where the row would make one expect 0x0A: both are allowed,
// the verification after the write tells which one the device keeps.
constexpr auto kPrechargeChoices = std::array{Choice{0, "off"},
                                              Choice{2, "discharge FET"},
                                              Choice{3, "AIDO1"},
                                              Choice{4, "AIDO2"},
                                              Choice{5, "DIDO1"},
                                              Choice{6, "DIDO2"},
                                              Choice{7, "AIHO1 active low"},
                                              Choice{8, "AIHO1 active high"},
                                              Choice{9, "AIHO2 active low"},
                                              Choice{0x0A, "AIHO2 active high (0x0A)"},
                                              Choice{0x10, "AIHO2 active high (0x10)"}};
constexpr auto kPrechargeDurationChoices =
    std::array{Choice{0, "0.1 s"}, Choice{1, "0.2 s"}, Choice{2, "0.5 s"}, Choice{3, "1 s"},
               Choice{4, "2 s"},   Choice{5, "3 s"},   Choice{6, "4 s"},   Choice{7, "5 s"}};
constexpr auto kTemperatureSensorChoices =
    std::array{Choice{0, "dual 10k NTC"}, Choice{1, "multipoint active sensor"}};
constexpr auto kOperationModeChoices = std::array{Choice{0, "dual port"}, Choice{1, "single port"}};
constexpr auto kBroadcastPeriodChoices =
    std::array{Choice{0, "off"}, Choice{1, "0.1 s"}, Choice{2, "0.2 s"}, Choice{3, "0.5 s"},
               Choice{4, "1 s"}, Choice{5, "2 s"},   Choice{6, "5 s"},   Choice{7, "10 s"}};
constexpr auto kBroadcastProtocolChoices =
    std::array{Choice{0, "CA V3"}, Choice{1, "ASCII"}, Choice{2, "SOC BAR"}};
constexpr auto kChargerTypeChoices =
    std::array{Choice{0, "variable (reserved)"}, Choice{1, "CC/CV"}, Choice{2, "CAN (reserved)"}};
constexpr auto kOffOnChoices = std::array{Choice{0, "off"}, Choice{1, "on"}};
constexpr auto kResetChoices = std::array{Choice{0, "unknown"},         Choice{1, "low power"},
                                          Choice{2, "window watchdog"}, Choice{3, "independent watchdog"},
                                          Choice{4, "software"},        Choice{5, "power on"},
                                          Choice{6, "reset pin"},       Choice{7, "option bytes"}};
constexpr auto kWakeChoices =
    std::array{Choice{0, "charger"}, Choice{1, "ignition"}, Choice{2, "discharge"}, Choice{3, "UART"}};
constexpr auto kPowerTypeChoices = std::array{Choice{0, "low power"}, Choice{1, "high power"}};
constexpr auto kCurrentSensorChoices =
    std::array{Choice{0, "resistor"}, Choice{1, "Hall"}, Choice{2, "external"}};

constexpr auto kPackTemperatureFields =
    std::array{Field{"pack_temperature_min", "Lowest pack temperature", "°C", 0, 8, true, -128, 127, {}},
               Field{"pack_temperature_max", "Highest pack temperature", "°C", 8, 8, true, -128, 127, {}}};
constexpr auto kResetFields =
    std::array{Field{"last_reset", "Cause of the last reset", "", 0, 8, false, 0, 7, kResetChoices},
               Field{"last_wake", "Cause of the last wake-up", "", 8, 8, false, 0, 3, kWakeChoices}};
constexpr auto kFlagFields = std::array{
    Field{"invert_external_current_sensor", "Invert external current sensor", "", 0, 1, false, 0, 1,
          kOffOnChoices},
    Field{"disable_switch_diagnostics", "Disable switch diagnostics", "", 1, 1, false, 0, 1, kOffOnChoices},
    Field{"enable_charge_restart_level", "Enable charge restart level", "", 2, 1, false, 0, 1, kOffOnChoices},
    Field{"reserved_flags", "Reserved flags", "", 3, 13, false, 0, 0, {}}};
constexpr auto kChargerFields = std::array{
    Field{"charger_type", "Charger type", "", 0, 8, false, 0, 2, kChargerTypeChoices},
    Field{"discharge_over_current_timeout", "Discharge over-current time-out", "s", 8, 8, false, 0, 30, {}}};
constexpr auto kHardwareFields =
    std::array{Field{"hardware_version", "Hardware version", "", 0, 8, false, 0, 255, {}},
               Field{"hardware_changes", "Hardware changes", "", 8, 8, false, 0, 255, {}}};
constexpr auto kFirmwareFields =
    std::array{Field{"public_firmware", "Public firmware", "", 0, 8, false, 0, 255, {}},
               Field{"power_type", "Power type", "", 8, 1, false, 0, 1, kPowerTypeChoices},
               Field{"current_sensor", "Current sensor", "", 9, 2, false, 0, 2, kCurrentSensorChoices}};
constexpr auto kBootloaderFields =
    std::array{Field{"bootloader", "Bootloader version", "", 0, 8, false, 0, 255, {}},
               Field{"profile", "Profile version", "", 8, 8, false, 0, 255, {}}};

// Builders, so that a row of the table below says only what is special about it.
constexpr Register row(std::uint16_t number, std::string_view name, std::string_view title,
                       std::string_view unit, Group group, Type type, RawValue min, RawValue max) {
  Register entry;
  entry.number = number;
  entry.name = name;
  entry.title = title;
  entry.unit = unit;
  entry.group = group;
  entry.type = type;
  entry.min = min;
  entry.max = max;
  return entry;
}
constexpr Register live(std::uint16_t number, std::string_view name, std::string_view title,
                        std::string_view unit, Type type, RawValue min, RawValue max) {
  return row(number, name, title, unit, Group::kLive, type, min, max);
}
constexpr Register stat(std::uint16_t number, std::string_view name, std::string_view title,
                        std::string_view unit, Type type = Type::kU16, RawValue max = 0xFFFF) {
  return row(number, name, title, unit, Group::kStatistics, type, 0, max);
}
constexpr Register setting(std::uint16_t number, std::string_view name, std::string_view title,
                           std::string_view unit, RawValue min, RawValue max, Type type = Type::kU16) {
  Register entry = row(number, name, title, unit, Group::kSettings, type, min, max);
  entry.is_writable = true;
  return entry;
}
constexpr Register version(std::uint16_t number, std::string_view name, std::string_view title) {
  return row(number, name, title, "", Group::kVersion, Type::kU16, 0, 0xFFFF);
}
constexpr Register scaled(Register entry, std::uint16_t multiplier, std::uint8_t decimals) {
  entry.multiplier = multiplier;
  entry.decimals = decimals;
  return entry;
}
constexpr Register rev_d(Register entry) {
  entry.is_rev_d_only = true;
  return entry;
}
constexpr Register by_sensor(Register entry) {
  entry.is_sensor_dependent = true;
  return entry;
}
constexpr Register absent_at(Register entry, RawValue sentinel) {
  entry.sentinel = sentinel;
  return entry;
}
constexpr Register low_byte(Register entry) {
  entry.is_low_byte_only = true;
  return entry;
}
// A word of fields: its range ends where all fields are at their highest.
constexpr Register with(Register entry, std::span<const Field> fields) {
  entry.type = Type::kFields;
  entry.fields = fields;
  entry.max = 0;
  for (const Field& field : fields) {
    entry.max |= (field.is_signed ? RawValue{0xFF} : field.max) << field.shift;
  }
  return entry;
}
// An enumeration: only the low byte counts, and the range is that of its choices.
constexpr Register enumeration(std::uint16_t number, std::string_view name, std::string_view title,
                               std::span<const Choice> choices) {
  Register entry = setting(number, name, title, "", choices.front().value, choices.back().value);
  entry.choices = choices;
  entry.is_low_byte_only = true;
  return entry;
}
constexpr Register with_choices(Register entry, std::span<const Choice> choices) {
  entry.choices = choices;
  return entry;
}
constexpr Register cell(std::uint16_t number, std::string_view name, std::string_view title) {
  return scaled(live(number, name, title, "V", Type::kU16, 0, 60000), 1, 4);
}

// Plausible ranges of measured values: 0 to 100 V, because 16 cells of 4.5 V are 72 V; 1000 A either way,
// because the largest cut-off is 750 A; -60 to +150 °C, wider than any sensor's range.
constexpr RawValue kVoltageMax = 100'000;
constexpr RawValue kCurrentMax = 1'000'000;
constexpr RawValue kU32Max = 0xFFFF'FFFF;

constexpr auto kRegisters = std::array{
    cell(0, "cell_input_1", "Voltage at cell input 1"),
    cell(1, "cell_input_2", "Voltage at cell input 2"),
    cell(2, "cell_input_3", "Voltage at cell input 3"),
    cell(3, "cell_input_4", "Voltage at cell input 4"),
    cell(4, "cell_input_5", "Voltage at cell input 5"),
    cell(5, "cell_input_6", "Voltage at cell input 6"),
    cell(6, "cell_input_7", "Voltage at cell input 7"),
    cell(7, "cell_input_8", "Voltage at cell input 8"),
    cell(8, "cell_input_9", "Voltage at cell input 9"),
    cell(9, "cell_input_10", "Voltage at cell input 10"),
    cell(10, "cell_input_11", "Voltage at cell input 11"),
    cell(11, "cell_input_12", "Voltage at cell input 12"),
    cell(12, "cell_input_13", "Voltage at cell input 13"),
    cell(13, "cell_input_14", "Voltage at cell input 14"),
    cell(14, "cell_input_15", "Voltage at cell input 15"),
    cell(15, "cell_input_16", "Voltage at cell input 16"),
    live(32, "lifetime", "Lifetime counter", "s", Type::kU32, 0, kU32Max),
    live(34, "time_left", "Estimated time left", "s", Type::kU32, 0, kU32Max),
    scaled(live(36, "pack_voltage", "Pack voltage", "V", Type::kFloat, 0, kVoltageMax), 1, 3),
    scaled(live(38, "pack_current", "Pack current, positive while charging", "A", Type::kFloat, -kCurrentMax,
                kCurrentMax),
           1, 3),
    scaled(live(40, "cell_min", "Lowest cell voltage", "V", Type::kU16, 0, 6000), 1, 3),
    scaled(live(41, "cell_max", "Highest cell voltage", "V", Type::kU16, 0, 6000), 1, 3),
    absent_at(
        scaled(live(42, "temperature_external_1", "External temperature 1", "°C", Type::kI16, -600, 1500), 1,
               1),
        -32768),
    absent_at(
        scaled(live(43, "temperature_external_2", "External temperature 2", "°C", Type::kI16, -600, 1500), 1,
               1),
        -32768),
    live(44, "distance_left", "Estimated distance left", "km", Type::kU16, 0, 0xFFFF),
    rev_d(absent_at(scaled(live(45, "soh", "State of health", "%", Type::kU16, 1, 50000), 2, 3), 0)),
    scaled(live(46, "soc", "State of charge", "%", Type::kU32, 0, 100'000'000), 1, 6),
    absent_at(
        scaled(live(48, "temperature_internal", "Internal temperature", "°C", Type::kI16, -600, 1500), 1, 1),
        -32768),
    with_choices(live(50, "online_status", "Online status", "", Type::kU16, 0x91, 0x9B), kStatusChoices),
    live(51, "balancing_decision", "Cells that need balancing, bit 0 = cell 1", "", Type::kU16, 0, 0xFFFF),
    live(52, "balancing", "Cells being balanced, bit 0 = cell 1", "", Type::kU16, 0, 0xFFFF),
    live(53, "cell_count", "Detected cells", "", Type::kU16, 1, 16),
    scaled(live(54, "speed", "Speed", "", Type::kFloat, 0, 1'000'000'000), 1, 3),
    scaled(stat(100, "total_distance", "Total distance", "km", Type::kU32, kU32Max), 1, 2),
    scaled(stat(102, "discharge_current_max", "Highest discharge current since statistics were cleared", "A"),
           1, 1),
    scaled(stat(103, "charge_current_max", "Highest charge current since statistics were cleared", "A"), 1,
           1),
    scaled(stat(104, "cell_difference_max", "Highest cell difference", "V"), 1, 4),
    stat(105, "under_voltage_count", "Under-voltage faults", ""),
    stat(106, "over_voltage_count", "Over-voltage faults", ""),
    stat(107, "discharge_over_current_count", "Discharge over-current faults", ""),
    stat(108, "charge_over_current_count", "Charge over-current faults", ""),
    stat(109, "over_heat_count", "Over-heat faults", ""),
    stat(111, "charging_count", "Charging sessions", ""),
    stat(112, "full_charge_count", "Full charges", ""),
    with(stat(113, "pack_temperatures", "Lowest and highest pack temperature", ""), kPackTemperatureFields),
    with(stat(114, "last_start", "Causes of the last reset and wake-up", ""), kResetFields),
    stat(116, "statistics_cleared_at", "Lifetime when statistics were cleared", "s", Type::kU32, kU32Max),
    scaled(setting(300, "fully_charged_voltage", "Fully charged voltage (cell)", "V", 1200, 4500), 1, 3),
    scaled(setting(301, "fully_discharged_voltage", "Fully discharged voltage (cell)", "V", 1000, 3500), 1,
           3),
    scaled(setting(303, "early_balancing_threshold", "Early balancing threshold (cell)", "V", 1000, 4500), 1,
           3),
    by_sensor(
        scaled(setting(304, "charge_finished_current", "Charge finished current", "A", 100, 5000), 1, 3)),
    rev_d(setting(305, "peak_discharge_current_cutoff", "Peak discharge current cut-off", "A", 1, 0xFFFF)),
    scaled(setting(306, "capacity", "Battery capacity", "Ah", 10, 65500), 1, 2),
    setting(307, "series_cells", "Cells in series", "", 4, 16),
    scaled(setting(308, "allowed_disbalance", "Allowed disbalance", "V", 15, 100), 1, 3),
    rev_d(setting(310, "charger_startup_delay", "Charger start-up delay", "s", 5, 60)),
    rev_d(setting(311, "charger_disable_delay", "Charger disable delay", "s", 0, 60)),
    setting(312, "pulses_per_unit", "Speed sensor pulses per distance unit", "", 1, 100'000, Type::kU32),
    low_byte(with_choices(setting(314, "distance_unit", "Distance unit", "", 1, 5), kDistanceUnitChoices)),
    scaled(setting(315, "over_voltage_cutoff", "Over-voltage cut-off (cell)", "V", 1200, 4500), 1, 3),
    scaled(setting(316, "under_voltage_cutoff", "Under-voltage cut-off (cell)", "V", 800, 3500), 1, 3),
    by_sensor(setting(317, "discharge_over_current_cutoff", "Discharge over-current cut-off", "A", 1, 750)),
    by_sensor(setting(318, "charge_over_current_cutoff", "Charge over-current cut-off", "A", 1, 750)),
    setting(319, "over_heat_cutoff", "Over-heat cut-off", "°C", 20, 90, Type::kI16),
    setting(320, "low_temperature_charge_cutoff", "Low-temperature charge cut-off", "°C", -40, 10,
            Type::kI16),
    rev_d(setting(321, "charge_restart_level", "Charge restart level", "%", 60, 95)),
    rev_d(setting(322, "cycle_count_max", "Highest cycle count", "", 10, 65000)),
    rev_d(absent_at(scaled(setting(323, "set_soh", "Set state of health", "%", 0, 50000), 2, 3), 0xFFFF)),
    absent_at(scaled(setting(328, "set_soc", "Set state of charge", "%", 0, 50000), 2, 3), 0xFFFF),
    with(setting(329, "flags", "Flags", "", 0, 0), kFlagFields),
    with(setting(330, "charger", "Charger type and discharge over-current time-out", "", 0, 0),
         kChargerFields),
    enumeration(331, "load_switch_type", "Load switch", kLoadSwitchChoices),
    low_byte(setting(332, "automatic_recovery", "Automatic recovery, 0 = off", "s", 0, 30)),
    enumeration(333, "charger_switch_type", "Charger switch", kChargerSwitchChoices),
    enumeration(334, "ignition_input", "Ignition input", kIgnitionChoices),
    enumeration(335, "charger_detection", "Charger detection", kChargerDetectionChoices),
    enumeration(336, "speed_sensor_input", "Speed sensor input", kSpeedSensorChoices),
    enumeration(337, "precharge_pin", "Precharge pin", kPrechargeChoices),
    enumeration(338, "precharge_duration", "Precharge duration", kPrechargeDurationChoices),
    enumeration(339, "temperature_sensor_type", "Temperature sensor", kTemperatureSensorChoices),
    enumeration(340, "operation_mode", "Operation mode (the BMS restarts)", kOperationModeChoices),
    enumeration(341, "single_port_switch_type", "Single-port switch", kLoadSwitchChoices),
    enumeration(342, "broadcast_period", "Broadcast period", kBroadcastPeriodChoices),
    enumeration(343, "broadcast_protocol", "Broadcast protocol", kBroadcastProtocolChoices),
    with(version(500, "hardware", "Hardware"), kHardwareFields),
    with(version(501, "firmware", "Public firmware and type"), kFirmwareFields),
    version(502, "internal_firmware", "Internal firmware"),
    with(version(503, "bootloader_and_profile", "Bootloader and profile"), kBootloaderFields),
    version(504, "serial_1", "Serial number, word 1"),
    version(505, "serial_2", "Serial number, word 2"),
    version(506, "serial_3", "Serial number, word 3"),
    version(507, "serial_4", "Serial number, word 4"),
    version(508, "serial_5", "Serial number, word 5"),
    version(509, "serial_6", "Serial number, word 6")};

constexpr bool is_table_sound() {
  for (std::size_t i = 0; i < kRegisters.size(); ++i) {
    const Register& entry = kRegisters[i];
    if (entry.min > entry.max || entry.name.empty() || entry.title.empty()) {
      return false;
    }
    if (i > 0 && entry.number < kRegisters[i - 1].number + word_count(kRegisters[i - 1])) {
      return false;
    }
    if ((entry.type == Type::kFields) == entry.fields.empty()) {
      return false;
    }
  }
  return true;
}
static_assert(is_table_sound(), "registers rise, do not overlap, and have names, ranges and fields");

}  // namespace

std::span<const Register> registers() {
  return kRegisters;
}

const Register* find_register(std::uint16_t number) {
  std::size_t low = 0;
  std::size_t high = kRegisters.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (kRegisters[middle].number < number) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < kRegisters.size() && kRegisters[low].number == number ? &kRegisters[low] : nullptr;
}

const Register* find_register(std::string_view name) {
  for (const Register& entry : kRegisters) {
    if (entry.name == name) {
      return &entry;
    }
  }
  return nullptr;
}

std::optional<RawValue> raw_value(const Register& entry, std::span<const std::uint16_t> words) {
  if (words.size() < word_count(entry)) {
    return std::nullopt;
  }
  const std::uint16_t low = words[0];
  switch (entry.type) {
    case Type::kI16:
      return static_cast<std::int16_t>(low);
    case Type::kU32:
      return (RawValue{words[1]} << 16) | low;
    case Type::kFloat:
      return milli_from_float((std::uint32_t{words[1]} << 16U) | low);
    case Type::kU16:
    case Type::kFields:
      break;
  }
  return entry.is_low_byte_only ? low & 0xFF : low;
}

void raw_words(const Register& entry, RawValue value, std::span<std::uint16_t> words) {
  AMPHORA_ASSERT(words.size() >= word_count(entry));
  if (word_count(entry) == 1) {
    words[0] = static_cast<std::uint16_t>(value);
    return;
  }
  const std::uint32_t bits =
      entry.type == Type::kFloat ? float_from_milli(value) : static_cast<std::uint32_t>(value);
  words[0] = static_cast<std::uint16_t>(bits);
  words[1] = static_cast<std::uint16_t>(bits >> 16U);
}

RawValue field_value(const Field& field, std::uint16_t word) {
  const unsigned mask = (1U << field.bits) - 1U;
  const unsigned bits = (static_cast<unsigned>(word) >> field.shift) & mask;
  const bool is_negative = field.is_signed && (bits & (1U << (field.bits - 1U))) != 0;
  return is_negative ? RawValue{bits} - RawValue{mask} - 1 : RawValue{bits};
}

std::string_view label_of(std::span<const Choice> choices, RawValue value) {
  for (const Choice& choice : choices) {
    if (choice.value == value) {
      return choice.label;
    }
  }
  return {};
}

bool is_valid(const Register& entry, RawValue value) {
  if (value < entry.min || value > entry.max) {
    return false;
  }
  if (!entry.choices.empty() && label_of(entry.choices, value).empty()) {
    return false;
  }
  for (const Field& field : entry.fields) {
    const RawValue part = field_value(field, static_cast<std::uint16_t>(value));
    if (part < field.min || part > field.max) {
      return false;
    }
  }
  return true;
}

ValueText format_value(const Register& entry, RawValue value) {
  ValueText text;
  const RawValue scaled_value = value * entry.multiplier;
  auto rest = scaled_value < 0 ? 0U - static_cast<std::uint64_t>(scaled_value)
                               : static_cast<std::uint64_t>(scaled_value);
  std::array<char, 24> digits{};
  std::size_t count = 0;
  while (rest > 0 || count <= entry.decimals) {
    digits[count++] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  }
  if (scaled_value < 0) {
    text.push_back('-');
  }
  for (std::size_t left = count; left > 0; --left) {
    text.push_back(digits[left - 1]);
    if (left - 1 == entry.decimals && left > 1) {
      text.push_back('.');
    }
  }
  return text;
}

}  // namespace amphora::tinybms
