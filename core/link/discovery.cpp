// SPDX-License-Identifier: Apache-2.0
#include "core/link/discovery.hpp"

#include <algorithm>
#include <utility>

namespace amphora::link {

namespace {

// Where routers are found most often: the three channels of 2.4 GHz that do not overlap.
constexpr std::array<std::uint8_t, 3> kUsualChannels{1, 6, 11};

}  // namespace

Discovery::Discovery(const DiscoveryConfig& config, Rng rng)
    : config_{config},
      rng_{rng},
      sequence_{static_cast<std::uint32_t>(rng_.next())},
      sequence_first_{sequence_} {}

void Discovery::start(TimePoint now, std::uint8_t home) {
  if (is_searching()) {
    return;
  }
  plan(home);
  plan_index_ = 0;
  fruitless_sweeps_ = 0;
  started_at_ = now;
  found_.reset();
  sequence_first_ = sequence_;
  if (plan_size_ > 0) {
    begin_channel(now);
  }
}

void Discovery::resume(TimePoint now) {
  if (is_searching() || plan_size_ == 0) {
    return;
  }
  found_.reset();
  next_channel(now);
}

void Discovery::stop() {
  step_ = Step::kIdle;
  due_ = kNever;
  found_.reset();
}

void Discovery::plan(std::uint8_t home) {
  std::uint16_t left = config_.channels & kChannels1To13;
  plan_size_ = 0;
  const auto visit = [&](std::uint8_t channel) {
    if (channel <= kChannelMax && ((left >> channel) & 1U) != 0) {
      left = static_cast<std::uint16_t>(left & ~(1U << channel));
      plan_[plan_size_++] = channel;
      return true;
    }
    return false;
  };
  is_home_first_ = visit(home);
  for (const std::uint8_t channel : kUsualChannels) {
    (void)visit(channel);
  }
  for (std::uint8_t channel = 1; channel <= kChannelMax; ++channel) {
    (void)visit(channel);
  }
  if (is_home_first_ && plan_size_ > 1) {
    plan_[plan_size_++] = home;
  }
}

void Discovery::begin_channel(TimePoint now) {
  step_ = Step::kTune;
  const bool is_first_at_home = is_home_first_ && plan_index_ == 0;
  const std::uint8_t probes = is_first_at_home ? config_.home_probes : config_.probes_per_channel;
  probes_left_ = std::max<std::uint8_t>(probes, 1);
  due_ = add_saturating(now, config_.radio_patience);
}

void Discovery::next_channel(TimePoint now) {
  ++plan_index_;
  if (plan_index_ < plan_size_) {
    begin_channel(now);
    return;
  }
  plan_index_ = 0;
  ++statistics_.sweeps;
  ++fruitless_sweeps_;
  step_ = Step::kPause;
  due_ = add_saturating(now, pause());
}

// Doubles with each sweep up to the maximum; between half and the whole of it, so that two transmitters
// switched on by the same fuse do not sweep in step.
Duration Discovery::pause() {
  Duration length = config_.pause_min;
  for (std::uint32_t i = 1; i < fruitless_sweeps_ && length < config_.pause_max; ++i) {
    length *= 2;
  }
  length = std::min(length, config_.pause_max);
  const auto half = std::max<std::int64_t>(length.count() / 2, 0);
  const std::int64_t extra = rng_.between(0, std::min<std::int64_t>(half, 1'000'000'000));
  return Duration{std::max<std::int64_t>(half + extra, 1)};
}

void Discovery::handle_tuned(TimePoint now, bool is_done) {
  if (step_ != Step::kTuning) {
    return;
  }
  if (!is_done) {
    next_channel(now);
    return;
  }
  step_ = Step::kProbe;
  due_ = add_saturating(now, config_.radio_patience);
}

void Discovery::handle_sent(TimePoint now) {
  if (step_ == Step::kProbing) {
    step_ = Step::kWaiting;
    due_ = add_saturating(now, config_.answer_wait);
  }
}

bool Discovery::handle_answer(TimePoint now, std::uint32_t sequence, std::uint8_t channel) {
  // Sequences count up from sequence_first_, so the difference tells whether this search sent the probe.
  const bool is_ours = sequence - sequence_first_ < sequence_ - sequence_first_;
  if (!is_searching() || !is_ours || channel == 0 || channel > kChannelMax) {
    ++statistics_.bad_answers;
    return false;
  }
  step_ = Step::kIdle;
  due_ = kNever;
  ++statistics_.found;
  found_ = Found{channel, now - started_at_};
  return true;
}

void Discovery::handle_timeout(TimePoint now) {
  if (now < due_) {
    return;
  }
  switch (step_) {
    case Step::kIdle:
      due_ = kNever;
      return;
    case Step::kPause:
      begin_channel(now);
      return;
    case Step::kWaiting:
      if (probes_left_ > 0) {
        step_ = Step::kProbe;
        due_ = add_saturating(now, config_.radio_patience);
        return;
      }
      next_channel(now);
      return;
    default:
      next_channel(now);
      return;
  }
}

std::optional<Discovery::Action> Discovery::poll_transmit(TimePoint now) {
  if (step_ == Step::kTune) {
    step_ = Step::kTuning;
    due_ = add_saturating(now, config_.radio_patience);
    return Action{Action::Kind::kTune, plan_[plan_index_], 0};
  }
  if (step_ == Step::kProbe) {
    step_ = Step::kProbing;
    due_ = add_saturating(now, config_.radio_patience);
    --probes_left_;
    ++statistics_.probes_sent;
    return Action{Action::Kind::kProbe, plan_[plan_index_], sequence_++};
  }
  return std::nullopt;
}

std::optional<Discovery::Found> Discovery::poll_event() {
  return std::exchange(found_, std::nullopt);
}

}  // namespace amphora::link
