// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/node_config.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace amphora::run {
namespace {

tinybms::DriverConfig to_tinybms_config(const config::BmsSection& bms) {
  tinybms::DriverConfig config;
  config.poll_interval = bms.poll_interval;
  config.back_off_max = std::max(config.back_off_max, bms.poll_interval);
  return config;
}

victron::OutputConfig to_output_config(const config::Config& config) {
  victron::OutputConfig output;
  const Duration stale = config.bms.stale_after;
  output.limits.age_max = {stale, stale, stale, stale, stale, stale, stale};
  output.limits_period = config.inverter.limits_period;
  output.control_period = config.inverter.status_period;
  output.information_period = config.inverter.status_period;
  output.keepalive_timeout = config.inverter.keepalive_timeout;
  output.inverter_lost_hold = config.inverter.lost_hold;
  output.bms_silent_hold = config.inverter.battery_lost_hold;
  output.manufacturer = can::Text8{config.inverter.manufacturer};
  output.name = FixedText<16>{config.inverter.battery_name};
  return output;
}

std::string sentence(std::string_view part, std::string_view field, std::string_view allowed) {
  return fmt::format("{}: {} is outside of what is allowed: {}", part, field, allowed);
}

}  // namespace

node::BmsGatewayConfig to_node_config(const config::Config& config) {
  node::BmsGatewayConfig node;
  node.bms = config.bms.driver == config::BmsDriver::kTinyBms ? node::BmsKind::kTinybms : node::BmsKind::kCan;
  node.tinybms = to_tinybms_config(config.bms);
  node.profile = config.battery;
  node.output = to_output_config(config);
  return node;
}

std::optional<std::string> check_node_config(const node::BmsGatewayConfig& config) {
  if (const auto issue = tinybms::validate(config.tinybms)) {
    return sentence("bms", issue->field, issue->allowed);
  }
  if (const auto field = canbms::check_config(config.canbms); !field.empty()) {
    return sentence("bms", field, "see the documentation");
  }
  if (const auto issue = victron::check_config(config.output, config.profile)) {
    return sentence("battery or inverter", issue->field, issue->allowed);
  }
  return std::nullopt;
}

runtime::ControlOptions to_control_options(const config::Config& config) {
  runtime::ControlOptions options;
  options.node = to_node_config(config);
  if (config.bms.driver == config::BmsDriver::kTinyBms) {
    options.serial_path = config.bms.port;
  } else {
    options.battery_can = config.bms.interface;
  }
  options.inverter_can = config.inverter.interface;
  return options;
}

}  // namespace amphora::run
