// SPDX-License-Identifier: Apache-2.0
#include "runtime/relays/relay_spec.hpp"

#include <gtest/gtest.h>

namespace amphora::runtime {
namespace {

using energy::Relay;

GpioRelay gpio_of(std::string_view text, Relay relay = Relay::kPump) {
  return std::get<GpioRelay>(std::get<RelaySpec>(parse_relay_spec(text, relay)));
}
std::string relay_error_of(std::string_view text) {
  return std::get<SpecError>(parse_relay_spec(text, Relay::kGrid)).text;
}

TEST(RelaySpec, reads_line_level_and_safe_position) {
  const GpioRelay relay = gpio_of("gpio:gpiochip0/26?active=low&safe=keep");
  EXPECT_EQ(relay.address, (GpioAddress{"gpiochip0", 26}));
  EXPECT_EQ(relay.polarity, GpioPolarity::kActiveLow);
  EXPECT_EQ(relay.safe, SafePosition::kKeep);
  EXPECT_TRUE(
      std::holds_alternative<VirtualRelay>(std::get<RelaySpec>(parse_relay_spec("virtual", Relay::kGrid))));
  EXPECT_FALSE(is_fitted(std::get<RelaySpec>(parse_relay_spec("", Relay::kGrid))));
}

TEST(RelaySpec, keeps_the_home_on_by_default) {
  EXPECT_EQ(gpio_of("gpio:a/1", Relay::kGrid).safe, SafePosition::kClosed);
  EXPECT_EQ(gpio_of("gpio:a/1", Relay::kInverterOutput).safe, SafePosition::kKeep);
  for (std::size_t i = energy::kFirstLoad; i < energy::kRelayCount; ++i) {
    EXPECT_EQ(gpio_of("gpio:a/1", energy::relay_at(i)).safe, SafePosition::kOpen);
  }
  EXPECT_EQ(gpio_of("gpio:a/1").polarity, GpioPolarity::kActiveHigh);
}

TEST(RelaySpec, reads_back_what_it_writes) {
  for (const char* text :
       {"", "virtual", "gpio:gpiochip0/26?active=low&safe=closed",
        "gpio:/dev/gpiochip3/0?active=high&safe=open", "gpio:label/1?active=high&safe=keep"}) {
    EXPECT_EQ(to_text(std::get<RelaySpec>(parse_relay_spec(text, Relay::kHeater))), text);
  }
}

TEST(RelaySpec, says_what_is_wrong) {
  EXPECT_EQ(
      relay_error_of("relay1"),
      "'relay1' is no relay; write gpio:CHIP/OFFSET, virtual, or nothing for a relay that is not fitted");
  EXPECT_EQ(relay_error_of("gpio:gpiochip0/26?safe=off"),
            "safe=off is not possible; allowed: closed, open, keep");
  EXPECT_EQ(relay_error_of("gpio:gpiochip0/26?pull=up"), "pull is no option of gpio");
  EXPECT_NE(relay_error_of("gpio:26").find("CHIP/OFFSET"), std::string::npos);
}

TEST(RelaySpec, one_line_moves_one_relay) {
  RelaySpecs specs{};
  specs[index_of(Relay::kGrid)] = gpio_of("gpio:gpiochip0/4");
  specs[index_of(Relay::kPump)] = gpio_of("gpio:gpiochip0/5");
  EXPECT_EQ(check_relay_specs(specs), "");
  specs[index_of(Relay::kHeater)] = gpio_of("gpio:gpiochip0/4?active=low");
  EXPECT_EQ(check_relay_specs(specs),
            "GPIO line gpiochip0/4 is given to grid and to water_heater; one line moves one relay");
}

}  // namespace
}  // namespace amphora::runtime
