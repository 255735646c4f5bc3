// SPDX-License-Identifier: Apache-2.0
// The sending end of a transfer: offers a blob and sends its segments as the receiver accepts them.
//
// The machine holds no blob. poll_wanted() names the bytes it needs next, the host reads them wherever they
// are and calls provide(); the next poll_transmit() sends them. Segments follow each other by segment_period;
// at most kWindow of them lie beyond the first that the receiver misses. One without an answer is repeated
// after retry_after; when a whole offer_period passes without an Accept, the offer is repeated, which asks
// the receiver how far it is. So the transfer continues by itself after a session ended, or either side
// restarted: the owner of a restarted sender offers the same blob again.
//
// Outputs: Offer, Segment, Done(kCancelled); events. Limits: one transfer at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/machine.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/transfer/messages.hpp"

namespace amphora::transfer {

struct SenderConfig {
  Duration segment_period = std::chrono::milliseconds{5};
  Duration retry_after = std::chrono::milliseconds{200};
  Duration offer_period = std::chrono::seconds{1};
};

struct Wanted {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  friend constexpr bool operator==(const Wanted&, const Wanted&) = default;
};

struct SenderEvent {
  TimePoint at{};
  std::uint32_t id = 0;
  Outcome outcome = Outcome::kComplete;
  friend constexpr bool operator==(const SenderEvent&, const SenderEvent&) = default;
};

struct SenderMetrics {
  std::uint64_t offers = 0;
  std::uint64_t segments = 0;  // sent, repetitions included
  std::uint64_t retried = 0;
  std::uint64_t refused = 0;  // messages that fit no running transfer, or contradict it
};

class Sender {
 public:
  explicit Sender(const SenderConfig& config = {}) : config_{config} {}

  // False if the blob is not valid or another one is under way. Sent when a session is there.
  bool offer(TimePoint now, const Blob& blob);
  // Ends the transfer; the receiver is told once, if there is a session.
  void cancel(TimePoint now);
  // The bytes poll_wanted() asked for. False, and nothing changed, if they are not those.
  bool provide(TimePoint now, std::uint32_t offset, ByteSpan bytes);

  void begin_session(TimePoint now);
  void end_session(TimePoint now);
  void handle_accept(TimePoint now, const Accept& accept);
  void handle_done(TimePoint now, const Done& done);
  void handle_timeout(TimePoint) {}

  std::optional<SenderMessage> poll_transmit(TimePoint now);
  // The same answer until it is provided or no longer wanted.
  std::optional<Wanted> poll_wanted(TimePoint now);
  std::optional<SenderEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  bool is_busy() const { return blob_.has_value(); }
  // Bytes the receiver has for certain, of the running transfer.
  std::uint32_t done_size() const { return next_; }
  const SenderMetrics& metrics() const { return metrics_; }

 private:
  struct Flight {
    bool is_stored = false;
    bool is_sent = false;
    TimePoint due{};
  };
  Flight& flight(std::uint32_t offset) { return flights_[(offset / blob_->segment_size) % flights_.size()]; }
  const Flight& flight(std::uint32_t offset) const {
    return flights_[(offset / blob_->segment_size) % flights_.size()];
  }
  std::uint32_t window_end() const;
  // The first segment that is due by `now`; and when the next one is.
  std::optional<std::uint32_t> due_segment(TimePoint now) const;
  TimePoint next_due() const;
  void finish(TimePoint now, Outcome outcome);

  SenderConfig config_;
  std::optional<Blob> blob_;
  bool is_in_session_ = false;
  bool is_accepted_ = false;  // in this session
  std::uint32_t next_ = 0;
  // Kept for the segment at next_ and the kWindow after it; twice the power of two keeps them apart.
  std::array<Flight, 2 * kWindow> flights_{};
  TimePoint next_segment_{};
  TimePoint next_offer_{};
  std::optional<Segment> ready_;
  std::optional<std::uint32_t> cancelled_;
  Ring<SenderEvent, 4> events_;
  SenderMetrics metrics_;
};

}  // namespace amphora::transfer
