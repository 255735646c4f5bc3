// SPDX-License-Identifier: Apache-2.0
// The world of one bms-gateway: the box's node class itself, unchanged, between simulated wires.
//
//   pack -- protection -- BMS ==serial or CAN== node ==CAN bus== GX -- inverter/charger -- house
//     \________________________________ current ________________________________________/
//
// The node is owned by value and driven only through handle_… and poll_…, as any host does: after each input
// it is pumped until its next time-out lies ahead. The host around it is modelled as well: it boots and
// crashes, stalls, has a clock of its own, keeps energy counters through a crash, offers one frame at a time
// to the controller, withdraws a frame that could not be sent within kMailboxAgeMax (so that an old limit
// does not go out when the bus comes back), and restarts a controller that went bus-off, with back-off.
//
// Checked while it runs: invariant 6 (LimitsChecker), the rhythm of 0x351 (RhythmChecker), invariant 7
// (MemoryChecker). A run is a function of its plan; digest() covers everything seen on wires and everything
// the node reported.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/ring.hpp"
#include "core/node/bms_gateway/bms_gateway.hpp"
#include "sim/checkers/limits_checker.hpp"
#include "sim/checkers/memory_checker.hpp"
#include "sim/checkers/rhythm_checker.hpp"
#include "sim/checkers/violation.hpp"
#include "sim/models/battery_pack.hpp"
#include "sim/models/can_battery.hpp"
#include "sim/models/can_bus.hpp"
#include "sim/models/gx_device.hpp"
#include "sim/models/pack_protection.hpp"
#include "sim/models/serial_line.hpp"
#include "sim/models/solar_house.hpp"
#include "sim/models/tinybms_device.hpp"
#include "sim/scenarios/gateway_plan.hpp"
#include "sim/world/agenda.hpp"
#include "sim/world/link.hpp"
#include "sim/world/local_clock.hpp"
#include "sim/world/recorder.hpp"

namespace amphora::sim {

class GatewayWorld {
 public:
  // A frame that waits longer than this in the controller is withdrawn.
  static constexpr Duration kMailboxAgeMax{100'000};

  explicit GatewayWorld(const GatewayPlan& plan);
  GatewayWorld(const GatewayWorld&) = delete;
  GatewayWorld& operator=(const GatewayWorld&) = delete;

  // Up to the end of the plan, or to the first broken invariant if the plan stops there. Once.
  void run();

  TimePoint now() const { return now_; }
  const ViolationLog& violations() const { return violations_; }
  const Recorder& recorder() const { return recorder_; }
  const LimitsChecker& limits_checker() const { return limits_checker_; }
  const RhythmChecker& rhythm_checker() const { return rhythm_checker_; }
  const CanBus& bus() const { return bus_; }
  const BatteryPack& pack() const { return pack_; }
  const GxDevice& gx() const { return gx_; }
  std::uint64_t node_event_count() const { return node_event_count_; }
  std::uint64_t boot_count() const { return boot_count_; }
  std::uint64_t withdrawn_frame_count() const { return withdrawn_frame_count_; }

 private:
  // At equal times the lower slot acts first; the buses come last, so that all that is offered at one moment
  // takes part in arbitration.
  enum Slot : std::size_t {
    kFaults,
    kPlant,
    kToBms,
    kBmsDevice,
    kToNode,
    kCanToNode,
    kCanToGx,
    kGx,
    kHost,
    kNode,
    kBabbler,
    kBatteryBus,
    kBus,
    kSlotCount
  };
  // On the inverter's bus and, in the second bus, node and battery.
  static constexpr CanBus::Node kNodePort = 0;
  static constexpr CanBus::Node kGxPort = 1;
  static constexpr CanBus::Node kBabblerPort = 2;
  static constexpr CanBus::Node kBatteryPort = 1;

  // A live reply that the BMS really sent. What reaches the node is matched against these by its
  // bytes, so that neither damage on the line nor pieces nor joined replies blur what the node can know.
  // Among equal replies the newest counts: what it says was still true then.
  struct ReplyTruth {
    std::uint64_t hash = 0;
    TimePoint sampled_at{};
    bool is_nonsense = false;
    bool forbids = false;
  };
  // When the BMS put a reply together, and whether what it showed then could be true.
  struct Served {
    TimePoint at{};
    bool is_lying = false;
  };
  static constexpr std::size_t kReplyTruthCount = 32;
  static constexpr std::size_t kHeardBytesMax = 1024;
  // Frames of a CAN battery without which nothing is known.
  static constexpr std::size_t kBatteryFrameCount = 4;

  static constexpr std::size_t kLinkCapacity = 4096;  // the worst delay and babble fit; overflow is counted
  static constexpr Duration kRestartDelayMin{100'000};

  static LimitsRules make_rules(const GatewayPlan& plan);
  static node::BmsGatewayConfig make_node_config(const GatewayPlan& plan);
  static TinyBmsDeviceConfig make_device_config(const GatewayPlan& plan);

  void step(Slot slot);
  // gateway_faults.cpp
  void apply_faults();
  void apply_edges();
  void apply_serial_faults();
  void apply_bms_faults();
  void apply_pack_faults();
  void apply_can_faults();
  void apply_node_faults();
  void begin_pack_fault(const GatewayFault& fault);
  bool is_lying() const;
  bool has(FaultKind kind) const { return parameter(kind).has_value(); }
  std::optional<std::uint32_t> parameter(FaultKind kind) const {
    return active_[static_cast<std::size_t>(kind)];
  }

  // The plant, once a second.
  void step_plant();
  void update_device();
  void report_trips();
  void judge_rhythm();
  std::uint32_t cells_to_balance() const;

  // Wires.
  void deliver_to_bms();
  void deliver_to_node();
  void pump_device();
  void note_device_write(ByteSpan bytes);
  void note_meant_write(ByteSpan bytes);
  void note_heard_bytes(ByteSpan bytes);
  void note_live_reply(ByteSpan reply);
  void pump_gx();
  void pump_bus();
  void handle_bus_delivery(const CanBus::Delivery& delivery);
  void handle_bus_state(const CanBus::StateChange& change);
  void step_battery_bus();
  void note_battery_frame(const can::Frame& frame);
  void babble();

  // The box and its host: gateway_host.cpp.
  void boot();
  void crash();
  void step_host();
  void pump_node();
  void transmit(TimePoint local);
  void offer(const can::Frame& frame);
  bool tamper(can::Frame& frame);
  void deliver_events(TimePoint local);
  void record_event(const node::Event& event);
  void arm_node(TimePoint due);  // local time; does not count while the node does not run
  bool is_running() const { return node_.has_value() && !is_stalled_; }
  TimePoint local() const { return clock_.to_local(now_); }
  void check_memory();

  GatewayPlan plan_;
  FaultSchedule<FaultKind> schedule_;
  std::array<std::optional<std::uint32_t>, static_cast<std::size_t>(FaultKind::kCount)> active_{};
  Rng rng_;
  TimePoint now_{};
  Agenda agenda_{kSlotCount};
  Recorder recorder_;
  ViolationLog violations_;

  BatteryPack pack_;
  PackProtection protection_;
  std::uint32_t reported_trips_ = 0;  // bit: ProtectionFault
  SolarHouse house_;
  InverterCharger charger_;
  TinyBmsDevice device_;
  SerialWire to_bms_;
  SerialWire to_node_;
  CanBus bus_;
  CanBus battery_bus_;
  CanBattery battery_;
  GxDevice gx_;
  Link<can::Frame> can_to_node_;
  Link<can::Frame> can_to_gx_;

  LocalClock clock_;
  node::BmsGatewayConfig node_config_;
  std::optional<node::BmsGateway> node_;
  battery::EnergyCounters stored_energy_;
  bool is_stalled_ = false;
  TimePoint offered_at_ = kNever;  // of the frame in the controller
  TimePoint noise_at_{};           // the next burst of noise on the serial line
  TimePoint restart_at_ = kNever;  // of a controller that is bus-off
  Duration restart_delay_{};
  TimePoint last_keepalive_ = TimePoint::min();
  TimePoint last_good_reply_ = TimePoint::min();

  LimitsChecker limits_checker_;
  RhythmChecker rhythm_checker_;
  MemoryChecker memory_checker_;
  Ring<ReplyTruth, kReplyTruthCount> reply_truths_;  // the last ones
  Served served_;
  Served served_before_;
  bool is_shown_lying_ = false;                       // the values that the BMS shows cannot be true
  std::array<std::uint8_t, kHeardBytesMax> heard_{};  // by the node since the last live reply
  std::size_t heard_size_ = 0;
  bool is_live_reply_due_ = false;  // the node has asked, and nothing was heard that could be the answer
  std::array<std::optional<TimePoint>, kBatteryFrameCount> battery_frames_at_{};
  TimePoint battery_sampled_at_ = TimePoint::min();  // the oldest of them
  std::uint64_t frames_taken_ = 0;                   // from the node, since its boot
  std::uint64_t serial_taken_ = 0;
  std::uint64_t node_event_count_ = 0;
  std::uint64_t boot_count_ = 0;
  std::uint64_t withdrawn_frame_count_ = 0;
  std::optional<can::Frame> last_allowing_;  // for Sabotage::kKeepsOldLimits
  std::uint64_t limit_frames_seen_ = 0;
};

}  // namespace amphora::sim
