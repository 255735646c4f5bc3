// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio_air/air_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>

namespace amphora::runtime::air {

namespace {

constexpr std::size_t kReadBatchMax = 64;

ClientKey to_key(const sockaddr_in& address) {
  return (ClientKey{ntohl(address.sin_addr.s_addr)} << 16U) | ntohs(address.sin_port);
}

sockaddr_in to_address(ClientKey key) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(key));
  address.sin_addr.s_addr = htonl(static_cast<std::uint32_t>(key >> 16U));
  return address;
}

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  Endpoint endpoint;
  endpoint.address = text.substr(0, colon);
  in_addr address{};
  const std::string_view port = text.substr(colon + 1);
  const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (::inet_pton(AF_INET, endpoint.address.c_str(), &address) != 1 || error != std::errc{} ||
      stop != port.data() + port.size()) {
    return std::nullopt;
  }
  endpoint.is_loopback = (ntohl(address.s_addr) >> 24U) == 127U;
  return endpoint;
}

AirServer::AirServer(Loop& loop, AirConfig config, std::function<void(const AirEvent&)> on_event)
    : loop_{loop}, model_{std::move(config)}, on_event_{std::move(on_event)}, timer_{loop} {}

AirServer::~AirServer() {
  watch_.reset();
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

std::optional<SysError> AirServer::listen(const Endpoint& endpoint) {
  fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) {
    return last_sys_error("make a UDP socket");
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  (void)::inet_pton(AF_INET, endpoint.address.c_str(), &address.sin_addr);
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return last_sys_error("listen on " + endpoint.address + ":" + std::to_string(endpoint.port),
                          "is another air process running? choose another port with --listen");
  }
  socklen_t size = sizeof address;
  (void)::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  watch_ = std::make_unique<FdWatch>(loop_, fd_);
  watch_->on_readable([this] { read(); });
  return std::nullopt;
}

void AirServer::read() {
  for (std::size_t i = 0; i < kReadBatchMax; ++i) {
    std::array<std::uint8_t, 2048> buffer;
    sockaddr_in from{};
    socklen_t from_size = sizeof from;
    const ssize_t size =
        ::recvfrom(fd_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_size);
    // Errors are those of earlier datagrams to clients that have gone; the next read is good again.
    if (size < 0) {
      break;
    }
    model_.handle_datagram(loop_.now(), to_key(from), ByteSpan{buffer}.first(static_cast<std::size_t>(size)));
  }
  pump();
}

void AirServer::pump() {
  const TimePoint now = loop_.now();
  model_.handle_timeout(now);
  while (const auto output = model_.poll_output(now)) {
    const sockaddr_in to = to_address(output->to);
    // A datagram that the system does not take is lost, as on the air.
    (void)::sendto(fd_, output->bytes.data(), output->size, 0, reinterpret_cast<const sockaddr*>(&to),
                   sizeof to);
  }
  while (const auto event = model_.poll_event()) {
    if (on_event_) {
      on_event_(*event);
    }
  }
  timer_.arm(model_.poll_timeout(), [this] { pump(); });
}

}  // namespace amphora::runtime::air
