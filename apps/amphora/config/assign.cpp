// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/assign.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/bms/modbus/profiles.hpp"
#include "runtime/can/can_port.hpp"
#include "runtime/indicator/indicator_spec.hpp"
#include "runtime/inputs/input_spec.hpp"
#include "runtime/radio/radio_port.hpp"
#include "runtime/relays/relay_spec.hpp"

namespace amphora::config {

namespace {

bool is_control(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7F;
}
bool is_printable_ascii(char character) {
  return character >= 0x20 && character < 0x7F;
}
bool is_slug_character(char character) {
  return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') ||
         character == '_' || character == '-';
}
bool is_alphanumeric(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9');
}

std::optional<std::string> length_fault(std::string_view text, std::size_t min, std::size_t max) {
  if (text.size() < min) {
    return "is empty";
  }
  if (text.size() > max) {
    return fmt::format("is {} bytes long", text.size());
  }
  return std::nullopt;
}

template <class Predicate>
std::optional<std::string> character_fault(std::string_view text, Predicate is_good) {
  const auto bad = std::find_if_not(text.begin(), text.end(), is_good);
  if (bad == text.end()) {
    return std::nullopt;
  }
  return is_printable_ascii(*bad) ? fmt::format("has the character '{}'", *bad)
                                  : fmt::format("has the byte 0x{:02X}", static_cast<unsigned char>(*bad));
}

std::optional<std::string> path_fault(std::string_view text) {
  if (auto fault = length_fault(text, 1, 4095)) {
    return fault;
  }
  if (text.front() != '/') {
    return fmt::format("\"{}\" is not absolute", text);
  }
  return character_fault(text, [](char c) { return !is_control(c); });
}

std::optional<std::string> topic_fault(std::string_view text) {
  if (auto fault = length_fault(text, 1, 64)) {
    return fault;
  }
  if (text.front() == '/' || text.back() == '/') {
    return "starts or ends with /";
  }
  if (text.front() == '$') {
    return "starts with $, which belongs to the broker";
  }
  return character_fault(text,
                         [](char c) { return is_printable_ascii(c) && c != '+' && c != '#' && c != ' '; });
}

std::optional<std::string> host_fault(std::string_view text) {
  if (auto fault = length_fault(text, 1, 253)) {
    return fault;
  }
  return character_fault(
      text, [](char c) { return is_alphanumeric(c) || c == '.' || c == '-' || c == ':' || c == '_'; });
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0 || value > 65535) {
    return std::nullopt;
  }
  return static_cast<std::uint16_t>(value);
}

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1;
}
bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

std::optional<std::string> can_fault(std::string_view text) {
  const auto spec = runtime::parse_can_spec(text);
  return spec ? std::nullopt : std::optional{fmt::format("\"{}\": {}", text, to_text(spec.error()))};
}

std::optional<std::string> radio_fault(std::string_view text) {
  const auto spec = runtime::parse_radio_spec(text);
  return spec ? std::nullopt : std::optional{fmt::format("\"{}\": {}", text, to_text(spec.error()))};
}

std::optional<std::string> mac_fault(std::string_view text) {
  return runtime::parse_mac(text) ? std::nullopt
                                  : std::optional{fmt::format("\"{}\" is not an address of a radio", text)};
}

std::optional<std::string> country_fault(std::string_view text) {
  const bool is_good =
      text.size() == 2 && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return is_good ? std::nullopt : std::optional{fmt::format("\"{}\" is not a country", text)};
}

// What a parser of a device's text says.
template <class Spec>
std::optional<std::string> device_fault(const std::variant<Spec, runtime::SpecError>& parsed,
                                        std::string_view text) {
  const auto* error = std::get_if<runtime::SpecError>(&parsed);
  return error == nullptr ? std::nullopt : std::optional{fmt::format("\"{}\": {}", text, error->text)};
}

std::optional<std::string> pack_text_fault(TextRule rule, std::string_view text) {
  switch (rule) {
    case TextRule::kBmsProfile:
      return modbus::profile_named(text) ? std::nullopt : path_fault(text);
    case TextRule::kOptionalInput:
      return device_fault(runtime::parse_input_spec(text, runtime::Place::kGrid), text);
    case TextRule::kOptionalVoltage:
      return device_fault(runtime::parse_input_spec(text, runtime::Place::kAcVoltage), text);
    case TextRule::kOptionalRelay:
      return device_fault(runtime::parse_relay_spec(text, energy::Relay::kGrid), text);
    case TextRule::kOptionalBar:
      return device_fault(runtime::parse_bar_spec(text), text);
    case TextRule::kOptionalDigits:
      return device_fault(runtime::parse_digits_spec(text), text);
    case TextRule::kOptionalLeds:
      return device_fault(runtime::parse_leds_spec(text), text);
    case TextRule::kOptionalBuzzer:
      return device_fault(runtime::parse_buzzer_spec(text), text);
    case TextRule::kLoads:
      return parse_loads(text) ? std::nullopt
                               : std::optional{fmt::format("\"{}\" is not a list of loads", text)};
    case TextRule::kOptionalHardware:
      return text.empty() || parse_hardware(text)
                 ? std::nullopt
                 : std::optional{fmt::format("\"{}\" is not a hardware number", text)};
    default:
      return std::nullopt;
  }
}

// Takes a number from the front of `text`.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<std::string> assign_number(const Field& field, const RawValue& value, Config& config) {
  double outer = 0;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    outer = static_cast<double>(*whole);
  } else if (const auto* decimal = std::get_if<double>(&value)) {
    outer = *decimal;
  } else if (std::holds_alternative<std::string>(value)) {
    return "is a text: write the number without quotes";
  } else {
    return "is not a number";
  }
  if (!std::isfinite(outer)) {
    return "is not a finite number";
  }
  const Range& range = field.range;
  const double inner = outer * static_cast<double>(range.scale);
  const double tolerance = static_cast<double>(range.step) * 1e-6;
  if (inner < static_cast<double>(range.min) - tolerance ||
      inner > static_cast<double>(range.max) + tolerance) {
    return fmt::format("{} is out of range", outer);
  }
  const double steps = std::round(inner / static_cast<double>(range.step));
  const auto rounded = static_cast<std::int64_t>(steps) * range.step;
  if (std::fabs(inner - static_cast<double>(rounded)) > tolerance) {
    return fmt::format("{} is finer than the step", outer);
  }
  field.access.set_number(config, rounded);
  return std::nullopt;
}

std::optional<std::string> assign_choice(const Field& field, const RawValue& value, Config& config) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) {
    return "is not a text in quotes";
  }
  for (const Choice& choice : field.choices) {
    if (choice.text == *text) {
      field.access.set_number(config, choice.value);
      return std::nullopt;
    }
  }
  return fmt::format("\"{}\" is not known", *text);
}

}  // namespace

std::optional<std::string> text_fault(TextRule rule, std::string_view text) {
  const auto no_control = [](char c) { return !is_control(c); };
  std::optional<std::string> fault;
  switch (rule) {
    case TextRule::kTitle:
    case TextRule::kOptionalText:
      fault = length_fault(text, rule == TextRule::kTitle ? 1 : 0, 64);
      return fault ? fault : character_fault(text, no_control);
    case TextRule::kSlug:
      fault = length_fault(text, 1, 32);
      return fault ? fault : character_fault(text, is_slug_character);
    case TextRule::kTopic:
      return topic_fault(text);
    case TextRule::kAscii8:
    case TextRule::kAscii16:
      fault = length_fault(text, 1, rule == TextRule::kAscii8 ? 8 : 16);
      return fault ? fault : character_fault(text, is_printable_ascii);
    case TextRule::kPath:
      return path_fault(text);
    case TextRule::kOptionalPath:
      return text.empty() ? std::nullopt : path_fault(text);
    case TextRule::kHost:
      return host_fault(text);
    case TextRule::kListen:
      return parse_listen(text) ? std::nullopt
                                : std::optional{fmt::format("\"{}\" is not an address with a port", text)};
    case TextRule::kCan:
      return can_fault(text);
    case TextRule::kOptionalCan:
      return text.empty() ? std::nullopt : can_fault(text);
    case TextRule::kOptionalRadio:
      return text.empty() ? std::nullopt : radio_fault(text);
    case TextRule::kChannels:
      return parse_channels(text) ? std::nullopt
                                  : std::optional{fmt::format("\"{}\" is not a list of channels", text)};
    case TextRule::kOptionalMac:
      return text.empty() ? std::nullopt : mac_fault(text);
    case TextRule::kOptionalCountry:
      return text.empty() ? std::nullopt : country_fault(text);
    default:
      return pack_text_fault(rule, text);
  }
}

std::optional<std::string> assign(const Field& field, const RawValue& value, Config& config) {
  switch (field.kind) {
    case Kind::kNumber:
      return assign_number(field, value, config);
    case Kind::kChoice:
      return assign_choice(field, value, config);
    case Kind::kBool: {
      const auto* flag = std::get_if<bool>(&value);
      if (flag == nullptr) {
        return "is not true or false";
      }
      field.access.set_number(config, *flag ? 1 : 0);
      return std::nullopt;
    }
    case Kind::kText:
    case Kind::kSecretFile: {
      const auto* text = std::get_if<std::string>(&value);
      if (text == nullptr) {
        return "is not a text in quotes";
      }
      if (auto fault = text_fault(field.rule, *text)) {
        return fault;
      }
      field.access.set_text(config, *text);
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<ListenAddress> parse_listen(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const auto port = parse_port(text.substr(colon + 1));
  std::string address{text.substr(0, colon)};
  if (!port) {
    return std::nullopt;
  }
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
    return is_ipv6(address) ? std::optional{ListenAddress{address, *port}} : std::nullopt;
  }
  return is_ipv4(address) ? std::optional{ListenAddress{address, *port}} : std::nullopt;
}

std::optional<std::uint16_t> parse_channels(std::string_view text) {
  constexpr unsigned kLast = 13;
  std::uint16_t channels = 0;
  unsigned previous = 0;
  while (true) {
    const auto first = take_number(text);
    auto last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      last = take_number(text);
    }
    if (!first || !last || *first <= previous || *last < *first || *last > kLast) {
      return std::nullopt;
    }
    for (unsigned channel = *first; channel <= *last; ++channel) {
      channels = static_cast<std::uint16_t>(channels | (1U << channel));
    }
    previous = *last;
    if (text.empty()) {
      return channels;
    }
    if (!text.starts_with(',')) {
      return std::nullopt;
    }
    text.remove_prefix(1);
  }
}

std::optional<std::uint64_t> parse_hardware(std::string_view text) {
  constexpr std::size_t kDigits = 16;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  const bool is_good = error == std::errc{} && end == text.data() + text.size() && text.size() == kDigits;
  return is_good && value != 0 ? std::optional{value} : std::nullopt;
}

std::optional<std::uint8_t> parse_loads(std::string_view text) {
  unsigned loads = 0;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view name = text.substr(0, comma);
    std::size_t load = 0;
    while (load < energy::kLoadCount && to_text(energy::relay_at(energy::kFirstLoad + load)) != name) {
      ++load;
    }
    if (load == energy::kLoadCount || ((loads >> load) & 1U) != 0 || comma + 1 == text.size()) {
      return std::nullopt;
    }
    loads |= 1U << load;
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return static_cast<std::uint8_t>(loads);
}

bool is_loopback(std::string_view host) {
  const std::string text{host};
  if (text == "localhost") {
    return true;
  }
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24U) == 127U;
  }
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace amphora::config
