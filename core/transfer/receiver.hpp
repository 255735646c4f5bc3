// SPDX-License-Identifier: Apache-2.0
// The receiving end of a transfer: takes segments in any order within a window, has the host write each to
// its place, and remembers how far it is across a restart.
//
// The host does the storing, step by step as it is asked:
//   poll_write()  -> write these bytes at this offset  -> handle_written()
//   poll_store()  -> make this progress durable        -> handle_stored()
//   poll_verify() -> read the blob back, compare its digest -> handle_verified()
// A segment counts as received when it is written. Progress is stored at the start, after every progress_step
// bytes, and at the end, only ever behind what is written; after a restart the owner calls restore() and what
// was received beyond the stored progress comes again. Done(kComplete) leaves only after the digest was found
// right.
//
// A blob other than the running one is answered with kBusy; after abandon_after without a segment or an offer
// the running one makes way for it. accept_every segments are answered together, or after accept_delay.
//
// Limits: kWriteQueue segments wait to be written, more are dropped, counted, and come again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/transfer/messages.hpp"

namespace amphora::transfer {

inline constexpr std::size_t kWriteQueue = 8;

struct ReceiverConfig {
  std::uint32_t size_max = kBlobSizeMax;
  std::uint32_t progress_step = 16384;
  std::uint8_t accept_every = 8;
  Duration accept_delay = std::chrono::milliseconds{20};
  Duration abandon_after = std::chrono::minutes{10};
};

// Durable: which blob, and that everything before `next` is written.
struct Progress {
  Blob blob;
  std::uint32_t next = 0;
  friend constexpr bool operator==(const Progress&, const Progress&) = default;
};

struct ReceiverEvent {
  enum class Kind : std::uint8_t { kStarted, kResumed, kFinished };
  TimePoint at{};
  Kind kind = Kind::kStarted;
  std::uint32_t id = 0;
  Outcome outcome = Outcome::kComplete;  // of kFinished
  friend constexpr bool operator==(const ReceiverEvent&, const ReceiverEvent&) = default;
};

struct ReceiverMetrics {
  std::uint64_t segments = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t dropped = 0;  // the write queue was full
  std::uint64_t refused = 0;  // fit no running transfer, or contradict it
};

class Receiver {
 public:
  explicit Receiver(const ReceiverConfig& config = {}) : config_{config} {}

  // Before anything else after a start. False for a progress that cannot be; nothing is resumed then.
  bool restore(TimePoint now, const Progress& progress);

  void begin_session(TimePoint now);
  void end_session(TimePoint now);
  void handle_offer(TimePoint now, const Offer& offer);
  void handle_segment(TimePoint now, const Segment& segment);
  void handle_done(TimePoint now, const Done& done);
  // Answers to the three polls, for the thing that was asked last. False ends the transfer with kFailed, a
  // wrong digest with kBadDigest.
  void handle_written(TimePoint now, bool is_durable);
  void handle_stored(TimePoint now, bool is_durable);
  void handle_verified(TimePoint now, bool is_right);
  void handle_timeout(TimePoint) {}

  std::optional<ReceiverMessage> poll_transmit(TimePoint now);
  std::optional<Segment> poll_write();
  // An empty optional inside: forget the progress, the transfer is over.
  std::optional<std::optional<Progress>> poll_store();
  std::optional<Blob> poll_verify();
  std::optional<ReceiverEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const { return is_in_session_ ? accept_due_ : kNever; }

  const std::optional<Blob>& blob() const { return blob_; }
  std::uint32_t next() const { return next_; }
  const ReceiverMetrics& metrics() const { return metrics_; }

 private:
  bool is_received(std::uint32_t offset) const;
  bool is_queued(std::uint32_t offset) const;
  void mark(std::uint32_t offset);
  void start(TimePoint now, const Blob& blob);
  void finish(TimePoint now, Outcome outcome);
  void want_accept(TimePoint at) { accept_due_ = earliest(accept_due_, at); }

  ReceiverConfig config_;
  std::optional<Blob> blob_;
  std::uint32_t next_ = 0;
  std::uint32_t window_ = 0;
  TimePoint heard_at_{};
  bool is_in_session_ = false;

  Ring<Segment, kWriteQueue> writes_;
  bool is_writing_ = false;
  std::uint32_t written_offset_ = 0;
  std::uint32_t stored_next_ = 0;
  bool is_progress_due_ = false;
  bool is_storing_ = false;
  std::uint32_t storing_next_ = 0;
  bool is_verifying_ = false;

  std::uint8_t unanswered_ = 0;
  TimePoint accept_due_ = kNever;
  std::optional<Blob> last_blob_;  // the last one that ended, with how: a repeated offer is answered with it
  Outcome last_outcome_ = Outcome::kComplete;
  std::optional<Done> done_due_;
  Ring<ReceiverEvent, 8> events_;
  ReceiverMetrics metrics_;
};

}  // namespace amphora::transfer
