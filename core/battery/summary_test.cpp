// SPDX-License-Identifier: Apache-2.0
#include "core/battery/summary.hpp"

#include <gtest/gtest.h>

#include <array>

#include "core/base/rng.hpp"

namespace amphora::battery {
namespace {

using Buffer = std::array<std::uint8_t, kSummarySizeMax>;

Summary full_summary() {
  Summary summary;
  summary.is_online = true;
  summary.soc = BasisPoints{8355};
  summary.soh = BasisPoints{9910};
  summary.voltage = Millivolts{55'780};
  summary.current = Milliamps{-12'345};
  summary.temperature_min = Decicelsius{-55};
  summary.temperature_max = Decicelsius{121};
  summary.temperature_internal = Decicelsius{97};
  summary.cell_min = Millivolts{3980};
  summary.cell_max = Millivolts{3990};
  summary.cell_count = 16;
  summary.activity = Activity::kDischarging;
  summary.alarms.emplace().set(Alarm::kHighVoltage, false);
  summary.warnings.emplace().set(Alarm::kCellImbalance, true);
  summary.capacity = MilliampHours{100'000};
  summary.energy_in = WattHours{1'234'567};
  summary.energy_out = WattHours{1'200'000};
  summary.charge_voltage_limit = Millivolts{55'200};
  summary.charge_current_limit = Milliamps{50'000};
  summary.discharge_current_limit = Milliamps{100'000};
  summary.discharge_voltage_limit = Millivolts{48'000};
  summary.cycle_count = 512;
  return summary;
}

TEST(Summary, AFullOneIsAsLargeAsPromisedAndComesBack) {
  Buffer bytes{};
  const std::size_t size = encode(full_summary(), bytes);
  EXPECT_EQ(size, 67U);
  EXPECT_LE(size, kSummarySizeMax);
  EXPECT_EQ(decode_summary(ByteSpan{bytes}.first(size)), full_summary());
  for (std::size_t cut = 0; cut < size; ++cut) {
    EXPECT_EQ(decode_summary(ByteSpan{bytes}.first(cut)), std::nullopt) << cut;
  }
}

TEST(Summary, AnEmptyOneIsItsMask) {
  Buffer bytes{};
  EXPECT_EQ(encode(Summary{}, bytes), 4U);
  EXPECT_EQ(decode_summary(ByteSpan{bytes}.first(4)), Summary{});
}

TEST(Summary, KnownBytes) {
  Summary summary;
  summary.is_online = true;
  summary.soc = BasisPoints{8355};
  summary.current = Milliamps{-2};
  Buffer bytes{};
  ASSERT_EQ(encode(summary, bytes), 10U);
  const std::array<std::uint8_t, 10> expected{0x13, 0, 0, 0, 0xA3, 0x20, 0xFE, 0xFF, 0xFF, 0xFF};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), bytes.begin()));
}

TEST(Summary, BitsOfNewerVersionsAreIgnoredAndNonsenseIsRefused) {
  const std::array<std::uint8_t, 8> newer{0x02, 0, 0, 0x80, 0xA3, 0x20, 0x55, 0x55};
  ASSERT_TRUE(decode_summary(newer));
  EXPECT_EQ(decode_summary(newer)->soc, BasisPoints{8355});
  const std::array<std::uint8_t, 5> activity{0, 0x08, 0, 0, 6};
  EXPECT_EQ(decode_summary(activity), std::nullopt);
  const std::array<std::uint8_t, 8> unwatched{0, 0x10, 0, 0, 1, 0, 0, 0};
  EXPECT_EQ(decode_summary(unwatched), std::nullopt);
}

TEST(Summary, WhatIsOldIsLeftOut) {
  const TimePoint now{std::chrono::seconds{100}};
  Snapshot snapshot;
  snapshot.soc = Sampled<BasisPoints>{BasisPoints{5000}, now - std::chrono::seconds{6}};
  snapshot.current = Sampled<Milliamps>{Milliamps{1}, now - std::chrono::seconds{6}};
  snapshot.voltage = Sampled<Millivolts>{Millivolts{50'000}, now - std::chrono::seconds{5}};
  snapshot.energy_in = Sampled<WattHours>{WattHours{7}, TimePoint{}};
  const Summary summary = summary_of(snapshot, now, std::chrono::seconds{5});
  EXPECT_FALSE(summary.is_online);
  EXPECT_EQ(summary.soc, std::nullopt);
  EXPECT_EQ(summary.voltage, Millivolts{50'000});
  EXPECT_EQ(summary.energy_in, WattHours{7});
  const Snapshot back = to_snapshot(summary, now);
  EXPECT_FALSE(back.soc);
  EXPECT_EQ(back.voltage->at, now);
}

TEST(Summary, RandomBytesNeverDoHarmAndWhatIsReadCanBeWritten) {
  Rng rng{7};
  for (int i = 0; i < 20'000; ++i) {
    std::array<std::uint8_t, 90> bytes{};
    for (auto& byte : bytes) {
      byte = static_cast<std::uint8_t>(rng.below(256));
    }
    const auto summary = decode_summary(ByteSpan{bytes}.first(rng.below(91)));
    if (summary) {
      Buffer out{};
      EXPECT_EQ(decode_summary(ByteSpan{out}.first(encode(*summary, out))), summary);
    }
  }
}

}  // namespace
}  // namespace amphora::battery
