// SPDX-License-Identifier: Apache-2.0
// The world of the pack network: packs and Linux gateways, the network machine itself, on a simulated CAN
// bus.
//
//   pack 0 … pack 31, gateway, gateway ==bus== babbling node
//
// A second bus is empty until a split moves boxes to it; when the split ends both are one again, and no box
// is told. Machines are owned by value and driven only through handle_… and poll_…. The host around each is
// modelled: it boots and loses its power, stalls (frames wait, and are lost when too many do), has a clock of
// its own, keeps the node id, gives the controller one frame at a time, withdraws what could not be sent
// within 100 ms, and restarts a controller that went bus-off.
//
// Checked while it runs: invariants 3 and 4 (ElectionChecker) and 7 (MemoryChecker). A run is a function of
// its plan; the recorder's digest covers every frame on both buses and every event of every node.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/ring.hpp"
#include "core/packnet/network.hpp"
#include "sim/checkers/election_checker.hpp"
#include "sim/checkers/memory_checker.hpp"
#include "sim/checkers/violation.hpp"
#include "sim/models/can_bus.hpp"
#include "sim/scenarios/packs_plan.hpp"
#include "sim/world/agenda.hpp"
#include "sim/world/histogram.hpp"
#include "sim/world/local_clock.hpp"
#include "sim/world/recorder.hpp"

namespace amphora::sim {

struct PacksFigures {
  Histogram claim_us;       // boot, or the loss of an id, to the next id
  Histogram election_us;    // id to the first master it knows
  Histogram failover_us;    // the master loses its power to all others following one
  Histogram merge_us;       // two buses joined to one master and no shared id
  Histogram load_permille;  // of the first bus, each second; not while something babbles or breaks frames
  std::int64_t shared_id_max_ms = 0;
  std::uint64_t duplicate_alarms = 0;
  std::uint64_t ids_changed = 0;      // a boot ended with another id than the stored one
  std::uint64_t not_claimed = 0;      // at the end of a run
  std::uint64_t not_failed_over = 0;  // masters that were killed and never replaced
  std::uint64_t not_merged = 0;
  std::uint64_t unseen = 0;  // pairs at the end of a run of which one does not know the other
  std::uint64_t frames = 0;
  std::uint64_t bus_offs = 0;

  void merge(const PacksFigures& other);
};

class PacksWorld {
 public:
  explicit PacksWorld(const PacksPlan& plan);
  PacksWorld(const PacksWorld&) = delete;
  PacksWorld& operator=(const PacksWorld&) = delete;

  // Up to the end of the plan, or to the first broken invariant if the plan stops there. Once.
  void run();

  TimePoint now() const { return now_; }
  const ViolationLog& violations() const { return violations_; }
  const Recorder& recorder() const { return recorder_; }
  // After run().
  const PacksFigures& figures() const { return figures_; }
  const ElectionChecker& election_checker() const { return election_checker_; }
  // Null while it does not run.
  const packnet::PackNetwork* node(std::size_t box) const {
    return boxes_[box].node ? &*boxes_[box].node : nullptr;
  }
  packnet::Node stored_node(std::size_t box) const { return boxes_[box].stored_node; }

 private:
  // At equal times the lower slot acts first.
  enum Slot : std::size_t { kFaults, kTick, kBabbler, kFirstBus };
  static constexpr std::size_t kBusCount = ElectionChecker::kGroupCount;
  static constexpr std::size_t kFirstBox = kFirstBus + kBusCount;
  static constexpr std::size_t kSlotCount = kFirstBox + kPackBoxCount;
  static constexpr CanBus::Node kBabblerPort = kPackBoxCount;
  static constexpr std::size_t kInboxCapacity = 64;
  static constexpr std::size_t kFaultsMax = 64;

  struct Box {
    std::optional<packnet::PackNetwork> node;
    LocalClock clock;
    packnet::Node stored_node = packnet::kNodeNone;
    packnet::Node booted_with = packnet::kNodeNone;
    std::uint8_t segment = 0;
    bool is_stalled = false;
    bool is_forgetful = false;  // kCrashEmpty has taken its id
    std::uint64_t boot_count = 0;
    can::BusState told_state = can::BusState::kDown;
    TimePoint offered_at = kNever;
    bool is_single_shot = false;
    TimePoint restart_at = kNever;
    Ring<can::Frame, kInboxCapacity> inbox;  // while it stalls
    TimePoint claim_from{};
    std::optional<TimePoint> claimed_at;
    std::optional<TimePoint> electing_since;
    // The node's next time-out on its own clock and on the world's: converting is dear, and it changes
    // seldom.
    TimePoint due_local = kNever;
    TimePoint due_world = kNever;
  };

  void step(std::size_t slot);
  void apply_faults();
  void note_fault_edges();
  void apply_to_box(std::size_t index);
  void apply_rules();
  void move(std::size_t index, std::uint8_t segment);
  std::optional<std::uint32_t> parameter(PacksFaultKind kind) const { return schedule_.active(kind, now_); }
  // The strength of a fault of this box that is in force.
  std::optional<std::uint32_t> box_fault(PacksFaultKind kind, std::size_t box) const;
  std::optional<std::size_t> master_box() const;
  void tick();
  void babble();
  void step_bus(std::uint8_t bus);
  void deliver(const CanBus::Delivery& delivery, std::uint8_t bus);
  bool is_hidden(const Box& box, std::size_t index, const can::Frame& frame) const;
  void touch(std::size_t index) { touched_ |= std::uint64_t{1} << index; }
  ElectionView view_of(std::size_t index) const;
  void check();
  void finish();

  // packs_host.cpp
  void boot(std::size_t index);
  void crash(std::size_t index);
  void set_stalled(std::size_t index, bool is_stalled);
  void take_frame(std::size_t index, const can::Frame& frame);
  void tell_state(std::size_t index);
  void lose_offered(std::size_t index);
  void pump(std::size_t index);
  void step_host(std::size_t index);
  void take_events(std::size_t index);
  void close_claim(Box& box);
  packnet::Telemetry make_telemetry(std::size_t index) const;

  TimePoint local(const Box& box) const { return box.clock.to_local(now_); }
  CanBus& bus_of(const Box& box) { return buses_[box.segment]; }
  static CanBus::Node port(std::size_t index) { return static_cast<CanBus::Node>(index); }

  PacksPlan plan_;
  FaultSchedule<PacksFaultKind> schedule_;
  Rng rng_;
  Rng loss_rng_;
  TimePoint now_{};
  Agenda agenda_{kSlotCount};
  std::array<CanBus, kBusCount> buses_;
  std::array<Box, kPackBoxCount> boxes_{};
  std::vector<std::size_t> used_;  // boxes that the plan has
  std::uint64_t touched_ = 0;      // bit n: box n may have changed in this step
  std::array<ElectionView, kPackBoxCount> views_{};
  std::array<bool, kFaultsMax> is_fault_on_{};
  std::array<std::optional<std::size_t>, kFaultsMax> victims_{};
  bool is_split_ = false;
  bool has_trouble_ = false;  // nothing is promised
  bool is_measured_ = true;
  std::uint32_t loss_ppm_ = 0;
  std::uint32_t duplicate_ppm_ = 0;
  std::optional<TimePoint> failover_from_;
  std::optional<TimePoint> merge_from_;
  Duration busy_before_{};
  bool is_load_measured_ = false;
  ViolationLog violations_;
  Recorder recorder_;
  ElectionChecker election_checker_;
  MemoryChecker memory_checker_;
  PacksFigures figures_;
};

}  // namespace amphora::sim
