// SPDX-License-Identifier: Apache-2.0
// A program with relays, for gpio_in_vm.py: takes orders from its input, tells what was read back.
//
//   relay_probe NAME=SPEC…       each line of input is "NAME open" or "NAME closed"; end of input ends it
//   relay_probe relay-guard      what it starts itself as
//
// Prints "guard PID" for each guard, "read NAME=POSITION …" for each change of what was read back, and
// "error NAME TEXT" or "works NAME".
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "runtime/loop/loop.hpp"
#include "runtime/relays/relay_bank.hpp"
#include "runtime/relays/relay_guard.hpp"

namespace {

using namespace amphora;
using namespace amphora::runtime;

std::optional<energy::Relay> relay_named(std::string_view name) {
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    if (to_text(energy::relay_at(i)) == name) {
      return energy::relay_at(i);
    }
  }
  return std::nullopt;
}

class Probe {
 public:
  explicit Probe(RelayOptions options) : bank_{std::move(options)} {}

  void run() {
    while (true) {
      bank_.poll(steady_now());
      tell();
      const auto left =
          std::clamp<std::int64_t>(to_milliseconds(bank_.poll_timeout() - steady_now()), 0, 1000);
      pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {bank_.socket(), POLLIN, 0}};
      (void)::poll(watched, 2, static_cast<int>(left));
      if ((watched[0].revents & (POLLIN | POLLHUP)) != 0 && !take_input()) {
        return;
      }
    }
  }

 private:
  bool take_input() {
    char buffer[256];
    const ssize_t size = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (size <= 0) {
      return false;
    }
    input_.append(buffer, static_cast<std::size_t>(size));
    for (std::size_t end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
      const std::string line = input_.substr(0, end);
      input_.erase(0, end + 1);
      const std::size_t space = line.find(' ');
      if (const auto relay = relay_named(line.substr(0, space))) {
        bank_.set(*relay,
                  line.substr(space + 1) == "closed" ? energy::Position::kClosed : energy::Position::kOpen);
      }
    }
    return true;
  }

  void tell() {
    if (bank_.guard() != guard_) {
      guard_ = bank_.guard();
      if (guard_) {
        std::cout << "guard " << *guard_ << std::endl;
      }
    }
    GuardedRelays relays{};
    for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
      relays[i].measured = bank_.positions()[i];
    }
    const std::string read = encode_guarded(relays);
    if (read != read_) {
      read_ = read;
      std::cout << read << std::endl;
    }
    while (const auto notice = bank_.poll_notice()) {
      std::cout << (notice->error ? "error " : "works ") << to_text(notice->relay) << " "
                << (notice->error ? notice->error->text() : "") << std::endl;
    }
  }

  RelayBank bank_;
  std::optional<pid_t> guard_;
  std::string read_;
  std::string input_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "relay-guard") {
    return run_relay_guard(kGuardSocket);
  }
  RelayOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument{argv[i]};
    const std::size_t equals = std::min(argument.find('='), argument.size());
    const auto relay = relay_named(argument.substr(0, equals));
    if (!relay || equals == argument.size()) {
      std::cerr << "relay_probe: no relay in '" << argument << "'\n";
      return 2;
    }
    auto spec = parse_relay_spec(argument.substr(equals + 1), *relay);
    if (const auto* error = std::get_if<SpecError>(&spec)) {
      std::cerr << "relay_probe: " << error->text << '\n';
      return 2;
    }
    options.specs[index_of(*relay)] = std::get<RelaySpec>(std::move(spec));
  }
  Probe{std::move(options)}.run();
  return 0;
}
