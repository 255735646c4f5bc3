// SPDX-License-Identifier: Apache-2.0
// The cryptography the core asks of its host.
//
// The core decides what is sealed, with which key and nonce, and what a failure means; the arithmetic belongs
// to a well-kept library. So these functions are declared here and defined once by each host, found by the
// linker: host/crypto_sodium.cpp on Linux and in the simulator, ESP-IDF's libsodium component on a
// microcontroller. All are pure functions of their arguments, take constant time where secrets are involved,
// and neither allocate nor fail for any other reason than the one they return. The host calls its library's
// initialisation before it builds a node.
//
// Algorithms, fixed because both ends must agree:
//   seal, open     ChaCha20-Poly1305, RFC 8439: 32-byte key, 12-byte nonce, 16-byte tag
//   derive_key     BLAKE2b-256 (RFC 7693) keyed with the secret over the label and the context
//   hash           BLAKE2b-512
//   group          ristretto255 (RFC 9496): elements and scalars of 32 bytes
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/bytes.hpp"

namespace amphora::crypto {

inline constexpr std::size_t kKeySize = 32;
inline constexpr std::size_t kNonceSize = 12;
inline constexpr std::size_t kTagSize = 16;
inline constexpr std::size_t kHashSize = 64;

using Key = std::array<std::uint8_t, kKeySize>;
using Nonce = std::array<std::uint8_t, kNonceSize>;
using Hash = std::array<std::uint8_t, kHashSize>;

// Encrypts `plain` and authenticates it together with `associated`. `out` holds plain.size() + kTagSize bytes
// and does not overlap `plain`. A nonce must never be used twice with one key.
void seal(const Key& key, const Nonce& nonce, ByteSpan associated, ByteSpan plain, MutableByteSpan out);

// The reverse; `sealed` holds at least kTagSize bytes, `out` sealed.size() - kTagSize. False, and `out` is
// not to be used, when anything was altered.
[[nodiscard]] bool open(const Key& key, const Nonce& nonce, ByteSpan associated, ByteSpan sealed,
                        MutableByteSpan out);

// A key for one purpose. Labels are constants of the program; context is what the purpose is bound to. The
// pair is encoded without ambiguity (length of the label first).
Key derive_key(const Key& secret, std::string_view label, ByteSpan context);

Hash hash(ByteSpan bytes);

// Equal, in time that does not depend on where they differ. Different sizes are unequal.
[[nodiscard]] bool is_equal(ByteSpan a, ByteSpan b);

// ristretto255, for the password-authenticated exchange of pairing.
using Element = std::array<std::uint8_t, 32>;
using Scalar = std::array<std::uint8_t, 32>;

// A group element that nobody knows the logarithm of (one-way map, RFC 9496 section 4.3.4).
Element map_to_element(const Hash& uniform);
// A scalar, reduced from 64 uniform bytes.
Scalar to_scalar(const Hash& uniform);
// scalar * element; false when the element is not valid or the result is the identity.
[[nodiscard]] bool multiply(const Scalar& scalar, const Element& element, Element& out);

}  // namespace amphora::crypto
