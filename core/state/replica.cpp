// SPDX-License-Identifier: Apache-2.0
#include "core/state/replica.hpp"

#include <algorithm>
#include <limits>

#include "core/base/assert.hpp"
#include "core/base/crc.hpp"

namespace amphora::state {

namespace {

using Kind = ReplicaEvent::Kind;

DurableMark mark_of(SectionId section, const Record& record) {
  return {record.version, record.stamp, record.origin, digest_of(section, record)};
}

// Versions stop at the end of their range: they never run backwards.
std::uint32_t next_version(std::uint32_t version) {
  return version == std::numeric_limits<std::uint32_t>::max() ? version : version + 1;
}

}  // namespace

std::string_view to_text(Refusal refusal) {
  constexpr std::string_view kNames[] = {"unknown_section", "too_large", "read_only", "stamp_absurd",
                                         "not_during_edit"};
  return kNames[static_cast<std::size_t>(refusal)];
}

std::string_view to_text(ReplicaEvent::Kind kind) {
  constexpr std::string_view kNames[] = {"changed",      "adopted", "conflict_theirs",
                                         "store_failed", "stored",  "corrupt"};
  return kNames[static_cast<std::size_t>(kind)];
}

Replica::Replica(HybridClock& clock, std::span<const SectionSpec> specs, NodeId self, NodeId owner)
    : clock_{clock}, specs_{specs}, self_{self}, owner_{owner} {
  for (const SectionSpec& spec : specs_) {
    AMPHORA_ASSERT(spec.id < kSectionCountMax && !slots_[spec.id].exists);
    slots_[spec.id].exists = true;
    slots_[spec.id].is_peer_editable = spec.is_peer_editable;
  }
}

// ---- at start

Result<MergeOutcome, Refusal> Replica::restore(SectionId section, const Record& record) {
  if (const auto refusal = check_record(section, record)) {
    ++statistics_.refused;
    return *refusal;
  }
  (void)clock_.merge(record.stamp);
  Slot& slot = slots_[section];
  const Record merged = state::merge(slot.current, record);
  if (merged == slot.current) {
    return MergeOutcome::kUnchanged;
  }
  slot.current = merged;
  slot.durable = mark_of(section, merged);
  ++durable_revision_;
  return MergeOutcome::kAdopted;
}

void Replica::report_corrupt(TimePoint now, SectionId section) {
  ++statistics_.corrupt;
  if (has_section(section)) {
    add_event(now, Kind::kCorrupt, section);
  }
}

// ---- changes made here

Result<ChangeOutcome, Refusal> Replica::change(TimePoint now, SectionId section, ByteSpan payload) {
  Slot* const slot = find(section);
  std::optional<Refusal> refusal;
  if (slot == nullptr) {
    refusal = Refusal::kUnknownSection;
  } else if (payload.size() > kPayloadSizeMax) {
    refusal = Refusal::kTooLarge;
  } else if (!is_owner() && !slot->is_peer_editable) {
    refusal = Refusal::kReadOnly;
  }
  if (refusal) {
    ++statistics_.refused;
    return *refusal;
  }
  if (std::ranges::equal(slot->current.payload.bytes(), payload)) {
    return ChangeOutcome::kUnchanged;
  }
  ++statistics_.changes;
  slot->current.payload = Payload{payload};
  slot->conflict_at.reset();
  if (!slot->is_waiting_for_time) {
    if (const auto stamp = clock_.stamp(now)) {
      commit_edit(now, section, *stamp, slot->current.version);
      return ChangeOutcome::kStamped;
    }
  }
  slot->is_waiting_for_time = true;
  slot->edited_at = now;
  add_event(now, Kind::kChanged, section);
  return ChangeOutcome::kWaitsForTime;
}

void Replica::settle_edit(TimePoint now, SectionId section) {
  Slot* const slot = find(section);
  if (slot != nullptr && slot->is_waiting_for_time && clock_.can_stamp()) {
    commit_edit(now, section, stamp_of_edit(now, *slot), slot->current.version);
  }
}

// Above what the edit replaced, which whoever made it has seen; else as old as it is.
Stamp Replica::stamp_of_edit(TimePoint now, const Slot& slot) const {
  const auto past = clock_.stamp_of_past(now, slot.edited_at);
  AMPHORA_ASSERT(past.has_value());
  return std::max(*past, successor(slot.current.stamp));
}

void Replica::commit_edit(TimePoint now, SectionId section, const Stamp& stamp, std::uint32_t seen_version) {
  Slot& slot = slots_[section];
  const bool was_waiting = slot.is_waiting_for_time;
  (void)clock_.merge(stamp);
  slot.current.version = next_version(std::max(slot.current.version, seen_version));
  slot.current.stamp = stamp;
  slot.current.origin = self_;
  slot.is_waiting_for_time = false;
  slot.is_unseen_change = true;
  set_dirty(slot);
  if (!was_waiting) {
    add_event(now, Kind::kChanged, section);
  }
}

// ---- records of peers

std::optional<Refusal> Replica::check_record(SectionId section, const Record& record) const {
  if (!has_section(section)) {
    return Refusal::kUnknownSection;
  }
  if (!is_plausible(record.stamp)) {
    return Refusal::kStampAbsurd;
  }
  if (!slots_[section].is_peer_editable && record.origin != owner_ && !record.is_default()) {
    return Refusal::kReadOnly;
  }
  return std::nullopt;
}

Result<MergeOutcome, Refusal> Replica::merge(TimePoint now, SectionId section, const Record& record) {
  auto refusal = check_record(section, record);
  if (!refusal && slots_[section].is_waiting_for_time && !clock_.can_stamp()) {
    refusal = Refusal::kNotDuringEdit;
  }
  if (refusal) {
    ++statistics_.refused;
    return *refusal;
  }
  ++statistics_.merges;
  (void)clock_.merge(record.stamp);
  Slot& slot = slots_[section];
  if (slot.is_waiting_for_time) {
    return merge_over_edit(now, section, record);
  }
  const Record merged = state::merge(slot.current, record);
  if (merged == slot.current) {
    return record == slot.current ? MergeOutcome::kUnchanged : MergeOutcome::kKept;
  }
  const bool is_content_theirs = compare_age(record, slot.current) > 0;
  // Who had seen ours would have given theirs a higher version.
  const bool is_unseen =
      slot.is_unseen_change || (slot.current.version > 0 && record.version <= slot.current.version);
  const bool is_conflict = is_content_theirs && is_unseen && !(record.payload == slot.current.payload);
  if (!is_content_theirs) {
    slot.current = merged;
    set_dirty(slot);
    return MergeOutcome::kAdopted;
  }
  adopt(now, section, merged, is_conflict);
  return MergeOutcome::kAdopted;
}

MergeOutcome Replica::merge_over_edit(TimePoint now, SectionId section, const Record& record) {
  Slot& slot = slots_[section];
  const auto age = [](const Stamp& stamp, NodeId origin) { return std::pair{stamp, origin}; };
  if (age(record.stamp, record.origin) <= age(slot.current.stamp, slot.current.origin)) {
    slot.current.version = std::max(slot.current.version, record.version);
    return MergeOutcome::kKept;
  }
  Stamp stamp = stamp_of_edit(now, slot);
  if (record.origin == self_) {
    // Made here in an earlier life, so before this edit, whatever the clocks say.
    stamp = std::max(stamp, successor(record.stamp));
  }
  if (age(stamp, self_) > age(record.stamp, record.origin)) {
    commit_edit(now, section, stamp, record.version);
    return MergeOutcome::kKept;
  }
  Record merged = record;
  merged.version = std::max(record.version, slot.current.version);
  const bool is_conflict = !(record.payload == slot.current.payload);
  slot.is_waiting_for_time = false;
  adopt(now, section, merged, is_conflict);
  return MergeOutcome::kAdopted;
}

void Replica::adopt(TimePoint now, SectionId section, const Record& merged, bool is_conflict) {
  Slot& slot = slots_[section];
  slot.current = merged;
  slot.is_unseen_change = false;
  slot.conflict_at.reset();
  ++statistics_.adopted;
  if (is_conflict) {
    ++statistics_.conflicts;
    slot.conflict_at = now;
  }
  set_dirty(slot);
  add_event(now, is_conflict ? Kind::kConflictTheirs : Kind::kAdopted, section);
}

void Replica::handle_seen_by_peer(SectionId section, const Stamp& stamp) {
  Slot* const slot = find(section);
  if (slot != nullptr && !slot->is_waiting_for_time && stamp >= slot->current.stamp) {
    slot->is_unseen_change = false;
  }
}

// ---- store

void Replica::set_dirty(Slot& slot) {
  if (slot.is_dirty) {
    ++statistics_.coalesced;
  }
  slot.is_dirty = true;
}

void Replica::handle_timeout(TimePoint now) {
  // With its memory a node knows every stamp it has issued, so an edit may be dated back without asking.
  if (clock_.memory() == Memory::kDurable && clock_.can_stamp()) {
    for (const SectionSpec& spec : specs_) {
      settle_edit(now, spec.id);
    }
  }
}

std::optional<StoreRequest> Replica::poll_store(TimePoint now) {
  handle_timeout(now);
  for (std::size_t i = 0; i < kSectionCountMax; ++i) {
    const auto section = static_cast<SectionId>((next_store_ + i) % kSectionCountMax);
    Slot& slot = slots_[section];
    if (!slot.is_dirty || slot.is_writing || slot.is_waiting_for_time ||
        (slot.is_failing && slot.retry_at > now)) {
      continue;
    }
    next_store_ = static_cast<SectionId>((section + 1) % kSectionCountMax);
    slot.is_dirty = false;
    slot.is_writing = true;
    slot.writing = mark_of(section, slot.current);
    slot.ticket = next_ticket_++;
    ++statistics_.store_requests;
    return StoreRequest{section, slot.ticket, slot.current};
  }
  return std::nullopt;
}

void Replica::handle_stored(TimePoint now, SectionId section, std::uint32_t ticket) {
  Slot* const slot = find(section);
  if (slot == nullptr || !slot->is_writing || slot->ticket != ticket) {
    ++statistics_.stale_stores;
    return;
  }
  slot->is_writing = false;
  slot->is_failing = false;
  slot->durable = slot->writing;
  ++durable_revision_;
  ++statistics_.stored;
  (void)events_.push_overwrite(
      ReplicaEvent{now, Kind::kStored, section, slot->durable.version, slot->durable.origin});
}

void Replica::handle_store_failed(TimePoint now, SectionId section, std::uint32_t ticket) {
  Slot* const slot = find(section);
  if (slot == nullptr || !slot->is_writing || slot->ticket != ticket) {
    ++statistics_.stale_stores;
    return;
  }
  ++statistics_.store_failures;
  slot->is_writing = false;
  slot->is_dirty = true;
  if (!slot->is_failing) {
    slot->is_failing = true;
    slot->retry_pause = kStoreRetryMin;
    add_event(now, Kind::kStoreFailed, section);
  } else {
    slot->retry_pause = std::min(2 * slot->retry_pause, kStoreRetryMax);
  }
  slot->retry_at = add_saturating(now, slot->retry_pause);
}

TimePoint Replica::poll_timeout() const {
  TimePoint next = kNever;
  for (const Slot& slot : slots_) {
    if (slot.is_dirty && slot.is_failing && !slot.is_writing && !slot.is_waiting_for_time) {
      next = earliest(next, slot.retry_at);
    }
  }
  return next;
}

// ---- queries

Replica::Slot* Replica::find(SectionId section) {
  return has_section(section) ? &slots_[section] : nullptr;
}

const Replica::Slot& Replica::slot(SectionId section) const {
  AMPHORA_ASSERT(has_section(section));
  return slots_[section];
}

bool Replica::has_section(SectionId section) const {
  return section < kSectionCountMax && slots_[section].exists;
}

const Record& Replica::current(SectionId section) const {
  return slot(section).current;
}

const Record* Replica::durable(SectionId section) const {
  const Slot& is = slot(section);
  return is.is_dirty || is.is_writing || is.is_waiting_for_time ? nullptr : &is.current;
}

const DurableMark& Replica::durable_mark(SectionId section) const {
  return slot(section).durable;
}

bool Replica::is_waiting_for_time(SectionId section) const {
  return slot(section).is_waiting_for_time;
}

bool Replica::is_store_failing(SectionId section) const {
  return slot(section).is_failing;
}

bool Replica::is_settled() const {
  return std::ranges::none_of(
      slots_, [](const Slot& slot) { return slot.is_dirty || slot.is_writing || slot.is_waiting_for_time; });
}

std::optional<TimePoint> Replica::conflict_at(SectionId section) const {
  return slot(section).conflict_at;
}

std::uint64_t Replica::digest() const {
  Digest digest;
  for (const Slot& slot : slots_) {
    if (slot.durable.digest != 0) {
      digest.add_number(static_cast<std::int64_t>(slot.durable.digest));
    }
  }
  return digest.value();
}

void Replica::add_event(TimePoint now, Kind kind, SectionId section) {
  const Record& current = slots_[section].current;
  (void)events_.push_overwrite(ReplicaEvent{now, kind, section, current.version, current.origin});
}

}  // namespace amphora::state
