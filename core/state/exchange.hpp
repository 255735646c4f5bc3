// SPDX-License-Identifier: Apache-2.0
// The conversation with one peer about one Replica: keeps both copies equal.
//
// Inputs: begin and end of a session, messages of the peer, time; changes of the replica are noticed by
// themselves. Outputs: messages, made when they are asked for; events. Nothing is sent or taken outside of a
// session; the owner drops messages of other sessions before they come here.
//
//   Beacon       what is durable here: versions, stamps, a digest, status flags. Every kBeaconPeriod; at once
//                after any durable change; quickly repeated at the start of a session until both are equal.
//                While its sender does not know them to be equal it asks for the other's beacon in return.
//   SectionData  a record. Sent at once when it became durable here and the peer is not known to have it
//                (push), or because the peer asked. Repeated with back-off until acknowledged.
//   SectionAck   what of the section is durable here, after the data was merged and stored, or why not.
//   Request      asks for a section that a beacon or an acknowledgement showed to be newer there. Sent
//                kRequestDelay after that, because usually the data is already on its way; repeated with
//                back-off; each section at most once at a time.
//
// Order of urgency: acknowledgements, data, requests, beacon. At most kPushWindow sections are sent ahead of
// their acknowledgements, so that a first synchronisation does not fill the air with repetitions.
//
// Ties: equal versions and stamps but another digest mean that the same stamp names two values; then every
// section is sent, and merging decides (section.hpp).
//
// Drive it like this: after any input to the replica or this machine, poll_transmit() as long as the radio
// takes frames. handle_send_failed() is a hint that shortens the wait.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/state/replica.hpp"
#include "core/state/section.hpp"

namespace amphora::state {

struct Beacon {
  std::uint8_t count = 0;  // entries used; entry i is section i, all zero where there is none
  std::array<std::uint32_t, kSectionCountMax> versions{};
  std::array<Stamp, kSectionCountMax> stamps{};
  std::uint64_t digest = 0;
  std::uint8_t status = 0;    // runtime flags of the sender; taken as they come, never compared or stored
  bool wants_answer = false;  // the sender does not know both to be equal; who does know answers with its own
  friend constexpr bool operator==(const Beacon&, const Beacon&) = default;
};
struct Request {
  SectionId section = 0;
  std::uint32_t version = 0;  // what the asker has
  friend constexpr bool operator==(const Request&, const Request&) = default;
};
struct SectionData {
  SectionId section = 0;
  Record record;           // with the bytes of this part as payload
  std::uint8_t part = 0;   // counts from 0
  std::uint8_t parts = 1;  // parts go out and are taken in order
  friend constexpr bool operator==(const SectionData&, const SectionData&) = default;
};
enum class AckResult : std::uint8_t {
  kDurable,
  kStoreFailed,  // the sender goes on trying
  kRefused       // this record never; nothing is repeated
};
std::string_view to_text(AckResult result);
struct SectionAck {
  SectionId section = 0;
  std::uint32_t version = 0;  // what is durable at the sender of the acknowledgement
  Stamp stamp;
  AckResult result = AckResult::kDurable;
  friend constexpr bool operator==(const SectionAck&, const SectionAck&) = default;
};
using ExchangeMessage = std::variant<Beacon, Request, SectionData, SectionAck>;

inline constexpr Duration kBeaconPeriod = std::chrono::seconds{15};
// Between two beacons caused by changes, and the first repetition at the start of a session.
inline constexpr Duration kBeaconSpacing = std::chrono::milliseconds{50};
inline constexpr Duration kRequestDelay = std::chrono::milliseconds{10};
// Repetitions of data and requests: the pause doubles between these, with up to a quarter of jitter.
inline constexpr Duration kExchangeRetryMin = std::chrono::milliseconds{25};
inline constexpr Duration kExchangeRetryMax = std::chrono::seconds{2};
// After the radio reported that the last message was not received; only for the first tries.
inline constexpr Duration kSendFailedRetry = std::chrono::milliseconds{4};
inline constexpr std::size_t kPushWindow = 4;
inline constexpr std::size_t kPartsMax = 8;
inline constexpr std::size_t kExchangeEventCapacity = 16;

struct ExchangeConfig {
  std::uint64_t seed = 1;  // jitter
  Duration beacon_period = kBeaconPeriod;
  // Bytes of payload in one SectionData, at least kPayloadSizeMax / kPartsMax (asserted).
  std::size_t part_size_max = kPayloadSizeMax;
};

enum class SyncState : std::uint8_t {
  kLocal,            // no session with this peer so far
  kSynchronised,     // the peer holds the same
  kWaitingForPeer,   // not known to be equal: being stored, sent, or the peer is out of reach
  kConflictResolved  // equal, and a change made here gave way; since Replica::conflict_at()
};
std::string_view to_text(SyncState state);

struct ExchangeEvent {
  enum class Kind : std::uint8_t {
    kSynchronised,     // everything is equal now; once, until something differs again
    kAcknowledged,     // section: the peer holds it durably
    kPeerStoreFailed,  // section
    kRefusedByPeer,    // section
    kTie               // same stamps, another digest: everything is exchanged
  };
  TimePoint at{};
  Kind kind = Kind::kSynchronised;
  SectionId section = 0;
  friend constexpr bool operator==(const ExchangeEvent&, const ExchangeEvent&) = default;
};
std::string_view to_text(ExchangeEvent::Kind kind);

struct ExchangeStatistics {
  std::uint64_t beacons_sent = 0;
  std::uint64_t beacons_received = 0;
  std::uint64_t requests_sent = 0;
  std::uint64_t requests_received = 0;
  std::uint64_t data_sent = 0;
  std::uint64_t data_received = 0;
  std::uint64_t acks_sent = 0;
  std::uint64_t acks_received = 0;
  std::uint64_t repeated = 0;  // data and requests sent again
  std::uint64_t refused = 0;   // messages with a section unknown here, a record refused, bad parts
  std::uint64_t outside_session = 0;
  std::uint64_t ties = 0;
};

class Exchange {
 public:
  // `replica` outlives the exchange.
  Exchange(Replica& replica, const ExchangeConfig& config);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // After the clocks were merged (session.hpp does it). A running session is replaced.
  void begin_session(TimePoint now);
  void end_session(TimePoint now);
  void handle_message(TimePoint now, const ExchangeMessage& message);
  // The message that poll_transmit() gave last did not get through.
  void handle_send_failed(TimePoint now);
  void handle_timeout(TimePoint now);
  // Runtime flags for the beacon; a change is told at once.
  void set_status(TimePoint now, std::uint8_t status);

  std::optional<ExchangeMessage> poll_transmit(TimePoint now);
  std::optional<ExchangeEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  bool is_in_session() const { return is_in_session_; }
  // Flags of the peer's last beacon; unknown outside of a session and before its first beacon.
  std::optional<std::uint8_t> peer_status() const;
  // Of any session.
  std::optional<TimePoint> last_beacon_at() const { return last_beacon_at_; }
  SyncState sync_state(SectionId section) const;
  // Every section is kSynchronised or kConflictResolved, and the digests of both are equal.
  bool is_synchronised() const;
  const ExchangeStatistics& statistics() const { return statistics_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 private:
  // Something that is sent until it is answered.
  struct Intent {
    TimePoint due = kNever;
    std::uint8_t tries = 0;
    bool is_set() const { return due != kNever; }
  };
  struct Slot {
    // What the peer is known to hold; of an earlier session while !is_peer_known.
    std::uint32_t peer_version = 0;
    Stamp peer_stamp;
    bool is_peer_known = false;
    // What was durable here when the intents were last brought in line with it.
    DurableMark seen;
    Intent push;
    bool is_push_forced = false;  // the peer asked, or a tie: sent although the peer does not seem behind
    std::uint8_t next_part = 0;   // of a push going out in several parts
    Intent request;
    bool is_ack_due = false;
    bool is_refusal_due = false;
    std::optional<Stamp> refused_by_peer;  // our record of this stamp
    std::optional<Stamp> refused_here;     // the peer's
  };
  struct Reassembly {
    SectionId section = 0;
    std::uint8_t next_part = 0;  // 0: none is going on
    std::uint8_t parts = 0;
    Record record;
  };
  enum class Sent : std::uint8_t { kOther, kPush, kRequest };

  void handle_beacon(TimePoint now, const Beacon& beacon);
  void handle_request(TimePoint now, const Request& request);
  void handle_data(TimePoint now, const SectionData& data);
  void handle_ack(TimePoint now, const SectionAck& ack);
  const Record* reassemble(const SectionData& data);
  void learn_peer(Slot& slot, std::uint32_t version, const Stamp& stamp);
  // Brings the intents for a section in line with what both sides hold.
  void follow(TimePoint now, SectionId section);
  void follow_replica(TimePoint now);
  void follow_synchronisation(TimePoint now);
  void exchange_all(TimePoint now);
  bool is_peer_behind(SectionId section) const;
  bool is_behind_peer(SectionId section) const;
  bool is_equal(SectionId section) const;
  bool is_equal(const Beacon& beacon) const;
  void schedule_beacon(TimePoint now);
  Beacon make_beacon() const;
  std::optional<ExchangeMessage> take_ack();
  std::optional<ExchangeMessage> take_data(TimePoint now);
  std::optional<ExchangeMessage> take_part(TimePoint now, SectionId section);
  std::optional<ExchangeMessage> take_request(TimePoint now);
  std::optional<ExchangeMessage> take_beacon(TimePoint now);
  void rearm(TimePoint now, Intent& intent);
  bool has_window() const;
  void add_event(TimePoint now, ExchangeEvent::Kind kind, SectionId section = 0);

  Replica& replica_;
  ExchangeConfig config_;
  Rng rng_;
  bool is_in_session_ = false;
  bool has_had_session_ = false;
  bool is_announced_ = false;  // kSynchronised was reported
  std::uint32_t seen_revision_ = 0;
  std::array<Slot, kSectionCountMax> slots_{};
  Reassembly reassembly_;
  std::uint8_t status_ = 0;
  std::optional<std::uint8_t> peer_status_;
  std::optional<std::uint64_t> peer_digest_;  // of the peer's last beacon in this session
  std::optional<TimePoint> last_beacon_at_;
  TimePoint beacon_due_ = kNever;
  std::optional<TimePoint> beacon_sent_at_;
  Duration beacon_pause_{};  // after the next beacon; grows to the period
  Sent last_sent_ = Sent::kOther;
  SectionId last_sent_section_ = 0;
  Ring<ExchangeEvent, kExchangeEventCapacity> events_;
  ExchangeStatistics statistics_;
};

}  // namespace amphora::state
