// SPDX-License-Identifier: Apache-2.0
// What the link thread and the rest of the program say to each other, by value, through bounded queues.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/link/discovery.hpp"
#include "core/liveness/liveness.hpp"
#include "core/node/receiver/receiver.hpp"
#include "core/node/transmitter/transmitter.hpp"
#include "core/sections/field.hpp"
#include "runtime/radio/radio_port.hpp"

namespace amphora::runtime {

// ---- reports: how the link is, as of one moment

struct LinkSection {
  state::SectionId id = 0;
  state::Record record;  // the newest, also before it is durable
  state::SyncState sync = state::SyncState::kLocal;
  std::optional<TimePoint> conflict_at;
  bool is_waiting_for_time = false;
};

struct LinkQueueReport {
  telemetry::SenderMetrics metrics;
  std::size_t size = 0;
  std::size_t capacity = 0;
};

struct LinkReadingsReport {
  telemetry::ReceiverMetrics metrics;
  std::optional<std::uint32_t> epoch;
  std::uint32_t last_sequence = 0;
};

struct LinkPeer {
  NodeId node;
  liveness::State state = liveness::State::kDisconnected;
  Ring<liveness::Change, liveness::kHistoryCapacity> history;
  bool has_session = false;
  std::uint64_t sessions = 0;
  std::optional<TimePoint> last_heard;
  std::optional<TimePoint> last_beacon;
  std::optional<std::int8_t> rssi_dbm;
  std::optional<std::uint8_t> status;  // flags of its last beacon
  std::array<std::uint64_t, static_cast<std::size_t>(link::Rejection::kCount)> rejected{};
  std::uint64_t undecodable = 0;
  std::optional<LinkReadingsReport> readings;        // at a receiver
  std::optional<telemetry::AssemblerMetrics> cells;  // at a receiver
  std::vector<LinkSection> sections;                 // at a receiver: its copy of the peer's
};

// How pairing goes. The code itself is only told to who asked for it.
struct LinkPairing {
  enum class State : std::uint8_t { kIdle, kShowing, kWaiting, kExchanging, kDone, kFailed };
  State state = State::kIdle;
  std::string_view reason{};                 // of a failure; empty: none
  std::optional<TimePoint> expires_at{};     // of a code that is shown or was entered
  std::optional<std::uint8_t> tries_left{};  // of a code that is shown
  NodeId peer{};                             // when done
};
std::string_view to_text(LinkPairing::State state);

struct LinkReport {
  TimePoint at{};
  NodeId self;  // nobody while the radio has not told its address
  RadioStatus radio;
  std::string_view phase;  // of a transmitter; empty at a receiver
  std::uint8_t channel = 0;
  bool is_searching = false;
  std::optional<link::Discovery::Statistics> discovery;  // of a transmitter
  std::optional<Duration> found_after;                   // of the last search that ended well
  std::optional<LinkQueueReport> queue;                  // of a transmitter
  std::vector<LinkSection> own;
  std::vector<LinkPeer> peers;
  LinkPairing pairing;
  bool has_time = false;  // changes can be stamped
  std::uint64_t foreign_frames = 0;
  std::uint64_t unreported = 0;  // radio commands whose end was never told
  std::uint64_t events_dropped = 0;
  Duration loop_delay_last{};
  Duration loop_delay_max{};
};
using LinkReportPtr = std::shared_ptr<const LinkReport>;

// ---- orders

// Queues a reading for the receiver. Ignored by a receiver, like the next one.
struct ReadingOrder {
  std::vector<std::uint8_t> payload;
  std::uint16_t format = 0;
};
struct CellsOrder {
  telemetry::CellsKind kind = telemetry::CellsKind::kVoltage;
  std::vector<std::uint16_t> values;
};
// Flags for the beacon: bit 0 MQTT connected, bit 1 Ethernet up.
struct StatusOrder {
  std::uint8_t flags = 0;
};
inline constexpr std::uint8_t kStatusMqttConnected = 1;
inline constexpr std::uint8_t kStatusEthernetUp = 2;

// A change of some fields of a section, put over what it holds at that moment. `token` comes back.
struct ChangeOrder {
  std::uint64_t token = 0;
  NodeId owner;  // nobody: this node
  state::SectionId section = 0;
  std::vector<std::pair<std::size_t, sections::FieldValue>> fields;  // index in the section's table
};
// What the configuration file says of a section of our own. It fills the section as long as nobody has
// changed it, with the lowest stamp there is, so that it never wins against a change.
struct SeedOrder {
  state::SectionId section = 0;
  state::Payload payload;
};
// Answers of the store.
struct SectionStoredOrder {
  NodeId owner;
  state::SectionId section = 0;
  std::uint32_t ticket = 0;
  bool is_durable = false;
};
struct DeliveredOrder {
  NodeId peer;
  std::uint32_t sequence = 0;
  bool is_durable = false;
};
struct QueueStoredOrder {
  bool is_durable = false;
};
// Pairing. Each order of a person is answered by a PairingAnswer.
struct ShowCodeOrder {
  std::uint64_t token = 0;
};
struct EnterCodeOrder {
  std::uint64_t token = 0;
  std::string code;
};
struct CancelPairingOrder {
  std::uint64_t token = 0;
};
struct ForgetOrder {
  std::uint64_t token = 0;
  NodeId node;
};
struct KeyStoredOrder {
  bool is_durable = false;
};
using LinkOrder = std::variant<ReadingOrder, CellsOrder, StatusOrder, ChangeOrder, SeedOrder,
                               SectionStoredOrder, DeliveredOrder, QueueStoredOrder, ShowCodeOrder,
                               EnterCodeOrder, CancelPairingOrder, ForgetOrder, KeyStoredOrder>;

// ---- messages

struct ChangeAnswer {
  std::uint64_t token = 0;
  // The version that the section has now, why a field does not fit, why the section cannot be changed, or
  // that this owner or section is not known here.
  struct Unknown {};
  std::variant<std::uint32_t, sections::FieldError, state::Refusal, Unknown> result;
  bool is_to_be_stored = false;  // ReplicaEvent::kStored follows
};
struct PairingAnswer {
  TimePoint at{};  // reports of this moment and later show its effect
  std::uint64_t token = 0;
  bool is_accepted = false;  // false: this role, or this node, cannot do that
  std::string code;          // of ShowCodeOrder
  std::optional<TimePoint> expires_at;
};
struct ReadingArrived {
  TimePoint at{};
  node::PeerDelivery delivery;
};
struct CellsArrived {
  TimePoint at{};
  node::PeerCells cells;
};
using LinkMessage = std::variant<node::TransmitterEvent, node::ReceiverEvent, ChangeAnswer, PairingAnswer,
                                 ReadingArrived, CellsArrived>;

// True for a record that only says what the configuration file says (SeedOrder): it is not in force.
constexpr bool is_seed(const state::Record& record) {
  return record.stamp.physical_ms == 0;
}

}  // namespace amphora::runtime
