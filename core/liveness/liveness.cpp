// SPDX-License-Identifier: Apache-2.0
#include "core/liveness/liveness.hpp"

#include <array>

namespace amphora::liveness {

void Liveness::handle_sign_of_life(TimePoint now) {
  last_sign_ = now;
  change(now, State::kConnected, Reason::kSignOfLife);
  next_ = target_at(now).next;
}

void Liveness::handle_loss(TimePoint now) {
  last_sign_.reset();
  next_ = kNever;
  change(now, State::kDisconnected, Reason::kReported);
}

void Liveness::handle_doubt(TimePoint now) {
  if (state_ == State::kConnected) {
    change(now, State::kDegraded, Reason::kReported);
  }
}

void Liveness::handle_timeout(TimePoint now) {
  if (!last_sign_ || now < next_) {
    return;
  }
  const Target target = target_at(now);
  change(now, target.state, Reason::kSilence);
  next_ = target.next;
}

Liveness::Target Liveness::target_at(TimePoint now) const {
  struct Step {
    State state;
    Duration after;
  };
  const std::array<Step, 3> steps{Step{State::kDegraded, config_.degraded_after},
                                  Step{State::kFailing, config_.failing_after},
                                  Step{State::kDisconnected, config_.disconnected_after}};
  Target target{State::kConnected, kNever};
  for (const Step& step : steps) {
    if (step.after <= Duration::zero()) {
      continue;
    }
    const TimePoint begins = add_saturating(*last_sign_, step.after);
    if (begins <= now) {
      target.state = step.state;
    } else {
      target.next = earliest(target.next, begins);
    }
  }
  return target;
}

void Liveness::change(TimePoint now, State to, Reason reason) {
  if (to == state_) {
    return;
  }
  const Change change{now, state_, to, reason};
  (void)history_.push_overwrite(change);
  (void)events_.push_overwrite(change);
  state_ = to;
}

}  // namespace amphora::liveness
