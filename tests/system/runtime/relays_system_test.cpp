// SPDX-License-Identifier: Apache-2.0
// The guard of the relays as a real process, on a machine without GPIO: it starts, answers, is replaced when
// it dies or hangs, and ends with its program. What it does to lines is tested in tests/vm/gpio_test.sh.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string_view>
#include <thread>

#include "runtime/loop/loop.hpp"
#include "runtime/relays/relay_bank.hpp"
#include "runtime/relays/relay_guard.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;
using energy::Position;
using energy::Relay;

RelayOptions options_of(std::string_view grid) {
  RelayOptions options;
  options.specs[index_of(Relay::kGrid)] = std::get<RelaySpec>(parse_relay_spec(grid, Relay::kGrid));
  options.guard_command = {"/proc/self/exe", "relay-guard"};
  return options;
}

// Polls the bank until `condition`, with a bound that only serves to end a hanging test.
bool run_until(RelayBank& bank, const std::function<bool()>& condition) {
  const TimePoint end = steady_now() + 30s;
  while (steady_now() < end) {
    bank.poll(steady_now());
    if (condition()) {
      return true;
    }
    pollfd watched{bank.socket(), POLLIN, 0};
    (void)::poll(&watched, 1, 20);
  }
  return false;
}

bool is_running(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

TEST(RelayGuardProcess, answers_and_ends_with_its_bank) {
  pid_t guard = -1;
  {
    RelayBank bank{options_of("gpio:no_such_chip/7")};
    bank.set(Relay::kGrid, Position::kClosed);
    ASSERT_TRUE(run_until(bank, [&] { return bank.error(Relay::kGrid).has_value(); }));
    EXPECT_EQ(bank.error(Relay::kGrid)->code, ENOENT);
    EXPECT_NE(bank.error(Relay::kGrid)->text().find("no_such_chip/7"), std::string::npos);
    EXPECT_EQ(bank.positions()[index_of(Relay::kGrid)], std::nullopt);
    EXPECT_EQ(bank.counters().failures, 1U);
    ASSERT_TRUE(bank.guard());
    guard = *bank.guard();
    EXPECT_TRUE(is_running(guard));
  }
  EXPECT_FALSE(is_running(guard));
}

TEST(RelayGuardProcess, is_replaced_when_it_is_killed) {
  RelayBank bank{options_of("gpio:no_such_chip/7")};
  bank.set(Relay::kGrid, Position::kClosed);
  ASSERT_TRUE(run_until(bank, [&] { return bank.error(Relay::kGrid).has_value(); }));
  const pid_t first = *bank.guard();
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  ASSERT_TRUE(run_until(bank, [&] { return bank.counters().guard_losses == 1; }));
  EXPECT_EQ(bank.error(Relay::kGrid)->operation, "the guard of the relays has ended");
  ASSERT_TRUE(run_until(bank, [&] { return bank.guard() && bank.error(Relay::kGrid)->code == ENOENT; }));
  EXPECT_NE(*bank.guard(), first);
  EXPECT_EQ(bank.counters().guard_starts, 2U);
}

TEST(RelayGuardProcess, is_replaced_when_it_hangs) {
  RelayBank bank{options_of("gpio:no_such_chip/7")};
  bank.set(Relay::kGrid, Position::kClosed);
  ASSERT_TRUE(run_until(bank, [&] { return bank.error(Relay::kGrid).has_value(); }));
  const pid_t first = *bank.guard();
  ASSERT_EQ(::kill(first, SIGSTOP), 0);
  ASSERT_TRUE(run_until(bank, [&] { return bank.counters().guard_losses == 1; }));
  EXPECT_EQ(bank.error(Relay::kGrid)->code, ETIMEDOUT);
  ASSERT_TRUE(run_until(bank, [&] { return bank.counters().guard_starts == 2 && bank.guard(); }));
  EXPECT_FALSE(is_running(first));
}

TEST(RelayGuardProcess, ends_on_what_it_does_not_understand) {
  for (const std::string_view packet : {"hello", "lines\ngrid gpio:x"}) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_GT(::send(ends[0], packet.data(), packet.size(), 0), 0);
    EXPECT_EQ(run_relay_guard(ends[1]), 1);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  EXPECT_EQ(run_relay_guard(-1), 1);
}

}  // namespace
}  // namespace amphora::runtime

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "relay-guard") {
    return amphora::runtime::run_relay_guard(amphora::runtime::kGuardSocket);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
