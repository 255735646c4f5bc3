// SPDX-License-Identifier: Apache-2.0
#include "core/election/election.hpp"

#include <algorithm>
#include <span>

#include "core/base/assert.hpp"

namespace amphora::election {

namespace {

constexpr Duration kLongest = std::chrono::hours{1};

}  // namespace

std::string_view check_config(const Config& config) {
  const auto is_span = [](Duration value) { return value > Duration::zero() && value <= kLongest; };
  if (!is_span(config.beacon_period)) {
    return "beacon_period";
  }
  if (config.missed_beacons == 0) {
    return "missed_beacons";
  }
  if (!is_span(config.slot)) {
    return "slot";
  }
  if (config.tolerance < Duration::zero() || config.tolerance > kLongest) {
    return "tolerance";
  }
  if (!is_span(config.repeat_after) || config.repeat_after >= config.beacon_period) {
    return "repeat_after";
  }
  if (!is_span(config.newcomer_wait)) {
    return "newcomer_wait";
  }
  if (!is_span(config.hear_timeout) || config.hear_timeout <= config.beacon_period) {
    return "hear_timeout";
  }
  if (!is_span(config.time_to_live)) {
    return "time_to_live";
  }
  return config.answers_wanted == 0 ? std::string_view{"answers_wanted"} : std::string_view{};
}

std::string_view to_text(Role role) {
  constexpr std::string_view kNames[] = {"stopped", "listening", "follower", "master"};
  return kNames[static_cast<std::size_t>(role)];
}

std::string_view to_text(Event::Kind kind) {
  constexpr std::string_view kNames[] = {"became_master", "follows", "master_lost",
                                         "yielded",       "alone",   "not_alone"};
  return kNames[static_cast<std::size_t>(kind)];
}

Election::Election(const Config& config) : config_{config} {
  AMPHORA_ASSERT(check_config(config).empty());
}

void Election::start(TimePoint now, const Candidate& self) {
  stop(now);
  self_ = self;
  remove(now, self.id);
  listen(now);
}

void Election::stop(TimePoint) {
  role_ = Role::kStopped;
  is_beacon_due_ = false;
  is_answer_due_ = false;
  is_repeat_pending_ = false;
  is_alone_ = false;
  for (const Timer timer :
       {Timer::kMasterLost, Timer::kClaim, Timer::kBeacon, Timer::kAnswer, Timer::kNewcomer, Timer::kHear}) {
    timers_.cancel(timer);
  }
}

std::optional<Candidate> Election::master() const {
  if (role_ == Role::kMaster) {
    return self_;
  }
  return role_ == Role::kFollower ? std::optional<Candidate>{master_} : std::nullopt;
}

// ---- inputs

void Election::handle_message(TimePoint now, const Message& message) {
  const Beacon* beacon = std::get_if<Beacon>(&message);
  const Answer* answer = std::get_if<Answer>(&message);
  const Candidate& from = beacon != nullptr ? beacon->from : answer->from;
  if (role_ == Role::kStopped) {
    note_candidate(now, from);
    return;
  }
  if (from.id == self_.id) {
    ++metrics_.own_id_heard;
    return;
  }
  note_candidate(now, from);
  const bool was_alone = is_alone();
  if (was_alone && answer != nullptr && answer->master != self_.id) {
    return;  // there is another master; its beacon will come
  }
  note_heard(now);
  if (beacon == nullptr) {
    handle_answer(now, *answer);
  } else if (was_alone && !beacon->is_alone) {
    follow(now, beacon->from, beacon->term);
  } else {
    handle_beacon(now, *beacon);
  }
}

void Election::handle_candidate(TimePoint now, const Candidate& candidate) {
  if (role_ != Role::kStopped && candidate.id == self_.id) {
    ++metrics_.own_id_heard;
    return;
  }
  note_candidate(now, candidate);
  note_heard(now);
}

void Election::handle_heard(TimePoint now, Id id) {
  if (role_ != Role::kStopped && id == self_.id) {
    return;
  }
  if (Known* known = find(id)) {
    known->heard_at = now;
    known->is_lost = false;
  }
  note_heard(now);
}

void Election::remove(TimePoint now, Id id) {
  if (Known* known = find(id)) {
    *known = known_[--count_];
    schedule_expiry();
  }
  if (role_ == Role::kFollower && master_.id == id) {
    ++metrics_.masters_lost;
    emit(now, Event::Kind::kMasterLost, id);
    role_ = Role::kListening;
    timers_.set(Timer::kClaim, now + config_.slot * better_count(self_));
  }
}

void Election::handle_beacon(TimePoint now, const Beacon& beacon) {
  // A gateway takes even a lone pack for what it is, the master of its bus.
  if (beacon.is_alone && (config_.is_candidate || role_ == Role::kFollower)) {
    handle_lone_beacon(now, beacon);
    return;
  }
  switch (role_) {
    case Role::kStopped:
      break;
    case Role::kMaster:
      handle_rival(now, beacon);
      break;
    case Role::kListening:
      follow(now, beacon.from, beacon.term);
      break;
    case Role::kFollower:
      if (beacon.from.id == master_.id) {
        master_ = beacon.from;
        term_ = beacon.term;
        refresh_master(now);
        schedule_answer(now, false);
      } else if (is_newer(beacon.term, term_) || (beacon.term == term_ && is_better(beacon.from, master_))) {
        follow(now, beacon.from, beacon.term);
      }
      break;
  }
}

// It needs to hear that it is not alone; then it sends proper beacons. Until then nobody follows it.
void Election::handle_lone_beacon(TimePoint now, const Beacon& beacon) {
  if (role_ == Role::kListening) {
    master_ = beacon.from;
    term_ = is_newer(beacon.term, term_) ? beacon.term : term_;
    schedule_answer(now, true);
  } else if (role_ == Role::kFollower && master_.id == beacon.from.id) {
    if (!config_.is_candidate) {
      refresh_master(now);
    }
    schedule_answer(now, true);
  }
}

void Election::handle_rival(TimePoint now, const Beacon& beacon) {
  ++metrics_.conflicts;
  const bool is_unanswered = now - answered_at_ >= config_.hear_timeout;
  if (is_better(beacon.from, self_) || is_unanswered) {
    follow(now, beacon.from, beacon.term);
    return;
  }
  if (!is_newer(term_, beacon.term)) {
    term_ = beacon.term + 1;
  }
  if (!is_repeat_pending_) {
    timers_.set(Timer::kBeacon, now);
    is_repeat_pending_ = true;
  }
}

void Election::handle_answer(TimePoint now, const Answer& answer) {
  if (role_ == Role::kMaster && answer.master == self_.id) {
    answered_at_ = now;
    return;
  }
  // It counts for the beacon that it answers, and only where that was missed: answers come late by their
  // slot.
  const TimePoint beacon_at = now - answer_delay(answer.from);
  if (role_ == Role::kFollower && answer.master == master_.id && answer.term == term_ &&
      !answer.is_to_alone && beacon_at - beacon_at_ >= config_.beacon_period / 2) {
    refresh_master(beacon_at);
  }
  if (answers_heard_ < config_.answers_wanted) {
    ++answers_heard_;
  }
}

// ---- changes of role

void Election::listen(TimePoint now) {
  role_ = Role::kListening;
  timers_.set(Timer::kMasterLost, now + config_.beacon_period * config_.missed_beacons + config_.tolerance);
}

void Election::follow(TimePoint now, const Candidate& master, Term term) {
  const bool was_master = is_master();
  const bool is_new = role_ != Role::kFollower || master_.id != master.id;
  role_ = Role::kFollower;
  is_alone_ = false;
  is_beacon_due_ = false;
  is_repeat_pending_ = false;
  master_ = master;
  term_ = term;
  timers_.cancel(Timer::kClaim);
  timers_.cancel(Timer::kBeacon);
  timers_.cancel(Timer::kHear);
  refresh_master(now);
  if (!config_.is_candidate || is_better(master, self_)) {
    timers_.cancel(Timer::kNewcomer);
  } else if (!timers_.is_set(Timer::kNewcomer)) {
    timers_.set(Timer::kNewcomer, now + config_.newcomer_wait + config_.slot * better_count(self_));
  }
  schedule_answer(now, false);
  if (is_new) {
    emit(now, was_master ? Event::Kind::kYielded : Event::Kind::kFollows, master.id);
  }
}

void Election::refresh_master(TimePoint now) {
  beacon_at_ = now;
  timers_.set(Timer::kMasterLost, now + config_.beacon_period * config_.missed_beacons + config_.tolerance);
}

void Election::take_role(TimePoint now) {
  const TimePoint silent_since = heard_at_.value_or(now - config_.hear_timeout);
  role_ = Role::kMaster;
  ++term_;
  ++metrics_.terms_started;
  is_alone_ = now - silent_since >= config_.hear_timeout;
  answered_at_ = now;
  is_answer_due_ = false;
  is_repeat_pending_ = true;
  for (const Timer timer : {Timer::kMasterLost, Timer::kClaim, Timer::kNewcomer, Timer::kAnswer}) {
    timers_.cancel(timer);
  }
  timers_.set(Timer::kBeacon, now);
  // Whoever is there gets the whole time to answer.
  timers_.set(Timer::kHear, is_alone_ ? kNever : now + config_.hear_timeout);
  emit(now, Event::Kind::kBecameMaster, self_.id);
}

// ---- what is heard

void Election::note_heard(TimePoint now) {
  heard_at_ = now;
  if (role_ != Role::kMaster) {
    return;
  }
  timers_.set(Timer::kHear, now + config_.hear_timeout);
  if (is_alone_) {
    is_alone_ = false;
    answered_at_ = now;
    is_repeat_pending_ = true;
    timers_.set(Timer::kBeacon, now);
    emit(now, Event::Kind::kNotAlone, self_.id);
  }
}

void Election::note_candidate(TimePoint now, const Candidate& candidate) {
  if (Known* known = find(candidate.id)) {
    *known = Known{candidate, now, false};
    return;
  }
  if (count_ == kCandidatesMax) {
    const auto oldest = std::ranges::min_element(known_, {}, &Known::heard_at);
    *oldest = Known{candidate, now, false};
    ++metrics_.candidates_dropped;
  } else {
    known_[count_++] = Known{candidate, now, false};
  }
  schedule_expiry();
}

Election::Known* Election::find(Id id) {
  for (Known& known : std::span{known_}.first(count_)) {
    if (known.candidate.id == id) {
      return &known;
    }
  }
  return nullptr;
}

std::uint32_t Election::better_count(const Candidate& than) const {
  std::uint32_t better = 0;
  for (const Known& known : std::span{known_}.first(count_)) {
    const bool is_master = role_ == Role::kFollower && known.candidate.id == master_.id;
    better += !known.is_lost && !is_master && is_better(known.candidate, than) ? 1U : 0U;
  }
  return better;
}

Duration Election::answer_delay(const Candidate& of) const {
  // One slot is left free, so that a beacon has reached all before the first answer does.
  const std::uint32_t better = better_count(of) + (of.id != self_.id && is_better(self_, of) ? 1U : 0U);
  return config_.slot * (1 + std::min(better, kAnswerSlotMax));
}

void Election::schedule_answer(TimePoint now, bool is_to_alone) {
  if (!config_.is_candidate || timers_.is_set(Timer::kAnswer) || is_answer_due_) {
    return;
  }
  answers_heard_ = 0;
  is_answer_to_alone_ = is_to_alone;
  timers_.set(Timer::kAnswer, now + answer_delay(self_));
}

void Election::schedule_expiry() {
  TimePoint first = kNever;
  for (const Known& known : std::span{known_}.first(count_)) {
    first = earliest(first, add_saturating(known.heard_at, config_.time_to_live));
  }
  timers_.set(Timer::kExpiry, first);
}

void Election::expire(TimePoint now) {
  for (std::size_t i = 0; i < count_;) {
    if (add_saturating(known_[i].heard_at, config_.time_to_live) <= now) {
      known_[i] = known_[--count_];
    } else {
      ++i;
    }
  }
  schedule_expiry();
}

// ---- time and outputs

void Election::handle_timeout(TimePoint now) {
  while (const auto timer = timers_.pop_due(now)) {
    switch (*timer) {
      case Timer::kMasterLost: {
        if (role_ == Role::kFollower) {
          ++metrics_.masters_lost;
          emit(now, Event::Kind::kMasterLost, master_.id);
          if (Known* known = find(master_.id)) {
            known->is_lost = true;
          }
          role_ = Role::kListening;
        }
        // An answer now would tell others that it is still there.
        timers_.cancel(Timer::kAnswer);
        is_answer_due_ = false;
        if (config_.is_candidate) {
          timers_.set(Timer::kClaim, now + config_.slot * better_count(self_));
        }
        break;
      }
      case Timer::kClaim:
      case Timer::kNewcomer:
        if (config_.is_candidate) {
          take_role(now);
        }
        break;
      case Timer::kBeacon:
        is_beacon_due_ = true;
        break;
      case Timer::kAnswer:
        is_answer_due_ = answers_heard_ < config_.answers_wanted;
        break;
      case Timer::kHear:
        is_alone_ = true;
        timers_.set(Timer::kBeacon, now);
        emit(now, Event::Kind::kAlone, self_.id);
        break;
      case Timer::kExpiry:
        expire(now);
        break;
      case Timer::kCount:
        break;
    }
  }
}

std::optional<Message> Election::poll_transmit(TimePoint now) {
  if (is_beacon_due_) {
    is_beacon_due_ = false;
    timers_.set(Timer::kBeacon, now + (is_repeat_pending_ ? config_.repeat_after : config_.beacon_period));
    is_repeat_pending_ = false;
    ++metrics_.beacons_sent;
    return Message{Beacon{self_, term_, is_alone_}};
  }
  if (is_answer_due_) {
    is_answer_due_ = false;
    ++metrics_.answers_sent;
    return Message{Answer{self_, master_.id, term_, is_answer_to_alone_}};
  }
  return std::nullopt;
}

TimePoint Election::poll_timeout() const {
  return timers_.next();
}

void Election::emit(TimePoint now, Event::Kind kind, Id master) {
  (void)events_.push_overwrite(Event{now, kind, master, term_});
}

}  // namespace amphora::election
