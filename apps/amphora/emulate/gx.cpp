// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/gx.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>

#include "apps/amphora/command.hpp"
#include "apps/amphora/emulate/command_input.hpp"
#include "apps/amphora/json_line.hpp"
#include "core/can/bms_protocol.hpp"
#include "runtime/can/can_port.hpp"
#include "runtime/loop/loop.hpp"
#include "sim/models/gx_device.hpp"

namespace amphora::emulate {

namespace {

template <class Quantity>
void put(JsonLine& json, std::string_view key, const std::optional<Quantity>& value, unsigned decimals) {
  if (value) {
    json.decimal(key, value->count(), decimals);
  }
}

std::string_view to_text(sim::GxEvent::Kind kind) {
  switch (kind) {
    case sim::GxEvent::Kind::kBatteryFound:
      return "battery_found";
    case sim::GxEvent::Kind::kLimitsReceived:
      return "limits_received";
    case sim::GxEvent::Kind::kLimitsLost:
      return "limits_lost";
    case sim::GxEvent::Kind::kCommand:
      return "command";
  }
  return "";
}

class GxEmulator {
 public:
  explicit GxEmulator(const GxOptions& options)
      : options_{options},
        device_{sim::GxConfig{}},
        timer_{loop_},
        signals_{loop_, {SIGINT, SIGTERM, SIGUSR1, SIGUSR2}, [this](int signal) { handle_signal(signal); }} {}

  // Empty, or what is wrong with the interface.
  std::string open() {
    auto port = runtime::open_can(loop_, options_.interface, {},
                                  {.on_frame = [this](const can::Frame& frame) { handle_frame(frame); },
                                   .on_state = [this](can::BusState state) { handle_state(state); }});
    if (!port) {
      return std::string{runtime::to_text(port.error())};
    }
    port_ = *port;
    print("ready", [&](JsonLine& json) { json.text("can", options_.interface); });
    input_ = std::make_unique<CommandInput>(loop_, STDIN_FILENO,
                                            [this](const std::string& line) { handle_command(line); });
    return "";
  }

  void run() {
    device_.handle_timeout(loop_.now());
    pump();
    loop_.run();
  }

 private:
  template <class Fill>
  void print(std::string_view event, Fill fill) {
    line_.clear();
    JsonLine json{line_};
    json.text("event", event);
    json.decimal("time_s", wall_seconds(), 3);
    fill(json);
    json.end();
    (void)std::fwrite(line_.data(), 1, line_.size(), stdout);
    (void)std::fflush(stdout);
  }
  static std::int64_t wall_seconds() { return runtime::wall_now().unix_ms; }

  void handle_frame(const can::Frame& frame) {
    device_.handle_frame(loop_.now(), frame);
    if (!options_.is_events_only && device_.is_present() && frame.id == can::kLimitsId) {
      print_set();
    }
    pump();
  }

  void handle_state(can::BusState state) {
    print("bus", [&](JsonLine& json) {
      json.text("state", runtime::to_text(state));
      if (port_ && port_->last_error()) {
        json.text("error", port_->last_error()->text());
      }
    });
  }

  void print_set() {
    print("set", [this](JsonLine& json) {
      if (const auto& limits = device_.limits()) {
        put(json, "cvl_v", limits->charge_voltage, 1);
        put(json, "ccl_a", limits->charge_current, 1);
        put(json, "dcl_a", limits->discharge_current, 1);
        put(json, "dvl_v", limits->discharge_voltage, 1);
      }
      if (const auto& charge = device_.charge()) {
        put(json, "soc_percent", charge->soc, 0);
        put(json, "soh_percent", charge->soh, 0);
      }
      if (const auto& measured = device_.measurements()) {
        put(json, "voltage_v", measured->voltage, 2);
        put(json, "current_a", measured->current, 1);
        put(json, "temperature_c", measured->temperature, 1);
      }
      if (const auto& cells = device_.cell_extremes()) {
        put(json, "cell_min_v", cells->cell_min, 3);
        put(json, "cell_max_v", cells->cell_max, 3);
      }
      json.number("limit_gap_max_ms", to_milliseconds(device_.statistics().gap_max));
    });
  }

  void pump() {
    const TimePoint now = loop_.now();
    while (const auto frame = device_.poll_transmit(now)) {
      (void)port_->send(*frame);
    }
    while (const auto event = device_.poll_event()) {
      print(to_text(event->kind), [&](JsonLine& json) {
        if (event->kind == sim::GxEvent::Kind::kCommand) {
          const sim::GxCommand& command = device_.command();
          json.boolean("charge_allowed", command.is_charge_allowed);
          json.boolean("discharge_allowed", command.is_discharge_allowed);
          json.decimal("charge_voltage_v", command.charge_voltage.count(), 1);
          json.decimal("charge_current_a", command.charge_current.count(), 1);
          json.decimal("discharge_current_a", command.discharge_current.count(), 1);
        }
      });
    }
    timer_.arm(device_.poll_timeout(), [this] {
      device_.handle_timeout(loop_.now());
      pump();
    });
  }

  void set_present(bool is_present) {
    device_.set_present(loop_.now(), is_present);
    print(is_present ? "returned" : "vanished", [](JsonLine&) {});
    device_.handle_timeout(loop_.now());
    pump();
  }

  void handle_signal(int signal) {
    if (signal == SIGUSR1 || signal == SIGUSR2) {
      set_present(signal == SIGUSR2);
    } else {
      loop_.stop();
    }
  }

  void handle_command(const std::string& line) {
    if (line == "vanish" || line == "return") {
      set_present(line == "return");
    } else if (line == "quit") {
      loop_.stop();
    } else if (!line.empty()) {
      fmt::print(stderr, "amphora: emulate: \"{}\" is not a command; allowed: vanish, return, quit\n", line);
    }
  }

  GxOptions options_;
  runtime::Loop loop_;
  sim::GxDevice device_;
  std::shared_ptr<runtime::CanPort> port_;
  std::unique_ptr<CommandInput> input_;
  runtime::Timer timer_;
  runtime::SignalWatch signals_;
  std::string line_;
};

}  // namespace

int run_gx(const GxOptions& options) {
  GxEmulator emulator{options};
  if (const std::string fault = emulator.open(); !fault.empty()) {
    fmt::print(stderr, "--can {}: {}\n", options.interface, fault);
    return kExitUsage;
  }
  emulator.run();
  return kExitGood;
}

}  // namespace amphora::emulate
