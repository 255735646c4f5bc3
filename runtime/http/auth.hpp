// SPDX-License-Identifier: Apache-2.0
// Who is at the other end: users, passwords (Argon2id), sessions, and the limit on guessing.
//
// Hashing a password takes 64 MiB and about a tenth of a second by design, so it runs on one worker thread
// with a short queue; when it is full the answer is "try later". Sessions live in memory and end after a time
// without use, after a day in any case, and with the program. Session and CSRF tokens are 32 random bytes.
// Guessing: after kFreeAttempts failures from one address each further try must wait longer, up to a minute;
// an address is forgotten after ten quiet minutes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::runtime::http {

inline constexpr std::size_t kSessionMax = 64;  // the one unused for longest makes room
inline constexpr Duration kSessionIdleMax = std::chrono::hours{8};
inline constexpr Duration kSessionAgeMax = std::chrono::hours{24};
inline constexpr int kFreeAttempts = 5;
inline constexpr Duration kAttemptDelayMin = std::chrono::seconds{2};
inline constexpr Duration kAttemptDelayMax = std::chrono::seconds{60};
inline constexpr Duration kAttemptMemory = std::chrono::minutes{10};
inline constexpr std::size_t kAddressMax = 1024;
inline constexpr std::size_t kHashQueueMax = 8;

// 32 random bytes as hexadecimal text.
std::string make_token();

// One worker for hashing. `done` is called on the worker; false: the queue is full.
class PasswordHasher {
 public:
  PasswordHasher();
  ~PasswordHasher();
  PasswordHasher(const PasswordHasher&) = delete;
  PasswordHasher& operator=(const PasswordHasher&) = delete;

  // Empty result: out of memory.
  bool hash(std::string password, std::function<void(std::string hash)> done);
  // An empty `hash` (no such user) takes as long as a real one and is never right.
  bool verify(std::string hash, std::string password, std::function<void(bool is_right)> done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The same at once, for the command line (`amphora user`). Empty: out of memory.
std::string hash_password(const std::string& password);
bool verify_password(const std::string& hash, const std::string& password);

struct Session {
  std::string user;
  std::string role;
  std::string csrf;
  TimePoint created{};
  TimePoint last_used{};
};

class SessionTable {
 public:
  // Returns the token for the cookie.
  std::string begin(const UserRecord& user, TimePoint now);
  // The session, its use noted. Null when unknown or ended by time. Valid until the next call.
  const Session* find(std::string_view token, TimePoint now);
  void end(std::string_view token);
  std::size_t size() const { return sessions_.size(); }

 private:
  std::map<std::string, Session, std::less<>> sessions_;
};

class LoginLimiter {
 public:
  // Empty: a try is allowed now; otherwise how long to wait.
  std::optional<Duration> delay(const std::string& address, TimePoint now) const;
  void note_failure(const std::string& address, TimePoint now);
  void note_success(const std::string& address);

 private:
  struct Entry {
    int failures = 0;
    TimePoint last{};
  };
  std::map<std::string, Entry> addresses_;
};

}  // namespace amphora::runtime::http
