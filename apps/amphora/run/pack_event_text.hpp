// SPDX-License-Identifier: Apache-2.0
// What happened to a pack, as a sentence for a person: what, why, and what follows from it.
#pragma once

#include <optional>

#include "apps/amphora/run/pack_config.hpp"
#include "runtime/indicator/indicator_thread.hpp"
#include "runtime/inputs/sensor_thread.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::run {

// Level, source ("energy", "packnet", "bms", "settings"), code, text and data; empty for what is routine and
// would hide what matters. Time, uptime and id are the caller's.
std::optional<runtime::EventRecord> describe(const node::PackNodeEvent& event,
                                             const runtime::PackOptions& options);

runtime::EventRecord describe(const runtime::RelayNotice& notice);
runtime::EventRecord describe(const runtime::SensorNotice& notice);
runtime::EventRecord describe(const runtime::IndicatorNotice& notice);

}  // namespace amphora::run
