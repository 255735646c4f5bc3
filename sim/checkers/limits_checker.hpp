// SPDX-License-Identifier: Apache-2.0
// Invariant 6, judged from outside: what the limit frames on the bus may say, given what really happened.
//
// The checker never asks the node. It knows from the models when a BMS sampled live values and that the reply
// carrying them reached the node whole, what that reply said about a fault, and what the cells really are. It
// decodes 0x351 by itself. For each 0x351 on the bus:
//   - none (nor any other frame of the node) before the first complete reply since the node started;
//   - charge voltage never 0 and never above cells * cell_max;
//   - a current above zero only from values sampled at most data_age_max ago, plus slack for the reply's way
//     and the bus;
//   - no current above zero once a reply that reports a fault or cannot be true has arrived; none in a
//     direction that the pack's own protection has closed for longer than data_age_max, whether or not
//     anybody told the node;
//   - charge current only while the fullest cell is really at most cell_max, discharge current only while the
//     emptiest is at least cell_min, both with a tolerance, after the node had time to hear of it;
//   - currents never above the configured maximum.
// It also measures how long after the last good reply the first frame with both currents zero came.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/can/frame.hpp"
#include "sim/checkers/violation.hpp"
#include "sim/world/histogram.hpp"

namespace amphora::sim {

struct LimitsRules {
  std::uint16_t series_cells = 16;
  Millivolts cell_max{3600};
  Millivolts cell_min{2800};
  Millivolts cell_tolerance{10};
  Milliamps charge_current_max{50'000};
  Milliamps discharge_current_max{100'000};
  Duration data_age_max{5'000'000};
  // From sampling in the BMS to the frame's end on the bus, beyond the age the node can know of.
  Duration slack{150'000};
  // From a reply that reports a fault to the first frame that must obey it: one period of the limits.
  Duration reaction{300'000};
};

struct PackTruth {
  Millivolts cell_min;
  Millivolts cell_max;
  bool allows_charge = true;  // the pack's own protection
  bool allows_discharge = true;
};

class LimitsChecker {
 public:
  LimitsChecker(const LimitsRules& rules, ViolationLog& log) : rules_{rules}, log_{log} {}

  // A fresh node knows nothing.
  void handle_node_started(TimePoint now);
  // A reply with live values arrived whole; they were sampled at `sampled_at`. `forbids`: it reports a fault,
  // or values that cannot be true.
  void handle_live_reply(TimePoint now, TimePoint sampled_at, bool forbids);
  // The pack as it is; call whenever it changes.
  void handle_truth(TimePoint now, const PackTruth& truth);
  // The BMS lies about the pack from now on, in a way nobody can notice: the pack's truth is not judged until
  // the next handle_truth().
  void handle_truth_hidden();
  // The host itself stood still: how fast limits fall says nothing about the node this time.
  void handle_host_stall() { is_silence_measured_ = true; }
  // A frame of the node completed on the bus.
  void handle_frame(TimePoint now, const can::Frame& frame);

  // Milliseconds from the last good live reply to the first frame with both limits zero, for every silence
  // longer than data_age_max.
  const Histogram& zero_after_silence_ms() const { return zero_after_silence_ms_; }
  std::uint64_t limit_frame_count() const { return limit_frame_count_; }
  // Frames that allowed any current: a run in which nothing was ever allowed proves nothing.
  std::uint64_t allowing_frame_count() const { return allowing_frame_count_; }

 private:
  struct Limits {
    std::int32_t charge_voltage_dv;
    std::int32_t charge_current_da;
    std::int32_t discharge_current_da;
  };
  void check_limits(TimePoint now, const Limits& limits);
  void check_allowing(TimePoint now, const Limits& limits);
  bool lasts_longer_than_data(TimePoint now, const std::optional<TimePoint>& since) const {
    return since && now - *since > rules_.data_age_max + rules_.slack + rules_.reaction;
  }

  LimitsRules rules_;
  ViolationLog& log_;
  std::optional<TimePoint> sampled_at_;  // of the newest live values that reached this node
  std::optional<TimePoint> fault_reported_at_;
  std::optional<TimePoint> charge_open_since_;
  std::optional<TimePoint> discharge_open_since_;
  std::optional<TimePoint> too_full_since_;
  std::optional<TimePoint> too_empty_since_;
  bool is_silence_measured_ = true;
  Histogram zero_after_silence_ms_;
  std::uint64_t limit_frame_count_ = 0;
  std::uint64_t allowing_frame_count_ = 0;
};

}  // namespace amphora::sim
