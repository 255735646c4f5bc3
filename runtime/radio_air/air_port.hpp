// SPDX-License-Identifier: Apache-2.0
// A radio that is a client of the air process (air_server.hpp) over UDP.
//
// It says hello each second, and is down with a reason while nobody answers: the air process may start later,
// or restart. A second port with the same address takes the place of the first, as a restarted program must;
// the first is told and waits until the second has gone. If the air process does not say in time what became
// of a frame, the frame counts as not sent.
#pragma once

#include <memory>

#include "runtime/radio/radio_port.hpp"

namespace amphora::runtime {

std::shared_ptr<RadioPort> make_air_radio_port(Loop& loop, const RadioSpec& spec, RadioOptions options,
                                               RadioHandlers handlers);

}  // namespace amphora::runtime
