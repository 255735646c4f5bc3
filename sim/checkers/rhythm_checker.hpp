// SPDX-License-Identifier: Apache-2.0
// The rhythm of a periodic frame: the gaps between two of them while they are due.
//
// The scenario says when the frame is due at all (the node runs, has data, the bus works); gaps that touch a
// time in which it was not due are not judged.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/time.hpp"
#include "sim/checkers/violation.hpp"
#include "sim/world/histogram.hpp"

namespace amphora::sim {

class RhythmChecker {
 public:
  // A gap longer than `gap_max` is a violation. Gaps are reported in microseconds by gap_us().
  RhythmChecker(Duration gap_max, ViolationLog& log) : gap_max_{gap_max}, log_{log} {}

  // From now on the frame is due, or not.
  void set_due(TimePoint now, bool is_due) {
    if (is_due != is_due_) {
      is_due_ = is_due;
      last_ = is_due ? std::optional{now} : std::nullopt;
      is_first_ = true;
    }
  }
  void handle_frame(TimePoint now) {
    if (!is_due_) {
      return;
    }
    judge(now);
    // The wait for the first frame is judged but is not a gap between two frames.
    if (!is_first_) {
      gap_us_.add((now - *last_).count());
    }
    is_first_ = false;
    last_ = now;
  }
  // The end of a run, or any moment: a frame that never came is a gap as well.
  void judge(TimePoint now) {
    if (is_due_ && last_ && now - *last_ > gap_max_) {
      log_.add(kInvariantRhythm, now, "gap between limit frames; a: ms, b: bound in ms",
               to_milliseconds(now - *last_), to_milliseconds(gap_max_));
      last_ = now;  // said once for each gap
    }
  }
  const Histogram& gap_us() const { return gap_us_; }

 private:
  Duration gap_max_;
  ViolationLog& log_;
  bool is_due_ = false;
  bool is_first_ = true;
  std::optional<TimePoint> last_;
  Histogram gap_us_;
};

}  // namespace amphora::sim
