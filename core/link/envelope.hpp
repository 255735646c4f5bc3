// SPDX-License-Identifier: Apache-2.0
// What protects a frame between two paired boxes, and what ties it to one session.
//
//   sealed (the default), 24 bytes around the message
//     0x40 | u8 session tag | u48 counter | ciphertext | 16-byte tag
//   sealed handshake, 29 bytes: before there is a session
//     0x41 | u64 boot nonce | u32 counter | ciphertext | 16-byte tag
//   plain, 5 bytes: for commissioning and the simulator; handshake messages go bare
//     0x42 | u32 session | message
//
// ChaCha20-Poly1305. A session has a key for each direction, derived from the link key of the pairing, both
// nonces of the handshake and the sender's address. So keys are never used by two boots or two sessions, and
// the counter may start at one each time without a pair of key and nonce ever repeating. Type, tag, sender
// and addressee are authenticated with the message: a frame cannot be reflected or redirected. A window of 64
// counters refuses replays and lets the radio reorder. Handshake frames have random nonces (64 bits of the
// boot's entropy and a counter) under a key of their own; replaying them is answered by the handshake itself,
// which repeats both nonces.
//
// Not its business: probes, which stay open, carry no secret and grant nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/node_id.hpp"
#include "core/base/result.hpp"
#include "core/crypto/crypto.hpp"

namespace amphora::link {

// An ESP-NOW payload of version 1.
inline constexpr std::size_t kPayloadSizeMax = 250;
inline constexpr std::size_t kSealedOverhead = 24;
inline constexpr std::size_t kHandshakeOverhead = 29;
inline constexpr std::size_t kPlainOverhead = 5;
// What fits into any envelope of a session.
inline constexpr std::size_t kMessageSizeMax = kPayloadSizeMax - kSealedOverhead;
inline constexpr std::uint64_t kReplayWindow = 64;

inline constexpr std::uint8_t kSealedType = 0x40;
inline constexpr std::uint8_t kSealedHandshakeType = 0x41;
inline constexpr std::uint8_t kPlainType = 0x42;

enum class Mode : std::uint8_t { kSealed, kPlain };
constexpr std::string_view to_text(Mode mode) {
  return mode == Mode::kSealed ? "sealed" : "plain";
}

// Why a frame was dropped. Each has its counter.
enum class Rejection : std::uint8_t {
  kMalformed,     // too short or too long for what it says it is
  kUnsealed,      // plain, while this link is sealed
  kOtherSession,  // of a session that is over, or that this box does not know (any more)
  kAltered,       // does not authenticate: damaged, forged, or another link key
  kReplayed,      // seen before, or too old to tell
  kCount
};
constexpr std::string_view to_text(Rejection rejection) {
  constexpr std::string_view kNames[] = {"malformed", "unsealed", "other_session", "altered", "replayed"};
  return kNames[static_cast<std::size_t>(rejection)];
}

// Refuses a counter that was seen, or that lies kReplayWindow or more below the highest seen.
class ReplayWindow {
 public:
  bool is_new(std::uint64_t counter) const;
  // Only after the frame has authenticated.
  void mark(std::uint64_t counter);

 private:
  std::uint64_t highest_ = 0;
  std::uint64_t seen_ = 0;  // bit i: highest_ - i
};

struct EnvelopeConfig {
  Mode mode = Mode::kSealed;
  NodeId self;
  NodeId peer;
  crypto::Key link_key{};        // of the pairing; not used in plain mode
  std::uint64_t boot_nonce = 0;  // random at every boot
};

class Envelope {
 public:
  enum class Kind : std::uint8_t { kSession, kHandshake };
  struct Opened {
    Kind kind = Kind::kSession;
    std::size_t size = 0;
  };

  explicit Envelope(const EnvelopeConfig& config);

  void begin_session(std::uint32_t session, std::uint64_t joiner_nonce, std::uint64_t granter_nonce);
  void end_session() { has_session_ = false; }
  bool has_session() const { return has_session_; }

  // Wraps `message` (1 to kMessageSizeMax bytes) into `out` (at least kPayloadSizeMax) and returns the size.
  // Nothing, when it is for a session and there is none. `out` and `message` do not overlap.
  std::optional<std::size_t> wrap(Kind kind, ByteSpan message, MutableByteSpan out);

  // The message within `frame` is written to `out` (at least kPayloadSizeMax).
  Result<Opened, Rejection> open(ByteSpan frame, MutableByteSpan out);

  std::uint64_t rejected_count(Rejection reason) const { return rejected_[static_cast<std::size_t>(reason)]; }
  const EnvelopeConfig& config() const { return config_; }

 private:
  using Associated = std::array<std::uint8_t, 2 + 2 * kNodeIdSize>;
  static Associated associated(std::uint8_t type, std::uint8_t tag, NodeId from, NodeId to);
  crypto::Key handshake_key(NodeId sender) const;
  crypto::Key session_key(NodeId sender, std::uint64_t joiner_nonce, std::uint64_t granter_nonce) const;
  std::size_t wrap_sealed(ByteSpan message, MutableByteSpan out);
  std::size_t wrap_handshake(ByteSpan message, MutableByteSpan out);
  Result<Opened, Rejection> open_frame(ByteSpan frame, MutableByteSpan out);
  Result<Opened, Rejection> open_sealed(ByteSpan frame, MutableByteSpan out);
  Result<Opened, Rejection> open_handshake(ByteSpan frame, MutableByteSpan out) const;
  Result<Opened, Rejection> open_plain(ByteSpan frame, MutableByteSpan out) const;

  EnvelopeConfig config_;
  crypto::Key handshake_send_key_{};
  crypto::Key handshake_receive_key_{};
  std::uint32_t handshake_counter_ = 0;
  bool has_session_ = false;
  std::uint32_t session_ = 0;
  crypto::Key send_key_{};
  crypto::Key receive_key_{};
  std::uint64_t send_counter_ = 0;
  ReplayWindow window_;
  std::array<std::uint64_t, static_cast<std::size_t>(Rejection::kCount)> rejected_{};
};

}  // namespace amphora::link
