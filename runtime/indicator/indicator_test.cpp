// SPDX-License-Identifier: Apache-2.0
// Specs, the movement of a TM1637's lines against a model of the chip, and the thread without hardware. LEDs
// and buzzer on kernel GPIO: tests/vm/gpio_test.sh.
#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <vector>

#include "runtime/indicator/indicator_spec.hpp"
#include "runtime/indicator/indicator_thread.hpp"
#include "runtime/indicator/tm1637_pins.hpp"
#include "runtime/loop/loop.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

template <class T>
std::string error_of(const std::variant<std::optional<T>, SpecError>& result) {
  const auto* error = std::get_if<SpecError>(&result);
  return error != nullptr ? error->text : "";
}

TEST(IndicatorSpec, reads_each_part) {
  EXPECT_EQ(std::get<0>(parse_bar_spec("spi:/dev/spidev0.0")), BarSpec{"/dev/spidev0.0"});
  EXPECT_EQ(std::get<0>(parse_digits_spec("tm1637:gpiochip0/14,12?brightness=7")),
            (DigitsSpec{{"gpiochip0", 14}, {"gpiochip0", 12}, 7}));
  EXPECT_EQ(std::get<0>(parse_digits_spec("tm1637:gpiochip0/14,12"))->brightness, 3);
  EXPECT_EQ(std::get<0>(parse_leds_spec("gpio:gpiochip0/2,13,15?active=low")),
            (LedsSpec{{GpioAddress{"gpiochip0", 2}, {"gpiochip0", 13}, {"gpiochip0", 15}},
                      GpioPolarity::kActiveLow}));
  EXPECT_EQ(std::get<0>(parse_buzzer_spec("gpio:gpiochip0/27")),
            (BuzzerSpec{{"gpiochip0", 27}, GpioPolarity::kActiveHigh}));
}

TEST(IndicatorSpec, fits_nothing_for_an_empty_text) {
  EXPECT_FALSE(std::get<0>(parse_bar_spec("")));
  EXPECT_FALSE(std::get<0>(parse_digits_spec("")));
  EXPECT_FALSE(std::get<0>(parse_leds_spec("")));
  EXPECT_FALSE(std::get<0>(parse_buzzer_spec("")));
}

TEST(IndicatorSpec, says_what_is_wrong) {
  EXPECT_EQ(error_of(parse_bar_spec("gpio:x/1")),
            "'gpio:x/1' is not possible here; write spi:/dev/spidev0.0, or nothing where nothing is fitted");
  EXPECT_EQ(error_of(parse_bar_spec("spi:spidev0.0")), "spi needs the path of a bus, such as /dev/spidev0.0");
  EXPECT_EQ(error_of(parse_digits_spec("tm1637:gpiochip0/1,2?brightness=8")),
            "brightness=8 is not possible; allowed: 0 to 7");
  EXPECT_NE(error_of(parse_digits_spec("tm1637:gpiochip0/1")).find("2 offsets"), std::string::npos);
  EXPECT_NE(error_of(parse_leds_spec("gpio:gpiochip0/1,2")).find("3 offsets"), std::string::npos);
  EXPECT_EQ(error_of(parse_leds_spec("gpio:gpiochip0/1,2,2")), "'gpiochip0/1,2,2' names a line twice");
  EXPECT_EQ(error_of(parse_buzzer_spec("gpio:gpiochip0/1?active=up")),
            "active=up is not possible; allowed: high, low");
  EXPECT_EQ(error_of(parse_buzzer_spec("gpio:gpiochip0/1?tone=3")), "tone is no option of gpio");
}

// The chip: sees each single change of a line, takes a bit when the clock rises, answers in the ninth.
class Chip {
 public:
  std::optional<SysError> set_clock(bool level) {
    EXPECT_NE(level, clock_) << "written without a change";
    clock_ = level;
    if (level && is_open_) {
      take_bit();
    } else if (!level && bits_ == 9) {
      bits_ = 0;
    }
    return std::nullopt;
  }
  std::optional<SysError> set_data(bool level) {
    EXPECT_NE(level, data_) << "written without a change";
    data_ = level;
    if (clock_) {
      // While the clock is high data only moves for a start or a stop.
      EXPECT_TRUE(is_open_ == level) << "a bit moved while the clock was high";
      is_open_ = !level;
      if (is_open_) {
        transactions_.emplace_back();
        bits_ = 0;
        byte_ = 0;
      }
    }
    return std::nullopt;
  }
  std::variant<bool, SysError> data() const { return bits_ == 9 && answers_ ? false : data_; }

  bool answers_ = true;
  bool is_open_ = false;
  std::vector<std::vector<std::uint8_t>> transactions_;

 private:
  void take_bit() {
    if (bits_ == 8) {
      EXPECT_TRUE(data_) << "not released for the answer";
      transactions_.back().push_back(byte_);
      byte_ = 0;
    } else if (bits_ < 8) {
      byte_ = static_cast<std::uint8_t>(byte_ | ((data_ ? 1U : 0U) << bits_));
    }
    ++bits_;
  }
  bool clock_ = true;
  bool data_ = true;
  unsigned bits_ = 0;
  std::uint8_t byte_ = 0;
};

TEST(Tm1637Mover, brings_a_frame_to_the_chip) {
  Chip chip;
  const auto frame = indicator::encode_tm1637(indicator::encode_number(67), 5);
  Tm1637Mover mover{chip};
  EXPECT_EQ(mover.write(frame), std::nullopt);
  EXPECT_EQ(mover.write(frame), std::nullopt);
  const std::vector<std::vector<std::uint8_t>> once{
      {0x40},
      {0xC0, frame.address_and_digits[1], frame.address_and_digits[2], frame.address_and_digits[3]},
      {0x8D}};
  std::vector<std::vector<std::uint8_t>> twice = once;
  twice.insert(twice.end(), once.begin(), once.end());
  EXPECT_EQ(chip.transactions_, twice);
  EXPECT_FALSE(chip.is_open_);
}

TEST(Tm1637Mover, tells_a_chip_that_does_not_answer) {
  Chip chip;
  chip.answers_ = false;
  const auto error = Tm1637Mover{chip}.write(indicator::encode_tm1637({}, 0));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->operation, "the display does not answer");
  EXPECT_FALSE(chip.is_open_) << "the line is left free";
}

TEST(IndicatorThread, tells_once_what_does_not_work) {
  IndicatorSpecs specs;
  specs.bar = BarSpec{"/dev/null"};
  specs.leds = std::get<0>(parse_leds_spec("gpio:no_such_chip/1,2,3"));
  IndicatorThread thread{specs};
  thread.start();
  indicator::Picture picture;
  std::vector<IndicatorNotice> notices;
  const TimePoint end = steady_now() + 30s;
  while (notices.size() < 2 && steady_now() < end) {
    picture.green = !picture.green;
    thread.show(picture);
    while (auto notice = thread.notices().pop()) {
      notices.push_back(*notice);
    }
    std::this_thread::sleep_for(1ms);
  }
  ASSERT_EQ(notices.size(), 2U);
  EXPECT_EQ(notices[0].part, IndicatorPart::kBar);
  EXPECT_EQ(notices[0].error->code, ENOTTY);
  EXPECT_EQ(notices[1].part, IndicatorPart::kLeds);
  EXPECT_EQ(notices[1].error->code, ENOENT);
  thread.stop();
  EXPECT_FALSE(thread.notices().pop());
  const IndicatorStatuses statuses = thread.statuses();
  EXPECT_TRUE(statuses[0].is_fitted);
  EXPECT_GE(statuses[0].failures, 1U);
  EXPECT_FALSE(statuses[1].is_fitted);
  EXPECT_EQ(statuses[3].failures, 0U);
}

TEST(IndicatorThread, never_waits_for_its_hardware) {
  IndicatorSpecs specs;
  specs.bar = BarSpec{"/dev/null"};
  IndicatorThread thread{specs};  // not started: nobody takes the pictures
  indicator::Picture picture;
  for (int i = 0; i < 1000; ++i) {
    picture.green = !picture.green;
    thread.show(picture);
  }
}

}  // namespace
}  // namespace amphora::runtime
