// SPDX-License-Identifier: Apache-2.0
// One node of the pack network: address claim, election, presence, the table of the others, telemetry pages
// and the gate for commands, joined into one machine that takes and gives CAN frames.
//
// The bus comes up: the id is claimed, then presence is sent (each second for ten seconds, then every ten,
// and at once when it changes), the election takes part, telemetry goes round once every two seconds. Without
// an id a node sends nothing but claims. An id that is lost is silent from that frame on.
//
// A Linux gateway is the same machine with DeviceType::kLinuxGateway: it claims no id, sends no beacon and no
// telemetry, but a 29-bit presence with its hardware number; is_active_gateway() tells whether it is the one
// that may send commands and time.
//
// The host never feeds a node its own frames back. What it does not do: sections and segmented transfer
// (their frames come out of poll_opaque), sending commands.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/sampled.hpp"
#include "core/base/time.hpp"
#include "core/base/timers.hpp"
#include "core/can/frame.hpp"
#include "core/election/election.hpp"
#include "core/packnet/claim.hpp"
#include "core/packnet/command.hpp"
#include "core/packnet/frames.hpp"
#include "core/packnet/node_table.hpp"
#include "core/packnet/telemetry.hpp"

namespace amphora::packnet {

inline constexpr Duration kPresencePeriodFirst = std::chrono::seconds{1};
inline constexpr Duration kPresenceFirstFor = std::chrono::seconds{10};
inline constexpr Duration kPresencePeriod = std::chrono::seconds{10};
inline constexpr Duration kTelemetryCycle = std::chrono::seconds{2};
inline constexpr Duration kGatewayPeriod = std::chrono::seconds{1};
inline constexpr Duration kGatewayLost = std::chrono::seconds{4};
inline constexpr Duration kTimePeriod = std::chrono::seconds{10};
// Changes of flags are announced at most this often.
inline constexpr Duration kPresenceMin = std::chrono::milliseconds{100};

struct NetworkConfig {
  DeviceType type = DeviceType::kEnergyPack;
  HardwareNumber hardware = 0;
  Node stored_node = kNodeNone;
  std::uint64_t seed = 0;
  std::uint8_t firmware_major = 0;
  std::uint8_t firmware_minor = 0;
  GateConfig gate;
};

struct NetworkEvent {
  enum class Kind : std::uint8_t {
    kNodeClaimed,     // node: ours
    kNodeLost,        // node: ours until now
    kDuplicateBegan,  // another device with our hardware number
    kDuplicateEnded,
    kNoFreeNode,
    kAppeared,  // node: a new one, or one that changed its device
    kGone,      // node: unseen for 120 s
    kBecameMaster,
    kFollows,     // node: the master
    kMasterLost,  // node: the one that fell silent
    kAlone,
    kNotAlone,
    kTime,            // time() is new
    kGatewayChanged,  // who is the active one: see is_active_gateway()
    kReport,          // see `report`
    kAcknowledged,    // see `answer`
    kTelemetry        // node: a page came
  };
  TimePoint at{};
  Kind kind = Kind::kNodeClaimed;
  Node node = kNodeNone;
  std::uint8_t page = 0;
  Report report;
  Acknowledgement answer;
};
std::string_view to_text(NetworkEvent::Kind kind);

struct NetworkMetrics {
  std::uint64_t frames_sent = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t not_ours = 0;   // ids of other protocols
  std::uint64_t malformed = 0;  // ours, but refused by the codec
  std::uint64_t foreign_use = 0;
  std::uint64_t opaque_dropped = 0;
};

// A frame to be sent. A single-shot frame is tried once on the bus; when that fails the host calls
// handle_not_sent().
struct OutFrame {
  can::Frame frame;
  bool is_single_shot = false;
};

class PackNetwork {
 public:
  explicit PackNetwork(const NetworkConfig& config);

  void handle_bus_state(TimePoint now, can::BusState state);
  void handle_frame(TimePoint now, const can::Frame& frame);
  void handle_not_sent(TimePoint now);
  void handle_timeout(TimePoint now);

  // What this node tells about itself from now on.
  void set_telemetry(const Telemetry& telemetry) { telemetry_ = telemetry; }
  // kPresenceAlarm, kPresenceWarning; a change is announced at once. The others are the network's own.
  void set_presence_flags(TimePoint now, std::uint8_t flags);
  // An event or alarm for the bus; false, and counted, when too many wait.
  bool report(TimePoint now, Level level, bool is_end, std::uint16_t code, std::int32_t value);
  // A gateway: the wall time, or none while the own clock is not synchronised. Sent every ten seconds while
  // this gateway is the active one.
  void set_time(TimePoint now, std::optional<WallTime> wall, std::optional<std::int8_t> offset_quarters);

  std::optional<OutFrame> poll_transmit(TimePoint now);
  std::optional<NetworkEvent> poll_event();
  std::optional<Opaque> poll_opaque() { return opaque_.pop(); }
  // The node id to keep over a restart.
  std::optional<Node> poll_store() { return claim_.poll_store(); }
  TimePoint poll_timeout() const;

  // Commands for this node: gate().poll_command(), finish(), poll_store(), handle_stored().
  CommandGate& gate() { return gate_; }
  const CommandGate& gate() const { return gate_; }

  // The own id; kNodeNone while there is none.
  Node node() const { return claim_.node(); }
  const AddressClaim& claim() const { return claim_; }
  const election::Election& election() const { return election_; }
  bool is_master() const { return election_.is_master(); }
  std::optional<Node> master() const;
  bool is_active_gateway() const;
  const NodeTable& nodes() const { return nodes_; }
  // The gateway's time with the moment it came; empty before the first valid one.
  const Reading<Time>& time() const { return time_; }
  const NetworkMetrics& metrics() const { return metrics_; }

 private:
  enum class Timer : std::uint8_t { kPresence, kTelemetry, kGateway, kGatewayLost, kTime, kCount };

  bool is_gateway() const { return config_.type == DeviceType::kLinuxGateway; }
  bool is_bus_up() const;
  void handle_message(TimePoint now, const Message& message);
  void handle_presence(TimePoint now, const Presence& presence);
  void handle_gateway(TimePoint now, const GatewayPresence& presence);
  void handle_own_id(TimePoint now);
  void pump(TimePoint now);
  void pump_claim(TimePoint now);
  void pump_election(TimePoint now);
  void schedule_presence(TimePoint now);
  Presence own_presence() const;
  std::optional<OutFrame> next_frame(TimePoint now);
  std::optional<Message> next_node_message(TimePoint now);
  void emit(TimePoint now, NetworkEvent::Kind kind, Node node);

  NetworkConfig config_;
  can::BusState bus_state_ = can::BusState::kDown;
  AddressClaim claim_;
  Node last_node_ = kNodeNone;  // the id before this one, over restarts
  election::Election election_;
  CommandGate gate_;
  NodeTable nodes_;
  Telemetry telemetry_;
  std::uint8_t next_page_ = 0xFF;
  bool is_presence_due_ = false;
  bool is_page_due_ = false;
  bool is_gateway_due_ = false;
  bool is_time_due_ = false;
  std::uint8_t flags_ = 0;
  std::uint8_t sent_flags_ = 0;
  TimePoint presence_sent_at_{};
  TimePoint announced_at_{};
  std::optional<HardwareNumber> other_gateway_;  // the lowest heard
  std::optional<WallTime> wall_;
  TimePoint wall_at_{};
  std::optional<std::int8_t> offset_quarters_;
  Reading<Time> time_;
  TimerTable<Timer> timers_;
  Ring<Report, 8> reports_;
  Ring<Opaque, 16> opaque_;
  Ring<NetworkEvent, 32> events_;
  NetworkMetrics metrics_;
};

static_assert(Machine<PackNetwork>);

}  // namespace amphora::packnet
