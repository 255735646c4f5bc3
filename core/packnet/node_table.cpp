// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/node_table.hpp"

#include <algorithm>

namespace amphora::packnet {

NodeEntry* NodeTable::find_mutable(Node node) {
  const auto found = std::ranges::find(std::span{entries_}.first(count_), node, &NodeEntry::node);
  return found != std::span{entries_}.first(count_).end() ? &*found : nullptr;
}

const NodeEntry* NodeTable::find(Node node) const {
  const auto all = entries();
  const auto found = std::ranges::find(all, node, &NodeEntry::node);
  return found != all.end() ? &*found : nullptr;
}

NodeEntry* NodeTable::add(TimePoint now, Node node) {
  if (count_ == kNodesMax) {
    ++dropped_count_;
    return nullptr;
  }
  NodeEntry& entry = entries_[count_++];
  entry = NodeEntry{};
  entry.node = node;
  entry.first_heard_at = now;
  entry.heard_at = now;
  return &entry;
}

bool NodeTable::handle_presence(TimePoint now, const Presence& presence) {
  NodeEntry* entry = find_mutable(presence.node);
  // Another device took over the id: nothing of the old one is known of it.
  const bool is_new =
      entry == nullptr || (entry->type != DeviceType::kUnknown && entry->hash != presence.hash);
  if (entry == nullptr) {
    entry = add(now, presence.node);
    if (entry == nullptr) {
      return false;
    }
  } else if (is_new) {
    *entry = NodeEntry{};
    entry->node = presence.node;
    entry->first_heard_at = now;
  }
  entry->type = presence.type;
  entry->firmware_major = presence.firmware_major;
  entry->firmware_minor = presence.firmware_minor;
  entry->flags = presence.flags;
  entry->hash = presence.hash;
  entry->heard_at = now;
  return is_new;
}

bool NodeTable::handle_old_presence(TimePoint now, Node node) {
  if (NodeEntry* entry = find_mutable(node)) {
    entry->heard_at = now;
    return false;
  }
  return add(now, node) != nullptr;
}

void NodeTable::handle_heard(TimePoint now, Node node) {
  if (NodeEntry* entry = find_mutable(node)) {
    entry->heard_at = now;
  }
}

bool NodeTable::handle_telemetry(TimePoint now, const TelemetryPage& page) {
  NodeEntry* entry = find_mutable(page.node);
  if (entry == nullptr || !entry->telemetry.decode(page)) {
    return false;
  }
  entry->telemetry_at = now;
  return true;
}

std::optional<Node> NodeTable::pop_expired(TimePoint now) {
  for (std::size_t i = 0; i < count_; ++i) {
    if (now - entries_[i].heard_at >= kNodeLife) {
      const Node node = entries_[i].node;
      --count_;
      if (i != count_) {
        entries_[i] = entries_[count_];
      }
      return node;
    }
  }
  return std::nullopt;
}

TimePoint NodeTable::next_expiry() const {
  TimePoint first = kNever;
  for (const NodeEntry& entry : entries()) {
    first = earliest(first, add_saturating(entry.heard_at, kNodeLife));
  }
  return first;
}

}  // namespace amphora::packnet
