// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/gpio_line.hpp"

#include <gpiod.h>

#include <cerrno>
#include <charconv>
#include <utility>

namespace amphora::runtime {

namespace {

constexpr const char* kConsumer = "amphora";
// No chip of the kernel has more; keeps typing errors out.
constexpr std::uint32_t kOffsetMax = 1023;

std::optional<std::uint32_t> parse_offset(std::string_view text) {
  std::uint32_t offset = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), offset);
  const bool is_whole = error == std::errc{} && end == text.data() + text.size();
  return is_whole && offset <= kOffsetMax ? std::optional{offset} : std::nullopt;
}

}  // namespace

std::string gpio_advice(int code) {
  switch (code) {
    case EACCES:
    case EPERM:
      return "add the user that runs this program to the group gpio, or give it the device by a udev rule";
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return "gpiodetect shows the chips that there are";
    case EBUSY:
      return "another program holds the line; gpioinfo shows which";
    default:
      return {};
  }
}

std::variant<std::vector<GpioAddress>, SpecError> parse_gpio_addresses(std::string_view text,
                                                                       std::size_t count) {
  const std::size_t slash = text.rfind('/');
  const SpecError error{"'" + std::string{text} + "' is no GPIO line; write CHIP/OFFSET" +
                        (count > 1 ? " with " + std::to_string(count) + " offsets joined by ','" : "") +
                        ", for example gpiochip0/26" + (count > 1 ? ",…" : "") + "; an offset is at most " +
                        std::to_string(kOffsetMax)};
  if (slash == std::string_view::npos || slash == 0) {
    return error;
  }
  std::vector<GpioAddress> addresses;
  std::string_view rest = text.substr(slash + 1);
  while (addresses.size() < count) {
    const std::size_t comma = rest.find(',');
    const auto offset = parse_offset(rest.substr(0, comma));
    if (!offset) {
      return error;
    }
    addresses.push_back({std::string{text.substr(0, slash)}, *offset});
    if (comma == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(comma + 1);
    if (addresses.size() == count) {
      return error;
    }
  }
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (addresses[i] == addresses[j]) {
        return SpecError{"'" + std::string{text} + "' names a line twice"};
      }
    }
  }
  if (addresses.size() != count) {
    return error;
  }
  return addresses;
}

std::variant<GpioAddress, SpecError> parse_gpio_address(std::string_view text) {
  auto addresses = parse_gpio_addresses(text, 1);
  if (auto* error = std::get_if<SpecError>(&addresses)) {
    return std::move(*error);
  }
  return std::move(std::get<0>(addresses).front());
}

std::string to_text(const GpioAddress& address) {
  return address.chip + "/" + std::to_string(address.offset);
}

GpioLine::GpioLine(GpioLine&& other) noexcept
    : chip_{std::exchange(other.chip_, nullptr)},
      line_{std::exchange(other.line_, nullptr)},
      name_{std::move(other.name_)} {}

GpioLine& GpioLine::operator=(GpioLine&& other) noexcept {
  if (this != &other) {
    release();
    chip_ = std::exchange(other.chip_, nullptr);
    line_ = std::exchange(other.line_, nullptr);
    name_ = std::move(other.name_);
  }
  return *this;
}

std::optional<SysError> GpioLine::take(const GpioAddress& address, bool is_active, GpioPolarity polarity,
                                       GpioDrive drive) {
  release();
  name_ = to_text(address);
  const auto fail = [&](const std::string& what) {
    SysError error = last_sys_error(what + name_);
    error.advice = gpio_advice(error.code);
    release();
    return error;
  };
  chip_ = gpiod_chip_open_lookup(address.chip.c_str());
  if (chip_ == nullptr) {
    return fail("open the chip of GPIO line ");
  }
  gpiod_line* line = gpiod_chip_get_line(chip_, address.offset);
  if (line == nullptr) {
    return fail("find GPIO line ");
  }
  gpiod_line_request_config config{};
  config.consumer = kConsumer;
  config.request_type = GPIOD_LINE_REQUEST_DIRECTION_OUTPUT;
  config.flags = (polarity == GpioPolarity::kActiveLow ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0) |
                 (drive == GpioDrive::kOpenDrain ? GPIOD_LINE_REQUEST_FLAG_OPEN_DRAIN : 0);
  if (gpiod_line_request(line, &config, is_active ? 1 : 0) != 0) {
    return fail("take GPIO line ");
  }
  line_ = line;
  return std::nullopt;
}

void GpioLine::release() {
  line_ = nullptr;
  if (chip_ != nullptr) {
    gpiod_chip_close(std::exchange(chip_, nullptr));  // releases its lines
  }
}

std::optional<SysError> GpioLine::set(bool is_active) {
  if (gpiod_line_set_value(line_, is_active ? 1 : 0) != 0) {
    return last_sys_error("write GPIO line " + name_);
  }
  return std::nullopt;
}

std::variant<bool, SysError> GpioLine::get() const {
  const int value = gpiod_line_get_value(line_);
  if (value < 0) {
    return last_sys_error("read GPIO line " + name_);
  }
  return value != 0;
}

}  // namespace amphora::runtime
