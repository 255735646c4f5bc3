// SPDX-License-Identifier: Apache-2.0
// Texts of the configuration and messages of a broker: whatever they hold, a spec that is taken reads back,
// and a reading that is taken can be real.
//
// Input: the spec's text, a line feed, a message for it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime/inputs/sensor_reading.hpp"
#include "runtime/relays/relay_guard.hpp"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace amphora;
  using namespace amphora::runtime;
  const std::string_view all{reinterpret_cast<const char*>(data), size};
  const std::size_t end = std::min(all.find('\n'), all.size());
  const std::string_view text = all.substr(0, end);
  const std::string_view payload = all.substr(std::min(end + 1, all.size()));

  for (const Place place : {Place::kGrid, Place::kAcVoltage}) {
    const auto parsed = parse_input_spec(text, place);
    const auto* spec = std::get_if<InputSpec>(&parsed);
    if (spec == nullptr) {
      require(!std::get<SpecError>(parsed).text.empty());
      continue;
    }
    const auto again = parse_input_spec(to_text(*spec), place);
    require(std::holds_alternative<InputSpec>(again) && std::get<InputSpec>(again) == *spec);
    if (const auto* mqtt = std::get_if<MqttSpec>(spec)) {
      const auto decoded = decode_payload(*mqtt, place, TimePoint{}, payload);
      if (const auto* reading = std::get_if<SensorReading>(&decoded)) {
        require(reading->current.has_value() + reading->power.has_value() + reading->voltage.has_value() ==
                1);
        require(!reading->current ||
                (*reading->current >= Milliamps{0} && *reading->current <= Milliamps{2'000'000}));
        require(!reading->voltage ||
                (*reading->voltage >= Millivolts{0} && *reading->voltage <= Millivolts{1'000'000}));
      } else {
        require(!std::get<SpecError>(decoded).text.empty());
      }
    }
  }
  const auto relay = parse_relay_spec(text, energy::Relay::kGrid);
  if (const auto* spec = std::get_if<RelaySpec>(&relay)) {
    const auto again = parse_relay_spec(to_text(*spec), energy::Relay::kGrid);
    require(std::holds_alternative<RelaySpec>(again) && std::get<RelaySpec>(again) == *spec);
  }
  // What the guard and its program might hear from each other.
  if (const auto wanted = decode_wanted(payload)) {
    require(decode_wanted(encode_wanted(*wanted)) == wanted);
  }
  if (const auto relays = decode_guarded(payload)) {
    require(decode_guarded(encode_guarded(*relays)) == relays);
  }
  if (const auto lines = decode_lines(payload)) {
    require(decode_lines(encode_lines(*lines)) == lines);
  }
  return 0;
}
