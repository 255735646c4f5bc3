// SPDX-License-Identifier: Apache-2.0
// A GX device on a CAN bus as a battery sees one, for the simulator, the emulator and tests.
//
// It sends 0x305 and 0x307 each second and listens. From the public behaviour of GX devices it models what
// matters to a battery: without limits for more than 3 s it stops charging and discharging; every 3 s its
// control loop takes over the newest limits. What it would command is a query. It also watches: it records
// gaps between limits and counts what no battery may send.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/base/timers.hpp"
#include "core/base/units.hpp"
#include "core/can/bms_protocol.hpp"
#include "core/can/frame.hpp"

namespace amphora::sim {

inline constexpr std::size_t kGxFramesPerSecondMax = 30;

struct GxConfig {
  Duration keepalive_period = std::chrono::seconds{1};
  Duration limits_timeout = std::chrono::seconds{3};
  Duration control_period = std::chrono::seconds{3};
  // Limits outside of these count as violations; set them to what the battery under test may ask for.
  Decivolts charge_voltage_min{1};
  Decivolts charge_voltage_max{65'535};
  Deciamps charge_current_max{32'767};
  Deciamps discharge_current_max{32'767};
};

// What the GX would tell inverter and chargers now.
struct GxCommand {
  bool is_charge_allowed = false;
  bool is_discharge_allowed = false;
  Decivolts charge_voltage{};
  Deciamps charge_current{};
  Deciamps discharge_current{};
  Decivolts discharge_voltage{};
  friend constexpr bool operator==(const GxCommand&, const GxCommand&) = default;
};

struct GxViolations {
  std::uint64_t charge_voltage_zero = 0;
  std::uint64_t charge_voltage_out_of_range = 0;
  std::uint64_t current_negative = 0;
  std::uint64_t current_above_max = 0;
  std::uint64_t limits_short = 0;    // a limits frame without all four values
  std::uint64_t frames_refused = 0;  // extended or remote
  std::uint64_t rate_exceeded = 0;   // frames beyond kGxFramesPerSecondMax within one second
  constexpr std::uint64_t total() const {
    return charge_voltage_zero + charge_voltage_out_of_range + current_negative + current_above_max +
           limits_short + frames_refused + rate_exceeded;
  }
};

struct GxEvent {
  enum class Kind : std::uint8_t {
    kBatteryFound,    // the first 0x35A: a GX recognises a battery by it
    kLimitsReceived,  // after a gap, or the first
    kLimitsLost,      // none for limits_timeout: charge and discharge stop
    kCommand          // the control loop changed its command
  };
  TimePoint at{};
  Kind kind = Kind::kCommand;
  friend constexpr bool operator==(const GxEvent&, const GxEvent&) = default;
};

struct GxStatistics {
  std::uint64_t frames_received = 0;
  std::uint64_t limits_received = 0;
  std::uint64_t gaps = 0;  // times the limits were missing for limits_timeout
  Duration gap_last{};     // between the last two limits frames
  Duration gap_max{};      // not counting the time it was absent itself
};

class GxDevice {
 public:
  explicit GxDevice(const GxConfig& config);

  // Present from the first handle_timeout on. An absent device neither hears nor sends.
  void set_present(TimePoint now, bool is_present);
  void handle_frame(TimePoint now, const can::Frame& frame);
  void handle_timeout(TimePoint now);

  std::optional<can::Frame> poll_transmit(TimePoint now);
  std::optional<GxEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const { return timers_.next(); }

  bool is_present() const { return is_present_; }
  bool has_battery() const { return has_battery_; }
  const GxCommand& command() const { return command_; }
  // As received, whatever the control loop has made of it.
  const std::optional<can::Limits>& limits() const { return limits_; }
  const std::optional<can::Charge>& charge() const { return charge_; }
  const std::optional<can::Measurements>& measurements() const { return measurements_; }
  const std::optional<can::AlarmBits>& alarms() const { return alarms_; }
  const std::optional<can::CellExtremes>& cell_extremes() const { return cell_extremes_; }
  std::optional<TimePoint> limits_at() const { return limits_at_; }
  const GxViolations& violations() const { return violations_; }
  const GxStatistics& statistics() const { return statistics_; }

 private:
  enum class Timer : std::uint8_t { kKeepAlive, kControl, kLimitsLost, kCount };
  void take_limits(TimePoint now, const can::Limits& limits);
  void watch_rate(TimePoint now);
  void control(TimePoint now);
  void set_command(TimePoint now, const GxCommand& command);

  GxConfig config_;
  TimerTable<Timer> timers_;
  bool is_present_ = true;
  bool has_battery_ = false;
  std::uint8_t due_ = 0;  // frames waiting: bit 0 keep-alive, bit 1 identity
  std::optional<can::Limits> limits_;
  std::optional<TimePoint> limits_at_;
  std::optional<can::Charge> charge_;
  std::optional<can::Measurements> measurements_;
  std::optional<can::AlarmBits> alarms_;
  std::optional<can::CellExtremes> cell_extremes_;
  GxCommand command_;
  GxViolations violations_;
  GxStatistics statistics_;
  Ring<TimePoint, kGxFramesPerSecondMax> received_at_;
  Ring<GxEvent, 16> events_;
};

}  // namespace amphora::sim
