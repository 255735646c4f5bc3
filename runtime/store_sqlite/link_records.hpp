// SPDX-License-Identifier: Apache-2.0
// What the store keeps for the radio link, and the SQL of it.
//
// Readings of a receiver: each is written once, and the newest of a peer is where its stream goes on after a
// restart. The queue of a transmitter: what was appended and not yet forgotten. Payloads are hexadecimal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/store_sqlite/database.hpp"

namespace amphora::runtime {

struct LinkReading {
  std::uint64_t peer = 0;  // NodeId::value
  std::uint32_t epoch = 0;
  std::uint32_t sequence = 0;
  std::uint32_t time_ms = 0;  // the sender's uptime
  std::int64_t received_ms = 0;
  std::uint16_t format = 0;
  std::string payload;

  bool is_same(const LinkReading& other) const {
    return peer == other.peer && epoch == other.epoch && sequence == other.sequence;
  }
};

struct LinkPosition {
  std::uint64_t peer = 0;
  std::uint32_t epoch = 0;
  std::uint32_t sequence = 0;
};

struct LinkQueueEntry {
  std::uint32_t epoch = 0;
  std::uint32_t sequence = 0;
  std::uint32_t time_ms = 0;
  std::uint16_t format = 0;
  std::string payload;
};

// A reading that is there already stays as it is.
bool write_link_reading(Database& database, const LinkReading& reading);
// The newest reading of each peer.
std::vector<LinkPosition> read_link_positions(Database& database);
// Removes the oldest beyond `count_max`; the newest of each peer always stays.
bool prune_link_readings(Database& database, std::int64_t count_max);

bool append_link_queue(Database& database, const LinkQueueEntry& entry);
// Removes everything up to and including this one.
bool forget_link_queue(Database& database, std::uint32_t epoch, std::uint32_t up_to);
std::vector<LinkQueueEntry> read_link_queue(Database& database);

}  // namespace amphora::runtime
