// SPDX-License-Identifier: Apache-2.0
#include "core/telemetry/compress.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/base/rng.hpp"

namespace amphora::telemetry {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes round_trip(const Bytes& in, Scheme expected) {
  Bytes packed(in.size());
  const auto result = compress(in, packed);
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result->scheme, expected);
  EXPECT_LE(result->size, in.size());
  packed.resize(result->size);
  Bytes out(in.size());
  const auto size = decompress(result->scheme, packed, in.size(), out);
  EXPECT_TRUE(size.ok());
  EXPECT_EQ(out, in);
  return packed;
}

TEST(Compress, Vectors) {
  EXPECT_EQ(round_trip({}, Scheme::kNone), Bytes{});
  EXPECT_EQ(round_trip({1, 2, 3}, Scheme::kNone), (Bytes{1, 2, 3}));
  // 3300, 3301, 3299, 3299 mV: 3300 folds to 6600 = 0x19C8.
  EXPECT_EQ(round_trip({0xE4, 0x0C, 0xE5, 0x0C, 0xE3, 0x0C, 0xE3, 0x0C}, Scheme::kDelta),
            (Bytes{0xC8, 0x33, 0x02, 0x03, 0x00}));
  EXPECT_EQ(round_trip(Bytes(131, 7), Scheme::kRunLength), (Bytes{0xFF, 7, 0x80, 7}));
  EXPECT_EQ(round_trip({1, 2, 9, 9, 9, 9, 9, 9}, Scheme::kRunLength), (Bytes{0x01, 1, 2, 0x84, 9}));
}

TEST(Compress, AnythingComesBackAndNeverGrows) {
  Rng rng{2};
  for (int run = 0; run < 20'000; ++run) {
    Bytes in(rng.below(260));
    const std::uint32_t kind = rng.below(4);
    std::uint16_t word = 3300;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (kind == 0) {
        in[i] = static_cast<std::uint8_t>(rng.next());
      } else if (kind == 1) {
        in[i] = rng.chance(100'000) || i == 0 ? static_cast<std::uint8_t>(rng.below(3)) : in[i - 1];
      } else if (i % 2 == 0) {
        word = static_cast<std::uint16_t>(word + rng.below(kind == 2 ? 20 : 0x10000) - 10);
        in[i] = static_cast<std::uint8_t>(word);
      } else {
        in[i] = static_cast<std::uint8_t>(word >> 8U);
      }
    }
    Bytes packed(in.size());
    const auto result = compress(in, packed);
    ASSERT_TRUE(result.ok());
    ASSERT_LE(result->size, in.size());
    Bytes out(in.size(), 0xAA);
    ASSERT_TRUE(decompress(result->scheme, ByteSpan{packed}.first(result->size), in.size(), out).ok());
    ASSERT_EQ(out, in);
  }
}

TEST(Compress, TheDecoderNamesWhatIsWrong) {
  Bytes out(8);
  const auto error = [&out](Scheme scheme, const Bytes& in, std::size_t size) {
    return decompress(scheme, in, size, out).error();
  };
  EXPECT_EQ(error(static_cast<Scheme>(3), {}, 0), CompressError::kUnknownScheme);
  EXPECT_EQ(error(Scheme::kNone, {}, 9), CompressError::kNoRoom);
  EXPECT_EQ(error(Scheme::kNone, {1}, 2), CompressError::kTruncated);
  EXPECT_EQ(error(Scheme::kNone, {1, 2}, 1), CompressError::kBadSize);
  EXPECT_EQ(error(Scheme::kDelta, {0x80}, 2), CompressError::kTruncated);
  EXPECT_EQ(error(Scheme::kDelta, {}, 1), CompressError::kTruncated);
  EXPECT_EQ(error(Scheme::kDelta, {0xFF, 0xFF, 0x04}, 2), CompressError::kBadNumber) << "more than 16 bits";
  EXPECT_EQ(error(Scheme::kDelta, {0x80, 0x00}, 2), CompressError::kBadNumber) << "a byte too many";
  EXPECT_EQ(error(Scheme::kDelta, {0x80, 0x80, 0x80, 0x01}, 2), CompressError::kBadNumber);
  EXPECT_EQ(error(Scheme::kDelta, {0, 0}, 2), CompressError::kBadSize);
  EXPECT_EQ(error(Scheme::kRunLength, {0x80}, 2), CompressError::kTruncated);
  EXPECT_EQ(error(Scheme::kRunLength, {0x01, 1}, 2), CompressError::kTruncated);
  EXPECT_EQ(error(Scheme::kRunLength, {}, 2), CompressError::kTruncated);
  EXPECT_EQ(error(Scheme::kRunLength, {0x81, 1}, 2), CompressError::kBadSize) << "three of two";
  EXPECT_EQ(error(Scheme::kRunLength, {0x80, 1, 0}, 2), CompressError::kBadSize);
  Bytes small(2);
  EXPECT_EQ(compress(out, small).error(), CompressError::kNoRoom);
}

}  // namespace
}  // namespace amphora::telemetry
