// SPDX-License-Identifier: Apache-2.0
// Commands for a running emulator, a line each on standard input.
//
// Works with a terminal, a pipe and a file. A program in the background may not read the terminal: then, as
// at the end of the input, listening just stops and the emulator goes on.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "runtime/loop/loop.hpp"

namespace amphora::emulate {

class CommandInput {
 public:
  // `on_line` gets each line without its end.
  CommandInput(runtime::Loop& loop, int fd, std::function<void(const std::string&)> on_line);

 private:
  void read();
  void take(const char* bytes, std::size_t size);

  runtime::Loop& loop_;
  int fd_;
  std::function<void(const std::string&)> on_line_;
  std::string partial_;
  std::unique_ptr<runtime::FdWatch> watch_;
};

}  // namespace amphora::emulate
