// SPDX-License-Identifier: Apache-2.0
// The JSON of a message between transmitter and receiver: type, name, its fields; or type and error. A sealed
// frame shows only what stands open in it.
#pragma once

#include "apps/amphora/json_line.hpp"
#include "core/base/bytes.hpp"

namespace amphora::decode {

void append_link_payload(JsonLine& json, ByteSpan payload);

}  // namespace amphora::decode
