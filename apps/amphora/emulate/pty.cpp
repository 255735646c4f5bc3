// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/pty.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace amphora::emulate {

namespace {

constexpr Duration kPeerPollInterval = std::chrono::milliseconds{20};

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error{fmt::format("{}: {}", what, std::strerror(errno))};
}

// No echo, no line editing: bytes pass unchanged.
void make_raw(int fd) {
  termios settings{};
  if (tcgetattr(fd, &settings) == 0) {
    cfmakeraw(&settings);
    (void)tcsetattr(fd, TCSANOW, &settings);
  }
}

}  // namespace

Pty::Pty(runtime::Loop& loop, std::string link, std::function<void(ByteSpan)> on_bytes)
    : loop_{loop}, link_{std::move(link)}, on_bytes_{std::move(on_bytes)}, timer_{loop} {
  fd_ = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  char name[64];
  if (fd_ < 0 || grantpt(fd_) != 0 || unlockpt(fd_) != 0 || ptsname_r(fd_, name, sizeof name) != 0) {
    fail("pseudo-terminal");
  }
  path_ = name;
  make_raw(fd_);
  if (!link_.empty()) {
    make_link();
  }
  watch();
}

Pty::~Pty() {
  watch_.reset();
  if (!link_.empty()) {
    char target[64];
    const ssize_t size = readlink(link_.c_str(), target, sizeof target);
    if (size > 0 && std::string(target, static_cast<std::size_t>(size)) == path_) {
      (void)unlink(link_.c_str());
    }
  }
  if (fd_ >= 0) {
    (void)close(fd_);
  }
}

void Pty::make_link() {
  struct stat status {};
  if (lstat(link_.c_str(), &status) == 0 && !S_ISLNK(status.st_mode)) {
    throw std::runtime_error{fmt::format("{}: exists and is not a symbolic link", link_)};
  }
  // Renamed into place, so that no reader ever finds it missing.
  const std::string fresh = fmt::format("{}.{}", link_, getpid());
  if (symlink(path_.c_str(), fresh.c_str()) != 0 || rename(fresh.c_str(), link_.c_str()) != 0) {
    const int error = errno;
    (void)unlink(fresh.c_str());
    errno = error;
    fail(link_);
  }
}

void Pty::watch() {
  watch_ = std::make_unique<runtime::FdWatch>(loop_, fd_);
  watch_->on_readable([this] { read(); });
}

void Pty::read() {
  std::uint8_t buffer[1024];
  const ssize_t size = ::read(fd_, buffer, sizeof buffer);
  if (size > 0) {
    on_bytes_(ByteSpan{buffer, static_cast<std::size_t>(size)});
  } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
    // The other side has closed, which the descriptor would report for ever: look for a new one now and then.
    // The watch must not be destroyed within its own callback.
    loop_.post([this, life = std::weak_ptr{life_}] {
      if (!life.expired()) {
        watch_.reset();
        wait_for_peer();
      }
    });
  }
}

void Pty::wait_for_peer() {
  pollfd state{fd_, POLLIN, 0};
  if (poll(&state, 1, 0) >= 0 && (state.revents & POLLHUP) == 0) {
    make_raw(fd_);
    watch();
    return;
  }
  timer_.arm(loop_.now() + kPeerPollInterval, [this] { wait_for_peer(); });
}

bool Pty::write(ByteSpan bytes) {
  const ssize_t size = ::write(fd_, bytes.data(), bytes.size());
  return size == static_cast<ssize_t>(bytes.size());
}

}  // namespace amphora::emulate
