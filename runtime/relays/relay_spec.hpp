// SPDX-License-Identifier: Apache-2.0
// The text that says what moves a relay.
//
//   gpio:gpiochip0/26?active=low&safe=open   a line of the kernel; chip by name, path or label
//   virtual                                  kept in memory: demo, tests
//   (empty)                                  not fitted
//
// active   the level that closes the relay's circuit: high (default) or low
// safe     where it goes when the program ends, crashes or hangs: closed, open or keep. Default: grid closed
//          (the home stays on), inverter output keep, loads open.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/energy/relay.hpp"
#include "runtime/device/gpio_line.hpp"
#include "runtime/device/spec_text.hpp"

namespace amphora::runtime {

enum class SafePosition : std::uint8_t { kClosed, kOpen, kKeep };

constexpr SafePosition default_safe(energy::Relay relay) {
  return relay == energy::Relay::kGrid             ? SafePosition::kClosed
         : relay == energy::Relay::kInverterOutput ? SafePosition::kKeep
                                                   : SafePosition::kOpen;
}

struct VirtualRelay {
  friend bool operator==(const VirtualRelay&, const VirtualRelay&) = default;
};
struct GpioRelay {
  GpioAddress address;
  GpioPolarity polarity = GpioPolarity::kActiveHigh;
  SafePosition safe = SafePosition::kOpen;
  friend bool operator==(const GpioRelay&, const GpioRelay&) = default;
};
using RelaySpec = std::variant<std::monostate, VirtualRelay, GpioRelay>;

std::variant<RelaySpec, SpecError> parse_relay_spec(std::string_view text, energy::Relay relay);
// A text that parses to the same spec; empty for none.
std::string to_text(const RelaySpec& spec);

using RelaySpecs = energy::PerRelay<RelaySpec>;
// Why the specs do not go together (two relays on one line); empty: they do.
std::string check_relay_specs(const RelaySpecs& specs);

constexpr bool is_fitted(const RelaySpec& spec) {
  return !std::holds_alternative<std::monostate>(spec);
}

}  // namespace amphora::runtime
