// SPDX-License-Identifier: Apache-2.0
// The other side of a bridge: sends frames into its CAN bus and judges what comes out at the broker.
//
//   bench_mqtt_feeder CAN|none MQTT_PORT COUNT RATE
//
// RATE is frames a second, 0 as fast as the bridge takes them. With "none" it only listens. Never more than
// kWindow frames are on their way, so no buffer overflows and every frame must arrive, with equal values. It
// says "ready" once the bridge lives, waits for a line, then prints the figures. Exit code 1 when a message
// is missing or wrong.
#include <array>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "bench/can_to_mqtt/stream.hpp"
#include "runtime/can/can_port.hpp"
#include "runtime/mqtt/mqtt_client.hpp"

namespace amphora::bench {
namespace {

constexpr std::chrono::seconds kPatience{30};  // without a message: a hang

class Judge {
 public:
  void handle_message(std::string_view topic, std::string_view payload) {
    const auto json = nlohmann::json::parse(payload, nullptr, false);
    const std::lock_guard lock{mutex_};
    if (json.is_object() && json.value("dvl_v", 0.0) == kWarmUpLow) {
      is_alive_ = true;
    } else {
      handle_frame(topic, payload, json);
    }
    changed_.notify_one();
  }
  bool wait_alive(std::chrono::milliseconds patience) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, [this] { return is_alive_; });
  }
  // Until the frame before this one in its place has arrived. False when it does not come.
  bool wait_place(std::int32_t number) {
    return wait([this, number] { return arrived_in_[place_of(number)] >= number / kWindow; });
  }
  bool wait_all(std::int32_t count) {
    return wait([this, count] { return arrived_ >= count; });
  }
  std::int32_t arrived() {
    const std::lock_guard lock{mutex_};
    return arrived_;
  }
  std::int32_t wrong() {
    const std::lock_guard lock{mutex_};
    return wrong_;
  }

 private:
  static std::size_t place_of(std::int32_t number) { return static_cast<std::size_t>(number % kWindow); }

  // A topic without a place is one in which all frames come in order.
  void handle_frame(std::string_view topic, std::string_view payload, const nlohmann::json& json) {
    const std::size_t prefix = std::string_view{kTopic}.size() + 1;
    const std::int32_t told =
        topic.size() > prefix ? std::atoi(std::string{topic.substr(prefix)}.c_str()) : arrived_;
    std::int32_t& count = arrived_in_[place_of(told)];
    const std::int32_t number = count * kWindow + static_cast<std::int32_t>(place_of(told));
    ++count;
    ++arrived_;
    if (!is_equal(json, expected(number)) && wrong_++ == 0) {
      std::fprintf(stderr, "message %d is wrong: %.*s\n", number, static_cast<int>(payload.size()),
                   payload.data());
    }
  }
  // False when nothing has come for too long.
  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock{mutex_};
    while (!condition()) {
      const std::int32_t before = arrived_;
      if (!changed_.wait_for(lock, kPatience, [&] { return arrived_ > before; })) {
        return false;
      }
    }
    return true;
  }
  static bool is_equal(const nlohmann::json& json, const Expected& wanted) {
    for (const Value& value : wanted.values) {
      if (value.key.empty()) {
        continue;
      }
      if (!json.is_object() || !json.contains(value.key) || !json[std::string{value.key}].is_number() ||
          std::abs(json[std::string{value.key}].get<double>() - value.value) > 1e-9) {
        return false;
      }
    }
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_alive_ = false;
  std::array<std::int32_t, kWindow> arrived_in_{};
  std::int32_t arrived_ = 0;
  std::int32_t wrong_ = 0;
};

void send_all(runtime::CanPort& port, Judge& judge, std::int32_t count, int rate) {
  const auto start = std::chrono::steady_clock::now();
  for (std::int32_t i = 0; i < count; ++i) {
    if (rate > 0) {
      std::this_thread::sleep_until(start + std::chrono::microseconds{std::int64_t{i} * 1'000'000 / rate});
    }
    if (!judge.wait_place(i)) {
      return;
    }
    (void)port.send(expected(i).frame);
  }
}

int run(const std::string& spec, std::uint16_t mqtt_port, std::int32_t count, int rate) {
  Judge judge;
  runtime::MqttOptions options;
  options.port = mqtt_port;
  runtime::MqttClient client{
      options, {.on_connection = {}, .on_message = [&](std::string_view topic, std::string_view payload) {
                  judge.handle_message(topic, payload);
                }}};
  (void)client.subscribe(std::string{kTopic} + "/#");
  client.start();
  runtime::Loop loop;
  std::shared_ptr<runtime::CanPort> port;
  if (spec != "none") {
    port = *runtime::open_can(loop, spec, {}, {});
  }
  const auto give_up_at = std::chrono::steady_clock::now() + kPatience;
  while (!judge.wait_alive(std::chrono::milliseconds{100})) {
    if (std::chrono::steady_clock::now() > give_up_at) {
      std::fprintf(stderr, "the bridge never published anything\n");
      return 1;
    }
    if (port) {
      (void)port->send(warm_up_frame());
    }
  }
  std::puts("ready");
  (void)std::fflush(stdout);
  (void)std::getchar();
  const auto start = std::chrono::steady_clock::now();
  if (port) {
    send_all(*port, judge, count, rate);
  }
  const bool is_complete = judge.wait_all(count);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  std::printf("{\"arrived\":%d,\"wrong\":%d,\"seconds\":%.3f}\n", judge.arrived(), judge.wrong(),
              spent.count());
  return is_complete && judge.arrived() == count && judge.wrong() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace amphora::bench

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_mqtt_feeder CAN|none MQTT_PORT COUNT RATE\n");
    return 2;
  }
  return amphora::bench::run(argv[1], static_cast<std::uint16_t>(std::atoi(argv[2])), std::atoi(argv[3]),
                             std::atoi(argv[4]));
}
