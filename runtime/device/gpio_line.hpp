// SPDX-License-Identifier: Apache-2.0
// One GPIO line of the kernel as an output, through libgpiod.
//
// An address is "CHIP/OFFSET": the chip by name (gpiochip0), by path (/dev/gpiochip0) or by label
// (pinctrl-bcm2711, as `gpiodetect` shows it). Names may change from one start to the next where there are
// several chips; labels stay. A line that is taken belongs to this program alone until released. What a line
// does after it has been released is the driver's affair: most keep the level, some make it an input. Wire a
// relay so that its safe position is the one without current in the coil.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/device/spec_text.hpp"
#include "runtime/loop/sys_error.hpp"

struct gpiod_chip;
struct gpiod_line;

namespace amphora::runtime {

struct GpioAddress {
  std::string chip;
  std::uint32_t offset = 0;
  friend bool operator==(const GpioAddress&, const GpioAddress&) = default;
};
// "CHIP/OFFSET"; the part behind the last slash is the offset.
std::variant<GpioAddress, SpecError> parse_gpio_address(std::string_view text);
// "CHIP/OFFSET,OFFSET,…": several lines of one chip; exactly `count` are wanted.
std::variant<std::vector<GpioAddress>, SpecError> parse_gpio_addresses(std::string_view text,
                                                                       std::size_t count);
std::string to_text(const GpioAddress& address);

// What to do about an error of a GPIO line; empty where the error says it all.
std::string gpio_advice(int code);

enum class GpioPolarity : std::uint8_t { kActiveHigh, kActiveLow };
enum class GpioDrive : std::uint8_t { kPushPull, kOpenDrain };

class GpioLine {
 public:
  GpioLine() = default;
  ~GpioLine() { release(); }
  GpioLine(GpioLine&& other) noexcept;
  GpioLine& operator=(GpioLine&& other) noexcept;
  GpioLine(const GpioLine&) = delete;
  GpioLine& operator=(const GpioLine&) = delete;

  // Takes the line and drives it with `is_active` from the first moment on. Releases what was taken before.
  std::optional<SysError> take(const GpioAddress& address, bool is_active,
                               GpioPolarity polarity = GpioPolarity::kActiveHigh,
                               GpioDrive drive = GpioDrive::kPushPull);
  void release();
  bool is_taken() const { return line_ != nullptr; }

  // Need is_taken().
  std::optional<SysError> set(bool is_active);
  // What the kernel reads at the pin (on an output some drivers answer with what was last written).
  std::variant<bool, SysError> get() const;

 private:
  gpiod_chip* chip_ = nullptr;
  gpiod_line* line_ = nullptr;
  std::string name_;
};

}  // namespace amphora::runtime
