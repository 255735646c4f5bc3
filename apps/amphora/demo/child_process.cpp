// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/demo/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <fstream>
#include <stdexcept>

namespace amphora::demo {

namespace {

constexpr int kExitNoProgram = 127;  // as shells say it

// In the child, between fork and exec: only what is safe there.
[[noreturn]] void become(char* const* arguments, int log, pid_t parent) {
  (void)setpgid(0, 0);
  (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) {
    _exit(kExitNoProgram);  // the parent died before the line above
  }
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGPIPE, SIGTTIN}) {
    (void)std::signal(signal, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, nullptr);
  const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  (void)dup2(input, STDIN_FILENO);
  (void)dup2(log, STDOUT_FILENO);
  (void)dup2(log, STDERR_FILENO);
  (void)execvp(arguments[0], arguments);
  (void)dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], std::strerror(errno));
  _exit(kExitNoProgram);
}

}  // namespace

ChildProcess::ChildProcess(Program program) : program_{std::move(program)} {
  const int log = open(program_.log_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600);
  if (log < 0) {
    throw std::runtime_error{fmt::format("{}: {}", program_.log_file, std::strerror(errno))};
  }
  std::vector<char*> arguments;
  for (std::string& argument : program_.arguments) {
    arguments.push_back(argument.data());
  }
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    become(arguments.data(), log, parent);
  }
  const int error = errno;
  close(log);
  if (pid_ < 0) {
    throw std::runtime_error{fmt::format("{}: {}", program_.name, std::strerror(error))};
  }
  (void)setpgid(pid_, pid_);  // here too: whoever is first
}

ChildProcess::~ChildProcess() {
  if (is_running()) {
    send_signal(SIGTERM);
    if (!wait_for_end(1000)) {
      send_signal(SIGKILL);
      (void)wait_for_end(5000);
    }
  }
}

bool ChildProcess::poll_end() {
  int status = 0;
  if (!is_running() || waitpid(pid_, &status, WNOHANG) != pid_) {
    return false;
  }
  (void)kill(-pid_, SIGKILL);  // what it may have left behind in its group
  pid_ = -1;
  end_text_ = WIFSIGNALED(status)
                  ? fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))
                  : fmt::format("exit code {}", WEXITSTATUS(status));
  return true;
}

void ChildProcess::send_signal(int signal) const {
  if (is_running()) {
    (void)kill(-pid_, signal);
  }
}

bool ChildProcess::wait_for_end(int milliseconds) {
  constexpr int kStep = 5;
  for (int waited = 0; is_running() && !poll_end() && waited < milliseconds; waited += kStep) {
    (void)poll(nullptr, 0, kStep);
  }
  return !is_running();
}

std::string ChildProcess::log_tail(std::size_t line_count) const {
  std::ifstream file{program_.log_file};
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(std::move(line));
    if (lines.size() > line_count) {
      lines.pop_front();
    }
  }
  std::string text;
  for (const std::string& line : lines) {
    text += "    " + line + "\n";
  }
  return text;
}

}  // namespace amphora::demo
