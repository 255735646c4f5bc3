// SPDX-License-Identifier: Apache-2.0
// The box's connection to its MQTT broker (libmosquitto, MQTT 3.1.1), on a thread of its own.
//
// All functions may be called from any thread and never wait for the network. Three ways to send:
// - publish_state: newest wins. One slot per topic; what the broker could not take while it was away is
// replaced
//   by the next value, so nothing old is ever shown as new. QoS 0, or retained at QoS 1.
// - publish_reading: store and forward. In order, QoS 1, kept until the broker has acknowledged it (PUBACK),
// also
//   over a restart of the program when a ReadingStore is given. Bounded: the oldest is dropped and counted.
//   At least once: after a lost acknowledgement or a restart a reading may arrive again, with the same
//   content.
// - publish_event: like a reading but from a queue of its own that is not kept over a restart.
//
// Connection: birth and will are retained on one status topic. Lost connections are tried again with a
// growing pause and a random part. A broker beyond loopback needs TLS unless allow_plain is set (checked by
// check_mqtt_options, refused by the constructor's owner). Topics are checked where they come in: a topic
// with wildcards, empty, too long or not UTF-8 is refused and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"

namespace amphora::runtime {

struct MqttOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  std::string client_id;  // empty: the broker's choice
  std::string username;
  std::string password;  // never in logs, events or status
  bool tls = false;
  std::string ca_file;  // empty with tls: the system's certificates
  std::string certificate_file;
  std::string key_file;
  bool allow_plain = false;
  std::string status_topic;  // birth "online" and will "offline", retained, QoS 1; empty: none
  int keepalive_s = 15;
  Duration reconnect_after_min = std::chrono::milliseconds{500};
  Duration reconnect_after_max = std::chrono::seconds{30};
  std::size_t reading_capacity = 8640;  // a day of readings every 10 s
  std::size_t event_capacity = 256;
  std::size_t state_topic_capacity = 64;
  std::size_t inflight_max = 20;  // QoS 1 messages sent and not yet acknowledged
  std::uint64_t jitter_seed = 1;
};

// Empty when good; otherwise what is wrong and what to do.
std::optional<std::string> check_mqtt_options(const MqttOptions& options);

struct StoredReading {
  std::uint64_t sequence = 0;  // grows by one for each reading of the box, over restarts
  std::string topic;
  std::string payload;
  friend bool operator==(const StoredReading&, const StoredReading&) = default;
};

// Where readings outlive the program. Called on the publishing and on the client's thread; must not wait for
// a disk.
class ReadingStore {
 public:
  virtual ~ReadingStore() = default;
  virtual void append_reading(const StoredReading& reading) = 0;
  virtual void remove_reading(std::uint64_t sequence) = 0;
};

struct MqttStatus {
  bool is_connected = false;
  std::string error;       // why not connected
  std::size_t queued = 0;  // readings and events that wait or are not acknowledged
  std::uint64_t published = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t dropped = 0;          // readings and events lost to a full queue
  std::uint64_t replaced_states = 0;  // states that a newer one replaced before they were sent
  std::uint64_t refused_topics = 0;
  std::uint64_t connects = 0;
};

struct MqttHandlers {  // on the client's thread; keep short, post elsewhere
  std::function<void(bool is_connected)> on_connection;
  std::function<void(std::string_view topic, std::string_view payload)> on_message;
};

class MqttClient {
 public:
  // `waiting` are the readings an earlier run left, oldest first. `store` may be null and must outlive the
  // client.
  MqttClient(MqttOptions options, MqttHandlers handlers, ReadingStore* store = nullptr,
             std::vector<StoredReading> waiting = {});
  // Says "offline" if connected, then ends the thread (bounded: about a second, longer only for a connect
  // under way).
  ~MqttClient();
  MqttClient(const MqttClient&) = delete;
  MqttClient& operator=(const MqttClient&) = delete;

  void start();

  // False and counted when the topic is not valid, or the number of topics has reached its limit.
  bool publish_state(std::string topic, std::string payload, bool retain = false);
  // Forgets the slot's content, so that it is not sent again after a reconnect.
  void forget_state(const std::string& topic);
  bool publish_reading(std::uint64_t sequence, std::string topic, std::string payload);
  bool publish_event(std::string topic, std::string payload);
  // Kept and made again after each reconnect. `filter` may have wildcards.
  bool subscribe(std::string filter, int qos = 1);

  MqttStatus status() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

// A topic to publish to: 1…512 bytes of valid UTF-8 without '+', '#' and NUL (MQTT 3.1.1, 4.7.1, 4.7.3).
bool is_publish_topic(std::string_view topic);
// One level made of a name that came from outside: letters, digits, '_' and '-', 1…64 characters.
bool is_topic_level(std::string_view level);
// Levels joined by '/'; empty when one of them is not a topic level.
std::optional<std::string> make_topic(std::initializer_list<std::string_view> levels);

}  // namespace amphora::runtime
