// SPDX-License-Identifier: Apache-2.0
// Registers of a device in a text file, as people write dumps down:
//
//   r36=0x1eb8 r37=0x425f (55.78 V)      several in a line, decimal or 0x; remarks in parentheses
//   r2..r15 = 39800 39810 …              a range, with a value for each register
//   r105..r109=0                         or one for all
//   # comment to the end of the line
//
// Values are 0 to 65535, or -32768 to -1 for signed registers. A register may be given once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace amphora::emulate {

inline constexpr std::uint16_t kRegisterMax = 511;

struct RegisterFile {
  std::map<std::uint16_t, std::uint16_t> values;
  std::vector<std::string> errors;  // "FILE:LINE: what is wrong; what is allowed"
};

// `file` is only for the messages.
RegisterFile parse_registers(std::string_view text, std::string_view file);
// Also an error: a file that cannot be read, or that has no register at all.
RegisterFile read_register_file(const std::string& path);

}  // namespace amphora::emulate
