// SPDX-License-Identifier: Apache-2.0
// One value from outside into one field: the checks that need no other field.
//
// Values arrive from a TOML file or from JSON; both are turned into a RawValue first, so that a limit holds
// the same whichever way a setting comes in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "apps/amphora/config/fields.hpp"

namespace amphora::config {

// A value of a type that no field takes: an array, a date, null. `name` is what to call it.
struct OtherType {
  std::string_view name;
};

using RawValue = std::variant<std::int64_t, double, bool, std::string, OtherType>;

// Writes the value, or returns what is wrong with it and leaves `config` as it was. Decimal numbers must lie
// on the field's step (to a millionth of the step, for what binary fractions cannot hold).
std::optional<std::string> assign(const Field& field, const RawValue& value, Config& config);

// What is wrong with a text by its rule; nothing when it is good.
std::optional<std::string> text_fault(TextRule rule, std::string_view text);

// "127.0.0.1:8080", "[::1]:8080" → address and port; nothing when it is not of that form.
struct ListenAddress {
  std::string address;
  std::uint16_t port = 0;
};
std::optional<ListenAddress> parse_listen(std::string_view text);

// "1-13", "1,6,11", "1-11,13": a bit for each channel, bit 0 unused; nothing when it is not of that form, not
// rising, empty, or beyond 13.
std::optional<std::uint16_t> parse_channels(std::string_view text);

// "0000a1b2c3d4e5f6": 16 hexadecimal digits, not zero; nothing when it is not of that form.
std::optional<std::uint64_t> parse_hardware(std::string_view text);

// "pool_pump,water_heater": a bit for each load, bit 0 the first; nothing when one is no load or named twice.
std::optional<std::uint8_t> parse_loads(std::string_view text);

// 127.0.0.0/8, ::1 and localhost: what cannot be reached from another machine.
bool is_loopback(std::string_view host);

}  // namespace amphora::config
