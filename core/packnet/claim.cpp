// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/claim.hpp"

namespace amphora::packnet {

namespace {

Node preferred_of(const ClaimConfig& config) {
  if (is_node(config.stored)) {
    return config.stored;
  }
  const auto low = static_cast<Node>(config.hardware & 0x7FU);
  // 0 and 127 are no nodes.
  return low == kNodeNone ? Node{1} : low == kNodeAll ? kNodeMax : low;
}

}  // namespace

std::string_view to_text(ClaimState state) {
  constexpr std::string_view kNames[] = {"off",     "waiting",   "listening",
                                         "claimed", "duplicate", "no_free_node"};
  return kNames[static_cast<std::size_t>(state)];
}

AddressClaim::AddressClaim(const ClaimConfig& config)
    : config_{config}, hash_{hash_of(config.hardware)}, rng_{config.seed}, stored_{config.stored} {
  node_ = preferred_of(config);
}

Duration AddressClaim::random(Duration max) {
  return Duration{rng_.between(0, max.count())};
}

void AddressClaim::start(TimePoint now) {
  if (state_ == ClaimState::kOff) {
    const Duration wait = random(config_.start_wait_max);
    want(now, node_, wait);
  }
}

void AddressClaim::stop(TimePoint now) {
  if (state_ == ClaimState::kOff) {
    return;
  }
  give_up_node(now);
  state_ = ClaimState::kOff;
  is_claim_due_ = false;
  timers_.cancel(Timer::kClaim);
  timers_.cancel(Timer::kListened);
  timers_.cancel(Timer::kDuplicateWait);
}

void AddressClaim::want(TimePoint now, Node node, Duration wait) {
  node_ = node;
  state_ = ClaimState::kWaiting;
  is_claim_due_ = false;
  timers_.cancel(Timer::kListened);
  timers_.cancel(Timer::kDuplicateWait);
  timers_.set(Timer::kClaim, now + wait);
}

void AddressClaim::give_up_node(TimePoint now) {
  if (state_ == ClaimState::kClaimed) {
    ++ids_lost_;
    (void)events_.push_overwrite(ClaimEvent{now, ClaimEvent::Kind::kLost, node_});
  }
}

void AddressClaim::remember(TimePoint now, Node node, std::uint32_t hash) {
  if (is_node(node)) {
    leases_[node] = Lease{hash, true, now};
  }
}

Node AddressClaim::next_free(Node after) const {
  Node oldest = kNodeNone;
  for (unsigned step = 1; step <= kNodeMax; ++step) {
    const auto node = static_cast<Node>((after - 1U + step) % kNodeMax + 1U);
    const Lease& lease = leases_[node];
    if (!lease.is_taken || lease.hash == hash_) {
      return node;
    }
    if (oldest == kNodeNone || lease.heard_at < leases_[oldest].heard_at) {
      oldest = node;
    }
  }
  return oldest;
}

void AddressClaim::move_on(TimePoint now) {
  give_up_node(now);
  const Node next = next_free(node_);
  if (leases_[next].is_taken && leases_[next].hash != hash_ &&
      now - leases_[next].heard_at < config_.duplicate_alarm) {
    state_ = ClaimState::kNoFreeNode;
    is_claim_due_ = false;
    timers_.cancel(Timer::kClaim);
    timers_.cancel(Timer::kListened);
    timers_.set(Timer::kDuplicateWait, now + config_.duplicate_alarm);
    (void)events_.push_overwrite(ClaimEvent{now, ClaimEvent::Kind::kNoFreeNode, kNodeNone});
    return;
  }
  want(now, next, Duration::zero());
}

void AddressClaim::handle_duplicate(TimePoint now, const Claim& claim) {
  if (!is_duplicate_) {
    is_duplicate_ = true;
    (void)events_.push_overwrite(ClaimEvent{now, ClaimEvent::Kind::kDuplicateBegan, claim.node});
  }
  timers_.set(Timer::kDuplicateAlarm, now + config_.duplicate_alarm);
  // Not only the identity but the id as well: both leave it, and meet again elsewhere at random.
  if (claim.node != node_) {
    // Not the own hash, so that the id counts as somebody else's.
    remember(now, claim.node, ~hash_);
    return;
  }
  if (state_ == ClaimState::kDuplicate) {
    return;
  }
  give_up_node(now);
  state_ = ClaimState::kDuplicate;
  is_claim_due_ = true;  // tells the other, who may have heard nothing yet
  timers_.cancel(Timer::kClaim);
  timers_.cancel(Timer::kListened);
  timers_.set(Timer::kDuplicateWait, now + random(config_.duplicate_wait_max));
}

void AddressClaim::handle_claim(TimePoint now, const Claim& claim) {
  if (!is_node(claim.node)) {
    return;
  }
  unsent_ = 0;
  const bool is_active =
      state_ == ClaimState::kWaiting || state_ == ClaimState::kListening || state_ == ClaimState::kClaimed;
  if (claim.hardware == config_.hardware) {
    if (state_ != ClaimState::kOff) {
      handle_duplicate(now, claim);
    }
    return;
  }
  if (claim.node != node_ || !is_active) {
    remember(now, claim.node, hash_of(claim.hardware));
    return;
  }
  if (config_.hardware < claim.hardware) {
    // The other hears it and moves on. While waiting for the own claim, that one will tell.
    if (state_ != ClaimState::kWaiting) {
      is_claim_due_ = true;
      is_defence_ = true;
    }
    return;
  }
  remember(now, claim.node, hash_of(claim.hardware));
  move_on(now);
}

void AddressClaim::handle_presence(TimePoint now, Node node, std::uint32_t hash) {
  if (!is_node(node)) {
    return;
  }
  unsent_ = 0;
  if (node == node_ && state_ != ClaimState::kOff && hash != hash_) {
    if (state_ == ClaimState::kClaimed) {
      handle_foreign_use(now);
    } else if (state_ == ClaimState::kListening) {
      is_claim_due_ = true;
    }
    return;
  }
  if (hash != hash_) {
    remember(now, node, hash);
  }
}

void AddressClaim::handle_foreign_use(TimePoint now) {
  if (state_ == ClaimState::kClaimed && !timers_.is_set(Timer::kClaim) && !is_claim_due_) {
    timers_.set(Timer::kClaim, now + random(config_.start_wait_max));
  }
}

void AddressClaim::handle_not_sent(TimePoint now) {
  if (state_ == ClaimState::kListening && unsent_ + 1 < kUnsentMax) {
    ++unsent_;
    want(now, node_, random(config_.start_wait_max));
  } else if (state_ == ClaimState::kClaimed) {
    handle_foreign_use(now);
  }
}

void AddressClaim::handle_timeout(TimePoint now) {
  while (const auto timer = timers_.pop_due(now)) {
    switch (*timer) {
      case Timer::kClaim:
        is_claim_due_ = true;
        is_defence_ = state_ == ClaimState::kClaimed;
        break;
      case Timer::kListened:
        state_ = ClaimState::kClaimed;
        leases_[node_] = Lease{hash_, true, now};
        if (!is_duplicate_ && stored_ != node_) {
          stored_ = node_;
          to_store_ = node_;
        }
        (void)events_.push_overwrite(ClaimEvent{now, ClaimEvent::Kind::kClaimed, node_});
        break;
      case Timer::kDuplicateWait:
        if (state_ == ClaimState::kDuplicate) {
          node_ = static_cast<Node>(rng_.between(1, kNodeMax));
        }
        want(now, next_free(node_), Duration::zero());
        break;
      case Timer::kDuplicateAlarm:
        is_duplicate_ = false;
        (void)events_.push_overwrite(ClaimEvent{now, ClaimEvent::Kind::kDuplicateEnded, node_});
        break;
      case Timer::kCount:
        break;
    }
  }
}

std::optional<Claim> AddressClaim::poll_transmit(TimePoint now) {
  if (!is_claim_due_) {
    return std::nullopt;
  }
  is_claim_due_ = false;
  if (state_ == ClaimState::kWaiting) {
    state_ = ClaimState::kListening;
    timers_.set(Timer::kListened, now + config_.listen);
  } else if (state_ == ClaimState::kListening && !is_defence_) {
    timers_.set(Timer::kListened, now + config_.listen);
  }
  is_defence_ = false;
  ++claims_sent_;
  return Claim{node_, config_.hardware};
}

std::optional<Node> AddressClaim::poll_store() {
  const std::optional<Node> node = to_store_;
  to_store_.reset();
  return node;
}

}  // namespace amphora::packnet
