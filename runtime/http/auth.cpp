// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/auth.hpp"

#include <sodium.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/base/assert.hpp"

namespace amphora::runtime::http {

namespace {

void start_sodium() {
  static const bool is_good = sodium_init() >= 0;
  AMPHORA_ASSERT(is_good);
}

// Of a random password that nobody knows: what is compared with when there is no such user.
const std::string& nobodys_hash() {
  static const std::string hash = hash_password(make_token());
  return hash;
}

}  // namespace

std::string make_token() {
  start_sodium();
  std::array<unsigned char, 32> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  std::array<char, 65> text{};
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  return text.data();
}

std::string hash_password(const std::string& password) {
  start_sodium();
  std::array<char, crypto_pwhash_STRBYTES> hash{};
  const int code =
      crypto_pwhash_str_alg(hash.data(), password.data(), password.size(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                            crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13);
  return code == 0 ? std::string{hash.data()} : std::string{};
}

bool verify_password(const std::string& hash, const std::string& password) {
  start_sodium();
  const std::string& against = hash.empty() ? nobodys_hash() : hash;
  const bool is_equal = crypto_pwhash_str_verify(against.c_str(), password.data(), password.size()) == 0;
  return is_equal && !hash.empty();
}

struct PasswordHasher::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> jobs;
  bool is_stopping = false;
  std::thread thread;

  bool add(std::function<void()> job) {
    {
      const std::lock_guard lock{mutex};
      if (jobs.size() >= kHashQueueMax) {
        return false;
      }
      jobs.push_back(std::move(job));
    }
    changed.notify_one();
    return true;
  }
  void run() {
    std::unique_lock lock{mutex};
    while (true) {
      changed.wait(lock, [this] { return is_stopping || !jobs.empty(); });
      if (is_stopping) {
        return;
      }
      const auto job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }
};

PasswordHasher::PasswordHasher() : state_{std::make_unique<State>()} {
  start_sodium();
  state_->thread = std::thread{[state = state_.get()] { state->run(); }};
}

PasswordHasher::~PasswordHasher() {
  {
    const std::lock_guard lock{state_->mutex};
    state_->is_stopping = true;
  }
  state_->changed.notify_one();
  state_->thread.join();
}

bool PasswordHasher::hash(std::string password, std::function<void(std::string)> done) {
  return state_->add([password = std::move(password), done = std::move(done)]() mutable {
    std::string hash = hash_password(password);
    sodium_memzero(password.data(), password.size());
    done(std::move(hash));
  });
}

bool PasswordHasher::verify(std::string hash, std::string password, std::function<void(bool)> done) {
  return state_->add(
      [hash = std::move(hash), password = std::move(password), done = std::move(done)]() mutable {
        const bool is_right = verify_password(hash, password);
        sodium_memzero(password.data(), password.size());
        done(is_right);
      });
}

std::string SessionTable::begin(const UserRecord& user, TimePoint now) {
  if (sessions_.size() >= kSessionMax) {
    const auto oldest = std::min_element(
        sessions_.begin(), sessions_.end(),
        [](const auto& a, const auto& b) { return a.second.last_used < b.second.last_used; });
    sessions_.erase(oldest);
  }
  std::string token = make_token();
  sessions_[token] = Session{user.name, user.role, make_token(), now, now};
  return token;
}

const Session* SessionTable::find(std::string_view token, TimePoint now) {
  const auto found = sessions_.find(token);
  if (found == sessions_.end()) {
    return nullptr;
  }
  Session& session = found->second;
  if (now - session.last_used > kSessionIdleMax || now - session.created > kSessionAgeMax) {
    sessions_.erase(found);
    return nullptr;
  }
  session.last_used = now;
  return &session;
}

void SessionTable::end(std::string_view token) {
  if (const auto found = sessions_.find(token); found != sessions_.end()) {
    sessions_.erase(found);
  }
}

std::optional<Duration> LoginLimiter::delay(const std::string& address, TimePoint now) const {
  const auto found = addresses_.find(address);
  if (found == addresses_.end() || found->second.failures < kFreeAttempts) {
    return std::nullopt;
  }
  const int doublings = std::min(found->second.failures - kFreeAttempts, 10);
  const Duration wait = std::min<Duration>(kAttemptDelayMin * (1 << doublings), kAttemptDelayMax);
  const TimePoint allowed_at = found->second.last + wait;
  return now >= allowed_at ? std::nullopt : std::optional{allowed_at - now};
}

void LoginLimiter::note_failure(const std::string& address, TimePoint now) {
  std::erase_if(addresses_, [now](const auto& entry) { return now - entry.second.last > kAttemptMemory; });
  if (addresses_.size() >= kAddressMax && !addresses_.contains(address)) {
    addresses_.erase(std::min_element(addresses_.begin(), addresses_.end(), [](const auto& a, const auto& b) {
      return a.second.last < b.second.last;
    }));
  }
  Entry& entry = addresses_[address];
  ++entry.failures;
  entry.last = now;
}

void LoginLimiter::note_success(const std::string& address) {
  addresses_.erase(address);
}

}  // namespace amphora::runtime::http
