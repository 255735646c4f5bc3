// SPDX-License-Identifier: Apache-2.0
// The SQL of each table, one function per question or change. On the store's thread only; a false return
// leaves the reason in the database's error().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/history/history.hpp"
#include "runtime/store_sqlite/database.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::runtime {

// Brings a new or older file to the newest schema, in one transaction. A newer file is refused.
bool migrate(Database& database);
bool load_stored_state(Database& database, StoredState& state);
std::int64_t last_event_id(Database& database);

// Over name and content, so that a section cannot be taken for another.
std::int64_t section_checksum(const std::string& name, const std::string& content);
bool write_section(Database& database, const std::string& name, const std::string& content);
bool delete_section(Database& database, const std::string& name);
bool write_user(Database& database, const UserRecord& user);
bool delete_user(Database& database, const std::string& name);
bool write_counter(Database& database, const std::string& name, std::int64_t value);
bool write_event(Database& database, const EventRecord& event);
bool write_reading(Database& database, const StoredReading& reading);
bool delete_reading(Database& database, std::uint64_t sequence);
// Joins a row with what the table has for the same span (a restart in its middle).
bool write_history_row(Database& database, std::size_t tier, const HistoryRow& row);

EventPage read_events(Database& database, const EventQuery& query);
HistoryResult read_history(Database& database, const HistoryQuery& query, std::int64_t now_ms,
                           int history_days);
std::vector<HistoryDay> read_days(Database& database, int days);

// Removes what is older than its tier keeps, and the oldest events and readings over their limits.
bool prune(Database& database, std::int64_t now_ms, const StoreOptions& options);
std::int64_t count_history_rows(Database& database);

// The day rows: growth of the energy counters and extremes of a day.
class DayTracker {
 public:
  bool load(Database& database);
  void add(const HistorySample& sample);
  // Writes the days that changed.
  bool write(Database& database);

 private:
  static void grow(std::optional<double>& last, const std::optional<double>& total,
                   std::optional<double>& day);
  std::optional<double> last_in_;
  std::optional<double> last_out_;
  std::vector<HistoryDay> changed_;
};

}  // namespace amphora::runtime
