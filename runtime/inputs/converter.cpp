// SPDX-License-Identifier: Apache-2.0
#include "runtime/inputs/converter.hpp"

#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/inputs/rms.hpp"
#include "runtime/loop/loop.hpp"

namespace amphora::runtime {

namespace {

// 2000 A or 1000 V: more is a wrong scale.
constexpr double kMilliampsMax = 2'000'000;
constexpr double kMillivoltsMax = 1'000'000;

class File {
 public:
  File(const std::string& path, int flags) : fd_{::open(path.c_str(), flags | O_CLOEXEC)} {}
  ~File() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::string advice_for(int code) {
  switch (code) {
    case EACCES:
    case EPERM:
      return "give the user that runs this program the device, by group or udev rule";
    case ENOENT:
    case ENODEV:
      return "is the converter's driver loaded? ls /sys/bus/iio/devices and /dev/i2c-* show what is there";
    case ENXIO:
    case EREMOTEIO:
      return "the chip does not answer; i2cdetect shows which do";
    case EBUSY:
      return "a driver of the kernel holds the chip; use its files in /sys/bus/iio/devices with adc:";
    default:
      return {};
  }
}

SysError error_now(std::string operation) {
  const int code = errno;
  return SysError{code, std::move(operation), advice_for(code)};
}

std::variant<std::string, SysError> read_text(const std::string& path) {
  const File file{path, O_RDONLY};
  if (file.fd() < 0) {
    return error_now("open " + path);
  }
  std::array<char, 64> buffer{};
  const ssize_t size = ::read(file.fd(), buffer.data(), buffer.size());
  if (size < 0) {
    return error_now("read " + path);
  }
  std::string text{buffer.data(), static_cast<std::size_t>(size)};
  text.erase(text.find_last_not_of(" \r\n") + 1);
  return text;
}

template <class T>
std::variant<T, SysError> read_number(const std::string& path) {
  auto text = read_text(path);
  if (auto* error = std::get_if<SysError>(&text)) {
    return std::move(*error);
  }
  const std::string& digits = std::get<std::string>(text);
  T value{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return SysError{EBADMSG, "read a number from " + path + ", found '" + digits + "'", {}};
  }
  return value;
}

// IIO gives millivolts for one count, for this channel or for all of a kind.
std::variant<double, SysError> volts_per_count_of(const std::string& raw_path) {
  const std::string stem = raw_path.substr(0, raw_path.size() - std::string_view{"_raw"}.size());
  std::string all = stem;
  while (!all.empty() && all.back() >= '0' && all.back() <= '9') {
    all.pop_back();
  }
  auto scale = read_number<double>(stem + "_scale");
  const auto* error = std::get_if<SysError>(&scale);
  if (error != nullptr && error->code == ENOENT) {
    auto shared = read_number<double>(all + "_scale");
    if (std::holds_alternative<double>(shared)) {
      scale = shared;
    }
  }
  if (auto* value = std::get_if<double>(&scale)) {
    *value /= 1000;
  }
  return scale;
}

std::variant<std::int32_t, SysError> scaled(const Scale& scale, double counts, double volts_per_count) {
  const double for_one =
      static_cast<double>(scale.nano) * 1e-9 * (scale.of == ScaleOf::kVolt ? volts_per_count : 1);
  const double milli = counts * for_one * 1000;
  const double most = scale.measured == Measured::kCurrent ? kMilliampsMax : kMillivoltsMax;
  if (!std::isfinite(milli) || std::fabs(milli) > most) {
    return SysError{ERANGE, "make sense of what the converter gives",
                    "the scale makes it more than any sensor shows"};
  }
  return static_cast<std::int32_t>(std::lround(milli));
}

}  // namespace

std::variant<std::int32_t, SysError> measure(const Scale& scale, double volts_per_count,
                                             const ReadCount& read_count) {
  std::vector<std::int32_t> samples;
  samples.reserve(kRmsSamplesMax);
  const TimePoint begin = steady_now();
  TimePoint next = begin;
  const auto is_complete = [&] {
    return scale.is_rms ? steady_now() >= begin + kRmsWindow || samples.size() == kRmsSamplesMax
                        : samples.size() == kDirectSamples;
  };
  while (!is_complete()) {
    auto count = read_count();
    if (auto* error = std::get_if<SysError>(&count)) {
      return std::move(*error);
    }
    samples.push_back(std::get<std::int32_t>(count));
    next += kSampleInterval;
    std::this_thread::sleep_for(next - steady_now());
  }
  if (!scale.is_rms) {
    double sum = 0;
    for (const std::int32_t sample : samples) {
      sum += sample;
    }
    const double zero =
        static_cast<double>(scale.zero) * 1e-9 / (scale.of == ScaleOf::kVolt ? volts_per_count : 1);
    return scaled(scale, std::max(0.0, sum / static_cast<double>(samples.size()) - zero), volts_per_count);
  }
  if (samples.size() < kRmsSamplesMin) {
    return SysError{0,
                    "sample a wave: " + std::to_string(samples.size()) + " samples in " +
                        std::to_string(to_milliseconds(kRmsWindow)) + " ms are too few",
                    "set the converter to a faster rate, or rectify and use rms=off"};
  }
  return scaled(scale, static_cast<double>(rms_of(samples)) / static_cast<double>(kRmsFraction),
                volts_per_count);
}

std::variant<std::int32_t, SysError> measure_adc(const AdcSpec& spec) {
  double volts_per_count = 1;
  if (spec.scale.of == ScaleOf::kVolt) {
    auto found = volts_per_count_of(spec.path);
    if (auto* error = std::get_if<SysError>(&found)) {
      return std::move(*error);
    }
    volts_per_count = std::get<double>(found);
  }
  return measure(spec.scale, volts_per_count, [&] { return read_number<std::int32_t>(spec.path); });
}

namespace {

constexpr std::uint8_t kConversionRegister = 0;
constexpr std::uint8_t kConfigRegister = 1;
constexpr std::uint16_t kStart = 0x8000;  // read: 1 when no conversion runs
constexpr std::uint16_t kSingleEnded = 0x4000;
constexpr std::uint16_t kSingleShot = 0x0100;
constexpr std::uint16_t kRate128 = 0x0080;
constexpr std::uint16_t kRate860 = 0x00E0;
constexpr std::uint16_t kNoComparator = 0x0003;
// A conversion at 128 samples a second takes 8 ms; its clock is 10 % exact.
constexpr Duration kConversionMax = std::chrono::milliseconds{50};

constexpr std::uint16_t swapped(std::uint16_t word) {
  return static_cast<std::uint16_t>((word >> 8U) | (word << 8U));
}

// The chip's registers. SMBus words, which every adapter can do; they have the low byte first, the chip the
// high byte.
class Ads1115 {
 public:
  Ads1115(int fd, std::string name) : fd_{fd}, name_{std::move(name)} {}

  std::optional<SysError> write(std::uint8_t index, std::uint16_t value) const {
    i2c_smbus_data data{};
    data.word = swapped(value);
    i2c_smbus_ioctl_data request{I2C_SMBUS_WRITE, index, I2C_SMBUS_WORD_DATA, &data};
    return ::ioctl(fd_, I2C_SMBUS, &request) < 0 ? std::optional{error_now("write to " + name_)}
                                                 : std::nullopt;
  }
  std::variant<std::uint16_t, SysError> read(std::uint8_t index) const {
    i2c_smbus_data data{};
    i2c_smbus_ioctl_data request{I2C_SMBUS_READ, index, I2C_SMBUS_WORD_DATA, &data};
    if (::ioctl(fd_, I2C_SMBUS, &request) < 0) {
      return error_now("read from " + name_);
    }
    return swapped(data.word);
  }
  Count convert(std::uint16_t config) const {
    if (auto error = write(kConfigRegister, config)) {
      return std::move(*error);
    }
    const TimePoint end = steady_now() + kConversionMax;
    while (true) {
      auto state = read(kConfigRegister);
      if (auto* error = std::get_if<SysError>(&state)) {
        return std::move(*error);
      }
      if ((std::get<std::uint16_t>(state) & kStart) != 0) {
        break;
      }
      if (steady_now() >= end) {
        return SysError{ETIMEDOUT, "wait for a conversion of " + name_, {}};
      }
      std::this_thread::sleep_for(std::chrono::microseconds{200});
    }
    auto value = read(kConversionRegister);
    if (auto* error = std::get_if<SysError>(&value)) {
      return std::move(*error);
    }
    return static_cast<std::int16_t>(std::get<std::uint16_t>(value));
  }

 private:
  int fd_;
  std::string name_;
};

}  // namespace

std::uint16_t ads1115_config(const I2cSpec& spec) {
  return static_cast<std::uint16_t>(kStart | kSingleEnded | (spec.channel << 12U) | (spec.gain_code << 9U) |
                                    kSingleShot | (spec.scale.is_rms ? kRate860 : kRate128) | kNoComparator);
}

double ads1115_volts_per_count(std::uint8_t gain_code) {
  constexpr std::array<double, 6> kFullScale{6.144, 4.096, 2.048, 1.024, 0.512, 0.256};
  return kFullScale[gain_code] / 32768;
}

std::variant<std::int32_t, SysError> measure_i2c(const I2cSpec& spec) {
  const File bus{spec.path, O_RDWR};
  if (bus.fd() < 0) {
    return error_now("open " + spec.path);
  }
  const std::string name = "the converter at " + std::to_string(spec.address) + " on " + spec.path;
  if (::ioctl(bus.fd(), I2C_SLAVE, static_cast<unsigned long>(spec.address)) < 0) {
    return error_now("address " + name);
  }
  const Ads1115 chip{bus.fd(), name};
  return measure(spec.scale, ads1115_volts_per_count(spec.gain_code),
                 [&] { return chip.convert(ads1115_config(spec)); });
}

}  // namespace amphora::runtime
