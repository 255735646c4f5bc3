// SPDX-License-Identifier: Apache-2.0
// Keeps the sections of a state::Replica equal on all nodes of the bus, by broadcast: no sessions, no pairs,
// any number of nodes. Frames: section_record.hpp.
//
// Inputs: the frames of the state channel of other nodes, begin and end of the own node id, time; changes of
// the replica are noticed by themselves (durable_revision()). Outputs: frames, one at a time; events.
//
// Every node announces each section every kAnnouncePeriod, and at once when its durable content changed: a
// digest of the payload and the seconds of the stamp. Equal payloads are agreement, so a command that all
// packs carry out at once, each with a stamp of its own, is followed by announcements and nothing else. Who
// hears another content
//   - that is not newer than his own: sends his whole record after a random 0 to kAnswerDelayMax;
//   - that is newer: announces his own after such a time, which asks for it, and repeats that with back-off
//     when it does not come.
// A record waits while another node sends an equal one, and is given up when that one arrived; a question
// is given up when another node asked the same. The holder of the newest record hears every difference,
// so any number of nodes ends equal, with the newest, after at most one announcement of each.
//
// Stamps of equal contents may differ by kStampSlack. Beyond it the newer record is fetched too: otherwise a
// node whose clock is behind would not know what its next change has to be newer than, and that change would
// be lost.
//
// Durable first: only what the replica's store holds is announced and sent. A record received is merged
// (section.hpp) and announced again when it is stored here.
//
// Authenticity. In sealed mode a record carries a MAC under a key of the bus; without the right one it is
// never merged, and counted. There is no counter against replay, because none is needed: merging takes the
// newer record, so a genuine record heard before can never beat one made after it. Announcements and
// single segments are not authenticated: forged ones cost frames and can hold up records while they come,
// never change a setting. What remains is that a bus that was wiped as a whole can be given its old settings
// back by who recorded them; a wiped bus gets a new key.
//
// Time. A node that has no time cannot stamp changes (stamp.hpp). When no gateway has brought any within
// kTimeWait and it agrees with others, it counts on from the newest stamp it has seen (Replica::clock()). A
// node that is alone on its bus without time is the owner's business: start_without_wall_time().
//
// Limits: kShareSectionsMax sections (asserted), records of kReassemblyMax senders at a time (a further one
// is dropped, counted, and comes again), one record going out, kShareEventCapacity events. At most one frame
// in kFrameGap, so that a record of 39 segments leaves the bus to others in between; commands and beacons
// have the lower ids anyway.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/packnet/frames.hpp"
#include "core/packnet/section_record.hpp"
#include "core/state/replica.hpp"

namespace amphora::packnet {

inline constexpr Duration kAnnouncePeriod = std::chrono::seconds{15};
// Each period is shorter by up to this, so that nodes that started together drift apart.
inline constexpr Duration kAnnounceJitter = std::chrono::milliseconds{500};
// A change made here is announced this often once more, after this pause and then twice as long each time:
// who did not hear of it would wait for the next period.
inline constexpr std::uint8_t kAnnounceRepeats = 2;
inline constexpr Duration kAnnounceRepeat = std::chrono::milliseconds{150};
// The first announcements lie within this after the node id was claimed.
inline constexpr Duration kFirstAnnounceMax = std::chrono::seconds{1};
// Between two announcements of one section, and between two questions for different contents.
inline constexpr Duration kAnnounceSpacing = std::chrono::milliseconds{50};
inline constexpr Duration kAnswerDelayMax = std::chrono::milliseconds{20};
// A question that was not answered: repeated after this, doubled each time, kAskTries in all.
inline constexpr Duration kAskPause = std::chrono::milliseconds{100};
inline constexpr std::uint8_t kAskTries = 7;
// One record is sent at most this often while it does not change.
inline constexpr Duration kRecordPause = std::chrono::milliseconds{250};
inline constexpr Duration kFrameGap = std::chrono::milliseconds{1};
// A record of which nothing came for so long is not complete.
inline constexpr Duration kSegmentTimeout = std::chrono::milliseconds{250};
// Who disagrees with an announcement says so within this.
inline constexpr Duration kObjectionTime = std::chrono::seconds{1};
// Gateways send the time every ten seconds.
inline constexpr Duration kTimeWait = std::chrono::seconds{30};
// A node that is silent for longer no longer counts as differing.
inline constexpr Duration kPeerGone = 3 * kAnnouncePeriod;
inline constexpr std::uint32_t kStampSlackS = 2;
inline constexpr std::size_t kShareSectionsMax = 4;
inline constexpr std::size_t kReassemblyMax = 8;
inline constexpr std::size_t kShareEventCapacity = 16;
// Events of one kind about other nodes' faults come at most this often; the counters know all.
inline constexpr Duration kFaultEventPause = std::chrono::seconds{10};

struct SectionShareConfig {
  std::uint64_t seed = 1;  // jitter; different on every node
  RecordSeal seal;
};

struct SectionShareEvent {
  enum class Kind : std::uint8_t {
    kSynchronised,   // all nodes heard hold the same; once, until something differs again
    kNotAuthentic,   // node, section: a record with a wrong MAC or check
    kOtherSecurity,  // node, section: a plain record on a sealed bus, or the reverse
    kRefused         // node, section: the replica did not take the record
  };
  TimePoint at{};
  Kind kind = Kind::kSynchronised;
  Node node = kNodeNone;
  state::SectionId section = 0;
  friend constexpr bool operator==(const SectionShareEvent&, const SectionShareEvent&) = default;
};
std::string_view to_text(SectionShareEvent::Kind kind);

struct SectionShareMetrics {
  std::uint64_t announcements_sent = 0;
  std::uint64_t announcements_received = 0;
  std::uint64_t questions = 0;  // of the announcements sent
  std::uint64_t records_sent = 0;
  std::uint64_t records_received = 0;  // complete and authentic
  std::uint64_t segments_sent = 0;
  std::uint64_t segments_received = 0;
  std::uint64_t suppressed = 0;        // records and questions given up because of another node
  std::uint64_t incomplete = 0;        // records of which a segment was missing
  std::uint64_t reassembly_full = 0;   // records dropped because kReassemblyMax others were arriving
  std::uint64_t not_authentic = 0;     // wrong MAC or check; never merged
  std::uint64_t other_security = 0;    // segments of the other mode; never merged
  std::uint64_t refused = 0;           // by the replica
  std::uint64_t malformed = 0;         // neither announcement nor segment
  std::uint64_t unknown_sections = 0;  // frames about sections that this node does not have
  std::uint64_t outside = 0;           // frames heard without a node id
};

class SectionShare {
 public:
  // `replica` outlives it and has at most kShareSectionsMax sections.
  SectionShare(state::Replica& replica, const SectionShareConfig& config);
  SectionShare(const SectionShare&) = delete;
  SectionShare& operator=(const SectionShare&) = delete;

  // The own node id was claimed, or changed. Everything known of the others starts anew.
  void start(TimePoint now, Node self);
  // It was lost, or the bus is down: silent from now on.
  void stop(TimePoint now);
  // The data of a frame kStateBase + `from`.
  void handle_frame(TimePoint now, Node from, ByteSpan data);
  void handle_timeout(TimePoint now);

  // For encode(). Nothing while kFrameGap since the last one has not passed; poll_timeout() tells.
  std::optional<Opaque> poll_transmit(TimePoint now);
  std::optional<SectionShareEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  bool is_started() const { return self_ != kNodeNone; }
  // Everything is durable and announced, nobody objected, and no node heard lately holds anything else. A
  // node alone on its bus is synchronised.
  bool is_synchronised(TimePoint now) const;
  // How many other nodes announced something within kPeerGone.
  std::size_t peer_count(TimePoint now) const;
  const SectionShareMetrics& metrics() const { return metrics_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 private:
  static constexpr std::size_t kNodes = std::size_t{kNodeMax} + 1;
  // What is durable here, as others see it.
  struct Mark {
    PayloadDigest digest = 0;
    std::uint32_t stamp_s = 0;
    state::Stamp stamp;
    bool is_default = true;
    friend constexpr bool operator==(const Mark&, const Mark&) = default;
  };
  struct Slot {
    state::SectionId section = 0;
    Mark mark;
    TimePoint announce_due = kNever;
    std::uint8_t repeats_left = 0;
    std::optional<TimePoint> announced_at;  // last, whatever it said
    bool is_announced = false;              // the present mark, at announced_at or before
    // Somebody has something newer.
    TimePoint ask_due = kNever;
    std::optional<TimePoint> asked_at;
    PayloadDigest asked_for = 0;
    std::uint32_t asked_for_s = 0;
    std::uint8_t ask_tries = 0;
    // Somebody has something older.
    TimePoint record_due = kNever;
    Node record_for = kNodeNone;
    std::optional<TimePoint> record_sent_at;  // of the present mark
    std::array<std::optional<PayloadDigest>, kNodes> peers{};
  };
  struct Reassembly {
    Node from = kNodeNone;  // kNodeNone: free
    state::SectionId section = 0;
    PayloadDigest digest = 0;
    std::uint8_t size = 0;
    std::uint8_t next_index = 0;
    TimePoint deadline = kNever;
    std::array<std::uint8_t, kSegmentsMax * kSegmentSize> bytes{};
  };
  struct Outgoing {
    std::size_t slot = 0;
    std::uint8_t next_index = 0;
    RecordBytes bytes;  // empty: nothing is going out
  };

  Slot* find(state::SectionId section);
  void clear();
  void follow_replica(TimePoint now);
  void follow_slot(TimePoint now, Slot& slot);
  void follow_synchronisation(TimePoint now);
  void follow_clock(TimePoint now);
  void expire_reassemblies(TimePoint now);
  void prune_questions(TimePoint now);
  void handle_announcement(TimePoint now, Node from, const Announcement& announcement);
  void handle_segment(TimePoint now, Node from, const RecordSegment& segment);
  Reassembly* begin_reassembly(Node from, Slot& slot, const RecordSegment& first);
  void finish_reassembly(TimePoint now, Reassembly& arriving);
  void handle_record(TimePoint now, Node from, Slot& slot, const state::Record& record);
  void schedule_record(TimePoint now, Slot& slot, Node requester);
  void schedule_question(TimePoint now, Slot& slot, const Announcement& newer);
  bool is_asking(const Slot& slot) const;
  void count_question(TimePoint now, Slot& slot);
  void give_way(TimePoint now, Node from, const Slot& slot, const RecordSegment& first);
  bool is_merged(const Slot& slot, PayloadDigest digest, std::uint32_t stamp_s) const;
  bool is_arriving(const Slot& slot, PayloadDigest digest) const;
  Reassembly* reassembly_of(Node from);
  bool is_agreed(TimePoint now) const;
  Opaque transmit(TimePoint now, const ShareMessage& message);
  std::optional<Opaque> take_announcement(TimePoint now);
  std::optional<Opaque> take_segment(TimePoint now);
  void begin_record(TimePoint now);
  Duration random_delay(Duration max);
  void note_fault(TimePoint now, SectionShareEvent::Kind kind, Node node, state::SectionId section);

  state::Replica& replica_;
  SectionShareConfig config_;
  Rng rng_;
  Node self_ = kNodeNone;
  TimePoint started_at_{};
  std::uint32_t seen_revision_ = 0;
  std::array<Slot, kShareSectionsMax> slots_{};
  std::size_t slot_count_ = 0;
  std::array<std::optional<TimePoint>, kNodes> heard_at_{};
  std::array<Reassembly, kReassemblyMax> reassemblies_{};
  Outgoing outgoing_;
  TimePoint gap_until_{};
  TimePoint settle_due_ = kNever;  // nobody has objected by then
  bool is_reported_ = false;       // kSynchronised
  std::array<std::optional<TimePoint>, 4> fault_events_at_{};
  Ring<SectionShareEvent, kShareEventCapacity> events_;
  SectionShareMetrics metrics_;
};

static_assert(Machine<SectionShare>);

}  // namespace amphora::packnet
