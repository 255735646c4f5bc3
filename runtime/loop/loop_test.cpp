// SPDX-License-Identifier: Apache-2.0
#include "runtime/loop/loop.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <thread>
#include <vector>

#include "runtime/loop/bounded_queue.hpp"
#include "runtime/loop/sd_notify.hpp"
#include "runtime/loop/sys_error.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

TEST(Loop, posts_from_other_threads_run_on_the_loop) {
  Loop loop;
  std::thread::id ran_on;
  std::thread other{[&] {
    loop.post([&] {
      ran_on = std::this_thread::get_id();
      loop.stop();
    });
  }};
  loop.run();
  other.join();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(Timer, arming_again_replaces_and_destroying_cancels) {
  Loop loop;
  std::vector<int> fired;
  Timer timer{loop};
  {
    Timer gone{loop};
    gone.arm(loop.now(), [&] { fired.push_back(9); });
  }
  timer.arm(loop.now(), [&] { fired.push_back(1); });
  timer.arm(loop.now() + 1ms, [&] {
    fired.push_back(2);
    loop.stop();
  });
  loop.run_until(loop.now() + 10s);
  EXPECT_EQ(fired, std::vector<int>{2});
}

TEST(Timer, never_is_never) {
  Loop loop;
  bool has_fired = false;
  Timer timer{loop};
  timer.arm(kNever, [&] { has_fired = true; });
  loop.run_until(loop.now() + 5ms);
  EXPECT_FALSE(has_fired);
}

TEST(Pump, many_requests_make_one_step_and_never_inside_the_request) {
  Loop loop;
  int steps = 0;
  bool is_inside_request = false;
  Pump pump{loop, [&](TimePoint now) {
              EXPECT_FALSE(is_inside_request);
              ++steps;
              return steps < 3 ? now : kNever;
            }};
  is_inside_request = true;
  pump.request();
  pump.request();
  is_inside_request = false;
  loop.run_until(loop.now() + 50ms);
  EXPECT_EQ(steps, 3);
}

TEST(Signals, are_delivered_as_tasks) {
  Loop loop;
  int seen = 0;
  SignalWatch watch{loop, {SIGUSR1}, [&](int number) {
                      seen = number;
                      loop.stop();
                    }};
  loop.post([] { ::raise(SIGUSR1); });
  loop.run_until(loop.now() + 10s);
  EXPECT_EQ(seen, SIGUSR1);
}

TEST(FdWatchTest, task_may_destroy_the_watch) {
  Loop loop;
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  auto watch = std::make_unique<FdWatch>(loop, pipe_fds[0]);
  watch->on_readable([&] {
    watch.reset();
    loop.stop();
  });
  ASSERT_EQ(::write(pipe_fds[1], "x", 1), 1);
  loop.run_until(loop.now() + 10s);
  EXPECT_EQ(watch, nullptr);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
}

TEST(BoundedQueueTest, refuses_and_counts_when_full_and_keeps_order) {
  BoundedQueue<int> queue{4};
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(queue.push(i));
  }
  EXPECT_FALSE(queue.push(99));
  EXPECT_EQ(queue.dropped_count(), 1U);
  EXPECT_EQ(queue.size(), 4U);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(queue.pop(), i);
  }
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueueTest, producers_lose_nothing_uncounted_and_keep_their_order) {
  constexpr int kProducers = 4;
  constexpr int kEach = 20'000;
  BoundedQueue<std::pair<int, int>> queue{256};
  Loop loop;
  FdWatch watch{loop, queue.wake_fd()};
  std::vector<int> last(kProducers, -1);
  std::uint64_t received = 0;
  bool is_ordered = true;
  std::atomic<int> finished = 0;
  watch.on_readable([&] {
    queue.clear_wake();
    while (const auto item = queue.pop()) {
      is_ordered = is_ordered && item->second > last[static_cast<std::size_t>(item->first)];
      last[static_cast<std::size_t>(item->first)] = item->second;
      ++received;
    }
    if (finished == kProducers && received + queue.dropped_count() == kProducers * kEach) {
      loop.stop();
    }
  });
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (int i = 0; i < kEach; ++i) {
        (void)queue.push({p, i});
      }
      ++finished;
    });
  }
  for (std::thread& producer : producers) {
    producer.join();
  }
  // All producers are done: one more element makes sure that the consumer looks again.
  while (!queue.push({0, kEach})) {
    loop.run_ready();
  }
  loop.run_until(loop.now() + 1s);
  queue.clear_wake();
  while (queue.pop()) {
    ++received;
  }
  EXPECT_TRUE(is_ordered);
  EXPECT_GE(received + queue.dropped_count(), static_cast<std::uint64_t>(kProducers * kEach) + 1);
  EXPECT_EQ(queue.size(), 0U);
}

TEST(ServiceNotifierTest, speaks_to_the_managers_socket) {
  const std::string path = "/tmp/amphora_notify_" + std::to_string(::getpid());
  ::unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const ServiceNotifier notifier{path, 10s};
  char text[128];
  const auto received = [&] {
    const ssize_t size = ::recv(fd, text, sizeof text, MSG_DONTWAIT);
    return size < 0 ? std::string{"nothing"} : std::string{text, static_cast<std::size_t>(size)};
  };
  EXPECT_TRUE(notifier.ready("serving"));
  EXPECT_EQ(received(), "READY=1\nSTATUS=serving\n");
  EXPECT_TRUE(notifier.watchdog());
  EXPECT_EQ(received(), "WATCHDOG=1\n");
  EXPECT_TRUE(notifier.stopping());
  EXPECT_EQ(received(), "STOPPING=1\n");
  EXPECT_EQ(notifier.watchdog_period(), Duration{5s});
  ::close(fd);
  ::unlink(path.c_str());
  EXPECT_FALSE(notifier.ready());
  EXPECT_FALSE((ServiceNotifier{"", std::nullopt}.ready()));
}

TEST(SysErrorTest, text_names_operation_reason_and_advice) {
  const SysError error{EACCES, "open /dev/ttyUSB0", "add the user to the group dialout"};
  EXPECT_EQ(error.text(), "open /dev/ttyUSB0: Permission denied (add the user to the group dialout)");
}

}  // namespace
}  // namespace amphora::runtime
