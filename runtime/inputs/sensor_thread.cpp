// SPDX-License-Identifier: Apache-2.0
#include "runtime/inputs/sensor_thread.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "runtime/inputs/converter.hpp"
#include "runtime/inputs/meter.hpp"

namespace amphora::runtime {

namespace {

using Answer = std::variant<SensorReading, SysError>;

bool is_read_here(const InputSpec& spec) {
  return !std::holds_alternative<std::monostate>(spec) && !std::holds_alternative<MqttSpec>(spec);
}

Answer answer_of(const Scale& scale, std::variant<std::int32_t, SysError> measured) {
  if (auto* error = std::get_if<SysError>(&measured)) {
    return std::move(*error);
  }
  SensorReading reading;
  const std::int32_t milli = std::get<std::int32_t>(measured);
  if (scale.measured == Measured::kCurrent) {
    reading.current = Milliamps{milli};
  } else {
    reading.voltage = Millivolts{milli};
  }
  return reading;
}

}  // namespace

SensorThread::SensorThread(SensorOptions options) : options_{std::move(options)} {
  for (std::size_t i = 0; i < kPlaceCount; ++i) {
    if (is_read_here(options_.specs[i])) {
      statuses_.push_back({static_cast<Place>(i), 0, 0, {}, {}});
    }
  }
}

SensorThread::~SensorThread() {
  stop();
}

bool SensorThread::has_inputs() const {
  return std::ranges::any_of(options_.specs, is_read_here);
}

void SensorThread::start() {
  if (has_inputs() && !thread_.joinable()) {
    is_stopping_ = false;
    thread_ = std::thread{[this] { run(); }};
  }
}

void SensorThread::stop() {
  if (thread_.joinable()) {
    is_stopping_ = true;
    loop_.post([this] { loop_.stop(); });
    thread_.join();
  }
}

void SensorThread::run() {
  (void)pthread_setname_np(pthread_self(), "sensors");
  // On Linux a thread has a niceness of its own. Where that is not allowed, all threads are equal.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNiceness);
  MeterLines meters{loop_};
  TimePoint due = loop_.now();
  while (!is_stopping_) {
    for (SensorStatus& status : statuses_) {
      const InputSpec& spec = options_.specs[index_of(status.place)];
      const TimePoint at = loop_.now();
      Answer answer = SysError{};
      if (const auto* adc = std::get_if<AdcSpec>(&spec)) {
        answer = answer_of(adc->scale, measure_adc(*adc));
      } else if (const auto* i2c = std::get_if<I2cSpec>(&spec)) {
        answer = answer_of(i2c->scale, measure_i2c(*i2c));
      } else if (const auto* meter = std::get_if<MeterSpec>(&spec)) {
        answer = meters.ask(*meter);
      }
      if (is_stopping_) {
        return;
      }
      take(status, at, std::move(answer));
    }
    // A round that took too long is not made up for.
    due = std::max(due + options_.poll_interval, loop_.now());
    while (!is_stopping_ && loop_.now() < due) {
      loop_.run_until(due);
    }
  }
}

void SensorThread::take(SensorStatus& status, TimePoint at, std::variant<SensorReading, SysError> answer) {
  std::optional<SysError> error;
  if (auto* reading = std::get_if<SensorReading>(&answer)) {
    reading->place = status.place;
    reading->at = at;
    (void)readings_.push(std::move(*reading));
  } else {
    error = std::get<SysError>(std::move(answer));
  }
  const bool is_news = status.error != error;
  {
    const std::lock_guard lock{mutex_};
    if (error) {
      ++status.failures;
    } else {
      ++status.reads;
      status.last_read_at = at;
    }
    status.error = error;
  }
  if (is_news) {
    (void)notices_.push(SensorNotice{status.place, at, std::move(error)});
  }
}

std::vector<SensorStatus> SensorThread::statuses() const {
  const std::lock_guard lock{mutex_};
  return statuses_;
}

}  // namespace amphora::runtime
