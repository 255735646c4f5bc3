// SPDX-License-Identifier: Apache-2.0
// Two things seen from outside while a box is under load: how late a bare thread wakes from its timer, which
// is the kernel's own lateness, and how far apart the box's limit frames arrive.
//
//   bench_control_witness CAN PERIOD_US
//
// Until SIGTERM; then {"wakes":…,"late_us_max":…,"late_us_p99":…,"limit_frames":…,"limit_gap_us_max":…}.
// It begins anew at SIGUSR1.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <thread>
#include <vector>

#include "core/can/bms_protocol.hpp"
#include "runtime/can/can_port.hpp"

namespace {

using namespace amphora;  // NOLINT(google-build-using-namespace): a program of one file

std::int64_t now_ns() {
  timespec time{};
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

class BareTimer {
 public:
  explicit BareTimer(std::int64_t period_us) : period_ns_{period_us * 1000}, thread_{[this] { run(); }} {}
  ~BareTimer() {
    is_stopping_ = true;
    thread_.join();
  }
  BareTimer(const BareTimer&) = delete;
  BareTimer& operator=(const BareTimer&) = delete;

  void clear() {
    const std::lock_guard lock{mutex_};
    late_us_.clear();
  }
  std::vector<std::int64_t> sorted() {
    const std::lock_guard lock{mutex_};
    std::vector<std::int64_t> late = late_us_;
    std::sort(late.begin(), late.end());
    return late;
  }

 private:
  void run() {
    while (!is_stopping_) {
      const std::int64_t wanted = now_ns() + period_ns_;
      const timespec at{wanted / 1'000'000'000, wanted % 1'000'000'000};
      (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
      const std::lock_guard lock{mutex_};
      late_us_.push_back((now_ns() - wanted) / 1000);
    }
  }

  const std::int64_t period_ns_;
  std::atomic<bool> is_stopping_{false};
  std::mutex mutex_;
  std::vector<std::int64_t> late_us_;
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_control_witness CAN PERIOD_US\n");
    return 2;
  }
  runtime::Loop loop;
  std::int64_t last_us = 0;
  std::int64_t gap_us = 0;
  std::uint64_t frames = 0;
  const auto port = runtime::open_can(loop, argv[1], {.filters = {{can::kLimitsId, can::kStandardIdMax}}},
                                      {.on_frame =
                                           [&](const can::Frame&) {
                                             const std::int64_t now_us = now_ns() / 1000;
                                             gap_us = last_us == 0 ? 0 : std::max(gap_us, now_us - last_us);
                                             last_us = now_us;
                                             ++frames;
                                           },
                                       .on_state = {}});
  if (!port) {
    return 2;
  }
  BareTimer timer{std::atoll(argv[2])};
  const runtime::SignalWatch signals{loop, {SIGTERM, SIGUSR1}, [&](int signal) {
                                       if (signal == SIGTERM) {
                                         loop.stop();
                                         return;
                                       }
                                       last_us = 0;
                                       gap_us = 0;
                                       frames = 0;
                                       timer.clear();
                                     }};
  loop.run();
  const std::vector<std::int64_t> late = timer.sorted();
  std::printf(
      "{\"wakes\":%zu,\"late_us_max\":%lld,\"late_us_p99\":%lld,\"limit_frames\":%llu,\"limit_gap_us_max\":%"
      "lld}\n",
      late.size(), late.empty() ? 0LL : static_cast<long long>(late.back()),
      late.empty() ? 0LL : static_cast<long long>(late[late.size() * 99 / 100]),
      static_cast<unsigned long long>(frames), static_cast<long long>(gap_us));
  return 0;
}
