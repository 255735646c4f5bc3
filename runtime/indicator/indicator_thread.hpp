// SPDX-License-Identifier: Apache-2.0
// The thread that brings a picture to the lights, digits and buzzer.
//
// A thread of its own with low priority, because a display takes milliseconds and must never hold up control.
// Each part is written only when its piece of the picture has changed. A part that fails is opened and
// written again each kIndicatorRetry; a person is told once for each change of the error's text and once when
// it works again. When the thread stops, everything is switched off.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/time.hpp"
#include "core/indicator/indicator.hpp"
#include "runtime/indicator/indicator_spec.hpp"
#include "runtime/loop/bounded_queue.hpp"
#include "runtime/loop/sys_error.hpp"

namespace amphora::runtime {

inline constexpr Duration kIndicatorRetry = std::chrono::seconds{5};

enum class IndicatorPart : std::uint8_t { kBar, kDigits, kLeds, kBuzzer, kCount };
inline constexpr std::size_t kIndicatorPartCount = static_cast<std::size_t>(IndicatorPart::kCount);
constexpr std::string_view to_text(IndicatorPart part) {
  constexpr std::string_view kNames[kIndicatorPartCount] = {"bar", "digits", "leds", "buzzer"};
  return kNames[static_cast<std::size_t>(part)];
}

// A part began to fail, fails for another reason, or (error empty) works again.
struct IndicatorNotice {
  IndicatorPart part = IndicatorPart::kBar;
  TimePoint at{};
  std::optional<SysError> error;
};

struct IndicatorStatus {
  bool is_fitted = false;
  std::uint64_t writes = 0;
  std::uint64_t failures = 0;
  std::optional<SysError> error;
};
using IndicatorStatuses = std::array<IndicatorStatus, kIndicatorPartCount>;

class IndicatorThread {
 public:
  static constexpr std::size_t kPictureCapacity = 8;
  static constexpr std::size_t kNoticeCapacity = 32;
  static constexpr int kNiceness = 10;

  explicit IndicatorThread(IndicatorSpecs specs);
  // Stops and joins.
  ~IndicatorThread();
  IndicatorThread(const IndicatorThread&) = delete;
  IndicatorThread& operator=(const IndicatorThread&) = delete;

  // Nothing to do when no part is fitted.
  void start();
  void stop();

  // One thread (control); never waits. Only the newest picture counts. What did not find room is offered
  // again by the next call, so call it each time a picture is rendered.
  void show(const indicator::Picture& picture);

  // One consumer.
  BoundedQueue<IndicatorNotice>& notices() { return notices_; }
  // Any thread but control: takes a lock.
  IndicatorStatuses statuses() const;

 private:
  class Writer;
  std::vector<Writer> make_writers() const;
  void write(Writer& writer, TimePoint now, const indicator::Picture& picture);
  void run();

  IndicatorSpecs specs_;
  BoundedQueue<indicator::Picture> pictures_{kPictureCapacity};
  BoundedQueue<IndicatorNotice> notices_{kNoticeCapacity};
  std::optional<indicator::Picture> offered_;
  mutable std::mutex mutex_;
  IndicatorStatuses statuses_{};  // written by the thread with the lock, which reads without
  int stop_fd_ = -1;
  std::thread thread_;
};

}  // namespace amphora::runtime
