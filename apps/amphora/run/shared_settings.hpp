// SPDX-License-Identifier: Apache-2.0
// Shared settings (core/sections) and the configuration: which field is which, and how one becomes the other.
//
// On a box with a radio, what both boxes of a link may change lives in sections: battery, MQTT, names, power
// profile. As long as nobody has changed a section it says what the configuration says (the file, and what
// was changed on the settings page). Once somebody has, the section is in force, and the file is not asked
// any more. A field has one place to be changed: fields that a section has are read-only among the box's own
// settings.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/amphora/config/config.hpp"
#include "apps/amphora/config/fields.hpp"
#include "core/inverter/charge_limits.hpp"
#include "core/sections/tables.hpp"

namespace amphora::run {

// Where the configuration has the same field; null: only the section has it.
const config::Field* config_field(const sections::SectionTable& table, const sections::FieldSpec& field);
// The section that has a field of the configuration; null: none.
const sections::SectionTable* section_of(const config::Field& field);

// What the configuration says of a section. Empty where it says nothing of it, or something that the section
// cannot hold (a broker's name of more than 64 characters).
std::optional<state::Payload> payload_from(const sections::SectionTable& table, const config::Config& config);

// Puts a section over the configuration. Sentences for what is wrong with the result; then nothing changes.
std::vector<std::string> put_over(const sections::SectionTable& table, const sections::Values& values,
                                  config::Config& config);

// What the power profile allows.
inverter::UserLimits to_user_limits(const sections::Values& power_profile);

// The values of a record; the defaults where it cannot be read.
sections::Values values_of(const sections::SectionTable& table, const state::Record& record);

}  // namespace amphora::run
