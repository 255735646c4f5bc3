// SPDX-License-Identifier: Apache-2.0
// Makes one message smaller before it is sent. Each compressed message stands for itself: none refers to an
// earlier one, so that loss, reordering and restarts can never turn one reading into another. (The usual
// delta against the previous message saves more on a quiet battery, and corrupts silently when the two ends
// disagree about which message was the previous one.)
//
// Schemes:
//   none        the bytes as they are
//   delta       the bytes as 16-bit little-endian words; each is the difference to the word before it (the
//   first
//               to zero, modulo 2^16), folded to a small positive number (0, -1, 1, -2 …: 0, 1, 2, 3 …) and
//               written with 7 bits a byte, lowest first, the top bit set on all but the last byte. An odd
//               last byte follows as it is. Neighbouring cell voltages become one byte each.
//   run-length  a control byte c < 128 is followed by c + 1 bytes as they are; c >= 128 by one byte that
//   stands
//               c - 126 times (2 to 129)
// compress() takes the smallest; decompress() accepts exactly what has the promised size and no byte too
// many.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace amphora::telemetry {

enum class Scheme : std::uint8_t { kNone = 0, kDelta = 1, kRunLength = 2 };

enum class CompressError : std::uint8_t {
  kUnknownScheme,
  kNoRoom,     // `out` is smaller than the uncompressed bytes
  kTruncated,  // the input ends in the middle
  kBadSize,    // it yields fewer or more bytes than promised
  kBadNumber,  // a delta beyond 16 bits, or written with a byte too many
};

struct Compressed {
  Scheme scheme = Scheme::kNone;
  std::size_t size = 0;  // bytes written
};

// `out` must hold in.size() bytes; it is never written beyond that. kNoRoom is the only error.
Result<Compressed, CompressError> compress(ByteSpan in, MutableByteSpan out);

// Writes exactly `size` bytes to `out`, or says why not (`out` may then hold anything). Total: any bytes of
// any length are a defined result.
Result<std::size_t, CompressError> decompress(Scheme scheme, ByteSpan in, std::size_t size,
                                              MutableByteSpan out);

}  // namespace amphora::telemetry
