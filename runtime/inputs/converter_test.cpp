// SPDX-License-Identifier: Apache-2.0
// Converters by files in a folder and by a wave from memory. The kernel's drivers: tests/vm/sensors_test.sh.
#include "runtime/inputs/converter.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <string>
#include <thread>

#include "runtime/loop/loop.hpp"

namespace amphora::runtime {
namespace {

constexpr Scale kAmpsPerCount{Measured::kCurrent, ScaleOf::kCount, 36'600'000, 0, true};

std::int32_t value_of(const std::variant<std::int32_t, SysError>& result) {
  const auto* error = std::get_if<SysError>(&result);
  EXPECT_EQ(error, nullptr) << error->text();
  return error != nullptr ? -1 : std::get<std::int32_t>(result);
}

// A current transformer on a 12 bit converter, at this moment.
Count count_of_wave(double frequency, double amplitude) {
  const double seconds = static_cast<double>(to_microseconds(steady_now())) * 1e-6;
  return static_cast<std::int32_t>(
      std::lround(2048 + amplitude * std::sin(2 * std::numbers::pi * frequency * seconds)));
}

TEST(Measure, gives_the_effective_value_of_a_wave) {
  // Real sampling times of a busy machine, so the bound is wide; exact figures are in rms_test.cpp.
  for (const double frequency : {50.0, 60.0}) {
    const auto current = value_of(measure(kAmpsPerCount, 1, [&] { return count_of_wave(frequency, 1000); }));
    EXPECT_NEAR(current, 1000 / std::numbers::sqrt2 * 36.6, 2000);
  }
}

TEST(Measure, refuses_a_converter_that_is_too_slow_for_a_wave) {
  const auto result = measure(kAmpsPerCount, 1, []() -> Count {
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
    return 2048;
  });
  const auto* error = std::get_if<SysError>(&result);
  ASSERT_NE(error, nullptr);
  EXPECT_NE(error->text().find("too few"), std::string::npos);
  EXPECT_NE(error->text().find("rms=off"), std::string::npos);
}

TEST(Measure, gives_a_filtered_voltage_as_it_is) {
  Scale scale{Measured::kCurrent, ScaleOf::kCount, 36'600'000, 100'000'000'000, false};
  int reads = 0;
  const auto read = [&]() -> Count { return 1098 + 2 * (reads++ % 2); };
  EXPECT_EQ(value_of(measure(scale, 1, read)), 36'563);  // (1099 - 100) * 0.0366 A
  EXPECT_EQ(reads, kDirectSamples);
  // Below its zero there is no current.
  EXPECT_EQ(value_of(measure(scale, 1, []() -> Count { return 90; })), 0);
  // 2.5 V at the pin, zero at 0.5 V, 15 A for a volt.
  scale = {Measured::kCurrent, ScaleOf::kVolt, 15'000'000'000, 500'000'000, false};
  EXPECT_EQ(value_of(measure(scale, 0.001, []() -> Count { return 2500; })), 30'000);
}

TEST(Measure, passes_errors_on_and_refuses_what_cannot_be) {
  const auto failed = measure(kAmpsPerCount, 1, []() -> Count { return SysError{EIO, "read", {}}; });
  EXPECT_EQ(std::get<SysError>(failed).code, EIO);
  const Scale steep{Measured::kCurrent, ScaleOf::kCount, 1'000'000'000'000, 0, false};
  EXPECT_EQ(std::get<SysError>(measure(steep, 1, []() -> Count { return 2001; })).code, ERANGE);
}

class AdcFiles : public ::testing::Test {
 protected:
  AdcFiles() { std::filesystem::create_directories(folder_); }
  ~AdcFiles() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream{folder_ + name} << text;
  }
  AdcSpec spec(ScaleOf of, std::int64_t nano) const {
    return {folder_ + "in_voltage3_raw", {Measured::kCurrent, of, nano, 0, false}};
  }
  std::string folder_ = "/tmp/amphora_adc_" + std::to_string(::getpid()) + "/";
};

TEST_F(AdcFiles, are_read_with_the_scale_of_the_channel_or_of_all) {
  write("in_voltage3_raw", "1000\n");
  EXPECT_EQ(value_of(measure_adc(spec(ScaleOf::kCount, 10'000'000))), 10'000);
  write("in_voltage_scale", "0.5\n");
  EXPECT_EQ(value_of(measure_adc(spec(ScaleOf::kVolt, 30'000'000'000))), 15'000);
  write("in_voltage3_scale", "0.25\n");
  EXPECT_EQ(value_of(measure_adc(spec(ScaleOf::kVolt, 30'000'000'000))), 7'500);
}

TEST_F(AdcFiles, that_are_missing_or_no_number_are_named) {
  auto error = std::get<SysError>(measure_adc(spec(ScaleOf::kCount, 1)));
  EXPECT_EQ(error.code, ENOENT);
  EXPECT_EQ(error.operation, "open " + folder_ + "in_voltage3_raw");
  write("in_voltage3_raw", "12 V\n");
  error = std::get<SysError>(measure_adc(spec(ScaleOf::kCount, 1)));
  EXPECT_EQ(error.operation, "read a number from " + folder_ + "in_voltage3_raw, found '12 V'");
  error = std::get<SysError>(measure_adc(spec(ScaleOf::kVolt, 1)));
  EXPECT_EQ(error.operation, "open " + folder_ + "in_voltage3_scale");
}

TEST(Ads1115, is_told_channel_gain_and_rate) {
  I2cSpec spec;
  spec.channel = 2;
  spec.gain_code = 5;
  EXPECT_EQ(ads1115_config(spec), 0xEBE3);
  spec.channel = 0;
  spec.gain_code = 1;
  spec.scale.is_rms = false;
  EXPECT_EQ(ads1115_config(spec), 0xC383);
  EXPECT_DOUBLE_EQ(ads1115_volts_per_count(1), 0.000125);
  EXPECT_DOUBLE_EQ(ads1115_volts_per_count(0), 0.0001875);
}

TEST(Ads1115, names_a_bus_that_is_not_there) {
  I2cSpec spec;
  spec.path = "/dev/i2c-does-not-exist";
  EXPECT_EQ(std::get<SysError>(measure_i2c(spec)).operation, "open /dev/i2c-does-not-exist");
}

}  // namespace
}  // namespace amphora::runtime
