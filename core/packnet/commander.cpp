// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/commander.hpp"

#include <algorithm>
#include <numeric>

#include "core/base/assert.hpp"

namespace amphora::packnet {

namespace {

// So much is left below the end of the counter that no order under way can pass it.
constexpr std::uint64_t kCounterReserve = 0x1'0000;
static_assert(kOrdersMax * (1 + kNodesMax) < kCounterReserve);
// So many answers of this kind: the second was to a try with an epoch.
constexpr std::uint8_t kNotAuthenticMax = 2;
constexpr Duration kBusyWait = std::chrono::milliseconds{100};

static_assert(std::accumulate(kTryWaits.begin(), kTryWaits.end(), Duration{}) < kRepeatTime,
              "the gate still knows the first try when the last one comes");

}  // namespace

std::string_view to_text(OrderRefusal::Reason reason) {
  constexpr std::string_view kNames[] = {"not_active", "bad_node", "bad_command",
                                         "nobody",     "full",     "counter_used_up"};
  return kNames[static_cast<std::size_t>(reason)];
}

std::string_view to_text(Outcome outcome) {
  constexpr std::string_view kNames[] = {"waiting", "done", "refused", "silent", "given_up"};
  return kNames[static_cast<std::size_t>(outcome)];
}

Commander::Commander(const CommanderConfig& config)
    : config_{config}, counter_{config.counter}, stored_{config.counter} {}

bool Commander::Order::has(Node node) const {
  return std::ranges::find(list(), node, &Target::node) != list().end();
}

bool Commander::Order::is_over() const {
  return std::ranges::none_of(list(),
                              [](const Target& target) { return target.outcome == Outcome::kWaiting; });
}

Commander::Order* Commander::order_after(OrderTicket ticket) {
  Order* next = nullptr;
  for (Order& order : orders_) {
    if (order.ticket > ticket && (next == nullptr || order.ticket < next->ticket)) {
      next = &order;
    }
  }
  return next;
}

std::size_t Commander::orders_under_way() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(orders_, [](const Order& order) { return order.ticket != 0; }));
}

// ---- orders

Result<OrderTicket, OrderRefusal> Commander::order(TimePoint now, Node to, const Command& command,
                                                   const NodeTable& nodes) {
  std::array<Node, kNodesMax> packs{};
  std::size_t count = 0;
  for (const NodeEntry& entry : nodes.entries()) {
    if (is_candidate(entry.type)) {
      packs[count++] = entry.node;
    }
  }
  return order(now, to, command, std::span{packs}.first(count));
}

Result<OrderTicket, OrderRefusal> Commander::order(TimePoint, Node to, const Command& command,
                                                   std::span<const Node> packs) {
  using Reason = OrderRefusal::Reason;
  const auto refuse = [&](Reason reason, CommandError error = {}) {
    ++metrics_.refused;
    return OrderRefusal{reason, error};
  };
  if (!is_active_) {
    return refuse(Reason::kNotActive);
  }
  if (to != kNodeAll && !is_node(to)) {
    return refuse(Reason::kBadNode);
  }
  if (const auto error = check(command)) {
    return refuse(Reason::kBadCommand, *error);
  }
  if (counter_ > kCounterMax - 2 * kCounterReserve) {
    return refuse(Reason::kCounterUsedUp);
  }
  const auto place = std::ranges::find(orders_, OrderTicket{0}, &Order::ticket);
  if (place == orders_.end()) {
    return refuse(Reason::kFull);
  }
  Order& made = *place;
  made.target_count = 0;
  for (const Node node : to == kNodeAll ? packs : std::span<const Node>{&to, 1}) {
    if (is_node(node) && !made.has(node) && made.target_count < kNodesMax) {
      made.targets[made.target_count++].node = node;
    }
  }
  if (made.target_count == 0) {
    return refuse(Reason::kNobody);
  }
  made.ticket = next_ticket_++;
  made.command = command;
  made.send.to = to;
  ++metrics_.orders;
  start_waiting();
  return made.ticket;
}

void Commander::set_active(TimePoint, bool is_active) {
  is_active_ = is_active;
  if (is_active) {
    return;
  }
  for (Order& order : orders_) {
    for (Target& target : order.list()) {
      settle(target, Outcome::kGivenUp, CommandResult::kDone, 0);
    }
  }
}

bool Commander::must_wait(const Order& order) const {
  return std::ranges::any_of(orders_, [&](const Order& other) {
    const bool is_earlier = other.ticket != 0 && other.ticket < order.ticket && !other.is_over();
    return is_earlier && (other.send.to == kNodeAll || order.send.to == kNodeAll || other.has(order.send.to));
  });
}

void Commander::start_waiting() {
  for (Order& order : orders_) {
    if (order.ticket != 0 && !order.is_running && !order.is_over() && !must_wait(order)) {
      order.is_running = true;
      order.send.is_due = true;
    }
  }
}

// ---- answers

void Commander::settle(Target& target, Outcome outcome, CommandResult result, std::uint32_t detail) {
  if (target.outcome == Outcome::kWaiting) {
    target.outcome = outcome;
    target.result = result;
    target.detail = detail;
  }
}

// The target that this answer is from. A pack that nobody expected is entered when there is room.
Commander::Target* Commander::target_of(Order& order, Node node, std::uint8_t sequence) {
  const auto targets = order.list();
  const auto found = std::ranges::find(targets, node, &Target::node);
  if (found != targets.end()) {
    const Send& send = found->is_apart ? found->send : order.send;
    return send.tries > 0 && send.sequence() == sequence ? &*found : nullptr;
  }
  const bool is_new = order.send.to == kNodeAll && order.send.tries > 0 &&
                      order.send.sequence() == sequence && !order.is_over() && is_node(node) &&
                      order.target_count < kNodesMax;
  if (!is_new) {
    return nullptr;
  }
  Target& target = order.targets[order.target_count++];
  target = Target{};
  target.node = node;
  return &target;
}

void Commander::handle_acknowledgement(TimePoint now, const Acknowledgement& acknowledgement) {
  for (Order& order : orders_) {
    if (order.ticket == 0 || static_cast<std::uint8_t>(order.command.opcode) != acknowledgement.opcode) {
      continue;
    }
    if (Target* target = target_of(order, acknowledgement.node, acknowledgement.sequence)) {
      if (target->outcome == Outcome::kWaiting) {
        handle_answer(now, order, *target, acknowledgement);
        start_waiting();
      }
      return;
    }
  }
  ++metrics_.unexpected;
}

void Commander::handle_answer(TimePoint now, Order& order, Target& target, const Acknowledgement& answer) {
  Send& send = target.is_apart ? target.send : order.send;
  if (answer.result == CommandResult::kDone) {
    settle(target, Outcome::kDone, answer.result, answer.detail);
    return;
  }
  const bool is_last_try = send.tries == kTryWaits.size();
  if (answer.result == CommandResult::kNotAuthentic && config_.is_sealed) {
    send.has_epoch = true;
    if (++target.not_authentic < kNotAuthenticMax && !is_last_try) {
      return;
    }
  } else if (answer.result == CommandResult::kReplayed && config_.is_sealed) {
    raise(send.counter, answer.detail);
    if (!target.is_apart && send.tries == target.not_authentic + 1) {
      give_apart(now, target);
      return;
    }
  } else if (answer.result == CommandResult::kBusy) {
    if (config_.is_sealed && !target.is_apart) {
      give_apart(now + kBusyWait, target);
      return;
    }
    // A plain repetition is taken as new while the pack has not carried it out.
    if (!config_.is_sealed && !is_last_try) {
      return;
    }
  }
  settle(target, Outcome::kRefused, answer.result, answer.detail);
}

void Commander::give_apart(TimePoint at, Target& target) {
  ++metrics_.renumbered;
  target.is_apart = true;
  target.not_authentic = 0;
  target.send = Send{};
  target.send.to = target.node;
  target.send.due_at = at;
}

void Commander::raise(std::uint64_t used, std::uint32_t floor) {
  const std::uint32_t ahead = floor - static_cast<std::uint32_t>(used & 0xFFFF'FFFFU);
  if (ahead == 0 || ahead > kRaiseMax) {
    return;
  }
  const std::uint64_t raised = std::min(used + ahead, kCounterMax - kCounterReserve);
  if (raised > counter_) {
    ++metrics_.raised;
    counter_ = raised;
  }
}

// ---- time

bool Commander::has_listeners(const Order& order, const Send& send) const {
  return std::ranges::any_of(order.list(), [&](const Target& target) {
    return target.outcome == Outcome::kWaiting && (target.is_apart ? &target.send : &order.send) == &send;
  });
}

void Commander::pass_time(TimePoint now, Order& order, Send& send) {
  if (send.due_at > now) {
    return;
  }
  send.due_at = kNever;
  if (send.tries < kTryWaits.size()) {
    send.is_due = true;
    return;
  }
  for (Target& target : order.list()) {
    if ((target.is_apart ? &target.send : &order.send) == &send) {
      settle(target, Outcome::kSilent, CommandResult::kDone, 0);
    }
  }
}

void Commander::handle_timeout(TimePoint now) {
  for (Order& order : orders_) {
    if (!order.is_running) {
      continue;
    }
    pass_time(now, order, order.send);
    for (Target& target : order.list()) {
      pass_time(now, order, target.send);
    }
  }
  start_waiting();
}

TimePoint Commander::poll_timeout() const {
  TimePoint next = kNever;
  for (const Order& order : orders_) {
    next = earliest(next, order.send.due_at);
    for (const Target& target : order.list()) {
      next = earliest(next, target.send.due_at);
    }
  }
  return next;
}

// ---- outputs

bool Commander::wants_number() const {
  const auto is_waiting = [](const Send& send) { return send.is_due && send.tries == 0; };
  return std::ranges::any_of(orders_, [&](const Order& order) {
    return !order.is_over() &&
           (is_waiting(order.send) ||
            std::ranges::any_of(order.list(), [&](const Target& target) { return is_waiting(target.send); }));
  });
}

std::optional<std::uint64_t> Commander::poll_store() {
  if (storing_ || counter_ < stored_ || !wants_number()) {
    return std::nullopt;
  }
  storing_ = counter_ + kCounterStep;
  return storing_;
}

void Commander::handle_stored(TimePoint, std::uint64_t counter) {
  if (storing_ == counter) {
    storing_.reset();
    stored_ = std::max(stored_, counter);
  }
}

bool Commander::begin_try(TimePoint now, Order& order, Send& send) {
  if (!send.is_due) {
    return false;
  }
  if (!has_listeners(order, send)) {
    send.is_due = false;
    return false;
  }
  if (send.tries == 0) {
    if (counter_ >= stored_) {
      return false;
    }
    send.counter = counter_++;
  } else {
    ++metrics_.repeated;
  }
  send.is_due = false;
  send.due_at = now + kTryWaits[send.tries];
  ++send.tries;
  part_frame_ = encode_command(send.to, send.sequence(), order.command);
  part_counter_ = send.counter;
  part_ = config_.is_sealed && send.has_epoch ? Part::kEpoch : Part::kCommand;
  return true;
}

bool Commander::begin_any_try(TimePoint now) {
  for (Order* order = order_after(0); order != nullptr; order = order_after(order->ticket)) {
    if (begin_try(now, *order, order->send)) {
      return true;
    }
    for (Target& target : order->list()) {
      if (begin_try(now, *order, target.send)) {
        return true;
      }
    }
  }
  return false;
}

CommandFrame Commander::next_part() {
  switch (part_) {
    case Part::kEpoch:
      part_ = Part::kCommand;
      return make_epoch(part_counter_, part_frame_);
    case Part::kSeal:
      part_ = Part::kNone;
      return make_seal(config_.key, part_counter_, part_frame_);
    default:
      part_ = config_.is_sealed ? Part::kSeal : Part::kNone;
      return part_frame_;
  }
}

std::optional<CommandFrame> Commander::poll_transmit(TimePoint now) {
  if (part_ == Part::kNone && !begin_any_try(now)) {
    return std::nullopt;
  }
  return next_part();
}

std::optional<CommanderEvent> Commander::poll_event() {
  for (Order* order = order_after(0); order != nullptr; order = order_after(order->ticket)) {
    OrderCounts counts;
    for (Target& target : order->list()) {
      if (target.outcome == Outcome::kWaiting) {
        continue;
      }
      if (!target.is_told) {
        target.is_told = true;
        return CommanderEvent{CommanderEvent::Kind::kNode,
                              order->ticket,
                              target.node,
                              target.outcome,
                              target.result,
                              target.detail,
                              {}};
      }
      ++(target.outcome == Outcome::kDone      ? counts.done
         : target.outcome == Outcome::kRefused ? counts.refused
                                               : counts.silent);
    }
    if (order->is_over()) {
      CommanderEvent event;
      event.kind = CommanderEvent::Kind::kOver;
      event.ticket = order->ticket;
      event.counts = counts;
      *order = Order{};
      return event;
    }
  }
  return std::nullopt;
}

}  // namespace amphora::packnet
