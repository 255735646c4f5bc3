// SPDX-License-Identifier: Apache-2.0
// The settings of a TinyBMS for the API: as JSON with ranges, and from a person's values to raw register
// writes.
#pragma once

#include <nlohmann/json.hpp>
#include <variant>
#include <vector>

#include "runtime/control/control_thread.hpp"
#include "runtime/http/requests.hpp"

namespace amphora::run {

// {"state":…,"settings":[…]} as the API describes it. `wall_now` belongs to `now`.
nlohmann::ordered_json bms_settings_json(const runtime::ControlReport* report, TimePoint now,
                                         WallTime wall_now);

// Values in the register's unit become raw values; a value between two steps, an unknown register or a
// fraction of a raw unit is refused with register, value and range. Ranges and rules between registers are
// checked by the driver.
std::variant<std::vector<tinybms::RegisterWrite>, runtime::http::Problem> to_register_writes(
    const std::vector<runtime::http::RegisterChange>& changes);

// The driver's refusal of a whole write as an answer.
runtime::http::Problem to_problem(const tinybms::WriteRefusal& refusal);

// One register's outcome in the answer to a write.
nlohmann::ordered_json outcome_json(const tinybms::RegisterWritten& written);

// A raw value in the register's unit, as a JSON number.
double to_unit(const tinybms::Register& entry, tinybms::RawValue value);

}  // namespace amphora::run
