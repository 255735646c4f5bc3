// SPDX-License-Identifier: Apache-2.0
#include "runtime/inputs/sensor_reading.hpp"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace amphora::runtime {

namespace {

// No house has more; larger numbers are a wrong unit or a broken sender.
constexpr double kWattsMax = 1'000'000;
constexpr double kAmpsMax = 2'000;
constexpr double kVoltsMax = 1'000;

std::optional<double> parse_number(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) {
    return std::nullopt;
  }
  text = text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc{} && end == text.data() + text.size();
  return is_whole && std::isfinite(value) ? std::optional{value} : std::nullopt;
}

std::string quoted(std::string_view payload) {
  constexpr std::size_t kShown = 60;
  std::string shown{payload.substr(0, kShown)};
  for (char& c : shown) {
    c = c >= ' ' && c <= '~' ? c : '.';
  }
  return "'" + shown + (payload.size() > kShown ? "…'" : "'");
}

std::variant<double, SpecError> number_in(const MqttSpec& spec, std::string_view payload) {
  if (payload.size() > kPayloadSizeMax) {
    return SpecError{"the message has " + std::to_string(payload.size()) +
                     " bytes; allowed: " + std::to_string(kPayloadSizeMax)};
  }
  if (spec.field.empty()) {
    const auto number = parse_number(payload);
    if (!number) {
      return SpecError{"the message " + quoted(payload) + " is no number; for a JSON object name the field"};
    }
    return *number;
  }
  const auto document = nlohmann::json::parse(payload, nullptr, false);
  const nlohmann::json* at = &document;
  std::string_view path = spec.field;
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string name{path.substr(0, dot)};
    const auto found = at->is_object() ? at->find(name) : at->end();
    if (!at->is_object() || found == at->end()) {
      return SpecError{"the message " + quoted(payload) + " has no field " + spec.field};
    }
    at = &*found;
    if (dot == std::string_view::npos) {
      break;
    }
    path.remove_prefix(dot + 1);
  }
  // Some senders write numbers as text.
  const auto number = at->is_number()   ? std::optional{at->get<double>()}
                      : at->is_string() ? parse_number(at->get_ref<const std::string&>())
                                        : std::nullopt;
  if (!number || !std::isfinite(*number)) {
    return SpecError{"the field " + spec.field + " of the message " + quoted(payload) + " is no number"};
  }
  return *number;
}

}  // namespace

void take_reading(energy::Inputs& inputs, const SensorReading& reading) {
  if (reading.place == Place::kAcVoltage) {
    if (reading.voltage) {
      inputs.ac_voltage = Sampled<Millivolts>{*reading.voltage, reading.at};
    }
    return;
  }
  energy::AcInput* input = &inputs.grid;
  if (reading.place == Place::kInverterOutput) {
    input = &inputs.inverter_output;
  } else if (reading.place != Place::kGrid) {
    input = &inputs.load[energy::load_index(energy::relay_at(index_of(reading.place)))];
  }
  if (reading.current) {
    input->current = Sampled<Milliamps>{*reading.current, reading.at};
  }
  if (reading.power) {
    input->power = Sampled<Watts>{*reading.power, reading.at};
  }
}

std::variant<SensorReading, SpecError> decode_payload(const MqttSpec& spec, Place place, TimePoint at,
                                                      std::string_view payload) {
  const auto found = number_in(spec, payload);
  if (const auto* error = std::get_if<SpecError>(&found)) {
    return *error;
  }
  const double number = std::get<double>(found);
  const auto is_within = [&](double low, double high) { return number >= low && number <= high; };
  const auto rounded = [](double value) { return static_cast<std::int32_t>(std::lround(value)); };
  SensorReading reading{place, {}, {}, {}, at};
  switch (spec.unit) {
    case MqttUnit::kWatts:
    case MqttUnit::kKilowatts: {
      const double factor = spec.unit == MqttUnit::kWatts ? 1 : 1000;
      if (is_within(-kWattsMax / factor, kWattsMax / factor)) {
        reading.power = Watts{rounded(number * factor)};
        return reading;
      }
      break;
    }
    case MqttUnit::kAmps:
    case MqttUnit::kMilliamps: {
      const double factor = spec.unit == MqttUnit::kAmps ? 1000 : 1;
      if (is_within(-kAmpsMax * 1000 / factor, kAmpsMax * 1000 / factor)) {
        reading.current = Milliamps{rounded(std::fabs(number * factor))};
        return reading;
      }
      break;
    }
    case MqttUnit::kVolts:
      if (is_within(0, kVoltsMax)) {
        reading.voltage = Millivolts{rounded(number * 1000)};
        return reading;
      }
      break;
  }
  return SpecError{"the message " + quoted(payload) + " is out of range; is the unit right?"};
}

}  // namespace amphora::runtime
