// SPDX-License-Identifier: Apache-2.0
// Analog to digital converters: Linux IIO by its files, and the ADS1115 family on an I2C bus; and what their
// numbers mean.
//
// Reading waits for the converter, so it happens on the sensor thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>

#include "runtime/inputs/input_spec.hpp"
#include "runtime/loop/sys_error.hpp"

namespace amphora::runtime {

// Over kRmsWindow at most one sample in this time: enough for the 20th harmonic, and no more work than that.
inline constexpr Duration kSampleInterval = std::chrono::microseconds{250};
// Fewer samples of a wave are refused: their RMS would be a guess.
inline constexpr std::size_t kRmsSamplesMin = 32;
// With rms=off the mean of so many.
inline constexpr int kDirectSamples = 4;

using Count = std::variant<std::int32_t, SysError>;
using ReadCount = std::function<Count()>;

// One measurement, in mA or mV. `volts_per_count` is used where the scale is per volt.
std::variant<std::int32_t, SysError> measure(const Scale& scale, double volts_per_count,
                                             const ReadCount& read_count);

// Opens what is needed, measures, closes.
std::variant<std::int32_t, SysError> measure_adc(const AdcSpec& spec);
std::variant<std::int32_t, SysError> measure_i2c(const I2cSpec& spec);

// What is written to the configuration register of an ADS1115 to start one conversion (data sheet SBAS444,
// 9.6.3): start bit, channel against ground, gain, single-shot, rate, comparator off. 860 samples a second
// for a wave; 128 for a filtered voltage, whose noise the slower rate averages.
std::uint16_t ads1115_config(const I2cSpec& spec);
// Volts of one count: full scale of the gain / 32768.
double ads1115_volts_per_count(std::uint8_t gain_code);

}  // namespace amphora::runtime
