// SPDX-License-Identifier: Apache-2.0
#include "core/telemetry/messages.hpp"

namespace amphora::telemetry {

namespace {

class Fnv128 {
 public:
  void add_byte(std::uint8_t byte) {
    low_ ^= byte;
    // Times 2^88 + 0x13b, modulo 2^128: the low half in two 32-bit steps, so that no carry is lost.
    constexpr std::uint64_t kPrimeLow = 0x13B;
    constexpr std::uint64_t kMask = 0xFFFF'FFFF;
    const std::uint64_t first = (low_ & kMask) * kPrimeLow;
    const std::uint64_t second = (low_ >> 32U) * kPrimeLow + (first >> 32U);
    high_ = high_ * kPrimeLow + (second >> 32U) + (low_ << 24U);
    low_ = (second << 32U) | (first & kMask);
  }
  void add_number(std::uint32_t number, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      add_byte(static_cast<std::uint8_t>(number >> (8U * i)));
    }
  }
  std::uint64_t low() const { return low_; }
  std::uint64_t high() const { return high_; }

 private:
  std::uint64_t high_ = 0x6C62'272E'07BB'0142;
  std::uint64_t low_ = 0x62B8'2175'6295'C58D;
};

}  // namespace

std::array<std::uint8_t, kManifestDigestSize> manifest_digest(const Manifest& manifest) {
  Fnv128 hash;
  hash.add_number(manifest.epoch, 4);
  hash.add_number(manifest.first, 4);
  hash.add_number(manifest.last, 4);
  hash.add_number(manifest.count, 2);
  std::array<std::uint8_t, kManifestDigestSize> digest{};
  store(digest.data(), hash.low(), Endian::kLittle);
  store(digest.data() + 8, hash.high(), Endian::kLittle);
  return digest;
}

}  // namespace amphora::telemetry
