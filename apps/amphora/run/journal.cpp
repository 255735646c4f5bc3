// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/journal.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace amphora::run {
namespace {

spdlog::level::level_enum log_level(runtime::EventLevel level) {
  switch (level) {
    case runtime::EventLevel::kWarning:
      return spdlog::level::warn;
    case runtime::EventLevel::kError:
      return spdlog::level::err;
    default:
      return spdlog::level::info;
  }
}

}  // namespace

void Journal::record(runtime::EventRecord event) {
  spdlog::log(log_level(event.level), "{}: {}", event.source, event.text);
  if (store_ != nullptr) {
    event.id = store_->append_event(event);
  }
  for (const Listener& listener : listeners_) {
    listener(event);
  }
}

void Journal::record_at(TimePoint at, runtime::EventRecord event) {
  event.uptime_ms = to_milliseconds(at.time_since_epoch());
  event.time = WallTime{runtime::wall_now().unix_ms - to_milliseconds(loop_.now() - at)};
  record(std::move(event));
}

void Journal::note(runtime::EventLevel level, const std::string& source, const std::string& code,
                   const std::string& text) {
  runtime::EventRecord event;
  event.level = level;
  event.source = source;
  event.code = code;
  event.text = text;
  record_at(loop_.now(), std::move(event));
}

}  // namespace amphora::run
