// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/tinybms.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "apps/amphora/command.hpp"
#include "apps/amphora/emulate/command_input.hpp"
#include "apps/amphora/emulate/event_line.hpp"
#include "apps/amphora/emulate/living_battery.hpp"
#include "apps/amphora/emulate/pty.hpp"
#include "apps/amphora/emulate/register_file.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/serial/serial_port.hpp"

namespace amphora::emulate {

namespace {

constexpr Duration kStep = std::chrono::seconds{1};

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_good = error == std::errc{} && end == text.data() + text.size();
  return is_good ? std::optional{value} : std::nullopt;
}

class TinyBmsEmulator {
 public:
  TinyBmsEmulator(const TinyBmsOptions& options, const RegisterFile* registers)
      : device_{{.seed = options.seed,
                 .is_sleepy = options.is_sleepy,
                 .sleep_after = std::chrono::seconds{options.sleep_after_s}}},
        timer_{loop_},
        step_timer_{loop_},
        fault_timer_{loop_},
        signals_{loop_, {SIGINT, SIGTERM, SIGUSR1, SIGUSR2}, [this](int signal) { handle_signal(signal); }} {
    device_.set_fault(sim::tinybms_fault_from_text(options.fault).value_or(sim::TinyBmsFault::kNone));
    if (registers != nullptr) {
      device_.clear_registers();
      set_registers(*registers);
    } else {
      battery_.emplace(options.seed);
      battery_->advance(loop_.now(), device_);
    }
    open_line(options);
    input_ = std::make_unique<CommandInput>(loop_, STDIN_FILENO,
                                            [this](const std::string& line) { handle_command(line); });
  }

  void run() {
    step();
    pump();
    loop_.run();
  }

 private:
  void open_line(const TinyBmsOptions& options) {
    const auto on_bytes = [this](ByteSpan bytes) {
      device_.handle_bytes(loop_.now(), bytes);
      pump();
    };
    if (options.port.empty()) {
      pty_ = std::make_unique<Pty>(loop_, options.link, on_bytes);
      print_event("ready", [&](JsonLine& json) {
        json.text("device", "tinybms");
        json.text("port", pty_->path());
        if (!options.link.empty()) {
          json.text("link", options.link);
        }
      });
      return;
    }
    const auto on_state = [this, port = options.port](bool is_open) {
      print_event(is_open ? "ready" : "closed", [&](JsonLine& json) {
        json.text("device", "tinybms");
        json.text("port", port);
        if (!is_open && serial_ && serial_->last_error()) {
          json.text("error", serial_->last_error()->text());
        }
      });
    };
    serial_ = std::make_unique<runtime::SerialPort>(loop_, runtime::SerialOptions{.path = options.port},
                                                    runtime::SerialHandlers{on_bytes, on_state});
  }

  void set_registers(const RegisterFile& registers) {
    for (const auto& [number, value] : registers.values) {
      (void)device_.set_register(number, value);
    }
  }

  // Sends what there is, reports what happened, and arms the timer for what comes next.
  void pump() {
    std::array<std::uint8_t, 512> buffer;
    for (std::size_t size = 0; (size = device_.poll_transmit(loop_.now(), buffer)) > 0;) {
      const ByteSpan bytes{buffer.data(), size};
      (void)(pty_ ? pty_->write(bytes) : serial_->write(bytes));
    }
    while (const auto event = device_.poll_event()) {
      report(*event);
    }
    timer_.arm(device_.poll_timeout(), [this] {
      device_.handle_timeout(loop_.now());
      pump();
    });
  }

  static void report(const sim::TinyBmsDeviceEvent& event) {
    using Type = sim::TinyBmsDeviceEventType;
    switch (event.type) {
      case Type::kWokeUp:
        return print_event("woke_up", [](JsonLine&) {});
      case Type::kFellAsleep:
        return print_event("fell_asleep", [](JsonLine&) {});
      case Type::kReset:
        return print_event("reset", [](JsonLine&) {});
      case Type::kSettingWritten:
        return print_event("setting_written", [&](JsonLine& json) {
          json.number("register", event.number);
          json.number("raw", event.value);
        });
    }
  }

  void step() {
    if (battery_) {
      battery_->advance(loop_.now(), device_);
    }
    step_timer_.arm(loop_.now() + kStep, [this] { step(); });
  }

  void set_fault(sim::TinyBmsFault fault, std::optional<std::int64_t> seconds) {
    fault_timer_.cancel();
    device_.set_fault(fault);
    print_event("fault", [&](JsonLine& json) { json.text("fault", sim::to_text(fault)); });
    if (seconds) {
      fault_timer_.arm(loop_.now() + std::chrono::seconds{*seconds},
                       [this] { set_fault(sim::TinyBmsFault::kNone, std::nullopt); });
    }
  }

  void handle_signal(int signal) {
    if (signal == SIGUSR1) {
      set_fault(sim::TinyBmsFault::kSilent, std::nullopt);
    } else if (signal == SIGUSR2) {
      set_fault(sim::TinyBmsFault::kNone, std::nullopt);
    } else {
      loop_.stop();
    }
  }

  void handle_command(const std::string& line) {
    std::istringstream words{line};
    std::string verb;
    std::string rest;
    words >> verb;
    std::getline(words >> std::ws, rest);
    if (verb.empty()) {
      return;
    }
    if (const std::string fault = obey(verb, rest); !fault.empty()) {
      fmt::print(stderr, "amphora: emulate: {}\n", fault);
    }
    pump();
  }

  // Empty, or why not.
  std::string obey(const std::string& verb, const std::string& rest) {
    if (verb == "quit") {
      loop_.stop();
      return "";
    }
    if (verb == "set") {
      const RegisterFile registers = parse_registers(rest, "set");
      set_registers(registers);
      return registers.errors.empty() ? "" : registers.errors.front();
    }
    if (verb == "event") {
      const auto id = whole_number(rest);
      if (!id || *id < 1 || *id > 0x90) {
        return fmt::format("event \"{}\": allowed: a number from 1 to 144", rest);
      }
      device_.add_event(loop_.now(), static_cast<std::uint8_t>(*id));
      return "";
    }
    if (verb == "current") {
      return obey_current(rest);
    }
    const auto fault = sim::tinybms_fault_from_text(verb == "normal" ? "none" : verb);
    const auto seconds = rest.empty() ? std::nullopt : whole_number(rest);
    if (!fault) {
      return fmt::format(
          "\"{}\" is not a command; allowed: normal, silent, corrupt, nack, stuck, truncated, "
          "joined, set, event, current, quit",
          verb);
    }
    if (!rest.empty() && (!seconds || *seconds < 1 || *seconds > 86'400)) {
      return fmt::format("{} \"{}\": allowed: 1 to 86400 seconds", verb, rest);
    }
    set_fault(*fault, seconds);
    return "";
  }

  std::string obey_current(const std::string& rest) {
    const auto amperes = whole_number(rest);
    if (!battery_) {
      return "current: the values come from a register file; use set";
    }
    if (rest != "auto" && (!amperes || *amperes < -300 || *amperes > 300)) {
      return fmt::format("current \"{}\": allowed: -300 to 300, or auto", rest);
    }
    battery_->hold_current(rest == "auto" ? std::nullopt : std::optional{Milliamps{*amperes * 1000}});
    return "";
  }

  runtime::Loop loop_;
  sim::TinyBmsDevice device_;
  std::optional<LivingBattery> battery_;
  std::unique_ptr<Pty> pty_;
  std::unique_ptr<runtime::SerialPort> serial_;
  std::unique_ptr<CommandInput> input_;
  runtime::Timer timer_;
  runtime::Timer step_timer_;
  runtime::Timer fault_timer_;
  runtime::SignalWatch signals_;
};

}  // namespace

int run_tinybms(const TinyBmsOptions& options) {
  RegisterFile registers;
  if (!options.registers.empty()) {
    registers = read_register_file(options.registers);
    for (const std::string& error : registers.errors) {
      fmt::print(stderr, "{}\n", error);
    }
    if (!registers.errors.empty()) {
      return kExitUsage;
    }
  }
  TinyBmsEmulator emulator{options, options.registers.empty() ? nullptr : &registers};
  emulator.run();
  return kExitGood;
}

}  // namespace amphora::emulate
