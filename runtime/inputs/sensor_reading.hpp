// SPDX-License-Identifier: Apache-2.0
// One measurement of AC at one place, on its way from a sensor or the MQTT client to the control thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/energy/balance.hpp"
#include "runtime/inputs/input_spec.hpp"

namespace amphora::runtime {

// What is empty was not measured there.
struct SensorReading {
  Place place = Place::kGrid;
  std::optional<Milliamps> current;   // magnitude
  std::optional<Watts> power;         // with sign: positive on import, and for consumption
  std::optional<Millivolts> voltage;  // AC, RMS
  TimePoint at{};
  friend bool operator==(const SensorReading&, const SensorReading&) = default;
};

// Puts a reading into its place. The voltage only counts where the place is ac_voltage.
void take_reading(energy::Inputs& inputs, const SensorReading& reading);

// A message of an mqtt input's topic as a reading, or why it is none (a sentence; no number, no such field,
// out of range). Payloads over kPayloadSizeMax bytes are refused.
inline constexpr std::size_t kPayloadSizeMax = 4096;
std::variant<SensorReading, SpecError> decode_payload(const MqttSpec& spec, Place place, TimePoint at,
                                                      std::string_view payload);

}  // namespace amphora::runtime
