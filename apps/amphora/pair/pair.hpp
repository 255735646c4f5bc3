// SPDX-License-Identifier: Apache-2.0
// amphora pair: a transmitter and a receiver get to know each other, from the shell.
//
//   show          at the transmitter's box: shows a code of six digits and waits until it was used
//   enter CODE    at the receiver's box: enters it and waits for the outcome
//   status        who is paired, and how pairing goes
//   forget NODE   forgets a paired node and its key
//   key           writes a key that was agreed on elsewhere into the database of a box that does not run
//
// All but `key` ask the running box through its HTTP interface (box_client.hpp).
#pragma once

#include "apps/amphora/command.hpp"

namespace amphora {

void add_pair(CLI::App& parent, Action& chosen);

}  // namespace amphora
