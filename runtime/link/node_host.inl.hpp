// SPDX-License-Identifier: Apache-2.0
// Bodies of NodeHost, for the two hosts that are made of it.
#pragma once

#include "runtime/link/node_host.hpp"

namespace amphora::runtime {

inline constexpr Duration kWallTimePeriod = std::chrono::minutes{1};
// A clock that says less has not been set since the machine was switched on: January 2024.
inline constexpr std::int64_t kWallTimeMinMs = 1'704'067'200'000;
inline constexpr Duration kRefusedPause = std::chrono::milliseconds{5};

template <class Node>
void LinkThread::NodeHost<Node>::handle_frame(NodeId from, ByteSpan bytes,
                                              std::optional<std::int8_t> rssi_dbm) {
  if (node_ && is_listened_to(from)) {
    node_->handle_frame(now(), from, bytes, rssi_dbm);
    pump_.request();
  }
}

template <class Node>
TimePoint LinkThread::NodeHost<Node>::step(TimePoint now) {
  follow_radio(now);
  if (!node_) {
    report_if_due(now);
    return report_due_;
  }
  tell_time(now);
  node_->handle_timeout(now);
  if (now >= refused_due_) {
    refused_due_ = kNever;
    node_->handle_sent(now, link::SendStatus::kNotSent);
  }
  deliver(now);
  transmit(now);
  deliver(now);
  report_if_due(now);
  return earliest(earliest(node_->poll_timeout(), refused_due_), earliest(report_due_, time_due_));
}

template <class Node>
void LinkThread::NodeHost<Node>::follow_radio(TimePoint now) {
  NodeId address = port_->address();
  if (address.is_nobody()) {
    address = options().stored.address;
  }
  const bool is_up = port_->status().state == RadioState::kUp;
  if (!address.is_nobody() && (!node_ || node_->config().self != address)) {
    node_.reset();
    make_node(now, address);
    node_->set_status(now, status_);
    is_radio_up_ = false;
    time_due_ = now;
    if (owner_.store_ != nullptr && address != options().stored.address) {
      owner_.store_->put_section(kAddressName, to_string(address));
    }
  }
  if (node_ && is_up != is_radio_up_) {
    is_radio_up_ = is_up;
    refused_due_ = kNever;
    node_->handle_radio(now, is_up);
  }
}

template <class Node>
void LinkThread::NodeHost<Node>::transmit(TimePoint now) {
  std::array<std::uint8_t, kRadioDataMax> buffer{};
  static_assert(kRadioDataMax >= link::kPayloadSizeMax);
  while (const auto command = node_->poll_radio(now, buffer)) {
    if (command->kind == link::RadioCommand::Kind::kTune) {
      port_->set_channel(command->channel);
    } else if (!port_->send(command->to, ByteSpan{buffer}.first(command->size), ++token_)) {
      refused_due_ = now + kRefusedPause;
    }
  }
}

// The system's clock may be set or corrected at any time.
template <class Node>
void LinkThread::NodeHost<Node>::tell_time(TimePoint now) {
  if (now < time_due_) {
    return;
  }
  time_due_ = now + kWallTimePeriod;
  if (const WallTime wall = wall_now(); wall.unix_ms >= kWallTimeMinMs) {
    (void)node_->set_wall_time(now, wall);
  }
}

template <class Node>
void LinkThread::NodeHost<Node>::report_if_due(TimePoint now) {
  if (now < report_due_) {
    return;
  }
  report_due_ = now + options().report_interval;
  auto report = std::make_shared<LinkReport>();
  report->at = now;
  report->radio = port_->status();
  if (node_) {
    report->self = node_->config().self;
    report->channel = node_->channel();
    report->has_time = node_->clock().can_stamp();
    report->foreign_frames = node_->foreign_frame_count();
    report->unreported = node_->unreported_count();
    report->events_dropped = node_->dropped_event_count() + owner_.messages_.dropped_count();
    add_to_report(*report);
  }
  report->loop_delay_last = pump_.delay_last();
  report->loop_delay_max = pump_.delay_max();
  (void)owner_.reports_.push(std::move(report));
}

template <class Node>
void LinkThread::NodeHost<Node>::take_orders() {
  owner_.orders_.clear_wake();
  const TimePoint at = now();
  while (const auto order = owner_.orders_.pop()) {
    if (node_) {
      std::visit([this, at](const auto& one) { this->handle(at, one); }, *order);
    } else {
      refuse_early(*order);
    }
  }
  pump_.request();
}

// The radio has not told our address yet: there is no node that could obey.
template <class Node>
void LinkThread::NodeHost<Node>::refuse_early(const LinkOrder& order) {
  if (const auto* change = std::get_if<ChangeOrder>(&order)) {
    send(ChangeAnswer{change->token, ChangeAnswer::Unknown{}, false});
  } else if (const auto* show = std::get_if<ShowCodeOrder>(&order)) {
    refuse(show->token);
  } else if (const auto* enter = std::get_if<EnterCodeOrder>(&order)) {
    refuse(enter->token);
  } else if (const auto* cancel = std::get_if<CancelPairingOrder>(&order)) {
    refuse(cancel->token);
  } else if (const auto* forget = std::get_if<ForgetOrder>(&order)) {
    refuse(forget->token);
  }
}

template <class Node>
void LinkThread::NodeHost<Node>::handle(TimePoint now, const StatusOrder& order) {
  status_ = order.flags;
  node_->set_status(now, order.flags);
}

template <class Node>
void LinkThread::NodeHost<Node>::handle(TimePoint now, const ChangeOrder& order) {
  state::Replica* const target = replica(order.owner);
  if (target == nullptr) {
    send(ChangeAnswer{order.token, ChangeAnswer::Unknown{}, false});
    return;
  }
  send(change_section(now, *target, order));
  node_->settle(now);
  report_soon();
}

template <class Node>
void LinkThread::NodeHost<Node>::handle(TimePoint now, const SeedOrder& order) {
  seed_section(now, *replica(NodeId{}), order);
  node_->settle(now);
  report_soon();
}

template <class Node>
void LinkThread::NodeHost<Node>::handle(TimePoint now, const SectionStoredOrder& order) {
  state::Replica* const target = replica(order.owner);
  if (target == nullptr) {
    return;
  }
  if (order.is_durable) {
    target->handle_stored(now, order.section, order.ticket);
  } else {
    target->handle_store_failed(now, order.section, order.ticket);
  }
  node_->settle(now);
}

template <class Node>
void LinkThread::NodeHost<Node>::handle(TimePoint now, const ForgetOrder& order) {
  if (!forget(now, order.node)) {
    refuse(order.token);
    return;
  }
  report_soon();
  if (owner_.store_ == nullptr) {
    accept(order.token);
    return;
  }
  for (std::size_t id = 0; id < state::kSectionCountMax; ++id) {
    owner_.store_->remove_section(section_name(order.node, static_cast<state::SectionId>(id)));
  }
  // Answered when the disk has forgotten it too; after an error the store goes on trying.
  owner_.store_->remove_section(
      key_name(order.node), [&owner = owner_, at = now, token = order.token](const std::optional<SysError>&) {
        (void)owner.messages_.push(PairingAnswer{at, token, true, {}, {}});
      });
}

template <class Node>
void LinkThread::NodeHost<Node>::handle(TimePoint now, const KeyStoredOrder& order) {
  node_->handle_key_stored(now, order.is_durable);
  report_soon();
}

// Without a store a pairing would be forgotten at the next start, so there is none.
template <class Node>
void LinkThread::NodeHost<Node>::store_key(const link::PairedKey& key) {
  if (owner_.store_ == nullptr) {
    (void)owner_.order(KeyStoredOrder{false});
    return;
  }
  owner_.store_->put_section(
      key_name(key.peer), key_text(key.key, wall_now()),
      [&owner = owner_](const std::optional<SysError>& error) { (void)owner.order(KeyStoredOrder{!error}); });
}

template <class Node>
void LinkThread::NodeHost<Node>::store_section(NodeId owner, const state::StoreRequest& request) {
  const SectionStoredOrder answer{owner, request.section, request.ticket, true};
  if (owner_.store_ == nullptr) {
    (void)owner_.order(answer);
    return;
  }
  owner_.store_->put_section(section_name(owner, request.section), to_text(request.record),
                             [&owner = owner_, answer](const std::optional<SysError>& error) {
                               SectionStoredOrder outcome = answer;
                               outcome.is_durable = !error;
                               (void)owner.order(outcome);
                             });
}

}  // namespace amphora::runtime
