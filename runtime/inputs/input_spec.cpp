// SPDX-License-Identifier: Apache-2.0
#include "runtime/inputs/input_spec.hpp"

#include <algorithm>
#include <limits>

namespace amphora::runtime {

namespace {

// 1000 A or V for one count or volt: far above every sensor, far below what overflows.
constexpr std::int64_t kNanoMax = 1'000'000'000'000;
constexpr std::int64_t kZeroMax = std::int64_t{1} << 53;
constexpr const char* kForms = "write adc:…, i2c:…, meter:…, mqtt:… or nothing where nothing is measured";

struct ScaleKey {
  std::string_view key;
  Measured measured;
  ScaleOf of;
};
constexpr ScaleKey kScaleKeys[] = {{"amps_per_count", Measured::kCurrent, ScaleOf::kCount},
                                   {"volts_per_count", Measured::kVoltage, ScaleOf::kCount},
                                   {"amps_per_volt", Measured::kCurrent, ScaleOf::kVolt},
                                   {"volts_per_volt", Measured::kVoltage, ScaleOf::kVolt}};

const std::vector<std::string_view> kMeterTypes{"sdm120", "sdm630"};
const std::vector<std::string_view> kParities{"none", "even", "odd"};
const std::vector<std::string_view> kUnits{"w", "kw", "a", "ma", "v"};
const std::vector<std::string_view> kGains{"2/3", "1", "2", "4", "8", "16"};

// Exactly one of the scales, and what goes with it.
Scale take_scale(SpecText& text, bool has_counts) {
  Scale scale;
  int found = 0;
  for (const ScaleKey& key : kScaleKeys) {
    if (key.of == ScaleOf::kCount && !has_counts) {
      continue;
    }
    if (const auto nano = text.take_decimal(key.key, kScaleDecimals, 1, kNanoMax)) {
      scale.measured = key.measured;
      scale.of = key.of;
      scale.nano = *nano;
      ++found;
    }
  }
  if (found != 1) {
    text.fail(std::string{"exactly one scale is needed: "} +
              (has_counts ? "amps_per_count, volts_per_count, " : "") + "amps_per_volt or volts_per_volt");
  }
  scale.is_rms = text.take_switch("rms").value_or(true);
  const auto zero = text.take_decimal("zero", kScaleDecimals, -kZeroMax, kZeroMax);
  if (zero && scale.is_rms) {
    text.fail("zero is only for rms=off; with rms=on the mean is the zero");
  }
  scale.zero = zero.value_or(0);
  return scale;
}

InputSpec parse_adc(SpecText& text) {
  AdcSpec spec{text.address(), take_scale(text, true)};
  if (!spec.path.starts_with('/')) {
    text.fail("adc needs the path of a file, such as /sys/bus/iio/devices/iio:device0/in_voltage0_raw");
  } else if (spec.scale.of == ScaleOf::kVolt && !spec.path.ends_with("_raw")) {
    text.fail("a scale per volt needs a file whose name ends in _raw; its _scale file lies beside it");
  }
  return spec;
}

InputSpec parse_i2c(SpecText& text) {
  I2cSpec spec;
  spec.path = text.address();
  spec.address = static_cast<std::uint8_t>(text.take_integer("address", 0x48, 0x4B).value_or(0x48));
  spec.channel = static_cast<std::uint8_t>(text.take_integer("channel", 0, 3).value_or(0));
  spec.gain_code = static_cast<std::uint8_t>(text.take_choice("gain", kGains).value_or(1));
  spec.scale = take_scale(text, false);
  if (!spec.path.starts_with('/')) {
    text.fail("i2c needs the path of a bus, such as /dev/i2c-1");
  }
  return spec;
}

InputSpec parse_meter(SpecText& text) {
  MeterSpec spec;
  spec.path = text.address();
  const auto type = text.take_choice("type", kMeterTypes);
  if (!type) {
    text.fail("type is needed; allowed: sdm120, sdm630");
  }
  spec.type = static_cast<MeterType>(type.value_or(0));
  spec.address = static_cast<std::uint8_t>(text.take_integer("address", 1, 247).value_or(1));
  spec.baud = static_cast<std::uint32_t>(
      text.take_integer("baud", 1, std::numeric_limits<std::uint32_t>::max()).value_or(9600));
  spec.parity = static_cast<SerialParity>(text.take_choice("parity", kParities).value_or(0));
  spec.is_inverted = text.take_switch("invert").value_or(false);
  if (!spec.path.starts_with('/')) {
    text.fail("meter needs the path of a serial line, such as /dev/ttyUSB1");
  } else if (!is_baud_known(spec.baud)) {
    text.fail("baud=" + std::to_string(spec.baud) + " is not possible; usual: 2400, 4800, 9600, 19200");
  }
  return spec;
}

InputSpec parse_mqtt(SpecText& text) {
  MqttSpec spec;
  spec.topic = text.address();
  spec.unit = static_cast<MqttUnit>(text.take_choice("unit", kUnits).value_or(0));
  spec.field = text.take("field").value_or("");
  if (spec.topic.empty() || spec.topic.find_first_of("+#") != std::string::npos) {
    text.fail("mqtt needs one topic, without the wildcards + and #");
  }
  return spec;
}

// What the place can use of what is measured.
std::string check_place(const InputSpec& spec, Place place) {
  std::optional<bool> is_voltage;  // empty: tells both
  if (const auto* adc = std::get_if<AdcSpec>(&spec)) {
    is_voltage = adc->scale.measured == Measured::kVoltage;
  } else if (const auto* i2c = std::get_if<I2cSpec>(&spec)) {
    is_voltage = i2c->scale.measured == Measured::kVoltage;
  } else if (const auto* mqtt = std::get_if<MqttSpec>(&spec)) {
    is_voltage = mqtt->unit == MqttUnit::kVolts;
  }
  if (!is_voltage || *is_voltage == (place == Place::kAcVoltage)) {
    return {};
  }
  return *is_voltage ? "a voltage alone can only be measured at ac_voltage"
                     : "ac_voltage needs a voltage: volts_per_count, volts_per_volt or unit=v";
}

std::string scale_text(const Scale& scale) {
  std::string text;
  for (const ScaleKey& key : kScaleKeys) {
    if (key.measured == scale.measured && key.of == scale.of) {
      text.append(key.key).append("=").append(format_decimal(scale.nano, kScaleDecimals));
    }
  }
  text.append("&rms=").append(scale.is_rms ? "on" : "off");
  return scale.zero == 0 ? text : text + "&zero=" + format_decimal(scale.zero, kScaleDecimals);
}

template <class T>
std::string name_of(const std::vector<std::string_view>& names, T value) {
  return std::string{names[static_cast<std::size_t>(value)]};
}

std::string spec_text(std::monostate) {
  return {};
}
std::string spec_text(const AdcSpec& spec) {
  return "adc:" + spec.path + "?" + scale_text(spec.scale);
}
std::string spec_text(const I2cSpec& spec) {
  return "i2c:" + spec.path + "?address=" + std::to_string(spec.address) +
         "&channel=" + std::to_string(spec.channel) + "&gain=" + name_of(kGains, spec.gain_code) + "&" +
         scale_text(spec.scale);
}
std::string spec_text(const MeterSpec& spec) {
  return "meter:" + spec.path + "?type=" + name_of(kMeterTypes, spec.type) +
         "&address=" + std::to_string(spec.address) + "&baud=" + std::to_string(spec.baud) +
         "&parity=" + name_of(kParities, spec.parity) + (spec.is_inverted ? "&invert=on" : "");
}
std::string spec_text(const MqttSpec& spec) {
  return "mqtt:" + spec.topic + "?unit=" + name_of(kUnits, spec.unit) +
         (spec.field.empty() ? "" : "&field=" + spec.field);
}

}  // namespace

std::variant<InputSpec, SpecError> parse_input_spec(std::string_view text, Place place) {
  if (text.empty()) {
    return InputSpec{};
  }
  SpecText parts{text};
  InputSpec spec;
  if (parts.kind() == "adc") {
    spec = parse_adc(parts);
  } else if (parts.kind() == "i2c") {
    spec = parse_i2c(parts);
  } else if (parts.kind() == "meter") {
    spec = parse_meter(parts);
  } else if (parts.kind() == "mqtt") {
    spec = parse_mqtt(parts);
  } else {
    return SpecError{"'" + std::string{text} + "' is no input; " + kForms};
  }
  if (auto error = parts.finish()) {
    return std::move(*error);
  }
  if (std::string why = check_place(spec, place); !why.empty()) {
    return SpecError{std::move(why)};
  }
  return spec;
}

std::string to_text(const InputSpec& spec) {
  return std::visit([](const auto& one) { return spec_text(one); }, spec);
}

std::string check_input_specs(const InputSpecs& specs) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto* one = std::get_if<MeterSpec>(&specs[i]);
    for (std::size_t j = 0; one != nullptr && j < i; ++j) {
      const auto* other = std::get_if<MeterSpec>(&specs[j]);
      if (other != nullptr && other->path == one->path &&
          (other->baud != one->baud || other->parity != one->parity)) {
        return "the meters of " + std::string{to_text(static_cast<Place>(j))} + " and " +
               std::string{to_text(static_cast<Place>(i))} + " share the line " + one->path +
               " and need the same baud and parity";
      }
    }
  }
  return {};
}

}  // namespace amphora::runtime
