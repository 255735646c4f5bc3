// SPDX-License-Identifier: Apache-2.0
#include "core/telemetry/compress.hpp"

#include <algorithm>

namespace amphora::telemetry {

namespace {

constexpr std::size_t kLiteralsMax = 128;
constexpr std::size_t kRunMin = 2;
constexpr std::size_t kRunMax = 129;
constexpr std::uint8_t kRunFlag = 0x80;

// 0, -1, 1, -2 … becomes 0, 1, 2, 3 …
constexpr std::uint16_t fold(std::uint16_t difference) {
  const std::uint32_t doubled = std::uint32_t{difference} << 1U;
  return static_cast<std::uint16_t>(doubled ^ ((difference & 0x8000U) != 0 ? 0xFFFFU : 0U));
}
constexpr std::uint16_t unfold(std::uint16_t folded) {
  const std::uint32_t halved = std::uint32_t{folded} >> 1U;
  return static_cast<std::uint16_t>(halved ^ ((folded & 1U) != 0 ? 0xFFFFU : 0U));
}

// The writers return how much they would need; a writer that runs out of room has !ok().
bool write_delta(ByteSpan in, ByteWriter& out) {
  ByteReader reader{in};
  std::uint16_t before = 0;
  while (reader.remaining() >= 2 && out.ok()) {
    const std::uint16_t word = reader.u16();
    std::uint16_t rest = fold(static_cast<std::uint16_t>(word - before));
    before = word;
    while (rest >= 0x80) {
      out.u8(static_cast<std::uint8_t>(0x80U | (rest & 0x7FU)));
      rest = static_cast<std::uint16_t>(rest >> 7U);
    }
    out.u8(static_cast<std::uint8_t>(rest));
  }
  if (reader.remaining() == 1) {
    out.u8(reader.u8());
  }
  return out.ok();
}

std::size_t run_size(ByteSpan in) {
  std::size_t size = 1;
  while (size < in.size() && size < kRunMax && in[size] == in[0]) {
    ++size;
  }
  return size;
}

bool write_run_length(ByteSpan in, ByteWriter& out) {
  while (!in.empty() && out.ok()) {
    const std::size_t run = run_size(in);
    if (run >= kRunMin) {
      out.u8(static_cast<std::uint8_t>(run - kRunMin + kRunFlag));
      out.u8(in[0]);
      in = in.subspan(run);
      continue;
    }
    std::size_t literals = 1;
    // A run of two inside literals saves nothing, one of three does.
    while (literals < in.size() && literals < kLiteralsMax && run_size(in.subspan(literals)) <= kRunMin) {
      ++literals;
    }
    out.u8(static_cast<std::uint8_t>(literals - 1));
    out.bytes(in.first(literals));
    in = in.subspan(literals);
  }
  return out.ok();
}

using Outcome = Result<std::size_t, CompressError>;

Outcome read_delta(ByteReader& in, ByteWriter& out, std::size_t size) {
  std::uint16_t word = 0;
  while (size - out.size() >= 2) {
    std::uint32_t folded = 0;
    for (unsigned shift = 0;; shift += 7) {
      const std::uint8_t byte = in.u8();
      if (!in.ok()) {
        return CompressError::kTruncated;
      }
      folded |= static_cast<std::uint32_t>(byte & 0x7FU) << shift;
      const bool is_last = (byte & 0x80U) == 0;
      if (folded > 0xFFFF || (is_last && byte == 0 && shift > 0) || (!is_last && shift >= 14)) {
        return CompressError::kBadNumber;
      }
      if (is_last) {
        break;
      }
    }
    word = static_cast<std::uint16_t>(word + unfold(static_cast<std::uint16_t>(folded)));
    out.u16(word);
  }
  if (size - out.size() == 1) {
    out.u8(in.u8());
  }
  return in.ok() ? Outcome{size} : CompressError::kTruncated;
}

Outcome read_run_length(ByteReader& in, ByteWriter& out, std::size_t size) {
  while (out.size() < size) {
    const std::uint8_t control = in.u8();
    const bool is_run = control >= kRunFlag;
    const std::size_t count = is_run ? control - kRunFlag + kRunMin : control + std::size_t{1};
    if (!in.ok()) {
      return CompressError::kTruncated;
    }
    if (count > size - out.size()) {
      return CompressError::kBadSize;
    }
    if (is_run) {
      const std::uint8_t byte = in.u8();
      for (std::size_t i = 0; i < count; ++i) {
        out.u8(byte);
      }
    } else {
      out.bytes(in.take(count));
    }
    if (!in.ok()) {
      return CompressError::kTruncated;
    }
  }
  return size;
}

}  // namespace

Result<Compressed, CompressError> compress(ByteSpan in, MutableByteSpan out) {
  if (out.size() < in.size()) {
    return CompressError::kNoRoom;
  }
  // A scheme is given one byte less than the best so far, so it either wins or runs out of room. The loser
  // has then spoilt `out`, which is why the winner writes last.
  Compressed best{Scheme::kNone, in.size()};
  const auto is_better = [&](auto write) {
    if (best.size == 0) {
      return false;
    }
    ByteWriter writer{out.first(best.size - 1)};
    if (!write(in, writer)) {
      return false;
    }
    best.size = writer.size();
    return true;
  };
  if (is_better(write_delta)) {
    best.scheme = Scheme::kDelta;
  }
  if (is_better(write_run_length)) {
    best.scheme = Scheme::kRunLength;
  }
  ByteWriter writer{out};
  if (best.scheme == Scheme::kNone) {
    std::ranges::copy(in, out.begin());
  } else if (best.scheme == Scheme::kDelta) {
    (void)write_delta(in, writer);
  }
  return best;
}

Result<std::size_t, CompressError> decompress(Scheme scheme, ByteSpan in, std::size_t size,
                                              MutableByteSpan out) {
  if (out.size() < size) {
    return CompressError::kNoRoom;
  }
  ByteReader reader{in};
  ByteWriter writer{out.first(size)};
  Outcome outcome{CompressError::kUnknownScheme};
  switch (scheme) {
    case Scheme::kNone:
      if (in.size() != size) {
        return in.size() < size ? CompressError::kTruncated : CompressError::kBadSize;
      }
      std::ranges::copy(in, out.begin());
      return size;
    case Scheme::kDelta:
      outcome = read_delta(reader, writer, size);
      break;
    case Scheme::kRunLength:
      outcome = read_run_length(reader, writer, size);
      break;
  }
  if (outcome.ok() && reader.remaining() > 0) {
    return CompressError::kBadSize;
  }
  return outcome;
}

}  // namespace amphora::telemetry
