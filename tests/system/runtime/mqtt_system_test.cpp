// SPDX-License-Identifier: Apache-2.0
// The MQTT client against Mosquitto, on loopback: order, no loss over a killed broker and a restarted
// program, birth and will, newest-wins state, access control.
#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "runtime/loop/loop.hpp"
#include "runtime/mqtt/mqtt_client.hpp"
#include "runtime/store_sqlite/store.hpp"
#include "tests/system/runtime/process.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;
using test::Process;

class Broker {
 public:
  Broker() : port_{test::free_port()}, directory_{"/tmp/amphora_broker_" + std::to_string(::getpid())} {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directory(directory_);
    std::ofstream{directory_ + "/mosquitto.conf"} << "listener " << port_
                                                  << " 127.0.0.1\nallow_anonymous true\n"
                                                  << "persistence false\nuser root\nlog_type none\n";
  }
  ~Broker() { std::filesystem::remove_all(directory_); }
  void start() {
    process_ = std::make_unique<Process>(
        std::vector<std::string>{"mosquitto", "-c", directory_ + "/mosquitto.conf"});
    const TimePoint end = steady_now() + 20s;
    while (!test::is_listening(port_) && steady_now() < end) {
      std::this_thread::sleep_for(5ms);
    }
    ASSERT_TRUE(test::is_listening(port_)) << "mosquitto did not start";
  }
  // As a power cut does: nothing is said, nothing is written.
  void kill() { process_.reset(); }
  std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_;
  std::string directory_;
  std::unique_ptr<Process> process_;
};

MqttOptions options_for(const Broker& broker) {
  MqttOptions options;
  options.port = broker.port();
  options.reconnect_after_min = 10ms;
  options.reconnect_after_max = 50ms;
  options.keepalive_s = 5;
  return options;
}

// What a subscriber has heard, by topic.
class Listener {
 public:
  Listener(const Broker& broker, const std::string& filter)
      : client_{options_for(broker),
                {.on_connection = {}, .on_message = [this](std::string_view topic, std::string_view payload) {
                   const std::lock_guard lock{mutex_};
                   heard_[std::string{topic}].emplace_back(payload);
                 }}} {
    client_.subscribe(filter);
    client_.subscribe("probe/" + filter.substr(0, filter.find('/')));
    client_.start();
  }
  std::vector<std::string> heard(const std::string& topic) const {
    const std::lock_guard lock{mutex_};
    const auto found = heard_.find(topic);
    return found == heard_.end() ? std::vector<std::string>{} : found->second;
  }
  bool is_connected() const { return client_.status().is_connected; }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> heard_;
  MqttClient client_;
};

template <class Condition>
bool wait_for(Condition condition) {
  const TimePoint end = steady_now() + 30s;  // only ends a hanging test
  while (!condition() && steady_now() < end) {
    std::this_thread::sleep_for(2ms);
  }
  return condition();
}

// In order and without a gap; a repeated delivery (allowed by QoS 1) repeats what was just before.
void expect_complete(const std::vector<std::string>& heard, int count) {
  std::vector<int> first;
  for (const std::string& text : heard) {
    const int number = std::stoi(text);
    if (std::find(first.begin(), first.end(), number) == first.end()) {
      first.push_back(number);
    }
  }
  ASSERT_EQ(first.size(), static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(first[static_cast<std::size_t>(i)], i + 1);
  }
}

TEST(MqttSystem, readings_survive_a_killed_broker_in_order) {
  Broker broker;
  broker.start();
  Listener listener{broker, "p/#"};
  ASSERT_TRUE(wait_for([&] { return listener.is_connected(); }));
  MqttClient client{options_for(broker), {}};
  client.start();
  int next = 1;
  const auto publish = [&](int count) {
    for (int i = 0; i < count; ++i, ++next) {
      ASSERT_TRUE(
          client.publish_reading(static_cast<std::uint64_t>(next), "p/reading", std::to_string(next)));
    }
  };
  publish(100);
  ASSERT_TRUE(wait_for([&] { return client.status().queued == 0; }));
  broker.kill();
  ASSERT_TRUE(wait_for([&] { return !client.status().is_connected && !listener.is_connected(); }));
  EXPECT_FALSE(client.status().error.empty());
  publish(150);
  EXPECT_EQ(client.status().queued, 150U);
  broker.start();
  // The publisher must not be faster than the subscriber: a clean broker keeps nothing for those who are not
  // there. So the listener's own return is awaited with a probe before the count is judged.
  ASSERT_TRUE(wait_for([&] { return client.status().queued == 0; }));
  ASSERT_TRUE(wait_for([&] { return listener.is_connected(); }));
  publish(10);
  ASSERT_TRUE(wait_for([&] { return client.status().queued == 0; }));
  EXPECT_EQ(client.status().dropped, 0U);
  EXPECT_GE(client.status().acknowledged, 260U);
  ASSERT_TRUE(wait_for([&] {
    const auto heard = listener.heard("p/reading");
    return !heard.empty() && heard.back() == "260";
  }));
}

TEST(MqttSystem, what_was_not_acknowledged_is_sent_after_a_restart_of_the_program) {
  const std::string directory = "/tmp/amphora_mqtt_store_" + std::to_string(::getpid());
  std::filesystem::remove_all(directory);
  StoreOptions store_options;
  store_options.directory = directory;
  Broker broker;
  {
    auto store = std::move(Store::open(store_options).value());
    MqttClient client{options_for(broker), {}, store.get(), {}};
    client.start();  // the broker is not there
    for (int i = 1; i <= 50; ++i) {
      ASSERT_TRUE(client.publish_reading(static_cast<std::uint64_t>(i), "p/reading", std::to_string(i)));
    }
  }
  broker.start();
  Listener listener{broker, "p/#"};
  ASSERT_TRUE(wait_for([&] { return listener.is_connected(); }));
  // Connected is not yet subscribed: a retained message tells when the subscription is in force.
  {
    auto store = std::move(Store::open(store_options).value());
    ASSERT_EQ(store->stored().readings.size(), 50U);
    EXPECT_EQ(store->stored().last_reading_sequence, 50U);
    MqttClient probe{options_for(broker), {}};
    probe.start();
    ASSERT_TRUE(wait_for([&] {
      probe.publish_event("p/probe", "x");
      std::this_thread::sleep_for(10ms);
      return !listener.heard("p/probe").empty();
    }));
    MqttClient client{options_for(broker), {}, store.get(), store->stored().readings};
    client.start();
    for (int i = 51; i <= 60; ++i) {
      ASSERT_TRUE(client.publish_reading(static_cast<std::uint64_t>(i), "p/reading", std::to_string(i)));
    }
    ASSERT_TRUE(wait_for([&] { return client.status().queued == 0; }));
    ASSERT_TRUE(wait_for([&] { return listener.heard("p/reading").size() >= 60; }));
    expect_complete(listener.heard("p/reading"), 60);
  }
  EXPECT_TRUE(Store::open(store_options).value()->stored().readings.empty());
  std::filesystem::remove_all(directory);
}

TEST(MqttSystem, many_broker_deaths_lose_nothing) {
  Broker broker;
  broker.start();
  // The listener lives through the same deaths, so it cannot be the witness: the acknowledgements are counted
  // at the publisher, and a second run of the same numbers into one living broker is not needed.
  MqttClient client{options_for(broker), {}};
  client.start();
  std::uint64_t next = 1;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 200; ++i, ++next) {
      ASSERT_TRUE(client.publish_reading(next, "p/reading", std::to_string(next)));
    }
    broker.kill();
    broker.start();
  }
  ASSERT_TRUE(wait_for([&] { return client.status().queued == 0; }));
  EXPECT_EQ(client.status().acknowledged, next - 1);
  EXPECT_EQ(client.status().dropped, 0U);
}

TEST(MqttSystem, birth_and_will_are_retained) {
  Broker broker;
  broker.start();
  MqttOptions options = options_for(broker);
  options.status_topic = "p/status";
  auto client = std::make_unique<MqttClient>(options, MqttHandlers{});
  client->start();
  ASSERT_TRUE(wait_for([&] { return client->status().is_connected; }));
  Listener listener{broker, "p/#"};
  ASSERT_TRUE(wait_for([&] { return listener.heard("p/status") == std::vector<std::string>{"online"}; }));
  client.reset();
  ASSERT_TRUE(wait_for([&] { return listener.heard("p/status").size() == 2; }));
  EXPECT_EQ(listener.heard("p/status")[1], "offline");
  Listener late{broker, "p/#"};
  ASSERT_TRUE(wait_for([&] { return late.heard("p/status") == std::vector<std::string>{"offline"}; }));
}

TEST(MqttSystem, a_program_that_dies_is_declared_offline_by_the_broker) {
  Broker broker;
  broker.start();
  Listener listener{broker, "p/#"};
  const pid_t child = ::fork();
  if (child == 0) {
    MqttOptions options = options_for(broker);
    options.status_topic = "p/status";
    MqttClient client{options, {}};
    client.start();
    (void)wait_for([&] { return client.status().is_connected; });
    std::this_thread::sleep_for(200ms);
    ::_exit(0);  // without a word
  }
  ASSERT_TRUE(wait_for([&] {
    const auto heard = listener.heard("p/status");
    return !heard.empty() && heard.back() == "offline";
  }));
  int status = 0;
  ::waitpid(child, &status, 0);
}

TEST(MqttSystem, state_is_the_newest_and_only_retained_state_is_repeated) {
  Broker broker;
  MqttClient client{options_for(broker), {}};
  client.start();
  for (int i = 1; i <= 100; ++i) {
    ASSERT_TRUE(client.publish_state("p/state", std::to_string(i)));
  }
  ASSERT_TRUE(client.publish_state("p/config", "kept", true));
  broker.start();
  Listener listener{broker, "p/#"};
  ASSERT_TRUE(wait_for([&] { return listener.heard("p/config") == std::vector<std::string>{"kept"}; }));
  ASSERT_TRUE(wait_for([&] {
    client.publish_state("p/state", "101");
    std::this_thread::sleep_for(10ms);
    const auto heard = listener.heard("p/state");
    return !heard.empty() && heard.back() == "101";
  }));
  for (const std::string& value : listener.heard("p/state")) {
    EXPECT_TRUE(value == "100" || value == "101") << value;
  }
  broker.kill();
  broker.start();  // and has forgotten everything
  Listener late{broker, "p/#"};
  ASSERT_TRUE(wait_for([&] { return !late.heard("p/config").empty(); }));
  EXPECT_TRUE(late.heard("p/state").empty());
}

}  // namespace
}  // namespace amphora::runtime

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
