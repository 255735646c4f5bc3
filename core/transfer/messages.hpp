// SPDX-License-Identifier: Apache-2.0
// What the two ends of a transfer say to each other, as structs. Bytes are the business of whoever carries
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "core/base/fixed_bytes.hpp"

namespace amphora::transfer {

// Fits a 250-byte radio frame, sealed, with its header. A carrier with smaller frames offers smaller
// segments.
inline constexpr std::size_t kSegmentSizeMax = 192;
inline constexpr std::uint32_t kBlobSizeMax = 16U << 20U;
// Segments after the first missing one that may be under way: the bits of Accept::window.
inline constexpr std::uint32_t kWindow = 32;

// What is transferred. Equal in all fields: the same transfer, which is continued.
struct Blob {
  std::uint32_t id = 0;    // chosen by the sender, for example the start of a hash
  std::uint32_t size = 0;  // bytes, 1 to kBlobSizeMax
  std::uint16_t segment_size = 0;
  std::uint64_t digest = 0;  // over all bytes, computed and compared by the hosts
  friend constexpr bool operator==(const Blob&, const Blob&) = default;
};

enum class Outcome : std::uint8_t {
  kComplete = 0,   // durable and the digest is right
  kRefused = 1,    // too large, or nonsense
  kBusy = 2,       // another transfer is running
  kBadDigest = 3,  // arrived, but is not what was offered
  kFailed = 4,     // the store gave up
  kCancelled = 5,  // by the sender
};
inline constexpr std::uint8_t kOutcomeCount = 6;

// Sender: here is a blob. Also the question "how far are you?" after a silence.
struct Offer {
  Blob blob;
  friend constexpr bool operator==(const Offer&, const Offer&) = default;
};
// Receiver: everything before `next` (a multiple of the segment size, or the blob's size) is stored; bit i of
// `window`: the segment i + 1 places after the one at `next` is stored as well.
struct Accept {
  std::uint32_t id = 0;
  std::uint32_t next = 0;
  std::uint32_t window = 0;
  friend constexpr bool operator==(const Accept&, const Accept&) = default;
};
struct Segment {
  std::uint32_t id = 0;
  std::uint32_t offset = 0;
  FixedBytes<kSegmentSizeMax> bytes;
  friend constexpr bool operator==(const Segment&, const Segment&) = default;
};
// Receiver: it is over. Sender: kCancelled.
struct Done {
  std::uint32_t id = 0;
  Outcome outcome = Outcome::kComplete;
  friend constexpr bool operator==(const Done&, const Done&) = default;
};

using SenderMessage = std::variant<Offer, Segment, Done>;
using ReceiverMessage = std::variant<Accept, Done>;

constexpr bool is_valid(const Blob& blob) {
  return blob.size > 0 && blob.size <= kBlobSizeMax && blob.segment_size > 0 &&
         blob.segment_size <= kSegmentSizeMax;
}
constexpr std::uint32_t segment_count(const Blob& blob) {
  return (blob.size + blob.segment_size - 1) / blob.segment_size;
}
// Bytes of the segment at `offset`, which is a multiple of the segment size below the blob's size.
constexpr std::uint32_t segment_size_at(const Blob& blob, std::uint32_t offset) {
  const std::uint32_t rest = blob.size - offset;
  return rest < blob.segment_size ? rest : blob.segment_size;
}

}  // namespace amphora::transfer
