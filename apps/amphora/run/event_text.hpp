// SPDX-License-Identifier: Apache-2.0
// What happened, as a sentence for a person at three in the morning: what, since when it matters, and what
// the box does about it. Each event keeps a stable code for machines and its numbers as data.
#pragma once

#include "core/node/bms_gateway/bms_gateway.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

// Level, source, code, text and data of a node's event. Time, uptime and id are the caller's.
runtime::EventRecord describe(const node::Event& event, const node::BmsGatewayConfig& config);

// "register 315 over_voltage_cutoff = 4.200 V" for logs and answers.
std::string register_text(std::uint16_t number, tinybms::RawValue value);

}  // namespace amphora::run
