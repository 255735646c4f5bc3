// SPDX-License-Identifier: Apache-2.0
#include "core/transfer/sender.hpp"

#include <algorithm>

namespace amphora::transfer {

bool Sender::offer(TimePoint now, const Blob& blob) {
  if (!is_valid(blob) || blob_) {
    return false;
  }
  blob_ = blob;
  next_ = 0;
  is_accepted_ = false;
  cancelled_.reset();
  next_offer_ = now;
  return true;
}

void Sender::cancel(TimePoint now) {
  if (blob_) {
    cancelled_ = blob_->id;
    finish(now, Outcome::kCancelled);
  }
}

void Sender::finish(TimePoint now, Outcome outcome) {
  (void)events_.push_overwrite(SenderEvent{now, blob_->id, outcome});
  blob_.reset();
  ready_.reset();
  is_accepted_ = false;
}

void Sender::begin_session(TimePoint now) {
  is_in_session_ = true;
  is_accepted_ = false;
  ready_.reset();
  next_offer_ = now;
}

void Sender::end_session(TimePoint) {
  is_in_session_ = false;
  is_accepted_ = false;
  ready_.reset();
}

// The offset after the last segment that may be under way.
std::uint32_t Sender::window_end() const {
  // At most 33 segments of at most kSegmentSizeMax bytes after at most kBlobSizeMax: no overflow.
  return std::min(blob_->size, next_ + (kWindow + 1) * blob_->segment_size);
}

void Sender::handle_accept(TimePoint now, const Accept& accept) {
  if (!is_in_session_ || !blob_ || accept.id != blob_->id || accept.next > blob_->size ||
      (accept.next % blob_->segment_size != 0 && accept.next != blob_->size)) {
    ++metrics_.refused;
    return;
  }
  next_offer_ = add_saturating(now, config_.offer_period);
  if (!is_accepted_) {
    // The receiver may know less than it said in an earlier session, if it restarted.
    is_accepted_ = true;
    next_ = accept.next;
    flights_.fill(Flight{});
  } else if (accept.next < next_) {
    return;  // overtaken by a newer one
  }
  const std::uint32_t old_end = window_end();
  next_ = accept.next;
  // What enters the window has not been sent.
  for (std::uint32_t offset = std::max(old_end, next_); offset < window_end();
       offset += blob_->segment_size) {
    flight(offset) = Flight{};
  }
  for (std::uint32_t i = 0; i < kWindow; ++i) {
    const std::uint32_t offset = next_ + (i + 1) * blob_->segment_size;
    if ((accept.window >> i & 1U) != 0 && offset < blob_->size) {
      flight(offset).is_stored = true;
    }
  }
  if (ready_ && (ready_->offset < next_ || flight(ready_->offset).is_stored)) {
    ready_.reset();
  }
}

void Sender::handle_done(TimePoint now, const Done& done) {
  if (!is_in_session_ || !blob_ || done.id != blob_->id ||
      static_cast<std::uint8_t>(done.outcome) >= kOutcomeCount) {
    ++metrics_.refused;
    return;
  }
  finish(now, done.outcome);
}

TimePoint Sender::next_due() const {
  TimePoint first = kNever;
  if (is_accepted_) {
    for (std::uint32_t offset = next_; offset < window_end(); offset += blob_->segment_size) {
      if (!flight(offset).is_stored) {
        first = earliest(first, flight(offset).due);
      }
    }
  }
  return first == kNever ? kNever : std::max(first, next_segment_);
}

std::optional<std::uint32_t> Sender::due_segment(TimePoint now) const {
  if (!is_accepted_ || now < next_segment_) {
    return std::nullopt;
  }
  for (std::uint32_t offset = next_; offset < window_end(); offset += blob_->segment_size) {
    if (!flight(offset).is_stored && flight(offset).due <= now) {
      return offset;
    }
  }
  return std::nullopt;
}

std::optional<Wanted> Sender::poll_wanted(TimePoint now) {
  if (ready_) {
    return std::nullopt;
  }
  const auto offset = due_segment(now);
  return offset ? std::optional{Wanted{*offset, segment_size_at(*blob_, *offset)}} : std::nullopt;
}

bool Sender::provide(TimePoint now, std::uint32_t offset, ByteSpan bytes) {
  const auto wanted = poll_wanted(now);
  if (!wanted || wanted->offset != offset || wanted->size != bytes.size()) {
    return false;
  }
  ready_.emplace();
  ready_->id = blob_->id;
  ready_->offset = offset;
  return ready_->bytes.assign(bytes);
}

std::optional<SenderMessage> Sender::poll_transmit(TimePoint now) {
  if (!is_in_session_) {
    return std::nullopt;
  }
  if (cancelled_) {
    const Done done{*cancelled_, Outcome::kCancelled};
    cancelled_.reset();
    return done;
  }
  if (!blob_) {
    return std::nullopt;
  }
  if (next_offer_ <= now) {
    next_offer_ = add_saturating(now, config_.offer_period);
    ++metrics_.offers;
    return Offer{*blob_};
  }
  if (!ready_) {
    return std::nullopt;
  }
  const Segment segment = *ready_;
  ready_.reset();
  Flight& sent = flight(segment.offset);
  metrics_.retried += sent.is_sent ? 1 : 0;
  sent.is_sent = true;
  sent.due = add_saturating(now, config_.retry_after);
  next_segment_ = add_saturating(now, config_.segment_period);
  ++metrics_.segments;
  return segment;
}

TimePoint Sender::poll_timeout() const {
  if (!is_in_session_ || !blob_) {
    return kNever;
  }
  return earliest(next_offer_, ready_ ? kNever : next_due());
}

}  // namespace amphora::transfer
