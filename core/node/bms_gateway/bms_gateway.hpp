// SPDX-License-Identifier: Apache-2.0
// The role bms-gateway: one battery in, one inverter out.
//
// It owns a battery reader (TinyBMS on a serial line, or a battery that speaks CAN itself), the CAN-bus BMS
// output and an energy meter, and it is the only place where one's event becomes the other's input:
//
//   reader --snapshot--> output (limits, alarms, frames)
//                   \--> energy meter --durable counters--> snapshot
//
// It is a Machine like its parts. The host hands in bytes, frames and time, takes bytes, frames and events
// out, and makes energy counters durable. Which wires exist depends on the configured reader; input for a
// wire that this box does not have is ignored.
//
// Limits: events wait in a ring of kEventCapacity; when the host does not poll, the oldest are dropped and
// counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/battery/energy_meter.hpp"
#include "core/battery/profile.hpp"
#include "core/battery/snapshot.hpp"
#include "core/bms/canbms/driver.hpp"
#include "core/bms/tinybms/driver.hpp"
#include "core/inverter/victron/output.hpp"
#include "core/liveness/liveness.hpp"

namespace amphora::node {

enum class BmsKind : std::uint8_t { kTinybms, kCan };
constexpr std::string_view to_text(BmsKind kind) {
  return kind == BmsKind::kTinybms ? "tinybms" : "can";
}

struct BmsGatewayConfig {
  BmsKind bms = BmsKind::kTinybms;
  tinybms::DriverConfig tinybms;
  canbms::DriverConfig canbms;
  battery::Profile profile;
  victron::OutputConfig output;
  battery::EnergyMeterConfig energy;
};

// What happened, in the words of the machine it happened to. Snapshot updates are not events: see
// snapshot_count().
struct Event {
  TimePoint at{};
  std::variant<tinybms::DriverEvent, canbms::DriverEvent, victron::OutputEvent> what;
};

inline constexpr std::size_t kEventCapacity = 128;

class BmsGateway {
 public:
  // The parts of `config` must have passed their own checks (validate, check_config).
  explicit BmsGateway(const BmsGatewayConfig& config);

  // The serial line of a TinyBMS.
  void handle_serial_line(TimePoint now, bool is_open);
  void handle_serial_bytes(TimePoint now, ByteSpan bytes);
  // Bytes written into `out`, which holds at least tinybms::kTransmitSizeMax; 0: nothing to send.
  std::size_t poll_serial(TimePoint now, MutableByteSpan out);

  // The bus of a battery that speaks CAN.
  void handle_battery_frame(TimePoint now, const can::Frame& frame);
  void handle_battery_bus(TimePoint now, can::BusState state);
  std::optional<can::Frame> poll_battery_frame(TimePoint now);

  // The bus of the inverter.
  void handle_inverter_frame(TimePoint now, const can::Frame& frame);
  void handle_inverter_bus(TimePoint now, can::BusState state);
  std::optional<can::Frame> poll_inverter_frame(TimePoint now);

  void handle_timeout(TimePoint now);
  TimePoint poll_timeout() const;
  std::optional<Event> poll_event() { return events_.pop(); }

  // Energy counters: restore once at boot, store what poll_store asks for, then confirm.
  void restore_energy(TimePoint now, battery::EnergyCounters stored);
  std::optional<battery::EnergyCounters> poll_store(TimePoint now) { return energy_.poll_store(now); }
  void handle_energy_stored(TimePoint now, battery::EnergyCounters stored);
  // For a clean stop.
  std::optional<battery::EnergyCounters> unsaved_energy() const { return energy_.unsaved(); }

  // Orders for the BMS. Refused with kNotConnected where the reader has no settings.
  Result<tinybms::WriteId, tinybms::WriteRefusal> write_settings(
      TimePoint now, std::span<const tinybms::RegisterWrite> writes);
  std::optional<tinybms::ControlRefusal> control(TimePoint now, tinybms::ControlOption option);
  void set_user_limits(TimePoint now, const inverter::UserLimits& limits);
  // A new profile or other rhythms without a gap on the wires: reader, snapshot and energy stay, currents
  // ramp up anew. Both must have passed their checks.
  void reconfigure(TimePoint now, const battery::Profile& profile, const victron::OutputConfig& output);

  // The battery as the output sees it, with energy counters added.
  const battery::Snapshot& snapshot() const { return snapshot_; }
  // Grows with every change of the snapshot.
  std::uint64_t snapshot_count() const { return snapshot_count_; }
  const bms::Statistics& bms_statistics() const;
  const liveness::Liveness& bms_liveness() const;
  // Null for a reader without settings.
  const tinybms::Driver* tinybms() const { return std::get_if<tinybms::Driver>(&reader_); }
  const victron::Output& output() const { return output_; }
  const BmsGatewayConfig& config() const { return config_; }
  std::uint64_t dropped_event_count() const;

 private:
  using Reader = std::variant<tinybms::Driver, canbms::Driver>;
  static Reader make_reader(const BmsGatewayConfig& config);

  // Moves what the reader said on to its users, then what the output said to the host.
  void settle(TimePoint now);
  bool drain_reader(TimePoint now);
  void drain_output(TimePoint now);
  void take_snapshot(TimePoint now);

  BmsGatewayConfig config_;
  Reader reader_;
  victron::Output output_;
  battery::EnergyMeter energy_;
  battery::Snapshot snapshot_;
  std::uint64_t snapshot_count_ = 0;
  std::optional<TimePoint> energy_sample_at_;
  Ring<Event, kEventCapacity> events_;
};

static_assert(Machine<BmsGateway>);

}  // namespace amphora::node
