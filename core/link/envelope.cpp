// SPDX-License-Identifier: Apache-2.0
#include "core/link/envelope.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::link {

namespace {

constexpr std::size_t kSealedHeaderSize = kSealedOverhead - crypto::kTagSize;
constexpr std::size_t kHandshakeHeaderSize = kHandshakeOverhead - crypto::kTagSize;
constexpr std::size_t kCounterSize = 6;
constexpr std::uint64_t kCounterMax = (std::uint64_t{1} << (8 * kCounterSize)) - 1;

// The messages that may go bare in plain mode: those of the session handshake.
constexpr bool is_handshake_type(std::uint8_t type) {
  return type >= 0x10 && type <= 0x13;
}

crypto::Nonce counter_nonce(std::uint64_t counter) {
  crypto::Nonce nonce{};
  store<std::uint64_t>(nonce.data(), counter, Endian::kLittle);
  return nonce;
}

}  // namespace

bool ReplayWindow::is_new(std::uint64_t counter) const {
  if (counter > highest_) {
    return true;
  }
  const std::uint64_t age = highest_ - counter;
  return counter != 0 && age < kReplayWindow && ((seen_ >> age) & 1U) == 0;
}

void ReplayWindow::mark(std::uint64_t counter) {
  if (counter > highest_) {
    const std::uint64_t ahead = counter - highest_;
    seen_ = ahead < kReplayWindow ? seen_ << ahead : 0;
    highest_ = counter;
  }
  const std::uint64_t age = highest_ - counter;
  if (age < kReplayWindow) {
    seen_ |= std::uint64_t{1} << age;
  }
}

Envelope::Envelope(const EnvelopeConfig& config)
    : config_{config},
      handshake_send_key_{handshake_key(config.self)},
      handshake_receive_key_{handshake_key(config.peer)} {}

Envelope::Associated Envelope::associated(std::uint8_t type, std::uint8_t tag, NodeId from, NodeId to) {
  Associated bytes{type, tag};
  std::ranges::copy(to_bytes(from), bytes.begin() + 2);
  std::ranges::copy(to_bytes(to), bytes.begin() + 2 + kNodeIdSize);
  return bytes;
}

crypto::Key Envelope::handshake_key(NodeId sender) const {
  return crypto::derive_key(config_.link_key, "amphora link handshake", to_bytes(sender));
}

crypto::Key Envelope::session_key(NodeId sender, std::uint64_t joiner_nonce,
                                  std::uint64_t granter_nonce) const {
  std::array<std::uint8_t, 16 + kNodeIdSize> context{};
  store(context.data(), joiner_nonce, Endian::kLittle);
  store(context.data() + 8, granter_nonce, Endian::kLittle);
  std::ranges::copy(to_bytes(sender), context.begin() + 16);
  return crypto::derive_key(config_.link_key, "amphora link session", context);
}

void Envelope::begin_session(std::uint32_t session, std::uint64_t joiner_nonce, std::uint64_t granter_nonce) {
  has_session_ = true;
  session_ = session;
  send_key_ = session_key(config_.self, joiner_nonce, granter_nonce);
  receive_key_ = session_key(config_.peer, joiner_nonce, granter_nonce);
  send_counter_ = 0;
  window_ = ReplayWindow{};
}

std::optional<std::size_t> Envelope::wrap(Kind kind, ByteSpan message, MutableByteSpan out) {
  AMPHORA_ASSERT(!message.empty() && message.size() <= kMessageSizeMax && out.size() >= kPayloadSizeMax);
  if (kind == Kind::kSession && (!has_session_ || send_counter_ == kCounterMax)) {
    return std::nullopt;
  }
  if (config_.mode == Mode::kSealed) {
    return kind == Kind::kSession ? wrap_sealed(message, out) : wrap_handshake(message, out);
  }
  ByteWriter writer{out};
  if (kind == Kind::kSession) {
    writer.u8(kPlainType);
    writer.u32(session_);
  }
  writer.bytes(message);
  return writer.size();
}

std::size_t Envelope::wrap_sealed(ByteSpan message, MutableByteSpan out) {
  ++send_counter_;
  const auto tag = static_cast<std::uint8_t>(session_);
  ByteWriter header{out};
  header.u8(kSealedType);
  header.u8(tag);
  header.u32(static_cast<std::uint32_t>(send_counter_));
  header.u16(static_cast<std::uint16_t>(send_counter_ >> 32U));
  const std::size_t size = message.size() + crypto::kTagSize;
  crypto::seal(send_key_, counter_nonce(send_counter_),
               associated(kSealedType, tag, config_.self, config_.peer), message,
               out.subspan(kSealedHeaderSize, size));
  return kSealedHeaderSize + size;
}

std::size_t Envelope::wrap_handshake(ByteSpan message, MutableByteSpan out) {
  // 2^32 handshakes of one boot would take centuries at their pace.
  ++handshake_counter_;
  ByteWriter header{out};
  header.u8(kSealedHandshakeType);
  header.write(config_.boot_nonce);
  header.u32(handshake_counter_);
  crypto::Nonce nonce{};
  std::copy_n(out.begin() + 1, crypto::kNonceSize, nonce.begin());
  const std::size_t size = message.size() + crypto::kTagSize;
  crypto::seal(handshake_send_key_, nonce, associated(kSealedHandshakeType, 0, config_.self, config_.peer),
               message, out.subspan(kHandshakeHeaderSize, size));
  return kHandshakeHeaderSize + size;
}

Result<Envelope::Opened, Rejection> Envelope::open(ByteSpan frame, MutableByteSpan out) {
  AMPHORA_ASSERT(out.size() >= kPayloadSizeMax);
  const Result<Opened, Rejection> opened = open_frame(frame, out);
  if (!opened.ok()) {
    ++rejected_[static_cast<std::size_t>(opened.error())];
  }
  return opened;
}

Result<Envelope::Opened, Rejection> Envelope::open_frame(ByteSpan frame, MutableByteSpan out) {
  if (frame.empty() || frame.size() > kPayloadSizeMax) {
    return Rejection::kMalformed;
  }
  if (config_.mode == Mode::kPlain) {
    return open_plain(frame, out);
  }
  switch (frame[0]) {
    case kSealedType:
      return open_sealed(frame, out);
    case kSealedHandshakeType:
      return open_handshake(frame, out);
    default:
      return Rejection::kUnsealed;
  }
}

Result<Envelope::Opened, Rejection> Envelope::open_sealed(ByteSpan frame, MutableByteSpan out) {
  if (frame.size() <= kSealedOverhead) {
    return Rejection::kMalformed;
  }
  ByteReader header{frame.subspan(1)};
  const std::uint8_t tag = header.u8();
  const std::uint64_t counter_low = header.u32();
  const std::uint64_t counter = counter_low | (std::uint64_t{header.u16()} << 32U);
  if (!has_session_ || tag != static_cast<std::uint8_t>(session_)) {
    return Rejection::kOtherSession;
  }
  if (!window_.is_new(counter)) {
    return Rejection::kReplayed;
  }
  const std::size_t size = frame.size() - kSealedOverhead;
  if (!crypto::open(receive_key_, counter_nonce(counter),
                    associated(kSealedType, tag, config_.peer, config_.self),
                    frame.subspan(kSealedHeaderSize), out.first(size))) {
    return Rejection::kAltered;
  }
  window_.mark(counter);
  return Opened{Kind::kSession, size};
}

Result<Envelope::Opened, Rejection> Envelope::open_handshake(ByteSpan frame, MutableByteSpan out) const {
  if (frame.size() <= kHandshakeOverhead) {
    return Rejection::kMalformed;
  }
  crypto::Nonce nonce{};
  std::copy_n(frame.begin() + 1, crypto::kNonceSize, nonce.begin());
  const std::size_t size = frame.size() - kHandshakeOverhead;
  if (!crypto::open(handshake_receive_key_, nonce,
                    associated(kSealedHandshakeType, 0, config_.peer, config_.self),
                    frame.subspan(kHandshakeHeaderSize), out.first(size))) {
    return Rejection::kAltered;
  }
  return Opened{Kind::kHandshake, size};
}

Result<Envelope::Opened, Rejection> Envelope::open_plain(ByteSpan frame, MutableByteSpan out) const {
  if (is_handshake_type(frame[0])) {
    std::ranges::copy(frame, out.begin());
    return Opened{Kind::kHandshake, frame.size()};
  }
  if (frame[0] != kPlainType || frame.size() <= kPlainOverhead) {
    return Rejection::kMalformed;
  }
  ByteReader header{frame.subspan(1)};
  if (!has_session_ || header.u32() != session_) {
    return Rejection::kOtherSession;
  }
  const ByteSpan message = frame.subspan(kPlainOverhead);
  std::ranges::copy(message, out.begin());
  return Opened{Kind::kSession, message.size()};
}

}  // namespace amphora::link
