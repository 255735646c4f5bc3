// SPDX-License-Identifier: Apache-2.0
#include "runtime/inputs/input_spec.hpp"

#include <gtest/gtest.h>

namespace amphora::runtime {
namespace {

InputSpec parsed(std::string_view text, Place place = Place::kGrid) {
  auto spec = parse_input_spec(text, place);
  const auto* error = std::get_if<SpecError>(&spec);
  EXPECT_EQ(error, nullptr) << text << ": " << error->text;
  return error != nullptr ? InputSpec{} : std::get<InputSpec>(spec);
}
std::string error_of(std::string_view text, Place place = Place::kGrid) {
  const auto spec = parse_input_spec(text, place);
  const auto* error = std::get_if<SpecError>(&spec);
  return error != nullptr ? error->text : "";
}

TEST(InputSpec, reads_a_converter_of_linux_iio) {
  const auto spec = std::get<AdcSpec>(
      parsed("adc:/sys/bus/iio/devices/iio:device0/in_voltage0_raw?amps_per_count=0.0366&rms=off&zero=2048"));
  EXPECT_EQ(spec.path, "/sys/bus/iio/devices/iio:device0/in_voltage0_raw");
  EXPECT_EQ(spec.scale, (Scale{Measured::kCurrent, ScaleOf::kCount, 36'600'000, 2'048'000'000'000, false}));
}

TEST(InputSpec, samples_a_wave_unless_told_otherwise) {
  EXPECT_TRUE(std::get<AdcSpec>(parsed("adc:/x_raw?amps_per_volt=30")).scale.is_rms);
  EXPECT_FALSE(std::get<AdcSpec>(parsed("adc:/x_raw?amps_per_volt=30&rms=off")).scale.is_rms);
}

TEST(InputSpec, reads_a_converter_on_i2c) {
  const auto spec = std::get<I2cSpec>(
      parsed("i2c:/dev/i2c-1?address=0x49&channel=3&gain=2/3&volts_per_volt=250.5", Place::kAcVoltage));
  EXPECT_EQ(spec.path, "/dev/i2c-1");
  EXPECT_EQ(spec.address, 0x49);
  EXPECT_EQ(spec.channel, 3);
  EXPECT_EQ(spec.gain_code, 0);
  EXPECT_EQ(spec.scale, (Scale{Measured::kVoltage, ScaleOf::kVolt, 250'500'000'000, 0, true}));
}

TEST(InputSpec, reads_a_meter) {
  const auto spec =
      std::get<MeterSpec>(parsed("meter:/dev/ttyUSB1?type=sdm630&address=2&baud=2400&parity=even&invert=on"));
  EXPECT_EQ(spec, (MeterSpec{"/dev/ttyUSB1", MeterType::kSdm630, 2, 2400, SerialParity::kEven, true}));
  EXPECT_EQ(std::get<MeterSpec>(parsed("meter:/dev/ttyUSB1?type=sdm120")),
            (MeterSpec{"/dev/ttyUSB1", MeterType::kSdm120, 1, 9600, SerialParity::kNone, false}));
}

TEST(InputSpec, reads_a_topic) {
  EXPECT_EQ(std::get<MqttSpec>(parsed("mqtt:house/meter:1/state?unit=kw&field=a.power")),
            (MqttSpec{"house/meter:1/state", MqttUnit::kKilowatts, "a.power"}));
  EXPECT_EQ(std::get<MqttSpec>(parsed("mqtt:topic")), (MqttSpec{"topic", MqttUnit::kWatts, ""}));
}

TEST(InputSpec, reads_back_what_it_writes) {
  for (const char* text :
       {"", "adc:/a_raw?amps_per_count=0.0366&rms=on", "adc:/a?volts_per_count=1&rms=off&zero=-0.5",
        "i2c:/dev/i2c-1?address=72&channel=0&gain=16&amps_per_volt=100&rms=on",
        "meter:/dev/ttyUSB1?type=sdm120&address=247&baud=9600&parity=none",
        "meter:/dev/ttyUSB1?type=sdm630&address=1&baud=1200&parity=odd&invert=on", "mqtt:a/b/c?unit=ma",
        "mqtt:a?unit=v&field=u"}) {
    const Place place = std::string_view{text}.find("v") != std::string_view::npos &&
                                std::string_view{text}.find("volts_per") != std::string_view::npos
                            ? Place::kAcVoltage
                        : std::string_view{text}.find("unit=v") != std::string_view::npos ? Place::kAcVoltage
                                                                                          : Place::kGrid;
    EXPECT_EQ(to_text(parsed(text, place)), text);
  }
}

TEST(InputSpec, says_what_is_wrong) {
  EXPECT_EQ(error_of("ct:1"),
            "'ct:1' is no input; write adc:…, i2c:…, meter:…, mqtt:… or nothing where nothing is measured");
  EXPECT_EQ(error_of("adc:/a_raw"),
            "exactly one scale is needed: amps_per_count, volts_per_count, amps_per_volt or volts_per_volt");
  EXPECT_EQ(error_of("adc:/a_raw?amps_per_count=1&amps_per_volt=1"),
            "exactly one scale is needed: amps_per_count, volts_per_count, amps_per_volt or volts_per_volt");
  EXPECT_EQ(error_of("adc:/a_raw?amps_per_count=0"),
            "amps_per_count=0 is not possible; allowed: 0.000000001 to 1000, with at most 9 digits after the "
            "point");
  EXPECT_EQ(error_of("adc:/a_raw?amps_per_count=1&zero=3"),
            "zero is only for rms=off; with rms=on the mean is the zero");
  EXPECT_EQ(error_of("adc:/a?amps_per_volt=1"),
            "a scale per volt needs a file whose name ends in _raw; its _scale file lies beside it");
  EXPECT_NE(error_of("adc:in_voltage0_raw?amps_per_count=1").find("path of a file"), std::string::npos);
  EXPECT_EQ(error_of("i2c:/dev/i2c-1?amps_per_count=1"),
            "exactly one scale is needed: amps_per_volt or volts_per_volt");
  EXPECT_EQ(error_of("i2c:/dev/i2c-1?address=0x50&amps_per_volt=1"),
            "address=0x50 is not possible; allowed: 72 to 75");
  EXPECT_EQ(error_of("i2c:/dev/i2c-1?gain=3&amps_per_volt=1"),
            "gain=3 is not possible; allowed: 2/3, 1, 2, 4, 8, 16");
  EXPECT_EQ(error_of("meter:/dev/ttyUSB1"), "type is needed; allowed: sdm120, sdm630");
  EXPECT_EQ(error_of("meter:/dev/ttyUSB1?type=sdm120&address=248"),
            "address=248 is not possible; allowed: 1 to 247");
  EXPECT_EQ(error_of("meter:/dev/ttyUSB1?type=sdm120&baud=9601"),
            "baud=9601 is not possible; usual: 2400, 4800, 9600, 19200");
  EXPECT_EQ(error_of("mqtt:"), "mqtt needs one topic, without the wildcards + and #");
  EXPECT_EQ(error_of("mqtt:a/#"), "mqtt needs one topic, without the wildcards + and #");
  EXPECT_EQ(error_of("mqtt:a?unit=kwh"), "unit=kwh is not possible; allowed: w, kw, a, ma, v");
}

TEST(InputSpec, measures_voltages_at_ac_voltage_only) {
  EXPECT_EQ(error_of("mqtt:a?unit=v", Place::kPump), "a voltage alone can only be measured at ac_voltage");
  EXPECT_EQ(error_of("adc:/a?amps_per_count=1", Place::kAcVoltage),
            "ac_voltage needs a voltage: volts_per_count, volts_per_volt or unit=v");
  EXPECT_EQ(error_of("meter:/dev/ttyUSB1?type=sdm120", Place::kAcVoltage), "");
}

TEST(InputSpec, meters_of_one_line_agree_on_its_speed) {
  InputSpecs specs{};
  specs[index_of(Place::kGrid)] = parsed("meter:/dev/ttyUSB1?type=sdm120&address=1");
  specs[index_of(Place::kPump)] = parsed("meter:/dev/ttyUSB1?type=sdm120&address=2");
  specs[index_of(Place::kHeater)] = parsed("meter:/dev/ttyUSB2?type=sdm120&baud=2400");
  EXPECT_EQ(check_input_specs(specs), "");
  specs[index_of(Place::kLoad3)] = parsed("meter:/dev/ttyUSB1?type=sdm120&address=3&baud=2400");
  EXPECT_EQ(check_input_specs(specs),
            "the meters of grid and load_3 share the line /dev/ttyUSB1 and need the same baud and parity");
}

TEST(Place, is_named_like_its_relay) {
  EXPECT_EQ(to_text(Place::kGrid), "grid");
  EXPECT_EQ(to_text(Place::kHeater), "water_heater");
  EXPECT_EQ(to_text(Place::kLoad6), "load_6");
  EXPECT_EQ(to_text(Place::kAcVoltage), "ac_voltage");
  EXPECT_EQ(place_of(energy::Relay::kLoad6), Place::kLoad6);
}

}  // namespace
}  // namespace amphora::runtime
