// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio/radio_port.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "runtime/radio_air/air_port.hpp"
#include "runtime/radio_packet/packet_port.hpp"

namespace amphora::runtime {

namespace {

constexpr std::uint64_t kMulticastBit = 0x0100'0000'0000;

bool is_interface_name(std::string_view text) {
  if (text.empty() || text.size() > 15) {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

template <class Integer>
bool read_whole(std::string_view text, int base, Integer& out) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc{} && stop == text.data() + text.size();
}

Result<RadioSpec, RadioSpecError> parse_air(std::string_view rest) {
  const std::size_t question = rest.find('?');
  const std::string_view place = rest.substr(0, question);
  const std::size_t colon = place.rfind(':');
  RadioSpec spec;
  spec.kind = RadioSpec::Kind::kAir;
  spec.name = place.substr(0, colon);
  in_addr address{};
  if (::inet_pton(AF_INET, spec.name.c_str(), &address) != 1) {
    return RadioSpecError::kBadAddress;
  }
  if (colon == std::string_view::npos || !read_whole(place.substr(colon + 1), 10, spec.port) ||
      spec.port == 0) {
    return RadioSpecError::kBadPort;
  }
  if (question == std::string_view::npos) {
    return RadioSpecError::kMissingMac;
  }
  constexpr std::string_view kMac = "mac=";
  const std::string_view parameter = rest.substr(question + 1);
  if (!parameter.starts_with(kMac)) {
    return RadioSpecError::kUnknownParameter;
  }
  const auto mac = parse_mac(parameter.substr(kMac.size()));
  if (!mac || mac->is_nobody() || (mac->value & kMulticastBit) != 0) {
    return RadioSpecError::kBadMac;
  }
  spec.mac = *mac;
  return spec;
}

}  // namespace

std::string_view to_text(RadioState state) {
  constexpr std::string_view kNames[] = {"down", "starting", "up"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view to_text(RadioSendResult result) {
  constexpr std::string_view kNames[] = {"acked", "no_ack", "not_sent"};
  return kNames[static_cast<std::size_t>(result)];
}

std::string_view to_text(RadioSendStatus quality) {
  constexpr std::string_view kNames[] = {"unknown", "real", "always_acked", "always_failed", "none"};
  return kNames[static_cast<std::size_t>(quality)];
}

std::string_view to_text(RadioSpecError error) {
  constexpr std::string_view kTexts[] = {
      "the radio is empty; write wlan1 or air://127.0.0.1:47000?mac=02:00:00:00:00:01",
      "unknown kind of radio; write wlan1 or air://ADDRESS:PORT?mac=MAC",
      "a Wi-Fi interface has 1 to 15 letters, digits, '_', '-' or '.', for example wlan1",
      "the air process is named by an IPv4 address, for example air://127.0.0.1:47000?mac=02:00:00:00:00:01",
      "the air process has a port from 1 to 65535, for example air://127.0.0.1:47000?mac=02:00:00:00:00:01",
      "a radio in the air process needs an address of its own: add ?mac=02:00:00:00:00:01",
      "mac= takes six hexadecimal bytes, not zero and no group address, for example 02:00:00:00:00:01",
      "the only parameter of a radio in the air process is mac=",
  };
  return kTexts[static_cast<std::size_t>(error)];
}

std::optional<NodeId> parse_mac(std::string_view text) {
  if (text.size() != 17) {
    return std::nullopt;
  }
  NodeId id;
  for (std::size_t i = 0; i < kNodeIdSize; ++i) {
    std::uint8_t byte = 0;
    if ((i > 0 && text[3 * i - 1] != ':') || !read_whole(text.substr(3 * i, 2), 16, byte)) {
      return std::nullopt;
    }
    id.value = (id.value << 8U) | byte;
  }
  return id;
}

Result<RadioSpec, RadioSpecError> parse_radio_spec(std::string_view spec) {
  constexpr std::string_view kAir = "air://";
  if (spec.empty()) {
    return RadioSpecError::kEmpty;
  }
  if (spec.starts_with(kAir)) {
    return parse_air(spec.substr(kAir.size()));
  }
  if (spec.find(':') != std::string_view::npos) {
    return RadioSpecError::kUnknownScheme;
  }
  if (!is_interface_name(spec)) {
    return RadioSpecError::kBadInterfaceName;
  }
  return RadioSpec{RadioSpec::Kind::kPacket, std::string{spec}, 0, {}};
}

Result<std::shared_ptr<RadioPort>, RadioSpecError> make_radio_port(Loop& loop, std::string_view text,
                                                                   RadioOptions options,
                                                                   RadioHandlers handlers) {
  const auto spec = parse_radio_spec(text);
  if (!spec) {
    return spec.error();
  }
  if (spec->kind == RadioSpec::Kind::kAir) {
    return make_air_radio_port(loop, *spec, std::move(options), std::move(handlers));
  }
  return make_packet_radio_port(loop, spec->name, std::move(options), std::move(handlers));
}

}  // namespace amphora::runtime
