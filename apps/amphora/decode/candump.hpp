// SPDX-License-Identifier: Apache-2.0
// One line of a CAN log, in the forms people have them:
//
//   can0  351   [8]  43 02 E8 03 9E 07 D0 01        candump
//   (1436509052.249713) can0 351#4302E8039E07D001   candump -L
//   351 [8] 43 02 E8 03 9E 07 D0 01                 without interface
//
// A time stamp may stand in front in any of them, direction marks (RX, TX, -) are skipped, and what follows
// the bytes after at least two blanks is a remark. Several ids that share their bytes may be written as
// 374/375/376. An id of more than three digits is an extended one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/can/frame.hpp"

namespace amphora::decode {

inline constexpr std::size_t kIdCountMax = 8;

struct CanLine {
  std::string_view time;       // without parentheses; empty without
  std::string_view interface;  // empty without
  can::Frame frame;            // id is ids[0]
  std::array<std::uint32_t, kIdCountMax> ids{};
  std::size_t id_count = 0;
};

// Either `line`, or why not. Views point into the text that was parsed.
struct CanLineResult {
  CanLine line;
  std::string fault;  // empty: good
};
CanLineResult parse_can_line(std::string_view text);

}  // namespace amphora::decode
