// SPDX-License-Identifier: Apache-2.0
#include "core/telemetry/sender.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::telemetry {

namespace {

using Kind = SenderEvent::Kind;

constexpr Duration kDurationMin = std::chrono::milliseconds{1};
constexpr Duration kDurationMax = std::chrono::hours{1};
// Doublings of retry_after; by then any maximum is reached.
constexpr std::uint8_t kDoublingsMax = 20;

bool is_within(Duration value) {
  return value >= kDurationMin && value <= kDurationMax;
}

bool is_off_or_within(Duration value) {
  return value == Duration::zero() || is_within(value);
}

struct Rule {
  bool holds;
  std::string_view field;
};

}  // namespace

std::string_view to_text(Kind kind) {
  constexpr std::string_view kNames[] = {"overflow", "expired", "watchdog_restart", "ack_refused",
                                         "store_failed"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<std::string_view> check_config(const SenderConfig& c) {
  const Rule rules[] = {
      {c.window >= 1 && c.window <= kWindowMax, "window"},
      {is_within(c.period), "period"},
      {is_within(c.burst_period), "burst_period"},
      {is_within(c.slow_period), "slow_period"},
      {is_within(c.probe_period), "probe_period"},
      {is_within(c.retry_after), "retry_after"},
      {is_within(c.retry_after_max) && c.retry_after_max >= c.retry_after, "retry_after_max"},
      {is_within(c.gap_holdoff), "gap_holdoff"},
      {is_within(c.answer_period), "answer_period"},
      {is_within(c.answer_period_max) && c.answer_period_max >= c.answer_period, "answer_period_max"},
      {is_within(c.silence_after), "silence_after"},
      {is_within(c.manifest_period), "manifest_period"},
      {is_within(c.watchdog_after), "watchdog_after"},
      {is_off_or_within(c.expire_after), "expire_after"},
      {is_off_or_within(c.skip_unchanged_for), "skip_unchanged_for"},
  };
  for (const Rule& rule : rules) {
    if (!rule.holds) {
      return rule.field;
    }
  }
  return std::nullopt;
}

SenderBase::SenderBase(const SenderConfig& config, std::span<Slot> slots)
    : config_{config},
      slots_{slots},
      first_{config.first_sequence},
      sent_end_{config.first_sequence},
      stored_end_{config.first_sequence},
      forgotten_end_{config.first_sequence},
      gone_end_{config.first_sequence} {
  AMPHORA_ASSERT(!check_config(config));
}

// ---- the queue

std::size_t SenderBase::place(std::uint32_t sequence) const {
  // Not a modulo: a division would be the dearest part of add().
  const std::size_t at = head_ + (sequence - first_);
  return at < slots_.size() ? at : at - slots_.size();
}

bool SenderBase::is_waiting(std::uint32_t sequence) const {
  return sequence - first_ < size_;
}

const Entry* SenderBase::find(std::uint32_t sequence) const {
  return is_waiting(sequence) ? &slots_[place(sequence)].entry : nullptr;
}

std::optional<std::uint8_t> SenderBase::retry_count(std::uint32_t sequence) const {
  return is_waiting(sequence) ? std::optional{slots_[place(sequence)].retry_count} : std::nullopt;
}

void SenderBase::pop_first() {
  head_ = head_ + 1 < slots_.size() ? head_ + 1 : 0;
  ++first_;
  --size_;
}

bool SenderBase::is_unchanged(TimePoint now, ByteSpan payload, std::uint16_t format_version) const {
  return config_.skip_unchanged_for != Duration::zero() && last_added_at_ &&
         now - *last_added_at_ < config_.skip_unchanged_for && last_format_version_ == format_version &&
         std::ranges::equal(payload, last_payload_.view());
}

Result<std::uint32_t, AddError> SenderBase::add(TimePoint now, ByteSpan payload) {
  return add(now, payload, config_.format_version);
}

Result<std::uint32_t, AddError> SenderBase::add(TimePoint now, ByteSpan payload,
                                                std::uint16_t format_version) {
  if (payload.size() > kReadingSizeMax) {
    ++metrics_.too_large;
    return AddError::kTooLarge;
  }
  if (is_unchanged(now, payload, format_version)) {
    ++metrics_.skipped;
    return AddError::kUnchanged;
  }
  if (size_ == slots_.size()) {
    if (!is_overflowing_) {
      is_overflowing_ = true;
      ++metrics_.overflow_events;
      add_event(now, Kind::kOverflow, first_);
    }
    ++metrics_.dropped;
    pop_first();
    gone_end_ = first_;
  }
  if (size_ == 0) {
    progress_at_ = now;
  }
  const std::uint32_t sequence = next_sequence();
  Slot& slot = slots_[place(sequence)];
  slot.entry.sequence = sequence;
  slot.entry.time_ms = static_cast<std::uint32_t>(to_milliseconds(now.time_since_epoch()));
  slot.entry.format_version = format_version;
  (void)slot.entry.payload.assign(payload);
  slot.added_at = now;
  slot.retry_count = 0;
  ++size_;
  ++metrics_.added;
  metrics_.high_water = std::max(metrics_.high_water, static_cast<std::uint32_t>(size_));
  if (config_.skip_unchanged_for != Duration::zero()) {
    last_added_at_ = now;
    last_format_version_ = format_version;
    (void)last_payload_.assign(payload);
  }
  return sequence;
}

void SenderBase::expire(TimePoint now) {
  std::uint32_t count = 0;
  while (expiry_due() <= now) {
    pop_first();
    ++count;
  }
  if (count > 0) {
    metrics_.expired += count;
    gone_end_ = first_;
    is_overflowing_ = false;
    add_event(now, Kind::kExpired, count);
  }
}

TimePoint SenderBase::expiry_due() const {
  if (size_ == 0 || config_.expire_after == Duration::zero()) {
    return kNever;
  }
  return add_saturating(slots_[head_].added_at, config_.expire_after);
}

// ---- persistence

void SenderBase::restore(TimePoint now, std::uint32_t epoch, std::uint32_t next_sequence,
                         std::span<const Entry> entries) {
  AMPHORA_ASSERT(metrics_.added == 0 && !is_in_session_);
  config_.epoch = epoch;
  std::size_t count = 0;
  while (count < entries.size() && count < slots_.size() &&
         entries[entries.size() - 1 - count].sequence ==
             next_sequence - 1 - static_cast<std::uint32_t>(count)) {
    ++count;
  }
  for (std::size_t i = 0; i < count; ++i) {
    slots_[i] = Slot{entries[entries.size() - count + i], now, 0};
  }
  head_ = 0;
  size_ = count;
  first_ = next_sequence - static_cast<std::uint32_t>(count);
  progress_at_ = now;
  sent_end_ = next_sequence;
  stored_end_ = next_sequence;
  // What was not usable still lies in the store.
  forgotten_end_ = count == entries.size() ? first_ : first_ - 1;
  gone_end_ = first_;
  metrics_.added = entries.size();
  metrics_.dropped = entries.size() - count;
  metrics_.high_water = static_cast<std::uint32_t>(count);
}

// Readings were dropped or have expired, but a restart would bring them back, or use their sequences again.
// The receiver must not hear that they are gone before the store has forgotten them: it would give them up
// and then take them, or others with the same sequences, for duplicates.
bool SenderBase::has_unsaid_loss() const {
  return config_.persist && is_before(forgotten_end_, gone_end_);
}

std::optional<SenderStore> SenderBase::poll_store(TimePoint now) {
  if (!config_.persist || is_storing_ || (store_retry_at_ != kNever && now < store_retry_at_)) {
    return std::nullopt;
  }
  if (!has_unsaid_loss() && is_before(stored_end_, next_sequence())) {
    is_storing_ = true;
    is_storing_append_ = true;
    storing_end_ = stored_end_ + 1;
    return StoreAppend{config_.epoch, slots_[place(stored_end_)].entry};
  }
  if (is_before(forgotten_end_, first_)) {
    is_storing_ = true;
    is_storing_append_ = false;
    storing_end_ = first_;
    return StoreForget{config_.epoch, first_ - 1};
  }
  return std::nullopt;
}

void SenderBase::handle_stored(TimePoint now, bool is_durable) {
  if (!is_storing_) {
    return;
  }
  is_storing_ = false;
  if (!is_durable) {
    ++metrics_.store_failures;
    store_retry_at_ = add_saturating(now, kStoreRetryAfter);
    add_event(now, Kind::kStoreFailed, storing_end_ - 1);
    return;
  }
  if (!is_storing_append_) {
    forgotten_end_ = storing_end_;
  }
  if (is_before(stored_end_, storing_end_)) {
    stored_end_ = storing_end_;
  }
}

// ---- the session

void SenderBase::begin_session(TimePoint now) {
  is_in_session_ = true;
  is_refusal_shown_ = false;
  burst_end_ = next_sequence();
  restart_sending(now);
}

void SenderBase::restart_sending(TimePoint now) {
  ask(now);
  flights_.fill(Flight{});
  reading_sent_at_.reset();
  progress_at_ = now;
}

// No reading goes before the receiver has answered a manifest.
void SenderBase::ask(TimePoint now) {
  is_answered_ = false;
  free_slots_.reset();
  unanswered_since_.reset();
  next_manifest_ = now;
  answer_pause_ = config_.answer_period;
}

void SenderBase::end_session(TimePoint) {
  is_in_session_ = false;
  is_answered_ = false;
  free_slots_.reset();
}

// False if the message cannot be meant for this numbering.
bool SenderBase::handle_progress(TimePoint now, std::uint32_t last_in_order) {
  const std::uint32_t known_end = is_before(sent_end_, first_) ? first_ : sent_end_;
  if (!is_before(last_in_order, known_end)) {
    ++metrics_.refused;
    if (!is_refusal_shown_) {
      is_refusal_shown_ = true;
      add_event(now, Kind::kAckRefused, last_in_order);
    }
    return false;
  }
  unanswered_since_.reset();
  if (!is_answered_) {
    is_answered_ = true;
    receiver_last_ = last_in_order;
    next_manifest_ = add_saturating(now, config_.manifest_period);
  } else if (is_before(receiver_last_, last_in_order)) {
    receiver_last_ = last_in_order;
  }
  while (size_ > 0 && !is_before(last_in_order, first_)) {
    const Duration waited = now - slots_[head_].added_at;
    metrics_.ack_time_sum += waited;
    metrics_.ack_time_max = std::max(metrics_.ack_time_max, waited);
    ++metrics_.acked;
    progress_at_ = now;
    is_overflowing_ = false;
    pop_first();
  }
  return true;
}

void SenderBase::handle_ack(TimePoint now, const ReadingAck& ack) {
  if (!is_in_session_) {
    ++metrics_.ignored;
    return;
  }
  if (!handle_progress(now, ack.last_in_order)) {
    return;
  }
  free_slots_ = ack.free_slots;
  if (is_waiting(ack.sequence) && find_flight(ack.sequence) != nullptr) {
    Flight& held = flight(ack.sequence);
    held.due = std::max(held.due, add_saturating(now, config_.retry_after_max));
  }
}

void SenderBase::handle_gaps(TimePoint now, const Gaps& gaps) {
  if (!is_in_session_) {
    ++metrics_.ignored;
    return;
  }
  if (!handle_progress(now, gaps.last_in_order)) {
    return;
  }
  const std::size_t count = std::min<std::size_t>(gaps.count, kGapsMax);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t sequence = gaps.missing[i];
    if (is_waiting(sequence) && find_flight(sequence) != nullptr &&
        now - flight(sequence).sent_at >= config_.gap_holdoff) {
      flight(sequence).due = now;
    }
  }
}

void SenderBase::handle_timeout(TimePoint now) {
  expire(now);
  if (store_retry_at_ <= now) {
    store_retry_at_ = kNever;
  }
  if (silence_due() <= now) {
    ++metrics_.silences;
    ask(now);
  }
  if (watchdog_due() <= now) {
    ++metrics_.watchdog_restarts;
    add_event(now, Kind::kWatchdogRestart, static_cast<std::uint32_t>(size_));
    restart_sending(now);
  }
}

TimePoint SenderBase::watchdog_due() const {
  return is_in_session_ && size_ > 0 ? add_saturating(progress_at_, config_.watchdog_after) : kNever;
}

TimePoint SenderBase::silence_due() const {
  return is_in_session_ && is_answered_ && unanswered_since_
             ? add_saturating(*unanswered_since_, config_.silence_after)
             : kNever;
}

TimePoint SenderBase::poll_timeout() const {
  const TimePoint sending = earliest(manifest_due(), next_turn().due);
  const TimePoint watching = earliest(watchdog_due(), silence_due());
  return earliest(earliest(sending, watching), earliest(expiry_due(), store_retry_at_));
}

// ---- what goes next

// Only readings that were sent since the sending began have one.
const SenderBase::Flight* SenderBase::find_flight(std::uint32_t sequence) const {
  const Flight& found = flights_[sequence % kWindowMax];
  return found.tries > 0 && found.sequence == sequence ? &found : nullptr;
}

SenderBase::Flight& SenderBase::flight(std::uint32_t sequence) {
  Flight& found = flights_[sequence % kWindowMax];
  if (found.sequence != sequence) {
    found = Flight{};
    found.sequence = sequence;
  }
  return found;
}

// The receiver still waits for readings that are gone.
bool SenderBase::has_hole() const {
  return is_answered_ && receiver_last_ + 1 != first_;
}

std::uint32_t SenderBase::window_end() const {
  std::uint32_t end = receiver_last_ + 1 + config_.window;
  const std::uint32_t known_end =
      config_.persist && is_before(stored_end_, next_sequence()) ? stored_end_ : next_sequence();
  if (is_before(known_end, end)) {
    end = known_end;
  }
  // Behind a wide hole nothing may go before the receiver has heard of it.
  return is_before(end, first_) ? first_ : end;
}

TimePoint SenderBase::manifest_due() const {
  if (!is_in_session_ || has_unsaid_loss()) {
    return kNever;
  }
  if (has_hole()) {
    return earliest(next_manifest_, add_saturating(manifest_sent_at_, config_.answer_period));
  }
  return next_manifest_;
}

Duration SenderBase::current_period() const {
  if (free_slots_ && *free_slots_ == 0) {
    return config_.probe_period;
  }
  if (free_slots_ && *free_slots_ < kFreeSlotsLow) {
    return config_.slow_period;
  }
  return is_before(first_, burst_end_) ? config_.burst_period : config_.period;
}

SenderBase::Turn SenderBase::next_turn() const {
  const std::uint32_t end = window_end();
  if (!is_in_session_ || !is_answered_ || end == first_) {
    return {};
  }
  const TimePoint paced =
      reading_sent_at_ ? add_saturating(*reading_sent_at_, current_period()) : TimePoint{};
  if (free_slots_ && *free_slots_ == 0) {
    return {first_, paced};
  }
  Turn turn;
  for (std::uint32_t sequence = first_; sequence != end; ++sequence) {
    const Flight* sent = find_flight(sequence);
    const TimePoint due = std::max(paced, sent != nullptr ? sent->due : TimePoint{});
    if (due < turn.due) {
      turn = {sequence, due};
    }
  }
  return turn;
}

Manifest SenderBase::make_manifest() const {
  Manifest manifest{config_.epoch, first_, next_sequence() - 1, static_cast<std::uint16_t>(size_), {}};
  manifest.digest = manifest_digest(manifest);
  return manifest;
}

Reading SenderBase::take_reading(TimePoint now, std::uint32_t sequence) {
  Slot& slot = slots_[place(sequence)];
  Flight& sent = flight(sequence);
  if (sent.tries > 0) {
    ++metrics_.retried;
    slot.retry_count = slot.retry_count < 0xFF ? static_cast<std::uint8_t>(slot.retry_count + 1) : 0xFF;
  }
  const Duration pause = config_.retry_after * (std::int64_t{1} << std::min(sent.tries, kDoublingsMax));
  sent.due = add_saturating(now, std::min(pause, config_.retry_after_max));
  sent.sent_at = now;
  sent.tries = sent.tries < kDoublingsMax ? static_cast<std::uint8_t>(sent.tries + 1) : kDoublingsMax;
  if (free_slots_ && *free_slots_ == 0) {
    ++metrics_.probes;
  }
  ++metrics_.sent;
  if (is_before(sent_end_, sequence + 1)) {
    sent_end_ = sequence + 1;
  }
  reading_sent_at_ = now;
  if (!unanswered_since_) {
    unanswered_since_ = now;
  }
  return Reading{slot.entry};
}

std::optional<SenderMessage> SenderBase::poll_transmit(TimePoint now) {
  handle_timeout(now);
  if (manifest_due() <= now) {
    manifest_sent_at_ = now;
    next_manifest_ = add_saturating(now, is_answered_ ? config_.manifest_period : answer_pause_);
    answer_pause_ = std::min(answer_pause_ * 2, config_.answer_period_max);
    ++metrics_.manifests;
    return make_manifest();
  }
  const Turn turn = next_turn();
  if (turn.due > now) {
    return std::nullopt;
  }
  return take_reading(now, turn.sequence);
}

void SenderBase::add_event(TimePoint now, Kind kind, std::uint32_t detail) {
  (void)events_.push_overwrite(SenderEvent{now, kind, detail});
}

}  // namespace amphora::telemetry
