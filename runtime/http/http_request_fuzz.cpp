// SPDX-License-Identifier: Apache-2.0
// Request targets, queries and cookies. The first line is the target, the rest the Cookie header.
#include <cstdint>
#include <string_view>

#include "core/base/assert.hpp"
#include "runtime/http/requests.hpp"

namespace http = amphora::runtime::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const std::size_t line = input.find('\n');
  const auto target = http::parse_target(input.substr(0, line));
  if (!target) {
    return 0;
  }
  AMPHORA_ASSERT(target->path.find('\0') == std::string::npos && target->path.front() == '/');
  http::Request request;
  request.path = target->path;
  request.query = target->query;
  if (line != std::string_view::npos) {
    request.headers["cookie"] = input.substr(line + 1);
  }
  (void)request.cookie("amphora_session");
  const auto history = http::parse_history_query(request, 1'700'000'000'000);
  if (const auto* query = std::get_if<amphora::runtime::HistoryQuery>(&history)) {
    AMPHORA_ASSERT(query->from_ms < query->to_ms && query->points >= 1 && !query->series.empty());
    const auto plan = amphora::runtime::plan_history(*query, 1'700'000'000'000, 730);
    AMPHORA_ASSERT(plan.step_ms >= 10'000);
    AMPHORA_ASSERT((query->to_ms - query->from_ms) / plan.step_ms <= query->points);
  }
  const auto events = http::parse_event_query(request);
  if (const auto* query = std::get_if<amphora::runtime::EventQuery>(&events)) {
    AMPHORA_ASSERT(query->limit >= 1 && query->limit <= 1000);
  }
  const auto days = http::parse_days_query(request);
  if (const auto* query = std::get_if<http::DaysQuery>(&days)) {
    AMPHORA_ASSERT(query->days >= 1 && query->days <= 3660);
  }
  return 0;
}
