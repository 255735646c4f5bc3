// SPDX-License-Identifier: Apache-2.0
// The thread that reads the AC sensors, one after the other, each poll interval.
//
// A thread of its own, because reading them waits: 200 ms for each wave that is sampled, up to some 100 ms
// for an answer of a meter. Nothing of that may hold up control, which hears from here through a queue. The
// inputs of kind mqtt are not read here; their messages come to the MQTT client.
//
// Readings carry the moment of the measurement. A sensor that fails sends nothing, so that its last value
// grows old and becomes unknown; a person is told once for each change of the error's text and once when it
// works again. A meter's line that is unplugged is opened again by itself.
//
// Several meters may share one line; they are asked one after the other (meter.hpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "core/base/time.hpp"
#include "runtime/inputs/input_spec.hpp"
#include "runtime/inputs/sensor_reading.hpp"
#include "runtime/loop/bounded_queue.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/loop/sys_error.hpp"

namespace amphora::runtime {

struct SensorOptions {
  InputSpecs specs{};
  Duration poll_interval = std::chrono::seconds{2};
};

// An input began to fail, fails for another reason, or (error empty) works again.
struct SensorNotice {
  Place place = Place::kGrid;
  TimePoint at{};
  std::optional<SysError> error;
};

struct SensorStatus {
  Place place = Place::kGrid;
  std::uint64_t reads = 0;        // that gave a value
  std::uint64_t failures = 0;     // that gave none
  std::optional<SysError> error;  // of the last read
  std::optional<TimePoint> last_read_at;
};

class SensorThread {
 public:
  static constexpr std::size_t kReadingCapacity = 64;
  static constexpr std::size_t kNoticeCapacity = 64;
  static constexpr int kNiceness = 5;

  explicit SensorThread(SensorOptions options);
  // Stops and joins; at most about a second later (a meter that does not answer is asked kMeterTries times).
  ~SensorThread();
  SensorThread(const SensorThread&) = delete;
  SensorThread& operator=(const SensorThread&) = delete;

  // False when no place has a sensor for this thread; then start() does nothing.
  bool has_inputs() const;
  void start();
  void stop();

  // Each has one consumer. What does not fit is dropped and counted: a newer value follows.
  BoundedQueue<SensorReading>& readings() { return readings_; }
  BoundedQueue<SensorNotice>& notices() { return notices_; }
  // Any thread but control: takes a lock. One for each input that is read here.
  std::vector<SensorStatus> statuses() const;

 private:
  void run();
  void take(SensorStatus& status, TimePoint at, std::variant<SensorReading, SysError> answer);

  SensorOptions options_;
  BoundedQueue<SensorReading> readings_{kReadingCapacity};
  BoundedQueue<SensorNotice> notices_{kNoticeCapacity};
  mutable std::mutex mutex_;
  std::vector<SensorStatus> statuses_;  // written by the thread with the lock, which reads without
  std::atomic<bool> is_stopping_{false};
  Loop loop_;
  std::thread thread_;
};

}  // namespace amphora::runtime
