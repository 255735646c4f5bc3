// SPDX-License-Identifier: Apache-2.0
// The world of the radio link: transmitters and a receiver, the node classes themselves, on simulated air.
//
//   battery --> transmitter ==air== receiver --> consumer's database
//   settings <--> store           settings <--> store
//
// Nodes are owned by value and driven only through handle_… and poll_…. The host around each is modelled: it
// boots and loses its power, stalls or hangs, has an uptime and a date of its own, keeps settings in a store
// that may tear writes, remembers the last good channel, and, at the receiver, delivers readings to a
// database in transactions together with the position in the stream.
//
// Checked while it runs: invariant 1 (SectionChecker), 2 (DeliveryChecker), 7 (MemoryChecker), 8
// (StoreChecker). A run is a function of its plan; the recorder's digest covers every frame on the air, what
// every box shows and what was delivered.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "core/base/ring.hpp"
#include "core/node/receiver/receiver.hpp"
#include "core/node/transmitter/transmitter.hpp"
#include "sim/checkers/delivery_checker.hpp"
#include "sim/checkers/memory_checker.hpp"
#include "sim/checkers/section_checker.hpp"
#include "sim/checkers/store_checker.hpp"
#include "sim/checkers/violation.hpp"
#include "sim/models/air.hpp"
#include "sim/models/flash_store.hpp"
#include "sim/scenarios/link_plan.hpp"
#include "sim/scenarios/section_record.hpp"
#include "sim/world/agenda.hpp"
#include "sim/world/histogram.hpp"
#include "sim/world/local_clock.hpp"
#include "sim/world/recorder.hpp"
#include "sim/world/wall_clock.hpp"

namespace amphora::sim {

struct LinkFigures {
  Histogram discovery_us;  // boot of a transmitter to the answer of its receiver; only if a session followed
  Histogram session_us;    // boot of a transmitter to the session
  Histogram recovery_us;   // the receiver listens again to the first reading it hands out
  Histogram settings_us;   // change to shown on the other side
  std::uint64_t not_found = 0;      // runs in which a transmitter never began a session
  std::uint64_t not_recovered = 0;  // runs that measure recovery and saw none
  std::uint64_t not_settled = 0;    // changes that were never shown on the other side, nor replaced
  std::uint64_t produced = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;  // neither delivered nor waiting nor counted
  std::uint64_t duplicated = 0;
  std::uint64_t dropped_counted = 0;  // dropped and expired
  std::uint64_t lost_with_power = 0;  // waited in a transmitter that lost its power
  std::uint64_t live_cells = 0;       // complete readings
  Duration on_air{};
  Duration virtual_time{};

  std::int64_t air_permille() const {
    return virtual_time > Duration{} ? on_air.count() * 1'000 / virtual_time.count() : 0;
  }
  void merge(const LinkFigures& other);
};

class LinkWorld {
 public:
  explicit LinkWorld(const LinkPlan& plan);
  LinkWorld(const LinkWorld&) = delete;
  LinkWorld& operator=(const LinkWorld&) = delete;

  // Up to the end of the plan, or to the first broken invariant if the plan stops there. Once.
  void run();

  TimePoint now() const { return now_; }
  const ViolationLog& violations() const { return violations_; }
  const Recorder& recorder() const { return recorder_; }
  // After run().
  const LinkFigures& figures() const { return figures_; }
  const SectionChecker& sections() const { return section_checker_; }
  const DeliveryChecker& deliveries() const { return delivery_checker_; }
  const Air& air() const { return air_; }
  // Null while it does not run.
  const node::Transmitter* transmitter(std::size_t box) const {
    return boxes_[box].transmitter ? &*boxes_[box].transmitter : nullptr;
  }
  const node::ReceiverBase* receiver() const {
    return boxes_[kReceiverBox].receiver ? &*boxes_[kReceiverBox].receiver : nullptr;
  }
  std::uint64_t boot_count(std::size_t box) const { return boxes_[box].boot_count; }

 private:
  // At equal times the lower slot acts first.
  enum Slot : std::size_t { kFaults, kScript, kAttack, kMemory, kAir, kFirstStore };
  static constexpr std::size_t kFirstBattery = kFirstStore + kLinkBoxCount;
  static constexpr std::size_t kFirstNode = kFirstBattery + kLinkBoxCount;
  static constexpr std::size_t kSlotCount = kFirstNode + kLinkBoxCount;

  static constexpr std::size_t kReceiverPeers = kTransmittersMax;
  static constexpr std::size_t kSectionCount = 5;
  static constexpr std::size_t kBatchMax = 64;
  static constexpr Air::Station kAttackerStation = kLinkBoxCount;
  static constexpr std::size_t kRecordedFrames = 64;

  using Receiver = node::Receiver<kReceiverPeers>;

  struct DeliveredReading {
    std::uint32_t epoch = 0;
    std::uint32_t sequence = 0;
    std::uint64_t digest = 0;
    bool is_thrown_away = false;  // LinkSabotage::kLosesReadings
  };
  // What the receiver's host does for one stream.
  struct Consumer {
    Ring<DeliveredReading, kBatchMax> waiting;
    Ring<DeliveredReading, kBatchMax> in_transaction;
  };
  // A change that is not yet shown on the other side.
  struct OpenEdit {
    bool is_open = false;
    TimePoint at{};
    std::uint8_t made_at = 0;   // box
    std::uint8_t shows_at = 0;  // box
    std::uint64_t digest = 0;   // of the payload
  };
  struct Box {
    explicit Box(const FlashStoreConfig& config, Rng& rng, ViolationLog& log)
        : store{config, rng.fork()}, database{config, rng.fork()}, store_checker{config.key_count_max, log} {}
    NodeId address;
    bool is_powered = false;
    bool is_stalled = false;
    bool is_hung = false;
    LocalClock clock;
    WallClock date;
    TimePoint date_due = kNever;
    FlashStore store;
    FlashStore database;
    std::optional<FlashStore> queue_store;  // of a transmitter whose readings survive
    StoreChecker store_checker;
    bool may_be_damaged = false;
    bool has_lost_memory = false;  // its store was erased
    bool fails_writes = false;
    std::uint32_t token = 0;  // of the frame under way
    std::uint64_t boot_count = 0;
    TimePoint booted_at{};
    std::optional<node::Transmitter> transmitter;
    std::optional<Receiver> receiver;
    // Of a transmitter.
    std::uint32_t epoch = 0;
    std::uint8_t stored_channel = 0;
    std::optional<TimePoint> answered_at;  // by its receiver, since the boot
    bool has_had_session = false;
    TimePoint next_reading = kNever;
    TimePoint next_cells = kNever;
    std::uint32_t reading_number = 0;
  };
  struct EpochOwner {
    std::uint32_t epoch = 0;
    std::uint8_t source = 0;
  };
  struct RecordedFrame {
    NodeId from;
    NodeId to;
    std::uint8_t channel = 0;
    std::uint8_t size = 0;
    std::array<std::uint8_t, kAirPayloadMax> bytes{};
  };

  void step(std::size_t slot);

  // link_faults.cpp
  void apply_faults();
  void apply_edges();
  void apply_air_faults();
  void apply_box_faults(std::uint8_t box);
  void attack();
  bool has(LinkFaultKind kind) const { return parameter(kind).has_value(); }
  std::optional<std::uint32_t> parameter(LinkFaultKind kind) const {
    return active_[static_cast<std::size_t>(kind)];
  }
  std::optional<std::uint32_t> box_fault(LinkFaultKind kind, std::uint8_t box) const;
  std::uint8_t box_of(std::uint32_t parameter) const;

  // link_host.cpp: a box and its host; what it makes durable in link_stores.cpp.
  void boot(std::uint8_t box);
  void boot_transmitter(std::uint8_t box, TimePoint at);
  void boot_receiver(TimePoint at);
  void draw_epoch(std::uint8_t box);
  void restore_queue(std::uint8_t box, TimePoint at);
  void write_queue(std::uint8_t box, TimePoint at);
  void restore_sections(std::uint8_t box, TimePoint at, std::size_t owner, state::Replica& replica);
  static ByteSpan encode_position(const DeliveredReading& reading, std::array<std::uint8_t, 8>& out);
  void crash(std::uint8_t box);
  bool is_running(const Box& box) const { return box.is_powered && !box.is_stalled && !box.is_hung; }
  TimePoint local(const Box& box) const { return box.clock.to_local(now_); }
  void pump(std::uint8_t box);
  void arm(std::uint8_t box);
  TimePoint node_timeout(const Box& box) const;
  void transmit(std::uint8_t box, TimePoint at);
  void take_frames(std::uint8_t box, TimePoint at);
  void drain_events(std::uint8_t box, TimePoint at);
  void note_transmitter_event(std::uint8_t box, const node::TransmitterEvent& event);
  void set_date(std::uint8_t box);
  void write_sections(std::uint8_t box, TimePoint at);
  bool write_section(std::uint8_t box, TimePoint at, std::size_t owner, const state::StoreRequest& request);
  void confirm_section(std::uint8_t box, TimePoint at, std::size_t owner, state::SectionId section,
                       std::uint32_t ticket, bool is_durable);
  void step_stores(std::uint8_t box);
  void arm_stores(std::uint8_t box);
  void deliver(TimePoint at);
  void begin_transaction(std::uint8_t transmitter, TimePoint at);
  void commit(std::uint8_t transmitter);
  void settle_transactions();
  state::Replica* replica(std::uint8_t box, std::size_t owner);
  std::size_t holder(std::uint8_t box, std::size_t owner) const;

  // The world's own business.
  void step_air();
  void step_script();
  void edit(const LinkEdit& edit);
  void step_battery(std::uint8_t box);
  void observe(std::uint8_t box, bool is_thorough);
  void check_memory();
  void finish();
  SourceCounters counters_of(const Box& box) const;
  std::optional<std::uint8_t> source_of(std::uint32_t epoch) const;

  LinkPlan plan_;
  FaultSchedule<LinkFaultKind> schedule_;
  std::array<std::optional<std::uint32_t>, static_cast<std::size_t>(LinkFaultKind::kCount)> active_{};
  Rng rng_;
  TimePoint now_{};
  Agenda agenda_{kSlotCount};
  Recorder recorder_;
  ViolationLog violations_;
  Air air_;
  std::deque<Box> boxes_;  // never moved
  std::array<Consumer, kTransmittersMax> consumers_;
  std::uint8_t router_channel_ = 1;
  std::size_t next_edit_ = 0;
  std::array<std::array<OpenEdit, kSectionCount>, kTransmittersMax> open_edits_{};
  std::vector<EpochOwner> epochs_;
  Ring<RecordedFrame, kRecordedFrames> recorded_;

  SectionChecker section_checker_;
  DeliveryChecker delivery_checker_;
  MemoryChecker memory_checker_;
  LinkFigures figures_;
  bool has_recovered_ = false;
  std::uint64_t reading_count_ = 0;  // taken by the consumer
};

}  // namespace amphora::sim
