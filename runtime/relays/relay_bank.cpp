// SPDX-License-Identifier: Apache-2.0
#include "runtime/relays/relay_bank.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "runtime/relays/relay_guard.hpp"

extern char** environ;

namespace amphora::runtime {

namespace {

// What posix_spawn is told about the guard: its socket as descriptor 3 and nothing above, no signal blocked.
class SpawnPlan {
 public:
  explicit SpawnPlan(int socket) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, socket, kGuardSocket);
    posix_spawn_file_actions_addclosefrom_np(&actions_, kGuardSocket + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // 0 or errno.
  int spawn(const std::vector<std::string>& command, pid_t& pid) const {
    std::vector<char*> arguments;
    for (const std::string& word : command) {
      arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    return posix_spawn(&pid, arguments.front(), &actions_, &attributes_, arguments.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

RelayBank::RelayBank(RelayOptions options) : options_{std::move(options)} {
  needs_guard_ = std::ranges::any_of(
      options_.specs, [](const RelaySpec& spec) { return std::holds_alternative<GpioRelay>(spec); });
}

RelayBank::~RelayBank() {
  if (socket_ >= 0) {
    ::close(socket_);
    ended_.push_back(pid_);
  }
  // So that a bank made next finds the lines free, and the end of the program means that all is safe.
  for (Duration waited{}; waited < kGuardEndMax; waited += std::chrono::milliseconds{10}) {
    reap();
    if (ended_.empty()) {
      return;
    }
    ::usleep(10'000);
  }
}

energy::PerRelay<bool> RelayBank::fitted() const {
  energy::PerRelay<bool> fitted{};
  std::ranges::transform(options_.specs, fitted.begin(), is_fitted);
  return fitted;
}

bool RelayBank::is_guarded(energy::Relay relay) const {
  return std::holds_alternative<GpioRelay>(options_.specs[index_of(relay)]);
}

void RelayBank::set(energy::Relay relay, energy::Position position) {
  const std::size_t i = index_of(relay);
  if (!is_fitted(options_.specs[i]) || wanted_[i] == position) {
    return;
  }
  counters_.switches += wanted_[i] ? 1U : 0U;
  wanted_[i] = position;
  if (is_guarded(relay)) {
    is_changed_ = true;
  } else {
    measured_[i] = position;
  }
}

void RelayBank::poll(TimePoint now) {
  reap();
  if (!needs_guard_) {
    return;
  }
  if (socket_ < 0 && now >= start_at_) {
    start_guard(now);
  }
  if (socket_ >= 0) {
    receive(now);
  }
  if (socket_ >= 0 && now >= answer_due_) {
    lose_guard(now, SysError{ETIMEDOUT, "hear from the guard of the relays", "it is started again"});
  }
  if (socket_ >= 0 && (is_changed_ || now >= send_at_)) {
    send(now);
  }
}

TimePoint RelayBank::poll_timeout() const {
  if (!needs_guard_) {
    return kNever;
  }
  if (socket_ < 0) {
    return start_at_;
  }
  return is_changed_ ? TimePoint{} : earliest(send_at_, answer_due_);
}

void RelayBank::start_guard(TimePoint now) {
  start_at_ = now + kGuardRestartAfter;
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    set_all_errors(now, last_sys_error("join the guard of the relays"));
    return;
  }
  const int error = SpawnPlan{ends[1]}.spawn(options_.guard_command, pid_);
  ::close(ends[1]);
  if (error != 0) {
    ::close(ends[0]);
    set_all_errors(now,
                   SysError{error, "start the guard of the relays, " + options_.guard_command.front(), {}});
    return;
  }
  socket_ = ends[0];
  ++counters_.guard_starts;
  const std::string lines = encode_lines(options_.specs);
  // The socket is empty, so it has room.
  (void)::send(socket_, lines.data(), lines.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  send_at_ = now;
  answer_due_ = now + kGuardAnswerMax;
}

void RelayBank::lose_guard(TimePoint now, SysError why) {
  ::close(std::exchange(socket_, -1));
  ++counters_.guard_losses;
  // It has to be gone before another one can take the lines; one that hangs would not go by itself.
  (void)::kill(pid_, SIGKILL);
  ended_.push_back(std::exchange(pid_, -1));
  start_at_ = now + kGuardRestartAfter;
  set_all_errors(now, why);
}

void RelayBank::reap() {
  std::erase_if(ended_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
}

void RelayBank::receive(TimePoint now) {
  std::array<char, kGuardPacketMax> buffer{};
  while (socket_ >= 0) {
    const ssize_t size = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) {
      take_answer(now, std::string_view{buffer.data(), static_cast<std::size_t>(size)});
    } else if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    } else {
      lose_guard(now, SysError{0, "the guard of the relays has ended", "it is started again"});
    }
  }
}

void RelayBank::take_answer(TimePoint now, std::string_view packet) {
  const auto relays = decode_guarded(packet);
  if (!relays) {
    lose_guard(now, SysError{EPROTO, "understand the guard of the relays", "it is started again"});
    return;
  }
  answer_due_ = now + kGuardAnswerMax;
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    const auto* gpio = std::get_if<GpioRelay>(&options_.specs[i]);
    const GuardedRelay& relay = (*relays)[i];
    if (gpio == nullptr || (relay.error == 0 && !relay.measured)) {
      continue;
    }
    measured_[i] = relay.measured;
    set_error(now, energy::relay_at(i),
              relay.error == 0
                  ? std::nullopt
                  : std::optional{SysError{relay.error, "move GPIO line " + to_text(gpio->address),
                                           gpio_advice(relay.error)}});
  }
}

void RelayBank::send(TimePoint now) {
  const std::string packet = encode_wanted(wanted_);
  is_changed_ = false;
  send_at_ = now + kGuardHeartbeat;
  // A full socket is a guard that hangs: the missing answer will tell. One that is gone is seen by receive().
  (void)::send(socket_, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void RelayBank::set_all_errors(TimePoint now, const SysError& error) {
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    if (is_guarded(energy::relay_at(i))) {
      measured_[i].reset();
      set_error(now, energy::relay_at(i), error);
    }
  }
}

void RelayBank::set_error(TimePoint now, energy::Relay relay, std::optional<SysError> error) {
  std::optional<SysError>& known = errors_[index_of(relay)];
  if (known == error) {
    return;
  }
  counters_.failures += known ? 0U : 1U;
  known = error;
  if (notices_.size() == kRelayNoticesMax) {
    notices_.pop_front();
  }
  notices_.push_back({relay, now, std::move(error)});
}

energy::PerRelay<std::optional<energy::Position>> RelayBank::positions() const {
  return measured_;
}

const std::optional<SysError>& RelayBank::error(energy::Relay relay) const {
  return errors_[index_of(relay)];
}

std::optional<RelayNotice> RelayBank::poll_notice() {
  if (notices_.empty()) {
    return std::nullopt;
  }
  RelayNotice notice = std::move(notices_.front());
  notices_.pop_front();
  return notice;
}

std::optional<pid_t> RelayBank::guard() const {
  return socket_ >= 0 ? std::optional{pid_} : std::nullopt;
}

}  // namespace amphora::runtime
