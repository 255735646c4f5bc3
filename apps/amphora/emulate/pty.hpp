// SPDX-License-Identifier: Apache-2.0
// The master side of a pseudo-terminal: a serial line whose other end any program can open.
//
// The slave is not held open here, because a program that wants it for itself alone (TIOCEXCL) would then
// lock out its successors. While nobody has it open, output is dropped, as on a line without a plug.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/base/bytes.hpp"
#include "runtime/loop/loop.hpp"

namespace amphora::emulate {

class Pty {
 public:
  // `link`, unless empty, becomes a symbolic link to the slave for as long as this lives; an existing link is
  // replaced, anything else at that path is an error. Throws std::runtime_error with the reason.
  Pty(runtime::Loop& loop, std::string link, std::function<void(ByteSpan)> on_bytes);
  ~Pty();
  Pty(const Pty&) = delete;
  Pty& operator=(const Pty&) = delete;

  // False when nobody listens or the line is full; then nothing is guaranteed to have been sent.
  bool write(ByteSpan bytes);
  // "/dev/pts/7"
  const std::string& path() const { return path_; }

 private:
  void watch();
  void read();
  void wait_for_peer();
  void make_link();

  runtime::Loop& loop_;
  std::string link_;
  std::function<void(ByteSpan)> on_bytes_;
  int fd_ = -1;
  std::string path_;
  std::unique_ptr<runtime::FdWatch> watch_;
  runtime::Timer timer_;
  std::shared_ptr<bool> life_ =
      std::make_shared<bool>(true);  // what is posted to the loop looks whether it ended
};

}  // namespace amphora::emulate
