// SPDX-License-Identifier: Apache-2.0
#include "runtime/inputs/rms.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace amphora::runtime {
namespace {

// A wave of `amplitude` counts on a bias, sampled at `rate` for 200 ms.
std::vector<std::int32_t> wave(double frequency, double rate, double amplitude, double bias,
                               double phase = 0) {
  std::vector<std::int32_t> samples;
  for (int i = 0; i < static_cast<int>(rate / 5); ++i) {
    const double angle = 2 * std::numbers::pi * frequency * i / rate + phase;
    samples.push_back(static_cast<std::int32_t>(std::lround(bias + amplitude * std::sin(angle))));
  }
  return samples;
}
double rms(const std::vector<std::int32_t>& samples) {
  return static_cast<double>(rms_of(samples)) / static_cast<double>(kRmsFraction);
}

TEST(Rms, of_a_sine_is_its_amplitude_over_root_two) {
  for (const double frequency : {50.0, 60.0}) {
    for (const double rate : {400.0, 860.0, 4000.0}) {
      for (const double phase : {0.0, 0.3, 1.5}) {
        EXPECT_NEAR(rms(wave(frequency, rate, 1000, 2048, phase)), 1000 / std::numbers::sqrt2, 1.0)
            << frequency << " Hz at " << rate;
      }
    }
  }
}

TEST(Rms, of_a_distorted_wave_is_the_root_of_the_sum_of_squares) {
  std::vector<std::int32_t> samples = wave(50, 4000, 1000, 2048);
  const std::vector<std::int32_t> third = wave(150, 4000, 400, 0, 0.7);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i] += third[i];
  }
  EXPECT_NEAR(rms(samples), std::sqrt((1000.0 * 1000 + 400.0 * 400) / 2), 1.0);
}

TEST(Rms, does_not_see_the_bias) {
  EXPECT_EQ(rms_of(wave(50, 4000, 0, 2048)), 0);
  EXPECT_EQ(rms_of(wave(50, 4000, 500, 0)), rms_of(wave(50, 4000, 500, -1000)));
}

TEST(Rms, sees_waves_smaller_than_a_count) {
  // Half the samples one count higher: a square wave of half a count.
  std::vector<std::int32_t> samples;
  for (int i = 0; i < 800; ++i) {
    samples.push_back(i / 40 % 2);
  }
  EXPECT_NEAR(rms(samples), 0.5, 0.01);
}

TEST(Rms, does_not_overflow_at_the_ends) {
  std::vector<std::int32_t> samples;
  for (std::size_t i = 0; i < 2 * kRmsSamplesMax; ++i) {
    samples.push_back(i % 2 == 0 ? INT32_MAX : INT32_MIN);
  }
  EXPECT_EQ(rms_of(samples), std::int64_t{kCountMax} * kRmsFraction);
  EXPECT_EQ(rms_of({}), 0);
}

RC_GTEST_PROP(Rms, agrees_with_floating_point, ()) {
  const auto samples = *rc::gen::container<std::vector<std::int32_t>>(100, rc::gen::inRange(-32768, 32768));
  double mean = 0;
  for (const std::int32_t sample : samples) {
    mean += sample / 100.0;
  }
  double squares = 0;
  for (const std::int32_t sample : samples) {
    squares += (sample - mean) * (sample - mean) / 100;
  }
  RC_ASSERT(std::fabs(rms(samples) - std::sqrt(squares)) < 0.1);
}

RC_GTEST_PROP(IntegerSqrt, is_the_floor_of_the_root, (std::uint64_t value)) {
  const std::uint64_t root = integer_sqrt(value);
  RC_ASSERT(root * root <= value);
  RC_ASSERT(root == 0xFFFFFFFFU || (root + 1) * (root + 1) > value);
}

}  // namespace
}  // namespace amphora::runtime
