// SPDX-License-Identifier: Apache-2.0
#include "runtime/loop/sys_error.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace amphora::runtime {

std::string SysError::text() const {
  std::string text = operation;
  if (code != 0) {
    text += ": " + std::generic_category().message(code);
  }
  if (!advice.empty()) {
    text += " (" + advice + ")";
  }
  return text;
}

SysError last_sys_error(std::string operation, std::string advice) {
  return SysError{errno, std::move(operation), std::move(advice)};
}

std::string text_of(const std::optional<SysError>& error) {
  return error ? error->text() : std::string{};
}

OpenedFd not_opened(int fd, SysError error) {
  if (fd >= 0) {
    ::close(fd);
  }
  return OpenedFd{-1, std::move(error)};
}

}  // namespace amphora::runtime
