// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/spec_text.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "runtime/device/gpio_line.hpp"

namespace amphora::runtime {
namespace {

TEST(ParseDecimal, reads_digits_before_and_after_the_point) {
  EXPECT_EQ(parse_decimal("0.0366", 9), 36'600'000);
  EXPECT_EQ(parse_decimal("-12.5", 3), -12'500);
  EXPECT_EQ(parse_decimal("7", 0), 7);
  EXPECT_EQ(parse_decimal("0", 9), 0);
}

TEST(ParseDecimal, refuses_what_is_no_decimal_number) {
  for (const char* text : {"", "-", ".", "1.", ".5", "1.2.3", "1e3", "0x10", "+1", " 1", "--1", "1.2345",
                           "1,5", "99999999999999999999"}) {
    EXPECT_FALSE(parse_decimal(text, 3)) << text;
  }
}

RC_GTEST_PROP(ParseDecimal, reads_back_what_is_formatted, (std::int32_t value)) {
  const int decimals = *rc::gen::inRange(0, 10);
  RC_ASSERT(parse_decimal(format_decimal(value, decimals), decimals) == std::int64_t{value});
}

TEST(FormatDecimal, survives_the_smallest_number) {
  EXPECT_EQ(format_decimal(std::numeric_limits<std::int64_t>::min(), 0), "-9223372036854775807");
}

TEST(SpecText, cuts_kind_address_and_options) {
  SpecText spec{"adc:/sys/iio:device0/in_voltage0_raw?a=1.5&b=on&c=x&d=0x48"};
  EXPECT_EQ(spec.kind(), "adc");
  EXPECT_EQ(spec.address(), "/sys/iio:device0/in_voltage0_raw");
  EXPECT_EQ(spec.take_decimal("a", 2, 0, 1000), 150);
  EXPECT_EQ(spec.take_switch("b"), true);
  EXPECT_EQ(spec.take_choice("c", {"y", "x"}), 1U);
  EXPECT_EQ(spec.take_integer("d", 0, 127), 0x48);
  EXPECT_EQ(spec.take("d"), std::nullopt);
  EXPECT_EQ(spec.finish(), std::nullopt);
}

std::string error_of(std::string_view text) {
  SpecText spec{text};
  (void)spec.take_integer("number", 1, 9);
  (void)spec.take_switch("switch");
  (void)spec.take_decimal("scale", 2, 1, 500);
  const auto error = spec.finish();
  return error ? error->text : "";
}

TEST(SpecText, says_what_is_wrong_and_what_is_allowed) {
  EXPECT_EQ(error_of("k:a?number=10"), "number=10 is not possible; allowed: 1 to 9");
  EXPECT_EQ(error_of("k:a?number=1x"), "number=1x is not possible; allowed: 1 to 9");
  EXPECT_EQ(error_of("k:a?number=0x-3"), "number=0x-3 is not possible; allowed: 1 to 9");
  EXPECT_EQ(error_of("k:a?switch=yes"), "switch=yes is not possible; allowed: off, on");
  EXPECT_EQ(error_of("k:a?scale=9"),
            "scale=9 is not possible; allowed: 0.01 to 5, with at most 2 digits after the point");
  EXPECT_EQ(error_of("k:a?colour=red"), "colour is no option of k");
  EXPECT_EQ(error_of("k:a?number=1&number=2"), "number is there twice");
  EXPECT_EQ(error_of("k:a?number"), "'number' is no option; write key=value, joined by '&'");
  EXPECT_EQ(error_of("k:a?"), "'' is no option; write key=value, joined by '&'");
  EXPECT_EQ(error_of("k:a?=3"), "'=3' is no option; write key=value, joined by '&'");
  EXPECT_EQ(error_of("k:a"), "");
}

TEST(GpioAddress, is_a_chip_by_name_path_or_label_and_an_offset) {
  EXPECT_EQ(std::get<GpioAddress>(parse_gpio_address("gpiochip0/26")), (GpioAddress{"gpiochip0", 26}));
  EXPECT_EQ(std::get<GpioAddress>(parse_gpio_address("/dev/gpiochip1/0")),
            (GpioAddress{"/dev/gpiochip1", 0}));
  EXPECT_EQ(std::get<GpioAddress>(parse_gpio_address("pinctrl-bcm2711/1023")),
            (GpioAddress{"pinctrl-bcm2711", 1023}));
  const auto three = parse_gpio_addresses("gpiochip0/2,13,15", 3);
  EXPECT_EQ(std::get<0>(three)[2], (GpioAddress{"gpiochip0", 15}));
  EXPECT_EQ(to_text(std::get<0>(three)[1]), "gpiochip0/13");
}

TEST(GpioAddress, refuses_other_text) {
  for (const char* text : {"", "gpiochip0", "/26", "gpiochip0/", "gpiochip0/x", "gpiochip0/-1",
                           "gpiochip0/1024", "gpiochip0/1,2", "gpiochip0/1,"}) {
    EXPECT_TRUE(std::holds_alternative<SpecError>(parse_gpio_address(text))) << text;
  }
  for (const char* text :
       {"gpiochip0/1", "gpiochip0/1,2,3", "gpiochip0/1,", "gpiochip0/,1", "gpiochip0/1,1"}) {
    EXPECT_TRUE(std::holds_alternative<SpecError>(parse_gpio_addresses(text, 2))) << text;
  }
}

TEST(GpioLine, names_a_chip_that_is_not_there) {
  GpioLine line;
  const auto error = line.take({"no_such_chip", 3}, true);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->operation, "open the chip of GPIO line no_such_chip/3");
  EXPECT_EQ(error->code, ENOENT);
  EXPECT_FALSE(line.is_taken());
}

}  // namespace
}  // namespace amphora::runtime
