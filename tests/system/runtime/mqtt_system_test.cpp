// SPDX-License-Identifier: Apache-2.0
// The MQTT client against Mosquitto, on loopback: order, no loss over a killed broker and a restarted
// program, birth and will, newest-wins state, access control.
#include <gtest/gtest.h>

#include <poll.h>

#include <algorithm>
#include <atomic>
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

// In order and without a gap, where the first arrival of each counts: QoS 1 allows repeated ones.
void expect_complete(const std::vector<std::string>& heard, int count) {
  std::vector<int> first;
  for (const std::string& text : heard) {
    const int number = std::stoi(text);
    if (first.empty() || number > first.back()) {
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

// A cable between the client and the broker that can be cut: broker and listener live on, so that the
// listener is the witness of what arrived.
class Cable {
 public:
  explicit Cable(std::uint16_t to) : to_{to}, listen_fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listen_fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listen_fd_, 8), 0);
    (void)::getsockname(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { run(); }};
  }
  ~Cable() {
    is_stopping_ = true;
    thread_.join();
    ::close(listen_fd_);
  }
  std::uint16_t port() const { return port_; }
  // Ends the connection that is there, or the next one, once it has carried `bytes` more of what the client
  // says.
  void cut_after(int bytes) { left_ = bytes; }
  int cuts() const { return cuts_; }

 private:
  void run() {
    while (!is_stopping_) {
      pollfd entry{listen_fd_, POLLIN, 0};
      if (::poll(&entry, 1, 20) > 0) {
        const int client = ::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
        carry(client);
        ::close(client);
      }
    }
  }
  void carry(int client) {
    const int broker = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool is_whole = ::connect(broker, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    while (is_whole && !is_stopping_) {
      pollfd ends[2] = {{client, POLLIN, 0}, {broker, POLLIN, 0}};
      (void)::poll(ends, 2, 20);
      is_whole = (ends[0].revents == 0 || forward(client, broker, true)) &&
                 (ends[1].revents == 0 || forward(broker, client, false));
    }
    ::close(broker);
  }
  bool forward(int from, int to, bool is_counted) {
    char buffer[256];
    ssize_t size = ::recv(from, buffer, sizeof buffer, 0);
    if (size <= 0) {
      return false;
    }
    bool is_cut = false;
    if (is_counted && left_ > 0) {
      is_cut = size >= left_;
      size = std::min<ssize_t>(size, left_);
      left_ = left_ - static_cast<int>(size);
    }
    const bool is_sent = ::send(to, buffer, static_cast<std::size_t>(size), MSG_NOSIGNAL) == size;
    cuts_ += is_cut ? 1 : 0;
    return is_sent && !is_cut;
  }

  const std::uint16_t to_;
  const int listen_fd_;
  std::uint16_t port_ = 0;
  std::atomic<int> left_{0};
  std::atomic<int> cuts_{0};
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

TEST(MqttSystem, a_cable_cut_at_any_byte_loses_nothing_and_keeps_the_order) {
  Broker broker;
  broker.start();
  Listener listener{broker, "p/#"};
  MqttClient probe{options_for(broker), {}};
  probe.start();
  ASSERT_TRUE(wait_for([&] {
    probe.publish_event("p/probe", "x");
    std::this_thread::sleep_for(10ms);
    return !listener.heard("p/probe").empty();
  }));
  Cable cable{broker.port()};
  MqttOptions options = options_for(broker);
  options.port = cable.port();
  MqttClient client{options, {}};
  client.start();
  int next = 1;
  for (int round = 0; round < 30; ++round) {
    cable.cut_after(40 + 37 * round);
    for (int i = 0; i < 50; ++i, ++next) {
      ASSERT_TRUE(
          client.publish_reading(static_cast<std::uint64_t>(next), "p/reading", std::to_string(next)));
    }
    ASSERT_TRUE(wait_for([&] { return cable.cuts() > round; }));
  }
  ASSERT_TRUE(wait_for([&] { return client.status().queued == 0; }));
  ASSERT_TRUE(wait_for([&] {
    const auto heard = listener.heard("p/reading");
    return !heard.empty() && heard.back() == std::to_string(next - 1);
  }));
  expect_complete(listener.heard("p/reading"), next - 1);
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
