// SPDX-License-Identifier: Apache-2.0
#include "runtime/store_sqlite/database.hpp"

#include <sqlite3.h>

#include <cerrno>

namespace amphora::runtime {

Query::~Query() {
  if (statement_ != nullptr) {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
}

Query& Query::bind(int index, std::int64_t value) {
  sqlite3_bind_int64(statement_, index, value);
  return *this;
}
Query& Query::bind(int index, std::string_view text) {
  sqlite3_bind_text(statement_, index, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  return *this;
}
Query& Query::bind(int index, const std::optional<double>& value) {
  if (value) {
    sqlite3_bind_double(statement_, index, *value);
  } else {
    sqlite3_bind_null(statement_, index);
  }
  return *this;
}

bool Query::step() {
  if (statement_ == nullptr) {
    return false;
  }
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    database_.note_error("write or read");
  }
  return code == SQLITE_ROW;
}

bool Query::run() {
  (void)step();
  return statement_ != nullptr && !database_.has_error();
}

std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
std::string Query::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return text == nullptr ? std::string{} : std::string{text, size};
}
std::optional<double> Query::real(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) {
    return std::nullopt;
  }
  return sqlite3_column_double(statement_, column);
}

Database::~Database() {
  close();
}

bool Database::open(const std::string& path) {
  path_ = path;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
    note_error("open");
    return false;
  }
  sqlite3_busy_timeout(handle_, 2000);  // another program may be reading, for a backup
  return true;
}

void Database::close() {
  for (const auto& [sql, statement] : statements_) {
    sqlite3_finalize(statement);
  }
  statements_.clear();
  sqlite3_close(handle_);
  handle_ = nullptr;
}

bool Database::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    note_error("write");
    return false;
  }
  return true;
}

Query Database::query(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr &&
      sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    note_error("prepare a statement for");
  }
  return Query{*this, statement};
}

bool Database::is_in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

void Database::note_error(const char* operation) {
  if (error_) {
    return;  // the first one is the cause
  }
  const int code = handle_ == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(handle_);
  const char* words = handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_);
  error_ = SysError{0, std::string{operation} + " " + path_ + ": " + words, {}};
  switch (code & 0xFF) {
    case SQLITE_FULL:
      error_->code = ENOSPC;
      error_->operation = std::string{operation} + " " + path_;
      error_->advice = "free some space; what waits is kept in memory and written as soon as there is room";
      break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      error_->advice = "the user that runs this program must own the folder and the file";
      break;
    case SQLITE_CANTOPEN:
      error_->advice = "is the folder there and writable for the user that runs this program?";
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      error_->advice = "the file is damaged; move it away and restart: settings come from the configuration";
      break;
    default:
      break;
  }
}

}  // namespace amphora::runtime
