// SPDX-License-Identifier: Apache-2.0
#include "runtime/mqtt/mqtt_client.hpp"

#include <mosquitto.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "core/base/assert.hpp"
#include "core/base/rng.hpp"
#include "runtime/loop/loop.hpp"

namespace amphora::runtime {

namespace {

constexpr int kProbeTimeoutMs = 5000;  // for a TCP connection to a broker that is not on this machine
constexpr int kPollMsMax = 500;        // keep-alive and time-outs of the library are looked at this often
constexpr int kGoodbyeMs = 1000;       // for "offline" to leave at the end

void start_library() {
  static const int code = mosquitto_lib_init();
  AMPHORA_ASSERT(code == MOSQ_ERR_SUCCESS);
}

// A message of the two kept queues.
struct Kept {
  std::uint64_t sequence = 0;
  std::string topic;
  std::string payload;
  int message_id = 0;  // 0: not sent on this connection
};

// In order; the front leaves on its acknowledgement. Sent ones are at the front.
class KeptQueue {
 public:
  explicit KeptQueue(std::size_t capacity) : capacity_{std::max<std::size_t>(capacity, 1)} {}
  // The sequence that had to go, if any.
  std::optional<std::uint64_t> push(Kept message) {
    std::optional<std::uint64_t> dropped;
    if (messages_.size() >= capacity_) {
      dropped = messages_.front().sequence;
      sent_ -= messages_.front().message_id != 0 ? 1 : 0;
      messages_.pop_front();
    }
    messages_.push_back(std::move(message));
    return dropped;
  }
  Kept* next_to_send() { return sent_ < messages_.size() ? &messages_[sent_] : nullptr; }
  void note_sent(int message_id) { messages_[sent_++].message_id = message_id; }
  std::size_t sent() const { return sent_; }
  std::size_t size() const { return messages_.size(); }
  void forget_sent() {
    for (Kept& message : messages_) {
      message.message_id = 0;
    }
    sent_ = 0;
  }
  // The sequence that was acknowledged.
  std::optional<std::uint64_t> acknowledge(int message_id) {
    for (std::size_t i = 0; i < sent_; ++i) {
      if (messages_[i].message_id == message_id) {
        const std::uint64_t sequence = messages_[i].sequence;
        messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(i));
        --sent_;
        return sequence;
      }
    }
    return std::nullopt;
  }

 private:
  std::size_t capacity_;
  std::deque<Kept> messages_;
  std::size_t sent_ = 0;
};

struct StateSlot {
  std::string payload;
  bool retain = false;
  bool is_waiting = false;
};

}  // namespace

class MqttClient::State {
 public:
  State(MqttOptions options, MqttHandlers handlers, ReadingStore* store, std::vector<StoredReading> waiting)
      : options_{std::move(options)},
        handlers_{std::move(handlers)},
        store_{store},
        rng_{options_.jitter_seed},
        readings_{options_.reading_capacity},
        events_{options_.event_capacity},
        reconnect_after_{options_.reconnect_after_min},
        wake_fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
    start_library();
    AMPHORA_ASSERT(wake_fd_ >= 0);
    for (StoredReading& reading : waiting) {
      push_reading({reading.sequence, std::move(reading.topic), std::move(reading.payload), 0});
    }
  }

  ~State() {
    if (thread_.joinable()) {
      is_stopping_ = true;
      wake();
      thread_.join();
    }
    ::close(wake_fd_);
  }

  void start() {
    thread_ = std::thread{[this] { run(); }};
  }

  bool publish_state(std::string topic, std::string payload, bool retain) {
    const std::lock_guard lock{mutex_};
    if (!is_publish_topic(topic)) {
      ++status_.refused_topics;
      return false;
    }
    const auto found = states_.find(topic);
    if (found == states_.end() && states_.size() >= options_.state_topic_capacity) {
      ++status_.refused_topics;
      return false;
    }
    StateSlot& slot = found == states_.end() ? states_[topic] : found->second;
    status_.replaced_states += slot.is_waiting ? 1 : 0;
    slot = {std::move(payload), retain, true};
    has_states_ = true;
    wake();
    return true;
  }

  void forget_state(const std::string& topic) {
    const std::lock_guard lock{mutex_};
    states_.erase(topic);
  }

  bool publish_reading(std::uint64_t sequence, std::string topic, std::string payload) {
    const std::lock_guard lock{mutex_};
    if (!is_publish_topic(topic)) {
      ++status_.refused_topics;
      return false;
    }
    if (store_ != nullptr) {
      store_->append_reading({sequence, topic, payload});
    }
    push_reading({sequence, std::move(topic), std::move(payload), 0});
    wake();
    return true;
  }

  bool publish_event(std::string topic, std::string payload) {
    const std::lock_guard lock{mutex_};
    if (!is_publish_topic(topic)) {
      ++status_.refused_topics;
      return false;
    }
    if (events_.push({0, std::move(topic), std::move(payload), 0})) {
      ++status_.dropped;
    }
    wake();
    return true;
  }

  bool subscribe(std::string filter, int qos) {
    const std::lock_guard lock{mutex_};
    if (mosquitto_sub_topic_check(filter.c_str()) != MOSQ_ERR_SUCCESS) {
      ++status_.refused_topics;
      return false;
    }
    new_filters_.emplace_back(std::move(filter), qos);
    wake();
    return true;
  }

  MqttStatus status() const {
    const std::lock_guard lock{mutex_};
    MqttStatus status = status_;
    status.queued = readings_.size() + events_.size();
    return status;
  }

 private:
  // Under the mutex.
  void push_reading(Kept reading) {
    if (const auto dropped = readings_.push(std::move(reading))) {
      ++status_.dropped;
      if (store_ != nullptr) {
        store_->remove_reading(*dropped);
      }
    }
  }

  void wake() {
    if (!is_woken_.exchange(true)) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t size = ::write(wake_fd_, &one, sizeof one);
    }
  }

  void run() {
    while (!is_stopping_) {
      if (!make_handle() || !connect()) {
        destroy_handle();
        rest();
        continue;
      }
      serve();
      destroy_handle();
      if (!is_stopping_) {
        rest();
      }
    }
  }

  bool make_handle() {
    const char* id = options_.client_id.empty() ? nullptr : options_.client_id.c_str();
    // A clean session: what was not acknowledged is sent again from here, in order.
    handle_ = mosquitto_new(id, true, this);
    if (handle_ == nullptr) {
      fail("out of memory");
      return false;
    }
    mosquitto_connect_callback_set(
        handle_, [](mosquitto*, void* self, int code) { static_cast<State*>(self)->on_connect(code); });
    mosquitto_disconnect_callback_set(
        handle_, [](mosquitto*, void* self, int) { static_cast<State*>(self)->is_lost_ = true; });
    mosquitto_publish_callback_set(handle_, [](mosquitto*, void* self, int message_id) {
      static_cast<State*>(self)->on_published(message_id);
    });
    mosquitto_message_callback_set(handle_, [](mosquitto*, void* self, const mosquitto_message* message) {
      static_cast<State*>(self)->on_message(*message);
    });
    return set_up_handle();
  }

  bool set_up_handle() {
    int code = MOSQ_ERR_SUCCESS;
    if (!options_.username.empty()) {
      code = mosquitto_username_pw_set(handle_, options_.username.c_str(),
                                       options_.password.empty() ? nullptr : options_.password.c_str());
    }
    if (code == MOSQ_ERR_SUCCESS && options_.tls) {
      const auto file = [](const std::string& name) { return name.empty() ? nullptr : name.c_str(); };
      const char* folder = options_.ca_file.empty() ? "/etc/ssl/certs" : nullptr;
      code = mosquitto_tls_set(handle_, file(options_.ca_file), folder, file(options_.certificate_file),
                               file(options_.key_file), nullptr);
    }
    if (code == MOSQ_ERR_SUCCESS && !options_.status_topic.empty()) {
      constexpr std::string_view kOffline = "offline";
      code = mosquitto_will_set(handle_, options_.status_topic.c_str(), static_cast<int>(kOffline.size()),
                                kOffline.data(), 1, true);
    }
    // The order of QoS 1 messages is ours: the library must not hold any back.
    (void)mosquitto_max_inflight_messages_set(handle_, 0);
    if (code != MOSQ_ERR_SUCCESS) {
      fail(std::string{"set up MQTT: "} + mosquitto_strerror(code));
    }
    return code == MOSQ_ERR_SUCCESS;
  }

  void destroy_handle() {
    const bool was_connected = is_online_;
    is_online_ = false;
    is_lost_ = false;
    if (handle_ != nullptr) {
      mosquitto_destroy(handle_);
      handle_ = nullptr;
    }
    {
      const std::lock_guard lock{mutex_};
      status_.is_connected = false;
      readings_.forget_sent();
      events_.forget_sent();
    }
    if (was_connected && handlers_.on_connection) {
      handlers_.on_connection(false);
    }
  }

  void fail(std::string error) {
    const std::lock_guard lock{mutex_};
    status_.error = std::move(error);
  }

  bool connect() {
    if (!probe()) {
      return false;
    }
    const int code = mosquitto_connect(handle_, options_.host.c_str(), options_.port, options_.keepalive_s);
    if (code != MOSQ_ERR_SUCCESS) {
      const std::string reason =
          code == MOSQ_ERR_ERRNO ? std::generic_category().message(errno) : mosquitto_strerror(code);
      fail("connect to " + options_.host + ":" + std::to_string(options_.port) + ": " + reason);
      return false;
    }
    return true;
  }

  // The library's connect waits as long as the kernel does, minutes for a broker that is switched off. This
  // one ends after five seconds or with the program.
  bool probe() {
    if (options_.host == "localhost" || options_.host == "::1" || options_.host.starts_with("127.")) {
      return true;
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int found =
        ::getaddrinfo(options_.host.c_str(), std::to_string(options_.port).c_str(), &hints, &list);
    if (found != 0) {
      fail("look up " + options_.host + ": " + ::gai_strerror(found));
      return false;
    }
    bool is_reachable = false;
    for (const addrinfo* at = list; at != nullptr && !is_reachable && !is_stopping_; at = at->ai_next) {
      is_reachable = probe_address(*at);
    }
    ::freeaddrinfo(list);
    if (!is_reachable) {
      fail("connect to " + options_.host + ":" + std::to_string(options_.port) + ": no answer");
    }
    return is_reachable;
  }

  bool probe_address(const addrinfo& address) {
    const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      return false;
    }
    int code = ::connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
      pollfd wait{fd, POLLOUT, 0};
      code = ETIMEDOUT;
      for (int waited = 0; waited < kProbeTimeoutMs && !is_stopping_; waited += 100) {
        if (::poll(&wait, 1, 100) > 0) {
          socklen_t size = sizeof code;
          (void)::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
          break;
        }
      }
    }
    ::close(fd);
    return code == 0;
  }

  // The pause between two tries, with a random part so that many boxes do not come back at once.
  void rest() {
    const auto wait = to_milliseconds(reconnect_after_);
    const TimePoint end = steady_now() + reconnect_after_ / 2 +
                          std::chrono::milliseconds{rng_.below(static_cast<std::uint32_t>(wait / 2 + 1))};
    reconnect_after_ = std::min(reconnect_after_ * 2, options_.reconnect_after_max);
    while (!is_stopping_ && steady_now() < end) {
      pollfd entry{wake_fd_, POLLIN, 0};
      const auto left = to_milliseconds(end - steady_now()) + 1;
      (void)::poll(&entry, 1, static_cast<int>(left));
      clear_wake();
      if (!is_stopping_ && steady_now() < end) {
        // Woken by a publish: the messages wait; do not wake for each of them.
        is_woken_ = true;
        std::this_thread::sleep_for(std::chrono::milliseconds{std::min<std::int64_t>(left, 20)});
      }
    }
    is_woken_ = false;
  }

  void clear_wake() {
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t size = ::read(wake_fd_, &ignored, sizeof ignored);
    is_woken_ = false;
  }

  void serve() {
    while (!is_lost_ && mosquitto_socket(handle_) >= 0) {
      if (is_stopping_) {
        say_goodbye();
        return;
      }
      if (is_online_) {
        send_waiting();
      }
      if (!turn(kPollMsMax)) {
        return;
      }
    }
  }

  // One round of waiting and of the library's work. False: the connection is over.
  bool turn(int wait_ms) {
    const short events = static_cast<short>(POLLIN | (mosquitto_want_write(handle_) ? POLLOUT : 0));
    pollfd entries[2] = {{mosquitto_socket(handle_), events, 0}, {wake_fd_, POLLIN, 0}};
    (void)::poll(entries, 2, wait_ms);
    if (entries[1].revents != 0) {
      clear_wake();
    }
    int code = MOSQ_ERR_SUCCESS;
    if ((entries[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      code = mosquitto_loop_read(handle_, 64);
    }
    if (code == MOSQ_ERR_SUCCESS && mosquitto_want_write(handle_)) {
      code = mosquitto_loop_write(handle_, 64);
    }
    if (code == MOSQ_ERR_SUCCESS) {
      code = mosquitto_loop_misc(handle_);
    }
    if (code != MOSQ_ERR_SUCCESS && !is_stopping_) {
      fail(std::string{"connection lost: "} + mosquitto_strerror(code));
    }
    return code == MOSQ_ERR_SUCCESS;
  }

  // The will speaks only for those who die; who leaves says it.
  void say_goodbye() {
    if (!is_online_ || options_.status_topic.empty()) {
      (void)mosquitto_disconnect(handle_);
      return;
    }
    int id = 0;
    (void)mosquitto_publish(handle_, &id, options_.status_topic.c_str(), 7, "offline", 1, true);
    const TimePoint end = steady_now() + std::chrono::milliseconds{kGoodbyeMs};
    last_published_ = 0;
    while (last_published_ != id && steady_now() < end && !is_lost_) {
      if (!turn(50)) {
        return;
      }
    }
    (void)mosquitto_disconnect(handle_);
    (void)mosquitto_loop_write(handle_, 1);
  }

  void send_waiting() {
    send_filters();
    send_states();
    send_kept(events_);
    send_kept(readings_);
  }

  void send_filters() {
    std::vector<std::pair<std::string, int>> filters;
    {
      const std::lock_guard lock{mutex_};
      filters.swap(new_filters_);
    }
    for (auto& [filter, qos] : filters) {
      (void)mosquitto_subscribe(handle_, nullptr, filter.c_str(), qos);
      filters_.emplace_back(std::move(filter), qos);
    }
  }

  void send_states() {
    std::vector<std::pair<std::string, StateSlot>> ready;
    {
      const std::lock_guard lock{mutex_};
      // While the socket takes nothing, newer states replace older ones here instead of piling up there.
      if (!has_states_ || mosquitto_want_write(handle_)) {
        return;
      }
      has_states_ = false;
      for (auto& [topic, slot] : states_) {
        if (slot.is_waiting) {
          slot.is_waiting = false;
          ready.emplace_back(topic, slot);
        }
      }
    }
    for (const auto& [topic, slot] : ready) {
      int id = 0;
      const int code = mosquitto_publish(handle_, &id, topic.c_str(), static_cast<int>(slot.payload.size()),
                                         slot.payload.data(), slot.retain ? 1 : 0, slot.retain);
      const std::lock_guard lock{mutex_};
      status_.published += code == MOSQ_ERR_SUCCESS ? 1 : 0;
    }
  }

  void send_kept(KeptQueue& queue) {
    const std::lock_guard lock{mutex_};
    while (queue.sent() < options_.inflight_max) {
      const Kept* message = queue.next_to_send();
      if (message == nullptr) {
        return;
      }
      int id = 0;
      if (mosquitto_publish(handle_, &id, message->topic.c_str(), static_cast<int>(message->payload.size()),
                            message->payload.data(), 1, false) != MOSQ_ERR_SUCCESS) {
        return;
      }
      ++status_.published;
      queue.note_sent(id);
    }
  }

  void on_connect(int code) {
    if (code != 0) {
      fail("the broker refused the connection: " + std::string{mosquitto_connack_string(code)});
      is_lost_ = true;
      return;
    }
    is_online_ = true;
    reconnect_after_ = options_.reconnect_after_min;
    if (!options_.status_topic.empty()) {
      (void)mosquitto_publish(handle_, nullptr, options_.status_topic.c_str(), 6, "online", 1, true);
    }
    {
      const std::lock_guard lock{mutex_};
      status_.is_connected = true;
      status_.error.clear();
      ++status_.connects;
      // A broker that was restarted may have lost what is retained.
      for (auto& [topic, slot] : states_) {
        slot.is_waiting = slot.is_waiting || slot.retain;
      }
      has_states_ = true;
    }
    for (const auto& [filter, qos] : filters_) {
      (void)mosquitto_subscribe(handle_, nullptr, filter.c_str(), qos);
    }
    if (handlers_.on_connection) {
      handlers_.on_connection(true);
    }
  }

  void on_published(int message_id) {
    last_published_ = message_id;
    const std::lock_guard lock{mutex_};
    if (const auto sequence = readings_.acknowledge(message_id)) {
      ++status_.acknowledged;
      if (store_ != nullptr) {
        store_->remove_reading(*sequence);
      }
    } else if (events_.acknowledge(message_id)) {
      ++status_.acknowledged;
    }
  }

  void on_message(const mosquitto_message& message) {
    if (handlers_.on_message) {
      handlers_.on_message(message.topic, {static_cast<const char*>(message.payload),
                                           static_cast<std::size_t>(std::max(message.payloadlen, 0))});
    }
  }

  const MqttOptions options_;
  const MqttHandlers handlers_;
  ReadingStore* const store_;
  Rng rng_;

  // Shared, under the mutex.
  mutable std::mutex mutex_;
  KeptQueue readings_;
  KeptQueue events_;
  std::map<std::string, StateSlot> states_;
  bool has_states_ = false;
  std::vector<std::pair<std::string, int>> new_filters_;
  MqttStatus status_;

  // The client's thread.
  std::thread thread_;
  mosquitto* handle_ = nullptr;
  std::vector<std::pair<std::string, int>> filters_;
  Duration reconnect_after_;
  bool is_online_ = false;
  bool is_lost_ = false;
  int last_published_ = 0;

  std::atomic<bool> is_stopping_{false};
  std::atomic<bool> is_woken_{false};
  const int wake_fd_;
};

MqttClient::MqttClient(MqttOptions options, MqttHandlers handlers, ReadingStore* store,
                       std::vector<StoredReading> waiting)
    : state_{std::make_unique<State>(std::move(options), std::move(handlers), store, std::move(waiting))} {}
MqttClient::~MqttClient() = default;

void MqttClient::start() {
  state_->start();
}
bool MqttClient::publish_state(std::string topic, std::string payload, bool retain) {
  return state_->publish_state(std::move(topic), std::move(payload), retain);
}
void MqttClient::forget_state(const std::string& topic) {
  state_->forget_state(topic);
}
bool MqttClient::publish_reading(std::uint64_t sequence, std::string topic, std::string payload) {
  return state_->publish_reading(sequence, std::move(topic), std::move(payload));
}
bool MqttClient::publish_event(std::string topic, std::string payload) {
  return state_->publish_event(std::move(topic), std::move(payload));
}
bool MqttClient::subscribe(std::string filter, int qos) {
  return state_->subscribe(std::move(filter), qos);
}
MqttStatus MqttClient::status() const {
  return state_->status();
}

}  // namespace amphora::runtime
