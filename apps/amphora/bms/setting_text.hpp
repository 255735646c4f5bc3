// SPDX-License-Identifier: Apache-2.0
// Settings of a TinyBMS as people write them: 315=4.2, 315=4200mV, over_voltage_cutoff=4.2, 331=FET.
//
// Volts and amperes are what people think in, so registers that count millivolts of a whole cell voltage or
// milliamperes are shown and taken in V and A; a unit behind the number is understood either way. All by
// integers: 4.2 V is 4200 mV exactly, and a number between two steps is refused.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "core/bms/tinybms/registers.hpp"
#include "core/bms/tinybms/settings.hpp"

namespace amphora::bms_command {

// The unit that bare numbers are in: "V" where the table has volts or large counts of mV, and so on.
std::string_view shown_unit(const tinybms::Register& entry);
// "4.2", "-40", "60": in shown_unit, without trailing zeros.
std::string shown_value(const tinybms::Register& entry, tinybms::RawValue value);
// "1.2 to 4.5 V", or the choices "0 FET, 1 AIDO1".
std::string shown_range(const tinybms::Register& entry);

// REGISTER=VALUE, or why it is refused: with register, value and what is allowed. Range included, rules
// between registers not (tinybms::check_writes knows them).
std::variant<tinybms::RegisterWrite, std::string> parse_write(std::string_view text);

}  // namespace amphora::bms_command
