// SPDX-License-Identifier: Apache-2.0
#include "runtime/relays/relay_spec.hpp"

namespace amphora::runtime {

namespace {

constexpr const char* kForms = "write gpio:CHIP/OFFSET, virtual, or nothing for a relay that is not fitted";

}  // namespace

std::variant<RelaySpec, SpecError> parse_relay_spec(std::string_view text, energy::Relay relay) {
  if (text.empty()) {
    return RelaySpec{};
  }
  if (text == "virtual") {
    return RelaySpec{VirtualRelay{}};
  }
  SpecText spec{text};
  if (spec.kind() != "gpio") {
    return SpecError{"'" + std::string{text} + "' is no relay; " + kForms};
  }
  auto address = parse_gpio_address(spec.address());
  if (auto* error = std::get_if<SpecError>(&address)) {
    return std::move(*error);
  }
  GpioRelay result{std::get<GpioAddress>(std::move(address)), GpioPolarity::kActiveHigh, default_safe(relay)};
  if (const auto active = spec.take_choice("active", {"high", "low"})) {
    result.polarity = static_cast<GpioPolarity>(*active);
  }
  if (const auto safe = spec.take_choice("safe", {"closed", "open", "keep"})) {
    result.safe = static_cast<SafePosition>(*safe);
  }
  if (auto error = spec.finish()) {
    return std::move(*error);
  }
  return RelaySpec{std::move(result)};
}

std::string to_text(const RelaySpec& spec) {
  if (std::holds_alternative<VirtualRelay>(spec)) {
    return "virtual";
  }
  const auto* gpio = std::get_if<GpioRelay>(&spec);
  if (gpio == nullptr) {
    return {};
  }
  constexpr const char* kSafe[] = {"closed", "open", "keep"};
  return "gpio:" + to_text(gpio->address) +
         "?active=" + (gpio->polarity == GpioPolarity::kActiveLow ? "low" : "high") +
         "&safe=" + kSafe[static_cast<std::size_t>(gpio->safe)];
}

std::string check_relay_specs(const RelaySpecs& specs) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto* one = std::get_if<GpioRelay>(&specs[i]);
    for (std::size_t j = 0; one != nullptr && j < i; ++j) {
      const auto* other = std::get_if<GpioRelay>(&specs[j]);
      if (other != nullptr && other->address == one->address) {
        return "GPIO line " + to_text(one->address) + " is given to " +
               std::string{to_text(energy::relay_at(j))} + " and to " +
               std::string{to_text(energy::relay_at(i))} + "; one line moves one relay";
      }
    }
  }
  return {};
}

}  // namespace amphora::runtime
