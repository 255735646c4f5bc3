// SPDX-License-Identifier: Apache-2.0
// SQLite with values instead of codes: a connection and its prepared statements. One thread.
//
// Every failure is remembered in the connection (error()) and reported by a false return; nothing throws.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/loop/sys_error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace amphora::runtime {

class Database;

// A statement in use: bind from 1, then run() or step(). It is reset when this handle ends.
class Query {
 public:
  Query(Database& database, sqlite3_stmt* statement) : database_{database}, statement_{statement} {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(int index, std::int64_t value);
  Query& bind(int index, std::string_view text);
  Query& bind(int index, const std::optional<double>& value);
  // True: there is a row. False: no more rows, or an error (database.has_error()).
  bool step();
  // For statements without rows: true when it worked.
  bool run();

  std::int64_t integer(int column) const;
  std::string text(int column) const;
  std::optional<double> real(int column) const;

 private:
  Database& database_;
  sqlite3_stmt* statement_;
};

class Database {
 public:
  Database() = default;
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  bool open(const std::string& path);
  void close();
  // Several statements without results.
  bool execute(const char* sql);
  // Prepared once per text; `sql` must be a literal.
  Query query(const char* sql);

  bool has_error() const { return error_.has_value(); }
  const std::optional<SysError>& error() const { return error_; }
  void clear_error() { error_.reset(); }
  // False where a statement of this transaction has ended it already (a full disk does).
  bool is_in_transaction() const;
  // Takes the reason from SQLite; the first one stays.
  void note_error(const char* operation);
  void set_error(SysError error) { error_ = std::move(error); }
  const std::string& path() const { return path_; }

 private:
  sqlite3* handle_ = nullptr;
  std::string path_;
  std::map<const char*, sqlite3_stmt*> statements_;
  std::optional<SysError> error_;
};

}  // namespace amphora::runtime
