// SPDX-License-Identifier: Apache-2.0
// Asks for one page over and over on several kept-alive connections, each with its own thread, and tells how
// long the answers took.
//
//   bench_web_client PORT PATH CONNECTIONS REQUESTS NEEDLE
//
// REQUESTS are made on each connection after 50 to warm up; then
// {"p50_us":…,"p99_us":…,"per_second":…}. Exit code 1 when an answer is not 200, is cut short or has no
// NEEDLE in it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr int kWarmUp = 50;

struct Wanted {
  int port;
  std::string request;
  int count;
  std::string needle;
};

class Connection {
 public:
  explicit Connection(int port) : fd_{socket(AF_INET, SOCK_STREAM, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int one = 1;
    (void)setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    is_open_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The whole answer has come and is what was wanted.
  bool ask(const Wanted& wanted) {
    if (!is_open_ || send(fd_, wanted.request.data(), wanted.request.size(), MSG_NOSIGNAL) < 0) {
      return false;
    }
    answer_.clear();
    std::size_t size = std::string::npos;
    while (answer_.size() < size) {
      char buffer[65536];
      const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) {
        return false;
      }
      answer_.append(buffer, static_cast<std::size_t>(got));
      if (const std::size_t end = answer_.find("\r\n\r\n");
          size == std::string::npos && end != std::string::npos) {
        const std::size_t length = answer_.find("Content-Length: ");
        if (length > end) {
          return false;
        }
        size = end + 4 + std::strtoul(answer_.c_str() + length + 16, nullptr, 10);
      }
    }
    return answer_.starts_with("HTTP/1.1 200") && answer_.size() == size &&
           answer_.find(wanted.needle) != std::string::npos;
  }

 private:
  int fd_;
  bool is_open_ = false;
  std::string answer_;
};

// Microseconds of each request; fewer than wanted when an answer was wrong.
std::vector<double> ask_all(const Wanted& wanted) {
  using Clock = std::chrono::steady_clock;
  Connection connection{wanted.port};
  std::vector<double> times;
  for (int i = -kWarmUp; i < wanted.count; ++i) {
    const auto start = Clock::now();
    if (!connection.ask(wanted)) {
      break;
    }
    if (i >= 0) {
      times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
  }
  return times;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: bench_web_client PORT PATH CONNECTIONS REQUESTS NEEDLE\n");
    return 2;
  }
  const Wanted wanted{std::atoi(argv[1]),
                      "GET " + std::string{argv[2]} + " HTTP/1.1\r\nHost: 127.0.0.1:" + argv[1] + "\r\n\r\n",
                      std::atoi(argv[4]), argv[5]};
  std::vector<std::vector<double>> parts(static_cast<std::size_t>(std::atoi(argv[3])));
  std::vector<std::thread> threads;
  const auto start = std::chrono::steady_clock::now();
  for (auto& part : parts) {
    threads.emplace_back([&] { part = ask_all(wanted); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  std::vector<double> all;
  for (const auto& part : parts) {
    if (part.size() != static_cast<std::size_t>(wanted.count)) {
      std::fprintf(stderr, "only %zu of %d answers were right\n", part.size(), wanted.count);
      return 1;
    }
    all.insert(all.end(), part.begin(), part.end());
  }
  std::sort(all.begin(), all.end());
  std::printf("{\"p50_us\":%.1f,\"p99_us\":%.1f,\"per_second\":%.0f}\n", all[all.size() / 2],
              all[all.size() * 99 / 100],
              static_cast<double>(all.size() + parts.size() * kWarmUp) / spent.count());
  return 0;
}
