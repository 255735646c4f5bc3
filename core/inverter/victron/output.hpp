// SPDX-License-Identifier: Apache-2.0
// The battery side of the CAN-bus BMS protocol: what a GX device or an inverter hears from this box, and
// when.
//
// Inputs: battery snapshots, received frames (the keep-alive 0x305), the state of the bus, time. Outputs:
// frames, one at a time, encoded when they are asked for, so that a frame that waited carries today's values;
// events; the limits with their reasons.
//
// Rhythm, all configurable, always under 30 frames in any second:
//   0x351 limits                            every limits_period, and at once when a current falls to zero
//   0x355 0x356 0x35A                       each once in control_period, evenly spread
//   0x35E 0x35F 0x370-0x379 0x380-0x382     each once in information_period, evenly spread
// A frame whose value is unknown or too old is left out for that round and counted; measured values are left
// out altogether while the data is not trusted.
//
// Phases, the first that applies:
//   bus_down         the bus is off or absent: nothing is sent. Afterwards limits come first.
//   waiting          no complete, fresh and plausible snapshot yet: nothing is sent.
//   bms_silent       data was too old for bms_silent_hold: nothing is sent until a snapshot is trusted again.
//   inverter_absent  silent for longer still: nothing but retry_frames limits of zero each retry_period.
//   inverter_lost    no keep-alive for keepalive_timeout: limits are zero, for inverter_lost_hold.
//   bms_stale        a needed value is too old: limits are zero.
//   implausible      a check failed: limits are zero.
//   fault            the BMS reports a fault: limits are zero.
//   running
// An inverter never heard of is given inverter_lost_hold with normal limits first, because a GX device that
// has just booted finds a battery by its frames. The first 0x305 ends inverter_lost and inverter_absent.
//
// Limits: events are a ring of 32, the oldest is dropped and counted. Not here: bus-off recovery of the
// controller (adapter), how limits follow from values (charge_limits.hpp), bytes (core/can/bms_protocol.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/text.hpp"
#include "core/base/time.hpp"
#include "core/base/timers.hpp"
#include "core/battery/profile.hpp"
#include "core/battery/snapshot.hpp"
#include "core/can/bms_protocol.hpp"
#include "core/can/frame.hpp"
#include "core/inverter/alarms.hpp"
#include "core/inverter/charge_limits.hpp"
#include "core/inverter/victron/messages.hpp"
#include "core/liveness/liveness.hpp"

namespace amphora::victron {

// No window of one second holds more frames than this. About 300 a second have been seen to upset a GX.
inline constexpr std::size_t kFramesPerSecondMax = 29;
inline constexpr std::size_t kEventCapacity = 32;
// A GX stops charging and discharging after more than 3 s without limits; below 100 ms nothing is won.
inline constexpr Duration kLimitsPeriodMin = std::chrono::milliseconds{100};
inline constexpr Duration kLimitsPeriodMax = std::chrono::seconds{1};
inline constexpr Duration kSlowPeriodMax = std::chrono::seconds{10};
// Two limits frames that announce a fall to zero out of turn are at least this far apart.
inline constexpr Duration kUrgentSpacing = std::chrono::seconds{1};

// The fields of IdentityConfig are among these.
struct OutputConfig : IdentityConfig {
  inverter::LimitConfig limits;
  inverter::AlarmConfig alarms;

  Duration limits_period = std::chrono::milliseconds{200};
  Duration control_period = std::chrono::seconds{1};
  Duration information_period = std::chrono::seconds{1};

  // Zero: the inverter never sends keep-alives, it is never declared lost.
  Duration keepalive_timeout = std::chrono::seconds{10};
  Duration inverter_lost_hold = std::chrono::seconds{30};
  Duration retry_period = std::chrono::seconds{30};
  std::uint8_t retry_frames = 5;
  Duration bms_silent_hold = std::chrono::seconds{60};
};

enum class Phase : std::uint8_t {
  kWaiting,
  kRunning,
  kFault,
  kImplausible,
  kBmsStale,
  kBmsSilent,
  kInverterLost,
  kInverterAbsent,
  kBusDown
};
std::string_view to_text(Phase phase);

struct OutputEvent {
  enum class Kind : std::uint8_t {
    kStarted,       // the first trusted snapshot: frames begin
    kBmsStale,      // detail: inverter::Needed bits, missing or too old
    kBmsSilent,     // frames end
    kBmsRecovered,  // fresh again
    kImplausible,   // detail: inverter::Check bits
    kPlausible,
    kFault,
    kFaultCleared,
    kInverterFound,
    kInverterLost,
    kInverterAbsent,  // frames end but for retries
    kBusDown,         // detail: can::BusState
    kBusUp,
    kForeignBattery,  // detail: id; somebody else sends battery frames on this bus
    kAlarmRaised,     // detail of these four: battery::Alarm
    kAlarmCleared,
    kWarningRaised,
    kWarningCleared
  };
  TimePoint at{};
  Kind kind = Kind::kStarted;
  std::uint32_t detail = 0;
  friend constexpr bool operator==(const OutputEvent&, const OutputEvent&) = default;
};
std::string_view to_text(OutputEvent::Kind kind);

struct OutputStatistics {
  std::array<std::uint64_t, can::kFrameCount> sent{};  // by position in can::kFrameTable
  std::uint64_t sent_total = 0;
  std::uint64_t received = 0;  // all frames handed in
  std::uint64_t keepalives = 0;
  std::uint64_t refused = 0;          // extended or remote frames, which this protocol does not have
  std::uint64_t ignored = 0;          // ids that mean nothing here
  std::uint64_t foreign_battery = 0;  // battery frames of somebody else
  std::uint64_t suppressed = 0;       // turns of a frame without a value to carry
  std::uint64_t rate_limited = 0;     // polls refused by kFramesPerSecondMax
  std::uint64_t bus_down = 0;         // times the bus was lost
};

// The first field that cannot be worked with. The constructor asserts that there is none.
std::optional<inverter::ConfigError> check_config(const OutputConfig& config,
                                                  const battery::Profile& profile);

class Output {
 public:
  Output(const OutputConfig& config, const battery::Profile& profile);

  // The newest of the battery; call it whenever a value has changed. Ages are judged by the samples' times.
  void handle_snapshot(TimePoint now, const battery::Snapshot& snapshot);
  void handle_frame(TimePoint now, const can::Frame& frame);
  // kActive is assumed until told otherwise. kErrorPassive still sends: the controller repeats by itself.
  void handle_bus_state(TimePoint now, can::BusState state);
  void handle_timeout(TimePoint now);

  void set_user_limits(TimePoint now, const inverter::UserLimits& limits);

  // The most urgent frame that is due; counted as sent. Poll until empty.
  std::optional<can::Frame> poll_transmit(TimePoint now);
  std::optional<OutputEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  // What the last frame said or the next one will say.
  const inverter::LimitDecision& decision() const { return decision_; }
  const battery::AlarmSet& alarms() const { return judge_.alarms(); }
  const battery::AlarmSet& warnings() const { return judge_.warnings(); }
  Phase phase() const;
  const OutputConfig& config() const { return config_; }
  const battery::Profile& profile() const { return profile_; }
  const inverter::UserLimits& user_limits() const { return calculator_.user_limits(); }
  const liveness::Liveness& inverter() const { return inverter_; }
  can::BusState bus_state() const { return bus_state_; }
  // Empty before the first keep-alive.
  std::optional<Duration> keepalive_age(TimePoint now) const;
  const OutputStatistics& statistics() const { return statistics_; }
  std::uint64_t dropped_event_count() const { return events_.dropped_count(); }

 private:
  enum class Timer : std::uint8_t { kLimits, kControl, kInformation, kExpiry, kBmsSilent, kInverter, kCount };
  enum class InverterState : std::uint8_t { kUnknown, kPresent, kLost, kAbsent };
  enum class BmsState : std::uint8_t { kWaiting, kGood, kStale, kSilent };

  static constexpr std::size_t kControlCount = 3;
  static constexpr std::size_t kInformationCount = 15;

  bool is_bus_up() const {
    return bus_state_ == can::BusState::kActive || bus_state_ == can::BusState::kErrorPassive;
  }
  bool is_sending() const;  // battery and bus allow frames
  void refresh(TimePoint now);
  void follow_bms(TimePoint now);
  void follow_reasons(TimePoint now);
  void follow_alarms(TimePoint now);
  void handle_timer(TimePoint now, TimePoint due, Timer timer);
  void handle_inverter_timer(TimePoint now, TimePoint due);
  void handle_keepalive(TimePoint now);
  void lose_inverter(TimePoint now);
  void start_sending(TimePoint now);
  void stop_sending();
  void rearm(TimePoint now, TimePoint due, Timer timer, Duration period);
  void add_event(TimePoint now, OutputEvent::Kind kind, std::uint32_t detail = 0);
  bool has_rate_left(TimePoint now) const;
  std::optional<can::Frame> take_frame(TimePoint now);
  void count_sent(TimePoint now, const can::Frame& frame);

  OutputConfig config_;
  battery::Profile profile_;
  battery::Snapshot snapshot_;
  inverter::LimitCalculator calculator_;
  inverter::AlarmJudge judge_;
  liveness::Liveness inverter_;
  inverter::LimitDecision decision_;
  TimerTable<Timer> timers_;

  can::BusState bus_state_ = can::BusState::kActive;
  BmsState bms_state_ = BmsState::kWaiting;
  InverterState inverter_state_ = InverterState::kUnknown;

  bool is_limits_due_ = false;
  std::uint32_t control_due_ = 0;  // bit i: the i-th frame of its class waits to be sent
  std::uint32_t information_due_ = 0;
  std::size_t control_next_ = 0;
  std::size_t information_next_ = 0;
  std::uint8_t retries_left_ = 0;
  std::optional<TimePoint> urgent_at_;
  std::optional<TimePoint> foreign_battery_at_;

  bool is_fault_shown_ = false;
  bool is_implausible_shown_ = false;
  battery::AlarmSet alarms_shown_;
  battery::AlarmSet warnings_shown_;

  Ring<TimePoint, kFramesPerSecondMax> sent_at_;
  Ring<OutputEvent, kEventCapacity> events_;
  OutputStatistics statistics_;
};

}  // namespace amphora::victron
