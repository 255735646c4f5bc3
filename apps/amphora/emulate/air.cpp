// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/air.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>

#include "apps/amphora/command.hpp"
#include "apps/amphora/emulate/command_input.hpp"
#include "apps/amphora/json_line.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/radio_air/air_server.hpp"

namespace amphora::emulate {

namespace {

using runtime::air::AirConfig;
using runtime::air::AirEvent;
using runtime::air::AirServer;

std::uint32_t to_ppm(double part) {
  return static_cast<std::uint32_t>(std::lround(part * 1'000'000));
}

// The whole text as a number from `low` to `high`.
template <class Number>
std::optional<Number> number_in(std::string_view text, Number low, Number high) {
  Number value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || !(value >= low && value <= high)) {
    return std::nullopt;
  }
  return value;
}

class AirEmulator {
 public:
  explicit AirEmulator(AirConfig config)
      : server_{loop_, std::move(config), [this](const AirEvent& event) { show(event); }},
        signals_{loop_, {SIGINT, SIGTERM}, [this](int) { loop_.stop(); }} {}

  std::optional<runtime::SysError> listen(const runtime::air::Endpoint& endpoint) {
    if (auto error = server_.listen(endpoint)) {
      return error;
    }
    print("ready", [&](JsonLine& json) {
      json.text("listen", fmt::format("{}:{}", endpoint.address, server_.port()));
    });
    input_ = std::make_unique<CommandInput>(loop_, STDIN_FILENO,
                                            [this](const std::string& line) { handle(line); });
    return std::nullopt;
  }
  void run() { loop_.run(); }

 private:
  template <class Fill>
  void print(std::string_view event, Fill fill) {
    line_.clear();
    JsonLine json{line_};
    json.text("event", event);
    json.decimal("time_s", runtime::wall_now().unix_ms, 3);
    fill(json);
    json.end();
    (void)std::fwrite(line_.data(), 1, line_.size(), stdout);
    (void)std::fflush(stdout);
  }

  void show(const AirEvent& event) {
    print(to_text(event.kind), [&](JsonLine& json) {
      const auto mac = to_characters(event.mac);
      json.text("mac", {mac.data(), mac.size()});
      json.number("channel", event.channel);
    });
  }

  void show_status() {
    print("status", [this](JsonLine& json) {
      const runtime::air::AirCounters& counters = server_.model().counters();
      const auto put = [&](std::string_view key, std::uint64_t value) {
        json.number(key, static_cast<std::int64_t>(value));
      };
      put("radios", server_.model().client_count());
      put("frames", counters.frames);
      put("tries", counters.tries);
      put("delivered", counters.delivered);
      put("lost", counters.lost);
      put("no_ack", counters.no_ack);
      put("refused", counters.refused);
      put("malformed", counters.malformed);
    });
  }

  void handle(const std::string& line) {
    const std::string_view text{line};
    if (line == "quit") {
      loop_.stop();
    } else if (line == "status") {
      show_status();
    } else if (const auto loss =
                   text.starts_with("loss ") ? number_in(text.substr(5), 0.0, 1.0) : std::nullopt) {
      server_.model().set_loss(to_ppm(*loss));
      print("loss", [&](JsonLine& json) { json.decimal("loss", to_ppm(*loss), 6); });
    } else if (const auto delay =
                   text.starts_with("delay ") ? number_in(text.substr(6), 0, 10'000) : std::nullopt) {
      server_.model().set_delay(std::chrono::milliseconds{*delay});
      print("delay", [&](JsonLine& json) { json.number("delay_ms", *delay); });
    } else if (!line.empty()) {
      fmt::print(
          stderr,
          "amphora: emulate: \"{}\" is not a command; allowed: loss 0…1, delay 0…10000, status, quit\n",
          line);
    }
  }

  runtime::Loop loop_;
  AirServer server_;
  std::unique_ptr<CommandInput> input_;
  runtime::SignalWatch signals_;
  std::string line_;
};

}  // namespace

std::vector<std::uint8_t> parse_channels(std::string_view text) {
  std::vector<std::uint8_t> channels;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    const std::size_t dash = part.find('-');
    const auto first = number_in(part.substr(0, dash), 1, 14);
    const auto last = dash == std::string_view::npos ? first : number_in(part.substr(dash + 1), 1, 14);
    if (!first || !last || *first > *last) {
      return {};
    }
    for (int channel = *first; channel <= *last; ++channel) {
      channels.push_back(static_cast<std::uint8_t>(channel));
    }
    if (comma == std::string_view::npos) {
      return channels;
    }
    text.remove_prefix(comma + 1);
  }
}

int run_air(const AirOptions& options) {
  const auto endpoint = runtime::air::parse_endpoint(options.listen);
  if (!endpoint) {
    fmt::print(stderr, "--listen {}: not an IPv4 address and port such as 127.0.0.1:47000\n", options.listen);
    return kExitUsage;
  }
  if (!endpoint->is_loopback && !options.is_remote_allowed) {
    fmt::print(
        stderr,
        "--listen {}: other machines could reach it; use 127.0.0.1, or add --allow-remote if that is meant\n",
        options.listen);
    return kExitUsage;
  }
  AirConfig config;
  config.channels = parse_channels(options.channels);
  if (config.channels.empty()) {
    fmt::print(stderr, "--channels {}: not a list of channels from 1 to 14 such as 1-13 or 1,6,11\n",
               options.channels);
    return kExitUsage;
  }
  config.loss_ppm = to_ppm(options.loss);
  config.delay = std::chrono::milliseconds{options.delay_ms};
  config.try_count = static_cast<std::uint8_t>(options.tries);
  config.seed = options.seed;
  AirEmulator emulator{std::move(config)};
  if (const auto error = emulator.listen(*endpoint)) {
    fmt::print(stderr, "amphora: emulate: {}\n", error->text());
    return kExitFailed;
  }
  emulator.run();
  return kExitGood;
}

}  // namespace amphora::emulate
