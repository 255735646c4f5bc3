// SPDX-License-Identifier: Apache-2.0
#include "runtime/can/can_port.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "runtime/can_socketcan/socketcan_port.hpp"
#include "runtime/can_udp/udp_port.hpp"
#include "runtime/can_virtual/virtual_port.hpp"

namespace amphora::runtime {

namespace {

bool is_word(std::string_view text, std::size_t size_max, std::string_view also) {
  if (text.empty() || text.size() > size_max) {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [also](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           also.find(c) != std::string_view::npos;
  });
}

bool is_multicast_address(const std::string& text) {
  in_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 28U) == 0xEU;
}

Result<CanSpec, CanSpecError> parse_udp(std::string_view rest) {
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) {
    return CanSpecError::kBadPort;
  }
  CanSpec spec{CanSpec::Kind::kUdp, std::string{rest.substr(0, colon)}, 0};
  if (!is_multicast_address(spec.name)) {
    return CanSpecError::kBadAddress;
  }
  const std::string_view port = rest.substr(colon + 1);
  const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), spec.port);
  if (error != std::errc{} || stop != port.data() + port.size() || spec.port == 0) {
    return CanSpecError::kBadPort;
  }
  return spec;
}

}  // namespace

std::string_view to_text(can::BusState state) {
  constexpr std::string_view kNames[] = {"down", "active", "error_passive", "bus_off"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view to_text(CanSpecError error) {
  constexpr std::string_view kTexts[] = {
      "the CAN interface is empty; write can0, udp://239.74.163.2:43113 or virtual:NAME",
      "unknown kind of CAN interface; write can0, udp://ADDRESS:PORT or virtual:NAME",
      "a CAN interface has 1 to 15 letters, digits, '_', '-' or '.', for example can0",
      "a virtual bus over UDP needs an IPv4 multicast address (224.0.0.0 to 239.255.255.255)",
      "a virtual bus over UDP needs a port from 1 to 65535, for example udp://239.74.163.2:43113",
      "a virtual bus has a name of 1 to 32 letters, digits, '_' or '-'",
  };
  return kTexts[static_cast<std::size_t>(error)];
}

Result<CanSpec, CanSpecError> parse_can_spec(std::string_view spec) {
  constexpr std::string_view kUdp = "udp://";
  constexpr std::string_view kVirtual = "virtual:";
  if (spec.empty()) {
    return CanSpecError::kEmpty;
  }
  if (spec.starts_with(kUdp)) {
    return parse_udp(spec.substr(kUdp.size()));
  }
  if (spec.starts_with(kVirtual)) {
    const std::string_view name = spec.substr(kVirtual.size());
    if (!is_word(name, 32, "_-")) {
      return CanSpecError::kBadVirtualName;
    }
    return CanSpec{CanSpec::Kind::kVirtual, std::string{name}, 0};
  }
  if (spec.find(':') != std::string_view::npos) {
    return CanSpecError::kUnknownScheme;
  }
  if (!is_word(spec, 15, "_-.")) {
    return CanSpecError::kBadInterfaceName;
  }
  return CanSpec{CanSpec::Kind::kSocketCan, std::string{spec}, 0};
}

Result<std::shared_ptr<CanPort>, CanSpecError> open_can(Loop& loop, std::string_view text, CanOptions options,
                                                        CanHandlers handlers) {
  const auto spec = parse_can_spec(text);
  if (!spec) {
    return spec.error();
  }
  switch (spec->kind) {
    case CanSpec::Kind::kUdp:
      return make_udp_can_port(loop, *spec, std::move(options), std::move(handlers));
    case CanSpec::Kind::kVirtual:
      return make_virtual_can_port(loop, spec->name, std::move(options), std::move(handlers));
    case CanSpec::Kind::kSocketCan:
      break;
  }
  return make_socketcan_port(loop, spec->name, std::move(options), std::move(handlers));
}

}  // namespace amphora::runtime
