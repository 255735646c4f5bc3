// SPDX-License-Identifier: Apache-2.0
// Reads a battery that itself speaks the CAN-bus BMS protocol: Pylontech, BYD, Pytes, Seplos and many others.
//
// The battery broadcasts; this driver listens, checks every value and keeps one snapshot. It sends nothing
// but the keep-alive 0x305 each second, without which many batteries fall silent; where an inverter on the
// same bus already sends it, switch it off, for two senders of one id disturb each other.
//
// A value outside of what can be real is not taken over: it is counted, and the old value ages until its
// users refuse it. Published limits are the exception, because to ignore one would allow more: a negative
// current becomes zero, a charge voltage is passed on as it is and judged where limits are computed.
//
// Variants: makers that count voltage in 0.1 V, makers that invert the current (DriverConfig). Pylontech's
// 0x359 and 0x35C are understood; charge or discharge disabled there makes the published current zero.
// What it does not do: single cells (the protocol has none), writing settings.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/base/timers.hpp"
#include "core/battery/snapshot.hpp"
#include "core/bms/bms.hpp"
#include "core/can/bms_protocol.hpp"
#include "core/can/frame.hpp"
#include "core/liveness/liveness.hpp"

namespace amphora::canbms {

inline constexpr std::size_t kEventCapacity = 16;

struct DriverConfig {
  bool sends_keepalive = true;
  Duration keepalive_period = std::chrono::seconds{1};
  // Silent for this long: disconnected. Real packs repeat their slowest frames every 10 s.
  liveness::Config liveness{std::chrono::seconds{5}, std::chrono::seconds{10}, std::chrono::seconds{15}};
  bool is_voltage_in_decivolts = false;
  bool is_current_inverted = false;
  // What can be real. The current bound is a magnitude.
  Millivolts voltage_max{1'000'000};
  Milliamps current_max{2'000'000};
  Millivolts cell_min{500};
  Millivolts cell_max{5000};
  Decicelsius temperature_min{-400};
  Decicelsius temperature_max{1250};
};

std::string_view check_config(const DriverConfig& config);  // the first wrong field; empty when all is well

struct DriverEvent {
  enum class Kind : std::uint8_t {
    kSnapshot,  // a value changed or was confirmed; the snapshot holds it
    kIdentity,  // name, maker, serial or firmware changed
    kConnected,
    kDisconnected,
    kImplausible,  // detail: frame id. Once for each id until a plausible frame of that id comes
    kBusDown,
    kBusUp
  };
  TimePoint at{};
  Kind kind = Kind::kSnapshot;
  std::uint32_t detail = 0;
  friend constexpr bool operator==(const DriverEvent&, const DriverEvent&) = default;
};
std::string_view to_text(DriverEvent::Kind kind);

class Driver {
 public:
  // Needs check_config(config).empty().
  explicit Driver(const DriverConfig& config);

  void handle_frame(TimePoint now, const can::Frame& frame);
  void handle_bus_state(TimePoint now, can::BusState state);
  void handle_timeout(TimePoint now);

  std::optional<can::Frame> poll_transmit(TimePoint now);
  // kSnapshot is merged: at most one waits at a time.
  std::optional<DriverEvent> poll_event();
  TimePoint poll_timeout() const;

  const battery::Snapshot& snapshot() const { return snapshot_; }
  // replies_received counts understood frames, requests_sent keep-alives, unexpected_frames unknown ids,
  // extended, remote and short frames, timeouts the times the battery fell silent.
  const bms::Statistics& statistics() const { return statistics_; }
  const liveness::Liveness& liveness() const { return liveness_; }
  const DriverConfig& config() const { return config_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 private:
  enum class Timer : std::uint8_t { kKeepAlive, kCount };

  bool is_bus_up() const {
    return bus_state_ == can::BusState::kActive || bus_state_ == can::BusState::kErrorPassive;
  }
  void follow_liveness(TimePoint now);
  bool take(TimePoint now, const can::Limits& limits);
  bool take(TimePoint now, const can::Charge& charge);
  bool take(TimePoint now, const can::Measurements& measurements);
  bool take(TimePoint now, const can::AlarmBits& bits);
  bool take(TimePoint now, const can::Manufacturer& manufacturer);
  bool take(TimePoint now, const can::Info& info);
  bool take(TimePoint now, const can::Name& name);
  bool take(TimePoint now, const can::CellExtremes& extremes);
  bool take(TimePoint now, const can::Energy& energy);
  bool take(TimePoint now, const can::Installed& installed);
  bool take(TimePoint now, const can::Serial& serial);
  bool take(TimePoint now, const can::Family& family);
  bool take(TimePoint now, const can::PylonStatus& status);
  bool take(TimePoint now, const can::PylonRequests& requests);
  // Messages that carry nothing for a snapshot.
  template <class Other>
  bool take(TimePoint, const Other&) {
    return true;
  }
  void publish_limits(TimePoint now);
  void set_identity(TimePoint now, const battery::Identity& identity);
  void add_event(TimePoint now, DriverEvent::Kind kind, std::uint32_t detail = 0);

  DriverConfig config_;
  battery::Snapshot snapshot_;
  liveness::Liveness liveness_;
  TimerTable<Timer> timers_;
  can::BusState bus_state_ = can::BusState::kActive;
  bool is_keepalive_due_ = false;
  std::optional<can::Limits> limits_;  // as last received, before requests are applied
  std::optional<can::PylonRequests> requests_;
  bool has_extreme_temperatures_ = false;
  std::array<can::Text8, 2> name_halves_{};
  std::array<can::Text8, 2> serial_halves_{};
  std::uint32_t implausible_shown_ = 0;  // bit: position in can::kFrameTable
  std::optional<TimePoint> snapshot_event_at_;
  Ring<DriverEvent, kEventCapacity> events_;
  bms::Statistics statistics_;
};

}  // namespace amphora::canbms
