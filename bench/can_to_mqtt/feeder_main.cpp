// SPDX-License-Identifier: Apache-2.0
// The other side of a bridge: sends frames into its CAN bus and judges what comes out at the broker.
//
//   bench_mqtt_feeder CAN MQTT_PORT COUNT RATE     sends; RATE frames a second, 0: as fast as the bridge
//   takes them bench_mqtt_feeder none MQTT_PORT COUNT 0       only listens
//
// Never more than kWindow frames are on their way, so no buffer overflows and every frame must arrive, in
// order and with equal values. Says "ready" once the bridge lives, waits for a line, then "done" and the
// figures. Exit code 1 when a message is missing or wrong.
#include <atomic>
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

constexpr std::int32_t kWindow = 64;
constexpr std::chrono::seconds kPatience{30};  // without a message: a hang

class Judge {
 public:
  void handle_message(std::string_view payload) {
    const auto json = nlohmann::json::parse(payload, nullptr, false);
    const std::lock_guard lock{mutex_};
    if (json.is_object() && json.value("dvl_v", 0.0) == kWarmUpLow) {
      is_alive_ = true;
    } else if (!is_equal(json, expected(arrived_))) {
      if (wrong_++ == 0) {
        std::fprintf(stderr, "message %d is wrong: %.*s\n", arrived_, static_cast<int>(payload.size()),
                     payload.data());
      }
      ++arrived_;
    } else {
      ++arrived_;
    }
    changed_.notify_one();
  }
  bool wait_alive(std::chrono::milliseconds patience) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, patience, [this] { return is_alive_; });
  }
  // False when nothing has come for too long.
  bool wait_arrived(std::int32_t count) {
    std::unique_lock lock{mutex_};
    while (arrived_ < count) {
      const std::int32_t before = arrived_;
      if (!changed_.wait_for(lock, kPatience, [&] { return arrived_ > before; })) {
        return false;
      }
    }
    return true;
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
  std::int32_t arrived_ = 0;
  std::int32_t wrong_ = 0;
};

void send_all(runtime::CanPort& port, Judge& judge, std::int32_t count, int rate) {
  const auto start = std::chrono::steady_clock::now();
  for (std::int32_t i = 0; i < count; ++i) {
    if (rate > 0) {
      std::this_thread::sleep_until(start + std::chrono::microseconds{std::int64_t{i} * 1'000'000 / rate});
    }
    if (!judge.wait_arrived(i - kWindow + 1)) {
      return;
    }
    (void)port.send(expected(i).frame);
  }
}

int run(const std::string& spec, std::uint16_t mqtt_port, std::int32_t count, int rate) {
  Judge judge;
  runtime::MqttOptions options;
  options.port = mqtt_port;
  runtime::MqttClient client{options,
                             {.on_connection = {}, .on_message = [&](auto, std::string_view payload) {
                                judge.handle_message(payload);
                              }}};
  (void)client.subscribe(kTopic);
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
  const bool is_complete = judge.wait_arrived(count);
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
