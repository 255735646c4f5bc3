// SPDX-License-Identifier: Apache-2.0
// amphora bms read|settings|write --port DEV
//
// read prints live values as JSON. settings prints the table of settings with ranges: aligned columns on a
// terminal, or JSON. write checks everything before anything is sent, writes in an order that keeps the BMS's
// own rules, reads back, and prints what is on the BMS then.
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_bms(CLI::App& parent, Action& chosen);

}  // namespace amphora
