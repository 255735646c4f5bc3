// SPDX-License-Identifier: Apache-2.0
// The world of whole packs: 1 to 8 of node::Pack, each with a BMS on its serial line, a house behind its
// relays and a store, and a Linux gateway that tells the time; all frames on a simulated CAN bus.
//
//   house 0 ==relays, meters== pack 0 ==Modbus== BMS 0
//                                 |
//   gateway ================== CAN bus ====== pack 1 … (the second bus takes some while it is split)
//
// Packs are owned by value and driven only through handle_… and poll_…. Power moves in the houses every two
// seconds; contacts move when they are told to. A store takes 2 to 20 ms for a write; a power cut meets it.
//
// Checked while it runs: invariants 1 (SectionChecker; equal contents at the end of a quiet time), 3 and 4
// (ElectionChecker), 5 (RelayChecker, EnergyChecker), 7 (MemoryChecker), 8 (StoreChecker, FactsChecker).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/ring.hpp"
#include "core/node/pack/pack.hpp"
#include "core/packnet/network.hpp"
#include "sim/checkers/election_checker.hpp"
#include "sim/checkers/energy_checker.hpp"
#include "sim/checkers/memory_checker.hpp"
#include "sim/checkers/relay_checker.hpp"
#include "sim/checkers/section_checker.hpp"
#include "sim/checkers/store_checker.hpp"
#include "sim/models/can_bus.hpp"
#include "sim/models/flash_store.hpp"
#include "sim/models/house_plant.hpp"
#include "sim/models/modbus_bms.hpp"
#include "sim/scenarios/pack_plan.hpp"
#include "sim/world/agenda.hpp"
#include "sim/world/bus_port.hpp"
#include "sim/world/histogram.hpp"
#include "sim/world/local_clock.hpp"
#include "sim/world/recorder.hpp"

namespace amphora::sim {

struct PackFigures {
  Histogram settings_us;          // a change to all packs of its bus showing it; not across a split or a boot
  Histogram claim_us;             // boot to id
  Histogram load_permille;        // of the first bus, each second
  std::uint64_t not_settled = 0;  // at the end of a run
  std::uint64_t changes = 0;
  std::uint64_t refused = 0;
  std::uint64_t boots = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t store_writes = 0;
  std::uint64_t relay_operations = 0;
  std::uint64_t frames = 0;
  std::int64_t error_ppm_max = 0;

  void merge(const PackFigures& other);
};

class PackWorld {
 public:
  explicit PackWorld(const PackPlan& plan);
  PackWorld(const PackWorld&) = delete;
  PackWorld& operator=(const PackWorld&) = delete;

  // Once.
  void run();

  TimePoint now() const { return now_; }
  const ViolationLog& violations() const { return violations_; }
  const Recorder& recorder() const { return recorder_; }
  PackFigures figures() const;
  // Null while it has no power.
  const node::Pack* pack(std::size_t index) const {
    return boxes_[index]->pack ? &*boxes_[index]->pack : nullptr;
  }
  std::uint64_t write_count(std::size_t index) const { return boxes_[index]->store.statistics().writes; }

 private:
  // At equal times the lower slot acts first. Each pack has three: host, BMS, store.
  enum Slot : std::size_t { kFaults, kChanges, kHouses, kTick, kFirstBus };
  static constexpr std::size_t kBusCount = ElectionChecker::kGroupCount;
  static constexpr std::size_t kGatewaySlot = kFirstBus + kBusCount;
  static constexpr std::size_t kFirstBox = kGatewaySlot + 1;
  static constexpr std::size_t kSlotsPerBox = 3;
  static constexpr std::size_t kSlotCount = kFirstBox + kSlotsPerBox * kWholePacksMax;
  static constexpr std::size_t kStoreKeys = 16;
  static constexpr std::size_t kFaultsMax = 64;

  struct Box {
    Box(std::size_t index, const PackPlan& plan, Rng& rng, ViolationLog& log);

    std::optional<node::Pack> pack;
    LocalClock clock;
    BusPort bus;
    std::uint8_t segment = 0;
    ModbusBms bms;
    FlashStore store;
    Ring<node::PackStoreRequest, FlashStore::kPendingMax> writing;  // in the order of the store
    HousePlant plant;
    energy::PerRelay<energy::Position> contacts{};
    energy::InverterRequest request;
    energy::Facts durable;
    energy::ModeSettings in_force;
    TimePoint booted_at{};
    TimePoint off_until{};
    TimePoint heard_bms_at{};
    bool is_cut_done = false;
    bool is_forgetful = false;  // kCrashEmpty has taken its store
    bool is_waiting_for_id = false;
    StoreChecker store_checker;
    FactsChecker facts_checker;
    RelayChecker relay_checker;
    EnergyChecker energy_checker;
  };

  // The change that is on its way to all.
  struct Spreading {
    TimePoint since{};
    state::SectionId section = 0;
    std::uint64_t digest = 0;
    std::uint8_t group = 0;
  };

  std::size_t host_slot(std::size_t index) const { return kFirstBox + kSlotsPerBox * index; }
  std::size_t bms_slot(std::size_t index) const { return host_slot(index) + 1; }
  std::size_t store_slot(std::size_t index) const { return host_slot(index) + 2; }
  TimePoint local(const Box& box) const { return box.clock.to_local(now_); }
  CanBus& bus_of(const Box& box) { return buses_[box.segment]; }
  std::int64_t unix_s() const { return plan_.start_unix_s + to_microseconds(now_) / 1'000'000; }
  std::int64_t local_s() const { return unix_s() + kWinterOffsetS; }
  bool is_affected(PackFaultKind kind, std::size_t index) const;

  void step(std::size_t slot);
  void apply_faults();
  void note_fault_edges();
  void apply_to_pack(std::size_t index);
  void move(std::size_t index, std::uint8_t segment);
  void apply_changes();
  void move_power();
  void tick();
  void step_bus(std::uint8_t bus);
  void deliver(const CanBus::Delivery& delivery, std::uint8_t bus);
  void check_election();
  RelayTruth truth(const Box& box) const;
  void check_relays(std::size_t index, std::int64_t import_uj);
  void check_spreading();
  void finish();

  // pack_host.cpp
  void boot(std::size_t index);
  void power_off(std::size_t index);
  void restore_sections(std::size_t index);
  energy::Facts read_facts(Box& box);
  FlashStore::ReadResult read(Box& box, StoreKey key);
  void tell_state(std::size_t index);
  void lose_offered(std::size_t index);
  void step_host(std::size_t index);
  void step_bms(std::size_t index);
  void step_store(std::size_t index);
  void pump(std::size_t index);
  void drain(std::size_t index);
  void take_commands(std::size_t index);
  void take_events(std::size_t index);
  void take_store(std::size_t index);
  bool write(std::size_t index, const node::PackStoreRequest& request);
  bool cut_power_at_write(std::size_t index);
  void note_sections(std::size_t index);
  void measure(std::size_t index);
  void tell_contacts(Box& box);
  void pump_gateway();

  PackPlan plan_;
  FaultSchedule<PackFaultKind> schedule_;
  Rng rng_;
  Rng loss_rng_;
  TimePoint now_{};
  Agenda agenda_{kSlotCount};
  std::array<CanBus, kBusCount> buses_;
  ViolationLog violations_;
  std::vector<std::unique_ptr<Box>> boxes_;
  packnet::PackNetwork gateway_;
  LocalClock gateway_clock_;
  BusPort gateway_port_;
  std::array<bool, kFaultsMax> is_fault_on_{};
  std::uint32_t loss_ppm_ = 0;
  std::size_t next_change_ = 0;
  std::uint64_t touched_ = 0;  // bit n: pack n may have changed in this step; above them the gateway
  std::array<ElectionView, kWholePacksMax + 1> views_{};
  std::optional<Spreading> spreading_;
  Duration busy_before_{};
  Recorder recorder_;
  ElectionChecker election_checker_;
  SectionChecker section_checker_;
  MemoryChecker memory_checker_;
  PackFigures figures_;
};

}  // namespace amphora::sim
