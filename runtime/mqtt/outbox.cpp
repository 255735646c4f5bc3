// SPDX-License-Identifier: Apache-2.0
#include "runtime/mqtt/outbox.hpp"

#include <algorithm>
#include <utility>

namespace amphora::runtime {

bool Outbox::put_state(std::string topic, std::string payload, bool retain) {
  const auto found = states_.find(topic);
  if (found == states_.end()) {
    if (states_.size() >= limits_.states) {
      return false;
    }
    states_.emplace(std::move(topic), State{std::move(payload), retain, true});
    return true;
  }
  replaced_count_ += found->second.is_dirty ? 1U : 0U;
  found->second = State{std::move(payload), retain, true};
  return true;
}

void Outbox::forget_state(const std::string& topic) {
  states_.erase(topic);
}

std::optional<StoredReading> Outbox::put_reading(StoredReading reading) {
  std::optional<StoredReading> dropped;
  if (readings_.size() >= limits_.readings) {
    inflight_count_ -= readings_.front().is_sent ? 1U : 0U;
    dropped = std::move(readings_.front().content);
    readings_.pop_front();
    ++dropped_count_;
  }
  readings_.push_back(Entry{++ticket_, std::move(reading), false, std::nullopt});
  return dropped;
}

void Outbox::put_event(std::string topic, std::string payload) {
  if (events_.size() >= limits_.events) {
    inflight_count_ -= events_.front().is_sent ? 1U : 0U;
    events_.pop_front();
    ++dropped_count_;
  }
  events_.push_back(
      Entry{++ticket_, StoredReading{0, std::move(topic), std::move(payload)}, false, std::nullopt});
}

std::optional<OutMessage> Outbox::next() {
  for (auto& [topic, state] : states_) {
    if (state.is_dirty) {
      state.is_dirty = false;
      return OutMessage{OutMessage::Kind::kState, 0, topic, state.payload, state.retain,
                        state.retain ? 1 : 0};
    }
  }
  if (auto event = next_of(events_, OutMessage::Kind::kEvent)) {
    return event;
  }
  return next_of(readings_, OutMessage::Kind::kReading);
}

// Sent entries are always a prefix of the queue, but for those given back.
std::optional<OutMessage> Outbox::next_of(Queue& queue, OutMessage::Kind kind) {
  if (inflight_count_ >= limits_.inflight_max) {
    return std::nullopt;
  }
  const auto found =
      std::find_if(queue.begin(), queue.end(), [](const Entry& entry) { return !entry.is_sent; });
  if (found == queue.end()) {
    return std::nullopt;
  }
  found->is_sent = true;
  ++inflight_count_;
  return OutMessage{kind, found->ticket, found->content.topic, found->content.payload, false, 1};
}

Outbox::Entry* Outbox::find(std::uint64_t ticket) {
  for (Queue* queue : {&events_, &readings_}) {
    for (Entry& entry : *queue) {
      if (entry.ticket == ticket) {
        return &entry;
      }
    }
  }
  return nullptr;
}

void Outbox::set_message_id(std::uint64_t ticket, int message_id) {
  if (Entry* entry = find(ticket)) {
    entry->message_id = message_id;
  }
}

void Outbox::give_back(const OutMessage& message) {
  if (message.kind == OutMessage::Kind::kState) {
    const auto found = states_.find(message.topic);
    if (found != states_.end()) {
      found->second.is_dirty = true;
    }
    return;
  }
  Entry* entry = find(message.ticket);
  if (entry != nullptr && entry->is_sent) {
    entry->is_sent = false;
    entry->message_id.reset();
    --inflight_count_;
  }
}

std::optional<std::uint64_t> Outbox::acknowledge(int message_id) {
  for (Queue* queue : {&events_, &readings_}) {
    const auto found = std::find_if(queue->begin(), queue->end(), [message_id](const Entry& entry) {
      return entry.message_id == message_id;
    });
    if (found == queue->end()) {
      continue;
    }
    const std::uint64_t sequence = found->content.sequence;
    queue->erase(found);
    --inflight_count_;
    ++acknowledged_count_;
    return queue == &readings_ ? std::optional{sequence} : std::nullopt;
  }
  return std::nullopt;
}

void Outbox::reset() {
  for (Queue* queue : {&events_, &readings_}) {
    for (Entry& entry : *queue) {
      entry.is_sent = false;
      entry.message_id.reset();
    }
  }
  inflight_count_ = 0;
  for (auto& [topic, state] : states_) {
    state.is_dirty = state.is_dirty || state.retain;
  }
}

}  // namespace amphora::runtime
