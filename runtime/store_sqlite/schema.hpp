// SPDX-License-Identifier: Apache-2.0
// The tables of amphora.db, as the steps that lead to them.
//
// PRAGMA user_version holds how many steps a file has had. A step is never edited once released: a change is
// a new step at the end.
#pragma once

#include <array>

namespace amphora::runtime {

inline constexpr std::array<const char*, 3> kSchemaSteps = {
    // 1: settings, users, counters, events, readings that wait for the broker.
    R"sql(
CREATE TABLE sections(name TEXT PRIMARY KEY, content TEXT NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE users(name TEXT PRIMARY KEY, role TEXT NOT NULL, password_hash TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE events(id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, uptime_ms INTEGER NOT NULL,
  level INTEGER NOT NULL, source TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE readings(sequence INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL);
)sql",
    // 2: the battery's history. `count`: samples behind a row. `marks`: totals that the last day row has
    // seen.
    R"sql(
CREATE TABLE tier0(at INTEGER PRIMARY KEY, count INTEGER NOT NULL,
  v0 REAL, v1 REAL, v2 REAL, v3 REAL, v4 REAL, v5 REAL, v6 REAL);
CREATE TABLE tier1(at INTEGER PRIMARY KEY, count INTEGER NOT NULL,
  v0 REAL, v1 REAL, v2 REAL, v3 REAL, v4 REAL, v5 REAL, v6 REAL);
CREATE TABLE tier2(at INTEGER PRIMARY KEY, count INTEGER NOT NULL,
  v0 REAL, v1 REAL, v2 REAL, v3 REAL, v4 REAL, v5 REAL, v6 REAL);
CREATE TABLE days(date TEXT PRIMARY KEY, energy_in REAL, energy_out REAL, soc_min REAL, soc_max REAL,
  cell_delta_max REAL) WITHOUT ROWID;
CREATE TABLE marks(name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
)sql",
    // 3: the radio link: what a receiver was given, and what waits at a transmitter. `id` is the order of
    // arrival; sequences wrap and epochs have no order.
    R"sql(
CREATE TABLE link_readings(id INTEGER PRIMARY KEY, peer INTEGER NOT NULL, epoch INTEGER NOT NULL,
  sequence INTEGER NOT NULL, time_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, format INTEGER NOT NULL,
  payload TEXT NOT NULL, UNIQUE(peer,epoch,sequence));
CREATE TABLE link_queue(id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
  time_ms INTEGER NOT NULL, format INTEGER NOT NULL, payload TEXT NOT NULL);
)sql",
};

}  // namespace amphora::runtime
