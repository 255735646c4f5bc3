// SPDX-License-Identifier: Apache-2.0
// The control thread: the one thread that owns the node, its serial line and its CAN buses.
//
// It runs its own loop and does nothing else: no file, no network, no lock that another thread holds for
// long. The rest of the program sees it through three bounded queues:
//   reports()   what the box knows, as immutable values; the consumer wants the newest, a full queue drops
//   and counts messages()  events and answers to orders, in order order()     what people ask for
// A full messages() queue drops the newest event and counts it. Orders that do not fit are refused to the
// caller.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "core/node/bms_gateway/bms_gateway.hpp"
#include "runtime/can/can_port.hpp"
#include "runtime/loop/bounded_queue.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/serial/serial_port.hpp"

namespace amphora::runtime {

struct ControlOptions {
  node::BmsGatewayConfig node;
  std::string serial_path;                        // of a TinyBMS; empty otherwise
  std::string battery_can;                        // of a battery that speaks CAN; empty otherwise
  std::string inverter_can;                       // must parse (parse_can_spec), or empty: no inverter
  std::optional<battery::EnergyCounters> energy;  // what the store holds; empty: it cannot be read, show none
  Duration report_interval = std::chrono::milliseconds{500};  // also at every change of the snapshot
};

// Everything the outside may see, as of one moment. Copied, never shared with the node.
struct ControlReport {
  TimePoint at{};
  battery::Snapshot snapshot;
  std::uint64_t snapshot_count = 0;
  inverter::LimitDecision limits;
  battery::AlarmSet alarms;
  battery::AlarmSet warnings;
  victron::Phase phase = victron::Phase::kWaiting;
  TimePoint phase_since{};
  std::optional<Duration> keepalive_age;
  victron::OutputStatistics output;
  bms::Statistics bms;
  liveness::State bms_link = liveness::State::kDisconnected;
  Ring<liveness::Change, liveness::kHistoryCapacity> bms_link_history;
  std::optional<tinybms::SettingsImage> settings;
  std::optional<tinybms::EventList> bms_events;
  SerialCounters serial;
  std::string serial_error;
  can::BusState inverter_bus = can::BusState::kDown;
  CanCounters inverter_can;
  std::string inverter_can_error;
  can::BusState battery_bus = can::BusState::kDown;
  CanCounters battery_can;
  std::string battery_can_error;
  std::uint64_t events_dropped = 0;
  Duration loop_delay_last{};
  Duration loop_delay_max{};
  // The largest time between two limit frames while limits were being sent.
  Duration limit_gap_max{};
};
using ReportPtr = std::shared_ptr<const ControlReport>;

// Orders. `token` comes back in the answer.
struct WriteSettingsOrder {
  std::uint64_t token = 0;
  std::vector<tinybms::RegisterWrite> writes;
};
struct ControlOrder {
  std::uint64_t token = 0;
  tinybms::ControlOption option = tinybms::ControlOption::kClearEvents;
};
struct EnergyStoredOrder {
  battery::EnergyCounters stored;
};
// Another profile or other rhythms, without a gap on the wires.
struct ReconfigureOrder {
  battery::Profile profile;
  victron::OutputConfig output;
};
// What people allow besides the profile.
struct UserLimitsOrder {
  inverter::UserLimits limits;
};
using Order =
    std::variant<WriteSettingsOrder, ControlOrder, EnergyStoredOrder, ReconfigureOrder, UserLimitsOrder>;

// Messages to the outside.
struct WriteAnswer {
  std::uint64_t token = 0;
  std::variant<tinybms::WriteId, tinybms::WriteRefusal> result;
};
struct ControlAnswer {
  std::uint64_t token = 0;
  tinybms::ControlOption option = tinybms::ControlOption::kClearEvents;
  std::optional<tinybms::ControlRefusal> refusal;
};
struct StoreEnergy {
  battery::EnergyCounters counters;
};
using ControlMessage = std::variant<node::Event, WriteAnswer, ControlAnswer, StoreEnergy>;

class ControlThread {
 public:
  static constexpr std::size_t kReportCapacity = 8;
  static constexpr std::size_t kMessageCapacity = 1024;
  static constexpr std::size_t kOrderCapacity = 64;

  // Specs and node configuration must have been checked.
  explicit ControlThread(ControlOptions options);
  // Stops and joins.
  ~ControlThread();
  ControlThread(const ControlThread&) = delete;
  ControlThread& operator=(const ControlThread&) = delete;

  void start();
  // Ends the loop and joins; afterwards final_energy() tells what a clean stop should store.
  void stop();

  // Any thread. False when the box has too much to do already.
  bool order(Order order);
  BoundedQueue<ReportPtr>& reports() { return reports_; }
  const BoundedQueue<ReportPtr>& reports() const { return reports_; }
  BoundedQueue<ControlMessage>& messages() { return messages_; }

  // After stop() only.
  std::optional<battery::EnergyCounters> final_energy() const { return final_energy_; }

 private:
  class Host;
  void run();

  ControlOptions options_;
  BoundedQueue<ReportPtr> reports_{kReportCapacity};
  BoundedQueue<ControlMessage> messages_{kMessageCapacity};
  BoundedQueue<Order> orders_{kOrderCapacity};
  Loop loop_;
  std::optional<battery::EnergyCounters> final_energy_;
  std::thread thread_;
};

}  // namespace amphora::runtime
