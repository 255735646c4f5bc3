// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/section_share.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::packnet {

namespace {

using Kind = SectionShareEvent::Kind;

// Seconds as a wider number, so that the slack cannot overflow.
constexpr bool is_beyond_slack(std::uint64_t newer_s, std::uint64_t older_s) {
  return newer_s > older_s + kStampSlackS;
}

}  // namespace

std::string_view to_text(SectionShareEvent::Kind kind) {
  constexpr std::string_view kNames[] = {"synchronised", "not_authentic", "other_security", "refused"};
  return kNames[static_cast<std::size_t>(kind)];
}

SectionShare::SectionShare(state::Replica& replica, const SectionShareConfig& config)
    : replica_{replica}, config_{config}, rng_{config.seed} {
  AMPHORA_ASSERT(replica_.specs().size() <= kShareSectionsMax);
  for (const state::SectionSpec& spec : replica_.specs()) {
    slots_[slot_count_++].section = spec.id;
  }
}

void SectionShare::clear() {
  for (Slot& slot : slots_) {
    const Mark mark = slot.mark;
    const state::SectionId section = slot.section;
    slot = Slot{};
    slot.section = section;
    slot.mark = mark;
  }
  heard_at_ = {};
  reassemblies_ = {};
  outgoing_ = {};
  settle_due_ = kNever;
  is_reported_ = false;
}

void SectionShare::start(TimePoint now, Node self) {
  AMPHORA_ASSERT(is_node(self));
  self_ = self;
  started_at_ = now;
  clear();
  seen_revision_ = replica_.durable_revision();
  for (std::size_t i = 0; i < slot_count_; ++i) {
    follow_slot(now, slots_[i]);
    slots_[i].announce_due = now + random_delay(kFirstAnnounceMax);
  }
}

void SectionShare::stop(TimePoint) {
  self_ = kNodeNone;
  clear();
}

// ---- the replica

void SectionShare::follow_replica(TimePoint now) {
  if (seen_revision_ == replica_.durable_revision()) {
    return;
  }
  seen_revision_ = replica_.durable_revision();
  for (std::size_t i = 0; i < slot_count_; ++i) {
    follow_slot(now, slots_[i]);
  }
}

void SectionShare::follow_slot(TimePoint now, Slot& slot) {
  const state::Record* const record = replica_.durable(slot.section);
  if (record == nullptr) {
    return;  // its store will tell, and the revision with it
  }
  const Mark mark{digest_of(record->payload), seconds_of(record->stamp), record->stamp, record->is_default()};
  if (mark == slot.mark) {
    return;
  }
  slot.mark = mark;
  slot.is_announced = false;
  slot.record_due = kNever;
  slot.record_sent_at.reset();
  slot.repeats_left = record->origin == replica_.self() ? kAnnounceRepeats : 0;
  if (!outgoing_.bytes.is_empty() && slots_[outgoing_.slot].section == slot.section) {
    outgoing_ = {};
  }
  if (!is_started()) {
    return;
  }
  // What came by the bus is announced by all that took it: not in the same moment.
  TimePoint due = now;
  if (record->origin != replica_.self()) {
    due += random_delay(kAnswerDelayMax);
  }
  if (slot.announced_at) {
    due = std::max(due, *slot.announced_at + kAnnounceSpacing);
  }
  slot.announce_due = earliest(slot.announce_due, due);
}

// What a peer has announced is here, if not stored yet.
bool SectionShare::is_merged(const Slot& slot, PayloadDigest digest, std::uint32_t stamp_s) const {
  const state::Record& current = replica_.current(slot.section);
  return digest_of(current.payload) == digest && !is_beyond_slack(stamp_s, seconds_of(current.stamp));
}

// ---- frames

SectionShare::Slot* SectionShare::find(state::SectionId section) {
  const auto end = slots_.begin() + static_cast<std::ptrdiff_t>(slot_count_);
  const auto found =
      std::find_if(slots_.begin(), end, [section](const Slot& slot) { return slot.section == section; });
  return found == end ? nullptr : &*found;
}

void SectionShare::handle_frame(TimePoint now, Node from, ByteSpan data) {
  if (!is_started()) {
    ++metrics_.outside;
    return;
  }
  const auto message = decode_share(data);
  if (!message || !is_node(from) || from == self_) {
    ++metrics_.malformed;
    return;
  }
  expire_reassemblies(now);
  follow_replica(now);
  if (const auto* announcement = std::get_if<Announcement>(&*message)) {
    handle_announcement(now, from, *announcement);
  } else if (const auto* segment = std::get_if<RecordSegment>(&*message)) {
    handle_segment(now, from, *segment);
  }
  follow_synchronisation(now);
}

void SectionShare::handle_announcement(TimePoint now, Node from, const Announcement& theirs) {
  Slot* const slot = find(theirs.section);
  if (slot == nullptr) {
    ++metrics_.unknown_sections;
    return;
  }
  ++metrics_.announcements_received;
  heard_at_[from] = now;
  slot->peers[from] = theirs.digest;
  const Mark& mine = slot->mark;
  const bool is_same = theirs.digest == mine.digest;
  const bool is_newer = is_same ? is_beyond_slack(theirs.stamp_s, mine.stamp_s)
                                : mine.is_default || theirs.stamp_s > mine.stamp_s;
  const bool is_older = !mine.is_default && (is_same ? is_beyond_slack(mine.stamp_s, theirs.stamp_s)
                                                     : theirs.stamp_s <= mine.stamp_s);
  if (is_newer) {
    if (!is_merged(*slot, theirs.digest, theirs.stamp_s)) {
      schedule_question(now, *slot, theirs);
    }
    return;
  }
  if (is_older) {
    schedule_record(now, *slot, from);
  } else if (slot->record_due != kNever && slot->record_for == from) {
    slot->record_due = kNever;  // it has it by now
    ++metrics_.suppressed;
  }
  if (is_same && is_asking(*slot)) {
    // That was the question that this node was about to ask.
    ++metrics_.suppressed;
    count_question(now, *slot);
  }
}

void SectionShare::schedule_question(TimePoint now, Slot& slot, const Announcement& newer) {
  const bool is_known = slot.asked_for == newer.digest && slot.asked_for_s == newer.stamp_s;
  if (slot.ask_due != kNever && (is_known || newer.stamp_s < slot.asked_for_s)) {
    return;
  }
  TimePoint due = now + random_delay(kAnswerDelayMax);
  if (slot.asked_at) {
    due = std::max(due, *slot.asked_at + (is_known ? kAskPause : kAnnounceSpacing));
  }
  slot.asked_for = newer.digest;
  slot.asked_for_s = newer.stamp_s;
  slot.ask_tries = 0;
  slot.ask_due = earliest(slot.ask_due, due);
}

// A question is due now or later, and the answer is not here.
bool SectionShare::is_asking(const Slot& slot) const {
  const bool is_behind = slot.mark.is_default || slot.asked_for_s > slot.mark.stamp_s;
  return slot.ask_due != kNever && is_behind && !is_merged(slot, slot.asked_for, slot.asked_for_s);
}

void SectionShare::count_question(TimePoint now, Slot& slot) {
  slot.asked_at = now;
  ++slot.ask_tries;
  slot.ask_due = slot.ask_tries < kAskTries ? now + kAskPause * (1 << (slot.ask_tries - 1)) : kNever;
}

// Questions whose answer is here or arriving.
void SectionShare::prune_questions(TimePoint now) {
  for (std::size_t i = 0; i < slot_count_; ++i) {
    Slot& slot = slots_[i];
    if (slot.ask_due > now) {
      continue;
    }
    if (!is_asking(slot)) {
      slot.ask_due = kNever;
    } else if (is_arriving(slot, slot.asked_for)) {
      slot.ask_due = now + kSegmentTimeout;
    }
  }
}

void SectionShare::schedule_record(TimePoint now, Slot& slot, Node requester) {
  slot.record_for = requester;
  if (slot.record_due != kNever) {
    return;
  }
  slot.record_due = now + random_delay(kAnswerDelayMax);
  if (slot.record_sent_at) {
    slot.record_due = std::max(slot.record_due, *slot.record_sent_at + kRecordPause);
  }
}

// ---- records of others

SectionShare::Reassembly* SectionShare::reassembly_of(Node from) {
  const auto found = std::ranges::find(reassemblies_, from, &Reassembly::from);
  return found == reassemblies_.end() ? nullptr : &*found;
}

bool SectionShare::is_arriving(const Slot& slot, PayloadDigest digest) const {
  return std::ranges::any_of(reassemblies_, [&slot, digest](const Reassembly& arriving) {
    return arriving.from != kNodeNone && arriving.section == slot.section && arriving.digest == digest;
  });
}

void SectionShare::expire_reassemblies(TimePoint now) {
  for (Reassembly& arriving : reassemblies_) {
    if (arriving.deadline <= now) {
      ++metrics_.incomplete;
      arriving = {};
    }
  }
}

void SectionShare::handle_segment(TimePoint now, Node from, const RecordSegment& segment) {
  Slot* const slot = find(segment.section);
  if (slot == nullptr) {
    ++metrics_.unknown_sections;
    return;
  }
  ++metrics_.segments_received;
  if (segment.is_sealed != config_.seal.is_sealed) {
    ++metrics_.other_security;
    note_fault(now, Kind::kOtherSecurity, from, segment.section);
    return;
  }
  Reassembly* arriving = reassembly_of(from);
  if (segment.index == 0) {
    arriving = begin_reassembly(from, *slot, segment);
    if (arriving != nullptr) {
      give_way(now, from, *slot, segment);
    }
  }
  if (arriving == nullptr || arriving->section != segment.section ||
      segment.index + 1 == arriving->next_index) {
    return;  // its beginning was missed, or it came twice
  }
  if (segment.index != arriving->next_index) {
    ++metrics_.incomplete;
    *arriving = {};
    return;
  }
  std::ranges::copy(segment.data, arriving->bytes.begin() + segment.index * std::ptrdiff_t{kSegmentSize});
  ++arriving->next_index;
  arriving->deadline = now + kSegmentTimeout;
  if (arriving->next_index * kSegmentSize >= arriving->size) {
    finish_reassembly(now, *arriving);
  }
}

// nullptr when it cannot be taken. A sender sends one record at a time, so its next one replaces the last.
SectionShare::Reassembly* SectionShare::begin_reassembly(Node from, Slot& slot, const RecordSegment& first) {
  const std::size_t size = record_size(first);
  if (size <= kSegmentSize || size > kRecordSizeMax) {
    ++metrics_.malformed;
    return nullptr;
  }
  Reassembly* arriving = reassembly_of(from);
  if (arriving != nullptr) {
    const bool is_twice = arriving->next_index == 1 && arriving->section == slot.section &&
                          std::ranges::equal(first.data, ByteSpan{arriving->bytes}.first(kSegmentSize));
    if (is_twice) {
      return arriving;
    }
    ++metrics_.incomplete;
  } else {
    arriving = reassembly_of(kNodeNone);
  }
  if (arriving == nullptr) {
    ++metrics_.reassembly_full;
    return nullptr;
  }
  *arriving = {};
  arriving->from = from;
  arriving->section = slot.section;
  arriving->digest = record_digest(first);
  arriving->size = static_cast<std::uint8_t>(size);
  return arriving;
}

// Two that answer at once: the lower node goes on, the other looks again when that should be complete.
void SectionShare::give_way(TimePoint now, Node from, const Slot& slot, const RecordSegment& first) {
  if (outgoing_.bytes.is_empty() || &slots_[outgoing_.slot] != &slot || from > self_ ||
      record_digest(first) != slot.mark.digest) {
    return;
  }
  slots_[outgoing_.slot].record_due = now + kSegmentTimeout;
  outgoing_ = {};
  ++metrics_.suppressed;
}

void SectionShare::finish_reassembly(TimePoint now, Reassembly& arriving) {
  const Reassembly complete = arriving;
  arriving = {};
  const auto record =
      decode_record(complete.section, ByteSpan{complete.bytes}.first(complete.size), config_.seal);
  if (record) {
    ++metrics_.records_received;
    handle_record(now, complete.from, *find(complete.section), *record);
  } else if (record.error() == RecordError::kBadCheck) {
    ++metrics_.not_authentic;
    note_fault(now, Kind::kNotAuthentic, complete.from, complete.section);
  } else {
    ++metrics_.malformed;
  }
}

void SectionShare::handle_record(TimePoint now, Node from, Slot& slot, const state::Record& record) {
  if (replica_.is_waiting_for_time(slot.section) && !replica_.clock().can_stamp()) {
    // Otherwise the change made here and this record would block each other.
    (void)replica_.clock().take_peer_reading(now, {false, record.stamp});
  }
  const auto outcome = replica_.merge(now, slot.section, record);
  if (!outcome) {
    ++metrics_.refused;
    note_fault(now, Kind::kRefused, from, slot.section);
    return;
  }
  heard_at_[from] = now;
  slot.peers[from] = digest_of(record.payload);
  const bool is_same = digest_of(record.payload) == slot.mark.digest;
  if (is_same && slot.record_due != kNever && record.stamp >= slot.mark.stamp) {
    slot.record_due = kNever;
    ++metrics_.suppressed;
  } else if (!is_same && *outcome == state::MergeOutcome::kKept && record.stamp <= slot.mark.stamp) {
    schedule_record(now, slot, from);
  }
}

// ---- time

void SectionShare::handle_timeout(TimePoint now) {
  expire_reassemblies(now);
  follow_replica(now);
  prune_questions(now);
  if (settle_due_ <= now) {
    settle_due_ = kNever;
  }
  follow_synchronisation(now);
}

TimePoint SectionShare::poll_timeout() const {
  TimePoint next = settle_due_;
  for (const Reassembly& arriving : reassemblies_) {
    next = earliest(next, arriving.deadline);
  }
  TimePoint frame = outgoing_.bytes.is_empty() ? kNever : gap_until_;
  for (std::size_t i = 0; i < slot_count_; ++i) {
    const Slot& slot = slots_[i];
    frame = earliest(frame, earliest(slot.announce_due, slot.ask_due));
    frame = earliest(frame, slot.record_due);
  }
  return earliest(next, std::max(frame, gap_until_));
}

Duration SectionShare::random_delay(Duration max) {
  return Duration{rng_.between(0, max.count())};
}

// ---- frames to send

std::optional<Opaque> SectionShare::poll_transmit(TimePoint now) {
  if (!is_started()) {
    return std::nullopt;
  }
  follow_replica(now);
  prune_questions(now);
  if (now < gap_until_) {
    return std::nullopt;
  }
  if (const auto announcement = take_announcement(now)) {
    return announcement;
  }
  return take_segment(now);
}

Opaque SectionShare::transmit(TimePoint now, const ShareMessage& message) {
  gap_until_ = now + kFrameGap;
  const ShareFrame frame = encode_share(message);
  return Opaque{Channel::kState, self_, static_cast<std::uint8_t>(frame.size()), frame};
}

std::optional<Opaque> SectionShare::take_announcement(TimePoint now) {
  for (std::size_t i = 0; i < slot_count_; ++i) {
    Slot& slot = slots_[i];
    if (slot.announce_due > now && slot.ask_due > now) {
      continue;
    }
    if (is_asking(slot)) {
      ++metrics_.questions;
      count_question(now, slot);
    }
    slot.announced_at = now;
    if (slot.repeats_left > 0) {
      slot.announce_due = now + kAnnounceRepeat * (1 << (kAnnounceRepeats - slot.repeats_left));
      --slot.repeats_left;
    } else {
      slot.announce_due = now + kAnnouncePeriod - random_delay(kAnnounceJitter);
    }
    if (!slot.is_announced) {
      slot.is_announced = true;
      settle_due_ = now + kObjectionTime;
    }
    ++metrics_.announcements_sent;
    return transmit(now, Announcement{slot.section, slot.mark.digest, slot.mark.stamp_s});
  }
  return std::nullopt;
}

std::optional<Opaque> SectionShare::take_segment(TimePoint now) {
  if (outgoing_.bytes.is_empty()) {
    begin_record(now);
  }
  if (outgoing_.bytes.is_empty()) {
    return std::nullopt;
  }
  RecordSegment segment{slots_[outgoing_.slot].section, config_.seal.is_sealed, outgoing_.next_index++, {}};
  const ByteSpan bytes = outgoing_.bytes.view();
  const std::size_t begin = segment.index * kSegmentSize;
  const std::size_t size = std::min(kSegmentSize, bytes.size() - begin);
  std::ranges::copy(bytes.subspan(begin, size), segment.data.begin());
  ++metrics_.segments_sent;
  if (begin + size == bytes.size()) {
    ++metrics_.records_sent;
    outgoing_ = {};
  }
  return transmit(now, segment);
}

void SectionShare::begin_record(TimePoint now) {
  for (std::size_t i = 0; i < slot_count_; ++i) {
    Slot& slot = slots_[i];
    if (slot.record_due > now) {
      continue;
    }
    if (is_arriving(slot, slot.mark.digest)) {
      slot.record_due = now + kSegmentTimeout;
      continue;
    }
    slot.record_due = kNever;
    const state::Record* const record = replica_.durable(slot.section);
    if (record == nullptr) {
      continue;  // a newer one is being stored, and announced then
    }
    slot.record_sent_at = now;
    outgoing_ = {i, 0, encode_record(slot.section, *record, config_.seal)};
    return;
  }
}

// ---- what is known of the others

bool SectionShare::is_agreed(TimePoint now) const {
  const auto own = std::span{slots_}.first(slot_count_);
  if (!is_started() || settle_due_ != kNever || !std::ranges::all_of(own, &Slot::is_announced)) {
    return false;
  }
  for (std::size_t node = 0; node < kNodes; ++node) {
    if (!heard_at_[node] || now - *heard_at_[node] > kPeerGone) {
      continue;
    }
    for (std::size_t i = 0; i < slot_count_; ++i) {
      if (slots_[i].peers[node] && *slots_[i].peers[node] != slots_[i].mark.digest) {
        return false;
      }
    }
  }
  return true;
}

bool SectionShare::is_synchronised(TimePoint now) const {
  return is_agreed(now) && replica_.is_settled();
}

std::size_t SectionShare::peer_count(TimePoint now) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      heard_at_,
      [now](const std::optional<TimePoint>& heard_at) { return heard_at && now - *heard_at <= kPeerGone; }));
}

void SectionShare::follow_synchronisation(TimePoint now) {
  follow_clock(now);
  const bool is_now = is_synchronised(now);
  if (is_now && !is_reported_) {
    (void)events_.push_overwrite(SectionShareEvent{now, Kind::kSynchronised, kNodeNone, 0});
  }
  is_reported_ = is_now;
}

void SectionShare::follow_clock(TimePoint now) {
  state::HybridClock& clock = replica_.clock();
  if (clock.can_stamp() || peer_count(now) == 0 || !is_agreed(now) ||
      (!clock.has_time() && now - started_at_ < kTimeWait)) {
    return;
  }
  // What the others hold was seen: a stamp from here on is above everything that this node ever issued.
  (void)clock.take_peer_reading(now, {false, clock.newest()});
  for (std::size_t i = 0; i < slot_count_; ++i) {
    replica_.settle_edit(now, slots_[i].section);
  }
}

void SectionShare::note_fault(TimePoint now, Kind kind, Node node, state::SectionId section) {
  std::optional<TimePoint>& last = fault_events_at_[static_cast<std::size_t>(kind)];
  if (!last || now - *last >= kFaultEventPause) {
    last = now;
    (void)events_.push_overwrite(SectionShareEvent{now, kind, node, section});
  }
}

}  // namespace amphora::packnet
