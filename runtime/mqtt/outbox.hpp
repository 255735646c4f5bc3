// SPDX-License-Identifier: Apache-2.0
// What waits for the broker, and in which order it goes out. Pure: no network, no thread, no lock.
//
// Three stores with a policy each: states (a slot for each topic, newest wins), events and readings (bounded
// queues in order, the oldest dropped and counted, an entry leaves when it is acknowledged). next() hands out
// what may be sent now: states first, then events, then readings, the latter two while fewer than
// inflight_max are unacknowledged. After a lost connection reset() makes everything unacknowledged wait
// again, in its old order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/mqtt/mqtt_client.hpp"

namespace amphora::runtime {

struct OutboxLimits {
  std::size_t states = 64;
  std::size_t events = 256;
  std::size_t readings = 8640;
  std::size_t inflight_max = 20;
};

struct OutMessage {
  enum class Kind : std::uint8_t { kState, kEvent, kReading };
  Kind kind = Kind::kState;
  std::uint64_t ticket = 0;  // for set_message_id and give_back
  std::string topic;
  std::string payload;
  bool retain = false;
  int qos = 0;
};

class Outbox {
 public:
  explicit Outbox(const OutboxLimits& limits) : limits_{limits} {}

  // False when the number of topics has reached its limit.
  bool put_state(std::string topic, std::string payload, bool retain);
  void forget_state(const std::string& topic);
  // What had to be dropped to make room, if anything.
  std::optional<StoredReading> put_reading(StoredReading reading);
  void put_event(std::string topic, std::string payload);

  // The next message to send now; it counts as sent. Empty when there is none, or when the window is full.
  std::optional<OutMessage> next();
  // The client's number for a message handed out by next(), for its acknowledgement.
  void set_message_id(std::uint64_t ticket, int message_id);
  // The client could not take it after all.
  void give_back(const OutMessage& message);
  // The broker has it. The reading that may now be forgotten, if it was one.
  std::optional<std::uint64_t> acknowledge(int message_id);
  // The connection is lost: unacknowledged messages wait again; states wait again if they are retained,
  // because a broker that restarts may have lost them.
  void reset();

  std::size_t waiting_count() const { return events_.size() + readings_.size(); }
  std::uint64_t dropped_count() const { return dropped_count_; }
  std::uint64_t replaced_count() const { return replaced_count_; }
  std::uint64_t acknowledged_count() const { return acknowledged_count_; }

 private:
  struct State {
    std::string payload;
    bool retain = false;
    bool is_dirty = false;
  };
  struct Entry {
    std::uint64_t ticket = 0;
    StoredReading content;  // sequence is 0 for an event
    bool is_sent = false;
    std::optional<int> message_id;
  };
  using Queue = std::deque<Entry>;

  std::optional<OutMessage> next_of(Queue& queue, OutMessage::Kind kind);
  Entry* find(std::uint64_t ticket);

  OutboxLimits limits_;
  std::map<std::string, State> states_;
  Queue events_;
  Queue readings_;
  std::uint64_t ticket_ = 0;
  std::size_t inflight_count_ = 0;
  std::uint64_t dropped_count_ = 0;
  std::uint64_t replaced_count_ = 0;
  std::uint64_t acknowledged_count_ = 0;
};

}  // namespace amphora::runtime
