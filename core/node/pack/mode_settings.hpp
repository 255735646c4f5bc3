// SPDX-License-Identifier: Apache-2.0
// Between the shared sections of a pack (modes, schedule, loads) and what its control works with.
#pragma once

#include <optional>

#include "core/base/result.hpp"
#include "core/energy/settings.hpp"
#include "core/packnet/command.hpp"
#include "core/sections/tables.hpp"
#include "core/state/replica.hpp"

namespace amphora::node {

// What the sections say while nobody has changed them: all modes off.
energy::ModeSettings default_mode_settings();

// What the newest sections say. The error names the first field that cannot be in force.
Result<energy::ModeSettings, energy::SettingsError> settings_of(const state::Replica& sections);
// The same as if `section` had this content; what is wrong with it, or empty.
std::optional<energy::SettingsError> check_section(const state::Replica& sections, state::SectionId section,
                                                   const state::Payload& payload);

// The section that a command of the gateway changes, with the content it asks for. The error: a mode or value
// that packs do not share (kUnsupported), or one that the section does not allow (kOutOfRange).
struct SectionContent {
  state::SectionId section = 0;
  state::Payload payload;
};
Result<SectionContent, packnet::CommandResult> changed_by(const packnet::Command& command,
                                                          const state::Replica& sections);

}  // namespace amphora::node
