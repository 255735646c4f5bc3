// SPDX-License-Identifier: Apache-2.0
#include "core/telemetry/receiver.hpp"

#include <algorithm>

namespace amphora::telemetry {

namespace {
using Kind = ReceiverEvent::Kind;
}  // namespace

std::string_view to_text(Kind kind) {
  constexpr std::string_view kNames[] = {"new_epoch", "missing", "rewound", "delivery_failed"};
  return kNames[static_cast<std::size_t>(kind)];
}

ReceiverBase::ReceiverBase(const ReceiverConfig& config, std::span<Slot> slots)
    : config_{config}, slots_{slots}, gap_pause_{config.gap_delay} {}

void ReceiverBase::restore(std::uint32_t epoch, std::uint32_t last_in_order) {
  epoch_ = epoch;
  base_ = last_ = handed_ = highest_ = last_in_order;
  gone_end_ = last_in_order + 1;
}

// ---- the session

void ReceiverBase::begin_session(TimePoint now) {
  end_session(now);
  is_in_session_ = true;
  is_rewind_shown_ = false;
}

void ReceiverBase::end_session(TimePoint) {
  is_in_session_ = false;
  is_open_ = false;
  is_answer_due_ = false;
  next_stream_.reset();
  ack_due_ = kNever;
  gaps_due_ = kNever;
  gap_pause_ = config_.gap_delay;
}

bool ReceiverBase::is_plausible(const Manifest& manifest) const {
  return manifest.digest == manifest_digest(manifest) &&
         manifest.last - manifest.first + 1 == std::uint32_t{manifest.count};
}

void ReceiverBase::handle_manifest(TimePoint now, const Manifest& manifest) {
  if (!is_in_session_) {
    ++metrics_.ignored;
    return;
  }
  const bool is_known = epoch_ && *epoch_ == manifest.epoch;
  // The numbering cannot change within a session: the sender would have started again.
  if (!is_plausible(manifest) || (is_open_ && !is_known)) {
    ++metrics_.refused;
    return;
  }
  if (!is_known) {
    next_stream_ = manifest;
    gone_end_ = highest_ + 1;
    advance(now);
    adopt_next(now);
    return;
  }
  // A sender that is only late has sent nothing in this session before its first manifest was answered, so
  // that one ends at or after everything ever received.
  if (!is_open_ && is_before(manifest.last, highest_)) {
    ++metrics_.refused;
    if (!is_rewind_shown_) {
      is_rewind_shown_ = true;
      add_event(now, Kind::kRewound, manifest.last);
    }
    return;
  }
  is_open_ = true;
  is_answer_due_ = true;
  if (is_before(gone_end_, manifest.first)) {
    gone_end_ = manifest.first;
  }
  advance(now);
}

void ReceiverBase::adopt_next(TimePoint now) {
  if (next_stream_ && is_drained()) {
    const Manifest manifest = *next_stream_;
    next_stream_.reset();
    adopt(now, manifest);
  }
}

void ReceiverBase::adopt(TimePoint now, const Manifest& manifest) {
  restore(manifest.epoch, manifest.first - 1);
  is_open_ = true;
  is_answer_due_ = true;
  ack_due_ = kNever;
  gaps_due_ = kNever;
  add_event(now, Kind::kNewEpoch, manifest.epoch);
}

// ---- readings

bool ReceiverBase::is_held(std::uint32_t sequence) const {
  return slot(sequence).is_held && slot(sequence).entry.sequence == sequence;
}

void ReceiverBase::handle_reading(TimePoint now, const Reading& reading) {
  if (!is_in_session_ || !is_open_) {
    ++metrics_.ignored;
    return;
  }
  ++metrics_.received;
  const std::uint32_t sequence = reading.entry.sequence;
  if (!is_before(handed_, sequence)) {
    ++metrics_.duplicates;
    want_ack(now, sequence);
    return;
  }
  if (static_cast<std::uint32_t>(serial_distance(last_, sequence)) > slots_.size()) {
    ++metrics_.out_of_window;
    want_ack(now, last_);
    return;
  }
  if (is_held(sequence)) {
    ++metrics_.duplicates;
    want_ack(now, sequence);
    return;
  }
  slot(sequence) = Slot{true, reading.entry};
  ++held_count_;
  if (is_before(highest_, sequence)) {
    highest_ = sequence;
  }
  const bool is_next = sequence == handed_ + 1;
  want_ack(is_next ? add_saturating(now, config_.ack_delay) : now, sequence);
  advance(now);
}

// Goes on behind what will never come, as far as nothing that waits stands in between.
void ReceiverBase::advance(TimePoint now) {
  while (is_before(handed_ + 1, gone_end_) && !is_held(handed_ + 1)) {
    if (held_count_ == 0) {
      handed_ = gone_end_ - 1;
      break;
    }
    if (static_cast<std::uint32_t>(serial_distance(last_, handed_ + 1)) > slots_.size()) {
      break;
    }
    ++handed_;
  }
  std::uint32_t given_up = 0;
  if (held_count_ == 0) {
    given_up = handed_ - last_;
    last_ = handed_;
  }
  while (last_ != handed_ && !is_held(last_ + 1)) {
    ++last_;
    ++given_up;
  }
  if (is_before(highest_, handed_)) {
    highest_ = handed_;
  }
  if (given_up > 0) {
    metrics_.missing += given_up;
    add_event(now, Kind::kMissing, given_up);
    want_ack(now, last_);
  }
  watch_gaps(now);
}

// ---- delivery

std::optional<Delivery> ReceiverBase::poll_delivery(TimePoint now) {
  if (pause_end_ != kNever && now < pause_end_) {
    return std::nullopt;
  }
  const std::uint32_t next = handed_ + 1;
  if (!epoch_ || !is_held(next)) {
    return std::nullopt;
  }
  handed_ = next;
  const Delivery delivery{*epoch_, slot(next).entry};
  advance(now);
  return delivery;
}

void ReceiverBase::handle_delivered(TimePoint now, std::uint32_t sequence) {
  if (!is_before(last_, sequence) || is_before(handed_, sequence)) {
    return;
  }
  std::uint32_t given_up = 0;
  while (last_ != sequence) {
    ++last_;
    if (is_held(last_)) {
      slot(last_).is_held = false;
      --held_count_;
      ++metrics_.delivered;
    } else {
      ++given_up;
    }
  }
  if (given_up > 0) {
    metrics_.missing += given_up;
    add_event(now, Kind::kMissing, given_up);
  }
  gap_pause_ = config_.gap_delay;
  want_ack(now, sequence);
  advance(now);
  adopt_next(now);
}

void ReceiverBase::handle_delivery_failed(TimePoint now) {
  if (handed_ == last_) {
    return;
  }
  ++metrics_.delivery_failures;
  add_event(now, Kind::kDeliveryFailed, last_ + 1);
  handed_ = last_;
  pause_end_ = add_saturating(now, config_.delivery_retry_after);
}

void ReceiverBase::set_room(TimePoint now, std::uint16_t slots) {
  const bool was_full = free_slots() == 0;
  room_ = slots;
  if (was_full != (free_slots() == 0)) {
    want_ack(now, last_);
  }
}

std::uint16_t ReceiverBase::free_slots() const {
  return static_cast<std::uint16_t>(std::min<std::size_t>(slots_.size() - held_count_, room_));
}

// ---- answers

void ReceiverBase::want_ack(TimePoint at, std::uint32_t sequence) {
  if (is_open_) {
    ack_sequence_ = sequence;
    ack_due_ = earliest(ack_due_, at);
  }
}

// Overtaken, and the sender may still have it.
bool ReceiverBase::is_gap(std::uint32_t sequence) const {
  return !is_held(sequence) && !is_before(sequence, gone_end_);
}

bool ReceiverBase::has_gap() const {
  for (std::uint32_t sequence = handed_ + 1; is_before(sequence, highest_); ++sequence) {
    if (is_gap(sequence)) {
      return true;
    }
  }
  return false;
}

void ReceiverBase::watch_gaps(TimePoint now) {
  if (!is_open_ || !has_gap()) {
    gaps_due_ = kNever;
    gap_pause_ = config_.gap_delay;
  } else if (gaps_due_ == kNever) {
    gaps_due_ = add_saturating(now, gap_pause_);
  }
}

Gaps ReceiverBase::make_gaps() const {
  Gaps gaps;
  gaps.last_in_order = last_;
  for (std::uint32_t sequence = handed_ + 1; is_before(sequence, highest_) && gaps.count < kGapsMax;
       ++sequence) {
    if (is_gap(sequence)) {
      gaps.missing[gaps.count++] = sequence;
    }
  }
  return gaps;
}

void ReceiverBase::handle_timeout(TimePoint now) {
  if (pause_end_ <= now) {
    pause_end_ = kNever;
  }
}

std::optional<ReceiverMessage> ReceiverBase::poll_transmit(TimePoint now) {
  if (!is_open_) {
    return std::nullopt;
  }
  if (is_answer_due_ || gaps_due_ <= now) {
    is_answer_due_ = false;
    const Gaps gaps = make_gaps();
    metrics_.gaps_asked += gaps.count;
    if (gaps.count > 0) {
      gap_pause_ = std::min(gap_pause_ * 2, config_.gap_delay_max);
      gaps_due_ = add_saturating(now, gap_pause_);
    } else {
      gaps_due_ = kNever;
    }
    return gaps;
  }
  if (ack_due_ <= now) {
    ack_due_ = kNever;
    ++metrics_.acks;
    return ReadingAck{ack_sequence_, last_, free_slots()};
  }
  return std::nullopt;
}

TimePoint ReceiverBase::poll_timeout() const {
  return earliest(pause_end_, earliest(ack_due_, gaps_due_));
}

void ReceiverBase::add_event(TimePoint now, Kind kind, std::uint32_t detail) {
  (void)events_.push_overwrite(ReceiverEvent{now, kind, detail});
}

}  // namespace amphora::telemetry
