// SPDX-License-Identifier: Apache-2.0
// The role pack: one energy pack with its battery, its relays and its place among the other packs.
//
//   BMS reader --snapshot--> control (modes, arbiter, safety) --> relay commands, request to the inverter
//   AC power, contacts, time ------^        |
//                                           +--> telemetry, reports --> pack network (CAN) --> other packs
//   page, gateway's commands --> shared settings (modes, schedule, loads) <--> the same on all packs
//
// Every pack works by itself: the bus may be missing, the master may be dead, the modes go on as they were
// set. The shared settings are state sections: whoever changes one, all packs end with the same, also those
// that were off. A command for all is applied by every pack itself and acknowledged when it is durable. Only
// the master gives the change a new stamp; the others write it as the smallest step after what they had, so
// that a pack which had missed an earlier change never wins over those that had not.
//
// Time comes from the gateway over the bus; a host whose own clock is synchronised may tell it too
// (handle_host_time), and the bus wins while it has told the time within kBusTimeAgeMax.
//
// It is a Machine like its parts. The host hands in bytes, frames, readings and time; it takes bytes, frames,
// relay commands, events and things to store out, and confirms what is stored.
//
// Limits: events wait in a ring of kPackEventCapacity; when the host does not poll, the oldest are dropped
// and counted. Updates over the bus are refused as unsupported.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/battery/snapshot.hpp"
#include "core/bms/modbus/poller.hpp"
#include "core/bms/tinybms/driver.hpp"
#include "core/energy/controller.hpp"
#include "core/indicator/indicator.hpp"
#include "core/node/pack/aggregate.hpp"
#include "core/node/pack/mode_settings.hpp"
#include "core/node/pack/pack_telemetry.hpp"
#include "core/packnet/network.hpp"
#include "core/packnet/section_share.hpp"
#include "core/sections/field.hpp"
#include "core/state/replica.hpp"

namespace amphora::node {

enum class PackBmsKind : std::uint8_t { kModbus, kTinybms };

struct PackConfig {
  PackBmsKind bms = PackBmsKind::kModbus;
  modbus::PollerConfig modbus;
  tinybms::DriverConfig tinybms;
  MilliampHours capacity{100'000};  // where the BMS tells none
  energy::ControllerConfig control;
  // False: this pack has no bus; it is alone and has its place at once.
  bool has_bus = true;
  packnet::NetworkConfig network;
  packnet::SectionShareConfig share;
  FirmwareVersion firmware;
};

// Beyond this the bus's time is as good as none, and the host's counts again. The gateway tells it every ten
// seconds.
inline constexpr Duration kBusTimeAgeMax = std::chrono::minutes{10};
// A node id or command counter that could not be stored is offered again after this.
inline constexpr Duration kStoreAgainAfter = std::chrono::seconds{1};
inline constexpr Duration kTelemetryRefresh = std::chrono::milliseconds{500};
inline constexpr std::size_t kPackEventCapacity = 128;
// A person who orders a relay "until changed" gets this long: overrides have an end.
inline constexpr Duration kOrderUntilChanged = energy::Controller::kOrderMax;

enum class TimeSource : std::uint8_t { kNone, kHost, kBus };
constexpr std::string_view to_text(TimeSource source) {
  constexpr std::string_view kNames[] = {"none", "host", "bus"};
  return kNames[static_cast<std::size_t>(source)];
}

struct PackEvent {
  enum class Kind : std::uint8_t {
    kSettingsRefused,  // what the bus brought cannot be in force here: see settings_fault()
    kSettingsInForce,
    kTimeSource,      // source
    kIdentify,        // somebody wants to see which pack this is
    kRestartOrdered,  // the host restarts the program
    kCommand          // from the gateway, done or refused: opcode, result
  };
  Kind kind = Kind::kSettingsInForce;
  TimeSource source = TimeSource::kNone;
  std::uint8_t opcode = 0;
  packnet::CommandResult result = packnet::CommandResult::kDone;
};
std::string_view to_text(PackEvent::Kind kind);

// What happened, in the words of the machine it happened to. Snapshots and telemetry pages are no events: see
// snapshot_count().
struct PackNodeEvent {
  TimePoint at{};
  std::variant<modbus::PollerEvent, tinybms::DriverEvent, energy::Event, packnet::NetworkEvent,
               packnet::GateEvent, packnet::SectionShareEvent, state::ReplicaEvent, PackEvent>
      what;
};

// One thing to be made durable. The host gives the same back with handle_stored or handle_store_failed.
struct StoreNode {
  packnet::Node node = packnet::kNodeNone;
};
struct StoreFloor {
  std::uint64_t floor = 0;
};
using PackStoreRequest = std::variant<StoreNode, StoreFloor, energy::StoreRequest, state::StoreRequest>;

// `field` as in sections::FieldError where one field is to blame; else the rule between sections that is
// broken, in `fault`.
struct SectionChangeRefusal {
  std::optional<sections::FieldError> field;
  std::optional<energy::SettingsError> fault;
};

class Pack {
 public:
  // The parts of `config` must have passed their own checks. `stored`: what the store held at boot; sections
  // follow by restore_section.
  Pack(const PackConfig& config, const energy::Facts& stored);
  Pack(const Pack&) = delete;
  Pack& operator=(const Pack&) = delete;

  // ---- at start, before anything else
  void restore_section(TimePoint now, state::SectionId section, const state::Record& record);
  void report_corrupt_section(TimePoint now, state::SectionId section);

  // ---- the BMS's serial line
  void handle_serial_line(TimePoint now, bool is_open);
  void handle_serial_bytes(TimePoint now, ByteSpan bytes);
  // Bytes written into `out`, which holds at least kPackSerialSizeMax; 0: nothing to send.
  std::size_t poll_serial(TimePoint now, MutableByteSpan out);

  // ---- the bus
  void handle_bus_state(TimePoint now, can::BusState state);
  void handle_bus_frame(TimePoint now, const can::Frame& frame);
  // The single-shot frame that poll_bus_frame gave last was not sent.
  void handle_bus_not_sent(TimePoint now);
  std::optional<packnet::OutFrame> poll_bus_frame(TimePoint now);
  // Counters of the host's controller, for telemetry.
  void set_bus_errors(std::uint8_t transmit_errors, std::uint8_t receive_errors);

  // ---- what is measured. `place`: what the relay of that name switches.
  void handle_ac(TimePoint now, energy::Relay place, const energy::AcInput& input);
  void handle_ac_voltage(TimePoint now, Millivolts voltage);
  // What a contact really does; empty: it is not read back.
  void handle_contact(TimePoint now, energy::Relay relay, std::optional<energy::Position> position);
  // The same of all at once. After a start it must be all: the first one told makes the modes decide, and a
  // relay whose contact is unknown then is commanded without regard to its minimum times.
  void handle_contacts(TimePoint now, const energy::PerRelay<std::optional<energy::Position>>& positions);
  // The host's clock and zone. `is_synchronised`: its time may be used; the offset is used in any case, where
  // the gateway's frames do not tell one.
  void handle_host_time(TimePoint now, const energy::TimeReading& reading, bool is_synchronised);

  void handle_timeout(TimePoint now);
  TimePoint poll_timeout() const;

  // ---- outputs
  std::optional<energy::Command> poll_command(TimePoint now);
  std::optional<PackNodeEvent> poll_event() { return events_.pop(); }
  std::optional<PackStoreRequest> poll_store(TimePoint now);
  void handle_stored(TimePoint now, const PackStoreRequest& request);
  void handle_store_failed(TimePoint now, const PackStoreRequest& request);

  // ---- what people ask for here
  // Refused as a whole when a field is out of range or the settings as a whole cannot be in force.
  std::optional<SectionChangeRefusal> change_section(TimePoint now, const sections::SectionTable& table,
                                                     const sections::Values& values);
  std::optional<energy::OrderError> order_relay(TimePoint now, energy::Relay relay, energy::Position position,
                                                Duration lasts);
  void release_relay(TimePoint now, energy::Relay relay);
  void reset_grid_energy(TimePoint now);
  void identify(TimePoint now, Duration lasts);

  // ---- queries
  const battery::Snapshot& snapshot() const;
  std::uint64_t snapshot_count() const { return snapshot_count_; }
  const bms::Statistics& bms_statistics() const;
  packnet::BmsState bms_state() const;
  const energy::Controller& control() const { return control_; }
  const energy::Inputs& inputs() const { return inputs_; }
  const packnet::PackNetwork& network() const { return network_; }
  const packnet::SectionShare& share() const { return share_; }
  const state::Replica& sections() const { return replica_; }
  // Why the newest shared settings are not in force; empty: they are.
  const std::optional<energy::SettingsError>& settings_fault() const { return settings_fault_; }
  TimeSource time_source() const { return time_source_; }
  // This pack and all it hears.
  Aggregate aggregate(TimePoint now) const;
  // What the lights show; render() makes the picture of it.
  indicator::State indicator_state(TimePoint now) const;
  const packnet::Telemetry& telemetry() const { return telemetry_; }
  std::uint64_t dropped_event_count() const;

 private:
  using Reader = std::variant<modbus::Poller, tinybms::Driver>;
  // A command whose change is not durable yet.
  struct Pending {
    std::uint32_t ticket = 0;
    std::uint8_t opcode = 0;
    state::SectionId section = 0;
    bool is_used = false;
  };
  // Of what the parts do not offer again by themselves.
  struct StoreAgain {
    std::optional<packnet::Node> node;
    std::optional<std::uint64_t> floor;
    TimePoint at = kNever;
  };

  static Reader make_reader(const PackConfig& config);
  // Moves everything that one part said on to its users, until nobody has anything to say.
  void settle(TimePoint now);
  bool drain_reader(TimePoint now);
  bool drain_control(TimePoint now);
  bool drain_network(TimePoint now);
  bool drain_sections(TimePoint now);
  void take_snapshot();
  void take_network_event(TimePoint now, const packnet::NetworkEvent& event);
  void take_bus_time(TimePoint now);
  void tell_time(TimePoint now, const energy::TimeReading& reading, TimeSource source);
  void take_settings(TimePoint now);
  void report_on_bus(TimePoint now, const energy::Event& event);
  void update_telemetry(TimePoint now);
  bool has_place() const;
  void emit(TimePoint now, const PackEvent& event);

  // pack_commands.cpp
  bool take_commands(TimePoint now);
  void carry_out(TimePoint now, const packnet::ReceivedCommand& received);
  packnet::CommandResult order_by_command(TimePoint now, const packnet::Command& command);
  void change_by_command(TimePoint now, const packnet::ReceivedCommand& received);
  void write_by_command(TimePoint now, const SectionContent& content);
  void finish_durable(TimePoint now, state::SectionId section, packnet::CommandResult result);
  void finish(TimePoint now, std::uint32_t ticket, std::uint8_t opcode, packnet::CommandResult result);

  PackConfig config_;
  Reader reader_;
  energy::Controller control_;
  packnet::PackNetwork network_;
  state::HybridClock clock_;
  state::Replica replica_;
  packnet::SectionShare share_;
  energy::Inputs inputs_;
  bool are_inputs_new_ = false;
  packnet::Telemetry telemetry_;
  std::uint8_t transmit_errors_ = 0;
  std::uint8_t receive_errors_ = 0;
  std::uint32_t bus_off_count_ = 0;
  std::uint32_t store_count_ = 0;
  can::BusState bus_state_ = can::BusState::kDown;
  std::uint64_t snapshot_count_ = 0;
  std::optional<energy::SettingsError> settings_fault_;
  TimeSource time_source_ = TimeSource::kNone;
  std::optional<std::int32_t> host_offset_s_;
  TimePoint telemetry_due_{};
  std::optional<TimePoint> started_at_;
  TimePoint identify_until_{};
  StoreAgain store_again_;
  std::array<Pending, packnet::kCommandQueue> pending_{};
  Ring<PackNodeEvent, kPackEventCapacity> events_;
};

inline constexpr std::size_t kPackSerialSizeMax =
    modbus::kRequestSize > tinybms::kTransmitSizeMax ? modbus::kRequestSize : tinybms::kTransmitSizeMax;

static_assert(Machine<Pack>);

}  // namespace amphora::node
