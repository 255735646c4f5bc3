// SPDX-License-Identifier: Apache-2.0
#include "runtime/inputs/sensor_thread.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "runtime/inputs/meter.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

// With a bound that only serves to end a hanging test.
template <class T>
std::optional<T> wait_for(BoundedQueue<T>& queue, const std::function<bool(const T&)>& is_wanted) {
  const TimePoint end = steady_now() + 30s;
  while (steady_now() < end) {
    while (auto value = queue.pop()) {
      if (is_wanted(*value)) {
        return value;
      }
    }
    std::this_thread::sleep_for(2ms);
  }
  return std::nullopt;
}

class SensorThreadTest : public ::testing::Test {
 protected:
  SensorThreadTest() { std::filesystem::create_directories(folder_); }
  ~SensorThreadTest() override { std::filesystem::remove_all(folder_); }
  // Whole or not at all, so that no half-written number is read.
  void write(const std::string& name, const std::string& text) const {
    std::ofstream{folder_ + "new"} << text;
    std::filesystem::rename(folder_ + "new", folder_ + name);
  }
  InputSpec adc(const std::string& name, const std::string& scale) const {
    const Place place = scale.starts_with("volts") ? Place::kAcVoltage : Place::kGrid;
    return std::get<InputSpec>(parse_input_spec("adc:" + folder_ + name + "?rms=off&" + scale, place));
  }
  std::string folder_ = "/tmp/amphora_sensors_" + std::to_string(::getpid()) + "/";
};

TEST_F(SensorThreadTest, delivers_readings_and_tells_changes_of_errors_once) {
  write("current", "250\n");
  SensorOptions options;
  options.poll_interval = 10ms;
  options.specs[index_of(Place::kHeater)] = adc("current", "amps_per_count=0.04");
  options.specs[index_of(Place::kAcVoltage)] = adc("voltage", "volts_per_count=0.1");
  options.specs[index_of(Place::kGrid)] = MqttSpec{"not/read/here", MqttUnit::kWatts, ""};
  SensorThread sensors{options};
  ASSERT_TRUE(sensors.has_inputs());
  const TimePoint begin = steady_now();
  sensors.start();

  const auto heater = wait_for<SensorReading>(sensors.readings(), [](const SensorReading&) { return true; });
  ASSERT_TRUE(heater);
  EXPECT_EQ(heater->place, Place::kHeater);
  EXPECT_EQ(heater->current, Milliamps{10'000});
  EXPECT_EQ(heater->power, std::nullopt);
  EXPECT_GE(heater->at, begin);

  const auto failed = wait_for<SensorNotice>(sensors.notices(), [](const SensorNotice&) { return true; });
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->place, Place::kAcVoltage);
  EXPECT_EQ(failed->error->code, ENOENT);
  write("voltage", "2300\n");
  const auto works = wait_for<SensorNotice>(sensors.notices(), [](const SensorNotice&) { return true; });
  ASSERT_TRUE(works);
  EXPECT_FALSE(works->error) << "the same error was told twice";
  const auto voltage = wait_for<SensorReading>(
      sensors.readings(), [](const SensorReading& reading) { return reading.place == Place::kAcVoltage; });
  ASSERT_TRUE(voltage);
  EXPECT_EQ(voltage->voltage, Millivolts{230'000});

  sensors.stop();
  const auto statuses = sensors.statuses();
  ASSERT_EQ(statuses.size(), 2U);
  EXPECT_EQ(statuses[0].place, Place::kHeater);
  EXPECT_GE(statuses[0].reads, 2U);
  EXPECT_EQ(statuses[0].failures, 0U);
  EXPECT_EQ(statuses[1].place, Place::kAcVoltage);
  EXPECT_GE(statuses[1].failures, 1U);
  EXPECT_FALSE(statuses[1].error);
}

TEST_F(SensorThreadTest, has_nothing_to_do_without_sensors_of_its_own) {
  SensorOptions options;
  options.specs[index_of(Place::kGrid)] = MqttSpec{"topic", MqttUnit::kWatts, ""};
  SensorThread sensors{options};
  EXPECT_FALSE(sensors.has_inputs());
  sensors.start();
  sensors.stop();
  EXPECT_TRUE(sensors.statuses().empty());
}

TEST_F(SensorThreadTest, goes_on_when_nobody_takes_its_readings) {
  write("current", "1\n");
  SensorOptions options;
  options.poll_interval = 1ms;
  options.specs[index_of(Place::kGrid)] = adc("current", "amps_per_count=1");
  SensorThread sensors{options};
  sensors.start();
  const TimePoint end = steady_now() + 30s;
  while (sensors.readings().dropped_count() == 0 && steady_now() < end) {
    std::this_thread::sleep_for(2ms);
  }
  EXPECT_GT(sensors.readings().dropped_count(), 0U);
}

std::vector<std::uint8_t> registers_of(MeterType type,
                                       std::initializer_list<std::pair<std::size_t, float>> values) {
  std::vector<std::uint8_t> bytes(2 * std::size_t{meter_word_count(type)});
  for (const auto& [word, value] : values) {
    ByteWriter writer{MutableByteSpan{bytes}.subspan(2 * word, 4)};
    writer.u32(std::bit_cast<std::uint32_t>(value), Endian::kBig);
  }
  return bytes;
}

TEST(DecodeMeter, takes_the_values_of_each_type) {
  MeterSpec spec{"/dev/x", MeterType::kSdm120, 1, 9600, SerialParity::kNone, false};
  auto reading = std::get<SensorReading>(
      decode_meter(spec, registers_of(spec.type, {{0, 229.5F}, {6, 4.25F}, {12, -975.4F}})));
  EXPECT_EQ(reading.voltage, Millivolts{229'500});
  EXPECT_EQ(reading.current, Milliamps{4'250});
  EXPECT_EQ(reading.power, Watts{-975});
  spec.is_inverted = true;
  reading = std::get<SensorReading>(decode_meter(spec, registers_of(spec.type, {{12, -975.4F}})));
  EXPECT_EQ(reading.power, Watts{975});

  spec = {"/dev/x", MeterType::kSdm630, 1, 9600, SerialParity::kNone, false};
  reading = std::get<SensorReading>(decode_meter(
      spec, registers_of(spec.type,
                         {{0, 230}, {2, 232}, {4, 0.4F}, {6, 1.5F}, {8, 2.5F}, {10, 0}, {0x34, 915.6F}})));
  EXPECT_EQ(reading.voltage, Millivolts{231'000});
  EXPECT_EQ(reading.current, Milliamps{4'000});
  EXPECT_EQ(reading.power, Watts{916});
}

TEST(DecodeMeter, refuses_what_cannot_be) {
  const MeterSpec spec{"/dev/x", MeterType::kSdm120, 7, 9600, SerialParity::kNone, false};
  for (const float value : {NAN, INFINITY, -2e6F, 2e6F, 3e38F}) {
    const auto result = decode_meter(spec, registers_of(spec.type, {{12, value}}));
    ASSERT_TRUE(std::holds_alternative<SysError>(result)) << value;
    EXPECT_EQ(std::get<SysError>(result).operation, "make sense of meter 7 on /dev/x");
  }
  EXPECT_TRUE(std::holds_alternative<SysError>(decode_meter(spec, {})));
  const MeterSpec three{"/dev/x", MeterType::kSdm630, 7, 9600, SerialParity::kNone, false};
  EXPECT_TRUE(std::holds_alternative<SysError>(decode_meter(three, registers_of(three.type, {{2, NAN}}))));
}

}  // namespace
}  // namespace amphora::runtime
