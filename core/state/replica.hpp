// SPDX-License-Identifier: Apache-2.0
// All sections of one owner, as this node knows them: its own, or its copy of a peer's.
//
// Inputs: records found in the store at start, changes made here, records from peers, answers of the store.
// Outputs: store requests, events, the records that may be offered to peers.
//
// Durable first. A change or an adopted record is shown at once (current()), but is offered or acknowledged
// to peers only when the store has said that it holds it (durable()). Writing is write-through and coalesced:
// while a section's write is pending, any number of further changes becomes one write. A failed write is
// repeated with back-off, forever, and reported once.
//
// Changes before the clock can stamp (see stamp.hpp) are kept with the moment they were made, shown, and
// stamped with their age later: on a node with its memory as soon as the clock can, on a node without as soon
// as it is known that the peer has nothing newer (settle_edit(), called by the Exchange), because the peer
// may hold a stamp of an earlier life. Up to then they are not stored: there is nothing to order them by. If
// the peer has a newer value they give way, which is reported as a conflict.
//
// Records and merging: section.hpp. Limits: kSectionCountMax sections, kPayloadSizeMax bytes each, events are
// a ring of kReplicaEventCapacity (the oldest is dropped and counted). Not here: what the bytes mean
// (core/sections), when to send what (exchange.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/machine.hpp"
#include "core/base/result.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/state/section.hpp"
#include "core/state/stamp.hpp"

namespace amphora::state {

inline constexpr std::size_t kReplicaEventCapacity = 32;
// Pause before a failed write is tried again: doubles from the first to the last.
inline constexpr Duration kStoreRetryMin = std::chrono::milliseconds{100};
inline constexpr Duration kStoreRetryMax = std::chrono::seconds{10};

enum class Refusal : std::uint8_t {
  kUnknownSection,
  kTooLarge,      // payload above kPayloadSizeMax
  kReadOnly,      // only the owner changes this section
  kStampAbsurd,   // see stamp.hpp
  kNotDuringEdit  // an edit waits for a stamp and the clock cannot give one: no session has begun
};
std::string_view to_text(Refusal refusal);

enum class MergeOutcome : std::uint8_t {
  kUnchanged,  // nothing new
  kAdopted,    // theirs is the newer one, now ours as well
  kKept        // ours is the newer one; the peer should hear of it
};

enum class ChangeOutcome : std::uint8_t { kUnchanged, kStamped, kWaitsForTime };

struct StoreRequest {
  SectionId section = 0;
  std::uint32_t ticket = 0;  // goes back with handle_stored() or handle_store_failed()
  Record record;
};

struct ReplicaEvent {
  enum class Kind : std::uint8_t {
    kChanged,         // here
    kAdopted,         // from a peer
    kConflictTheirs,  // from a peer, and a change made here that the peer had not seen is gone
    kStoreFailed,     // once, until a write of this section succeeds
    kStored,          // durable
    kCorrupt          // reported by the host at start: the section is empty until a peer brings it back
  };
  TimePoint at{};
  Kind kind = Kind::kChanged;
  SectionId section = 0;
  std::uint32_t version = 0;
  NodeId origin;
  friend constexpr bool operator==(const ReplicaEvent&, const ReplicaEvent&) = default;
};
std::string_view to_text(ReplicaEvent::Kind kind);

struct ReplicaStatistics {
  std::uint64_t changes = 0;         // made here
  std::uint64_t merges = 0;          // records of peers handed in and not refused
  std::uint64_t adopted = 0;         // of these, taken over
  std::uint64_t conflicts = 0;       // of these, over an unseen change made here
  std::uint64_t refused = 0;         // changes and records refused
  std::uint64_t store_requests = 0;  // writes asked for
  std::uint64_t stored = 0;
  std::uint64_t store_failures = 0;
  std::uint64_t coalesced = 0;     // changes that needed no write of their own
  std::uint64_t stale_stores = 0;  // answers of the store to no pending request
  std::uint64_t corrupt = 0;
};

// What of a section is durable, without its content.
struct DurableMark {
  std::uint32_t version = 0;
  Stamp stamp;
  NodeId origin;
  std::uint64_t digest = 0;  // digest_of() the record
  friend constexpr bool operator==(const DurableMark&, const DurableMark&) = default;
};

class Replica {
 public:
  // `specs` and `clock` outlive the replica. `self` is this node (the origin of changes made here), `owner`
  // the one whose sections these are; equal when they are our own. Ids in `specs` are unique and below
  // kSectionCountMax (asserted).
  Replica(HybridClock& clock, std::span<const SectionSpec> specs, NodeId self, NodeId owner);
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  // ---- at start
  // What the store held; before anything else. The clock follows the stamp. Refused records change nothing.
  Result<MergeOutcome, Refusal> restore(SectionId section, const Record& record);
  // What the store held was damaged: reported, and the section stays at its default.
  void report_corrupt(TimePoint now, SectionId section);

  // ---- inputs
  // An edit made here. A payload equal to the current one is kUnchanged and makes no new version.
  Result<ChangeOutcome, Refusal> change(TimePoint now, SectionId section, ByteSpan payload);
  // A record of a peer.
  Result<MergeOutcome, Refusal> merge(TimePoint now, SectionId section, const Record& record);
  // The peer has nothing of this section newer than what is here: an edit that waits can be stamped.
  void settle_edit(TimePoint now, SectionId section);
  // A peer has said that it holds this stamp durably: a later change by others is no conflict with it.
  void handle_seen_by_peer(SectionId section, const Stamp& stamp);
  void handle_stored(TimePoint now, SectionId section, std::uint32_t ticket);
  void handle_store_failed(TimePoint now, SectionId section, std::uint32_t ticket);
  void handle_timeout(TimePoint now);

  // ---- outputs
  // The next section to write; at most one write of a section is pending.
  std::optional<StoreRequest> poll_store(TimePoint now);
  std::optional<ReplicaEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  // ---- queries
  std::span<const SectionSpec> specs() const { return specs_; }
  bool has_section(SectionId section) const;
  // For display: the newest, with an edit that waits for its stamp. The section must exist (asserted).
  const Record& current(SectionId section) const;
  // For peers: the record if all of it is durable, otherwise nothing yet.
  const Record* durable(SectionId section) const;
  // What is durable, also while something newer is being written.
  const DurableMark& durable_mark(SectionId section) const;
  // Grows with every change of what is durable.
  std::uint32_t durable_revision() const { return durable_revision_; }
  bool is_waiting_for_time(SectionId section) const;
  bool is_store_failing(SectionId section) const;
  // Nothing is dirty, pending or waiting for a stamp.
  bool is_settled() const;
  // When this node last lost a conflict over the current content.
  std::optional<TimePoint> conflict_at(SectionId section) const;
  // Over all durable sections, in the order of their ids.
  std::uint64_t digest() const;
  NodeId self() const { return self_; }
  NodeId owner() const { return owner_; }
  bool is_owner() const { return self_ == owner_; }
  HybridClock& clock() { return clock_; }
  const HybridClock& clock() const { return clock_; }
  const ReplicaStatistics& statistics() const { return statistics_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 private:
  struct Slot {
    Record
        current;  // while an edit waits: its payload with the version, stamp and origin of what it replaces
    DurableMark durable;
    DurableMark writing;  // while is_writing
    std::uint32_t ticket = 0;
    TimePoint edited_at{};
    TimePoint retry_at{};  // of a failed write
    Duration retry_pause{};
    std::optional<TimePoint> conflict_at;
    bool exists = false;
    bool is_peer_editable = false;
    bool is_dirty = false;  // current is newer than what is durable or being written
    bool is_writing = false;
    bool is_failing = false;
    bool is_waiting_for_time = false;
    bool is_unseen_change = false;  // made here, and no peer is known to have it
  };

  Slot* find(SectionId section);
  const Slot& slot(SectionId section) const;
  std::optional<Refusal> check_record(SectionId section, const Record& record) const;
  void set_dirty(Slot& slot);
  Stamp stamp_of_edit(TimePoint now, const Slot& slot) const;
  void commit_edit(TimePoint now, SectionId section, const Stamp& stamp, std::uint32_t seen_version);
  MergeOutcome merge_over_edit(TimePoint now, SectionId section, const Record& record);
  void adopt(TimePoint now, SectionId section, const Record& merged, bool is_conflict);
  void add_event(TimePoint now, ReplicaEvent::Kind kind, SectionId section);

  HybridClock& clock_;
  std::span<const SectionSpec> specs_;
  NodeId self_;
  NodeId owner_;
  std::array<Slot, kSectionCountMax> slots_{};
  SectionId next_store_ = 0;  // writes go round, so that no section starves
  std::uint32_t next_ticket_ = 1;
  std::uint32_t durable_revision_ = 0;
  Ring<ReplicaEvent, kReplicaEventCapacity> events_;
  ReplicaStatistics statistics_;
};

}  // namespace amphora::state
