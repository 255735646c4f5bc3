// SPDX-License-Identifier: Apache-2.0
// What happened on the radio link, as a sentence for a person at three in the morning (see event_text.hpp).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/node/receiver/receiver.hpp"
#include "core/node/transmitter/transmitter.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

// How the event names a node: "the transmitter House battery".
using PeerName = std::function<std::string(NodeId)>;

// Empty for what is routine: sessions, acknowledgements, writes that went well. Times and id are the
// caller's.
std::optional<runtime::EventRecord> describe(const node::TransmitterEvent& event, NodeId self,
                                             const PeerName& name);
std::optional<runtime::EventRecord> describe(const node::ReceiverEvent& event, NodeId self,
                                             const PeerName& name);

}  // namespace amphora::run
