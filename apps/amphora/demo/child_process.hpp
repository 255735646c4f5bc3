// SPDX-License-Identifier: Apache-2.0
// A program that belongs to this one: it writes to a log file, and it never outlives us.
//
// Each child leads a process group of its own, so that the terminal's Ctrl-C reaches only the supervisor, and
// is told to end by the kernel when the supervisor dies, however that happens.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace amphora::demo {

struct Program {
  std::string name;                    // for people
  std::vector<std::string> arguments;  // the first is the program, looked up in PATH
  std::string log_file;                // output and errors; made anew
  bool is_essential = false;           // its end is the end of all
  std::uint16_t listens_on = 0;        // TCP port on which it is ready; 0: none
  std::string makes_link{};            // path of a pseudo-terminal when it is ready; empty: none
  bool is_waited_for = false;          // the next starts when this one is ready
};

class ChildProcess {
 public:
  // Throws std::runtime_error when it cannot be started (a program that is not there is found out later, as
  // exit code 127).
  explicit ChildProcess(Program program);
  // Ends it, by force if needed.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  const Program& program() const { return program_; }
  bool is_running() const { return pid_ > 0; }
  // Looks without waiting; true when it has ended since the last look.
  bool poll_end();
  // "exit code 1", "signal 9"; empty while it runs.
  const std::string& end_text() const { return end_text_; }
  // To the child's whole group; no effect when it has ended.
  void send_signal(int signal) const;
  // Waits for its end at most this long; true when it has ended.
  bool wait_for_end(int milliseconds);
  // The last lines of its log.
  std::string log_tail(std::size_t line_count) const;

 private:
  Program program_;
  pid_t pid_ = -1;
  std::string end_text_;
};

}  // namespace amphora::demo
