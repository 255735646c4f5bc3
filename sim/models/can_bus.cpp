// SPDX-License-Identifier: Apache-2.0
#include "sim/models/can_bus.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::sim {

namespace {

constexpr std::int64_t kInterframeBits = 3;
constexpr std::int64_t kSuspendBits = 8;
// Error flag with the echo of the others, and delimiter: six to twelve bits and eight. The longest is taken.
constexpr std::int64_t kErrorFrameBits = 20;
// A lone transmitter hears no echo of its flag.
constexpr std::int64_t kLoneErrorFrameBits = 14;
// The acknowledgement delimiter and the end of frame are not sent when the acknowledgement is missing.
constexpr std::int64_t kAfterAcknowledgementBits = 8;
constexpr std::int64_t kRecoveryBits = 128 * 11;

// The order of arbitration on the wire: identifier, then standard before extended, data before remote.
constexpr std::uint64_t arbitration_key(const can::Frame& frame) {
  const std::uint64_t base = frame.is_extended ? frame.id >> 18U : frame.id;
  const std::uint64_t extension = frame.is_extended ? frame.id & 0x3FFFFU : 0;
  return (base << 20U) | (std::uint64_t{frame.is_extended} << 19U) | (extension << 1U) |
         std::uint64_t{frame.is_remote};
}

}  // namespace

CanBus::CanBus(std::size_t node_count, std::int32_t bits_per_second, Rng rng)
    : node_count_{node_count}, rate_{bits_per_second}, rng_{rng} {
  AMPHORA_ASSERT(node_count > 0 && node_count <= kNodeCountMax && bits_per_second > 0);
  static_assert(kNodeCountMax < 64);
  present_ = (std::uint64_t{1} << node_count) - 1;
}

void CanBus::set_present(TimePoint now, Node node, bool is_present) {
  Controller& controller = nodes_[node];
  if (controller.is_present == is_present) {
    return;
  }
  unpark(now);
  controller.is_present = is_present;
  present_ ^= std::uint64_t{1} << node;
  controller.pending.clear();
  controller.transmit_errors = 0;
  controller.receive_errors = 0;
  controller.recovers_at = kNever;
  if (current_ && current_->node == node) {
    // The frame breaks off; the others see a stuff error and destroy what is left of it.
    busy_ += now - current_->start;
    current_.reset();
    idle_from_ = now + bits(kErrorFrameBits + kInterframeBits);
  } else if (current_) {
    current_->others &= ~(std::uint64_t{1} << node);
  }
  set_state(node, is_present ? can::BusState::kActive : can::BusState::kDown);
  schedule(now);
}

void CanBus::set_error_rate(TimePoint now, Node node, std::uint32_t ppm) {
  unpark(now);
  nodes_[node].error_ppm = ppm;
  schedule(now);
}

bool CanBus::can_accept(Node node) const {
  return is_listening(nodes_[node]) && !nodes_[node].pending.is_full();
}

bool CanBus::offer(TimePoint now, Node node, const can::Frame& frame, bool is_single_shot) {
  if (!can_accept(node)) {
    ++nodes_[node].statistics.refused;
    return false;
  }
  (void)nodes_[node].pending.push(Mailbox{frame, is_single_shot});
  if (!current_ && !parked_) {
    schedule(now);
  }
  return true;
}

void CanBus::abort_pending(TimePoint now, Node node) {
  unpark(now);
  Controller& controller = nodes_[node];
  controller.statistics.aborted += controller.pending.size();
  const bool is_on_wire = current_ && current_->node == node && !current_->is_aborted;
  if (is_on_wire) {
    // The one on the wire stays at the front until it is finished.
    const Mailbox on_wire = controller.pending.front();
    controller.pending.clear();
    (void)controller.pending.push(on_wire);
    --controller.statistics.aborted;
    current_->is_aborted = true;
  } else {
    controller.pending.clear();
    if (current_) {
      current_->others &= ~(std::uint64_t{1} << node);
    }
  }
  schedule(now);
}

void CanBus::restart(TimePoint now, Node node) {
  Controller& controller = nodes_[node];
  if (controller.state != can::BusState::kBusOff || controller.recovers_at != kNever) {
    return;
  }
  // Sequences of eleven recessive bits also occur at the end of each frame of others, but on a loaded bus the
  // recovery takes longer than on a silent one; the time on a silent bus is the shortest possible.
  controller.recovers_at = now + bits(kRecoveryBits);
  schedule(now);
}

void CanBus::handle_timeout(TimePoint now) {
  recover(now);
  if (current_ && current_->end <= now) {
    finish(current_->end);
  }
  if (!current_ && !parked_ && idle_from_ <= now) {
    const std::optional<Node> winner = arbitrate(now);
    if (winner) {
      start(now, *winner);
    }
  }
  schedule(now);
}

Duration CanBus::busy_time(TimePoint now) const {
  Duration busy = busy_;
  if (parked_) {
    busy += now - parked_->since;
  }
  return busy;
}

bool CanBus::has_listener_besides(Node sender) const {
  for (Node i = 0; i < node_count_; ++i) {
    if (i != sender && is_listening(nodes_[i])) {
      return true;
    }
  }
  return false;
}

void CanBus::set_state(Node index, can::BusState state) {
  if (nodes_[index].state == state) {
    return;
  }
  nodes_[index].state = state;
  (void)changes_.push(StateChange{index, state});
}

void CanBus::update_state(Node index) {
  Controller& node = nodes_[index];
  if (node.transmit_errors > 255) {
    node.pending.clear();
    ++node.statistics.bus_off_count;
    set_state(index, can::BusState::kBusOff);
  } else if (node.transmit_errors > 127 || node.receive_errors > 127) {
    set_state(index, can::BusState::kErrorPassive);
  } else {
    set_state(index, can::BusState::kActive);
  }
}

void CanBus::finish(TimePoint now) {
  const Transmission done = *current_;
  current_.reset();
  busy_ += done.end - done.start;
  Controller& sender = nodes_[done.node];
  idle_from_ = now;
  AMPHORA_ASSERT(!sender.pending.is_empty());
  const bool has_receiver = has_listener_besides(done.node);
  if (!done.is_error && has_receiver) {
    finish_sent(now, done);
  } else {
    finish_failed(now, sender, !done.is_error);
    if (done.is_aborted && !sender.pending.is_empty()) {
      (void)sender.pending.pop();
      ++sender.statistics.aborted;
    }
    drop_single_shot(done.node);
    for_each(done.others, [&](Node i) {
      if (nodes_[i].state == can::BusState::kErrorPassive) {
        nodes_[i].ready_at = now + bits(kSuspendBits);
      }
      nodes_[i].transmit_errors += 8;
      ++nodes_[i].statistics.bus_errors;
      drop_single_shot(i);
      update_state(i);
    });
  }
  update_state(done.node);
  if (!done.is_error && !has_receiver && sender.state == can::BusState::kErrorPassive &&
      !sender.pending.is_empty() && sender.error_ppm == 0) {
    const std::int64_t attempt_bits = frame_bits_max(sender.pending.front().frame) -
                                      kAfterAcknowledgementBits + kLoneErrorFrameBits + kInterframeBits +
                                      kSuspendBits;
    parked_ = Parked{done.node, now, bits(attempt_bits)};
  }
}

void CanBus::drop_single_shot(Node index) {
  Controller& node = nodes_[index];
  if (!node.pending.is_empty() && node.pending.front().is_single_shot) {
    (void)node.pending.pop();
    (void)not_sent_.push(index);
  }
}

void CanBus::finish_sent(TimePoint now, const Transmission& done) {
  const std::uint64_t senders = done.others | (std::uint64_t{1} << done.node);
  std::uint64_t to_mask = 0;
  for_each(present_ & ~senders, [&](Node i) {
    Controller& receiver = nodes_[i];
    if (!is_listening(receiver)) {
      return;
    }
    to_mask |= std::uint64_t{1} << i;
    if (receiver.receive_errors > 127) {
      receiver.receive_errors = 120;  // the standard allows 119 to 127
      update_state(i);
    } else if (receiver.receive_errors > 0) {
      --receiver.receive_errors;
    }
  });
  (void)deliveries_.push(Delivery{done.node, to_mask, nodes_[done.node].pending.front().frame});
  for_each(senders, [&](Node i) { count_sent(now, nodes_[i]); });
}

void CanBus::count_sent(TimePoint now, Controller& sender) {
  (void)sender.pending.pop();
  ++sender.statistics.sent;
  if (sender.transmit_errors > 0) {
    --sender.transmit_errors;
  }
  if (sender.state == can::BusState::kErrorPassive) {
    sender.ready_at = now + bits(kSuspendBits);
  }
  update_state(static_cast<Node>(&sender - nodes_.data()));
}

void CanBus::finish_failed(TimePoint now, Controller& sender, bool is_ack_error) {
  const Node index = static_cast<Node>(&sender - nodes_.data());
  const bool was_passive = sender.state == can::BusState::kErrorPassive;
  if (is_ack_error) {
    ++sender.statistics.ack_errors;
  } else {
    ++sender.statistics.bus_errors;
  }
  // The exception of the standard: an error-passive transmitter whose acknowledgement is missing and who sees
  // no dominant bit during its passive error flag does not raise its counter.
  if (!is_ack_error || !was_passive) {
    sender.transmit_errors += 8;
  }
  if (was_passive) {
    sender.ready_at = now + bits(kSuspendBits);
  }
  if (is_ack_error) {
    return;
  }
  for_each(present_, [&](Node i) {
    Controller& receiver = nodes_[i];
    if (i != index && is_listening(receiver) && receiver.receive_errors < 255) {
      ++receiver.receive_errors;
      update_state(i);
    }
  });
}

std::optional<CanBus::Node> CanBus::arbitrate(TimePoint now) const {
  std::optional<Node> winner;
  std::uint64_t best = 0;
  for_each(present_, [&](Node i) {
    const Controller& node = nodes_[i];
    if (node.pending.is_empty() || !is_listening(node) || node.ready_at > now) {
      return;
    }
    const std::uint64_t key = arbitration_key(node.pending.front().frame);
    if (!winner || key < best) {
      winner = i;
      best = key;
    }
  });
  return winner;
}

std::uint64_t CanBus::same_identifier_mask(TimePoint now, Node winner) const {
  const std::uint64_t key = arbitration_key(nodes_[winner].pending.front().frame);
  std::uint64_t mask = 0;
  for_each(present_, [&](Node i) {
    const Controller& node = nodes_[i];
    if (i != winner && !node.pending.is_empty() && is_listening(node) && node.ready_at <= now &&
        arbitration_key(node.pending.front().frame) == key) {
      mask |= std::uint64_t{1} << i;
    }
  });
  return mask;
}

void CanBus::start(TimePoint now, Node index) {
  Controller& node = nodes_[index];
  const can::Frame& frame = node.pending.front().frame;
  const std::int64_t frame_bits = frame_bits_max(frame);
  Transmission transmission;
  transmission.node = index;
  transmission.start = now;
  transmission.is_error = node.error_ppm > 0 && rng_.chance(node.error_ppm);
  transmission.others = same_identifier_mask(now, index);
  for_each(transmission.others, [&](Node i) {
    transmission.is_error = transmission.is_error || !(nodes_[i].pending.front().frame == frame);
  });
  std::int64_t length = frame_bits + kInterframeBits;
  if (transmission.is_error) {
    const std::int64_t broken_at = rng_.between(1, frame_bits - 1);
    length = broken_at + kErrorFrameBits + kInterframeBits;
  } else if (!has_listener_besides(index)) {
    length = frame_bits - kAfterAcknowledgementBits + kLoneErrorFrameBits + kInterframeBits;
  }
  transmission.end = now + bits(length);
  current_ = transmission;
}

void CanBus::unpark(TimePoint now) {
  if (!parked_) {
    return;
  }
  // Attempts went on all the time. A newcomer hears the rest of the one on the wire without acknowledging it,
  // so the next full attempt is the first that can change anything.
  const Parked parked = *parked_;
  parked_.reset();
  const std::int64_t period = parked.period.count();
  const std::int64_t attempts = ((now - parked.since).count() + period - 1) / period;
  nodes_[parked.node].statistics.ack_errors += static_cast<std::uint64_t>(attempts);
  const TimePoint resumes = parked.since + Duration{attempts * period};
  busy_ += resumes - parked.since;
  idle_from_ = resumes;
}

void CanBus::recover(TimePoint now) {
  for_each(present_, [&](Node i) {
    Controller& node = nodes_[i];
    if (node.recovers_at <= now) {
      node.recovers_at = kNever;
      node.transmit_errors = 0;
      node.receive_errors = 0;
      unpark(now);
      update_state(i);
    }
  });
}

void CanBus::schedule(TimePoint now) {
  TimePoint next = current_ ? current_->end : kNever;
  const TimePoint free_at = std::max(idle_from_, now);
  const bool is_free = !current_ && !parked_;
  for_each(present_, [&](Node i) {
    const Controller& node = nodes_[i];
    next = earliest(next, node.recovers_at);
    if (is_free && !node.pending.is_empty() && is_listening(node)) {
      next = earliest(next, std::max(free_at, node.ready_at));
    }
  });
  next_ = next;
}

}  // namespace amphora::sim
