// SPDX-License-Identifier: Apache-2.0
#include "core/state/session.hpp"

#include <algorithm>

namespace amphora::state {

namespace {

using Kind = SessionEvent::Kind;

Nonce draw_nonce(Rng& rng) {
  Nonce nonce = 0;
  while (nonce == 0) {
    nonce = rng.next();
  }
  return nonce;
}

void add_session(Digest& digest, const std::optional<Session>& session) {
  digest.add_number(session ? session->id : 0);
  digest.add_number(session ? static_cast<std::int64_t>(session->joiner_nonce) : 0);
  digest.add_number(session ? static_cast<std::int64_t>(session->granter_nonce) : 0);
}

}  // namespace

// ---- granter

void SessionGranter::handle_message(TimePoint now, HybridClock& clock, const SessionMessage& message) {
  if (const auto* hello = std::get_if<Hello>(&message)) {
    handle_hello(*hello);
  } else if (const auto* confirm = std::get_if<Confirm>(&message)) {
    handle_confirm(now, clock, *confirm);
  } else {
    ++statistics_.unexpected;
  }
}

void SessionGranter::handle_hello(const Hello& hello) {
  ++statistics_.hellos;
  // A Hello of the session that runs is a late copy: its sender has gone on to the Confirm long ago.
  if (hello.joiner_nonce == 0 || (session_ && session_->joiner_nonce == hello.joiner_nonce)) {
    ++statistics_.stale;
    return;
  }
  for (std::size_t i = 0; i < pending_count_; ++i) {
    if (pending_[i].joiner_nonce == hello.joiner_nonce) {
      pending_[i].is_answer_due = true;
      return;
    }
  }
  if (pending_count_ == pending_.size()) {
    std::shift_left(pending_.begin(), pending_.end(), 1);
    --pending_count_;
  }
  pending_[pending_count_++] = {hello.joiner_nonce, draw_nonce(rng_), true};
}

void SessionGranter::handle_confirm(TimePoint now, HybridClock& clock, const Confirm& confirm) {
  if (session_ && session_->joiner_nonce == confirm.joiner_nonce &&
      session_->granter_nonce == confirm.granter_nonce) {
    is_grant_due_ = true;
    return;
  }
  const auto is_match = [&confirm](const Pending& pending) {
    return pending.joiner_nonce == confirm.joiner_nonce && pending.granter_nonce == confirm.granter_nonce;
  };
  const bool is_known = confirm.granter_nonce != 0 && std::ranges::any_of(pending_, is_match);
  if (!is_known || !clock.take_peer_reading(now, confirm.clock)) {
    ++statistics_.stale;
    return;
  }
  end_session(now);
  const SessionId id = std::max(SessionId{1}, static_cast<SessionId>(rng_.next()));
  session_ = Session{id, confirm.joiner_nonce, confirm.granter_nonce};
  // Whatever else was answered belongs to handshakes that the joiner has given up, or to an earlier life.
  pending_ = {};
  pending_count_ = 0;
  is_grant_due_ = true;
  ++statistics_.began;
  (void)events_.push_overwrite(SessionEvent{now, Kind::kBegan, *session_});
}

void SessionGranter::end_session(TimePoint now) {
  if (session_) {
    (void)events_.push_overwrite(SessionEvent{now, Kind::kEnded, *session_});
    session_.reset();
  }
}

void SessionGranter::invite(TimePoint now) {
  if (invited_at_ && now < add_saturating(*invited_at_, kRequestSpacing)) {
    ++statistics_.limited;
    return;
  }
  invited_at_ = now;
  is_invitation_due_ = true;
}

void SessionGranter::reset(TimePoint now) {
  end_session(now);
  pending_ = {};
  pending_count_ = 0;
  is_grant_due_ = false;
  is_invitation_due_ = false;
}

std::optional<SessionMessage> SessionGranter::poll_transmit(TimePoint now, const HybridClock& clock) {
  if (is_grant_due_) {
    is_grant_due_ = false;
    return Grant{session_->joiner_nonce, session_->granter_nonce, session_->id, clock.reading(now)};
  }
  for (std::size_t i = 0; i < pending_count_; ++i) {
    if (pending_[i].is_answer_due) {
      pending_[i].is_answer_due = false;
      return Challenge{pending_[i].joiner_nonce, pending_[i].granter_nonce};
    }
  }
  if (is_invitation_due_) {
    is_invitation_due_ = false;
    return Challenge{};
  }
  return std::nullopt;
}

void SessionGranter::add_to(Digest& digest) const {
  Rng next = rng_;
  digest.add_number(static_cast<std::int64_t>(next.next()));
  add_session(digest, session_);
  digest.add_number((is_grant_due_ ? 1 : 0) | (is_invitation_due_ ? 2 : 0));
  for (std::size_t i = 0; i < pending_count_; ++i) {
    digest.add_number(static_cast<std::int64_t>(pending_[i].joiner_nonce));
    digest.add_number(static_cast<std::int64_t>(pending_[i].granter_nonce));
    digest.add_number(pending_[i].is_answer_due ? 1 : 0);
  }
}

// ---- joiner

void SessionJoiner::request(TimePoint now) {
  if (phase_ == Phase::kHello) {
    due_ = earliest(due_, add_saturating(now, kHelloAfterRequest));
    return;
  }
  if (start_at_ != kNever) {
    return;
  }
  if (started_at_ && now < add_saturating(*started_at_, kRequestSpacing)) {
    ++statistics_.limited;
    // A handshake that is going on usually succeeds before that.
    start_at_ = is_handshaking() ? kNever : add_saturating(*started_at_, kRequestSpacing);
    return;
  }
  start(now);
}

void SessionJoiner::start(TimePoint now) {
  phase_ = Phase::kHello;
  joiner_nonce_ = draw_nonce(rng_);
  granter_nonce_ = 0;
  tries_ = 0;
  due_ = now;
  start_at_ = kNever;
  started_at_ = now;
}

void SessionJoiner::handle_message(TimePoint now, HybridClock& clock, const SessionMessage& message) {
  if (const auto* challenge = std::get_if<Challenge>(&message)) {
    handle_challenge(now, *challenge);
  } else if (const auto* grant = std::get_if<Grant>(&message)) {
    handle_grant(now, clock, *grant);
  } else {
    ++statistics_.unexpected;
  }
}

void SessionJoiner::handle_challenge(TimePoint now, const Challenge& challenge) {
  if (challenge == Challenge{}) {
    request(now);
    return;
  }
  if (!is_handshaking() || challenge.joiner_nonce != joiner_nonce_ || challenge.granter_nonce == 0) {
    ++statistics_.stale;
    return;
  }
  if (phase_ == Phase::kConfirm && challenge.granter_nonce == granter_nonce_) {
    return;  // a copy: the Confirm has been sent and repeats itself
  }
  // Another nonce for the same Hello: the granter has restarted or forgotten the first.
  phase_ = Phase::kConfirm;
  granter_nonce_ = challenge.granter_nonce;
  tries_ = 0;
  due_ = now;
}

void SessionJoiner::handle_grant(TimePoint now, HybridClock& clock, const Grant& grant) {
  const bool is_awaited = phase_ == Phase::kConfirm && grant.joiner_nonce == joiner_nonce_ &&
                          grant.granter_nonce == granter_nonce_ && grant.session != 0;
  if (!is_awaited || !clock.take_peer_reading(now, grant.clock)) {
    ++statistics_.stale;
    return;
  }
  end_session(now);
  phase_ = Phase::kJoined;
  due_ = kNever;
  session_ = Session{grant.session, joiner_nonce_, granter_nonce_};
  ++statistics_.began;
  (void)events_.push_overwrite(SessionEvent{now, Kind::kBegan, *session_});
}

void SessionJoiner::end_session(TimePoint now) {
  if (session_) {
    (void)events_.push_overwrite(SessionEvent{now, Kind::kEnded, *session_});
    session_.reset();
  }
}

void SessionJoiner::reset(TimePoint now) {
  end_session(now);
  phase_ = Phase::kIdle;
  due_ = kNever;
  start_at_ = kNever;
}

void SessionJoiner::handle_timeout(TimePoint now) {
  if (start_at_ <= now) {
    start(now);
  }
}

std::optional<SessionMessage> SessionJoiner::poll_transmit(TimePoint now, const HybridClock& clock) {
  handle_timeout(now);
  if (!is_handshaking() || due_ > now) {
    return std::nullopt;
  }
  if (phase_ == Phase::kConfirm && tries_ == kConfirmTries) {
    ++statistics_.restarts;
    start(now);
  }
  Duration pause = kHandshakeRetryMin;
  for (unsigned i = 0; i < tries_ && pause < kHandshakeRetryMax; ++i) {
    pause += pause / 4;
  }
  pause = std::min(pause, kHandshakeRetryMax);
  pause += Duration{rng_.between(0, pause.count() / 4)};
  due_ = add_saturating(now, pause);
  if (tries_ < 100) {
    ++tries_;
  }
  if (tries_ > 1) {
    ++statistics_.retries;
  }
  if (phase_ == Phase::kHello) {
    ++statistics_.hellos;
    return Hello{joiner_nonce_};
  }
  return Confirm{joiner_nonce_, granter_nonce_, clock.reading(now)};
}

TimePoint SessionJoiner::poll_timeout() const {
  return is_handshaking() ? earliest(due_, start_at_) : start_at_;
}

void SessionJoiner::add_to(Digest& digest) const {
  Rng next = rng_;
  digest.add_number(static_cast<std::int64_t>(next.next()));
  add_session(digest, session_);
  digest.add_number(static_cast<std::int64_t>(phase_));
  digest.add_number(static_cast<std::int64_t>(joiner_nonce_));
  digest.add_number(static_cast<std::int64_t>(granter_nonce_));
  digest.add_number(tries_);
  digest.add_number(to_microseconds(due_));
  digest.add_number(to_microseconds(start_at_));
}

}  // namespace amphora::state
