// SPDX-License-Identifier: Apache-2.0
#include "runtime/loop/loop.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace amphora::runtime {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

std::chrono::steady_clock::time_point origin() {
  // A second before the first use, so that no time point of this process is zero or negative.
  static const auto value = std::chrono::steady_clock::now() - std::chrono::seconds{1};
  return value;
}

std::chrono::steady_clock::time_point to_steady(TimePoint at) {
  return origin() + std::chrono::microseconds{to_microseconds(at)};
}

}  // namespace

TimePoint steady_now() {
  const auto start = origin();
  return TimePoint{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - start)};
}

WallTime wall_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return WallTime{std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
}

struct Loop::State {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
};

Loop::Loop() : state_{std::make_unique<State>()} {
  (void)origin();
}
Loop::~Loop() = default;

void Loop::post(Task task) {
  asio::post(state_->context, std::move(task));
}

void Loop::run() {
  state_->context.run();
}
void Loop::stop() {
  state_->context.stop();
}
void Loop::run_ready() {
  state_->context.restart();
  state_->context.poll();
}
void Loop::run_until(TimePoint until) {
  state_->context.restart();
  state_->context.run_until(to_steady(until));
}
asio::io_context& Loop::io_context() {
  return state_->context;
}

struct Timer::State {
  explicit State(asio::io_context& context) : timer{context} {}
  asio::steady_timer timer;
  std::uint64_t generation = 0;
};

Timer::Timer(Loop& loop) : state_{std::make_shared<State>(loop.io_context())} {}
Timer::~Timer() {
  cancel();
}

void Timer::arm(TimePoint at, Loop::Task task) {
  const std::uint64_t generation = ++state_->generation;
  if (at == kNever) {
    state_->timer.cancel();
    return;
  }
  state_->timer.expires_at(to_steady(at));
  state_->timer.async_wait([state = state_, generation, task = std::move(task)](error_code error) {
    if (!error && generation == state->generation) {
      task();
    }
  });
}

void Timer::cancel() {
  ++state_->generation;
  state_->timer.cancel();
}

struct FdWatch::State {
  State(asio::io_context& context, int fd) : descriptor{context, fd} {}
  asio::posix::stream_descriptor descriptor;
  Loop::Task readable;
  bool is_alive = true;

  static void wait_readable(const std::shared_ptr<State>& state) {
    state->descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [state](error_code error) {
      if (error || !state->is_alive) {
        return;
      }
      const Loop::Task task = state->readable;  // the task may destroy the watch
      task();
      if (state->is_alive) {
        wait_readable(state);
      }
    });
  }
};

FdWatch::FdWatch(Loop& loop, int fd) : state_{std::make_shared<State>(loop.io_context(), fd)} {}
FdWatch::~FdWatch() {
  state_->is_alive = false;
  (void)state_->descriptor.release();  // cancels the waits; the descriptor stays the owner's
}

void FdWatch::on_readable(Loop::Task task) {
  const bool is_first = !state_->readable;
  state_->readable = std::move(task);
  if (is_first) {
    State::wait_readable(state_);
  }
}

void FdWatch::on_writable(Loop::Task task) {
  state_->descriptor.async_wait(asio::posix::stream_descriptor::wait_write,
                                [state = state_, task = std::move(task)](error_code error) {
                                  if (!error && state->is_alive) {
                                    task();
                                  }
                                });
}

struct SignalWatch::State {
  State(asio::io_context& context, std::function<void(int)> call) : set{context}, task{std::move(call)} {}
  asio::signal_set set;
  std::function<void(int)> task;

  static void wait(const std::shared_ptr<State>& state) {
    state->set.async_wait([weak = std::weak_ptr<State>{state}](error_code error, int number) {
      const auto alive = weak.lock();
      if (error || !alive) {
        return;
      }
      alive->task(number);
      wait(alive);
    });
  }
};

SignalWatch::SignalWatch(Loop& loop, std::initializer_list<int> signals, std::function<void(int)> task)
    : state_{std::make_shared<State>(loop.io_context(), std::move(task))} {
  for (const int number : signals) {
    error_code ignored;  // only a number that is no signal is refused
    state_->set.add(number, ignored);
  }
  State::wait(state_);
}
SignalWatch::~SignalWatch() {
  error_code ignored;
  state_->set.cancel(ignored);
}

struct Pump::State {
  State(Loop& owner, Step call) : loop{owner}, step{std::move(call)}, timer{owner} {}
  Loop& loop;
  Step step;
  Timer timer;
  TimePoint due = kNever;
  bool is_requested = false;
  bool is_alive = true;
  Duration delay_last{};
  Duration delay_max{};

  static void request(const std::shared_ptr<State>& state) {
    if (!state->is_requested && state->is_alive) {
      state->is_requested = true;
      state->loop.post([state] { run(state); });
    }
  }
  static void run(const std::shared_ptr<State>& state) {
    if (!state->is_alive) {
      return;
    }
    state->is_requested = false;
    const TimePoint now = state->loop.now();
    if (state->due != kNever && now >= state->due) {
      state->delay_last = now - state->due;
      state->delay_max = std::max(state->delay_max, state->delay_last);
    }
    state->due = state->step(now);
    state->timer.arm(state->due, [weak = std::weak_ptr<State>{state}] {
      if (const auto alive = weak.lock()) {
        request(alive);
      }
    });
  }
};

Pump::Pump(Loop& loop, Step step) : state_{std::make_shared<State>(loop, std::move(step))} {}
Pump::~Pump() {
  state_->is_alive = false;
  state_->timer.cancel();
}
void Pump::request() {
  State::request(state_);
}
Duration Pump::delay_last() const {
  return state_->delay_last;
}
Duration Pump::delay_max() const {
  return state_->delay_max;
}

}  // namespace amphora::runtime
