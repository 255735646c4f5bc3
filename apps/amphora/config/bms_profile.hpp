// SPDX-License-Identifier: Apache-2.0
// The register profile of a Modbus BMS: by name, or from a TOML file of the owner's.
//
//   words_max = 32            # registers of one request at most; default 125
//   gap_max = 4               # unused registers that are read along rather than asking twice; default 8
//   voltage_max_v = 65        # what can be real; other values are counted and not taken over
//   current_max_a = 300
//   alarm_bits = ["high_voltage", "", "low_voltage"]   # of the point "alarms", from bit 0
//
//   [[point]]
//   quantity = "voltage"      # voltage, current, soc, soh, cell, temperature_min, temperature_max,
//                             # temperature_internal, alarms
//   function = 3              # 3 holding registers (default), 4 input registers
//   register = 0
//   scale = 0.1               # one count, in V, A (positive: charging), % or degrees Celsius; default 1
//   offset = 0                # added to the number before scaling
//   signed = false
//   words = 1                 # 2: a number of two registers
//   order = "high_first"      # of the two; or "low_first"
//   count = 16                # cell: how many, one register each
//
// Registers of one function that lie close together are read with one request; kBlocksMax requests are the
// limit. Voltage and current are needed, the rest is as the BMS has it.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "apps/amphora/config/checks.hpp"
#include "apps/amphora/config/config.hpp"
#include "core/bms/modbus/poller.hpp"

namespace amphora::config {

// The profile in `text`, or all that is wrong with it.
std::variant<modbus::Profile, std::vector<Problem>> parse_bms_profile(std::string_view text);

// Fills config.bms.registers with what config.bms.profile names. What is wrong with a file is told with its
// path. Does nothing for other drivers.
std::vector<Problem> load_bms_profile(Config& config);

}  // namespace amphora::config
