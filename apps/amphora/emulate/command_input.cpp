// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/command_input.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace amphora::emulate {

namespace {
constexpr std::size_t kLineSizeMax = 4096;
}

CommandInput::CommandInput(runtime::Loop& loop, int fd, std::function<void(const std::string&)> on_line)
    : loop_{loop}, fd_{fd}, on_line_{std::move(on_line)} {
  (void)std::signal(SIGTTIN, SIG_IGN);
  struct stat status {};
  if (fstat(fd_, &status) != 0) {
    return;
  }
  if (S_ISREG(status.st_mode)) {
    loop_.post([this] {
      char buffer[1024];
      for (ssize_t size = 0; (size = ::read(fd_, buffer, sizeof buffer)) > 0;) {
        take(buffer, static_cast<std::size_t>(size));
      }
    });
    return;
  }
  if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) || isatty(fd_) == 1) {
    watch_ = std::make_unique<runtime::FdWatch>(loop_, fd_);
    watch_->on_readable([this] { read(); });
  }
}

void CommandInput::read() {
  char buffer[1024];
  const ssize_t size = ::read(fd_, buffer, sizeof buffer);
  if (size > 0) {
    take(buffer, static_cast<std::size_t>(size));
  } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
    loop_.post([this] { watch_.reset(); });
  }
}

void CommandInput::take(const char* bytes, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    if (bytes[i] != '\n') {
      if (partial_.size() < kLineSizeMax) {
        partial_ += bytes[i];
      }
      continue;
    }
    const std::string line = std::move(partial_);
    partial_.clear();
    on_line_(line);
  }
}

}  // namespace amphora::emulate
