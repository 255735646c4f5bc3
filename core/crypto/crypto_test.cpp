// SPDX-License-Identifier: Apache-2.0
// The host's functions against published vectors: a host that links another library must pass the same test.
#include "core/crypto/crypto.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace amphora::crypto {
namespace {

std::vector<std::uint8_t> from_hex(std::string_view hex) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::strtoul(std::string{hex.substr(i, 2)}.c_str(), nullptr, 16)));
  }
  return bytes;
}

template <std::size_t Size>
std::array<std::uint8_t, Size> array_from_hex(std::string_view hex) {
  std::array<std::uint8_t, Size> result{};
  std::ranges::copy(from_hex(hex), result.begin());
  return result;
}

// RFC 8439 section 2.8.2.
TEST(Crypto, SealsAsTheStandardSays) {
  const Key key = array_from_hex<32>("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const Nonce nonce = array_from_hex<12>("070000004041424344454647");
  const auto associated = from_hex("50515253c0c1c2c3c4c5c6c7");
  const std::string_view text =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "
      "would be it.";
  const std::vector<std::uint8_t> plain{text.begin(), text.end()};
  std::vector<std::uint8_t> sealed(plain.size() + kTagSize);
  seal(key, nonce, associated, plain, sealed);
  const auto tag = from_hex("1ae10b594f09e26a7e902ecbd0600691");
  EXPECT_TRUE(std::equal(tag.begin(), tag.end(), sealed.end() - kTagSize));
  EXPECT_EQ(sealed[0], 0xd3);
  EXPECT_EQ(sealed[1], 0x1a);

  std::vector<std::uint8_t> opened(plain.size());
  ASSERT_TRUE(open(key, nonce, associated, sealed, opened));
  EXPECT_EQ(opened, plain);
}

TEST(Crypto, OpensNothingThatWasAltered) {
  const Key key{1, 2, 3};
  const Nonce nonce{4};
  const std::vector<std::uint8_t> plain{1, 2, 3, 4, 5};
  const std::vector<std::uint8_t> associated{9, 9};
  std::vector<std::uint8_t> sealed(plain.size() + kTagSize);
  seal(key, nonce, associated, plain, sealed);
  std::vector<std::uint8_t> opened(plain.size());
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto altered = sealed;
    altered[bit / 8] = static_cast<std::uint8_t>(altered[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(open(key, nonce, associated, altered, opened)) << "bit " << bit;
  }
  EXPECT_FALSE(open(key, nonce, std::vector<std::uint8_t>{9, 8}, sealed, opened));
  EXPECT_FALSE(open(key, Nonce{5}, associated, sealed, opened));
  EXPECT_TRUE(open(key, nonce, associated, sealed, opened));
}

TEST(Crypto, KeysDifferByLabelAndContext) {
  const Key secret{7};
  const std::vector<std::uint8_t> context{1, 2};
  const Key key = derive_key(secret, "a", context);
  EXPECT_EQ(key, derive_key(secret, "a", context));
  EXPECT_NE(key, derive_key(secret, "b", context));
  EXPECT_NE(key, derive_key(secret, "a", std::vector<std::uint8_t>{1, 3}));
  // Where the label ends is part of the key.
  EXPECT_NE(derive_key(secret, "ab", {}), derive_key(secret, "a", std::vector<std::uint8_t>{'b'}));
}

// RFC 7693 appendix A.
TEST(Crypto, HashesAsTheStandardSays) {
  const Hash digest = hash(std::vector<std::uint8_t>{'a', 'b', 'c'});
  const auto expected = from_hex("ba80a53f981c4d0d");
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), digest.begin()));
}

// RFC 9496 appendix A.3, first vector.
TEST(Crypto, MapsToTheGroupAsTheStandardSays) {
  const Hash uniform = array_from_hex<64>(
      "5d1be09e3d0c82fc538112490e35701979d99e06ca3e2b5b54bffe8b4dc772c1"
      "4d98b696a1bbfb5ca32c436cc61c16563790306c79eaca7705668b47dffe5bb6");
  EXPECT_EQ(map_to_element(uniform),
            array_from_hex<32>("3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46"));
}

TEST(Crypto, TheGroupAgreesFromBothSides) {
  const Element base = map_to_element(hash(std::vector<std::uint8_t>{1}));
  const Scalar a = to_scalar(hash(std::vector<std::uint8_t>{2}));
  const Scalar b = to_scalar(hash(std::vector<std::uint8_t>{3}));
  Element a_base;
  Element b_base;
  Element ab;
  Element ba;
  ASSERT_TRUE(multiply(a, base, a_base));
  ASSERT_TRUE(multiply(b, base, b_base));
  ASSERT_TRUE(multiply(a, b_base, ab));
  ASSERT_TRUE(multiply(b, a_base, ba));
  EXPECT_EQ(ab, ba);
  const Element identity{};
  Element unused;
  EXPECT_FALSE(multiply(a, identity, unused));
  Element invalid{};
  invalid.fill(0xFF);
  EXPECT_FALSE(multiply(a, invalid, unused));
}

}  // namespace
}  // namespace amphora::crypto
