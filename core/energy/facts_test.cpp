// SPDX-License-Identifier: Apache-2.0
#include "core/energy/facts.hpp"

#include <gtest/gtest.h>

#include "core/base/rng.hpp"

namespace amphora::energy {
namespace {

Facts random_facts(Rng& rng) {
  Facts facts;
  if (rng.chance(500'000)) {
    facts.import_exhausted = ImportExhausted{};
    if (rng.chance(500'000)) {
      facts.import_exhausted->day = static_cast<std::int32_t>(rng.next() & 0xFFFF'FFFFU);
    }
  }
  facts.has_eco_fallen_back = rng.chance(500'000);
  for (auto& order : facts.orders) {
    if (rng.chance(500'000)) {
      const auto end = static_cast<std::int64_t>(rng.next());
      order = StoredOrder{rng.chance(500'000) ? Position::kClosed : Position::kOpen, end};
    }
  }
  return facts;
}

TEST(Facts, SurviveTheStore) {
  Rng rng{1};
  for (int i = 0; i < 2'000; ++i) {
    const Facts facts = random_facts(rng);
    EXPECT_EQ(decode_facts(encode_facts(facts)), facts);
  }
}

TEST(Facts, EveryFlippedBitAndEveryCutIsFound) {
  Rng rng{2};
  const auto whole = encode_facts(random_facts(rng));
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    auto damaged = whole;
    damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(decode_facts(damaged)) << bit;
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_facts(ByteSpan{whole}.first(size))) << size;
  }
}

}  // namespace
}  // namespace amphora::energy
