// SPDX-License-Identifier: Apache-2.0
// Every body of the API: any bytes give a typed request within its limits, or a problem that can be shown.
#include <cmath>
#include <cstdint>
#include <string_view>

#include "core/base/assert.hpp"
#include "runtime/http/requests.hpp"

namespace http = amphora::runtime::http;

namespace {
template <class T>
void check_problem(const http::Parsed<T>& parsed) {
  if (const auto* problem = std::get_if<http::Problem>(&parsed)) {
    AMPHORA_ASSERT(problem->status >= 400 && problem->status < 500);
    AMPHORA_ASSERT(!problem->code.empty() && !problem->message.empty());
    AMPHORA_ASSERT(!http::problem_response(*problem).body.empty());
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body{reinterpret_cast<const char*>(data), size};
  const auto registers = http::parse_bms_settings_change(body);
  check_problem(registers);
  if (const auto* change = std::get_if<http::BmsSettingsChange>(&registers)) {
    AMPHORA_ASSERT(!change->changes.empty() && change->changes.size() <= 64);
    for (const auto& one : change->changes) {
      AMPHORA_ASSERT(one.register_number >= 0 && one.register_number <= 65535 && std::isfinite(one.value));
    }
  }
  const auto settings = http::parse_box_settings_change(body);
  check_problem(settings);
  if (const auto* change = std::get_if<http::BoxSettingsChange>(&settings)) {
    AMPHORA_ASSERT(!change->section.empty() && !change->values.empty());
  }
  const auto section = http::parse_section_change(body);
  check_problem(section);
  if (const auto* change = std::get_if<http::SectionChange>(&section)) {
    AMPHORA_ASSERT(!change->scope.empty() && !change->change.section.empty() &&
                   !change->change.values.empty());
  }
  const auto pairing = http::parse_pairing_request(body);
  check_problem(pairing);
  if (const auto* request = std::get_if<http::PairingRequest>(&pairing)) {
    using enum http::PairingRequest::Action;
    AMPHORA_ASSERT((request->action == kEnterCode) == !request->code.empty());
    AMPHORA_ASSERT((request->action == kForget) == !request->node.empty());
  }
  const auto relay = http::parse_relay_request(body);
  check_problem(relay);
  if (const auto* request = std::get_if<http::PackRequest>(&relay)) {
    const auto& order = std::get<http::RelayRequest>(*request);
    const bool has_end = order.order != http::RelayRequest::Order::kAuto;
    AMPHORA_ASSERT(!order.relay.empty() &&
                   (has_end ? order.minutes >= 1 && order.minutes <= 10080 : order.minutes == 0));
  }
  check_problem(http::parse_grid_energy_reset(body));
  check_problem(http::parse_identify_request(body));
  check_problem(http::parse_bms_command(body));
  const auto credentials = http::parse_new_credentials(body);
  check_problem(credentials);
  if (const auto* one = std::get_if<http::Credentials>(&credentials)) {
    AMPHORA_ASSERT(!one->user.empty() && one->password.size() >= http::kNewPasswordSizeMin);
  }
  return 0;
}
