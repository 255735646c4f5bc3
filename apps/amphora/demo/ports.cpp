// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/demo/ports.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace amphora::demo {

namespace {

sockaddr_in address_of(std::uint32_t host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(host);
  address.sin_port = htons(port);
  return address;
}

class Socket {
 public:
  explicit Socket(int type) : fd_{socket(AF_INET, type | SOCK_CLOEXEC, 0)} {}
  ~Socket() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void reuse_address() const {
    const int on = 1;
    (void)setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  bool bind_to(std::uint32_t host, std::uint16_t port) const {
    const sockaddr_in address = address_of(host, port);
    return bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool connect_to(std::uint16_t port) const {
    const sockaddr_in address = address_of(INADDR_LOOPBACK, port);
    return connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  std::uint16_t port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    (void)getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }

 private:
  int fd_;
};

}  // namespace

bool is_tcp_port_free(std::uint16_t port) {
  const Socket socket{SOCK_STREAM};
  socket.reuse_address();  // connections that ended a moment ago do not count
  return socket.bind_to(INADDR_LOOPBACK, port);
}

bool is_udp_port_free(std::uint16_t port) {
  return Socket{SOCK_DGRAM}.bind_to(INADDR_ANY, port);
}

std::uint16_t find_tcp_port() {
  const Socket socket{SOCK_STREAM};
  return socket.bind_to(INADDR_LOOPBACK, 0) ? socket.port() : std::uint16_t{0};
}

std::uint16_t find_udp_port() {
  const Socket socket{SOCK_DGRAM};
  return socket.bind_to(INADDR_ANY, 0) ? socket.port() : std::uint16_t{0};
}

bool is_listening(std::uint16_t port) {
  return Socket{SOCK_STREAM}.connect_to(port);
}

}  // namespace amphora::demo
