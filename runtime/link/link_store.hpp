// SPDX-License-Identifier: Apache-2.0
// How the records of the radio link stand in the store: sections by name, as text with the store's checksum.
//
//   state.own.3                  section 3 of this node: version, stamp, origin and content in hexadecimal
//   state.02:00:00:00:00:01.3    a receiver's copy of a transmitter's section 3
//   link.key.02:00:00:00:00:02   the key shared with a paired node, and when it was agreed on, in Unix ms
//   link.address                 the address that this node had last
// A record that is damaged or not of this form is reported and left out: the peer brings it back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/node/paired_peer.hpp"
#include "core/state/section.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::runtime {

struct StoredSection {
  NodeId owner;  // nobody: this node
  state::SectionId section = 0;
  std::optional<state::Record> record;  // empty: damaged
};

struct StoredLink {
  NodeId address;  // nobody: not known yet
  std::vector<StoredSection> sections;
  std::vector<node::PairedPeer> peers;  // paired last comes first
  std::vector<LinkPosition> positions;
  std::vector<LinkQueueEntry> queue;  // of one epoch, ascending, without holes
  std::optional<std::uint32_t> queue_epoch;
  std::uint32_t queue_next = 0;
  std::uint8_t channel = 0;             // where the receiver was last; 0: not known
  std::vector<std::string> complaints;  // what was left out, for people
};
StoredLink load_link(const StoredState& stored);

std::string section_name(NodeId owner, state::SectionId section);
std::string key_name(NodeId peer);
std::string key_text(const crypto::Key& key, WallTime agreed_at);
inline constexpr const char* kAddressName = "link.address";
inline constexpr const char* kChannelCounter = "link_channel";

std::string to_text(const state::Record& record);
std::optional<state::Record> record_from_text(std::string_view text);

std::string to_hex(ByteSpan bytes);
std::optional<std::vector<std::uint8_t>> bytes_from_hex(std::string_view text);
std::string to_string(NodeId node);

}  // namespace amphora::runtime
