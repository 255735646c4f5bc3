// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/network.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::packnet {

namespace {

election::Config election_config(DeviceType type) {
  election::Config config;
  config.is_candidate = is_candidate(type);
  config.time_to_live = kNodeLife;
  return config;
}

ClaimConfig claim_config(const NetworkConfig& config) {
  ClaimConfig claim;
  claim.hardware = config.hardware;
  claim.stored = config.stored_node;
  claim.seed = config.seed;
  return claim;
}

}  // namespace

std::string_view to_text(NetworkEvent::Kind kind) {
  constexpr std::string_view kNames[] = {
      "node_claimed", "node_lost",       "duplicate_began", "duplicate_ended", "no_free_node", "appeared",
      "gone",         "became_master",   "follows",         "master_lost",     "alone",        "not_alone",
      "time",         "gateway_changed", "report",          "acknowledged",    "telemetry"};
  return kNames[static_cast<std::size_t>(kind)];
}

PackNetwork::PackNetwork(const NetworkConfig& config)
    : config_{config},
      claim_{claim_config(config)},
      last_node_{config.stored_node},
      election_{election_config(config.type)},
      gate_{config.gate} {}

bool PackNetwork::is_bus_up() const {
  return bus_state_ == can::BusState::kActive || bus_state_ == can::BusState::kErrorPassive;
}

std::optional<Node> PackNetwork::master() const {
  const auto master = election_.master();
  return master ? std::optional{static_cast<Node>(master->id)} : std::nullopt;
}

bool PackNetwork::is_active_gateway() const {
  return is_gateway() && is_bus_up() && (!other_gateway_ || config_.hardware < *other_gateway_);
}

// ---- inputs

void PackNetwork::handle_bus_state(TimePoint now, can::BusState state) {
  const bool was_up = is_bus_up();
  bus_state_ = state;
  if (was_up == is_bus_up()) {
    return;
  }
  if (is_gateway()) {
    if (is_bus_up()) {
      timers_.set(Timer::kGateway, now);
      timers_.set(Timer::kTime, now);
      election_.start(now, election::Candidate{0, 0});
    } else {
      timers_ = {};
      is_gateway_due_ = false;
      is_time_due_ = false;
      election_.stop(now);
    }
    return;
  }
  if (is_bus_up()) {
    claim_.start(now);
  } else {
    claim_.stop(now);
  }
  pump(now);
}

void PackNetwork::handle_frame(TimePoint now, const can::Frame& frame) {
  const auto decoded = packnet::decode(frame);
  if (!decoded.ok()) {
    ++(decoded.error() == DecodeError::kNotOurs ? metrics_.not_ours : metrics_.malformed);
    return;
  }
  ++metrics_.frames_received;
  const auto address = address_of(frame);
  if (node() != kNodeNone && address && is_sent_by(*address, node())) {
    handle_own_id(now);
    if (const auto* presence = std::get_if<Presence>(&*decoded)) {
      claim_.handle_presence(now, presence->node, presence->hash);
    }
    pump(now);
    return;
  }
  if (address && is_node(address->node) && is_sent_by(*address, address->node)) {
    nodes_.handle_heard(now, address->node);
    // Presence and the messages of the election say more than "heard"; the election gets them as they are.
    const bool is_election = std::holds_alternative<MasterBeacon>(*decoded) ||
                             std::holds_alternative<MasterAnswer>(*decoded) ||
                             std::holds_alternative<Presence>(*decoded);
    if (!is_election) {
      election_.handle_heard(now, address->node);
    }
  }
  handle_message(now, *decoded);
  pump(now);
}

void PackNetwork::handle_own_id(TimePoint now) {
  ++metrics_.foreign_use;
  claim_.handle_foreign_use(now);
}

void PackNetwork::handle_message(TimePoint now, const Message& message) {
  if (const auto* beacon = std::get_if<MasterBeacon>(&message)) {
    election_.handle_message(now,
                             election::Beacon{{beacon->node, beacon->rank}, beacon->term, beacon->is_alone});
  } else if (const auto* answer = std::get_if<MasterAnswer>(&message)) {
    election_.handle_message(
        now,
        election::Answer{{answer->node, answer->rank}, answer->master, answer->term, answer->is_to_alone});
  } else if (const auto* presence = std::get_if<Presence>(&message)) {
    handle_presence(now, *presence);
  } else if (const auto* old = std::get_if<OldPresence>(&message)) {
    if (old->node == node()) {
      handle_own_id(now);
    } else if (nodes_.handle_old_presence(now, old->node)) {
      emit(now, NetworkEvent::Kind::kAppeared, old->node);
    }
  } else if (const auto* claim = std::get_if<Claim>(&message)) {
    if (!is_gateway()) {
      claim_.handle_claim(now, *claim);
    }
  } else if (const auto* gateway = std::get_if<GatewayPresence>(&message)) {
    handle_gateway(now, *gateway);
  } else if (const auto* page = std::get_if<TelemetryPage>(&message)) {
    if (nodes_.handle_telemetry(now, *page)) {
      (void)events_.push_overwrite(
          NetworkEvent{now, NetworkEvent::Kind::kTelemetry, page->node, page->page, {}, {}});
    }
  } else if (const auto* command = std::get_if<CommandFrame>(&message)) {
    if (!is_gateway() && node() != kNodeNone && (command->to == node() || command->to == kNodeAll)) {
      gate_.handle_frame(now, *command);
    }
  } else if (const auto* time = std::get_if<Time>(&message)) {
    time_ = Sampled<Time>{*time, now};
    emit(now, NetworkEvent::Kind::kTime, kNodeNone);
  } else if (const auto* report = std::get_if<Report>(&message)) {
    NetworkEvent event{now, NetworkEvent::Kind::kReport, report->node, 0, {}, {}};
    event.report = *report;
    (void)events_.push_overwrite(event);
  } else if (const auto* done = std::get_if<Acknowledgement>(&message)) {
    NetworkEvent event{now, NetworkEvent::Kind::kAcknowledged, done->node, 0, {}, {}};
    event.answer = *done;
    (void)events_.push_overwrite(event);
  } else if (const auto* opaque = std::get_if<Opaque>(&message)) {
    if (!opaque_.push(*opaque)) {
      ++metrics_.opaque_dropped;
    }
  }
}

void PackNetwork::handle_presence(TimePoint now, const Presence& presence) {
  if (!is_gateway()) {
    claim_.handle_presence(now, presence.node, presence.hash);
  }
  if (is_candidate(presence.type)) {
    election_.handle_candidate(now, election::Candidate{presence.node, rank_of(presence.type)});
  }
  if (nodes_.handle_presence(now, presence)) {
    emit(now, NetworkEvent::Kind::kAppeared, presence.node);
  }
}

void PackNetwork::handle_gateway(TimePoint now, const GatewayPresence& presence) {
  if (!is_gateway() || presence.hardware == config_.hardware) {
    return;
  }
  const bool was_active = is_active_gateway();
  if (!other_gateway_ || presence.hardware <= *other_gateway_) {
    other_gateway_ = presence.hardware;
    timers_.set(Timer::kGatewayLost, now + kGatewayLost);
  }
  if (was_active != is_active_gateway()) {
    emit(now, NetworkEvent::Kind::kGatewayChanged, kNodeNone);
  }
}

void PackNetwork::handle_not_sent(TimePoint now) {
  claim_.handle_not_sent(now);
}

void PackNetwork::handle_timeout(TimePoint now) {
  while (const auto timer = timers_.pop_due(now)) {
    switch (*timer) {
      case Timer::kPresence:
        is_presence_due_ = node() != kNodeNone;
        break;
      case Timer::kTelemetry:
        is_page_due_ = node() != kNodeNone;
        break;
      case Timer::kGateway:
        is_gateway_due_ = true;
        break;
      case Timer::kGatewayLost: {
        const bool was_active = is_active_gateway();
        other_gateway_.reset();
        if (was_active != is_active_gateway()) {
          emit(now, NetworkEvent::Kind::kGatewayChanged, kNodeNone);
        }
        break;
      }
      case Timer::kTime:
        is_time_due_ = true;
        break;
      case Timer::kCount:
        break;
    }
  }
  claim_.handle_timeout(now);
  pump_claim(now);
  election_.handle_timeout(now);
  gate_.handle_timeout(now);
  while (const auto gone = nodes_.pop_expired(now)) {
    election_.remove(now, *gone);
    emit(now, NetworkEvent::Kind::kGone, *gone);
  }
  pump(now);
}

// ---- verbs

void PackNetwork::set_presence_flags(TimePoint now, std::uint8_t flags) {
  flags_ = flags;
  schedule_presence(now);
}

bool PackNetwork::report(TimePoint, Level level, bool is_end, std::uint16_t code, std::int32_t value) {
  return reports_.push(Report{kNodeNone, level, is_end, code, value});
}

void PackNetwork::set_time(TimePoint now, std::optional<WallTime> wall,
                           std::optional<std::int8_t> offset_quarters) {
  const bool is_first = wall && !wall_;
  wall_ = wall;
  wall_at_ = now;
  offset_quarters_ = offset_quarters;
  if (is_first && is_gateway() && is_bus_up()) {
    timers_.set(Timer::kTime, now);
  }
}

// ---- the parts

void PackNetwork::pump(TimePoint now) {
  pump_claim(now);
  pump_election(now);
  schedule_presence(now);
}

void PackNetwork::pump_claim(TimePoint now) {
  using Kind = NetworkEvent::Kind;
  while (const auto event = claim_.poll_event()) {
    switch (event->kind) {
      case ClaimEvent::Kind::kClaimed:
        announced_at_ = now;
        if (last_node_ != kNodeNone && last_node_ != event->node) {
          (void)report(now, Level::kNotice, false, kReportNodeChanged, event->node);
        }
        last_node_ = event->node;
        election_.start(now, election::Candidate{event->node, rank_of(config_.type)});
        is_presence_due_ = true;
        timers_.set(Timer::kTelemetry, now);
        emit(now, Kind::kNodeClaimed, event->node);
        break;
      case ClaimEvent::Kind::kLost:
        election_.stop(now);
        is_presence_due_ = false;
        is_page_due_ = false;
        timers_.cancel(Timer::kPresence);
        timers_.cancel(Timer::kTelemetry);
        emit(now, Kind::kNodeLost, event->node);
        break;
      case ClaimEvent::Kind::kDuplicateBegan:
        (void)report(now, Level::kError, false, kReportDuplicateHardware,
                     static_cast<std::int32_t>(config_.hardware & 0xFFFF'FFFFU));
        emit(now, Kind::kDuplicateBegan, event->node);
        break;
      case ClaimEvent::Kind::kDuplicateEnded:
        (void)report(now, Level::kError, true, kReportDuplicateHardware,
                     static_cast<std::int32_t>(config_.hardware & 0xFFFF'FFFFU));
        emit(now, Kind::kDuplicateEnded, event->node);
        break;
      case ClaimEvent::Kind::kNoFreeNode:
        emit(now, Kind::kNoFreeNode, kNodeNone);
        break;
    }
  }
}

void PackNetwork::pump_election(TimePoint now) {
  using From = election::Event::Kind;
  using To = NetworkEvent::Kind;
  while (const auto event = election_.poll_event()) {
    const auto node = static_cast<Node>(event->master);
    switch (event->kind) {
      case From::kBecameMaster:
        emit(now, To::kBecameMaster, node);
        break;
      case From::kFollows:
      case From::kYielded:
        emit(now, To::kFollows, node);
        break;
      case From::kMasterLost:
        emit(now, To::kMasterLost, node);
        break;
      case From::kAlone:
        emit(now, To::kAlone, node);
        break;
      case From::kNotAlone:
        emit(now, To::kNotAlone, node);
        break;
    }
  }
}

Presence PackNetwork::own_presence() const {
  Presence presence;
  presence.node = node();
  presence.type = config_.type;
  presence.firmware_major = config_.firmware_major;
  presence.firmware_minor = config_.firmware_minor;
  const unsigned own = (election_.is_master() ? kPresenceMaster : 0U) | (time_ ? kPresenceTimeKnown : 0U) |
                       (claim_.is_duplicate() ? kPresenceDuplicate : 0U);
  constexpr unsigned kTheirs = kPresenceAlarm | kPresenceWarning | 0xE0U;
  presence.flags = static_cast<std::uint8_t>((flags_ & kTheirs) | own);
  presence.hash = hash_of(config_.hardware);
  return presence;
}

void PackNetwork::schedule_presence(TimePoint now) {
  if (node() == kNodeNone || is_presence_due_ || own_presence().flags == sent_flags_) {
    return;
  }
  const TimePoint at = std::max(now, presence_sent_at_ + kPresenceMin);
  if (!timers_.is_set(Timer::kPresence) || timers_.at(Timer::kPresence) > at) {
    timers_.set(Timer::kPresence, at);
  }
}

void PackNetwork::emit(TimePoint now, NetworkEvent::Kind kind, Node node) {
  (void)events_.push_overwrite(NetworkEvent{now, kind, node, 0, {}, {}});
}

// ---- outputs

std::optional<NetworkEvent> PackNetwork::poll_event() {
  return events_.pop();
}

// Most urgent first; telemetry last, so that it is what waits on a full bus.
std::optional<Message> PackNetwork::next_node_message(TimePoint now) {
  if (const auto message = election_.poll_transmit(now)) {
    if (const auto* beacon = std::get_if<election::Beacon>(&*message)) {
      return Message{MasterBeacon{node(), beacon->from.rank, beacon->is_alone, beacon->term}};
    }
    if (const auto* answer = std::get_if<election::Answer>(&*message)) {
      return Message{MasterAnswer{node(), answer->from.rank, static_cast<Node>(answer->master),
                                  answer->is_to_alone, answer->term}};
    }
  }
  if (auto answer = gate_.poll_transmit(now)) {
    answer->node = node();
    return Message{*answer};
  }
  if (auto report = reports_.pop()) {
    report->node = node();
    return Message{*report};
  }
  if (is_presence_due_) {
    is_presence_due_ = false;
    const Presence presence = own_presence();
    sent_flags_ = presence.flags;
    presence_sent_at_ = now;
    const bool is_first = now - announced_at_ < kPresenceFirstFor;
    timers_.set(Timer::kPresence, now + (is_first ? kPresencePeriodFirst : kPresencePeriod));
    return Message{presence};
  }
  if (is_page_due_) {
    is_page_due_ = false;
    const auto pages = static_cast<std::int64_t>(std::max<std::size_t>(telemetry_.page_count(), 1));
    timers_.set(Timer::kTelemetry, now + kTelemetryCycle / pages);
    if (const auto page = telemetry_.next_page(next_page_)) {
      next_page_ = *page;
      return Message{telemetry_.encode(node(), *page)};
    }
  }
  return std::nullopt;
}

std::optional<OutFrame> PackNetwork::next_frame(TimePoint now) {
  if (!is_bus_up()) {
    return std::nullopt;
  }
  if (is_gateway()) {
    if (is_gateway_due_) {
      is_gateway_due_ = false;
      timers_.set(Timer::kGateway, now + kGatewayPeriod);
      return OutFrame{encode(GatewayPresence{config_.hardware}), false};
    }
    if (is_time_due_) {
      is_time_due_ = false;
      timers_.set(Timer::kTime, now + kTimePeriod);
      const auto wall =
          wall_ ? std::optional{WallTime{wall_->unix_ms + to_milliseconds(now - wall_at_)}} : std::nullopt;
      const auto time = wall ? time_of(*wall, offset_quarters_) : std::nullopt;
      if (time && is_active_gateway()) {
        return OutFrame{encode(*time), false};
      }
    }
    return std::nullopt;
  }
  if (const auto claim = claim_.poll_transmit(now)) {
    return OutFrame{encode(*claim), true};
  }
  if (node() == kNodeNone) {
    return std::nullopt;
  }
  const auto message = next_node_message(now);
  return message ? std::optional{OutFrame{encode(*message), false}} : std::nullopt;
}

std::optional<OutFrame> PackNetwork::poll_transmit(TimePoint now) {
  const auto frame = next_frame(now);
  metrics_.frames_sent += frame ? 1U : 0U;
  return frame;
}

TimePoint PackNetwork::poll_timeout() const {
  TimePoint next = earliest(timers_.next(), claim_.poll_timeout());
  next = earliest(next, earliest(election_.poll_timeout(), gate_.poll_timeout()));
  return earliest(next, nodes_.next_expiry());
}

}  // namespace amphora::packnet
