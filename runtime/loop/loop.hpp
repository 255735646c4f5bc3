// SPDX-License-Identifier: Apache-2.0
// One thread's event loop: posted work, timers on the steady clock, file descriptors, signals.
//
// A thin skin over Boost.Asio, so that adapters wait for the world without including it: only loop.cpp and
// the HTTP server know the library. Each thread that waits has its own Loop; nothing but post() and stop()
// may be called from another thread. Callbacks never run inside the call that registered them.
//
// Time: now() is microseconds since one origin that all loops of the process share (a little before the first
// use), so a TimePoint may travel between threads. It is never negative, as the core expects.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>

#include "core/base/time.hpp"

namespace boost::asio {
class io_context;
}

namespace amphora::runtime {

// The steady clock as the core counts it.
TimePoint steady_now();
// The wall clock: data for records and pages, never for timing.
WallTime wall_now();

class Loop {
 public:
  using Task = std::function<void()>;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  TimePoint now() const { return steady_now(); }

  // Runs `task` on the loop's thread, later. Any thread.
  void post(Task task);

  // Serves until stop(). A task that throws ends run() with that exception: adapters do not throw.
  void run();
  // Any thread; also before run(), which then returns at once.
  void stop();
  // Serves what is ready and returns; for tests and for hosts that own another loop.
  void run_ready();
  // Serves until `until`, or until stop().
  void run_until(TimePoint until);

  // For adapters built on Asio themselves.
  boost::asio::io_context& io_context();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A one-shot timer. Arming again replaces; destroying cancels. At kNever nothing is armed.
class Timer {
 public:
  explicit Timer(Loop& loop);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void arm(TimePoint at, Loop::Task task);
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Tells when a descriptor can be read or written. Does not own the descriptor: destroy the watch before
// closing. on_readable stays armed until destruction; on_writable fires once per call.
class FdWatch {
 public:
  FdWatch(Loop& loop, int fd);
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  void on_readable(Loop::Task task);
  void on_writable(Loop::Task task);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Calls `task` with the number of each of the given signals that the process receives.
class SignalWatch {
 public:
  SignalWatch(Loop& loop, std::initializer_list<int> signals, std::function<void(int)> task);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// The one loop body of a host: inputs call request(), which never acts by itself; the step runs afterwards,
// once for any number of requests, and says when it wants to run again. So nothing acts inside a callback.
class Pump {
 public:
  // Called with now; returns the next time-out (kNever: none). A time-out in the past runs the step again
  // soon.
  using Step = std::function<TimePoint(TimePoint now)>;

  Pump(Loop& loop, Step step);
  ~Pump();
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  // Loop's thread only.
  void request();
  // How late the step ran after its time-out: last, and largest since construction.
  Duration delay_last() const;
  Duration delay_max() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace amphora::runtime
