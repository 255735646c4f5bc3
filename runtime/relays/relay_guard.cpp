// SPDX-License-Identifier: Apache-2.0
#include "runtime/relays/relay_guard.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <functional>

#include "core/base/time.hpp"
#include "runtime/device/gpio_line.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/relays/guarded_lines.hpp"

namespace amphora::runtime {

namespace {

constexpr std::string_view kLines = "lines";
constexpr std::string_view kSet = "set";
constexpr std::string_view kRead = "read";
// How often the safe positions are tried at the end.
constexpr int kSafeTries = 5;

std::optional<std::size_t> relay_index(std::string_view name) {
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    if (to_text(energy::relay_at(i)) == name) {
      return i;
    }
  }
  return std::nullopt;
}

std::optional<energy::Position> position_of(std::string_view text) {
  if (text == to_text(energy::Position::kOpen)) {
    return energy::Position::kOpen;
  }
  return text == to_text(energy::Position::kClosed) ? std::optional{energy::Position::kClosed} : std::nullopt;
}

// Calls `word` for each part of `text` between separators, after the first part, which must be `head`. False
// when the head or a part is wrong.
bool for_each_part(std::string_view text, std::string_view head, char separator,
                   const std::function<bool(std::string_view)>& part) {
  bool is_head = true;
  while (true) {
    const std::size_t end = text.find(separator);
    const std::string_view piece = text.substr(0, end);
    if (is_head ? piece != head : !part(piece)) {
      return false;
    }
    is_head = false;
    if (end == std::string_view::npos) {
      return true;
    }
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string encode_lines(const RelaySpecs& specs) {
  std::string packet{kLines};
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (std::holds_alternative<GpioRelay>(specs[i])) {
      packet.append("\n").append(to_text(energy::relay_at(i))).append(" ").append(to_text(specs[i]));
    }
  }
  return packet;
}

std::optional<RelaySpecs> decode_lines(std::string_view packet) {
  RelaySpecs specs{};
  const bool is_good = for_each_part(packet, kLines, '\n', [&](std::string_view line) {
    const std::size_t space = line.find(' ');
    const auto index = relay_index(line.substr(0, space));
    if (!index || space == std::string_view::npos) {
      return false;
    }
    auto spec = parse_relay_spec(line.substr(space + 1), energy::relay_at(*index));
    auto* parsed = std::get_if<RelaySpec>(&spec);
    if (parsed == nullptr || !std::holds_alternative<GpioRelay>(*parsed)) {
      return false;
    }
    specs[*index] = std::move(*parsed);
    return true;
  });
  return is_good ? std::optional{std::move(specs)} : std::nullopt;
}

std::string encode_wanted(const WantedPositions& wanted) {
  std::string packet{kSet};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i]) {
      packet.append(" ").append(to_text(energy::relay_at(i))).append("=").append(to_text(*wanted[i]));
    }
  }
  return packet;
}

std::optional<WantedPositions> decode_wanted(std::string_view packet) {
  WantedPositions wanted{};
  const bool is_good = for_each_part(packet, kSet, ' ', [&](std::string_view word) {
    const std::size_t equals = std::min(word.find('='), word.size());
    const auto index = relay_index(word.substr(0, equals));
    const auto position = position_of(word.substr(std::min(equals + 1, word.size())));
    if (!index || !position) {
      return false;
    }
    wanted[*index] = position;
    return true;
  });
  return is_good ? std::optional{wanted} : std::nullopt;
}

std::string encode_guarded(const GuardedRelays& relays) {
  std::string packet{kRead};
  for (std::size_t i = 0; i < relays.size(); ++i) {
    const GuardedRelay& relay = relays[i];
    if (relay.error != 0) {
      packet.append(" ").append(to_text(energy::relay_at(i))).append("!").append(std::to_string(relay.error));
    } else if (relay.measured) {
      packet.append(" ").append(to_text(energy::relay_at(i))).append("=").append(to_text(*relay.measured));
    }
  }
  return packet;
}

std::optional<GuardedRelays> decode_guarded(std::string_view packet) {
  GuardedRelays relays{};
  const bool is_good = for_each_part(packet, kRead, ' ', [&](std::string_view word) {
    const std::size_t sign = std::min(word.find_first_of("=!"), word.size());
    const auto index = relay_index(word.substr(0, sign));
    if (!index || sign == word.size()) {
      return false;
    }
    const std::string_view value = word.substr(sign + 1);
    if (word[sign] == '=') {
      relays[*index].measured = position_of(value);
      return relays[*index].measured.has_value();
    }
    int& error = relays[*index].error;
    const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), error);
    return code == std::errc{} && end == value.data() + value.size() && error > 0;
  });
  return is_good ? std::optional{relays} : std::nullopt;
}

namespace {

// One packet, or empty when the other end is gone. Waits until `until`; a time-out gives an empty text.
std::optional<std::string> receive(int socket_fd, TimePoint until) {
  const Duration left = std::max(until - steady_now(), Duration::zero());
  pollfd watched{socket_fd, POLLIN, 0};
  // Rounded up: a time-out must have passed when it is acted upon.
  const int ready = ::poll(&watched, 1, static_cast<int>(to_milliseconds(left) + 1));
  if (ready <= 0) {
    return ready == 0 || errno == EINTR ? std::optional<std::string>{std::string{}} : std::nullopt;
  }
  std::array<char, kGuardPacketMax> buffer{};
  const ssize_t size = ::recv(socket_fd, buffer.data(), buffer.size(), 0);
  if (size > 0) {
    return std::string{buffer.data(), static_cast<std::size_t>(size)};
  }
  return size < 0 && errno == EINTR ? std::optional<std::string>{std::string{}} : std::nullopt;
}

void ignore_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
    ::signal(number, SIG_IGN);
  }
}

// Until the program is gone. False when it said something that cannot be understood.
bool serve(int socket_fd, GuardedLines<GpioLine>& lines) {
  TimePoint silent_at = steady_now() + kGuardSilenceMax;
  TimePoint retry_at = kNever;
  while (true) {
    const auto packet = receive(socket_fd, earliest(silent_at, retry_at));
    if (!packet) {
      return true;
    }
    const TimePoint now = steady_now();
    if (!packet->empty()) {
      const auto wanted = decode_wanted(*packet);
      if (!wanted) {
        return false;
      }
      silent_at = now + kGuardSilenceMax;
      lines.apply(*wanted);
    } else if (now >= silent_at) {
      silent_at = kNever;  // once; the next order begins anew
      lines.make_safe();
    } else if (now >= retry_at) {
      lines.drive();
    } else {
      continue;
    }
    retry_at = lines.has_failure() ? now + kGuardRetry : kNever;
    const std::string answer = encode_guarded(lines.state());
    // A program that does not read its answers hangs; the orders it does not send will tell.
    (void)::send(socket_fd, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

}  // namespace

int run_relay_guard(int socket_fd) {
  struct stat file {};
  if (::fstat(socket_fd, &file) != 0 || !S_ISSOCK(file.st_mode)) {
    return 1;  // somebody tries the subcommand by hand
  }
  ignore_signals();
  (void)::prctl(PR_SET_NAME, "relay-guard");
  const auto packet = receive(socket_fd, steady_now() + kGuardSilenceMax);
  const auto specs = packet ? decode_lines(*packet) : std::nullopt;
  if (!specs) {
    return 1;
  }
  GuardedLines<GpioLine> lines{*specs};
  const bool is_understood = serve(socket_fd, lines);
  lines.make_safe();
  for (int i = 1; i < kSafeTries && lines.has_failure(); ++i) {
    ::usleep(static_cast<useconds_t>(kGuardRetry.count()));
    lines.drive();
  }
  return is_understood ? 0 : 1;
}

}  // namespace amphora::runtime
