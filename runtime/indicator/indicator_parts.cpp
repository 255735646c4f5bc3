// SPDX-License-Identifier: Apache-2.0
#include "runtime/indicator/indicator_parts.hpp"

#include <fcntl.h>
#include <linux/spi/spidev.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/indicator/ws2812b.hpp"
#include "runtime/indicator/tm1637_pins.hpp"

namespace amphora::runtime {

namespace {

std::string advice_for(int code) {
  switch (code) {
    case EACCES:
    case EPERM:
      return "add the user that runs this program to the group spi, or give it the device by a udev rule";
    case ENOENT:
      return "switch SPI on in the board's configuration; ls /dev/spidev* shows what is there";
    case ENOTTY:
      return "it is no SPI bus";
    default:
      return {};
  }
}

SysError error_now(std::string operation) {
  const int code = errno;
  return SysError{code, std::move(operation), advice_for(code)};
}

}  // namespace

std::optional<SysError> PixelBar::open() {
  fd_ = ::open(spec_.path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd_ < 0) {
    return error_now("open " + spec_.path);
  }
  std::uint8_t mode = SPI_MODE_0;
  std::uint8_t bits = 8;
  std::uint32_t speed = indicator::kWs2812bSpiHz;
  if (::ioctl(fd_, SPI_IOC_WR_MODE, &mode) < 0 || ::ioctl(fd_, SPI_IOC_WR_BITS_PER_WORD, &bits) < 0 ||
      ::ioctl(fd_, SPI_IOC_WR_MAX_SPEED_HZ, &speed) < 0) {
    SysError error = error_now("set up " + spec_.path);
    close();
    return error;
  }
  return std::nullopt;
}

void PixelBar::close() {
  if (fd_ >= 0) {
    ::close(std::exchange(fd_, -1));
  }
}

std::optional<SysError> PixelBar::write(const indicator::Picture& picture) {
  if (fd_ < 0) {
    if (auto error = open()) {
      return error;
    }
  }
  std::array<std::uint8_t, indicator::ws2812b_size(indicator::kPixelCount)> frame{};
  const MutableByteSpan bytes = indicator::encode_ws2812b(picture.bar, frame);
  // One transfer: a pause inside would be the end of the frame to the pixels.
  if (::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    SysError error = error_now("write to " + spec_.path);
    close();
    return error;
  }
  return std::nullopt;
}

std::optional<SysError> DigitDisplay::write(const indicator::Picture& picture) {
  if (!clock_.is_taken()) {
    if (auto error = clock_.take(spec_.clock, true, GpioPolarity::kActiveHigh, GpioDrive::kOpenDrain)) {
      return error;
    }
  }
  if (!data_.is_taken()) {
    if (auto error = data_.take(spec_.data, true, GpioPolarity::kActiveHigh, GpioDrive::kOpenDrain)) {
      return error;
    }
  }
  auto error = Tm1637Mover{*this}.write(indicator::encode_tm1637(picture.digits, spec_.brightness));
  if (error) {
    clock_.release();
    data_.release();
  }
  return error;
}

}  // namespace amphora::runtime
