// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/stream.hpp"

#include <algorithm>

namespace amphora::tinybms {

namespace {

// A frame of an unknown command is recognised up to this length, by its CRC.
constexpr std::size_t kUnknownFrameSizeMax = 16;
constexpr std::size_t kEnvelopeSize = 4;  // start byte, command, CRC

template <std::size_t Capacity>
ByteSpan append(std::array<std::uint8_t, Capacity>& buffer, std::size_t& size, ByteSpan bytes) {
  const std::size_t count = std::min(bytes.size(), Capacity - size);
  std::copy_n(bytes.begin(), count, buffer.begin() + static_cast<std::ptrdiff_t>(size));
  size += count;
  return bytes.subspan(count);
}

template <std::size_t Capacity>
void remove_front(std::array<std::uint8_t, Capacity>& buffer, std::size_t& size, std::size_t count) {
  const auto begin = buffer.begin();
  std::copy(begin + static_cast<std::ptrdiff_t>(count), begin + static_cast<std::ptrdiff_t>(size), begin);
  size -= count;
}

}  // namespace

void ReplyReader::expect(const Request& request) {
  counters_.noise_bytes += size_;
  size_ = 0;
  payload_size_ = 0;
  last_packet_id_.reset();
  is_flushing_ = false;
  expected_ = request;
}

void ReplyReader::expect_nothing() {
  payload_size_ = 0;
  last_packet_id_.reset();
  expected_.reset();
}

ByteSpan ReplyReader::feed(ByteSpan bytes) {
  return append(buffer_, size_, bytes);
}

void ReplyReader::flush() {
  is_flushing_ = true;
}

void ReplyReader::drop(std::size_t count) {
  remove_front(buffer_, size_, count);
}

// Whether the frame that begins like this can be the next part of the answer, as far as its bytes tell.
bool ReplyReader::is_expected_header(ByteSpan prefix) const {
  if (!expected_) {
    return false;
  }
  if (prefix.size() < 2) {
    return true;
  }
  const auto code = static_cast<std::uint8_t>(expected_->command);
  if (prefix[1] == kAckByte || prefix[1] == kNackByte) {
    const bool is_allowed = prefix[1] == kNackByte || is_acknowledged(expected_->command);
    return is_allowed && (prefix.size() < 3 || prefix[2] == code);
  }
  if (prefix[1] != code || is_acknowledged(expected_->command)) {
    return false;
  }
  if (prefix.size() < 3) {
    return true;
  }
  const std::uint8_t size = prefix[2];
  switch (expected_->command) {
    case Command::kReadModbus:
      return size == 2 * expected_->count;
    case Command::kWriteModbus: {
      std::array<std::uint8_t, 4> echo{};
      store<std::uint16_t>(echo.data(), expected_->address, Endian::kBig);
      store<std::uint16_t>(echo.data() + 2, expected_->count, Endian::kBig);
      const std::size_t count = std::min(prefix.size() - 2, echo.size());
      return std::equal(echo.begin(), echo.begin() + static_cast<std::ptrdiff_t>(count), prefix.begin() + 2);
    }
    case Command::kPackVoltage:
    case Command::kPackCurrent:
    case Command::kCellMax:
    case Command::kCellMin:
    case Command::kStatus:
    case Command::kLifetime:
    case Command::kSoc:
    case Command::kSpeed:
      return true;
    default:
      break;
  }
  if ((size & kMorePacketsBit) == 0) {
    return payload_size_ + size <= payload_.size() && is_payload_size_right(*expected_, payload_size_ + size);
  }
  const std::uint8_t id = size & kPacketBits;
  const bool is_next = !last_packet_id_ || id == ((*last_packet_id_ + 1) & kPacketBits);
  return is_next && payload_size_ + packet_payload_size_ <= payload_.size();
}

ReplyReader::Candidate ReplyReader::judge(std::size_t at) const {
  const ByteSpan prefix = ByteSpan{buffer_}.subspan(at, size_ - at);
  const FrameLength length = reply_length(prefix, packet_payload_size_);
  if (length.status == FrameLength::Status::kInvalid) {
    return {};
  }
  const bool is_answer = is_expected_header(prefix);
  if (length.status == FrameLength::Status::kIncomplete || length.size > prefix.size()) {
    return {is_answer ? Verdict::kWait : Verdict::kHold, 0};
  }
  if (!has_valid_crc(prefix.first(length.size))) {
    return {is_answer ? Verdict::kBadCrc : Verdict::kNoFrame, 0};
  }
  return {is_answer ? Verdict::kExpected : Verdict::kUnexpected, length.size};
}

bool ReplyReader::take(const Reply& packet) {
  if (packet.kind != ReplyKind::kData) {
    return true;
  }
  std::copy(packet.payload.begin(), packet.payload.end(),
            payload_.begin() + static_cast<std::ptrdiff_t>(payload_size_));
  payload_size_ += packet.payload.size();
  if (!packet.is_last) {
    last_packet_id_ = packet.packet_id;
  }
  return packet.is_last;
}

std::optional<Reply> ReplyReader::poll() {
  std::optional<std::size_t> held;
  std::size_t at = 0;
  while (at < size_) {
    const Candidate candidate = buffer_[at] == kStartByte ? judge(at) : Candidate{};
    const bool is_waiting = candidate.verdict == Verdict::kWait && !is_flushing_;
    if (is_waiting || (candidate.verdict == Verdict::kHold && !is_flushing_ && !held)) {
      held = held.value_or(at);
    }
    if (is_waiting) {
      break;
    }
    const bool is_found =
        candidate.verdict == Verdict::kExpected || (candidate.verdict == Verdict::kUnexpected && !held);
    if (candidate.verdict == Verdict::kBadCrc && !held) {
      ++counters_.crc_errors;
      counters_.noise_bytes += at + 1;
      drop(at + 1);
      at = 0;
      continue;
    }
    if (!is_found) {
      ++at;
      continue;
    }
    counters_.noise_bytes += at;
    const auto decoded = decode_reply(ByteSpan{buffer_}.subspan(at, candidate.size), packet_payload_size_);
    bool is_complete = false;
    Reply reply;
    if (candidate.verdict == Verdict::kUnexpected || !decoded) {
      ++counters_.unexpected_frames;
    } else {
      reply = *decoded;
      is_complete = take(reply);
    }
    drop(at + candidate.size);
    if (is_complete) {
      reply.payload = reply.kind == ReplyKind::kData ? ByteSpan{payload_}.first(payload_size_) : ByteSpan{};
      ++counters_.frames;
      expected_.reset();
      payload_size_ = 0;
      last_packet_id_.reset();
      return reply;
    }
    at = 0;
    held.reset();
  }
  const std::size_t noise_count = held.value_or(size_);
  counters_.noise_bytes += noise_count;
  drop(noise_count);
  is_flushing_ = is_flushing_ && size_ > 0;
  return std::nullopt;
}

ByteSpan RequestReader::feed(ByteSpan bytes) {
  return append(buffer_, size_, bytes);
}

void RequestReader::flush() {
  is_flushing_ = size_ > 0;
}

void RequestReader::drop(std::size_t count) {
  remove_front(buffer_, size_, count);
}

std::optional<Incoming> RequestReader::poll() {
  while (size_ > 0) {
    const ByteSpan bytes = ByteSpan{buffer_}.first(size_);
    const FrameLength length = request_length(bytes);
    if (length.status == FrameLength::Status::kInvalid) {
      // Either noise, or a frame of a command that does not exist: its CRC tells.
      const bool has_start = bytes[0] == kStartByte;
      for (std::size_t n = kEnvelopeSize; has_start && n <= std::min(size_, kUnknownFrameSizeMax); ++n) {
        if (has_valid_crc(bytes.first(n))) {
          const Incoming unknown{std::nullopt, bytes[1], kErrorCommand};
          drop(n);
          ++counters_.frames;
          return unknown;
        }
      }
      if (has_start && !is_flushing_ && size_ < kUnknownFrameSizeMax) {
        return std::nullopt;
      }
    } else if (length.status == FrameLength::Status::kKnown && length.size <= size_) {
      const ByteSpan frame = bytes.first(length.size);
      Incoming incoming{std::nullopt, frame[1], kErrorCommand};
      if (has_valid_crc(frame)) {
        if (const auto request = decode_request(frame)) {
          incoming.request = *request;
        }
        drop(length.size);
        ++counters_.frames;
        return incoming;
      }
      incoming.error = kErrorCrc;
      ++counters_.crc_errors;
      ++counters_.noise_bytes;
      drop(1);
      return incoming;
    } else if (!is_flushing_) {
      return std::nullopt;
    }
    ++counters_.noise_bytes;
    drop(1);
  }
  is_flushing_ = false;
  return std::nullopt;
}

}  // namespace amphora::tinybms
