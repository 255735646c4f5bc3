// SPDX-License-Identifier: Apache-2.0
// Energy into and out of the battery, counted from voltage and current, never running backwards.
//
// Each pair of consecutive samples adds the mean of their powers times their distance in time; a gap longer
// than kGapMax adds nothing, because nobody knows what happened in it. What others are shown is durable():
// the value the host has confirmed as stored. So a power cut can lose a minute of energy, but no reader ever
// sees a counter fall, which Home Assistant and every billing tool would take for a meter change. Before
// restore() nothing is known and nothing is shown: a counter that starts at zero after each boot is worse
// than none.
//
// Arithmetic: 1 mV * 1 mA = 1 uW; 1 uW * 1 us = 1 pJ; 1 mWh = 3.6 J = 3.6e12 pJ. At 1 kV and 1 kA a gap of 10
// s is 1e19/2 pJ at most, within 64 bits.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/time.hpp"
#include "core/base/units.hpp"

namespace amphora::battery {

struct EnergyCounters {
  MilliwattHours in;   // charged
  MilliwattHours out;  // discharged
  friend constexpr bool operator==(const EnergyCounters&, const EnergyCounters&) = default;
};

struct EnergyMeterConfig {
  // A store is asked for when this long has passed since the last one and something was counted.
  Duration store_interval = std::chrono::minutes{1};
};

class EnergyMeter {
 public:
  static constexpr Duration kGapMax = std::chrono::seconds{5};

  explicit EnergyMeter(const EnergyMeterConfig& config) : config_{config} {}

  // One consistent sample of the battery; times must not run backwards.
  void handle_sample(TimePoint now, Millivolts voltage, Milliamps current);
  // What the store held at boot (zeros on the very first one). Energy counted since boot is added to it.
  void restore(EnergyCounters stored);
  // The host has made these values durable. Values that were never asked for are ignored.
  void handle_stored(EnergyCounters stored);

  // What should be made durable now; each request is handed out once.
  std::optional<EnergyCounters> poll_store(TimePoint now);
  // What a clean stop should store, if it differs from what is durable.
  std::optional<EnergyCounters> unsaved() const;

  // Confirmed by the store. Empty before restore().
  std::optional<EnergyCounters> durable() const { return durable_; }

 private:
  static void add(std::int64_t& remainder_pj, MilliwattHours& counter, std::int64_t picojoules);
  EnergyCounters total() const;

  EnergyMeterConfig config_;
  std::optional<TimePoint> last_at_;
  std::int64_t last_microwatts_ = 0;
  EnergyCounters counted_;  // since construction
  std::int64_t remainder_in_pj_ = 0;
  std::int64_t remainder_out_pj_ = 0;
  std::optional<EnergyCounters> base_;
  std::optional<EnergyCounters> requested_;
  std::optional<EnergyCounters> durable_;
  std::optional<TimePoint> last_request_at_;
};

}  // namespace amphora::battery
