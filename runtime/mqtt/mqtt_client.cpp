// SPDX-License-Identifier: Apache-2.0
// The client's thread: connects with back-off, moves messages between the outbox and libmosquitto, waits for
// the socket or for a new message. Every connection gets a fresh libmosquitto state, so that what is sent
// again after a loss is decided by the outbox alone, in its order.
#include "runtime/mqtt/mqtt_client.hpp"

#include <mosquitto.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "core/base/rng.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/mqtt/outbox.hpp"

namespace amphora::runtime {
namespace {

constexpr Duration kConnackPatience = std::chrono::seconds{10};
constexpr Duration kFarewellPatience = std::chrono::milliseconds{800};
constexpr int kPollMilliseconds = 500;  // libmosquitto's keep-alive needs a turn now and then
// The whole certificate store of Debian; used with TLS when no file is named.
constexpr const char* kSystemCertificates = "/etc/ssl/certs";

void initialise_library() {
  static const int once = mosquitto_lib_init();
  (void)once;
}

std::string error_text(int code) {
  return code == MOSQ_ERR_ERRNO ? std::strerror(errno) : mosquitto_strerror(code);
}

bool is_loopback_host(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

OutboxLimits limits_of(const MqttOptions& options) {
  return {options.state_topic_capacity, options.event_capacity, options.reading_capacity,
          options.inflight_max};
}

}  // namespace

std::optional<std::string> check_mqtt_options(const MqttOptions& options) {
  if (options.host.empty() || options.port == 0) {
    return "mqtt: host and port are needed";
  }
  if (!options.tls && !options.allow_plain && !is_loopback_host(options.host)) {
    return "mqtt.tls: the broker " + options.host +
           " is another machine, so the connection must be encrypted; set tls = true (or allow_plain = true "
           "in a network "
           "that nobody else can reach)";
  }
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return "mqtt: certificate_file and key_file belong together";
  }
  if (!options.status_topic.empty() && !is_publish_topic(options.status_topic)) {
    return "mqtt.base: '" + options.status_topic + "' is not a topic to publish to";
  }
  if (options.reading_capacity == 0 || options.event_capacity == 0 || options.inflight_max == 0) {
    return "mqtt: queue capacities must not be zero";
  }
  return std::nullopt;
}

class MqttClient::State {
 public:
  State(MqttOptions options, MqttHandlers handlers, ReadingStore* store, std::vector<StoredReading> waiting);
  ~State();

  void start();
  template <class Change>
  void change_outbox(Change change) {
    bool was_woken = false;
    {
      const std::lock_guard lock{mutex_};
      change(outbox_);
      was_woken = std::exchange(is_woken_, true);
    }
    if (!was_woken) {
      wake();
    }
  }
  void refuse_topic() {
    const std::lock_guard lock{mutex_};
    ++status_.refused_topics;
  }
  bool subscribe(std::string filter, int qos);
  MqttStatus status() const;
  ReadingStore* store() const { return store_; }

 private:
  using Mosquitto = std::unique_ptr<mosquitto, decltype(&mosquitto_destroy)>;

  void run();
  bool is_stopping() const;
  bool connect();
  // Until the connection ends; true when the broker had accepted it.
  bool serve();
  void wait_for_work();
  void send_waiting();
  bool send(const OutMessage& message);
  void subscribe_all();
  void say_farewell();
  void pause(Duration duration);
  void set_disconnected(const std::string& error);
  void set_error(const std::string& error);
  void wake();
  void clear_wake();

  static void on_connect(mosquitto*, void* self, int code);
  static void on_disconnect(mosquitto*, void* self, int code);
  static void on_publish(mosquitto*, void* self, int message_id);
  static void on_message(mosquitto*, void* self, const mosquitto_message* message);
  void handle_connect(int code);
  void handle_publish(int message_id);

  const MqttOptions options_;
  const MqttHandlers handlers_;
  ReadingStore* const store_;
  const int wake_fd_;
  Rng rng_;
  mutable std::mutex mutex_;  // guards the members below; held only for moments
  Outbox outbox_;
  MqttStatus status_;
  std::vector<std::pair<std::string, int>> subscriptions_;
  bool has_new_subscription_ = false;
  bool is_stopping_ = false;
  bool is_woken_ = false;  // the thread will look into the outbox anyway, so it need not be told again
  // The thread's own.
  Mosquitto client_{nullptr, &mosquitto_destroy};
  bool is_connected_ = false;
  bool is_lost_ = false;
  std::thread thread_;
};

MqttClient::State::State(MqttOptions options, MqttHandlers handlers, ReadingStore* store,
                         std::vector<StoredReading> waiting)
    : options_{std::move(options)},
      handlers_{std::move(handlers)},
      store_{store},
      wake_fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)},
      rng_{options_.jitter_seed},
      outbox_{limits_of(options_)} {
  initialise_library();
  for (StoredReading& reading : waiting) {
    (void)outbox_.put_reading(std::move(reading));
  }
}

MqttClient::State::~State() {
  {
    const std::lock_guard lock{mutex_};
    is_stopping_ = true;
  }
  wake();
  if (thread_.joinable()) {
    thread_.join();
  }
  client_.reset();
  ::close(wake_fd_);
}

void MqttClient::State::start() {
  thread_ = std::thread{[this] {
    (void)pthread_setname_np(pthread_self(), "mqtt");
    run();
  }};
}

void MqttClient::State::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t size = ::write(wake_fd_, &one, sizeof one);
}

// Before looking into the outbox: what is put there afterwards wakes again.
void MqttClient::State::clear_wake() {
  std::uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t size = ::read(wake_fd_, &ignored, sizeof ignored);
  const std::lock_guard lock{mutex_};
  is_woken_ = false;
}

bool MqttClient::State::is_stopping() const {
  const std::lock_guard lock{mutex_};
  return is_stopping_;
}

bool MqttClient::State::subscribe(std::string filter, int qos) {
  if (filter.empty() || mosquitto_sub_topic_check2(filter.data(), filter.size()) != MOSQ_ERR_SUCCESS) {
    refuse_topic();
    return false;
  }
  {
    const std::lock_guard lock{mutex_};
    subscriptions_.emplace_back(std::move(filter), qos);
    has_new_subscription_ = true;
  }
  wake();
  return true;
}

MqttStatus MqttClient::State::status() const {
  const std::lock_guard lock{mutex_};
  MqttStatus status = status_;
  status.queued = outbox_.waiting_count();
  status.dropped = outbox_.dropped_count();
  status.acknowledged = outbox_.acknowledged_count();
  status.replaced_states = outbox_.replaced_count();
  return status;
}

void MqttClient::State::run() {
  Duration wait = options_.reconnect_after_min;
  while (!is_stopping()) {
    if (connect() && serve()) {
      wait = options_.reconnect_after_min;
    }
    if (is_stopping()) {
      break;
    }
    const auto jitter = std::chrono::microseconds{rng_.between(0, wait.count() / 2)};
    pause(wait + jitter);
    wait = std::min(wait * 2, options_.reconnect_after_max);
  }
}

bool MqttClient::State::connect() {
  client_.reset(mosquitto_new(options_.client_id.empty() ? nullptr : options_.client_id.c_str(), true, this));
  if (!client_) {
    set_error("out of memory");
    return false;
  }
  mosquitto* client = client_.get();
  mosquitto_connect_callback_set(client, &State::on_connect);
  mosquitto_disconnect_callback_set(client, &State::on_disconnect);
  mosquitto_publish_callback_set(client, &State::on_publish);
  mosquitto_message_callback_set(client, &State::on_message);
  // The window is the outbox's, so the library must never hold anything back.
  (void)mosquitto_max_inflight_messages_set(client, 0);
  int code = MOSQ_ERR_SUCCESS;
  if (!options_.username.empty()) {
    code = mosquitto_username_pw_set(client, options_.username.c_str(), options_.password.c_str());
  }
  if (code == MOSQ_ERR_SUCCESS && options_.tls) {
    const auto file = [](const std::string& name) { return name.empty() ? nullptr : name.c_str(); };
    code = mosquitto_tls_set(client, file(options_.ca_file),
                             options_.ca_file.empty() ? kSystemCertificates : nullptr,
                             file(options_.certificate_file), file(options_.key_file), nullptr);
  }
  if (code == MOSQ_ERR_SUCCESS && !options_.status_topic.empty()) {
    code = mosquitto_will_set(client, options_.status_topic.c_str(), 7, "offline", 1, true);
  }
  is_connected_ = false;
  is_lost_ = false;
  if (code == MOSQ_ERR_SUCCESS) {
    code = mosquitto_connect(client, options_.host.c_str(), options_.port, options_.keepalive_s);
  }
  if (code != MOSQ_ERR_SUCCESS) {
    set_error(error_text(code));
    return false;
  }
  return true;
}

bool MqttClient::State::serve() {
  const TimePoint give_up_at = steady_now() + kConnackPatience;
  while (!is_lost_ && !is_stopping()) {
    wait_for_work();
    if (!is_lost_ && mosquitto_loop_misc(client_.get()) != MOSQ_ERR_SUCCESS) {
      is_lost_ = true;
    }
    if (is_connected_ && !is_lost_) {
      subscribe_all();
      send_waiting();
    } else if (steady_now() > give_up_at) {
      set_error("the broker took the connection but did not answer");
      is_lost_ = true;
    }
  }
  if (is_connected_ && !is_lost_) {
    say_farewell();
  }
  const bool was_accepted = is_connected_;
  if (is_connected_) {
    set_disconnected(is_stopping() ? "stopped" : "the connection was lost");
  }
  const std::lock_guard lock{mutex_};
  outbox_.reset();
  return was_accepted;
}

void MqttClient::State::wait_for_work() {
  mosquitto* client = client_.get();
  std::array<pollfd, 2> wanted{pollfd{mosquitto_socket(client), POLLIN, 0}, pollfd{wake_fd_, POLLIN, 0}};
  if (wanted[0].fd < 0) {
    is_lost_ = true;
    return;
  }
  if (mosquitto_want_write(client)) {
    wanted[0].events |= POLLOUT;
  }
  (void)::poll(wanted.data(), wanted.size(), kPollMilliseconds);
  if (wanted[1].revents != 0) {
    clear_wake();
  }
  int code = MOSQ_ERR_SUCCESS;
  if ((wanted[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
    code = mosquitto_loop_read(client, 1);
  }
  if (code == MOSQ_ERR_SUCCESS && (wanted[0].revents & POLLOUT) != 0) {
    code = mosquitto_loop_write(client, 1);
  }
  if (code != MOSQ_ERR_SUCCESS) {
    is_lost_ = true;
  }
}

// While the socket is full nothing more is encoded: states stay replaceable by newer ones.
void MqttClient::State::send_waiting() {
  while (!mosquitto_want_write(client_.get())) {
    std::optional<OutMessage> message;
    {
      const std::lock_guard lock{mutex_};
      message = outbox_.next();
    }
    if (!message || !send(*message)) {
      return;
    }
  }
}

bool MqttClient::State::send(const OutMessage& message) {
  int message_id = 0;
  const int code = mosquitto_publish(client_.get(), &message_id, message.topic.c_str(),
                                     static_cast<int>(message.payload.size()), message.payload.data(),
                                     message.qos, message.retain);
  const std::lock_guard lock{mutex_};
  if (code != MOSQ_ERR_SUCCESS) {
    outbox_.give_back(message);
    is_lost_ = true;
    return false;
  }
  ++status_.published;
  if (message.kind != OutMessage::Kind::kState) {
    outbox_.set_message_id(message.ticket, message_id);
  }
  return true;
}

void MqttClient::State::subscribe_all() {
  std::vector<std::pair<std::string, int>> wanted;
  {
    const std::lock_guard lock{mutex_};
    if (!has_new_subscription_) {
      return;
    }
    has_new_subscription_ = false;
    wanted = subscriptions_;
  }
  for (const auto& [filter, qos] : wanted) {
    (void)mosquitto_subscribe(client_.get(), nullptr, filter.c_str(), qos);
  }
}

void MqttClient::State::say_farewell() {
  send_waiting();
  if (!options_.status_topic.empty()) {
    (void)mosquitto_publish(client_.get(), nullptr, options_.status_topic.c_str(), 7, "offline", 1, true);
  }
  const TimePoint until = steady_now() + kFarewellPatience;
  while (mosquitto_want_write(client_.get()) && steady_now() < until && !is_lost_) {
    (void)mosquitto_loop(client_.get(), 50, 1);
  }
  (void)mosquitto_disconnect(client_.get());
  (void)mosquitto_loop(client_.get(), 50, 1);
}

void MqttClient::State::pause(Duration duration) {
  const TimePoint until = steady_now() + duration;
  while (!is_stopping()) {
    const std::int64_t left = to_milliseconds(until - steady_now());
    if (left <= 0) {
      return;
    }
    pollfd wanted{wake_fd_, POLLIN, 0};
    (void)::poll(&wanted, 1, static_cast<int>(left));
    clear_wake();
  }
}

void MqttClient::State::set_error(const std::string& error) {
  const std::lock_guard lock{mutex_};
  status_.error = error;
}

void MqttClient::State::set_disconnected(const std::string& error) {
  is_connected_ = false;
  {
    const std::lock_guard lock{mutex_};
    status_.is_connected = false;
    status_.error = error;
    has_new_subscription_ = !subscriptions_.empty();
  }
  if (handlers_.on_connection && !is_stopping()) {
    handlers_.on_connection(false);
  }
}

void MqttClient::State::on_connect(mosquitto*, void* self, int code) {
  static_cast<State*>(self)->handle_connect(code);
}

void MqttClient::State::handle_connect(int code) {
  if (code != 0) {
    set_error(mosquitto_connack_string(code));
    is_lost_ = true;
    return;
  }
  if (!options_.status_topic.empty()) {
    (void)mosquitto_publish(client_.get(), nullptr, options_.status_topic.c_str(), 6, "online", 1, true);
  }
  is_connected_ = true;
  {
    const std::lock_guard lock{mutex_};
    status_.is_connected = true;
    status_.error.clear();
    ++status_.connects;
    has_new_subscription_ = !subscriptions_.empty();
  }
  if (handlers_.on_connection) {
    handlers_.on_connection(true);
  }
}

void MqttClient::State::on_disconnect(mosquitto*, void* self, int) {
  static_cast<State*>(self)->is_lost_ = true;
}

void MqttClient::State::on_publish(mosquitto*, void* self, int message_id) {
  static_cast<State*>(self)->handle_publish(message_id);
}

void MqttClient::State::handle_publish(int message_id) {
  std::optional<std::uint64_t> sequence;
  {
    const std::lock_guard lock{mutex_};
    sequence = outbox_.acknowledge(message_id);
  }
  if (sequence && store_ != nullptr) {
    store_->remove_reading(*sequence);
  }
}

void MqttClient::State::on_message(mosquitto*, void* self, const mosquitto_message* message) {
  const State& state = *static_cast<State*>(self);
  if (state.handlers_.on_message && message->payloadlen >= 0) {
    state.handlers_.on_message(message->topic,
                               std::string_view{static_cast<const char*>(message->payload),
                                                static_cast<std::size_t>(message->payloadlen)});
  }
}

MqttClient::MqttClient(MqttOptions options, MqttHandlers handlers, ReadingStore* store,
                       std::vector<StoredReading> waiting)
    : state_{std::make_unique<State>(std::move(options), std::move(handlers), store, std::move(waiting))} {}

MqttClient::~MqttClient() = default;

void MqttClient::start() {
  state_->start();
}

bool MqttClient::publish_state(std::string topic, std::string payload, bool retain) {
  bool is_taken = is_publish_topic(topic);
  if (is_taken) {
    state_->change_outbox(
        [&](Outbox& outbox) { is_taken = outbox.put_state(std::move(topic), std::move(payload), retain); });
  }
  if (!is_taken) {
    state_->refuse_topic();
  }
  return is_taken;
}

void MqttClient::forget_state(const std::string& topic) {
  state_->change_outbox([&](Outbox& outbox) { outbox.forget_state(topic); });
}

bool MqttClient::publish_reading(std::uint64_t sequence, std::string topic, std::string payload) {
  if (!is_publish_topic(topic)) {
    state_->refuse_topic();
    return false;
  }
  StoredReading reading{sequence, std::move(topic), std::move(payload)};
  if (state_->store() != nullptr) {
    state_->store()->append_reading(reading);
  }
  std::optional<StoredReading> dropped;
  state_->change_outbox([&](Outbox& outbox) { dropped = outbox.put_reading(std::move(reading)); });
  if (dropped && state_->store() != nullptr) {
    state_->store()->remove_reading(dropped->sequence);
  }
  return true;
}

bool MqttClient::publish_event(std::string topic, std::string payload) {
  if (!is_publish_topic(topic)) {
    state_->refuse_topic();
    return false;
  }
  state_->change_outbox([&](Outbox& outbox) { outbox.put_event(std::move(topic), std::move(payload)); });
  return true;
}

bool MqttClient::subscribe(std::string filter, int qos) {
  return state_->subscribe(std::move(filter), qos);
}

MqttStatus MqttClient::status() const {
  return state_->status();
}

}  // namespace amphora::runtime
