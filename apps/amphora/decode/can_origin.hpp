// SPDX-License-Identifier: Apache-2.0
// What every decoder of CAN logs says about a frame besides its content: id, time and interface.
#pragma once

#include <array>
#include <string_view>

#include "apps/amphora/decode/candump.hpp"
#include "apps/amphora/json_line.hpp"
#include "core/can/frame.hpp"

namespace amphora::decode {

// "0x351", "0x18FF50E5"; lies in `buffer`.
std::string_view id_text(const can::Frame& frame, std::array<char, 12>& buffer);
// "time" and "interface", where the line has them.
void append_origin(JsonLine& json, const CanLine& line);

}  // namespace amphora::decode
