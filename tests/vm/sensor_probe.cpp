// SPDX-License-Identifier: Apache-2.0
// Sensors and lights on the micro-VM's devices; started by gpio_test.sh and sensors_test.sh.
//
// The converter is the kernel's stub of an I2C chip: registers in memory, through the real bus, i2c-dev and,
// for Linux IIO, the real driver of the chip. The lights are lines of the GPIO card.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <numbers>
#include <thread>

#include "runtime/indicator/indicator_thread.hpp"
#include "runtime/inputs/converter.hpp"
#include "runtime/loop/loop.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

constexpr std::uint8_t kOnBus = 0x48;
constexpr std::uint8_t kWithDriver = 0x49;

// The stub's registers, set from outside whoever uses the chip.
class Stub {
 public:
  explicit Stub(std::uint8_t address) : fd_{::open("/dev/i2c-0", O_RDWR | O_CLOEXEC)} {
    EXPECT_GE(fd_, 0);
    EXPECT_EQ(::ioctl(fd_, I2C_SLAVE_FORCE, static_cast<unsigned long>(address)), 0);
  }
  ~Stub() { ::close(fd_); }
  Stub(const Stub&) = delete;
  Stub& operator=(const Stub&) = delete;
  void set(std::uint8_t index, std::uint16_t value) const { transfer(I2C_SMBUS_WRITE, index, value); }
  std::uint16_t get(std::uint8_t index) const { return transfer(I2C_SMBUS_READ, index, 0); }

 private:
  std::uint16_t transfer(char direction, std::uint8_t index, std::uint16_t value) const {
    i2c_smbus_data data{};
    data.word = __builtin_bswap16(value);
    i2c_smbus_ioctl_data request{static_cast<std::uint8_t>(direction), index, I2C_SMBUS_WORD_DATA, &data};
    EXPECT_EQ(::ioctl(fd_, I2C_SMBUS, &request), 0);
    return __builtin_bswap16(data.word);
  }
  int fd_;
};

std::int32_t value_of(const std::variant<std::int32_t, SysError>& result) {
  const auto* error = std::get_if<SysError>(&result);
  EXPECT_EQ(error, nullptr) << error->text();
  return error != nullptr ? -1 : std::get<std::int32_t>(result);
}

I2cSpec i2c(const std::string& options) {
  return std::get<I2cSpec>(std::get<InputSpec>(parse_input_spec("i2c:/dev/i2c-0?" + options, Place::kGrid)));
}

TEST(ConverterOnI2c, gives_a_filtered_current) {
  const Stub chip{kOnBus};
  chip.set(0, 8192);  // 1.024 V with gain 1
  EXPECT_EQ(value_of(measure_i2c(i2c("channel=2&amps_per_volt=30&rms=off"))), 30'720);
  EXPECT_EQ(chip.get(1), 0xE383) << "start, channel 2, 4.096 V, single, 128 samples a second";
  chip.set(0, static_cast<std::uint16_t>(-100));
  EXPECT_EQ(value_of(measure_i2c(i2c("amps_per_volt=30&rms=off"))), 0);
}

TEST(ConverterOnI2c, gives_the_effective_value_of_a_wave) {
  const Stub chip{kOnBus};
  std::atomic<bool> is_over{false};
  std::thread wave{[&] {
    while (!is_over) {
      const double seconds = static_cast<double>(to_microseconds(steady_now())) * 1e-6;
      const double volts = 1.65 + std::sin(2 * std::numbers::pi * 50 * seconds);
      chip.set(0, static_cast<std::uint16_t>(std::lround(volts / 0.000125)));
      std::this_thread::sleep_for(100us);
    }
  }};
  const auto current = value_of(measure_i2c(i2c("amps_per_volt=30")));
  is_over = true;
  wave.join();
  // 1 V of amplitude is 21.2 A; the guest samples unevenly.
  EXPECT_NEAR(current, 21'213, 5'000);
}

TEST(ConverterOnI2c, that_a_driver_holds_is_told) {
  const auto result =
      measure_i2c(i2c("address=" + std::to_string(kWithDriver) + "&amps_per_volt=30&rms=off"));
  const auto* error = std::get_if<SysError>(&result);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->code, EBUSY);
  EXPECT_NE(error->text().find("adc:"), std::string::npos);
}

TEST(ConverterOfLinuxIio, gives_a_current_by_the_drivers_scale) {
  const Stub chip{kWithDriver};
  chip.set(0, 4096);
  const std::string raw = "/sys/bus/iio/devices/iio:device0/in_voltage0_raw";
  const auto spec = [&](const std::string& options) {
    return std::get<AdcSpec>(
        std::get<InputSpec>(parse_input_spec("adc:" + raw + "?" + options, Place::kGrid)));
  };
  double scale = 0;  // mV of one count, as the driver says
  std::ifstream{"/sys/bus/iio/devices/iio:device0/in_voltage0_scale"} >> scale;
  ASSERT_GT(scale, 0);
  const auto expected = static_cast<std::int32_t>(std::lround(4096 * scale * 30));
  EXPECT_EQ(value_of(measure_adc(spec("amps_per_volt=30&rms=off"))), expected);
  EXPECT_EQ(value_of(measure_adc(spec("amps_per_count=0.01&rms=off"))), 40'960);
  // Sampled, a steady voltage is no current.
  EXPECT_EQ(value_of(measure_adc(spec("amps_per_volt=30"))), 0);
}

// The card's output registers, past kernel and library.
class Card {
 public:
  Card() {
    const char* path = std::getenv("CARD_REGISTERS");
    const int fd = ::open(path != nullptr ? path : "", O_RDWR | O_CLOEXEC);
    memory_ = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    EXPECT_NE(memory_, MAP_FAILED);
  }
  ~Card() { ::munmap(memory_, 4096); }
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;
  int outputs() const { return *static_cast<volatile std::uint8_t*>(memory_); }

 private:
  void* memory_ = nullptr;
};

bool wait_until(const std::function<bool()>& condition) {
  const TimePoint end = steady_now() + 60s;
  while (!condition() && steady_now() < end) {
    std::this_thread::sleep_for(1ms);
  }
  return condition();
}

TEST(LightsOnGpio, follow_the_picture_and_go_out_at_the_end) {
  const Card card;
  const int before = card.outputs() & 0x0F;
  IndicatorSpecs specs;
  specs.leds = std::get<0>(parse_leds_spec("gpio:gpiochip0/4,5,6"));
  specs.buzzer = std::get<0>(parse_buzzer_spec("gpio:gpiochip0/7?active=low"));
  IndicatorThread thread{specs};
  thread.start();
  indicator::Picture picture;
  picture.green = picture.red = true;
  thread.show(picture);
  EXPECT_TRUE(wait_until([&] { return card.outputs() == (before | 0b1101'0000); })) << card.outputs();
  picture.buzzer = picture.yellow = true;
  picture.green = picture.red = false;
  thread.show(picture);
  EXPECT_TRUE(wait_until([&] { return card.outputs() == (before | 0b0010'0000); })) << card.outputs();
  const auto writes = thread.statuses()[2].writes;
  picture.digits = {1, 2, 3};
  picture.bar[0] = indicator::kGreen;
  picture.buzzer = false;
  thread.show(picture);
  EXPECT_TRUE(wait_until([&] { return card.outputs() == (before | 0b1010'0000); })) << card.outputs();
  EXPECT_EQ(thread.statuses()[2].writes, writes) << "only what has changed is written";
  thread.stop();
  EXPECT_EQ(card.outputs(), before | 0b1000'0000);
  EXPECT_FALSE(thread.notices().pop());
}

}  // namespace
}  // namespace amphora::runtime
