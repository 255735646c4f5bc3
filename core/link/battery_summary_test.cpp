// SPDX-License-Identifier: Apache-2.0
#include "core/link/battery_summary.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "core/base/rng.hpp"

namespace amphora::link {
namespace {

using namespace std::chrono_literals;
using SummaryBytes = std::array<std::uint8_t, kBatterySummarySize>;

BatterySummary full_summary() {
  battery::AlarmSet alarms;
  alarms.set(battery::Alarm::kHighVoltage);
  alarms.set(battery::Alarm::kCellImbalance, false);
  BatterySummary summary;
  summary.time = WallTime{1'700'000'000'123};
  summary.voltage = Millivolts{55'780};
  summary.current = Milliamps{-30'100};
  summary.soc = BasisPoints{8355};
  summary.soh = BasisPoints{9910};
  summary.cell_count = 14;
  summary.cell_min = Millivolts{3980};
  summary.cell_max = Millivolts{3990};
  summary.temperature_internal = Decicelsius{97};
  summary.temperature_min = Decicelsius{-85};
  summary.temperature_max = Decicelsius{250};
  summary.activity = battery::Activity::kFault;
  summary.alarms = alarms;
  summary.warnings = battery::AlarmSet{};
  summary.capacity = MilliampHours{66'000};
  summary.cycle_count = 123;
  summary.energy_in = WattHours{1'234'567};
  summary.energy_out = WattHours{1'200'000};
  summary.charge_voltage_limit = Millivolts{57'400};
  summary.charge_current_limit = Milliamps{50'000};
  summary.discharge_current_limit = Milliamps{0};
  summary.discharge_voltage_limit = Millivolts{44'800};
  return summary;
}

SummaryBytes encoded(const BatterySummary& summary) {
  SummaryBytes bytes{};
  encode_summary(summary, bytes);
  return bytes;
}

TEST(BatterySummary, ComesBackAsItWas) {
  EXPECT_EQ(decode_summary(encoded(full_summary())).value(), full_summary());
  EXPECT_EQ(decode_summary(encoded(BatterySummary{})).value(), BatterySummary{}) << "unknown stays unknown";
}

TEST(BatterySummary, AKnownZeroIsNotUnknown) {
  BatterySummary summary;
  summary.current = Milliamps{0};
  EXPECT_EQ(decode_summary(encoded(summary))->current, Milliamps{0});
}

TEST(BatterySummary, WrongLengthAndImpossibleValuesAreRefused) {
  const SummaryBytes good = encoded(full_summary());
  EXPECT_EQ(decode_summary(ByteSpan{good}.first(good.size() - 1)).error(), SummaryError::kBadLength);
  EXPECT_EQ(decode_summary({}).error(), SummaryError::kBadLength);
  SummaryBytes beyond = good;
  beyond[3] = 0x80;  // a field that format 1 does not have
  EXPECT_EQ(decode_summary(beyond).error(), SummaryError::kBadValue);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    SummaryBytes changed = good;
    changed[i] = 0xFF;
    const auto decoded = decode_summary(changed);
    refused += decoded.ok() ? 0U : 1U;
    if (decoded.ok() && changed != good) {
      EXPECT_FALSE(*decoded == full_summary()) << "byte " << i << " has no meaning";
    }
  }
  EXPECT_GT(refused, 3U);
}

TEST(BatterySummary, OnlyFreshValuesGoIn) {
  battery::Snapshot snapshot;
  snapshot.voltage = Sampled<Millivolts>{Millivolts{52'000}, TimePoint{10s}};
  snapshot.current = Sampled<Milliamps>{Milliamps{1000}, TimePoint{2s}};
  snapshot.soh = Sampled<BasisPoints>{BasisPoints{9900}, TimePoint{1s}};
  const BatterySummary summary = summarise(snapshot, {}, TimePoint{12s}, 5s, std::nullopt);
  EXPECT_EQ(summary.voltage, Millivolts{52'000});
  EXPECT_FALSE(summary.current.has_value()) << "ten seconds old";
  EXPECT_EQ(summary.soh, BasisPoints{9900}) << "hardly changes";

  const battery::Snapshot there = to_snapshot(summary, TimePoint{99s});
  EXPECT_EQ(there.voltage, (Sampled<Millivolts>{Millivolts{52'000}, TimePoint{99s}}));
  EXPECT_FALSE(there.current.has_value());
}

TEST(BatterySummary, RandomBytesAreRefusedOrMeanOneThing) {
  Rng rng{4};
  for (int i = 0; i < 50'000; ++i) {
    SummaryBytes bytes = encoded(full_summary());
    for (std::uint32_t change = rng.below(4); change > 0; --change) {
      bytes[rng.below(static_cast<std::uint32_t>(bytes.size()))] = static_cast<std::uint8_t>(rng.next());
    }
    const auto decoded = decode_summary(bytes);
    if (decoded.ok()) {
      ASSERT_EQ(decode_summary(encoded(*decoded)).value(), *decoded);
    }
  }
}

}  // namespace
}  // namespace amphora::link
