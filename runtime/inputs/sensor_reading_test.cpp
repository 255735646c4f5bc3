// SPDX-License-Identifier: Apache-2.0
#include "runtime/inputs/sensor_reading.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace amphora::runtime {
namespace {

constexpr TimePoint kNow{std::chrono::seconds{5}};

SensorReading decoded(const MqttSpec& spec, std::string_view payload, Place place = Place::kGrid) {
  const auto reading = decode_payload(spec, place, kNow, payload);
  const auto* error = std::get_if<SpecError>(&reading);
  EXPECT_EQ(error, nullptr) << error->text;
  return error != nullptr ? SensorReading{} : std::get<SensorReading>(reading);
}
std::string error_of(const MqttSpec& spec, std::string_view payload) {
  const auto reading = decode_payload(spec, Place::kGrid, kNow, payload);
  const auto* error = std::get_if<SpecError>(&reading);
  return error != nullptr ? error->text : "";
}

TEST(DecodePayload, takes_a_plain_number_in_its_unit) {
  EXPECT_EQ(decoded({"t", MqttUnit::kWatts, ""}, " -1234.6\n"),
            (SensorReading{Place::kGrid, {}, Watts{-1235}, {}, kNow}));
  EXPECT_EQ(decoded({"t", MqttUnit::kKilowatts, ""}, "2.5").power, Watts{2500});
  EXPECT_EQ(decoded({"t", MqttUnit::kAmps, ""}, "12.3456").current, Milliamps{12'346});
  EXPECT_EQ(decoded({"t", MqttUnit::kMilliamps, ""}, "1e3").current, Milliamps{1000});
  EXPECT_EQ(decoded({"t", MqttUnit::kVolts, ""}, "229.9").voltage, Millivolts{229'900});
}

TEST(DecodePayload, takes_currents_as_magnitudes) {
  EXPECT_EQ(decoded({"t", MqttUnit::kAmps, ""}, "-3").current, Milliamps{3000});
}

TEST(DecodePayload, takes_a_field_of_a_json_object) {
  EXPECT_EQ(decoded({"t", MqttUnit::kWatts, "power"}, R"({"power":41,"x":1})").power, Watts{41});
  EXPECT_EQ(decoded({"t", MqttUnit::kWatts, "a.b.c"}, R"({"a":{"b":{"c":"-7.4"}}})").power, Watts{-7});
}

TEST(DecodePayload, says_why_a_message_is_no_reading) {
  const MqttSpec plain{"t", MqttUnit::kWatts, ""};
  const MqttSpec field{"t", MqttUnit::kWatts, "a.power"};
  EXPECT_EQ(error_of(plain, "unavailable"),
            "the message 'unavailable' is no number; for a JSON object name the field");
  for (const char* text : {"", "  ", "1 2", "nan", "inf", "0x10", "12W", "--1"}) {
    EXPECT_NE(error_of(plain, text).find("is no number"), std::string::npos) << text;
  }
  EXPECT_EQ(error_of(field, "12"), "the message '12' has no field a.power");
  EXPECT_EQ(error_of(field, "{broken"), "the message '{broken' has no field a.power");
  EXPECT_EQ(error_of(field, R"({"a":{}})"), R"(the message '{"a":{}}' has no field a.power)");
  EXPECT_EQ(error_of(field, R"({"a":{"power":null}})"),
            R"(the field a.power of the message '{"a":{"power":null}}' is no number)");
  EXPECT_EQ(error_of(field, R"({"a":{"power":"off"}})"),
            R"(the field a.power of the message '{"a":{"power":"off"}}' is no number)");
  EXPECT_EQ(error_of(plain, "1000001"), "the message '1000001' is out of range; is the unit right?");
  EXPECT_NE(error_of({"t", MqttUnit::kKilowatts, ""}, "1001").find("out of range"), std::string::npos);
  EXPECT_NE(error_of({"t", MqttUnit::kVolts, ""}, "-1").find("out of range"), std::string::npos);
  EXPECT_NE(error_of(plain, std::string(kPayloadSizeMax + 1, '1')).find("4097 bytes"), std::string::npos);
}

RC_GTEST_PROP(DecodePayload, reads_what_a_sender_writes, ()) {
  const int watts = *rc::gen::inRange(-1'000'000, 1'000'001);
  RC_ASSERT(decoded({"t", MqttUnit::kWatts, ""}, std::to_string(watts)).power == Watts{watts});
  RC_ASSERT(decoded({"t", MqttUnit::kWatts, "p"}, "{\"p\": " + std::to_string(watts) + "}").power ==
            Watts{watts});
}

TEST(TakeReading, puts_each_place_where_the_energy_balance_looks_for_it) {
  energy::Inputs inputs;
  take_reading(inputs, {Place::kGrid, {}, Watts{-100}, Millivolts{1}, kNow});
  take_reading(inputs, {Place::kInverterOutput, Milliamps{2000}, {}, {}, kNow});
  take_reading(inputs, {Place::kPump, Milliamps{3000}, {}, {}, kNow});
  take_reading(inputs, {Place::kLoad6, {}, Watts{6}, {}, kNow});
  take_reading(inputs, {Place::kAcVoltage, Milliamps{1}, Watts{1}, Millivolts{230'000}, kNow});
  energy::Inputs expected;
  expected.grid.power = Sampled<Watts>{Watts{-100}, kNow};
  expected.inverter_output.current = Sampled<Milliamps>{Milliamps{2000}, kNow};
  expected.load.front().current = Sampled<Milliamps>{Milliamps{3000}, kNow};
  expected.load.back().power = Sampled<Watts>{Watts{6}, kNow};
  expected.ac_voltage = Sampled<Millivolts>{Millivolts{230'000}, kNow};
  EXPECT_EQ(inputs, expected);
}

}  // namespace
}  // namespace amphora::runtime
