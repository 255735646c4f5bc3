// SPDX-License-Identifier: Apache-2.0
// amphora lights: what the bar, digits and LEDs of a running pack show, as a line of text.
//
// On a terminal the line is drawn again in place, in colours; in a pipe each change is a line of its own.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "apps/amphora/command.hpp"
#include "core/indicator/indicator.hpp"

namespace amphora {

// The group `indicator` of the state, back as a picture; empty when it is none.
std::optional<indicator::Picture> picture_of(const nlohmann::json& group);

void add_lights(CLI::App& parent, Action& chosen);

}  // namespace amphora
