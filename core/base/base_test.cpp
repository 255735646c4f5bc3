// SPDX-License-Identifier: Apache-2.0
// The small parts every machine is made of.
#include <gtest/gtest.h>

#include <array>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/crc.hpp"
#include "core/base/result.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/sampled.hpp"
#include "core/base/timers.hpp"
#include "core/base/trace.hpp"

namespace amphora {
namespace {

using namespace std::chrono_literals;

TimePoint at_ms(std::int64_t ms) {
  return TimePoint{std::chrono::milliseconds{ms}};
}

TEST(Time, AddingSaturatesAtNever) {
  EXPECT_EQ(add_saturating(kNever - 1us, 2us), kNever);
  EXPECT_EQ(add_saturating(at_ms(1), 2ms), at_ms(3));
}

TEST(Bytes, ReaderReturnsZeroPastTheEndAndRemembers) {
  const std::array<std::uint8_t, 3> bytes{0x43, 0x02, 0xE8};
  ByteReader reader{bytes};
  EXPECT_EQ(reader.u16(), 0x0243);
  EXPECT_EQ(reader.u16(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(Bytes, WriterStopsAtTheEndAndRemembers) {
  std::array<std::uint8_t, 3> bytes{};
  ByteWriter writer{bytes};
  writer.i16(-2, Endian::kBig);
  writer.u16(7);
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(writer.size(), 2U);
  EXPECT_EQ(bytes, (std::array<std::uint8_t, 3>{0xFF, 0xFE, 0x00}));
}

TEST(Crc, MatchesThePublishedCheckValue) {
  constexpr std::string_view kText = "123456789";
  std::array<std::uint8_t, kText.size()> bytes{};
  std::copy(kText.begin(), kText.end(), bytes.begin());
  EXPECT_EQ(crc16_modbus(bytes), 0x4B37);
}

TEST(Ring, RefusesOrOverwritesWhenFullAndCountsBoth) {
  Ring<int, 2> ring;
  EXPECT_TRUE(ring.push(1));
  EXPECT_TRUE(ring.push(2));
  EXPECT_FALSE(ring.push(3));
  EXPECT_FALSE(ring.push_overwrite(4));
  EXPECT_EQ(ring.dropped_count(), 2U);
  EXPECT_EQ(ring.pop(), 2);
  EXPECT_EQ(ring.pop(), 4);
  EXPECT_EQ(ring.pop(), std::nullopt);
}

enum class Alarm { kFirst, kSecond, kCount };

TEST(Timers, TakesDueTimersInOrderAndNoneBeforeTheirTime) {
  TimerTable<Alarm> timers;
  EXPECT_EQ(timers.next(), kNever);
  timers.set(Alarm::kFirst, at_ms(20));
  timers.set(Alarm::kSecond, at_ms(10));
  EXPECT_EQ(timers.next(), at_ms(10));
  EXPECT_EQ(timers.pop_due(at_ms(9)), std::nullopt);
  EXPECT_EQ(timers.pop_due(at_ms(30)), Alarm::kSecond);
  EXPECT_EQ(timers.pop_due(at_ms(30)), Alarm::kFirst);
  EXPECT_EQ(timers.pop_due(at_ms(30)), std::nullopt);
}

TEST(Rng, DrawsTheSameNumbersForTheSameSeedAndStaysInRange) {
  Rng a{42};
  Rng b{42};
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t drawn = a.between(-5, 5);
    EXPECT_EQ(drawn, b.between(-5, 5));
    EXPECT_GE(drawn, -5);
    EXPECT_LE(drawn, 5);
  }
  // First output of the reference implementation for SplitMix64 seed 0.
  EXPECT_EQ(Rng{0}.next(), 0x99EC5F36CB75F2B4U);
}

enum class Refusal { kNo };

TEST(Result, HoldsEitherAValueOrAReason) {
  const Result<int, Refusal> good{7};
  const Result<int, Refusal> bad{Refusal::kNo};
  EXPECT_EQ(*good, 7);
  EXPECT_EQ(bad.error(), Refusal::kNo);
  EXPECT_DEATH((void)bad.value(), "broken invariant");
}

TEST(Sampled, IsFreshUpToItsBoundAndNotBeyond) {
  const Reading<int> reading{Sampled<int>{5, at_ms(100)}};
  EXPECT_EQ(fresh(reading, at_ms(200), 100ms), 5);
  EXPECT_EQ(fresh(reading, at_ms(201), 100ms), std::nullopt);
  EXPECT_EQ(fresh(Reading<int>{}, at_ms(0), 100ms), std::nullopt);
}

TEST(Trace, KeepsTheNewestAndDigestsAll) {
  Trace<2> a;
  Trace<2> b;
  for (std::int32_t i = 0; i < 3; ++i) {
    a.add(at_ms(i), 1, 2, i);
    b.add(at_ms(i), 1, 2, i == 0 ? 9 : i);
  }
  EXPECT_EQ(a.records().front().a, 1);
  EXPECT_NE(a.digest(), b.digest());
}

}  // namespace
}  // namespace amphora
