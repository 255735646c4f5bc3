// SPDX-License-Identifier: Apache-2.0
// The least a web server can do: one thread, epoll, and the same bytes for whatever is asked. Nothing is
// parsed: a piece that ends with an empty line is a request.
//
//   bench_web_responder FILE
//
// Answers with the file's content as JSON; prints its port and serves until it is ended.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

int open_listener() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 || listen(fd, 64) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return -1;
  }
  std::printf("%d\n", ntohs(address.sin_port));
  (void)std::fflush(stdout);
  return fd;
}

void watch(int epoll_fd, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void answer(int fd, std::string_view response) {
  char buffer[4096];
  const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
  if (size <= 0) {
    close(fd);
  } else if (std::string_view{buffer, static_cast<std::size_t>(size)}.ends_with("\r\n\r\n")) {
    (void)send(fd, response.data(), response.size(), MSG_NOSIGNAL);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::ifstream file{argc == 2 ? argv[1] : ""};
  const std::string body{std::istreambuf_iterator<char>{file}, {}};
  const std::string response =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  const int listener = open_listener();
  const int epoll_fd = epoll_create1(0);
  if (body.empty() || listener < 0 || epoll_fd < 0) {
    std::fprintf(stderr, "usage: bench_web_responder FILE\n");
    return 2;
  }
  watch(epoll_fd, listener);
  while (true) {
    epoll_event events[32];
    const int count = epoll_wait(epoll_fd, events, 32, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd != listener) {
        answer(fd, response);
        continue;
      }
      const int client = accept(listener, nullptr, nullptr);
      const int one = 1;
      (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      watch(epoll_fd, client);
    }
  }
}
