// SPDX-License-Identifier: Apache-2.0
// The role receiver: the box in the house that listens where the router put it, and holds a copy of each
// transmitter's settings, readings and live cells.
//
//   radio --> probe: answered, and a session is asked for
//         --> frame of a known transmitter --> its connection --> replica (copy of its settings)
//                                                             --> readings, in order, once (to be stored)
//                                                             --> live cells (newest, RAM only)
//   own settings: a replica of its own, never mixed with those of a peer
//
// A passive listener: it answers probes, asks for sessions, acknowledges; it never looks for anybody. When it
// starts, or its channel changes, it says Hello to every transmitter it knows, so that one that still sends
// here goes on within milliseconds.
//
// Everything is per transmitter, up to the capacity. In sealed mode only paired transmitters are answered; in
// plain mode any that probes is taken in while there is room.
//
// Pairing (enter_code): the next transmitters that probe are asked, one after the other, until one shows the
// code that was entered. The key is handed to the host, and is in force when the host has stored it.
//
// It is a Machine. One radio command is under way at a time. What the host does not poll is dropped, oldest
// first, and counted; deliveries are never dropped here: they wait for the host.
#pragma once

#include <array>
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
#include "core/link/pairing.hpp"
#include "core/link/radio.hpp"
#include "core/node/paired_peer.hpp"
#include "core/state/replica.hpp"
#include "core/telemetry/live_cells.hpp"
#include "core/telemetry/receiver.hpp"

namespace amphora::node {

struct ReceiverConfig {
  NodeId self;
  link::Mode mode = link::Mode::kSealed;
  std::uint8_t channel = 1;  // 1 to link::kChannelMax
  std::span<const state::SectionSpec> own_sections;
  std::span<const state::SectionSpec> peer_sections;
  state::Memory memory = state::Memory::kDurable;
  telemetry::ReceiverConfig readings;
  liveness::Config liveness{std::chrono::seconds{20}, std::chrono::seconds{25}, std::chrono::seconds{30}};
  Duration heartbeat_period = std::chrono::seconds{10};
  std::uint32_t boot_epoch = 0;  // told in answers to probes
  std::uint64_t entropy = 0;     // 64 random bits, new at every boot
};

// The largest number of peers that ESP-NOW allows.
inline constexpr std::size_t kReceiverPeersMax = 20;
inline constexpr std::size_t kReceiverEventCapacity = 64;
// How long a code that was entered waits for a transmitter that shows it.
inline constexpr Duration kEnteredCodeLifetime = std::chrono::minutes{2};
// Transmitters of others that are remembered not to show the code.
inline constexpr std::size_t kRefusedMax = 8;

enum class PairingPhase : std::uint8_t { kIdle, kWaiting, kExchanging, kDone, kFailed };
constexpr std::string_view to_text(PairingPhase phase) {
  constexpr std::string_view kNames[] = {"idle", "waiting", "exchanging", "done", "failed"};
  return kNames[static_cast<std::size_t>(phase)];
}
struct PairingStatus {
  PairingPhase phase = PairingPhase::kIdle;
  link::PairingEvent::Reason reason = link::PairingEvent::Reason::kNone;  // of a failure
  TimePoint expires_at = kNever;                                          // while waiting
  NodeId peer;                                                            // when done
};

// One transmitter as the receiver knows it.
class ReceiverPeer {
 public:
  using Connection = link::Connection<state::SessionJoiner>;

  ReceiverPeer(state::HybridClock& clock, const ReceiverConfig& config, const PairedPeer& peer, Rng& rng);

  NodeId node() const { return replica_.owner(); }
  state::Replica& replica() { return replica_; }
  const state::Replica& replica() const { return replica_; }
  telemetry::ReceiverBase& readings() { return readings_; }
  const telemetry::ReceiverBase& readings() const { return readings_; }
  const Connection& connection() const { return connection_; }
  const telemetry::AssemblerMetrics& cells_metrics() const { return cells_.metrics(); }
  std::optional<std::int8_t> rssi_dbm() const { return rssi_dbm_; }

 private:
  friend class ReceiverBase;

  state::Replica replica_;
  Connection connection_;
  telemetry::Receiver<> readings_;
  telemetry::CellsAssembler cells_;
  std::optional<std::int8_t> rssi_dbm_;
};

struct ReceiverEvent {
  TimePoint at{};
  NodeId peer;  // self: about the receiver's own settings
  std::variant<link::ConnectionEvent, liveness::Change, state::ReplicaEvent, state::ExchangeEvent,
               telemetry::ReceiverEvent, link::PairingEvent>
      what;
};

struct PeerDelivery {
  NodeId peer;
  telemetry::Delivery delivery;
};
struct PeerCells {
  NodeId peer;
  telemetry::LiveCells cells;
};
// Whose section is to be stored: self or a peer.
struct OwnedStoreRequest {
  NodeId owner;
  state::StoreRequest request;
};

// All of the receiver but its storage, so that the code exists once for all capacities.
class ReceiverBase {
 public:
  using PeerSlot = std::optional<ReceiverPeer>;

  ReceiverBase(const ReceiverBase&) = delete;
  ReceiverBase& operator=(const ReceiverBase&) = delete;

  // ---- peers. False when there is no room, or it is there already. A host that has stored anything of it
  // hands that to peer()->replica() and peer()->readings() next.
  bool add_peer(TimePoint now, const PairedPeer& peer);
  bool remove_peer(TimePoint now, NodeId node);
  ReceiverPeer* peer(NodeId node);
  const ReceiverPeer* peer(NodeId node) const;
  std::span<const PeerSlot> peers() const { return peers_; }

  // ---- the radio
  void handle_radio(TimePoint now, bool is_up);
  // The router has moved.
  void set_channel(TimePoint now, std::uint8_t channel);
  void handle_frame(TimePoint now, NodeId from, ByteSpan payload, std::optional<std::int8_t> rssi_dbm = {});
  void handle_sent(TimePoint now, link::SendStatus status);
  void handle_tuned(TimePoint now, bool is_done);
  std::optional<link::RadioCommand> poll_radio(TimePoint now, MutableByteSpan out);

  // ---- time and events
  void handle_timeout(TimePoint now);
  TimePoint poll_timeout() const;
  std::optional<ReceiverEvent> poll_event() { return events_.pop(); }

  // ---- what has arrived. A delivery counts as acknowledged after handle_delivered().
  std::optional<PeerDelivery> poll_delivery(TimePoint now);
  void handle_delivered(TimePoint now, NodeId node, std::uint32_t sequence);
  void handle_delivery_failed(TimePoint now, NodeId node);
  std::optional<PeerCells> poll_cells();

  // ---- settings. `owner`: self, or a peer whose sections may be changed from here.
  state::Replica* replica(NodeId owner);
  std::optional<OwnedStoreRequest> poll_store(TimePoint now);
  // To be called after each call on a replica: lets the box react.
  void settle(TimePoint now);
  void set_status(TimePoint now, std::uint8_t status);
  bool set_wall_time(TimePoint now, WallTime wall);
  // The host has none and will have none soon: own settings count on without it.
  void start_without_wall_time(TimePoint now) { clock_.start_without_wall_time(now); }

  // ---- pairing. False unless `code` is link::kCodeSize digits. `entropy`: from the operating system, new
  // each time. A code that was entered before makes way.
  bool enter_code(TimePoint now, std::string_view code, const link::PairingEntropy& entropy);
  void cancel_pairing(TimePoint now);
  // A key for the host to store; then handle_key_stored(). The peer is added, or gets its new key, by itself.
  std::optional<link::PairedKey> poll_key();
  void handle_key_stored(TimePoint now, bool is_durable);
  const PairingStatus& pairing() const { return pairing_; }

  // ---- queries
  std::uint8_t channel() const { return config_.channel; }
  bool is_radio_up() const { return is_up_; }
  const state::HybridClock& clock() const { return clock_; }
  std::uint64_t foreign_frame_count() const { return foreign_frame_count_; }
  std::uint64_t probes_answered_count() const { return probes_answered_count_; }
  std::uint64_t unreported_count() const { return turn_.unreported_count(); }
  std::uint64_t dropped_event_count() const;
  const ReceiverConfig& config() const { return config_; }

 protected:
  ReceiverBase(const ReceiverConfig& config, std::span<PeerSlot> peers);
  ~ReceiverBase() = default;

 private:
  struct Answer {
    NodeId to;
    std::uint32_t sequence = 0;
  };
  static constexpr std::size_t kAnswersMax = 4;

  void handle_probe(TimePoint now, NodeId from, const link::Probe& probe);
  bool ask_for_pairing(TimePoint now, NodeId from);
  bool handle_pairing_frame(TimePoint now, NodeId from, ByteSpan payload);
  void follow_pairing(TimePoint now);
  void end_pairing(PairingPhase phase, link::PairingEvent::Reason reason);
  void handle_message(TimePoint now, ReceiverPeer& peer, const link::Message& message);
  void follow(TimePoint now, ReceiverPeer& peer);
  void greet(TimePoint now);
  std::size_t poll_peer(TimePoint now, ReceiverPeer& peer, MutableByteSpan out);
  template <typename What>
  void add_event(TimePoint now, NodeId peer, const What& what) {
    (void)events_.push_overwrite(ReceiverEvent{now, peer, what});
  }

  ReceiverConfig config_;
  Rng rng_;
  state::HybridClock clock_;
  state::Replica own_;
  std::span<PeerSlot> peers_;
  link::RadioTurn turn_;
  bool is_up_ = false;
  bool is_tuned_ = false;
  bool is_tuning_ = false;
  std::uint8_t status_ = 0;
  TimePoint handled_until_ = TimePoint::min();
  Ring<Answer, kAnswersMax> answers_;
  link::PairingEnterer enterer_;
  PairingStatus pairing_;
  link::Code code_{};
  crypto::Key pairing_secret_{};  // what entropy of each exchange is derived from
  std::uint32_t exchanges_ = 0;
  NodeId asked_;
  std::optional<link::PairedKey> new_key_;
  Ring<NodeId, kRefusedMax> refused_;
  std::size_t next_peer_ = 0;      // whose turn it is on the radio
  std::size_t next_store_ = 0;     // and in the store
  std::optional<NodeId> sent_to_;  // of the frame under way
  std::uint64_t foreign_frame_count_ = 0;
  std::uint64_t probes_answered_count_ = 0;
  Ring<ReceiverEvent, kReceiverEventCapacity> events_;
};

template <std::size_t PeersMax = kReceiverPeersMax>
class Receiver : public ReceiverBase {
 public:
  explicit Receiver(const ReceiverConfig& config) : ReceiverBase{config, storage_} {}

 private:
  std::array<PeerSlot, PeersMax> storage_;
};

static_assert(Machine<Receiver<1>>);

}  // namespace amphora::node
