// SPDX-License-Identifier: Apache-2.0
#include "host/crypto_sodium.hpp"

#include <sodium.h>

#include "core/base/assert.hpp"
#include "core/crypto/crypto.hpp"

namespace amphora {

void initialise_crypto() {
  AMPHORA_ASSERT(sodium_init() >= 0);
}

void fill_with_entropy(MutableByteSpan out) {
  initialise_crypto();
  randombytes_buf(out.data(), out.size());
}

namespace crypto {

static_assert(kKeySize == crypto_aead_chacha20poly1305_ietf_KEYBYTES);
static_assert(kNonceSize == crypto_aead_chacha20poly1305_ietf_NPUBBYTES);
static_assert(kTagSize == crypto_aead_chacha20poly1305_ietf_ABYTES);
static_assert(kHashSize == crypto_generichash_BYTES_MAX);
static_assert(std::tuple_size_v<Element> == crypto_core_ristretto255_BYTES);
static_assert(std::tuple_size_v<Scalar> == crypto_core_ristretto255_SCALARBYTES);

void seal(const Key& key, const Nonce& nonce, ByteSpan associated, ByteSpan plain, MutableByteSpan out) {
  AMPHORA_ASSERT(out.size() == plain.size() + kTagSize);
  crypto_aead_chacha20poly1305_ietf_encrypt(out.data(), nullptr, plain.data(), plain.size(),
                                            associated.data(), associated.size(), nullptr, nonce.data(),
                                            key.data());
}

bool open(const Key& key, const Nonce& nonce, ByteSpan associated, ByteSpan sealed, MutableByteSpan out) {
  AMPHORA_ASSERT(sealed.size() >= kTagSize && out.size() == sealed.size() - kTagSize);
  return crypto_aead_chacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, sealed.data(), sealed.size(),
                                                   associated.data(), associated.size(), nonce.data(),
                                                   key.data()) == 0;
}

Key derive_key(const Key& secret, std::string_view label, ByteSpan context) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, secret.data(), secret.size(), kKeySize);
  const auto label_size = static_cast<std::uint8_t>(label.size());
  crypto_generichash_update(&state, &label_size, 1);
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(label.data()), label_size);
  crypto_generichash_update(&state, context.data(), context.size());
  Key key{};
  crypto_generichash_final(&state, key.data(), key.size());
  return key;
}

Hash hash(ByteSpan bytes) {
  Hash result{};
  crypto_generichash(result.data(), result.size(), bytes.data(), bytes.size(), nullptr, 0);
  return result;
}

bool is_equal(ByteSpan a, ByteSpan b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

Element map_to_element(const Hash& uniform) {
  Element element{};
  crypto_core_ristretto255_from_hash(element.data(), uniform.data());
  return element;
}

Scalar to_scalar(const Hash& uniform) {
  Scalar scalar{};
  crypto_core_ristretto255_scalar_reduce(scalar.data(), uniform.data());
  return scalar;
}

bool multiply(const Scalar& scalar, const Element& element, Element& out) {
  return crypto_scalarmult_ristretto255(out.data(), scalar.data(), element.data()) == 0;
}

}  // namespace crypto
}  // namespace amphora
