// SPDX-License-Identifier: Apache-2.0
// Who else is on the bus: what each node last said of itself and of its pack.
//
// A node is in the table from its first presence (or old presence) until it has not been heard for kNodeLife.
// Any frame of it counts as heard. The id stays reserved to its hardware number after that (claim.hpp).
// kNodesMax entries, with telemetry; further nodes are counted, not kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/time.hpp"
#include "core/packnet/frames.hpp"
#include "core/packnet/telemetry.hpp"

namespace amphora::packnet {

inline constexpr Duration kNodeLife = std::chrono::seconds{120};
inline constexpr std::size_t kNodesMax = 32;

struct NodeEntry {
  Node node = kNodeNone;
  DeviceType type = DeviceType::kUnknown;  // kUnknown: only its old presence was heard
  std::uint8_t firmware_major = 0;
  std::uint8_t firmware_minor = 0;
  std::uint8_t flags = 0;
  std::uint32_t hash = 0;
  TimePoint first_heard_at{};
  TimePoint heard_at{};
  Telemetry telemetry;
  std::optional<TimePoint> telemetry_at;  // the last page
};

class NodeTable {
 public:
  // True when the node is new, or another device than before.
  bool handle_presence(TimePoint now, const Presence& presence);
  bool handle_old_presence(TimePoint now, Node node);
  // A sign of life; nodes that never sent a presence are not entered.
  void handle_heard(TimePoint now, Node node);
  // False for pages that do not exist and for nodes that are not in the table.
  bool handle_telemetry(TimePoint now, const TelemetryPage& page);

  // Takes out one node that has expired.
  std::optional<Node> pop_expired(TimePoint now);
  TimePoint next_expiry() const;

  const NodeEntry* find(Node node) const;
  std::span<const NodeEntry> entries() const { return std::span{entries_}.first(count_); }
  std::size_t size() const { return count_; }
  std::uint64_t dropped_count() const { return dropped_count_; }
  void clear() { count_ = 0; }

 private:
  NodeEntry* find_mutable(Node node);
  NodeEntry* add(TimePoint now, Node node);

  std::array<NodeEntry, kNodesMax> entries_{};
  std::size_t count_ = 0;
  std::uint64_t dropped_count_ = 0;
};

}  // namespace amphora::packnet
