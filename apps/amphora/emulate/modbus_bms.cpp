// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/modbus_bms.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <memory>
#include <optional>
#include <sstream>

#include "apps/amphora/command.hpp"
#include "apps/amphora/emulate/command_input.hpp"
#include "apps/amphora/emulate/event_line.hpp"
#include "apps/amphora/emulate/living_battery.hpp"
#include "apps/amphora/emulate/pty.hpp"
#include "apps/amphora/emulate/register_file.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/serial/serial_port.hpp"
#include "sim/models/modbus_bms_device.hpp"

namespace amphora::emulate {

namespace {

constexpr Duration kStep = std::chrono::seconds{1};
constexpr std::int64_t kSecondsMax = 86'400;

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_good = error == std::errc{} && end == text.data() + text.size();
  return is_good ? std::optional{value} : std::nullopt;
}

class ModbusBmsEmulator {
 public:
  ModbusBmsEmulator(const ModbusBmsOptions& options, const RegisterFile* registers)
      : options_{options},
        device_{{.seed = options.seed, .address = static_cast<std::uint8_t>(options.address)}},
        timer_{loop_},
        step_timer_{loop_},
        fault_timer_{loop_},
        plug_timer_{loop_},
        signals_{loop_, {SIGINT, SIGTERM, SIGUSR1, SIGUSR2}, [this](int signal) { handle_signal(signal); }} {
    if (registers != nullptr) {
      set_registers(*registers);
    } else {
      battery_.emplace(LivingBatteryConfig{.seed = options.seed,
                                           .cell_count = options.cell_count,
                                           .soc_start = BasisPoints{options.soc_percent * 100}});
      battery_->advance(loop_.now(), device_);
    }
    apply_fault(options.fault);
    plug();
    input_ = std::make_unique<CommandInput>(loop_, STDIN_FILENO,
                                            [this](const std::string& line) { handle_command(line); });
  }

  void run() {
    step();
    pump();
    loop_.run();
  }

 private:
  void plug() {
    plug_timer_.cancel();
    if (pty_ || serial_) {
      return;
    }
    const auto on_bytes = [this](ByteSpan bytes) {
      device_.handle_bytes(loop_.now(), bytes);
      pump();
    };
    if (options_.port.empty()) {
      pty_ = std::make_unique<Pty>(loop_, options_.link, on_bytes);
      print_event("ready", [&](JsonLine& json) {
        json.text("device", "modbus-bms");
        json.text("port", pty_->path());
        if (!options_.link.empty()) {
          json.text("link", options_.link);
        }
      });
      return;
    }
    const auto on_state = [this](bool is_open) {
      print_event(is_open ? "ready" : "closed", [&](JsonLine& json) {
        json.text("device", "modbus-bms");
        json.text("port", options_.port);
        if (!is_open && serial_ && serial_->last_error()) {
          json.text("error", serial_->last_error()->text());
        }
      });
    };
    serial_ = std::make_unique<runtime::SerialPort>(
        loop_, runtime::SerialOptions{.path = options_.port, .baud = options_.baud},
        runtime::SerialHandlers{on_bytes, on_state});
  }

  void unplug(std::optional<std::int64_t> seconds) {
    pty_.reset();
    serial_.reset();
    print_event("unplugged", [](JsonLine&) {});
    plug_timer_.cancel();
    if (seconds) {
      plug_timer_.arm(loop_.now() + std::chrono::seconds{*seconds}, [this] { plug(); });
    }
  }

  void set_registers(const RegisterFile& registers) {
    for (const auto& [number, value] : registers.values) {
      device_.set_register(number, value);
    }
  }

  // Sends what there is, reports what happened, and arms the timer for what comes next.
  void pump() {
    std::array<std::uint8_t, 512> buffer;
    for (std::size_t size = 0; (size = device_.poll_transmit(loop_.now(), buffer)) > 0;) {
      const ByteSpan bytes{buffer.data(), size};
      if (pty_) {
        (void)pty_->write(bytes);
      } else if (serial_) {
        (void)serial_->write(bytes);
      }
    }
    while (const auto refusal = device_.poll_event()) {
      print_event("refused", [&](JsonLine& json) {
        json.number("function", refusal->function);
        json.number("register", refusal->first);
        json.number("count", refusal->count);
        json.number("exception", static_cast<std::int64_t>(refusal->code));
      });
    }
    timer_.arm(device_.poll_timeout(), [this] {
      device_.handle_timeout(loop_.now());
      pump();
    });
  }

  void step() {
    if (battery_) {
      battery_->advance(loop_.now(), device_);
    }
    step_timer_.arm(loop_.now() + kStep, [this] { step(); });
  }

  // False when there is no such fault. One at a time: each replaces the one before.
  bool apply_fault(const std::string& name) {
    const auto of_line = sim::modbus_fault_from_text(name);
    const auto of_battery = battery_fault_from_text(name);
    if (!of_line && !of_battery) {
      return false;
    }
    device_.set_fault(of_line.value_or(sim::ModbusFault::kNone));
    if (battery_) {
      battery_->set_fault(of_battery.value_or(BatteryFault::kNone));
      battery_->advance(loop_.now(), device_);
    }
    return true;
  }

  void set_fault(const std::string& name, std::optional<std::int64_t> seconds) {
    fault_timer_.cancel();
    (void)apply_fault(name);
    print_event("fault", [&](JsonLine& json) { json.text("fault", name); });
    if (seconds) {
      fault_timer_.arm(loop_.now() + std::chrono::seconds{*seconds},
                       [this] { set_fault("none", std::nullopt); });
    }
  }

  void handle_signal(int signal) {
    if (signal == SIGUSR1) {
      set_fault("silent", std::nullopt);
    } else if (signal == SIGUSR2) {
      set_fault("none", std::nullopt);
    } else {
      loop_.stop();
    }
  }

  void handle_command(const std::string& line) {
    std::istringstream words{line};
    std::string verb;
    std::string rest;
    words >> verb;
    if (verb == "fault") {
      words >> verb;
    }
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
    if (verb == "plug") {
      plug();
      return "";
    }
    if (verb == "set") {
      const RegisterFile registers = parse_registers(rest, "set");
      set_registers(registers);
      return registers.errors.empty() ? "" : registers.errors.front();
    }
    if (verb == "current") {
      return obey_current(rest);
    }
    const auto seconds = rest.empty() ? std::nullopt : whole_number(rest);
    if (!rest.empty() && (!seconds || *seconds < 1 || *seconds > kSecondsMax)) {
      return fmt::format("{} \"{}\": allowed: 1 to {} seconds", verb, rest, kSecondsMax);
    }
    if (verb == "unplug") {
      unplug(seconds);
      return "";
    }
    const std::string name = verb == "normal" ? "none" : verb;
    const auto of_battery = battery_fault_from_text(name);
    if (!of_battery && !sim::modbus_fault_from_text(name)) {
      return fmt::format("\"{}\" is not a command; allowed: normal, {}, unplug, plug, set, current, quit",
                         verb, fmt::join(modbus_fault_names(), ", "));
    }
    if (of_battery && *of_battery != BatteryFault::kNone && !battery_) {
      return fmt::format("{}: the values come from a register file; use set", verb);
    }
    set_fault(name, seconds);
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
    battery_->advance(loop_.now(), device_);
    return "";
  }

  ModbusBmsOptions options_;
  runtime::Loop loop_;
  sim::ModbusBmsDevice device_;
  std::optional<LivingBattery> battery_;
  std::unique_ptr<Pty> pty_;
  std::unique_ptr<runtime::SerialPort> serial_;
  std::unique_ptr<CommandInput> input_;
  runtime::Timer timer_;
  runtime::Timer step_timer_;
  runtime::Timer fault_timer_;
  runtime::Timer plug_timer_;
  runtime::SignalWatch signals_;
};

}  // namespace

std::vector<std::string> modbus_fault_names() {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(sim::ModbusFault::kLate); ++i) {
    names.emplace_back(sim::to_text(static_cast<sim::ModbusFault>(i)));
  }
  for (int i = 1; i <= static_cast<int>(BatteryFault::kImbalance); ++i) {
    names.emplace_back(to_text(static_cast<BatteryFault>(i)));
  }
  return names;
}

int run_modbus_bms(const ModbusBmsOptions& options) {
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
  ModbusBmsEmulator emulator{options, options.registers.empty() ? nullptr : &registers};
  emulator.run();
  return kExitGood;
}

}  // namespace amphora::emulate
