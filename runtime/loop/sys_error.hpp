// SPDX-License-Identifier: Apache-2.0
// What the operating system refused: its error number and what was being done, in words for a person.
//
// Adapters hand these out as values; exceptions of libraries are turned into them inside the adapter and
// never pass its border.
#pragma once

#include <optional>
#include <string>

namespace amphora::runtime {

struct SysError {
  int code = 0;           // errno, or 0 where a library gave only words
  std::string operation;  // "open /dev/ttyUSB0", "bind 127.0.0.1:8080"
  std::string advice;     // what to do about it; empty where nothing better is known than the error itself

  // "open /dev/ttyUSB0: Permission denied (add the user to the group dialout)"
  std::string text() const;
  friend bool operator==(const SysError&, const SysError&) = default;
};

// Takes errno as it is now.
SysError last_sys_error(std::string operation, std::string advice = {});

// Empty without an error.
std::string text_of(const std::optional<SysError>& error);

// A file descriptor that is set up, or -1 and why not.
struct OpenedFd {
  int fd = -1;
  SysError error;
};
// Closes `fd`, if it is one.
OpenedFd not_opened(int fd, SysError error);

}  // namespace amphora::runtime
