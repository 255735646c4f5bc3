// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/house.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "apps/amphora/command.hpp"
#include "apps/amphora/emulate/command_input.hpp"
#include "apps/amphora/emulate/event_line.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/mqtt/mqtt_client.hpp"

namespace amphora::emulate {

namespace {

constexpr Duration kStep = std::chrono::seconds{1};
constexpr Duration kStateAge = std::chrono::seconds{30};
constexpr std::int64_t kPowerMax = 1'000'000;  // W

struct RelayName {
  const char* name;
  bool PackState::*is_closed;
};
constexpr auto kRelayNames = std::array{RelayName{"grid", &PackState::is_grid_closed},
                                        RelayName{"inverter_output", &PackState::is_inverter_closed},
                                        RelayName{"pool_pump", &PackState::is_pump_closed},
                                        RelayName{"water_heater", &PackState::is_heater_closed}};

struct PowerName {
  std::string_view name;
  Watts HousePowers::*power;
};
constexpr auto kPowerNames = std::array{
    PowerName{"grid_w", &HousePowers::grid}, PowerName{"inverter_output_w", &HousePowers::inverter_output},
    PowerName{"pool_pump_w", &HousePowers::pool_pump},
    PowerName{"water_heater_w", &HousePowers::water_heater}, PowerName{"solar_w", &HousePowers::sun}};

template <class Number>
std::optional<Number> number_in(std::string_view text, Number low, Number high) {
  Number value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < low || value > high) {
    return std::nullopt;
  }
  return value;
}

// "13:05" as a minute of the day.
std::optional<std::int64_t> parse_clock(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const auto hour = number_in<std::int64_t>(text.substr(0, colon), 0, 23);
  const auto minute = number_in<std::int64_t>(text.substr(colon + 1), 0, 59);
  return hour && minute ? std::optional{*hour * 60 + *minute} : std::nullopt;
}

struct Home {
  std::string topic;        // of its sensors, without the last level
  std::string state_topic;  // of its pack
  LivingHouse house;
  HousePowers powers;
  PackState pack;
  TimePoint heard_at{};
};

class HouseEmulator {
 public:
  HouseEmulator(const HouseOptions& options, runtime::MqttOptions mqtt)
      : options_{options},
        step_timer_{loop_},
        signals_{loop_, {SIGINT, SIGTERM}, [this](int) { loop_.stop(); }},
        client_{std::move(mqtt), handlers()} {
    for (int i = 1; i <= options.pack_count; ++i) {
      const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(i) * 1000;
      homes_.push_back({.topic = fmt::format("{}/pack-{}", options.base, i),
                        .state_topic = fmt::format("amphora/{}/pack_{}/pack", options.site, i),
                        .house = LivingHouse{{.seed = seed,
                                              .day_seconds = options.day_seconds,
                                              .is_outside = options.is_outside}},
                        .powers = {},
                        .pack = {},
                        .heard_at = {}});
    }
  }

  // Empty, or the topic that cannot be.
  std::string start() {
    for (const Home& home : homes_) {
      if (!runtime::is_publish_topic(home.topic)) {
        return home.topic;
      }
      if (!runtime::is_publish_topic(home.state_topic) || !client_.subscribe(home.state_topic, 0)) {
        return home.state_topic;
      }
    }
    input_ = std::make_unique<CommandInput>(loop_, STDIN_FILENO,
                                            [this](const std::string& line) { handle_command(line); });
    client_.start();
    return "";
  }

  void run() {
    step();
    loop_.run();
  }

 private:
  // They are called on the client's thread.
  runtime::MqttHandlers handlers() {
    return {.on_connection =
                [this](bool is_connected) { loop_.post([this, is_connected] { show_link(is_connected); }); },
            .on_message =
                [this](std::string_view topic, std::string_view payload) {
                  loop_.post([this, topic = std::string{topic}, payload = std::string{payload}] {
                    handle_state(topic, payload);
                  });
                }};
  }

  void show_link(bool is_connected) {
    print_event(is_connected ? "ready" : "disconnected", [&](JsonLine& json) {
      json.text("device", "house");
      json.text("mqtt", options_.mqtt);
      json.number("packs", options_.pack_count);
    });
  }

  void handle_state(const std::string& topic, const std::string& payload) {
    for (std::size_t i = 0; i < homes_.size(); ++i) {
      if (homes_[i].state_topic != topic) {
        continue;
      }
      const auto state = parse_pack_state(payload);
      if (!state) {
        print_event("bad_state", [&](JsonLine& json) { json.text("topic", topic); });
        return;
      }
      homes_[i].heard_at = loop_.now();
      take(i, *state);
    }
  }

  void take(std::size_t index, const PackState& state) {
    Home& home = homes_[index];
    PackState before = home.pack;
    home.pack = state;
    before.battery = state.battery;
    if (before == state) {
      return;
    }
    print_event("relays", [&](JsonLine& json) {
      json.number("pack", static_cast<std::int64_t>(index) + 1);
      for (const RelayName& relay : kRelayNames) {
        json.text(relay.name, state.*relay.is_closed ? "closed" : "open");
      }
    });
    publish(home);
  }

  void publish(Home& home) {
    home.powers = home.house.advance(loop_.now(), home.pack);
    for (const PowerName& entry : kPowerNames) {
      (void)client_.publish_state(fmt::format("{}/{}", home.topic, entry.name),
                                  fmt::format("{}", (home.powers.*entry.power).count()));
    }
  }

  void step() {
    const TimePoint now = loop_.now();
    for (std::size_t i = 0; i < homes_.size(); ++i) {
      if (now - homes_[i].heard_at > kStateAge) {
        take(i, {});
      }
      publish(homes_[i]);
    }
    step_timer_.arm(now + kStep, [this] { step(); });
  }

  void show_status() {
    for (std::size_t i = 0; i < homes_.size(); ++i) {
      const Home& home = homes_[i];
      print_event("status", [&](JsonLine& json) {
        const std::int64_t minute = home.house.minute_of_day();
        json.number("pack", static_cast<std::int64_t>(i) + 1);
        json.text("time", fmt::format("{:02}:{:02}", minute / 60, minute % 60));
        for (const PowerName& entry : kPowerNames) {
          json.number(entry.name, (home.powers.*entry.power).count());
        }
        json.number("battery_w", home.pack.battery.count());
      });
    }
  }

  void handle_command(const std::string& line) {
    const std::size_t blank = line.find(' ');
    const std::string verb = line.substr(0, blank);
    const std::string rest = blank == std::string::npos ? "" : line.substr(blank + 1);
    const auto clock = verb == "time" ? parse_clock(rest) : std::nullopt;
    if (line == "quit") {
      loop_.stop();
    } else if (line == "status") {
      show_status();
    } else if (clock) {
      for (Home& home : homes_) {
        home.house.skip_to(*clock);
        publish(home);
      }
      show_status();
    } else if (!line.empty()) {
      fmt::print(
          stderr,
          "amphora: emulate: \"{}\" is not a command; allowed: time HH:MM (00:00 to 23:59), status, quit\n",
          line);
    }
  }

  HouseOptions options_;
  runtime::Loop loop_;
  std::vector<Home> homes_;
  std::unique_ptr<CommandInput> input_;
  runtime::Timer step_timer_;
  runtime::SignalWatch signals_;
  runtime::MqttClient client_;  // the last: its thread ends before what it calls
};

}  // namespace

std::optional<PackState> parse_pack_state(std::string_view json) {
  const auto object = nlohmann::json::parse(json, nullptr, false);
  if (!object.is_object()) {
    return std::nullopt;
  }
  PackState state;
  if (const auto power = object.find("battery_w"); power != object.end()) {
    if (!power->is_number() || power->get<double>() > kPowerMax || power->get<double>() < -kPowerMax) {
      return std::nullopt;
    }
    state.battery = Watts{static_cast<std::int32_t>(power->get<double>())};
  }
  const auto relays = object.find("relays");
  if (relays == object.end()) {
    return state;
  }
  if (!relays->is_object()) {
    return std::nullopt;
  }
  for (const RelayName& relay : kRelayNames) {
    if (const auto position = relays->find(relay.name); position != relays->end()) {
      if (*position != "open" && *position != "closed") {
        return std::nullopt;
      }
      state.*relay.is_closed = *position == "closed";
    }
  }
  return state;
}

int run_house(const HouseOptions& options) {
  const std::size_t colon = options.mqtt.rfind(':');
  const auto port =
      colon == std::string::npos
          ? std::nullopt
          : number_in<std::uint16_t>(std::string_view{options.mqtt}.substr(colon + 1), 1, 65'535);
  if (!port || colon == 0) {
    fmt::print(stderr, "--mqtt {}: allowed: HOST:PORT, for example 127.0.0.1:1883\n", options.mqtt);
    return kExitUsage;
  }
  runtime::MqttOptions mqtt;
  mqtt.host = options.mqtt.substr(0, colon);
  mqtt.port = *port;
  mqtt.state_topic_capacity = kPowerNames.size() * kHouseCountMax;
  if (const auto fault = runtime::check_mqtt_options(mqtt)) {
    fmt::print(stderr, "--mqtt {}: {}\n", options.mqtt, *fault);
    return kExitUsage;
  }
  HouseEmulator emulator{options, std::move(mqtt)};
  if (const std::string topic = emulator.start(); !topic.empty()) {
    fmt::print(stderr, "amphora: emulate: \"{}\" cannot be a topic; change --base or --site\n", topic);
    return kExitUsage;
  }
  emulator.run();
  return kExitGood;
}

}  // namespace amphora::emulate
