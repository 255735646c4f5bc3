// SPDX-License-Identifier: Apache-2.0
#include "runtime/indicator/indicator_thread.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/assert.hpp"
#include "runtime/indicator/indicator_parts.hpp"
#include "runtime/loop/loop.hpp"

namespace amphora::runtime {

namespace {

using indicator::Picture;

std::size_t index_of(IndicatorPart part) {
  return static_cast<std::size_t>(part);
}

bool is_same(IndicatorPart part, const Picture& a, const Picture& b) {
  switch (part) {
    case IndicatorPart::kBar:
      return a.bar == b.bar;
    case IndicatorPart::kDigits:
      return a.digits == b.digits;
    case IndicatorPart::kLeds:
      return a.green == b.green && a.yellow == b.yellow && a.red == b.red;
    case IndicatorPart::kBuzzer:
    case IndicatorPart::kCount:
      break;
  }
  return a.buzzer == b.buzzer;
}

}  // namespace

// One part, what it shows, and when it is tried again.
class IndicatorThread::Writer {
 public:
  using Write = std::function<std::optional<SysError>(const Picture&)>;
  Writer(IndicatorPart part, Write write) : part_{part}, write_{std::move(write)} {}

  IndicatorPart part() const { return part_; }
  TimePoint retry_at() const { return retry_at_; }
  bool is_due(TimePoint now, const Picture& picture) const {
    return retry_at_ != kNever ? now >= retry_at_ : !shown_ || !is_same(part_, *shown_, picture);
  }
  std::optional<SysError> write(TimePoint now, const Picture& picture) {
    auto error = write_(picture);
    shown_ = error ? std::nullopt : std::optional{picture};
    retry_at_ = error ? now + kIndicatorRetry : kNever;
    return error;
  }

 private:
  IndicatorPart part_;
  Write write_;
  std::optional<Picture> shown_;
  TimePoint retry_at_ = kNever;
};

namespace {

template <class Device, class Spec>
std::function<std::optional<SysError>(const Picture&)> writer_of(const Spec& spec) {
  return [device = std::make_shared<Device>(spec)](const Picture& picture) { return device->write(picture); };
}

}  // namespace

IndicatorThread::IndicatorThread(IndicatorSpecs specs)
    : specs_{std::move(specs)}, stop_fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
  AMPHORA_ASSERT(stop_fd_ >= 0);
  statuses_[index_of(IndicatorPart::kBar)].is_fitted = specs_.bar.has_value();
  statuses_[index_of(IndicatorPart::kDigits)].is_fitted = specs_.digits.has_value();
  statuses_[index_of(IndicatorPart::kLeds)].is_fitted = specs_.leds.has_value();
  statuses_[index_of(IndicatorPart::kBuzzer)].is_fitted = specs_.buzzer.has_value();
}

IndicatorThread::~IndicatorThread() {
  stop();
  ::close(stop_fd_);
}

void IndicatorThread::start() {
  if (!specs_.is_empty() && !thread_.joinable()) {
    thread_ = std::thread{[this] { run(); }};
  }
}

void IndicatorThread::stop() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t size = ::write(stop_fd_, &one, sizeof one);
    thread_.join();
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t cleared = ::read(stop_fd_, &ignored, sizeof ignored);
  }
}

void IndicatorThread::show(const Picture& picture) {
  if (!specs_.is_empty() && offered_ != picture && pictures_.push(picture)) {
    offered_ = picture;
  }
}

std::vector<IndicatorThread::Writer> IndicatorThread::make_writers() const {
  std::vector<Writer> writers;
  if (specs_.bar) {
    writers.emplace_back(IndicatorPart::kBar, writer_of<PixelBar>(*specs_.bar));
  }
  if (specs_.digits) {
    writers.emplace_back(IndicatorPart::kDigits, writer_of<DigitDisplay>(*specs_.digits));
  }
  if (specs_.leds) {
    auto leds = std::make_shared<Switches<3>>(specs_.leds->lines, specs_.leds->polarity);
    writers.emplace_back(IndicatorPart::kLeds, [leds](const Picture& picture) {
      return leds->write({picture.green, picture.yellow, picture.red});
    });
  }
  if (specs_.buzzer) {
    auto buzzer = std::make_shared<Switches<1>>(std::array{specs_.buzzer->line}, specs_.buzzer->polarity);
    writers.emplace_back(IndicatorPart::kBuzzer,
                         [buzzer](const Picture& picture) { return buzzer->write({picture.buzzer}); });
  }
  return writers;
}

void IndicatorThread::write(Writer& writer, TimePoint now, const Picture& picture) {
  auto error = writer.write(now, picture);
  IndicatorStatus& status = statuses_[index_of(writer.part())];
  const bool is_news = status.error != error;
  {
    const std::lock_guard lock{mutex_};
    ++(error ? status.failures : status.writes);
    status.error = error;
  }
  if (is_news) {
    (void)notices_.push(IndicatorNotice{writer.part(), now, std::move(error)});
  }
}

void IndicatorThread::run() {
  (void)pthread_setname_np(pthread_self(), "indicator");
  // On Linux a thread has a niceness of its own. Where that is not allowed, all threads are equal.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNiceness);
  std::vector<Writer> writers = make_writers();
  Picture picture;
  while (true) {
    const TimePoint now = steady_now();
    TimePoint due = kNever;
    for (Writer& writer : writers) {
      if (writer.is_due(now, picture)) {
        write(writer, now, picture);
      }
      due = earliest(due, writer.retry_at());
    }
    pollfd watched[] = {{stop_fd_, POLLIN, 0}, {pictures_.wake_fd(), POLLIN, 0}};
    const std::int64_t left =
        due == kNever ? -1 : std::max<std::int64_t>(to_milliseconds(due - steady_now()), 0) + 1;
    (void)::poll(watched, 2, static_cast<int>(left));
    if ((watched[0].revents & POLLIN) != 0) {
      break;
    }
    pictures_.clear_wake();
    while (const auto next = pictures_.pop()) {
      picture = *next;
    }
  }
  for (Writer& writer : writers) {
    write(writer, steady_now(), Picture{});
  }
}

IndicatorStatuses IndicatorThread::statuses() const {
  const std::lock_guard lock{mutex_};
  return statuses_;
}

}  // namespace amphora::runtime
