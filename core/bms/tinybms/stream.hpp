// SPDX-License-Identifier: Apache-2.0
// Finding TinyBMS frames in what comes over the line.
//
// The line carries more than frames: broadcast text, noise, the beginning of a frame whose end was lost,
// several replies in one read, one reply in many. The readers keep at most one frame's worth of bytes and
// resynchronise on start byte, command, length and CRC.
//
//   while (!bytes.empty()) {
//     bytes = reader.feed(bytes);
//     while (auto found = reader.poll()) { … }
//   }
//
// feed() takes as much as fits and returns the rest; after poll() has returned nothing there is room again.
// What poll() returns points into the reader and is valid until its next call.
//
// An incomplete frame that could be the expected one holds the reader until its length has arrived, so that
// its content is never taken for a frame of its own. After a silence on the line (the owner's time-out)
// flush() gives up on it and looks for frames in what is there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/bms/tinybms/frame.hpp"

namespace amphora::tinybms {

struct StreamCounters {
  std::uint64_t frames = 0;             // delivered
  std::uint64_t crc_errors = 0;         // complete frames with a wrong CRC
  std::uint64_t unexpected_frames = 0;  // valid, but not an answer to the request
  std::uint64_t noise_bytes = 0;        // skipped
};

// The host's side: waits for the answer to one request at a time.
class ReplyReader {
 public:
  explicit ReplyReader(std::size_t packet_payload_size = kPacketPayloadMax)
      : packet_payload_size_{packet_payload_size} {}

  // From now on an answer to this request is looked for. What is buffered is dropped as noise.
  void expect(const Request& request);
  // No answer is looked for: whatever comes is unexpected or noise.
  void expect_nothing();

  ByteSpan feed(ByteSpan bytes);
  // The next complete answer: kAck, kNack, or kData with the payload of all its packets. The reader expects
  // nothing after that.
  std::optional<Reply> poll();
  void flush();

  const StreamCounters& counters() const { return counters_; }

 private:
  enum class Verdict : std::uint8_t { kNoFrame, kWait, kHold, kExpected, kUnexpected, kBadCrc };
  struct Candidate {
    Verdict verdict = Verdict::kNoFrame;
    std::size_t size = 0;
  };
  Candidate judge(std::size_t at) const;
  bool is_expected_header(ByteSpan prefix) const;
  bool is_expected(const Reply& reply) const;
  // Adds a packet; true when the reply is complete.
  bool take(const Reply& packet);
  void drop(std::size_t count);

  std::size_t packet_payload_size_;
  std::optional<Request> expected_;
  std::array<std::uint8_t, kReplySizeMax> buffer_{};
  std::size_t size_ = 0;
  std::array<std::uint8_t, kPayloadSizeMax> payload_{};
  std::size_t payload_size_ = 0;
  std::optional<std::uint8_t> last_packet_id_;
  bool is_flushing_ = false;
  StreamCounters counters_;
};

// What the device's side found: a request, or why it could not be read (to be answered with a NACK).
struct Incoming {
  std::optional<Request> request;
  std::uint8_t command_code = 0;
  std::uint8_t error = 0;  // NACK error where there is no request
};

// The device's side: takes any request.
class RequestReader {
 public:
  ByteSpan feed(ByteSpan bytes);
  std::optional<Incoming> poll();
  // To be called after a silence. A whole frame of an unknown command is only recognised here, because its
  // length is not known before.
  void flush();
  bool has_partial() const { return size_ > 0; }

  const StreamCounters& counters() const { return counters_; }

 private:
  void drop(std::size_t count);

  std::array<std::uint8_t, kRequestSizeMax> buffer_{};
  std::size_t size_ = 0;
  bool is_flushing_ = false;
  StreamCounters counters_;
};

}  // namespace amphora::tinybms
