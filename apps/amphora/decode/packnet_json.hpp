// SPDX-License-Identifier: Apache-2.0
// The JSON of a message of the pack network: name (its channel), who sends it or whom it is for, and all
// fields in units. What is not known on the wire is absent here; a number without a name of its own stays a
// number.
//
// A node that a frame is from is "sender", one that it is for is "to" (127: "all").
#pragma once

#include "apps/amphora/json_line.hpp"
#include "core/packnet/frames.hpp"

namespace amphora::decode {

void append_packnet_message(JsonLine& json, const packnet::Message& message);

}  // namespace amphora::decode
