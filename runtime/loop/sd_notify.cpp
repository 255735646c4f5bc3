// SPDX-License-Identifier: Apache-2.0
#include "runtime/loop/sd_notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>

namespace amphora::runtime {

namespace {

std::optional<std::int64_t> number_of(const char* text) {
  if (text == nullptr) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  return error == std::errc{} && stop == end ? std::optional{value} : std::nullopt;
}

}  // namespace

ServiceNotifier ServiceNotifier::from_environment() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  std::optional<Duration> watchdog;
  const auto period_us = number_of(std::getenv("WATCHDOG_USEC"));
  const auto pid = number_of(std::getenv("WATCHDOG_PID"));
  if (period_us && *period_us > 0 && (!pid || *pid == ::getpid())) {
    watchdog = Duration{*period_us};
  }
  return ServiceNotifier{path == nullptr ? "" : path, watchdog};
}

ServiceNotifier::ServiceNotifier(std::string socket_path, std::optional<Duration> watchdog)
    : path_{std::move(socket_path)}, watchdog_{watchdog} {}

bool ServiceNotifier::send(std::string_view message) const {
  sockaddr_un address{};
  if (path_.empty() || path_.size() >= sizeof address.sun_path || (path_[0] != '/' && path_[0] != '@')) {
    return false;
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  if (path_[0] == '@') {
    address.sun_path[0] = '\0';
  }
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return false;
  }
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  const ssize_t sent = ::sendto(fd, message.data(), message.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), size);
  ::close(fd);
  return sent == static_cast<ssize_t>(message.size());
}

bool ServiceNotifier::ready(std::string_view status_text) const {
  std::string message = "READY=1\n";
  if (!status_text.empty()) {
    message.append("STATUS=").append(status_text).append("\n");
  }
  return send(message);
}
bool ServiceNotifier::watchdog() const {
  return send("WATCHDOG=1\n");
}
bool ServiceNotifier::stopping() const {
  return send("STOPPING=1\n");
}
bool ServiceNotifier::reloading() const {
  // The manager compares this with its own CLOCK_MONOTONIC, so it is read here and not taken from the loop.
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t us = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  return send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us) + "\n");
}
bool ServiceNotifier::status(std::string_view text) const {
  return send("STATUS=" + std::string{text} + "\n");
}

std::optional<Duration> ServiceNotifier::watchdog_period() const {
  return watchdog_ ? std::optional{*watchdog_ / 2} : std::nullopt;
}

}  // namespace amphora::runtime
