// SPDX-License-Identifier: Apache-2.0
// What the pack thread and the rest of the program say to each other, by value, through bounded queues.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/node/pack/pack.hpp"
#include "core/sections/field.hpp"
#include "runtime/can/can_port.hpp"
#include "runtime/inputs/sensor_reading.hpp"
#include "runtime/link/link_messages.hpp"
#include "runtime/relays/relay_bank.hpp"
#include "runtime/serial/serial_port.hpp"

namespace amphora::runtime {

// ---- reports: how the pack is, as of one moment

struct PackBusReport {
  std::string interface;  // empty: a pack alone
  can::BusState state = can::BusState::kDown;
  CanCounters counters;
  std::string error;
  // Share of 500 kbit/s that the frames of the last two seconds took, in both directions, at worst-case bit
  // stuffing.
  Permille load;
  packnet::NetworkMetrics network;
  packnet::GateMetrics gate;
  packnet::SectionShareMetrics share;
  bool is_sealed = false;
  packnet::HardwareNumber hardware = 0;
  packnet::Node node = packnet::kNodeNone;
  packnet::ClaimState claim = packnet::ClaimState::kOff;
  std::optional<packnet::Node> master;
  bool is_master = false;
  std::uint32_t term = 0;
  bool is_synchronised = false;
  std::vector<packnet::NodeEntry> others;
};

struct PackReport {
  PackReport(TimePoint now, const energy::Controller& copied) : at{now}, control{copied} {}

  TimePoint at;
  energy::Controller control;  // as it was
  battery::Snapshot snapshot;
  std::uint64_t snapshot_count = 0;
  bms::Statistics bms;
  packnet::BmsState bms_state = packnet::BmsState::kNever;
  SerialCounters serial;
  std::string serial_error;
  PackBusReport bus;
  packnet::Telemetry telemetry;  // as this pack tells it
  node::Aggregate aggregate;
  indicator::State indicator;
  node::TimeSource time_source = node::TimeSource::kNone;
  std::optional<energy::SettingsError> settings_fault;
  std::vector<LinkSection> sections;
  energy::PerRelay<std::string> relay_errors;
  RelayCounters relays;
  std::uint64_t store_writes = 0;
  std::uint64_t store_failures = 0;
  TimePoint started_at{};
  std::uint64_t events_dropped = 0;
  Duration loop_delay_last{};
  Duration loop_delay_max{};
};
using PackReportPtr = std::shared_ptr<const PackReport>;

// ---- orders. `token` comes back in the answer.

// Answer of the store.
struct PackStoredOrder {
  node::PackStoreRequest request;
  bool is_durable = false;
};
// Some fields of a section, put over what it holds at that moment.
struct PackChangeOrder {
  std::uint64_t token = 0;
  state::SectionId section = 0;
  std::vector<std::pair<std::size_t, sections::FieldValue>> fields;  // index in the section's table
};
// A person's wish for one relay; without a position an earlier one is taken back.
struct PackRelayOrder {
  std::uint64_t token = 0;
  energy::Relay relay = energy::Relay::kGrid;
  std::optional<energy::Position> position;
  Duration lasts{};
};
struct PackResetOrder {
  std::uint64_t token = 0;
};
struct PackIdentifyOrder {
  std::uint64_t token = 0;
  Duration lasts{};
};
// A measurement that came by MQTT.
struct PackReadingOrder {
  SensorReading reading;
};
using PackOrder = std::variant<PackStoredOrder, PackChangeOrder, PackRelayOrder, PackResetOrder,
                               PackIdentifyOrder, PackReadingOrder>;

// ---- messages

struct PackChangeAnswer {
  std::uint64_t token = 0;
  state::SectionId section = 0;
  // The version that the section has now, or why nothing changed.
  std::variant<std::uint32_t, node::SectionChangeRefusal> result;
  bool is_to_be_stored = false;  // ReplicaEvent::kStored follows
};
struct PackAnswer {
  std::uint64_t token = 0;
  std::optional<energy::OrderError> refusal;
  energy::Holder holder = energy::Holder::kDefault;  // kHeldByMode: who holds it
};
using PackMessage = std::variant<node::PackNodeEvent, PackChangeAnswer, PackAnswer, RelayNotice>;

}  // namespace amphora::runtime
