// SPDX-License-Identifier: Apache-2.0
#include "core/state/exchange.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::state {

namespace {

using Kind = ExchangeEvent::Kind;

// Tries after which a section no longer counts as on its way, and after which a report of the radio no longer
// shortens the wait: the peer does not answer, and hurry would only fill the air.
constexpr std::uint8_t kQuickTries = 3;
constexpr std::uint8_t kTriesCounted = 100;

}  // namespace

std::string_view to_text(AckResult result) {
  constexpr std::string_view kNames[] = {"durable", "store_failed", "refused"};
  return kNames[static_cast<std::size_t>(result)];
}

std::string_view to_text(SyncState state) {
  constexpr std::string_view kNames[] = {"local", "synchronised", "waiting_for_peer", "conflict_resolved"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view to_text(ExchangeEvent::Kind kind) {
  constexpr std::string_view kNames[] = {"synchronised", "acknowledged", "peer_store_failed",
                                         "refused_by_peer", "tie"};
  return kNames[static_cast<std::size_t>(kind)];
}

Exchange::Exchange(Replica& replica, const ExchangeConfig& config)
    : replica_{replica}, config_{config}, rng_{config.seed} {
  AMPHORA_ASSERT(config_.part_size_max > 0 && config_.part_size_max * kPartsMax >= kPayloadSizeMax);
  AMPHORA_ASSERT(config_.beacon_period >= kBeaconSpacing);
}

// ---- session and time

void Exchange::begin_session(TimePoint now) {
  is_in_session_ = true;
  has_had_session_ = true;
  is_announced_ = false;
  for (Slot& slot : slots_) {
    // What the peer held is kept for display until its beacon tells.
    Slot fresh;
    fresh.peer_version = slot.peer_version;
    fresh.peer_stamp = slot.peer_stamp;
    slot = fresh;
  }
  for (const SectionSpec& spec : replica_.specs()) {
    slots_[spec.id].seen = replica_.durable_mark(spec.id);
  }
  seen_revision_ = replica_.durable_revision();
  reassembly_ = {};
  peer_status_.reset();
  peer_digest_.reset();
  beacon_sent_at_.reset();
  beacon_due_ = now;
  beacon_pause_ = kBeaconSpacing;
  last_sent_ = Sent::kOther;
}

void Exchange::end_session(TimePoint) {
  is_in_session_ = false;
  peer_status_.reset();
  peer_digest_.reset();
}

void Exchange::set_status(TimePoint now, std::uint8_t status) {
  if (status != status_) {
    status_ = status;
    schedule_beacon(now);
  }
}

void Exchange::schedule_beacon(TimePoint now) {
  const TimePoint at =
      beacon_sent_at_ ? std::max(now, add_saturating(*beacon_sent_at_, kBeaconSpacing)) : now;
  beacon_due_ = earliest(beacon_due_, at);
}

// Nothing happens by time alone: what is due is handed out by poll_transmit().
void Exchange::handle_timeout(TimePoint) {}

TimePoint Exchange::poll_timeout() const {
  if (!is_in_session_) {
    return kNever;
  }
  const bool is_window_open = has_window();
  TimePoint next = beacon_due_;
  for (const Slot& slot : slots_) {
    if (slot.push.tries > 0 || is_window_open) {
      next = earliest(next, slot.push.due);
    }
    next = earliest(next, slot.request.due);
  }
  return next;
}

void Exchange::handle_send_failed(TimePoint now) {
  if (!is_in_session_ || last_sent_ == Sent::kOther) {
    return;
  }
  Slot& slot = slots_[last_sent_section_];
  Intent& intent = last_sent_ == Sent::kPush ? slot.push : slot.request;
  if (intent.is_set() && intent.tries <= kQuickTries) {
    intent.due = earliest(intent.due, add_saturating(now, kSendFailedRetry));
  }
  last_sent_ = Sent::kOther;
}

// ---- what both sides hold

bool Exchange::is_peer_behind(SectionId section) const {
  const Slot& slot = slots_[section];
  const DurableMark& mine = replica_.durable_mark(section);
  return mine.version > slot.peer_version || mine.stamp > slot.peer_stamp;
}

bool Exchange::is_behind_peer(SectionId section) const {
  const Slot& slot = slots_[section];
  const Record& mine = replica_.current(section);
  return slot.peer_version > mine.version || slot.peer_stamp > mine.stamp;
}

bool Exchange::is_equal(SectionId section) const {
  const Slot& slot = slots_[section];
  const DurableMark& mine = replica_.durable_mark(section);
  return replica_.durable(section) != nullptr && mine.version == slot.peer_version &&
         mine.stamp == slot.peer_stamp;
}

bool Exchange::is_equal(const Beacon& beacon) const {
  const Beacon mine = make_beacon();
  return mine.versions == beacon.versions && mine.stamps == beacon.stamps;
}

void Exchange::learn_peer(Slot& slot, std::uint32_t version, const Stamp& stamp) {
  // Within a session what the peer holds only grows, so a late message is told from a new one.
  slot.peer_version = slot.is_peer_known ? std::max(slot.peer_version, version) : version;
  slot.peer_stamp = slot.is_peer_known ? std::max(slot.peer_stamp, stamp) : stamp;
  slot.is_peer_known = true;
}

void Exchange::follow(TimePoint now, SectionId section) {
  Slot& slot = slots_[section];
  const DurableMark& mine = replica_.durable_mark(section);
  const bool is_offered = replica_.durable(section) != nullptr && mine.digest != 0;
  const bool is_refused = slot.refused_by_peer == mine.stamp;
  const bool is_wanted = slot.is_push_forced || (slot.is_peer_known && is_peer_behind(section));
  if (!is_offered || is_refused || !is_wanted) {
    slot.push = {};
    slot.is_push_forced = slot.is_push_forced && !is_refused && mine.digest != 0;
    slot.next_part = 0;
  } else if (!slot.push.is_set()) {
    slot.push = {now, 0};
    slot.next_part = 0;
  }
  if (!slot.is_peer_known || !is_behind_peer(section) || slot.refused_here == slot.peer_stamp) {
    slot.request = {};
  } else if (!slot.request.is_set()) {
    slot.request = {add_saturating(now, kRequestDelay), 0};
  }
}

void Exchange::follow_replica(TimePoint now) {
  if (seen_revision_ == replica_.durable_revision()) {
    return;
  }
  seen_revision_ = replica_.durable_revision();
  for (const SectionSpec& spec : replica_.specs()) {
    Slot& slot = slots_[spec.id];
    const DurableMark& mine = replica_.durable_mark(spec.id);
    if (slot.seen == mine) {
      continue;
    }
    slot.seen = mine;
    slot.push = {};
    slot.next_part = 0;
    slot.is_push_forced = slot.is_push_forced || !slot.is_peer_known;
    follow(now, spec.id);
  }
  beacon_pause_ = kBeaconSpacing;
  schedule_beacon(now);
  follow_synchronisation(now);
}

bool Exchange::is_synchronised() const {
  return is_in_session_ && (!peer_digest_ || *peer_digest_ == replica_.digest()) &&
         std::ranges::all_of(replica_.specs(), [this](const SectionSpec& spec) {
           return slots_[spec.id].is_peer_known && is_equal(spec.id);
         });
}

void Exchange::follow_synchronisation(TimePoint now) {
  const bool is_now = is_synchronised();
  if (is_now && !is_announced_) {
    add_event(now, Kind::kSynchronised);
  }
  is_announced_ = is_now;
}

void Exchange::exchange_all(TimePoint now) {
  if (std::ranges::any_of(slots_, [](const Slot& slot) { return slot.push.is_set(); })) {
    return;
  }
  ++statistics_.ties;
  add_event(now, Kind::kTie);
  for (const SectionSpec& spec : replica_.specs()) {
    slots_[spec.id].is_push_forced = true;
    follow(now, spec.id);
  }
}

SyncState Exchange::sync_state(SectionId section) const {
  if (!has_had_session_) {
    return SyncState::kLocal;
  }
  if (!is_equal(section)) {
    return SyncState::kWaitingForPeer;
  }
  return replica_.conflict_at(section) ? SyncState::kConflictResolved : SyncState::kSynchronised;
}

std::optional<std::uint8_t> Exchange::peer_status() const {
  return peer_status_;
}

// ---- messages in

void Exchange::handle_message(TimePoint now, const ExchangeMessage& message) {
  if (!is_in_session_) {
    ++statistics_.outside_session;
    return;
  }
  follow_replica(now);
  if (const auto* beacon = std::get_if<Beacon>(&message)) {
    handle_beacon(now, *beacon);
  } else if (const auto* request = std::get_if<Request>(&message)) {
    handle_request(now, *request);
  } else if (const auto* data = std::get_if<SectionData>(&message)) {
    handle_data(now, *data);
  } else if (const auto* ack = std::get_if<SectionAck>(&message)) {
    handle_ack(now, *ack);
  }
  follow_synchronisation(now);
}

void Exchange::handle_beacon(TimePoint now, const Beacon& beacon) {
  if (beacon.count > kSectionCountMax || !std::ranges::all_of(beacon.stamps, is_plausible)) {
    ++statistics_.refused;
    return;
  }
  ++statistics_.beacons_received;
  last_beacon_at_ = now;
  peer_status_ = beacon.status;
  for (const SectionSpec& spec : replica_.specs()) {
    Slot& slot = slots_[spec.id];
    learn_peer(slot, beacon.versions[spec.id], beacon.stamps[spec.id]);
    if (spec.id >= beacon.count) {
      // An older version that does not have this section.
      slot.refused_by_peer = replica_.durable_mark(spec.id).stamp;
    }
    if (!is_behind_peer(spec.id)) {
      replica_.settle_edit(now, spec.id);
      replica_.handle_seen_by_peer(spec.id, beacon.stamps[spec.id]);
    }
    follow(now, spec.id);
  }
  peer_digest_.reset();
  if (is_equal(beacon)) {
    peer_digest_ = beacon.digest;
    if (beacon.digest != replica_.digest() && replica_.is_settled()) {
      exchange_all(now);
    }
  }
  if (beacon.wants_answer && is_synchronised()) {
    schedule_beacon(now);
  }
}

void Exchange::handle_request(TimePoint now, const Request& request) {
  if (!replica_.has_section(request.section)) {
    ++statistics_.refused;
    return;
  }
  ++statistics_.requests_received;
  Slot& slot = slots_[request.section];
  slot.is_push_forced = true;
  slot.refused_by_peer.reset();
  follow(now, request.section);
  if (slot.push.is_set() && slot.push.tries > 0) {
    // Sent already: it was lost, or the request crossed it.
    slot.push.due = earliest(slot.push.due, add_saturating(now, kSendFailedRetry));
  }
}

const Record* Exchange::reassemble(const SectionData& data) {
  if (data.parts == 0 || data.parts > kPartsMax || data.part >= data.parts) {
    ++statistics_.refused;
    return nullptr;
  }
  Reassembly& whole = reassembly_;
  if (data.part == 0) {
    whole = {data.section, 1, data.parts, data.record};
  } else {
    const bool fits = whole.next_part == data.part && whole.section == data.section &&
                      whole.parts == data.parts && whole.record.version == data.record.version &&
                      whole.record.stamp == data.record.stamp && whole.record.origin == data.record.origin;
    if (!fits || !whole.record.payload.append(data.record.payload.bytes())) {
      ++statistics_.refused;
      return nullptr;
    }
    ++whole.next_part;
  }
  if (whole.next_part != whole.parts) {
    return nullptr;
  }
  whole.next_part = 0;
  return &whole.record;
}

void Exchange::handle_data(TimePoint now, const SectionData& data) {
  ++statistics_.data_received;
  if (data.section >= kSectionCountMax) {
    ++statistics_.refused;
    return;
  }
  Slot& slot = slots_[data.section];
  if (!replica_.has_section(data.section)) {
    ++statistics_.refused;
    slot.is_refusal_due = true;
    return;
  }
  const Record* const record = reassemble(data);
  if (record == nullptr) {
    return;
  }
  const auto merged = replica_.merge(now, data.section, *record);
  if (!merged) {
    ++statistics_.refused;
    if (merged.error() != Refusal::kNotDuringEdit) {
      slot.is_refusal_due = true;
      slot.refused_here = record->stamp;
      slot.request = {};
    }
    return;
  }
  learn_peer(slot, record->version, record->stamp);
  peer_digest_.reset();
  slot.is_ack_due = true;
  follow(now, data.section);
}

void Exchange::handle_ack(TimePoint now, const SectionAck& ack) {
  if (!replica_.has_section(ack.section) || !is_plausible(ack.stamp)) {
    ++statistics_.refused;
    return;
  }
  ++statistics_.acks_received;
  Slot& slot = slots_[ack.section];
  const DurableMark& mine = replica_.durable_mark(ack.section);
  if (ack.result == AckResult::kRefused) {
    if (slot.push.tries > 0) {
      slot.refused_by_peer = mine.stamp;
      add_event(now, Kind::kRefusedByPeer, ack.section);
    }
    follow(now, ack.section);
    return;
  }
  learn_peer(slot, ack.version, ack.stamp);
  peer_digest_.reset();
  if (ack.result == AckResult::kStoreFailed) {
    if (slot.push.tries > 0 && slot.push.tries < kTriesCounted) {
      slot.push.tries = kTriesCounted;
      add_event(now, Kind::kPeerStoreFailed, ack.section);
    }
    if (slot.push.is_set()) {
      slot.push.due = std::max(slot.push.due, add_saturating(now, kExchangeRetryMax));
    }
    return;
  }
  if (!is_peer_behind(ack.section)) {
    if (slot.push.tries > 0) {
      slot.is_push_forced = false;
      add_event(now, Kind::kAcknowledged, ack.section);
    }
    replica_.handle_seen_by_peer(ack.section, ack.stamp);
  }
  follow(now, ack.section);
}

// ---- messages out

std::optional<ExchangeMessage> Exchange::poll_transmit(TimePoint now) {
  if (!is_in_session_) {
    return std::nullopt;
  }
  follow_replica(now);
  last_sent_ = Sent::kOther;
  if (auto message = take_ack()) {
    return message;
  }
  if (auto message = take_data(now)) {
    return message;
  }
  if (auto message = take_request(now)) {
    return message;
  }
  return take_beacon(now);
}

std::optional<ExchangeMessage> Exchange::take_ack() {
  for (std::size_t i = 0; i < kSectionCountMax; ++i) {
    const auto section = static_cast<SectionId>(i);
    Slot& slot = slots_[i];
    SectionAck ack;
    ack.section = section;
    if (slot.is_refusal_due) {
      slot.is_refusal_due = false;
      ack.result = AckResult::kRefused;
    } else if (slot.is_ack_due && replica_.durable(section) != nullptr) {
      slot.is_ack_due = false;
    } else if (slot.is_ack_due && replica_.is_store_failing(section)) {
      slot.is_ack_due = false;
      ack.result = AckResult::kStoreFailed;
    } else {
      continue;
    }
    if (replica_.has_section(section)) {
      ack.version = replica_.durable_mark(section).version;
      ack.stamp = replica_.durable_mark(section).stamp;
    }
    ++statistics_.acks_sent;
    return ack;
  }
  return std::nullopt;
}

bool Exchange::has_window() const {
  const auto used = std::ranges::count_if(slots_, [](const Slot& slot) {
    return slot.push.is_set() && slot.push.tries > 0 && slot.push.tries <= kQuickTries;
  });
  return static_cast<std::size_t>(used) < kPushWindow;
}

std::optional<ExchangeMessage> Exchange::take_data(TimePoint now) {
  const bool is_window_open = has_window();
  std::size_t best = kSectionCountMax;
  for (std::size_t i = 0; i < kSectionCountMax; ++i) {
    const Slot& slot = slots_[i];
    if (!slot.push.is_set() || slot.push.due > now || (slot.push.tries == 0 && !is_window_open)) {
      continue;
    }
    if (slot.next_part > 0) {
      best = i;  // the rest of what has begun goes first: parts are taken in order
      break;
    }
    if (best == kSectionCountMax || slot.push.due < slots_[best].push.due) {
      best = i;
    }
  }
  if (best == kSectionCountMax) {
    return std::nullopt;
  }
  return take_part(now, static_cast<SectionId>(best));
}

std::optional<ExchangeMessage> Exchange::take_part(TimePoint now, SectionId section) {
  Slot& slot = slots_[section];
  const Record* const record = replica_.durable(section);
  if (record == nullptr) {
    // Something newer is being written; it is pushed when it is durable.
    slot.push = {};
    slot.next_part = 0;
    return take_data(now);
  }
  const ByteSpan payload = record->payload.bytes();
  const std::size_t size_max = config_.part_size_max;
  const std::size_t parts = std::max<std::size_t>(1, (payload.size() + size_max - 1) / size_max);
  const std::size_t begin = std::min(payload.size(), slot.next_part * size_max);
  SectionData data{.section = section,
                   .record = {record->version, record->stamp, record->origin,
                              Payload{payload.subspan(begin, std::min(size_max, payload.size() - begin))}},
                   .part = slot.next_part,
                   .parts = static_cast<std::uint8_t>(parts)};
  ++slot.next_part;
  if (slot.next_part >= parts) {
    slot.next_part = 0;
    rearm(now, slot.push);
  }
  ++statistics_.data_sent;
  last_sent_ = Sent::kPush;
  last_sent_section_ = section;
  return data;
}

std::optional<ExchangeMessage> Exchange::take_request(TimePoint now) {
  for (const SectionSpec& spec : replica_.specs()) {
    Slot& slot = slots_[spec.id];
    if (slot.request.due > now) {
      continue;
    }
    rearm(now, slot.request);
    ++statistics_.requests_sent;
    last_sent_ = Sent::kRequest;
    last_sent_section_ = spec.id;
    return Request{spec.id, replica_.current(spec.id).version};
  }
  return std::nullopt;
}

std::optional<ExchangeMessage> Exchange::take_beacon(TimePoint now) {
  if (beacon_due_ > now) {
    return std::nullopt;
  }
  const Duration pause = is_synchronised() ? config_.beacon_period : beacon_pause_;
  beacon_pause_ = std::min(2 * beacon_pause_, config_.beacon_period);
  beacon_sent_at_ = now;
  // A little early and never late, so that two boxes started together do not stay in step.
  beacon_due_ = add_saturating(now, pause - Duration{rng_.between(0, pause.count() / 16)});
  ++statistics_.beacons_sent;
  return make_beacon();
}

Beacon Exchange::make_beacon() const {
  Beacon beacon;
  for (const SectionSpec& spec : replica_.specs()) {
    const DurableMark& mine = replica_.durable_mark(spec.id);
    beacon.count = std::max(beacon.count, static_cast<std::uint8_t>(spec.id + 1));
    beacon.versions[spec.id] = mine.version;
    beacon.stamps[spec.id] = mine.stamp;
  }
  beacon.digest = replica_.digest();
  beacon.status = status_;
  beacon.wants_answer = !is_synchronised();
  return beacon;
}

void Exchange::rearm(TimePoint now, Intent& intent) {
  if (intent.tries > 0) {
    ++statistics_.repeated;
  }
  Duration pause = kExchangeRetryMin;
  for (std::uint8_t i = 0; i < intent.tries && pause < kExchangeRetryMax; ++i) {
    pause *= 2;
  }
  pause = std::min(pause, kExchangeRetryMax);
  pause += Duration{rng_.between(0, pause.count() / 4)};
  intent.due = add_saturating(now, pause);
  intent.tries = std::min<std::uint8_t>(static_cast<std::uint8_t>(intent.tries + 1), kTriesCounted);
}

void Exchange::add_event(TimePoint now, Kind kind, SectionId section) {
  (void)events_.push_overwrite(ExchangeEvent{now, kind, section});
}

}  // namespace amphora::state
