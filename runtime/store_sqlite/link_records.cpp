// SPDX-License-Identifier: Apache-2.0
#include "runtime/store_sqlite/link_records.hpp"

namespace amphora::runtime {

bool write_link_reading(Database& database, const LinkReading& reading) {
  return database
      .query(
          "INSERT OR IGNORE INTO link_readings(peer,epoch,sequence,time_ms,received_ms,format,payload) "
          "VALUES(?1,?2,?3,?4,?5,?6,?7)")
      .bind(1, static_cast<std::int64_t>(reading.peer))
      .bind(2, std::int64_t{reading.epoch})
      .bind(3, std::int64_t{reading.sequence})
      .bind(4, std::int64_t{reading.time_ms})
      .bind(5, reading.received_ms)
      .bind(6, std::int64_t{reading.format})
      .bind(7, reading.payload)
      .run();
}

std::vector<LinkPosition> read_link_positions(Database& database) {
  std::vector<LinkPosition> positions;
  Query query = database.query(
      "SELECT peer,epoch,sequence FROM link_readings WHERE id IN "
      "(SELECT max(id) FROM link_readings GROUP BY peer)");
  while (query.step()) {
    positions.push_back({.peer = static_cast<std::uint64_t>(query.integer(0)),
                         .epoch = static_cast<std::uint32_t>(query.integer(1)),
                         .sequence = static_cast<std::uint32_t>(query.integer(2))});
  }
  return positions;
}

bool prune_link_readings(Database& database, std::int64_t count_max) {
  return database
      .query(
          "DELETE FROM link_readings WHERE id<=(SELECT max(id) FROM link_readings)-?1 AND id NOT IN "
          "(SELECT max(id) FROM link_readings GROUP BY peer)")
      .bind(1, count_max)
      .run();
}

bool append_link_queue(Database& database, const LinkQueueEntry& entry) {
  return database
      .query("INSERT INTO link_queue(epoch,sequence,time_ms,format,payload) VALUES(?1,?2,?3,?4,?5)")
      .bind(1, std::int64_t{entry.epoch})
      .bind(2, std::int64_t{entry.sequence})
      .bind(3, std::int64_t{entry.time_ms})
      .bind(4, std::int64_t{entry.format})
      .bind(5, entry.payload)
      .run();
}

bool forget_link_queue(Database& database, std::uint32_t epoch, std::uint32_t up_to) {
  return database
      .query(
          "DELETE FROM link_queue WHERE id<=(SELECT max(id) FROM link_queue WHERE epoch=?1 AND sequence=?2)")
      .bind(1, std::int64_t{epoch})
      .bind(2, std::int64_t{up_to})
      .run();
}

std::vector<LinkQueueEntry> read_link_queue(Database& database) {
  std::vector<LinkQueueEntry> entries;
  Query query = database.query("SELECT epoch,sequence,time_ms,format,payload FROM link_queue ORDER BY id");
  while (query.step()) {
    entries.push_back({.epoch = static_cast<std::uint32_t>(query.integer(0)),
                       .sequence = static_cast<std::uint32_t>(query.integer(1)),
                       .time_ms = static_cast<std::uint32_t>(query.integer(2)),
                       .format = static_cast<std::uint16_t>(query.integer(3)),
                       .payload = query.text(4)});
  }
  return entries;
}

}  // namespace amphora::runtime
