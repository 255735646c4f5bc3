// SPDX-License-Identifier: Apache-2.0
// The role transmitter: the box at the battery that finds its receiver by radio and feeds it.
//
//   battery readings --> queue ----+
//   live cells ------> splitter ---+--> connection --> radio
//   settings <-----> replica <-----+         ^
//                                      discovery (which channel?)
//
// It takes its battery from anywhere: the host hands in summaries and cell voltages, so one box can be a
// bms-gateway and a transmitter at once. It owns the shared settings; the receiver may change them as well.
//
// Phases: searching (discovery sweeps), verifying (a receiver answered a probe, but no frame of a session has
// been opened yet; after kVerifyPatience the search goes on), linked. Three frames in a row that nobody
// acknowledged, or silence of silence_max although the receiver owes an answer, start a sweep at once; the
// session stays, so a receiver that is found again goes on where it was.
//
// Pairing (show_code): while a code is shown the sweep looks for a receiver whose owner has entered it; a
// link that exists pauses meanwhile. The key is handed to the host, and is in force when the host has stored
// it.
//
// It is a Machine. One radio command is under way at a time (core/link/radio.hpp). Events wait in rings; what
// the host does not poll is dropped, oldest first, and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "core/base/machine.hpp"
#include "core/base/node_id.hpp"
#include "core/base/ring.hpp"
#include "core/link/connection.hpp"
#include "core/link/discovery.hpp"
#include "core/link/pairing.hpp"
#include "core/link/radio.hpp"
#include "core/node/paired_peer.hpp"
#include "core/state/replica.hpp"
#include "core/telemetry/live_cells.hpp"
#include "core/telemetry/sender.hpp"

namespace amphora::node {

struct TransmitterConfig {
  NodeId self;
  link::Mode mode = link::Mode::kSealed;
  // Whom to talk to. Nobody: in plain mode the first receiver that answers, in sealed mode none until paired.
  PairedPeer peer;
  std::span<const state::SectionSpec> sections;
  state::Memory memory = state::Memory::kDurable;
  link::DiscoveryConfig discovery;
  std::uint8_t home_channel = 0;  // where the receiver was last; 0: not known
  telemetry::SenderConfig queue;
  liveness::Config liveness{std::chrono::seconds{30}, std::chrono::seconds{60}, std::chrono::seconds{90}};
  Duration heartbeat_period = std::chrono::seconds{10};
  std::uint8_t failures_max = 3;  // frames in a row without acknowledgement
  Duration silence_max = std::chrono::milliseconds{2500};
  std::uint64_t entropy = 0;  // 64 random bits, new at every boot
};

inline constexpr Duration kVerifyPatience = std::chrono::milliseconds{600};

// In pairing: how long to stay where a receiver has answered, and after each message of the exchange.
inline constexpr Duration kPairingHold = std::chrono::seconds{1};

enum class TransmitterPhase : std::uint8_t {
  kRadioDown,
  kUnpaired,
  kSearching,
  kVerifying,
  kLinked,
  kPairing
};
constexpr std::string_view to_text(TransmitterPhase phase) {
  constexpr std::string_view kNames[] = {"radio_down", "unpaired", "searching",
                                         "verifying",  "linked",   "pairing"};
  return kNames[static_cast<std::size_t>(phase)];
}

struct PhaseChanged {
  TransmitterPhase phase = TransmitterPhase::kRadioDown;
  std::uint8_t channel = 0;
  Duration took{};  // kVerifying: of the search that found it
  friend constexpr bool operator==(const PhaseChanged&, const PhaseChanged&) = default;
};

struct TransmitterEvent {
  TimePoint at{};
  std::variant<PhaseChanged, link::ConnectionEvent, liveness::Change, state::ReplicaEvent,
               state::ExchangeEvent, telemetry::SenderEvent, link::PairingEvent>
      what;
};

inline constexpr std::size_t kTransmitterEventCapacity = 64;

class Transmitter {
 public:
  using Connection = link::Connection<state::SessionGranter>;

  explicit Transmitter(const TransmitterConfig& config);
  Transmitter(const Transmitter&) = delete;
  Transmitter& operator=(const Transmitter&) = delete;

  // ---- the radio
  // It works, or does not (any more).
  void handle_radio(TimePoint now, bool is_up);
  void handle_frame(TimePoint now, NodeId from, ByteSpan payload, std::optional<std::int8_t> rssi_dbm = {});
  // How the last command ended.
  void handle_sent(TimePoint now, link::SendStatus status);
  void handle_tuned(TimePoint now, bool is_done);
  // `out` holds at least link::kPayloadSizeMax.
  std::optional<link::RadioCommand> poll_radio(TimePoint now, MutableByteSpan out);

  // ---- time and events
  void handle_timeout(TimePoint now);
  TimePoint poll_timeout() const;
  std::optional<TransmitterEvent> poll_event() { return events_.pop(); }

  // ---- what the box knows
  // A battery summary for the queue: bounded time, never refused but for its size.
  Result<std::uint32_t, telemetry::AddError> add_reading(TimePoint now, ByteSpan payload,
                                                         std::uint16_t format_version);
  // Live cells: the newest wins. Dropped while there is nobody to send them to.
  void set_cells(TimePoint now, telemetry::CellsKind kind, std::span<const std::uint16_t> values);
  // Flags for the beacon.
  void set_status(TimePoint now, std::uint8_t status);
  bool set_wall_time(TimePoint now, WallTime wall);
  // A new peer, after pairing; nobody: forget the old one.
  void set_peer(TimePoint now, const PairedPeer& peer);

  // ---- pairing. Shows a new code, for link::kCodeLifetime. `entropy`: from the operating system, new each
  // time.
  void show_code(TimePoint now, const link::PairingEntropy& entropy);
  void hide_code(TimePoint now);
  // A key for the host to store; then handle_key_stored().
  std::optional<link::PairedKey> poll_key();
  void handle_key_stored(TimePoint now, bool is_durable);
  const link::PairingShower& pairing() const { return shower_; }
  // When the code that is shown dies.
  TimePoint code_expires_at() const { return code_expires_at_; }

  // ---- settings: poll_store(), change() and so on are the replica's own
  state::Replica& replica() { return replica_; }
  const state::Replica& replica() const { return replica_; }
  // To be called after each call on replica(): lets the box react.
  void settle(TimePoint now);
  const state::HybridClock& clock() const { return clock_; }

  // ---- the queue's store, if it is persistent
  telemetry::SenderBase& queue() { return queue_; }
  const telemetry::SenderBase& queue() const { return queue_; }

  // ---- queries
  TransmitterPhase phase() const { return phase_; }
  std::uint8_t channel() const { return channel_; }
  const Connection* connection() const { return connection_ ? &*connection_ : nullptr; }
  const link::Discovery& discovery() const { return discovery_; }
  const telemetry::SplitterMetrics& cells_metrics() const { return cells_.metrics(); }
  std::optional<std::int8_t> rssi_dbm() const { return rssi_dbm_; }
  // Frames of nobody we know, or of no kind we take.
  std::uint64_t foreign_frame_count() const { return foreign_frame_count_; }
  std::uint64_t unreported_count() const { return turn_.unreported_count(); }
  std::uint64_t dropped_event_count() const;
  const TransmitterConfig& config() const { return config_; }

 private:
  enum class Underway : std::uint8_t { kNothing, kProbe, kSweepTune, kHomeTune, kUnicast, kPairing };

  bool is_expected(NodeId from) const;
  void make_connection();
  void set_phase(TimePoint now, TransmitterPhase phase, Duration took = {});
  void search(TimePoint now);
  void handle_probe_ack(TimePoint now, NodeId from, const link::ProbeAck& ack);
  void handle_found(TimePoint now, const link::Discovery::Found& found);
  void handle_message(TimePoint now, const link::Message& message);
  bool handle_pairing_frame(TimePoint now, NodeId from, ByteSpan payload);
  void hold_for_pairing(TimePoint now);
  void follow_pairing(TimePoint now);
  void handle_pairing_timeout(TimePoint now);
  void follow_connection(TimePoint now);
  void watch_silence(TimePoint now);
  TimePoint silence_due() const;
  std::optional<link::RadioCommand> poll_discovery(TimePoint now, MutableByteSpan out);
  std::optional<link::RadioCommand> poll_pairing(TimePoint now, MutableByteSpan out);
  std::size_t poll_unicast(TimePoint now, MutableByteSpan out);
  template <typename What>
  void add_event(TimePoint now, const What& what) {
    (void)events_.push_overwrite(TransmitterEvent{now, what});
  }

  TransmitterConfig config_;
  Rng rng_;
  state::HybridClock clock_;
  state::Replica replica_;
  telemetry::Sender<> queue_;
  telemetry::CellsSplitter cells_;
  link::Discovery discovery_;
  std::optional<Connection> connection_;
  link::PairingShower shower_;
  std::optional<link::PairedKey> new_key_;
  TimePoint code_expires_at_ = kNever;
  TimePoint pairing_hold_until_ = kNever;
  TimePoint pairing_done_at_ = kNever;
  link::RadioTurn turn_;
  Underway underway_ = Underway::kNothing;
  TransmitterPhase phase_ = TransmitterPhase::kRadioDown;
  std::uint8_t status_ = 0;
  std::uint8_t channel_ = 0;        // where the receiver listens
  std::uint8_t tuned_channel_ = 0;  // where the radio is
  std::uint8_t failures_ = 0;
  TimePoint verify_until_ = kNever;
  TimePoint handled_until_ = TimePoint::min();
  TimePoint linked_at_{};
  std::optional<std::int8_t> rssi_dbm_;
  std::uint64_t foreign_frame_count_ = 0;
  Ring<TransmitterEvent, kTransmitterEventCapacity> events_;
};

static_assert(Machine<Transmitter>);

}  // namespace amphora::node
