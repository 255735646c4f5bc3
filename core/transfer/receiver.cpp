// SPDX-License-Identifier: Apache-2.0
#include "core/transfer/receiver.hpp"

#include <algorithm>

namespace amphora::transfer {

namespace {
using Kind = ReceiverEvent::Kind;
}  // namespace

bool Receiver::restore(TimePoint now, const Progress& progress) {
  const Blob& blob = progress.blob;
  if (!is_valid(blob) || blob.size > config_.size_max || progress.next > blob.size ||
      (progress.next % blob.segment_size != 0 && progress.next != blob.size)) {
    return false;
  }
  start(now, blob);
  next_ = stored_next_ = progress.next;
  is_progress_due_ = false;
  (void)events_.push_overwrite(ReceiverEvent{now, Kind::kResumed, blob.id, Outcome::kComplete});
  return true;
}

void Receiver::start(TimePoint now, const Blob& blob) {
  blob_ = blob;
  next_ = stored_next_ = window_ = 0;
  writes_.clear();
  is_progress_due_ = true;
  heard_at_ = now;
}

void Receiver::finish(TimePoint now, Outcome outcome) {
  last_blob_ = blob_;
  last_outcome_ = outcome;
  done_due_ = Done{blob_->id, outcome};
  (void)events_.push_overwrite(ReceiverEvent{now, Kind::kFinished, blob_->id, outcome});
  blob_.reset();
  writes_.clear();
  accept_due_ = kNever;
  is_progress_due_ = true;  // to be forgotten
}

void Receiver::begin_session(TimePoint now) {
  is_in_session_ = true;
  heard_at_ = now;
}

void Receiver::end_session(TimePoint) {
  is_in_session_ = false;
  accept_due_ = kNever;
  done_due_.reset();
}

void Receiver::handle_offer(TimePoint now, const Offer& offer) {
  if (!is_in_session_) {
    ++metrics_.refused;
    return;
  }
  const Blob& blob = offer.blob;
  if (!is_valid(blob) || blob.size > config_.size_max) {
    ++metrics_.refused;
    done_due_ = Done{blob.id, Outcome::kRefused};
    return;
  }
  if (blob_ && *blob_ == blob) {
    heard_at_ = now;
    want_accept(now);
    return;
  }
  // A blob that failed is tried anew when it is offered again; one that is complete stays complete.
  if (!blob_ && last_blob_ && *last_blob_ == blob && last_outcome_ == Outcome::kComplete) {
    done_due_ = Done{blob.id, Outcome::kComplete};
    return;
  }
  // An answer of the host that is still to come belongs to the blob before.
  const bool is_occupied = is_writing_ || is_storing_ || is_verifying_;
  if ((blob_ && now - heard_at_ < config_.abandon_after) || is_occupied) {
    ++metrics_.refused;
    done_due_ = Done{blob.id, Outcome::kBusy};
    return;
  }
  start(now, blob);
  (void)events_.push_overwrite(ReceiverEvent{now, Kind::kStarted, blob.id, Outcome::kComplete});
  want_accept(now);
}

bool Receiver::is_received(std::uint32_t offset) const {
  if (offset <= next_) {
    return offset < next_;
  }
  return (window_ >> ((offset - next_) / blob_->segment_size - 1) & 1U) != 0;
}

bool Receiver::is_queued(std::uint32_t offset) const {
  for (std::size_t i = 0; i < writes_.size(); ++i) {
    if (writes_[i].offset == offset) {
      return true;
    }
  }
  return false;
}

void Receiver::handle_segment(TimePoint now, const Segment& segment) {
  if (!is_in_session_ || !blob_ || segment.id != blob_->id || segment.offset >= blob_->size ||
      segment.offset % blob_->segment_size != 0 ||
      segment.bytes.size() != segment_size_at(*blob_, segment.offset) ||
      (segment.offset > next_ && (segment.offset - next_) / blob_->segment_size > kWindow)) {
    ++metrics_.refused;
    return;
  }
  heard_at_ = now;
  ++metrics_.segments;
  if (is_received(segment.offset) || is_queued(segment.offset)) {
    ++metrics_.duplicates;
    want_accept(add_saturating(now, config_.accept_delay));
    return;
  }
  if (!writes_.push(segment)) {
    ++metrics_.dropped;
  }
}

void Receiver::handle_done(TimePoint now, const Done& done) {
  if (!is_in_session_ || !blob_ || done.id != blob_->id || done.outcome != Outcome::kCancelled) {
    ++metrics_.refused;
    return;
  }
  finish(now, Outcome::kCancelled);
  done_due_.reset();
}

// ---- the host's store

std::optional<Segment> Receiver::poll_write() {
  if (is_writing_ || writes_.is_empty()) {
    return std::nullopt;
  }
  is_writing_ = true;
  written_offset_ = writes_.front().offset;
  return writes_.front();
}

void Receiver::handle_written(TimePoint now, bool is_durable) {
  if (!is_writing_) {
    return;
  }
  is_writing_ = false;
  if (!blob_ || writes_.is_empty() || writes_.front().offset != written_offset_) {
    return;  // the transfer ended meanwhile
  }
  (void)writes_.pop();
  if (!is_durable) {
    finish(now, Outcome::kFailed);
    return;
  }
  mark(written_offset_);
  ++unanswered_;
  const bool is_due = unanswered_ >= config_.accept_every || next_ == blob_->size;
  want_accept(is_due ? now : add_saturating(now, config_.accept_delay));
  if (next_ - stored_next_ >= config_.progress_step || next_ == blob_->size) {
    is_progress_due_ = true;
  }
}

void Receiver::mark(std::uint32_t offset) {
  if (offset != next_) {
    window_ |= 1U << ((offset - next_) / blob_->segment_size - 1);
    return;
  }
  // The window's lowest bit is the segment after the one at next_.
  bool is_there = true;
  while (is_there) {
    next_ = std::min(blob_->size, next_ + blob_->segment_size);
    is_there = (window_ & 1U) != 0;
    window_ >>= 1U;
  }
}

std::optional<std::optional<Progress>> Receiver::poll_store() {
  if (!is_progress_due_ || is_storing_) {
    return std::nullopt;
  }
  is_progress_due_ = false;
  is_storing_ = true;
  storing_next_ = next_;
  if (!blob_) {
    return std::optional<Progress>{};
  }
  return std::optional<Progress>{Progress{*blob_, next_}};
}

void Receiver::handle_stored(TimePoint now, bool is_durable) {
  if (!is_storing_) {
    return;
  }
  is_storing_ = false;
  if (!blob_) {
    return;  // a progress that cannot be forgotten is refused or resumed after a restart, neither does harm
  }
  if (!is_durable) {
    finish(now, Outcome::kFailed);
    return;
  }
  stored_next_ = storing_next_;
}

std::optional<Blob> Receiver::poll_verify() {
  if (!blob_ || next_ != blob_->size || is_verifying_ || is_storing_ || is_progress_due_) {
    return std::nullopt;
  }
  is_verifying_ = true;
  return blob_;
}

void Receiver::handle_verified(TimePoint now, bool is_right) {
  if (!is_verifying_) {
    return;
  }
  is_verifying_ = false;
  if (blob_) {
    finish(now, is_right ? Outcome::kComplete : Outcome::kBadDigest);
  }
}

// ---- answers

std::optional<ReceiverMessage> Receiver::poll_transmit(TimePoint now) {
  if (!is_in_session_) {
    return std::nullopt;
  }
  if (done_due_) {
    const Done done = *done_due_;
    done_due_.reset();
    return done;
  }
  if (!blob_ || accept_due_ > now) {
    return std::nullopt;
  }
  accept_due_ = kNever;
  unanswered_ = 0;
  return Accept{blob_->id, next_, window_};
}

}  // namespace amphora::transfer
