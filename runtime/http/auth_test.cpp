// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/auth.hpp"

#include <gtest/gtest.h>

#include <future>

namespace amphora::runtime::http {
namespace {

using namespace std::chrono_literals;

TEST(Passwords, argon2id_and_only_the_right_one) {
  const std::string hash = hash_password("correct horse");
  EXPECT_TRUE(hash.starts_with("$argon2id$"));
  EXPECT_NE(hash, hash_password("correct horse"));
  EXPECT_TRUE(verify_password(hash, "correct horse"));
  EXPECT_FALSE(verify_password(hash, "correct horsf"));
  EXPECT_FALSE(verify_password("", "correct horse"));
  EXPECT_FALSE(verify_password("damaged", "correct horse"));
}

TEST(Passwords, worker_bounds_its_queue) {
  PasswordHasher hasher;
  std::promise<void> may_go_on;
  auto gate = may_go_on.get_future().share();
  std::promise<void> has_started;
  ASSERT_TRUE(hasher.hash("first", [&](std::string) {
    has_started.set_value();
    gate.wait();
  }));
  has_started.get_future().wait();
  for (std::size_t i = 0; i < kHashQueueMax; ++i) {
    EXPECT_TRUE(hasher.verify("", "x", [](bool is_right) { EXPECT_FALSE(is_right); }));
  }
  EXPECT_FALSE(hasher.verify("", "x", [](bool) {}));
  may_go_on.set_value();
}

TEST(Sessions, end_by_time_by_use_and_by_request) {
  SessionTable table;
  const UserRecord user{"admin", "owner", "h"};
  const TimePoint start{1s};
  const std::string token = table.begin(user, start);
  EXPECT_EQ(token.size(), 64U);
  ASSERT_NE(table.find(token, start + 7h), nullptr);
  EXPECT_EQ(table.find(token, start + 7h)->user, "admin");
  EXPECT_NE(table.find(token, start + 14h), nullptr);
  EXPECT_NE(table.find(token, start + 21h), nullptr);
  EXPECT_EQ(table.find(token, start + 25h), nullptr);  // used all the time, and still over after a day
  const std::string idle = table.begin(user, start);
  EXPECT_EQ(table.find(idle, start + 9h), nullptr);
  const std::string ended = table.begin(user, start);
  table.end(ended);
  EXPECT_EQ(table.find(ended, start), nullptr);
  EXPECT_EQ(table.find("", start), nullptr);
}

TEST(Sessions, the_one_unused_for_longest_makes_room) {
  SessionTable table;
  const std::string first = table.begin({"a", "viewer", ""}, TimePoint{1s});
  std::string last;
  for (std::size_t i = 0; i < kSessionMax; ++i) {
    last = table.begin({"a", "viewer", ""}, TimePoint{2s});
  }
  EXPECT_EQ(table.size(), kSessionMax);
  EXPECT_EQ(table.find(first, TimePoint{3s}), nullptr);
  EXPECT_NE(table.find(last, TimePoint{3s}), nullptr);
}

TEST(LoginLimit, waits_longer_and_longer_and_forgets) {
  LoginLimiter limiter;
  TimePoint now{1s};
  for (int i = 0; i < kFreeAttempts; ++i) {
    EXPECT_FALSE(limiter.delay("a", now));
    limiter.note_failure("a", now);
  }
  EXPECT_EQ(limiter.delay("a", now), kAttemptDelayMin);
  EXPECT_FALSE(limiter.delay("b", now));
  EXPECT_FALSE(limiter.delay("a", now + kAttemptDelayMin));
  for (int i = 0; i < 20; ++i) {
    limiter.note_failure("a", now);
  }
  EXPECT_EQ(limiter.delay("a", now), kAttemptDelayMax);
  limiter.note_success("a");
  EXPECT_FALSE(limiter.delay("a", now));
  limiter.note_failure("a", now);
  limiter.note_failure("b", now + kAttemptMemory + 1s);
  EXPECT_FALSE(limiter.delay("a", now + kAttemptMemory + 1s));
}

TEST(LoginLimit, remembers_a_bounded_number_of_addresses) {
  LoginLimiter limiter;
  for (std::size_t i = 0; i < kAddressMax + 10; ++i) {
    for (int k = 0; k < kFreeAttempts; ++k) {
      limiter.note_failure(std::to_string(i), TimePoint{std::chrono::milliseconds{i}});
    }
  }
  EXPECT_FALSE(limiter.delay("0", TimePoint{2s}));
  EXPECT_TRUE(limiter.delay(std::to_string(kAddressMax), TimePoint{1100ms}));
}

}  // namespace
}  // namespace amphora::runtime::http
