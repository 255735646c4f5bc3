// SPDX-License-Identifier: Apache-2.0
// The hardware behind each part of the indicator. Each opens its device with the first write and again after
// an error.
#pragma once

#include <array>
#include <functional>
#include <optional>

#include "core/indicator/indicator.hpp"
#include "runtime/device/gpio_line.hpp"
#include "runtime/indicator/indicator_spec.hpp"
#include "runtime/loop/sys_error.hpp"

namespace amphora::runtime {

class PixelBar {
 public:
  explicit PixelBar(BarSpec spec) : spec_{std::move(spec)} {}
  ~PixelBar() { close(); }
  PixelBar(const PixelBar&) = delete;
  PixelBar& operator=(const PixelBar&) = delete;
  std::optional<SysError> write(const indicator::Picture& picture);

 private:
  std::optional<SysError> open();
  void close();
  BarSpec spec_;
  int fd_ = -1;
};

class DigitDisplay {
 public:
  explicit DigitDisplay(DigitsSpec spec) : spec_{std::move(spec)} {}
  std::optional<SysError> write(const indicator::Picture& picture);

  // For Tm1637Mover.
  std::optional<SysError> set_clock(bool level) { return clock_.set(level); }
  std::optional<SysError> set_data(bool level) { return data_.set(level); }
  std::variant<bool, SysError> data() const { return data_.get(); }

 private:
  DigitsSpec spec_;
  GpioLine clock_;
  GpioLine data_;
};

// LEDs and the buzzer: one line for each of some switches.
template <std::size_t N>
class Switches {
 public:
  Switches(std::array<GpioAddress, N> addresses, GpioPolarity polarity)
      : addresses_{std::move(addresses)}, polarity_{polarity} {}

  std::optional<SysError> write(const std::array<bool, N>& levels) {
    for (std::size_t i = 0; i < N; ++i) {
      GpioLine& line = lines_[i];
      auto error = line.is_taken() ? line.set(levels[i]) : line.take(addresses_[i], levels[i], polarity_);
      if (error) {
        line.release();
        return error;
      }
    }
    return std::nullopt;
  }

 private:
  std::array<GpioAddress, N> addresses_;
  GpioPolarity polarity_;
  std::array<GpioLine, N> lines_;
};

}  // namespace amphora::runtime
