// SPDX-License-Identifier: Apache-2.0
// The other end of a radio link, as pairing left it.
#pragma once

#include "core/base/node_id.hpp"
#include "core/crypto/crypto.hpp"

namespace amphora::node {

struct PairedPeer {
  NodeId node;
  crypto::Key link_key{};  // not used in plain mode
};

}  // namespace amphora::node
